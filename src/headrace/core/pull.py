"""The engine for sources that are read by position and operators that are all windowed.

Any thread computes any span of the output, in buffers of its own; nothing is carried from one span to the next.
"""

from __future__ import annotations

import mmap
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.buffers import BufferPool
from headrace.core.cast import cast_into
from headrace.core.chain import Chain
from headrace.core.chunk import Chunk
from headrace.core.schedule import Demand, Schedule, fit, reserve_fitting, smallest
from headrace.core.sizes import whole_pages
from headrace.core.span import Span
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from headrace.core.arrays import Array, DType
    from headrace.core.budget import Budget
    from headrace.core.engine import Means
    from headrace.core.executors import Closing, Work
    from headrace.core.operator import Spec, Windowed
    from headrace.core.report import Meter
    from headrace.core.sinks import Sink
    from headrace.core.source import Source

__all__ = ["PullEngine"]

_HELD = 3  # output chunks beside those in work: one with the consumer, one just let go, one ready


@dataclass(frozen=True, slots=True)
class _Section:
    """One segment of a source and what becomes of it.

    Attributes
    ----------
    segment : Span
        Samples of the source.
    chain : Chain
        The windowed operators at the head of the row, planned for this segment.
    offset : int
        Output sample at which it starts.
    """

    segment: Span
    chain: Chain
    offset: int


def _sections_of(source: Source, operators: Sequence[Windowed]) -> list[_Section]:
    """Plan each segment of a source by itself, so that no operator crosses a gap."""
    sections = []
    offset = 0
    for segment in source.segments:
        chain = Chain(source.spec.with_n(segment.size), operators)
        sections.append(_Section(segment, chain, offset))
        offset += chain.n_out
    return sections


@dataclass(frozen=True, slots=True)
class _Made:
    """A chunk, and what it cost: input bytes, stage times, clipped values."""

    chunk: Chunk
    bytes_in: int
    clock: dict[str, float]
    clipped: int


class _Bench:
    """One worker's private buffers."""

    def __init__(self, pool: BufferPool, sizes: Sequence[int]) -> None:
        self._flat = [pool.get((size,), np.uint8) if size else None for size in sizes]

    def view(self, number: int, samples: int, spec: Spec, dtype: DType) -> Array:
        flat = self._flat[number]
        nbytes = samples * spec.n_channels * dtype.itemsize
        if flat is None or nbytes > flat.nbytes:
            raise SchemaError(f"a stage wants {nbytes} bytes, more than its plan declared")
        return flat[:nbytes].view(dtype).reshape((samples, *spec.shape))


class _Grants:
    """Tasks paired with output buffers, as long as there are buffers; asked again after `RingStarved`."""

    def __init__(self, engine: PullEngine) -> None:
        self._engine = engine
        self._tasks = engine.tasks()
        self._task: tuple[_Section, Span] | None = None

    def __iter__(self) -> _Grants:
        return self

    def __next__(self) -> tuple[_Section, Span, Array]:
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

    Attributes
    ----------
    sections : list of _Section
        The source's segments and what becomes of each.

    """

    def __init__(self, source: Source, operators: Sequence[Windowed], means: Means, *, in_order: bool) -> None:
        self._source, self._means = source, means
        self.sections = _sections_of(source, operators)
        self._spec = Chain(source.spec.with_n(0), operators).out
        self._casts = self._spec.dtype != means.dtype
        self._in_order = in_order
        self._stored_bytes = getattr(source, "stored_sample_bytes", source.spec.sample_bytes)
        self._need = self._demand()
        self._reserved = self.samples = self.threads = 0
        self._budget: Budget | None = None
        self._pool = BufferPool(1)  # until `begin`; whatever `close` touches exists from here on
        self._benches: deque[_Bench] = deque()

    @property
    def smallest(self) -> int:
        """See `Engine.smallest`."""
        return smallest(self._need, self._means.chunk)

    def fit(self, budget: Budget, *, beside: int = 0) -> Schedule:
        """Choose chunk length and threads, leaving `beside` bytes of what is left to others; reserves nothing."""
        return fit(self._need, budget, self._means.threads, chunk=self._means.chunk, beside=beside)

    def begin(self, budget: Budget) -> None:
        """See `Engine.begin`."""
        means = self._means
        schedule = reserve_fitting(lambda: self.fit(budget), budget)
        self.samples, self.threads = schedule.samples, schedule.threads
        means.meter.threads, means.meter.chunk_samples = schedule.threads, schedule.samples
        means.meter.memory_bytes = schedule.nbytes
        self._budget = budget
        self._reserved = self._shared() + self._fixed() * schedule.threads
        self._pool = BufferPool(budget, prepaid=schedule.nbytes - self._reserved)

    @property
    def n_out(self) -> int:
        """Output samples in all."""
        return sum(section.chain.n_out for section in self.sections)

    def tasks(self) -> Iterator[tuple[_Section, Span]]:
        """Give the output spans, in order, each within its section."""
        for section in self.sections:
            for span in Span(0, section.chain.n_out).split(self.samples):
                yield section, span

    def buffer(self, samples: int) -> Array:
        """Lend an output buffer.

        Raises
        ------
        RingStarved
            If the budget is spent on chunks that are held.
        """
        array = self._pool.get((self.samples, *self._spec.shape), self._means.dtype)
        return array if samples == self.samples else array[:samples]

    def chunks(self) -> Closing[Chunk]:
        """See `Engine.chunks`."""
        self._set_benches()
        made = self._means.executor.map(self._made, _Grants(self), depth=self.threads + 1, workers=self.threads)
        return _Counted(made, self._means.meter)

    def deliver(self, sink: Sink) -> Generator[int]:
        """See `Engine.deliver`."""

        def write(task: tuple[_Section, Span]) -> tuple[int, int, dict[str, float], int]:
            section, span = task
            bench = self._benches.pop()
            array = bench.view(-1, span.size, self._spec, self._means.dtype)
            clock, clipped = self._fill(section, Chunk(span, array), bench)
            before = time.perf_counter()
            sink.write(Chunk(span.shift(section.offset), array))
            clock["write"] = time.perf_counter() - before
            self._benches.append(bench)
            return span.size, self._taken(section, span), clock, clipped

        meter = self._means.meter
        self._set_benches()
        executor = self._means.executor
        with closing(executor.as_completed(write, self.tasks(), depth=2 * self.threads, workers=self.threads)) as work:
            for done, taken, clock, clipped in work:
                meter.clipped += clipped
                meter.bytes_in += taken
                meter.add(clock)
                meter.stall_seconds.update(work.stalls)
                yield done

    def close(self) -> None:
        """See `Engine.close`."""
        self._benches.clear()
        self._pool.close()
        if self._budget is not None:
            self._budget.release(self._reserved)
            self._reserved = 0

    @property
    def _out_bytes(self) -> int:
        return self._spec.n_channels * self._means.dtype.itemsize

    def _made(self, grant: tuple[_Section, Span, Array]) -> _Made:
        section, span, array = grant
        bench = self._benches.pop()
        clock, clipped = self._fill(section, Chunk(span, array), bench)
        self._benches.append(bench)
        return _Made(Chunk(span.shift(section.offset), array), self._taken(section, span), clock, clipped)

    def _fill(self, section: _Section, out: Chunk, bench: _Bench) -> tuple[dict[str, float], int]:
        """Compute one chunk into ``out.array``; give the stage times and the number of clipped values."""
        clock: dict[str, float] = {}
        chain = section.chain
        specs = [chain.inp, *(stage.plan.out for stage in chain.stages)]

        def read(span: Span, array: Array) -> None:
            self._source.read(span.shift(section.segment.start), array)

        def scratch(number: int, samples: int) -> Array:
            return bench.view(number, samples, specs[number], specs[number].dtype)

        if not self._casts:
            chain.compute(read, out, scratch, clock)
            return clock, 0
        wide = Chunk(out.span, bench.view(len(specs), out.span.size, self._spec, self._spec.dtype))
        chain.compute(read, wide, scratch, clock)
        before = time.perf_counter()
        clipped = cast_into(wide.array, out.array)
        clock["cast"] = time.perf_counter() - before
        return clock, clipped

    def _taken(self, section: _Section, span: Span) -> int:
        """Input bytes that an output span stands for, each counted once."""
        n_in, n_out = section.segment.size, max(1, section.chain.n_out)
        share = span.stop * n_in // n_out - span.start * n_in // n_out
        return share * self._stored_bytes

    def _set_benches(self) -> None:
        """Lay out one bench per worker before any output buffer is lent, so that no worker starves."""
        sizes = self._bench_sizes(self.samples)
        self._benches.extend(_Bench(self._pool, sizes) for _ in range(self.threads))

    def _bench_sizes(self, samples: int) -> list[int]:
        """Bytes of a worker's buffers: source, stages, before the cast, output."""
        sizes: list[int] = []
        for section in self.sections or [_Section(Span(0, 0), Chain(self._source.spec.with_n(0), ()), 0)]:
            chain = section.chain
            specs = [chain.inp, *(stage.plan.out for stage in chain.stages)]
            counts = chain.buffer_sizes(min(samples, max(1, chain.n_out)))
            if not chain.stages:
                counts = [0]  # the source fills the output directly
            found = [count * spec.sample_bytes for count, spec in zip(counts, specs, strict=True)]
            last = len(found) - 1
            if last and samples % chain.grid == 0:
                found[last] = 0  # whole cells go straight into the output
            sizes = [max(pair) for pair in zip(sizes, found, strict=True)] if sizes else found
        sizes.append(samples * self._spec.sample_bytes if self._casts else 0)
        sizes.append(0 if self._in_order else samples * self._out_bytes)
        return sizes

    def _shared(self) -> int:
        """Bytes of the tables that all threads share."""
        return max((sum(s.plan.shared for s in section.chain.stages) for section in self.sections), default=0)

    def _fixed(self) -> int:
        """Bytes per thread that do not depend on the chunk."""
        work = max(
            (max((s.plan.workspace for s in section.chain.stages), default=0) for section in self.sections),
            default=0,
        )
        return work + self._source.scratch_bytes

    def _demand(self) -> Demand:
        def cost(threads: int, samples: int) -> int:
            bench = sum(whole_pages(size) for size in self._bench_sizes(samples))
            travelling = whole_pages(samples * self._out_bytes) * (threads + _HELD) if self._in_order else 0
            return self._shared() + threads * (self._fixed() + bench) + travelling

        chains = [section.chain for section in self.sections]
        specs = [self._source.spec, *(s.plan.out for chain in chains for s in chain.stages)]
        longest = max(chains, key=lambda chain: chain.n_out, default=None)
        widest = max([self._out_bytes, *(spec.sample_bytes for spec in specs)])
        grid = longest.grid if longest else 1
        return Demand(
            n_out=self.n_out,
            least=max(1, mmap.PAGESIZE // widest // grid) * grid,
            unit=longest.unit if longest else 1,
            sample_bytes=widest,
            cost=cost,
        )
