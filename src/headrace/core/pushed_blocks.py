"""Block functions over streams and operators that carry state: windows are put together from chunks in order."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from headrace.core.blocks import SHORTER_BLOCKS, BlockRun
from headrace.core.blockwise import Block, Outcome
from headrace.core.chunk import Chunk
from headrace.core.place import Place
from headrace.core.schedule import Demand, fit, smallest
from headrace.core.sizes import whole_pages
from headrace.core.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from headrace.core.arrays import Array
    from headrace.core.blockwise import BlockFunction, BlockPlan
    from headrace.core.budget import Budget
    from headrace.core.engine import Means
    from headrace.core.operator import Spec, State
    from headrace.core.push import PushEngine

__all__ = ["PushedBlocks"]

_PLACES = 2  # to go on from, that are held at once


class PushedBlocks(BlockRun):
    """Windows are put together from chunks that come in order; threads work on them."""

    def __init__(
        self,
        push: PushEngine,
        lengths: Sequence[int | None],
        function: BlockFunction[Any],
        spec: Spec,
        means: Means,
    ) -> None:
        super().__init__(function, spec, means)
        self._push, self._lengths = push, lengths
        self._place = Place()  # to go on from
        self._next_place: Place | None = None  # the same, once its window is the next
        self._need = Demand(
            n_out=spec.n,
            least=self._plan.block,
            unit=self._plan.block,
            sample_bytes=spec.sample_bytes,
            cost=lambda threads, _: (
                self._lent(threads)
                + threads * self._work_bytes(spec.n_channels)
                + self._result_bytes(threads)
                + (_PLACES * push.carried_bytes if means.journal.active else 0)
            ),
        )

    @property
    def smallest(self) -> int:
        """See `BlockEngine.smallest`."""
        return smallest(self._need) + self._push.smallest

    def begin(self, budget: Budget) -> None:
        """See `BlockEngine.begin`."""
        threads, block, beside = self._means.threads, self._plan.block, self._push.smallest
        schedule = self._reserve(
            budget,
            lambda: fit(self._need, budget, threads, chunk=block, beside=beside, hint=SHORTER_BLOCKS),
            lambda found: self._lent(found.threads),
        )
        self._push.begin(budget)
        self._tell(schedule.nbytes + self._means.meter.memory_bytes)

    def outcomes(self, done: int = 0, kept: State = None) -> Generator[Outcome[Any]]:
        """See `BlockEngine.outcomes`."""
        meter, executor = self._means.meter, self._means.executor
        self._place, self._next_place = Place.of(kept), None
        mark = self._mark if self._means.journal.active else None
        with (
            closing(self._push.chunks(self._place, mark)) as chunks,
            closing(
                executor.map(self._made, self._blocks(chunks, done), depth=self.threads, workers=self.threads)
            ) as made,
        ):
            for outcome, clock in made:
                meter.add(clock)
                self._pass(outcome)
                yield outcome

    def kept(self) -> State:
        """See `BlockEngine.kept`: a place of the row of operators that is not behind the next window."""
        return self._place.packed()

    def close(self) -> None:
        """See `BlockEngine.close`."""
        self._push.close()
        super().close()

    def _made(self, block: Block) -> tuple[Outcome[Any], dict[str, float]]:
        clock: dict[str, float] = {}
        result = self._work(block, clock)
        return Outcome(block.offset, block.span, block.last, block.channels, result), clock

    def _mark(self, reached: Callable[[], Place]) -> None:
        """Note the place, now and then; two of them are held at most."""
        if self._next_place is None and self._means.journal.due:
            self._next_place = reached().apart()

    def _pass(self, outcome: Outcome[Any]) -> None:
        """Go over to the place that was noted, once the window after an outcome begins there or behind."""
        begin = outcome.span.stop - (0 if outcome.last else min(self._plan.halo.left, outcome.span.stop))
        if self._next_place is not None and self._next_place.given <= outcome.offset + begin:
            self._place, self._next_place = self._next_place, None

    def _blocks(self, chunks: Iterator[Chunk], done: int) -> Iterator[Block]:
        offset = 0
        for n in self._lengths:
            if n is not None and 0 < offset + n <= done:
                offset += n
                continue
            windows = _Windows(self._plan, self._lend, max(0, done - offset))
            for span, window, last in windows.of(_until(chunks, offset, windows.filled, n)):
                yield Block(offset, span, last, window, range(self._spec.n_channels), self._means.tmp)
                del window
            offset += windows.filled

    def _lend(self) -> Array:
        return self._pool.get((self._longest, *self._spec.shape), self._spec.dtype)

    def _lent(self, threads: int) -> int:
        """Give the bytes of a run's windows: one with each thread, one being filled, one begun before that ends."""
        return (threads + 2) * whole_pages(self._window_bytes(self._spec.n_channels))


def _until(chunks: Iterator[Chunk], offset: int, first: int, n: int | None) -> Iterator[Array]:
    """Give the samples of one segment, which starts at `offset`, from `first` on: up to `n`, or all that come."""
    taken = first
    while n is None or taken < n:
        chunk = next(chunks, None)
        if chunk is None:
            return
        stop = chunk.stop - offset
        if stop > taken:
            yield chunk.array[max(0, len(chunk) - (stop - taken)) :]
            taken = stop


class _Windows:
    """Cuts the samples of one segment into windows around its blocks.

    Parameters
    ----------
    plan : BlockPlan
        Block and halo.
    lend : callable
        Gives an array for a window.
    first : int
        Sample at which the first block begins.

    Attributes
    ----------
    filled : int
        Samples that came so far; at first, the sample that is to come.
    """

    def __init__(self, plan: BlockPlan, lend: Callable[[], Array], first: int) -> None:
        self._plan, self._lend = plan, lend
        self._block = Span(first, first + plan.block)
        self._start = self.filled = max(0, first - plan.halo.left)  # the window holds samples [start, filled)
        self._array: Array | None = None

    def of(self, arrays: Iterator[Array]) -> Iterator[tuple[Span, Chunk, bool]]:
        """Give each block, its window, and whether it is the last, as soon as that is known."""
        for array in arrays:
            rest = array
            while len(rest):
                end = self._block.stop + self._plan.halo.right
                if self.filled == end:
                    yield self._close(None)
                    continue
                room = min(len(rest), end - self.filled)
                place = self.filled - self._start
                self._window()[place : place + room] = rest[:room]
                self.filled += room
                rest = rest[room:]
        while self._block.start < self.filled:
            yield self._close(self.filled)

    def _window(self) -> Array:
        if self._array is None:
            self._array = self._lend()
        return self._array

    def _close(self, n: int | None) -> tuple[Span, Chunk, bool]:
        """Close the window of this block, and begin that of the next with the samples that both need."""
        block = self._block if n is None else Span(self._block.start, min(self._block.stop, n))
        last = block.stop == n
        chunk = Chunk(Span(self._start, self.filled), self._window()[: self.filled - self._start])
        self._array = None
        self._block = Span(self._block.stop, self._block.stop + self._plan.block)
        self._start = min(max(0, self._block.start - self._plan.halo.left), self.filled)
        if not last and self.filled > self._start:
            self._window()[: self.filled - self._start] = chunk.array[self._start - chunk.start :]
        return block, chunk, last
