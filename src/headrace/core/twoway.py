"""Going over a signal twice: the output of a `TwoWay` operator as a source that is read by position.

A pass forwards keeps the state before each cell, a pass backwards the state after each. Any cell can then be computed
from its own samples and its two states, in any order, without a copy of the signal.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import deque
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from headrace.core.chain import lap, stage_note
from headrace.core.channel_crew import ChannelCrew, of_channels
from headrace.core.chunk import Chunk
from headrace.core.rowstore import RowStore
from headrace.core.sections import Bench, Sections, bench_sizes
from headrace.core.sizes import whole_pages
from headrace.core.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from headrace.core.arrays import Array
    from headrace.core.buffers import BufferPool
    from headrace.core.channel_crew import Results
    from headrace.core.engine import Means
    from headrace.core.executors import Closing
    from headrace.core.journal import Journal
    from headrace.core.operator import Plan, Spec, TwoWay, Windowed
    from headrace.core.sections import Section
    from headrace.core.source import Source

__all__ = ["Cell", "TwoWaySource"]

_Kept = TypeVar("_Kept")

_TABLE_BYTES = 256 * 1024  # of states kept in memory, for each pass; more go to a temporary file


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of one section.

    Attributes
    ----------
    section : Section
        Where it lies.
    index : int
        Number of the section.
    plan : Plan
        The operator's, for the section.
    span : Span
        Its samples, counted from the section's start.
    number : int
        Its place among all cells.
    """

    section: Section
    index: int
    plan: Plan
    span: Span
    number: int

    @property
    def last(self) -> bool:
        """Whether the section ends with it."""
        return self.span.stop == self.plan.inp.n


class TwoWaySource:
    """What a source, windowed operators and a two-way operator deliver.

    Parameters
    ----------
    source : Source
        Read by position.
    head : sequence of Windowed
        Applied before the operator.
    operator : TwoWay
        What goes over it twice.

    Attributes
    ----------
    unit : int
        Samples that are efficient to read in multiples of.

    Notes
    -----
    `read` works after `forwards` and `backwards` have run to their end.
    """

    def __init__(self, source: Source, head: Sequence[Windowed], operator: TwoWay) -> None:
        self._operator, self._name = operator, type(operator).__name__
        self._sections = sections = Sections(source, head)
        self._plans = [operator.plan(item.chain.out) for item in sections.items]
        self._plan = operator.plan(sections.spec)
        self.spec: Spec = self._plan.out.with_n(sections.n_out)
        self.segments = tuple(Span(i.offset, i.offset + i.chain.n_out) for i in sections.items)
        self.paths = source.paths
        self.stored_sample_bytes = getattr(source, "stored_sample_bytes", source.spec.sample_bytes)
        longest = max((item.chain.n_out for item in sections.items), default=1)
        self.unit = min(self._plan.grid, max(1, longest))
        counts = [-(-item.chain.n_out // self._plan.grid) for item in sections.items]
        self._first = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).tolist()
        self._traces: RowStore | None = None
        self._states: RowStore | None = None
        self._turned: dict[int, Array] = {}
        self._benches: deque[Bench] = deque()

    # --- as a source

    @property
    def scratch_bytes(self) -> int:
        """See `Source`: a cell's samples and output, and what computing them takes."""
        return Bench.nbytes(self._bench_sizes()) + self._sections.thread_bytes + self._plan.workspace

    def read(self, span: Span, out: Array) -> None:
        """See `Source.read`."""
        self.read_counted(span, out, {})

    def read_counted(self, span: Span, out: Array, clock: dict[str, float]) -> None:
        """Read; add the seconds of each stage to `clock`."""
        traces, states = self._tables()
        bench = self._benches.pop() if self._benches else Bench.alone(self._bench_sizes())
        first = bisect_right(self.segments, span.start, key=lambda segment: segment.stop)
        for index in range(first, len(self.segments)):
            segment = self.segments[index]
            if segment.start >= span.stop:
                break
            part = span.clip(segment)
            for cell in self._cells_of(index, part.shift(-segment.start)):
                window = Chunk(cell.span, bench.view(-2, (cell.span.size, *self._inp.shape), self._inp.dtype))
                self._sections.fill(cell.section, window, bench, clock)
                before = time.perf_counter()
                wanted = cell.span.shift(segment.start).clip(part)
                whole = wanted.size == cell.span.size
                target = (
                    out[wanted.within(span)]
                    if whole
                    else bench.view(-1, (cell.span.size, *self.spec.shape), self.spec.dtype)
                )
                self._backward(cell, traces[cell.number], states[cell.number], window, Chunk(cell.span, target))
                if not whole:
                    out[wanted.within(span)] = target[wanted.within(cell.span.shift(segment.start))]
                lap(clock, self._name, before)
        self._benches.append(bench)

    def verify(self) -> None:
        """See `Source.verify`."""
        self._sections.source.verify()

    def close(self) -> None:
        """Let go of the states; the source below stays open. May be called twice."""
        for table in (self._traces, self._states):
            if table is not None:
                table.close()
        self._traces = self._states = None
        self._benches.clear()

    # --- the two passes

    @property
    def n_cells(self) -> int:
        """Cells of all sections."""
        return int(self._first[-1])

    @property
    def cell_bytes(self) -> int:
        """Bytes of a cell's output."""
        return whole_pages(self.unit * self.spec.sample_bytes)

    def pass_bytes(self, threads: int) -> int:
        """Bytes that a pass takes: windows on their way, benches, workspaces, and what is kept of the states."""
        window = whole_pages(self.unit * self._inp.sample_bytes)
        each = Bench.nbytes(self._bench_sizes()[:-2]) + self._sections.thread_bytes + self._plan.workspace
        kept = sum(RowStore.memory(self.n_cells, size, _TABLE_BYTES) for size in self._operator.table_bytes(self._plan))
        windows = (threads + 1 + 2 + self.behind(threads)) * window  # read ahead, in work and just done, behind
        return windows + threads * each + self._sections.shared_bytes + self._plan.shared + kept

    def behind(self, threads: int) -> int:
        """Cells of a pass that have begun before the result of one is waited for, beyond that one."""
        return ChannelCrew.behind(self._inp, threads)

    def samples_from(self, number: int) -> int:
        """Count the samples of that cell and of all cells behind it."""
        if number >= self.n_cells:
            return 0
        index = bisect_right(self._first, number) - 1
        start = self.segments[index].start + (number - self._first[index]) * self._plan.grid
        return int(self.segments[-1].stop - start)

    def forwards(self, means: Means, pool: BufferPool, threads: int) -> Generator[Cell]:
        """Keep the state before each cell, and that behind the turn at the end; give each cell when it is done."""
        operator, journal = self._operator, means.journal
        kept = journal.last("forwards") or {"next": 0, "state": None, "trace": None}
        if kept["trace"] is not None:
            self._traces = self._store("traces", kept["trace"], means)
        resumed = kept["state"]  # before the first cell
        with ExitStack() as stack:
            crew = stack.enter_context(ChannelCrew(threads, self._inp, self._name, means.meter))
            left = islice(self._cells(), kept["next"], None)
            windows = stack.enter_context(closing(self._windows(left, means, pool, threads)))

            def begun() -> Iterator[tuple[Cell, Results]]:
                entered = resumed
                for cell, window, clock in windows:
                    means.meter.add(clock, threads=self._readers(threads))
                    if cell.span.start == 0:
                        entered = operator.enter(cell.plan, self._edge(cell, at_end=False))
                    advance = partial(self._forward, cell, window)
                    yield cell, crew.begin(advance, entered)
                    entered = None

            for cell, results in crew.lagging(begun()):
                state, trace = results()
                if self._traces is None:
                    self._traces = self._store("traces", (trace.shape, trace.dtype.str), means)
                self._traces[cell.number] = trace
                if cell.last:
                    turned = operator.turn(cell.plan, state, self._edge(cell, at_end=True))
                    self._turned[cell.number] = turned
                    journal.keep(f"turned {cell.number}", partial(_given, turned), now=True)
                done = {"next": cell.number + 1, "state": state, "trace": (trace.shape, trace.dtype.str)}
                journal.keep("forwards", partial(_given, done), now=cell.number + 1 == self.n_cells)
                yield cell

    def backwards(
        self, means: Means, pool: BufferPool, threads: int, lend: Callable[[], Array], *, keep: bool
    ) -> Generator[tuple[Cell, Array, Array]]:
        """Compute the cells from the last to the first, each into an array from `lend`; with `keep`, for `read` too.

        Gives the cell, its output, and the backward state before it. Without `keep` the caller journals how far it is,
        and that state, once the output is written.
        """
        before, journal = self._traces, means.journal
        if before is None:
            return  # there are no cells
        kept = journal.last("backwards") or {"left": self.n_cells, "state": None, "after": None}
        resumed = kept["state"]
        if keep and kept["after"] is not None:
            self._states = self._store("states", kept["after"], means)
        with ExitStack() as stack:
            crew = stack.enter_context(ChannelCrew(threads, self._inp, self._name, means.meter))
            left = islice(self._cells(falling=True), self.n_cells - kept["left"], None)
            windows = stack.enter_context(closing(self._windows(left, means, pool, threads)))

            def begun() -> Iterator[tuple[tuple[Cell, Array], Results]]:
                entered = resumed
                for cell, window, clock in windows:
                    means.meter.add(clock, threads=self._readers(threads))
                    if cell.last:
                        entered = self._turned_at(cell, journal)
                    array = lend()[: cell.span.size]
                    retreat = partial(self._retreat, cell, before[cell.number], window, Chunk(cell.span, array))
                    yield (cell, array), crew.begin(retreat, entered)
                    entered = None
                    del array, retreat

            for (cell, array), results in crew.lagging(begun()):
                state, behind = results()
                if keep:
                    if self._states is None:
                        self._states = self._store("states", (behind.shape, behind.dtype.str), means)
                    self._states[cell.number] = behind
                    done = {"left": cell.number, "state": state, "after": (behind.shape, behind.dtype.str)}
                    journal.keep("backwards", partial(_given, done), now=cell.number == 0)
                yield cell, array, state
                del array

    # --- inside

    @property
    def _inp(self) -> Spec:
        return self._plan.inp

    def _store(self, name: str, row: tuple[tuple[int, ...], str], means: Means) -> RowStore:
        """Keep a row, of this shape and dtype, for each cell."""
        shape, dtype = row[0], np.dtype(row[1])
        journal = means.journal
        return RowStore(self.n_cells, shape, dtype, _TABLE_BYTES, means.tmp, journal=journal, name=name)

    def _turned_at(self, cell: Cell, journal: Journal) -> Array:
        """Give the backward state behind the last cell of a section."""
        if cell.number in self._turned:
            return self._turned.pop(cell.number)
        kept: Array = journal.last(f"turned {cell.number}")
        return kept

    def _tables(self) -> tuple[RowStore, RowStore]:
        if self._traces is None or self._states is None:
            raise ValueError("a two-way source is read after both of its passes")
        return self._traces, self._states

    def _cells(self, *, falling: bool = False) -> Iterator[Cell]:
        order = range(len(self.segments))
        for index in reversed(order) if falling else order:
            yield from self._cells_of(index, Span(0, self.segments[index].size), falling=falling)

    def _cells_of(self, index: int, span: Span, *, falling: bool = False) -> Iterator[Cell]:
        """Give the cells of one section that a span of it touches."""
        section, plan = self._sections.items[index], self._plans[index]
        numbers = range(span.start // plan.grid, -(-span.stop // plan.grid))
        for number in reversed(numbers) if falling else numbers:
            cell = Span(number * plan.grid, (number + 1) * plan.grid).clip(Span(0, section.chain.n_out))
            yield Cell(section, index, plan, cell, self._first[index] + number)

    def _forward(self, cell: Cell, window: Chunk, channels: slice | None, state: Array) -> tuple[Array, Array]:
        try:
            return self._operator.forward(cell.plan, state, window.locked(), channels)
        except Exception as error:
            stage_note(error, self._name, cell.span.shift(cell.section.offset))
            raise

    def _retreat(
        self, cell: Cell, trace: Array, window: Chunk, out: Chunk, channels: slice | None, state: Array
    ) -> tuple[Array, Array]:
        """Give the state before the cell, and that after it."""
        return self._backward(cell, of_channels(trace, channels), state, window, out, channels), state

    def _backward(
        self, cell: Cell, trace: Array, state: Array, window: Chunk, out: Chunk, channels: slice | None = None
    ) -> Array:
        try:
            return self._operator.backward(cell.plan, trace, state, window.locked(), out, channels)
        except Exception as error:
            stage_note(error, self._name, cell.span.shift(cell.section.offset))
            raise

    def _windows(
        self, cells: Iterable[Cell], means: Means, pool: BufferPool, threads: int
    ) -> Closing[tuple[Cell, Chunk, dict[str, float]]]:
        """Read ahead: give cells in the order asked for, with their samples and the seconds of each stage."""
        threads, sizes = self._readers(threads), self._bench_sizes()[:-2]
        benches = deque(Bench(pool, sizes) for _ in range(threads))

        def wanted() -> Iterator[tuple[Cell, Array]]:
            for cell in cells:
                yield cell, pool.get((self.unit, *self._inp.shape), self._inp.dtype)[: cell.span.size]

        def fill(task: tuple[Cell, Array]) -> tuple[Cell, Chunk, dict[str, float]]:
            cell, array = task
            bench = benches.pop()
            window = Chunk(cell.span, array)
            clock: dict[str, float] = {}
            self._sections.fill(cell.section, window, bench, clock)
            benches.append(bench)
            return cell, window, clock

        return means.executor.map(fill, wanted(), depth=threads + 1, workers=threads)

    def _readers(self, threads: int) -> int:
        """Give the threads that read ahead; reading alone keeps up with one."""
        return threads if any(item.chain.stages for item in self._sections.items[:1]) else 1

    def _edge(self, cell: Cell, *, at_end: bool) -> Chunk:
        """Read the samples at one end of a section."""
        n, count = cell.section.chain.n_out, self._operator.edge(cell.plan)
        span = Span(max(0, n - count), n) if at_end else Span(0, min(n, count))
        bench = Bench.alone(bench_sizes(cell.section.chain, max(1, span.size), aligned=False))
        chunk = Chunk(span, np.empty((span.size, *self._inp.shape), self._inp.dtype))
        if span.size:
            self._sections.fill(cell.section, chunk, bench, {})
        return chunk

    def _bench_sizes(self) -> list[int]:
        """Bytes of buffers: source and stages of the head, a cell's samples, its output."""
        cell = self.unit
        stages = self._sections.bench_sizes(cell, aligned=False)
        return [*stages, cell * self._inp.sample_bytes, cell * self.spec.sample_bytes]


def _given(state: _Kept) -> _Kept:
    """Give what is there: a state that a journal asks for, of just now."""
    return state
