"""Functions of fixed blocks whose results are not samples: events, features, statistics.

A `BlockFunction` is to tables what an operator is to signals: a pure function of a window of samples around a block
of its own fixed partition, run in any thread; a `Fold` then takes the results one at a time, in order, and makes rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

from headrace.core.span import Halo

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from headrace.core.arrays import Array, DType
    from headrace.core.chunk import Chunk
    from headrace.core.operator import Spec, State
    from headrace.core.span import Span

__all__ = [
    "Block",
    "BlockFunction",
    "BlockPlan",
    "Fits",
    "Fold",
    "Outcome",
    "Packs",
    "Tabulates",
    "pack_result",
    "stage_name",
    "unpack_result",
]

_Result = TypeVar("_Result")
_Result_co = TypeVar("_Result_co", covariant=True)
_Result_contra = TypeVar("_Result_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """What a block function declares for one input.

    Attributes
    ----------
    inp : Spec
        What flows in.
    block : int
        Samples in a block, counted from sample 0 of each segment; the last of a segment may be short.
    halo : Halo
        Samples of context left and right of a block, less where the segment ends.
    workspace : int
        Bytes that one call may use beyond its window, for each channel of the window.
    overhead : int
        Bytes that one call may use beyond that, however many channels there are.
    result : int
        Bytes of memory that the result of one call takes at most.
    fold : int
        Bytes of memory that the fold takes at most.
    channels_apart : bool
        Whether a channel's results depend on that channel alone, so that a block too wide for the budget may be
        worked on in groups of channels.
    detail : Any
        Whatever the function wants to find again.
    """

    inp: Spec
    block: int
    halo: Halo = field(default_factory=Halo)
    workspace: int = 0
    overhead: int = 0
    result: int = 0
    fold: int = 0
    channels_apart: bool = False
    detail: Any = None


@dataclass(frozen=True, slots=True)
class Block:
    """One block of one segment, or some channels of it.

    Attributes
    ----------
    offset : int
        Sample of the flow at which the segment starts; all spans count from there.
    span : Span
        The block, within its segment.
    last : bool
        Whether the segment ends with it.
    window : Chunk
        Samples of the block and its halo, shape (m,) or (m, channels); the function's own, to change, until it returns.
    channels : range
        Channels of the flow that the window holds.
    tmp : str or None
        Folder for temporary files; ``None`` for the system's.
    """

    offset: int
    span: Span
    last: bool
    window: Chunk
    channels: range
    tmp: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome(Generic[_Result_co]):
    """What a function gave for a block; `offset`, `span`, `last` and `channels` as in `Block`."""

    offset: int
    span: Span
    last: bool
    channels: range
    result: _Result_co


class BlockFunction(Protocol[_Result_co]):
    """A pure function of fixed blocks."""

    def plan(self, inp: Spec) -> BlockPlan:
        """Declare block and halo for a stream of this kind.

        Raises
        ------
        SchemaError
            If the function cannot work on such a stream.
        """
        ...

    def work(self, plan: BlockPlan, block: Block) -> _Result_co:
        """Give the result of one block; called from several threads, in any order, perhaps more than once.

        The result must not refer to the window's memory, which is recycled.
        """
        ...


class Fold(Protocol[_Result_contra]):
    """Makes rows of results that come in order: segment by segment, block by block, channels rising."""

    @property
    def dtype(self) -> DType:
        """Structured dtype of the rows."""
        ...

    def add(self, outcome: Outcome[_Result_contra]) -> Iterable[Array]:
        """Take the next result and give the rows that it completes, in their final order, some at a time: (k,) each."""
        ...

    def finish(self) -> Iterable[Array]:
        """Give the rows that remain, some at a time. Called once, after the last result."""
        ...

    def close(self) -> None:
        """Let go of temporary files. May be called twice."""
        ...


@runtime_checkable
class Packs(Protocol[_Result]):
    """A block function whose results are more than arrays, numbers, text, and tuples, lists and dicts of those.

    A run that resumes writes results down, and reads them again: `flow.to_file` with ``resume=True``.
    """

    def pack(self, result: _Result) -> Iterable[State]:
        """Turn a result into such values, some at a time: it may be larger than memory."""
        ...

    def unpack(self, parts: Iterator[State], tmp: str | None) -> _Result:
        """Make the result again of what `pack` gave; `tmp` is the folder for temporary files."""
        ...


class Tabulates(BlockFunction[_Result], Protocol[_Result]):
    """A block function that knows how its results become rows; what `headrace.core.rowflow.RowFlow` runs."""

    def fold(self, spec: Spec, *, t0: float = 0.0, tmp: str | os.PathLike[str] | None = None) -> Fold[_Result]:
        """Begin a table.

        Parameters
        ----------
        spec : Spec
            What flows in.
        t0 : float
            Time of the flow's first sample, seconds.
        tmp : str, path-like or None
            Folder for temporary files; ``None`` for the system's.
        """
        ...


def pack_result(function: BlockFunction[Any], result: Any) -> Iterable[State]:
    """Turn a result into values that a journal holds."""
    return function.pack(result) if isinstance(function, Packs) else (result,)


def unpack_result(function: BlockFunction[Any], parts: Iterator[State], tmp: str | None) -> Any:
    """Make a result of what `pack_result` gave."""
    return function.unpack(parts, tmp) if isinstance(function, Packs) else next(parts)


@runtime_checkable
class Fits(Protocol):
    """A function that is another one for signals that are too short for it."""

    def fitted(self, lengths: Sequence[int | None]) -> Tabulates[Any]:
        """Give the function for a signal of these segments, samples each; ``None`` for what is not known.

        Raises
        ------
        SchemaError
            If there is none.
        """
        ...


def stage_name(function: BlockFunction[Any]) -> str:
    """Give the name of a block function in reports: its ``stage_name``, if it stands for another, else its class's."""
    return getattr(function, "stage_name", type(function).__name__)
