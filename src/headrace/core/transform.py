"""Transforms: operators each of whose outputs takes all of the input, in passes over temporary files.

A pass consists of units of work that are independent of each other. What the last one leaves behind is read by
position, so that what follows a transform needs nothing of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from headrace.core.source import row_reader
from headrace.core.span import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.core.arrays import Array
    from headrace.core.journal import Journal
    from headrace.core.operator import Spec, Transform
    from headrace.core.source import RowReader, Source
    from headrace.core.tempfiles import ScratchFile

__all__ = ["Pass", "TransformSource", "Transformation"]


class Pass(Protocol):
    """One pass: units of work, which may be done in any thread, beside each other, and more than once.

    Attributes
    ----------
    count : int
        Units in all.
    unit : int
        Tasks are multiples of so many units; only the last may be shorter.
    most : int
        Units in the largest task that is worth its memory.
    ahead : int or None
        Units that may begin before the first of them is over; ``None`` for any number.
    """

    @property
    def count(self) -> int: ...  # noqa: D102 - documented above, as all attributes are
    @property
    def unit(self) -> int: ...  # noqa: D102
    @property
    def most(self) -> int: ...  # noqa: D102
    @property
    def ahead(self) -> int | None: ...  # noqa: D102

    def room_bytes(self, size: int) -> int:
        """Give the bytes of memory that are lent to a task of so many units."""
        ...

    def beside_bytes(self, size: int) -> int:
        """Give the bytes that such a task takes beside those."""
        ...

    def run(self, task: Span, read: RowReader, files: Sequence[ScratchFile], room: Array) -> None:
        """Do the units `task`.

        Parameters
        ----------
        task : Span
            Units.
        read : RowReader
            Reads the input.
        files : sequence of ScratchFile
            Those that `Transformation.files` asks for.
        room : ndarray, uint8, shape (room_bytes,)
            Lent memory, page-aligned: a recycled buffer.
        """
        ...


class Transformation(Protocol):
    """The passes of one transform, and what reads what they leave behind.

    Attributes
    ----------
    files : tuple of int
        Bytes of each temporary file that it takes.
    passes : tuple of Pass
        In order; each begins when the one before is over.
    shared_bytes : int
        Bytes of tables, and of what is kept in memory.
    unit : int
        Outputs that are efficient to read in multiples of.
    scratch_bytes : int
        Bytes that one `read` may use.
    """

    @property
    def files(self) -> tuple[int, ...]: ...  # noqa: D102 - documented above, as all attributes are
    @property
    def passes(self) -> tuple[Pass, ...]: ...  # noqa: D102
    @property
    def shared_bytes(self) -> int: ...  # noqa: D102
    @property
    def unit(self) -> int: ...  # noqa: D102
    @property
    def scratch_bytes(self) -> int: ...  # noqa: D102

    def read(self, span: Span, out: Array, files: Sequence[ScratchFile]) -> None:
        """Fill `out` with the outputs `span`, after all passes. Called from several threads at once."""
        ...

    def rest(self) -> None:
        """Let go of memory that `read` works in; a later one takes it again."""
        ...


class TransformSource:
    """What a source and a transform deliver.

    Parameters
    ----------
    source : Source
        Read by position, in rows that lie apart.
    operator : Transform
        Transforms all of it.

    Notes
    -----
    `read` works after the passes, which `headrace.core.prepare` runs.
    """

    stored_sample_bytes = 0  # what is read is counted by the passes

    def __init__(self, source: Source, operator: Transform) -> None:
        reader = row_reader(source)
        if reader is None:
            raise ValueError(f"{source!r} has no rows that are cheap to read: a transform takes a spool of it")
        self.source, self.reader = source, reader
        self.name = type(operator).__name__
        plan = operator.plan(source.spec)
        self.spec: Spec = plan.out
        self.work: Transformation = operator.transform(plan)
        self.segments = (Span(0, plan.out.n or 0),)
        self.paths = source.paths
        self.unit, self.scratch_bytes = self.work.unit, self.work.scratch_bytes
        self.files: list[ScratchFile] = []

    def make_files(self, tmp: str | None, journal: Journal) -> None:
        """Make the temporary files, with all their space; find those of a run that is continued.

        Raises
        ------
        OutputError
            If there is no room for them.
        """
        for number, size in enumerate(self.work.files):
            file = journal.file(f"pass file {number}", f"a temporary file of {self.name}", tmp, reserve=size)
            self.files.append(file)

    def read(self, span: Span, out: Array) -> None:
        """See `Source.read`."""
        self.work.read(span, out, self.files)

    def verify(self) -> None:
        """See `Source.verify`."""
        self.source.verify()

    def close(self) -> None:
        """Let go of the temporary files; the source below stays open. May be called twice."""
        self.work.rest()
        while self.files:
            self.files.pop().close()
