"""The engine for sources that are read by position and operators that are all windowed.

Any thread computes any span of the output, in buffers of its own; nothing is carried from one span to the next.
"""

from __future__ import annotations

import math
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.core.blocks import SHORTER_BLOCKS
from headrace.core.buffers import BufferPool
from headrace.core.cast import cast_into
from headrace.core.chunk import Chunk
from headrace.core.schedule import Demand, Schedule, fit, least_samples, reserve_fitting, smallest
from headrace.core.sections import Bench, Sections
from headrace.core.sizes import whole_pages
from headrace.core.span import Span
from headrace.core.unbroken import Unbroken

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from headrace.core.arrays import Array
    from headrace.core.budget import Budget
    from headrace.core.engine import Means
    from headrace.core.executors import Closing, Work
    from headrace.core.operator import Windowed
    from headrace.core.report import Meter
    from headrace.core.sections import Section
    from headrace.core.sinks import Gate
    from headrace.core.source import Source

__all__ = ["PullEngine"]

_HELD = 3  # output chunks beside those in work: one with the consumer, one just let go, one ready


@dataclass(frozen=True, slots=True)
class _Made:
    """A chunk, and what it cost: input bytes, stage times, clipped values."""

    chunk: Chunk
    bytes_in: int
    clock: dict[str, float]
    clipped: int


@dataclass(frozen=True, slots=True)
class _Written:
    """What was written, and what it cost: input bytes, stage times, clipped values."""

    span: Span
    bytes_in: int
    clock: dict[str, float]
    clipped: int


class _Grants:
    """Tasks paired with output buffers, as long as there are buffers; asked again after `RingStarved`."""

    def __init__(self, engine: PullEngine, first: int) -> None:
        self._engine = engine
        spans = engine.sections.spans(engine.samples)
        self._tasks = ((section, span) for section, span in spans if section.offset + span.stop > first)
        self._task: tuple[Section, Span] | None = None

    def __iter__(self) -> _Grants:
        return self

    def __next__(self) -> tuple[Section, Span, Array]:
        if self._task is None:
            self._task = next(self._tasks)
        section, span = self._task
        array = self._engine.buffer(span.size)
        self._task = None
        return section, span, array


class _Counted:
    """Hands chunks over and counts what they cost; survives `RingStarved`, as a generator would not."""

    def __init__(self, made: Work[_Made], meter: Meter) -> None:
        self._made, self._meter = made, meter

    def close(self) -> None:
        self._meter.stall_seconds.update(self._made.stalls)
        self._made.close()

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> Chunk:
        made = next(self._made)
        self._meter.bytes_in += made.bytes_in
        self._meter.clipped += made.clipped
        self._meter.add(made.clock)
        self._meter.stall_seconds.update(self._made.stalls)
        return made.chunk


class PullEngine:
    """Computes any span in any thread; see the module's docstring.

    Parameters
    ----------
    source : Source
        Read by position.
    operators : sequence of Windowed
        In order of application.
    means : Means
        Executor, meter, delivered dtype and chunk length.
    in_order : bool
        Whether chunks are handed over in order, which takes buffers that travel; or written where they are made.
    multiple : int
        Output samples of which chunks are a multiple, if the budget allows it.

    Attributes
    ----------
    sections : Sections
        The source's segments and what becomes of each.
    """

    def __init__(
        self, source: Source, operators: Sequence[Windowed], means: Means, *, in_order: bool, multiple: int = 1
    ) -> None:
        self._means, self._multiple = means, multiple
        self.sections = Sections(source, operators)
        self._spec = self.sections.spec
        self._casts = means.casts(self._spec.dtype)
        self._in_order = in_order
        self._blocks = any(hasattr(operator, "block") for operator in operators)  # whose length the user chose
        self._need = self._demand()
        self.samples = self.threads = 0
        self._pool = BufferPool(1)  # until `begin`; whatever `close` touches exists from here on
        self._benches: deque[Bench] = deque()

    @property
    def smallest(self) -> int:
        """See `Engine.smallest`."""
        return smallest(self._need, self._means.chunk)

    def fit(self, budget: Budget, *, beside: int = 0) -> Schedule:
        """Choose chunk length and threads, leaving `beside` bytes of what is left to others; reserves nothing."""
        means, hint = self._means, SHORTER_BLOCKS if self._blocks else ""
        return fit(self._need, budget, means.threads, chunk=means.chunk, beside=beside, hint=hint)

    def begin(self, budget: Budget) -> None:
        """See `Engine.begin`."""
        means = self._means
        self._pool = pool = BufferPool(budget)

        def take(schedule: Schedule) -> bool:
            beside = self.sections.shared_bytes + self.sections.thread_bytes * schedule.threads
            return pool.try_prepay(schedule.nbytes - beside, beside=beside)

        schedule = reserve_fitting(lambda: self.fit(budget), take)
        self.samples, self.threads = schedule.samples, schedule.threads
        means.meter.threads, means.meter.chunk_samples = schedule.threads, schedule.samples
        means.meter.memory_bytes = schedule.nbytes

    def buffer(self, samples: int) -> Array:
        """Lend an output buffer.

        Raises
        ------
        RingStarved
            If the budget is spent on chunks that are held.
        """
        array = self._pool.get((self.samples, *self._spec.shape), self._means.dtype)
        return array if samples == self.samples else array[:samples]

    def chunks(self, first: int = 0) -> Closing[Chunk]:
        """See `Engine.chunks`; with `first`, begins with the chunk that holds this sample."""
        self._set_benches()
        made = self._means.executor.map(self._made, _Grants(self, first), depth=self.threads + 1, workers=self.threads)
        return _Counted(made, self._means.meter)

    def deliver(self, sink: Gate) -> Generator[int]:
        """See `Engine.deliver`."""
        kept = self._means.journal.last("output") or {"done": 0, "clipped": 0}
        row: Unbroken[int] = Unbroken(kept["done"])

        def write(task: tuple[Section, Span, int]) -> _Written:
            section, span, skip = task
            bench = self._benches.pop()
            array = bench.view(-1, (span.size, *self._spec.shape), self._means.dtype)
            clock, clipped = self._fill(section, Chunk(span, array), bench, skip)
            before = time.perf_counter()
            new = Chunk(Span(span.start + skip, span.stop), array[skip:])
            found = Chunk(new.span.shift(section.offset), new.array)
            sink.write(found)
            clock["write"] = time.perf_counter() - before
            self._benches.append(bench)
            return _Written(found.span, self.sections.taken(section, new.span), clock, clipped)

        meter, journal = self._means.meter, self._means.journal
        meter.clipped, meter.n_resumed = kept["clipped"], row.at
        if row.at:
            yield row.at
        self._set_benches()
        with closing(
            self._means.executor.as_completed(write, self._left(row.at), depth=2 * self.threads, workers=self.threads)
        ) as work:
            for done in work:
                meter.clipped += done.clipped
                meter.bytes_in += done.bytes_in
                meter.add(done.clock)
                meter.stall_seconds.update(work.stalls)
                kept["clipped"] += sum(row.add(done.span.start, done.span.stop, done.clipped))
                kept["done"] = row.at
                journal.keep("output", lambda: kept)
                yield done.span.size

    def _left(self, done: int) -> Iterator[tuple[Section, Span, int]]:
        """Give what is to be written, and how many samples at the beginning of each span are there already."""
        for section, span in self.sections.spans(self.samples):
            skip = max(0, done - section.offset - span.start)
            if skip < span.size:
                yield section, span, skip

    def close(self) -> None:
        """See `Engine.close`."""
        self._benches.clear()
        self._pool.close()

    @property
    def _out_bytes(self) -> int:
        return self._spec.n_channels * self._means.dtype.itemsize

    def _made(self, grant: tuple[Section, Span, Array]) -> _Made:
        section, span, array = grant
        bench = self._benches.pop()
        clock, clipped = self._fill(section, Chunk(span, array), bench)
        self._benches.append(bench)
        return _Made(Chunk(span.shift(section.offset), array), self.sections.taken(section, span), clock, clipped)

    def _fill(self, section: Section, out: Chunk, bench: Bench, skip: int = 0) -> tuple[dict[str, float], int]:
        """Compute one chunk into ``out.array``; give the stage times, and count clipped values after the first `skip`.

        What is skipped is computed, on the operators' grid, and need not be delivered.
        """
        clock: dict[str, float] = {}
        if not self._casts:
            self.sections.fill(section, out, bench, clock)
            return clock, 0
        wide = Chunk(out.span, bench.view(-2, (out.span.size, *self._spec.shape), self._spec.dtype))
        self.sections.fill(section, wide, bench, clock)
        before = time.perf_counter()
        clipped = cast_into(wide.array[skip:], out.array[skip:], self._means.bits)
        clock["cast"] = time.perf_counter() - before
        return clock, clipped

    def _set_benches(self) -> None:
        """Lay out one bench per worker before any output buffer is lent, so that no worker starves."""
        sizes = self._bench_sizes(self.samples)
        self._benches.extend(Bench(self._pool, sizes) for _ in range(self.threads))

    def _bench_sizes(self, samples: int) -> list[int]:
        """Bytes of a worker's buffers: source, stages, before the cast, output."""
        before_cast = samples * self._spec.sample_bytes if self._casts else 0
        output = 0 if self._in_order else samples * self._out_bytes
        return [*self.sections.bench_sizes(samples), before_cast, output]

    def _demand(self) -> Demand:
        sections = self.sections

        def cost(threads: int, samples: int) -> int:
            bench = Bench.nbytes(self._bench_sizes(samples))
            travelling = whole_pages(samples * self._out_bytes) * (threads + _HELD) if self._in_order else 0
            return sections.shared_bytes + threads * (sections.thread_bytes + bench) + travelling

        widest = max(self._out_bytes, sections.widest)
        least = least_samples(widest, sections.cell)
        return Demand(
            n_out=sections.n_out,
            least=least,
            unit=max(least, math.lcm(sections.unit, self._multiple)),
            sample_bytes=widest,
            cost=cost,
        )
