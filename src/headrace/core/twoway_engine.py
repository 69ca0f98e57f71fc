"""Engines for flows with a `TwoWay` operator.

What follows the operator runs on a `TwoWaySource` in the engine that it needs anyway, after both passes have been over
the recording. Where the output may come in any order, and what follows works sample by sample, the pass backwards
delivers it as it goes, and the third pass is saved.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from headrace.core.blocks import BlockEngine
from headrace.core.buffers import BufferPool
from headrace.core.cast import cast_into
from headrace.core.chain import Chain
from headrace.core.chunk import Chunk
from headrace.core.sections import Bench
from headrace.core.sizes import format_bytes
from headrace.errors import BudgetTooSmall

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from headrace.core.arrays import Array
    from headrace.core.blockwise import Outcome
    from headrace.core.budget import Budget
    from headrace.core.engine import Engine, Means
    from headrace.core.executors import Closing
    from headrace.core.operator import Windowed
    from headrace.core.sinks import Sink
    from headrace.core.span import Span
    from headrace.core.twoway import Cell, TwoWaySource

__all__ = ["FallingEngine", "Survey", "SurveyedBlocks", "SurveyedEngine"]


class Survey:
    """Both passes over a two-way source, and the memory they take."""

    def __init__(self, source: TwoWaySource, means: Means) -> None:
        self._source, self._means = source, means
        self._budget: Budget | None = None
        self._reserved = self._threads = 0
        self._pool = BufferPool(1)

    @property
    def smallest(self) -> int:
        """Bytes of the smallest budget that it can run in."""
        return self._cost(1)

    def begin(self, budget: Budget, beside: int) -> None:
        """Reserve, leaving `beside` bytes to what follows."""
        for threads in range(self._means.threads, 0, -1):
            if self._cost(threads) + beside <= budget.left:
                break
        else:
            needed = budget.used + self._cost(1) + beside
            raise BudgetTooSmall(
                f"a budget of {format_bytes(budget.size)} is too small for this flow: the smallest that works, with "
                f"one thread, is memory={needed}",
                needed=needed,
                available=budget.left,
            )
        budget.reserve(self._cost(threads), "going over the signal twice")
        self._budget, self._reserved, self._threads = budget, self._cost(threads), threads
        self._pool = BufferPool(1 << 62)  # its buffers are counted in what was reserved

    def run(self) -> Iterator[None]:
        """Run both passes; gives something after each cell."""
        source, means = self._source, self._means
        for cell in source.forwards(means, self._pool, self._threads):
            _told(means, "pass 1 of 3", cell.number + 1, source.n_cells)
            yield
        scratch = self._pool.get((source.unit, *source.spec.shape), source.spec.dtype)
        passed = source.backwards(means, self._pool, self._threads, lambda: scratch, keep=True)
        for cell, _ in passed:
            _told(means, "pass 2 of 3", source.n_cells - cell.number, source.n_cells)
            yield
        means.meter.phase = ""

    def close(self) -> None:
        """Give the memory back. May be called twice."""
        self._pool.close()
        if self._budget is not None:
            self._budget.release(self._reserved)
            self._reserved = 0

    def _cost(self, threads: int) -> int:
        return self._source.pass_bytes(threads) + self._source.cell_bytes


class SurveyedEngine:
    """Another engine, after both passes over the two-way source that it reads.

    Parameters
    ----------
    source : TwoWaySource
        What is gone over.
    inner : Engine
        Reads it.
    means : Means
        Executor, meter and threads.
    """

    def __init__(self, source: TwoWaySource, inner: Engine, means: Means) -> None:
        self._source, self._inner = source, inner
        self._survey = Survey(source, means)

    @property
    def smallest(self) -> int:
        """See `Engine.smallest`."""
        return self._survey.smallest + self._inner.smallest

    def begin(self, budget: Budget) -> None:
        """See `Engine.begin`."""
        self._survey.begin(budget, self._inner.smallest)
        self._inner.begin(budget)

    def chunks(self) -> Closing[Chunk]:
        """See `Engine.chunks`."""
        return _After(self._survey, self._inner)

    def deliver(self, sink: Sink) -> Generator[int]:
        """See `Engine.deliver`."""
        for _ in self._survey.run():
            yield 0
        with closing(self._inner.deliver(sink)) as work:
            yield from work

    def close(self) -> None:
        """See `Engine.close`."""
        self._inner.close()
        self._survey.close()
        self._source.close()


class _After:
    """Chunks that begin after the survey; survives `RingStarved`, as a generator would not."""

    def __init__(self, survey: Survey, inner: Engine) -> None:
        self._survey, self._inner = survey, inner
        self._chunks: Closing[Chunk] | None = None

    def __iter__(self) -> _After:
        return self

    def __next__(self) -> Chunk:
        if self._chunks is None:
            for _ in self._survey.run():
                pass
            self._chunks = self._inner.chunks()
        return next(self._chunks)

    def close(self) -> None:
        """See `BlockEngine.close`."""
        if self._chunks is not None:
            self._chunks.close()


class SurveyedBlocks(BlockEngine):
    """Another engine for block functions, after both passes over the two-way source that it reads."""

    def __init__(self, source: TwoWaySource, inner: BlockEngine, means: Means) -> None:
        self._source, self._inner = source, inner
        self._survey = Survey(source, means)

    @property
    def smallest(self) -> int:
        """See `BlockEngine.smallest`."""
        return self._survey.smallest + self._inner.smallest

    def begin(self, budget: Budget) -> None:
        """See `BlockEngine.begin`."""
        self._survey.begin(budget, self._inner.smallest)
        self._inner.begin(budget)

    def outcomes(self) -> Generator[Outcome[Any]]:
        """See `BlockEngine.outcomes`."""
        for _ in self._survey.run():
            pass
        with closing(self._inner.outcomes()) as outcomes:
            yield from outcomes

    def close(self) -> None:
        """See `BlockEngine.close`."""
        self._inner.close()
        self._survey.close()
        self._source.close()


class FallingEngine:
    """Delivers while it goes backwards; for sinks only, which take any order.

    Parameters
    ----------
    source : TwoWaySource
        What is gone over.
    tail : sequence of Windowed
        Applied after it; `serves` says whether they work sample by sample.
    means : Means
        Executor, meter, delivered dtype and threads.
    """

    def __init__(self, source: TwoWaySource, tail: Sequence[Windowed], means: Means) -> None:
        self._source, self._means = source, means
        self._chains = [Chain(source.spec.with_n(segment.size), tail) for segment in source.segments]
        self._out = Chain(source.spec.with_n(0), tail).out
        self._budget: Budget | None = None
        self._reserved = self._threads = 0
        self._pool = BufferPool(1)

    @staticmethod
    def serves(source: TwoWaySource, tail: Sequence[Windowed]) -> bool:
        """Say whether each cell of the source, and nothing else, gives the same samples of the output."""
        for segment in source.segments:
            chain = Chain(source.spec.with_n(segment.size), tail)
            for stage in chain.stages:
                plan = stage.plan
                if (plan.halo.left, plan.halo.right, plan.up, plan.down) != (0, 0, 1, 1) or source.unit % plan.grid:
                    return False
        return True

    @property
    def smallest(self) -> int:
        """See `Engine.smallest`."""
        return self._cost(1)

    def begin(self, budget: Budget) -> None:
        """See `Engine.begin`."""
        for threads in range(self._means.threads, 0, -1):
            if self._cost(threads) <= budget.left:
                break
        else:
            needed = budget.used + self._cost(1)
            raise BudgetTooSmall(
                f"a budget of {format_bytes(budget.size)} is too small for this flow: the smallest that works, with "
                f"one thread, is memory={needed}",
                needed=needed,
                available=budget.left,
            )
        budget.reserve(self._cost(threads), "going over the signal twice")
        self._budget, self._reserved, self._threads = budget, self._cost(threads), threads
        self._pool = BufferPool(1 << 62)  # its buffers are counted in what was reserved
        meter = self._means.meter
        meter.threads, meter.memory_bytes, meter.chunk_samples = threads, self._reserved, self._source.unit

    def chunks(self) -> Closing[Chunk]:
        """See `Engine.chunks`; not for this engine."""
        raise NotImplementedError("chunks come in order, and this engine goes backwards")

    def deliver(self, sink: Sink) -> Generator[int]:
        """See `Engine.deliver`."""
        source, means, meter = self._source, self._means, self._means.meter
        for cell in source.forwards(means, self._pool, self._threads):
            _told(means, "pass 1 of 2", cell.number + 1, source.n_cells)
            yield 0
        meter.phase = ""

        def finish(held: list[tuple[Cell, Array]]) -> tuple[int, dict[str, float], int]:
            cell, array = held.pop()
            return self._finish(cell, array, sink)

        busy = self._threads if any(chain.stages for chain in self._chains) else 1  # writing alone keeps one busy
        with closing(means.executor.as_completed(finish, self._made(), depth=busy, workers=busy)) as work:
            for count, clock, clipped in work:
                meter.clipped += clipped
                meter.bytes_in += count * source.stored_sample_bytes
                meter.add(clock)
                yield count

    def close(self) -> None:
        """See `Engine.close`."""
        self._pool.close()
        self._source.close()
        if self._budget is not None:
            self._budget.release(self._reserved)
            self._reserved = 0

    def _made(self) -> Iterator[list[tuple[Cell, Array]]]:
        source = self._source

        def lend() -> Array:
            return self._pool.get((source.unit, *source.spec.shape), source.spec.dtype)

        with closing(source.backwards(self._means, self._pool, self._threads, lend, keep=False)) as made:
            for cell, array in made:
                yield [(cell, array)]
                del array

    def _finish(self, cell: Cell, array: Array, sink: Sink) -> tuple[int, dict[str, float], int]:
        """Run what follows on one cell, and write it."""
        clock: dict[str, float] = {}
        chain = self._chains[cell.index]
        bench = Bench(self._pool, self._tail_sizes())
        specs = [chain.inp, *(stage.plan.out for stage in chain.stages)]

        def read(span: Span, into: Array) -> None:
            into[...] = array[span.within(cell.span)]

        def scratch(number: int, samples: int) -> Array:
            return bench.view(number, (samples, *specs[number].shape), specs[number].dtype)

        found = array
        if chain.stages:
            found = bench.view(-2, (cell.span.size, *self._out.shape), self._out.dtype)
            chain.compute(read, Chunk(cell.span, found), scratch, clock)
            clock["read"] = 0.0  # no reading, but a copy within the cache
        clipped, before = 0, time.perf_counter()
        if found.dtype != self._means.dtype:
            narrow = bench.view(-1, found.shape, self._means.dtype)
            clipped = cast_into(found, narrow)
            found = narrow
            clock["cast"] = time.perf_counter() - before
        before = time.perf_counter()
        sink.write(Chunk(cell.span.shift(cell.section.offset), found))
        clock["write"] = time.perf_counter() - before
        return cell.span.size, clock, clipped

    def _tail_sizes(self) -> list[int]:
        """Bytes of buffers: each stage's input and output, the output, and it in the delivered dtype."""
        unit = self._source.unit
        sizes = [0]
        for chain in self._chains:
            if chain.stages:
                specs = [chain.inp, *(stage.plan.out for stage in chain.stages)]
                found = [unit * spec.sample_bytes for spec in specs]
                sizes = [max(pair) for pair in zip(sizes, found, strict=True)] if len(sizes) > 1 else found
        out = unit * self._out.sample_bytes if any(chain.stages for chain in self._chains) else 0
        cast = unit * self._out.n_channels * self._means.dtype.itemsize if self._out.dtype != self._means.dtype else 0
        return [*sizes, out, cast]

    def _cost(self, threads: int) -> int:
        source = self._source
        outputs = (threads + 3) * source.cell_bytes
        return source.pass_bytes(threads) + outputs + threads * (Bench.nbytes(self._tail_sizes()) + self._tail_work())

    def _tail_work(self) -> int:
        plans = [stage.plan for chain in self._chains for stage in chain.stages]
        return max((plan.workspace for plan in plans), default=0) + sum(plan.shared for plan in plans)


def _told(means: Means, phase: str, done: int, total: int) -> None:
    """Say how far a pass is that gives no output yet."""
    means.meter.phase = f"{phase}: {100 * done // max(1, total)} %"
    means.meter.sample()
