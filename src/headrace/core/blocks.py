"""The engine for block functions: windows around fixed blocks, worked on by threads, results in order.

Where the source is read by position and all operators are windowed, each thread computes its windows itself, all
channels or a group of them at a time. Otherwise windows are put together from chunks that come in order.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.core.blockwise import Block, BlockFunction, Outcome
from headrace.core.buffers import BufferPool
from headrace.core.chunk import Chunk
from headrace.core.engines import two_way_head
from headrace.core.operator import Windowed
from headrace.core.push import PushEngine
from headrace.core.sections import Bench, Sections
from headrace.core.sizes import format_bytes, whole_pages
from headrace.core.source import Source
from headrace.core.span import Span
from headrace.core.twoway_engine import Survey
from headrace.errors import BudgetTooSmall

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from headrace.core.arrays import Array
    from headrace.core.blockwise import BlockPlan
    from headrace.core.budget import Budget
    from headrace.core.engine import Means
    from headrace.core.executors import Closing
    from headrace.core.flow import Flow
    from headrace.core.operator import Operator, Spec
    from headrace.core.sections import Section
    from headrace.core.source import StreamSource
    from headrace.core.twoway import TwoWaySource

__all__ = ["BlockEngine", "block_engine"]

_PIECE_BYTES = 1024 * 1024  # of a window computed at once: stays in a core's own cache


class BlockEngine:
    """Runs a block function over a flow: `begin`, then `outcomes`, then `close`."""

    def __init__(self, function: BlockFunction[Any], spec: Spec, means: Means) -> None:
        self._function, self._means, self._spec = function, means, spec
        self._plan = function.plan(spec.with_n(None))
        self._budget: Budget | None = None
        self._reserved = self.threads = 0
        self._pool = BufferPool(1)  # until `begin`

    @property
    def smallest(self) -> int:
        """Bytes of the smallest budget that this run can begin with."""
        raise NotImplementedError

    def begin(self, budget: Budget) -> None:
        """Fit the run into what is left of a budget, and reserve.

        Raises
        ------
        BudgetTooSmall
            If it cannot be fitted; ``needed`` is the smallest budget that works.
        """
        raise NotImplementedError

    def outcomes(self) -> Closing[Outcome[Any]]:
        """Give the results segment by segment, block by block, channels rising."""
        raise NotImplementedError

    def close(self) -> None:
        """Give the budget back, once the iterators given out are closed. May be called twice."""
        self._pool.close()
        if self._budget is not None:
            self._budget.release(self._reserved)
            self._reserved = 0

    def _charge(self, budget: Budget, total: int, lent: int, threads: int) -> None:
        """Take `total` bytes, of which `lent` for buffers, from a budget that was seen to have them."""
        budget.reserve(total, "this run")
        self._budget, self._reserved, self.threads = budget, total - lent, threads
        self._pool = BufferPool(budget, prepaid=lent)

    @property
    def _longest(self) -> int:
        """Samples of the longest window."""
        longest = self._plan.block + self._plan.halo.left + self._plan.halo.right
        return longest if self._spec.n is None else min(longest, max(1, self._spec.n))

    def _tell(self, nbytes: int) -> None:
        meter = self._means.meter
        meter.threads, meter.memory_bytes, meter.chunk_samples = self.threads, nbytes, self._plan.block

    def _window_of(self, block: Span, n: int) -> Span:
        halo = self._plan.halo
        return Span(block.start - halo.left, block.stop + halo.right).clip(Span(0, n))

    def _window_bytes(self, channels: int) -> int:
        return self._longest * channels * self._spec.dtype.itemsize

    def _work_bytes(self, channels: int) -> int:
        return self._plan.workspace * channels + self._plan.overhead

    def _too_small(self, budget: Budget, needed: int) -> BudgetTooSmall:
        needed += budget.used
        return BudgetTooSmall(
            f"a budget of {format_bytes(budget.size)} is too small for blocks of {self._plan.block:,} samples: the "
            f"smallest that works, with one thread, is memory={needed}; or take shorter blocks",
            needed=needed,
            available=budget.left,
        )

    def _work(self, block: Block, clock: dict[str, float]) -> Any:
        before = time.perf_counter()
        try:
            return self._function.work(self._plan, block)
        except Exception as error:
            error.add_note(f"in {type(self._function).__name__}, samples {block.span.shift(block.offset)}")
            raise
        finally:
            name = type(self._function).__name__
            clock[name] = clock.get(name, 0.0) + time.perf_counter() - before


@dataclass(frozen=True, slots=True)
class _Fit:
    """How a run is cut: threads, channels at a time, samples of a window computed at once."""

    threads: int
    group: int
    samples: int


class _PulledBlocks(BlockEngine):
    """Each thread computes its windows itself."""

    def __init__(
        self, source: Source, windowed: Sequence[Windowed], function: BlockFunction[Any], spec: Spec, means: Means
    ) -> None:
        super().__init__(function, spec, means)
        self._sections = Sections(source, windowed)
        self._benches: deque[Bench] = deque()
        self._fit = _Fit(1, spec.n_channels, 1)

    @property
    def smallest(self) -> int:
        return min(self._cost(fit) for fit in self._candidates())

    def begin(self, budget: Budget) -> None:
        left = budget.left
        found = next((fit for fit in self._candidates() if self._cost(fit) <= left), None)
        if found is None:
            raise self._too_small(budget, self.smallest)
        lent = found.threads * Bench.nbytes(self._bench_sizes(found))
        self._charge(budget, self._cost(found), lent, found.threads)
        self._fit = found
        self._tell(self._cost(found))

    def outcomes(self) -> Generator[Outcome[Any]]:
        sizes = self._bench_sizes(self._fit)
        self._benches.extend(Bench(self._pool, sizes) for _ in range(self.threads))
        meter = self._means.meter
        executor = self._means.executor
        with closing(executor.map(self._made, self._tasks(), depth=2 * self.threads, workers=self.threads)) as made:
            for outcome, taken, clock in made:
                meter.bytes_in += taken
                meter.add(clock)
                meter.stall_seconds.update(made.stalls)
                yield outcome

    def close(self) -> None:
        self._benches.clear()
        super().close()

    def _tasks(self) -> Iterator[tuple[Section, Span, range]]:
        width = self._spec.n_channels
        for section in self._sections.items:
            for block in Span(0, section.chain.n_out).split(self._plan.block):
                for first in range(0, width, self._fit.group):
                    yield section, block, range(first, min(width, first + self._fit.group))

    def _made(self, task: tuple[Section, Span, range]) -> tuple[Outcome[Any], int, dict[str, float]]:
        section, span, channels = task
        clock: dict[str, float] = {}
        bench = self._benches.pop()
        n = section.chain.n_out
        window = self._window(section, self._window_of(span, n), channels, bench, clock)
        block = Block(section.offset, span, span.stop == n, window, channels)
        result = self._work(block, clock)
        self._benches.append(bench)
        taken = self._sections.taken(section, span) if channels.start == 0 else 0
        return Outcome(block.offset, span, block.last, channels, result), taken, clock

    def _window(self, section: Section, span: Span, channels: range, bench: Bench, clock: dict[str, float]) -> Chunk:
        """Compute a window, piece by piece on the operators' grid."""
        spec, whole = self._spec, len(channels) == self._spec.n_channels
        array = bench.view(-1, (span.size, *(spec.shape and (len(channels),))), spec.dtype)
        for piece in span.split_on(self._fit.samples):
            target = array[piece.within(span)] if whole else bench.view(-2, (piece.size, *spec.shape), spec.dtype)
            self._sections.fill(section, Chunk(piece, target), bench, clock)
            if not whole:
                array[piece.within(span)] = target[:, channels.start : channels.stop]
        return Chunk(span, array)

    def _bench_sizes(self, fit: _Fit) -> list[int]:
        """Bytes of a worker's buffers: source, stages, a piece of all channels, the window."""
        stages = self._sections.bench_sizes(fit.samples, aligned=False)
        piece = 0 if fit.group == self._spec.n_channels else fit.samples * self._spec.sample_bytes
        return [*stages, piece, self._window_bytes(fit.group)]

    def _cost(self, fit: _Fit) -> int:
        bench = Bench.nbytes(self._bench_sizes(fit))
        each = self._sections.thread_bytes + bench + self._work_bytes(fit.group)
        return self._sections.shared_bytes + fit.threads * each

    def _candidates(self) -> Iterator[_Fit]:
        """List what to try: shorter pieces come first, then fewer threads, then fewer channels at a time."""
        sections, width, threads = self._sections, self._spec.n_channels, self._means.threads
        unit = sections.unit
        long = max(unit, _PIECE_BYTES // max(1, sections.widest) // unit * unit) if self._means.chunk is None else 0
        pieces = [long, unit, sections.grid] if long else [self._means.chunk or 1]
        for count in range(threads, 0, -1):
            for samples in pieces:
                yield _Fit(count, width, samples)
        group = width if self._plan.channels_apart else 1
        while group > 1:
            group = -(-group // 2)
            for samples in pieces:
                yield _Fit(1, group, samples)


class _PushedBlocks(BlockEngine):
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

    @property
    def smallest(self) -> int:
        return self._cost(1)[0] + self._push.smallest

    def begin(self, budget: Budget) -> None:
        for threads in range(self._means.threads, 0, -1):
            total, lent = self._cost(threads)
            if total + self._push.smallest <= budget.left:
                break
        else:
            raise self._too_small(budget, self.smallest)
        self._charge(budget, total, lent, threads)
        self._push.begin(budget)
        self._tell(total + self._means.meter.memory_bytes)

    def outcomes(self) -> Generator[Outcome[Any]]:
        meter, executor = self._means.meter, self._means.executor
        with (
            closing(self._push.chunks()) as chunks,
            closing(executor.map(self._made, self._held(chunks), depth=self.threads, workers=self.threads)) as made,
        ):
            for outcome, clock in made:
                meter.add(clock)
                yield outcome

    def close(self) -> None:
        self._push.close()
        super().close()

    def _made(self, held: list[Block]) -> tuple[Outcome[Any], dict[str, float]]:
        block = held.pop()  # the only reference, so that its window is free as soon as this returns
        clock: dict[str, float] = {}
        result = self._work(block, clock)
        return Outcome(block.offset, block.span, block.last, block.channels, result), clock

    def _held(self, chunks: Iterator[Chunk]) -> Iterator[list[Block]]:
        offset = 0
        for n in self._lengths:
            windows = _Windows(self._plan, self._lend)
            for span, window, last in windows.of(_until(chunks, offset, n)):
                yield [Block(offset, span, last, window, range(self._spec.n_channels))]
                del window
            offset += windows.filled

    def _lend(self) -> Array:
        return self._pool.get((self._longest, *self._spec.shape), self._spec.dtype)

    def _cost(self, threads: int) -> tuple[int, int]:
        """Give the bytes of a run with so many threads, and those of them that are lent as windows."""
        lent = (threads + 2) * whole_pages(self._window_bytes(self._spec.n_channels))
        return lent + threads * self._work_bytes(self._spec.n_channels), lent


def _until(chunks: Iterator[Chunk], offset: int, n: int | None) -> Iterator[Array]:
    """Give the samples of one segment, which starts at `offset`; all that come, if its length is not known."""
    taken = 0
    while n is None or taken < n:
        chunk = next(chunks, None)
        if chunk is None:
            return
        taken = chunk.stop - offset
        yield chunk.array


class _Windows:
    """Cuts the samples of one segment into windows around its blocks.

    Attributes
    ----------
    filled : int
        Samples that came so far.
    """

    def __init__(self, plan: BlockPlan, lend: Callable[[], Array]) -> None:
        self._plan, self._lend = plan, lend
        self._block = Span(0, plan.block)
        self._start = self.filled = 0  # the window holds samples [start, filled)
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


class _SurveyedBlocks(BlockEngine):
    """Another engine, after both passes over the two-way source that it reads."""

    def __init__(self, source: TwoWaySource, inner: BlockEngine, means: Means) -> None:
        self._source, self._inner = source, inner
        self._survey = Survey(source, means)

    @property
    def smallest(self) -> int:
        return self._survey.smallest + self._inner.smallest

    def begin(self, budget: Budget) -> None:
        self._survey.begin(budget, self._inner.smallest)
        self._inner.begin(budget)

    def outcomes(self) -> Generator[Outcome[Any]]:
        for _ in self._survey.run():
            pass
        with closing(self._inner.outcomes()) as outcomes:
            yield from outcomes

    def close(self) -> None:
        self._inner.close()
        self._survey.close()
        self._source.close()


def block_engine(flow: Flow, function: BlockFunction[Any], means: Means) -> BlockEngine:
    """Choose and make the engine that runs a block function over a flow; it has not begun."""

    def of(source: Source | StreamSource, operators: Sequence[Operator]) -> BlockEngine:
        twice, rest = two_way_head(source, operators)
        if twice is not None:
            return _SurveyedBlocks(twice, of(twice, rest), means)
        windowed = [operator for operator in operators if isinstance(operator, Windowed)]
        if isinstance(source, Source) and len(windowed) == len(operators):
            return _PulledBlocks(source, windowed, function, flow.spec, means)
        push = PushEngine(source, operators, means)
        return _PushedBlocks(push, flow.segment_lengths(), function, flow.spec, means)

    return of(flow.source, flow.operators)
