"""The engine that writes while it goes backwards: the pass that delivers saves a third one.

For two-way operators followed by what works sample by sample, into sinks, which take any order.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.core.cast import cast_into
from headrace.core.chain import Chain
from headrace.core.chunk import Chunk
from headrace.core.passes import Passes
from headrace.core.sections import Bench, compute
from headrace.core.unbroken import Unbroken

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from headrace.core.arrays import Array
    from headrace.core.budget import Budget
    from headrace.core.engine import Means
    from headrace.core.operator import Windowed
    from headrace.core.sinks import Gate
    from headrace.core.span import Span
    from headrace.core.twoway import Cell, TwoWaySource

__all__ = ["FallingEngine"]


@dataclass(frozen=True, slots=True)
class _Written:
    """A cell that was written, the backward state before it, and what it cost: stage times, clipped values."""

    cell: Cell
    state: Array
    clock: dict[str, float]
    clipped: int


class FallingEngine(Passes):
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
        self._chains: list[Chain] = []
        for segment in source.segments:
            before = self._chains[-1] if self._chains else None
            self._chains.append(Chain(source.spec.with_n(segment.size), tail, before))
        self._out = Chain(source.spec.with_n(0), tail).out
        super().__init__(source, means)

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

    def begin(self, budget: Budget) -> None:
        """See `Engine.begin`."""
        self.reserve(budget)
        meter = self._means.meter
        meter.threads, meter.memory_bytes, meter.chunk_samples = self._threads, self._reserved, self._source.unit

    def deliver(self, sink: Gate) -> Generator[int]:
        """See `Engine.deliver`."""
        source, means, meter = self._source, self._means, self._means.meter
        journal = means.journal
        with closing(source.forwards(means, self._pool, self._threads)) as cells:
            for cell in cells:
                self.tell("pass 1 of 2", cell.number + 1)
        meter.phase = ""
        sizes = self._tail_sizes()

        kept = journal.last("backwards") or {"left": source.n_cells, "state": None, "after": None, "clipped": 0}
        row: Unbroken[tuple[Array, int]] = Unbroken(kept["left"] - 1)
        meter.clipped, meter.n_resumed = kept["clipped"], source.samples_from(kept["left"])
        if meter.n_resumed:
            yield meter.n_resumed

        def finish(made: tuple[Cell, Array, Array]) -> _Written:
            cell, array, state = made
            return _Written(cell, state, *self._finish(cell, array, sink, Bench(self._pool, sizes)))

        busy = self._threads if any(chain.stages for chain in self._chains) else 1  # writing alone keeps one busy
        with (
            closing(self._made()) as made,
            # One more than are busy: the next cell is computed while they write.
            closing(means.executor.as_completed(finish, made, depth=busy + 1, workers=busy)) as work,
        ):
            for done in work:
                count, number = done.cell.span.size, done.cell.number
                meter.clipped += done.clipped
                meter.bytes_in += count * source.stored_sample_bytes
                meter.add(done.clock, threads=busy)
                for state, clipped in row.add(number, number - 1, (done.state, done.clipped)):
                    kept["left"], kept["state"], kept["clipped"] = row.at + 1, state, kept["clipped"] + clipped
                journal.keep("backwards", lambda: kept)
                yield count

    def close(self) -> None:
        """See `Engine.close`."""
        super().close()
        self._source.close()

    def _made(self) -> Generator[tuple[Cell, Array, Array]]:
        source = self._source

        def lend() -> Array:
            return self._pool.get((source.unit, *source.spec.shape), source.spec.dtype)

        with closing(source.backwards(self._means, self._pool, self._threads, lend, keep=False)) as made:
            for cell, array, state in made:
                yield cell, array, state
                del array

    def _finish(self, cell: Cell, array: Array, sink: Gate, bench: Bench) -> tuple[dict[str, float], int]:
        """Run what follows on one cell, and write it."""
        clock: dict[str, float] = {}
        chain = self._chains[cell.index]

        def read(span: Span, into: Array) -> None:
            into[...] = array[span.within(cell.span)]

        found = array
        if chain.stages:
            found = bench.view(-2, (cell.span.size, *self._out.shape), self._out.dtype)
            compute(chain, read, Chunk(cell.span, found), bench, clock)
        clipped, before = 0, time.perf_counter()
        if self._means.casts(found.dtype):
            narrow = bench.view(-1, found.shape, self._means.dtype)
            clipped = cast_into(found, narrow, self._means.bits)
            found = narrow
            clock["cast"] = time.perf_counter() - before
        before = time.perf_counter()
        sink.write(Chunk(cell.span.shift(cell.section.offset), found))
        clock["write"] = time.perf_counter() - before
        return clock, clipped

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
        cast = unit * self._out.n_channels * self._means.dtype.itemsize if self._means.casts(self._out.dtype) else 0
        return [*sizes, out, cast]

    def _beside_passes(self, threads: int) -> int:
        """Give the bytes of cells on their way to the sink, and of what follows."""
        made = 2 + self._source.behind(threads)  # in the making, just done, behind
        outputs = (threads + 1 + made) * self._source.cell_bytes
        return outputs + threads * (Bench.nbytes(self._tail_sizes()) + self._tail_work())

    def _tail_work(self) -> int:
        plans = [stage.plan for chain in self._chains for stage in chain.stages]
        return max((plan.workspace for plan in plans), default=0) + sum(plan.shared for plan in plans)
