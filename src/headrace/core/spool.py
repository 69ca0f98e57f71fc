"""What a flow delivers, kept in a temporary file: a sink first, then a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.core.arrays import byte_view
from headrace.core.journal import NO_JOURNAL
from headrace.core.span import Span
from headrace.core.transform import TransformSource

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.core.chunk import Chunk
    from headrace.core.journal import Journal
    from headrace.core.operator import Spec
    from headrace.core.source import RowReader, Source
    from headrace.core.tempfiles import ScratchFile

__all__ = ["Spool"]


class Spool:
    """A flow's output, of known length, in a temporary file.

    Parameters
    ----------
    spec : Spec
        What comes.
    source : Source
        Where it comes from.
    tmp : str or None
        Folder of the file; ``None`` for the system's.
    journal : Journal
        Gives the file.
    """

    scratch_bytes = 0

    def __init__(self, spec: Spec, source: Source, tmp: str | None, journal: Journal = NO_JOURNAL) -> None:
        self.spec, self.paths = spec, source.paths
        self.segments = (Span(0, spec.n or 0),)
        self._source, self._tmp, self._journal = source, tmp, journal
        self._file: ScratchFile | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the file."""
        return (self.spec.n or 0) * self.spec.sample_bytes

    # --- as a sink

    def open(self, spec: Spec) -> None:
        """See `Sink.open`."""
        del spec  # known all along
        what = "a temporary copy of the input"
        self._file = self._journal.file("spool", what, self._tmp, reserve=self.nbytes)

    def write(self, chunk: Chunk) -> None:
        """See `Sink.write`."""
        if len(chunk):
            self._made().write(byte_view(np.ascontiguousarray(chunk.array)), chunk.start * self.spec.sample_bytes)

    def commit(self, n: int) -> None:
        """See `Sink.commit`."""

    def abort(self) -> None:
        """See `Sink.abort`."""
        self.close()

    # --- as a source

    def read(self, span: Span, out: Array) -> None:
        """See `Source.read`."""
        self._made().read(byte_view(out), span.start * self.spec.sample_bytes)

    def row_reader(self) -> RowReader:
        """See `Source`."""
        size = self.spec.sample_bytes
        return lambda start, apart, rows: self._made().read_rows(rows, start * size, apart * size)

    def verify(self) -> None:
        """See `Source.verify`."""
        self._source.verify()

    def rest(self) -> None:
        """Let a transform that it came from go without the memory that it was read in."""
        if isinstance(self._source, TransformSource):
            self._source.work.rest()

    def close(self) -> None:
        """Give the space back; the source stays open. May be called twice."""
        if self._file is not None:
            self._file.close()

    def _made(self) -> ScratchFile:
        if self._file is None:
            raise ValueError("a spool is written before it is read")
        return self._file
