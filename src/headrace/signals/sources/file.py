"""Samples laid out regularly in a file: the common part of raw, .npy and other uncompressed formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.arrays import byte_view
from headrace.core.mapping import GuardedMap
from headrace.core.operator import Spec
from headrace.core.span import Span
from headrace.errors import SchemaError, SourceChanged

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.core.files import FileReader
    from headrace.core.source import RowReader
    from headrace.signals.sources.calibration import Calibration

__all__ = ["FileSource", "Layout"]

_PIECE_BYTES = 256 * 1024  # of a file read at once for conversion: stays in a core's own cache


@dataclass(frozen=True, slots=True)
class Layout:
    """Where samples lie in a file.

    Attributes
    ----------
    offset : int
        Byte position of the first value.
    n : int
        Samples.
    n_channels : int
        Channels stored.
    channel_major : bool
        Whether all samples of one channel come before those of the next.
    flat : bool
        Whether samples are delivered as shape (n,), which takes one channel.
    """

    offset: int
    n: int
    n_channels: int
    channel_major: bool = False
    flat: bool = False


class FileSource:
    """Samples of one file, converted on the way.

    Parameters
    ----------
    file : FileReader
        Closed with this source.
    layout : Layout
        Where they lie.
    calibration : Calibration
        What they mean.
    fs : float or None
        Samples per second, hertz.
    channels : list of int, optional
        Those to deliver, in this order; default all.
    """

    def __init__(
        self,
        file: FileReader,
        layout: Layout,
        calibration: Calibration,
        fs: float | None = None,
        channels: list[int] | None = None,
    ) -> None:
        self._file, self._layout, self._calibration, self._channels = file, layout, calibration, channels
        width = layout.n_channels if channels is None else len(channels)
        self.spec = Spec(layout.n, () if layout.flat else (width,), calibration.dtype, fs)
        self.segments = (Span(0, layout.n),)
        self.paths = (file.path,)
        self.stored_sample_bytes = width * calibration.stored.itemsize
        self._all = channels is None
        self._direct = calibration.as_stored and self._all and (not layout.channel_major or layout.n_channels == 1)
        self._rows = self._rows_per_piece()

    @property
    def scratch_bytes(self) -> int:
        """See `Source`: a piece of the file, and a copy for 24-bit values and chosen channels."""
        return 0 if self._direct else 4 * self._piece_bytes

    def read(self, span: Span, out: Array) -> None:
        """See `Source.read`."""
        if self._direct:
            start = self._layout.offset + span.start * self._frame
            if span.size:
                self._file.read_into(byte_view(out), start, span)
            return
        scratch = np.empty(min(self._piece_bytes, span.size * self._frame), np.uint8)
        fetch = self._fetch_columns if self._layout.channel_major else self._fetch_rows
        for piece in span.split(self._rows):
            fetch(piece, out[piece.within(span)], scratch)

    def row_reader(self) -> RowReader | None:
        """See `Source`: for one channel that is delivered as stored."""
        return self._read_rows if self._direct and self._layout.n_channels == 1 else None

    def _read_rows(self, start: int, apart: int, rows: Array) -> None:
        if rows.size:
            span = Span(start, start + (len(rows) - 1) * apart + rows.shape[1])
            self._file.read_rows(rows, self._layout.offset + start * self._frame, apart * self._frame, span)

    def select(self, channels: list[int]) -> FileSource:
        """Deliver only some of the channels; shares the open file."""
        if self._layout.flat:
            raise SchemaError("this recording has one channel and shape (n,): there is nothing to choose from")
        kept = channels if self._channels is None else [self._channels[c] for c in channels]
        return FileSource(self._file, self._layout, self._calibration.select(channels), self.spec.fs, kept)

    def view(self, span: Span) -> Array:
        """Map samples without a copy; see `headrace.signals.Recording.view`."""
        if not self._direct:
            raise SchemaError(
                "only samples that are delivered as stored can be viewed in place: no scale, native byte order, "
                "all channels, sample-major; read them with np.asarray(recording) instead"
            )
        width = self._layout.n_channels
        mapped = GuardedMap(self._file.path)
        if mapped.identity != self._file.identity:
            raise SourceChanged(
                f"{self._file.path} is not the file that was opened: open it again", path=self._file.path
            )
        flat = mapped.view(self.spec.dtype, self._layout.offset + span.start * self._frame, span.size * width)
        return flat.reshape((span.size, *self.spec.shape))

    def rest(self) -> None:
        """Let go of the descriptor until the next read."""
        self._file.rest()

    def verify(self) -> None:
        """See `Source.verify`."""
        self._file.verify()

    def close(self) -> None:
        """See `Source.close`."""
        self._file.close()

    @property
    def _frame(self) -> int:
        return self._layout.n_channels * self._calibration.stored.itemsize

    @property
    def _piece_bytes(self) -> int:
        return self._rows * self._frame

    def _rows_per_piece(self) -> int:
        return max(1, _PIECE_BYTES // max(1, self._frame))

    def _fetch_rows(self, span: Span, out: Array, scratch: Array) -> None:
        """Read sample-major rows and convert them."""
        raw = scratch[: span.size * self._frame]
        self._file.read_into(byte_view(raw), self._layout.offset + span.start * self._frame, span)
        values = self._calibration.values(raw).reshape(span.size, self._layout.n_channels)
        if self._channels is not None:
            values = values[:, self._channels]
        self._calibration.apply(values.reshape(out.shape), out)

    def _fetch_columns(self, span: Span, out: Array, scratch: Array) -> None:
        """Read a run of each channel wanted and transpose them."""
        layout, size = self._layout, self._calibration.stored.itemsize
        wanted = range(layout.n_channels) if self._channels is None else self._channels
        run = span.size * size
        raw = scratch[: len(wanted) * run]
        for place, channel in enumerate(wanted):
            position = layout.offset + (channel * layout.n + span.start) * size
            self._file.read_into(byte_view(raw)[place * run : (place + 1) * run], position, span)
        values = self._calibration.values(raw).reshape(len(wanted), span.size)
        self._calibration.apply(values.T.reshape(out.shape), out)

    def __repr__(self) -> str:
        chosen = "" if self._channels is None else f" channels {self._channels}"
        return f"<{self._file.path}{chosen}>"
