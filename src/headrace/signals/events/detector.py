"""A user's function that finds events in blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.blockwise import Block, BlockPlan
from headrace.core.span import Halo
from headrace.errors import SchemaError
from headrace.signals.events.fold import EventFold
from headrace.signals.events.pieces import PacksPieces, Pieces
from headrace.signals.events.reported import Reported
from headrace.signals.positions import checked_length, parse_length

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from headrace.core.arrays import Array
    from headrace.core.operator import Spec

__all__ = ["Detector", "detector"]


@dataclass(frozen=True)
class Detector(PacksPieces):
    """Find events with a function of your own; made by `detector`.

    Attributes
    ----------
    fn : callable
        ``fn(chunk, start) -> events``.
    block : int or str
        Samples per block, or their time, counted from sample 0 of each segment.
    halo : int or (int, int)
        Samples of context left and right.
    open_edges : bool
        Whether an event that ends where the function could see no further may go on in the next block.
    """

    fn: Callable[[Array, int], Iterable[Any]]
    block: int | str = 65_536
    halo: int | tuple[int, int] = 0
    open_edges: bool = True
    _halo: Halo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not callable(self.fn):
            raise SchemaError(f"detector takes a function: got {self.fn!r}")
        object.__setattr__(self, "block", checked_length("block", self.block))
        object.__setattr__(self, "_halo", Halo.of(self.halo))

    def plan(self, inp: Spec) -> BlockPlan:
        """See `headrace.core.blockwise.BlockFunction.plan`."""
        block = parse_length("block", self.block, inp.fs)
        longest = block + self._halo.left + self._halo.right
        # The function's own copy; and where it names no amplitudes, what their medians take.
        return BlockPlan(
            inp,
            block,
            self._halo,
            workspace=longest * (inp.dtype.itemsize + 10),
            result=Pieces.nbytes(inp.n_channels),
            fold=EventFold.nbytes(inp.n_channels),
        )

    def work(self, plan: BlockPlan, block: Block) -> Pieces:
        """See `headrace.core.blockwise.BlockFunction.work`."""
        window = block.window.array
        start = block.offset + block.window.start
        span = block.span.shift(block.offset)
        try:
            found = self.fn(window.copy(), start)
            events = Reported.read(found)
        except StopIteration as error:
            raise RuntimeError(f"{self.name} raised StopIteration for block {span}") from error
        except SchemaError as error:
            raise SchemaError(f"{self.name}, block {span}: {error}") from error
        except Exception as error:
            error.add_note(f"in {self.name}, block {span}")
            raise
        try:
            events.check(block.window.span.shift(block.offset), plan.inp.n_channels)
        except SchemaError as error:
            raise SchemaError(f"{self.name}, block {span}: {error}") from error
        rows = events.pieces(window, start, span, open_edges=self.open_edges)
        return Pieces.of(rows, np.zeros(plan.inp.n_channels, np.uint8), block.tmp)

    def fold(self, spec: Spec, *, t0: float = 0.0, tmp: str | os.PathLike[str] | None = None) -> EventFold:
        """Make what joins the blocks' pieces into events; as `Threshold.fold`."""
        return EventFold(spec, t0=t0, tmp=tmp, merge_gap=-1)

    @property
    def name(self) -> str:
        """Of the function."""
        return getattr(self.fn, "__name__", None) or type(self.fn).__name__

    def __repr__(self) -> str:
        halo = f", halo={self.halo}" if self.halo else ""
        edges = "" if self.open_edges else ", open_edges=False"
        return f"detector({self.name}, block={self.block!r}{halo}{edges})"


def detector(
    fn: Callable[[Array, int], Iterable[Any]],
    *,
    block: int | str = 65_536,
    halo: int | tuple[int, int] = 0,
    open_edges: bool = True,
) -> Detector:
    """Make a detector of a function that finds events in a stretch of samples.

    Parameters
    ----------
    fn : callable
        ``fn(chunk, start)`` takes samples, (m,) or (m, channels) as the flow has them, and the number of the first one
        in the flow. It returns events: ``(start, end)``, ``(start, end, channel)`` or
        ``(start, end, channel, amplitude, peak)`` each, or a structured array with fields of these names (`start` and
        `end` at least). They are half-open, in samples of the flow (so add `start`), lie inside the chunk, and
        those of one channel rise by start and do not overlap. Without a channel they are of channel 0.
    block : int or str
        Samples per block, or a time such as ``"1s"``, counted from sample 0 of each segment; the last may be
        short. `fn` is called once for each block, never for chunks, so events cannot depend on how the flow is run.
    halo : int or (int, int)
        Samples added to the chunk left and right of its block, less where the segment ends.
    open_edges : bool
        Whether an event that reaches the edge of the chunk may go on beyond it. Without, only events that reach
        across the border of two blocks are joined.

    Returns
    -------
    Detector
        For ``flow.detect``.

    Raises
    ------
    SchemaError
        If a parameter is none of these; and during the run, if an event is none, has ``start >= end``, lies outside
        the chunk, comes out of order or overlaps the one before in its channel.

    Notes
    -----
    What a call finds counts only inside its block: an event that lies in the halo alone is its neighbour's to report,
    and one that reaches out of the block is cut there. The cut pieces are joined again: a piece is *open* to the next
    block if its event reaches across the border, or ends at the border where the chunk ends too and `open_edges` is
    set; and likewise to the block before. Two pieces of one channel that meet at a border become one event exactly if
    both are open there. So with a halo, an event that ends at the border, which the function can see, stays apart
    from one that begins there. An event of any length comes out once, through blocks that lie wholly inside it.

    An event without amplitude and peak gets them: the sample farthest from the median of its channel in the block
    (NaN, and the first sample, for complex and bool samples, and where a NaN leaves no median). Of joined pieces, that
    with the farther peak counts, or if `fn` named amplitudes that with the larger magnitude. A piece that was cut off
    from the peak that `fn` named, and is joined to no other, gets its own in the same way.

    `fn` must be pure: it is called from several threads at once, in any order, perhaps more than once. The array is
    its own, to change or to keep. What it raises keeps its type, and gets a note of the block.

    Examples
    --------
    >>> import numpy as np
    >>> from headrace import signals
    >>> def loud(chunk, start):
    ...     edges = np.flatnonzero(np.diff(np.abs(chunk) > 3, prepend=False, append=False)) + start
    ...     return edges.reshape(-1, 2)
    >>> signals.detector(loud, block=10_000)
    detector(loud, block=10000)
    """
    return Detector(fn, block, halo, open_edges)
