"""The engine for streams that come once, and for operators that carry state.

Input comes in order: from the user's iterator, from memory, or from a `PullEngine` that reads and runs the windowed
operators before the first stateful one in parallel. The rest of the row runs in the consumer's thread, cell by cell.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import count as numbers
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from headrace.core.budget import Budget
from headrace.core.buffers import BufferPool
from headrace.core.cascade import Cascade
from headrace.core.cast import cast_into
from headrace.core.chunk import Chunk
from headrace.core.operator import Stateful
from headrace.core.place import Place
from headrace.core.pull import PullEngine
from headrace.core.schedule import Demand, Schedule, fit, least_samples, reserve_fitting, smallest
from headrace.core.sizes import whole_pages
from headrace.core.source import Source
from headrace.core.span import Span
from headrace.errors import HeadraceError, RingStarved, SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from headrace.core.arrays import Array
    from headrace.core.chain import Stage
    from headrace.core.engine import Means
    from headrace.core.executors import Closing
    from headrace.core.operator import Operator, Windowed
    from headrace.core.report import Meter
    from headrace.core.sinks import Gate
    from headrace.core.source import StreamSource

    _Mark: TypeAlias = Callable[[Callable[[], Place]], None]

__all__ = ["PushEngine"]

_END: Any = object()  # a stream may yield anything else by mistake, and is then told so
_MOST_ALIGNED = 65_536  # samples: chunks are made multiples of cells up to this long
_MOST_PIECES = 64
_START = Place()
_HALOS = 8
_OUTPUTS = 3  # chunks handed over: in the making, with the consumer, just let go


class PushEngine:
    """Computes chunks in order; see the module's docstring.

    Parameters
    ----------
    source : Source or StreamSource
        Read by position, or iterated once.
    operators : sequence of Operator
        In order of application.
    means : Means
        Executor, meter, delivered dtype and chunk length.

    Notes
    -----
    Its own buffers come from a pool of their own, so that a consumer who holds every chunk can starve the hand-over
    but not the computation: nothing is lost, and ``next`` may be asked again.
    """

    def __init__(self, source: Source | StreamSource, operators: Sequence[Operator], means: Means) -> None:
        self._source, self._means = source, means
        head = _windowed_head(operators) if isinstance(source, Source) else []
        self._tail = operators[len(head) :]
        self._inp = source.spec.with_n(None)
        for operator in head:
            self._inp = operator.plan(self._inp).out
        self._resident: Array | None = None if head else getattr(source, "resident", None)
        self._feeder: PullEngine | None = None
        self._planned = Cascade(self._inp, self._tail, np.empty)
        if isinstance(source, Source) and self._resident is None:
            feeding = replace(means, dtype=self._inp.dtype, bits=None)
            self._feeder = PullEngine(source, head, feeding, in_order=True, multiple=self._cell)
        self._need = self._demand()
        self._samples = 0
        self._inner, self._outer = BufferPool(1), BufferPool(1)  # until `begin`

    @property
    def smallest(self) -> int:
        """See `Engine.smallest`."""
        feeder = self._feeder.smallest if self._feeder else 0
        return smallest(self._need, self._means.chunk) + feeder

    def begin(self, budget: Budget) -> None:
        """See `Engine.begin`."""
        means, feeder = self._means, self._feeder
        own = feeding = Schedule(0, 0, 0)
        self._outer = outer = BufferPool(budget)

        def choose() -> Schedule:
            nonlocal own, feeding
            least = feeder.smallest if feeder else 0
            spare = max(0, budget.left - self.smallest) // 2 if feeder else 0
            own = fit(self._need, budget, 1, chunk=means.chunk, beside=least + spare)
            if feeder:
                feeding = feeder.fit(budget, beside=own.nbytes)
            return Schedule(own.threads, own.samples, own.nbytes + feeding.nbytes)

        def take(whole: Schedule) -> bool:
            beside = self._inner_bytes(own.samples) + feeding.nbytes
            return outer.try_prepay(whole.nbytes - beside, beside=beside)

        whole = reserve_fitting(choose, take)
        whole_cells = own.samples // self._cell * self._cell or own.samples
        self._samples = _even_pieces(feeding.samples, whole_cells, self._cell)
        self._inner = BufferPool(self._inner_bytes(own.samples))
        if feeder:
            feeder.begin(Budget(feeding.nbytes))
        means.meter.chunk_samples, means.meter.memory_bytes = own.samples, whole.nbytes

    def chunks(self, place: Place = _START, mark: _Mark | None = None) -> Closing[Chunk]:
        """See `Engine.chunks`, and for `place` and `mark` `computed`."""
        return _HandOver(self.computed(self._lend_out, place, mark), self._outer, self._means)

    def deliver(self, sink: Gate) -> Generator[int]:
        """See `Engine.deliver`."""
        meter, journal = self._means.meter, self._means.journal
        kept = journal.last("output") or {"place": None, "clipped": 0}
        place = Place.of(kept["place"])
        meter.clipped, meter.n_resumed = kept["clipped"], place.given
        if place.given:
            yield place.given

        def mark(reached: Callable[[], Place]) -> None:
            journal.keep("output", lambda: {"place": reached().packed(), "clipped": meter.clipped})

        with closing(self.computed(place=place, mark=mark)) as chunks:
            for chunk in chunks:
                out = _cast(chunk, self._outer, self._means)
                before = time.perf_counter()
                sink.write(out)
                meter.add({"write": time.perf_counter() - before}, threads=1)
                yield len(out)

    def close(self) -> None:
        """See `Engine.close`."""
        if self._feeder is not None:
            self._feeder.close()
        self._inner.close()
        self._outer.close()

    def computed(
        self,
        lend_out: Callable[..., Array] | None = None,
        place: Place = _START,
        mark: _Mark | None = None,
    ) -> Generator[Chunk]:
        """Give the outputs in order, in the operators' dtype, in buffers of ours or from `lend_out`.

        From `place` on; `mark` is called between pieces of input, once all outputs so far are done with, and may ask
        for the place reached.
        """
        offset, given = 0, place.given
        cascade: Cascade | None = None
        meter = self._means.meter
        with closing(self._segments(place)) as segments:
            for number, (n, pieces) in enumerate(segments):
                cascade = Cascade(self._inp.with_n(n), self._tail, self._lend, lend_out, cascade)
                if number >= place.segment:
                    taken = place.position if number == place.segment else 0
                    if number == place.segment and place.stages:
                        cascade.restore(taken, place.stages)
                    for piece in pieces:
                        taken = piece.stop
                        for chunk in _timed(cascade.push(piece), meter):
                            given = offset + chunk.stop
                            yield Chunk(chunk.span.shift(offset), chunk.array)
                        if mark is not None:
                            mark(partial(Place.inside, number, given, cascade))
                    for chunk in _timed(cascade.finish(taken), meter):
                        given = offset + chunk.stop
                        yield Chunk(chunk.span.shift(offset), chunk.array)
                    if mark is not None:
                        mark(partial(Place, number + 1, 0, given))
                offset += cascade.out.n or 0

    def _segments(self, place: Place) -> Generator[tuple[int | None, Iterator[Chunk]]]:
        """Give the number of samples in each segment, where known, and its samples from `place` on, in pieces."""
        if isinstance(self._source, Source) and self._resident is not None:
            for number, segment in enumerate(self._source.segments):
                first = place.position if number == place.segment else 0
                yield segment.size, self._taken(self._resident[segment.start : segment.stop], first)
            return
        if self._feeder is None:
            yield None, self._stream()
            return
        items = self._feeder.sections.items
        begin = items[place.segment].offset + place.position if place.segment < len(items) else 0
        with closing(self._feeder.chunks(begin)) as chunks:
            for number, section in enumerate(items):
                first, n = place.position if number == place.segment else 0, section.chain.n_out
                yield n, _pieces(_part(chunks, section.offset, Span(first, n)), self._samples)

    def _taken(self, array: Array, first: int) -> Iterator[Chunk]:
        """Give samples that lie in memory where they are, from `first` on; operators leave them as they were."""
        for piece in _pieces(iter((Chunk(Span(first, len(array)), array[first:]),)), self._samples):
            self._means.meter.bytes_in += piece.array.nbytes
            yield piece

    def _stream(self) -> Iterator[Chunk]:
        start = 0
        meter = self._means.meter
        iterator = iter(self._source)  # type: ignore[arg-type]
        for number in numbers():
            before = time.perf_counter()
            array = next(iterator, _END)
            meter.add({"read": time.perf_counter() - before}, threads=1)
            if array is _END:
                return
            array = self._checked(array, number)
            meter.bytes_in += array.nbytes
            yield from _pieces(iter((Chunk(Span(start, start + len(array)), array),)), self._samples)
            start += len(array)

    def _checked(self, array: Array, number: int) -> Array:
        array = np.asarray(array)
        spec = self._inp
        if array.shape[1:] != spec.shape or array.ndim != 1 + len(spec.shape) or array.dtype != spec.dtype:
            raise SchemaError(
                f"item {number} of the iterator is {array.dtype} of shape {array.shape}; "
                f"expected {spec.dtype} of shape (any{''.join(f', {c}' for c in spec.shape)}), as the first was"
            )
        return array

    def _demand(self) -> Demand:
        stages = self._planned.stages
        widest = max([self._inp.sample_bytes, *(stage.plan.out.sample_bytes for stage in stages)])

        def cost(threads: int, samples: int) -> int:
            del threads  # the row runs in one
            return self._inner_bytes(samples) + _OUTPUTS * whole_pages(self._flow_of(samples)[-1] * self._out_bytes)

        least = least_samples(widest)
        return Demand(
            n_out=None, least=least, unit=max(least, min(self._worthwhile(), 65536)), sample_bytes=4 * widest, cost=cost
        )

    def _worthwhile(self) -> int:
        """Count the input samples that are efficient to take at once: a cell of each stage, or several of its halos."""
        longest = up = down = 1
        for stage in self._planned.stages:
            plan = stage.plan
            carried = _HALOS * (plan.halo.left + plan.halo.right)  # copied twice for each piece
            longest = max(longest, -(-carried * down // up))
            up, down = up * plan.up, down * plan.down
            longest = max(longest, -(-plan.grid * down // up))
        return longest

    @property
    def _cell(self) -> int:
        """Samples that the first operator of the row takes at once, if it takes them without a halo."""
        for stage in self._planned.stages[:1]:
            plan = stage.plan
            if (plan.halo.left, plan.halo.right, plan.up, plan.down) == (0, 0, 1, 1) and plan.grid <= _MOST_ALIGNED:
                return plan.grid
        return 1

    @property
    def carried_bytes(self) -> int:
        """Bytes of a `Place`, apart from states: what stages carry that cannot be had again from the source."""
        return sum(self._carried(stage) * stage.plan.inp.sample_bytes for stage in self._planned.stages[1:])

    @property
    def _out_bytes(self) -> int:
        return self._planned.out.n_channels * max(self._means.dtype.itemsize, self._planned.out.dtype.itemsize)

    def _flow_of(self, samples: int) -> list[int]:
        """Give the most samples that enter each stage at once, and leave the last, for input pieces of `samples`."""
        counts = [samples]
        for stage in self._planned.stages:
            plan = stage.plan
            inside = counts[-1] + self._carried(stage) + plan.halo.left + plan.halo.right
            counts.append(inside * plan.up // plan.down + plan.grid + 1)
        return counts

    def _inner_bytes(self, samples: int) -> int:
        """Bytes of the row's own buffers: of each stage what it carries, twice, joined with a piece, and its output."""
        total = whole_pages(1) + sum(stage.plan.shared for stage in self._planned.stages)
        for stage, count in zip(self._planned.stages, self._flow_of(samples), strict=False):
            plan, carried = stage.plan, self._carried(stage)
            total += 2 * whole_pages(carried * plan.inp.sample_bytes) + whole_pages(
                (carried + count) * plan.inp.sample_bytes
            )
            total += plan.workspace
        for stage, count in zip(self._planned.stages, self._flow_of(samples)[1:], strict=True):
            total += 2 * whole_pages(count * stage.plan.out.sample_bytes)  # a generator may still hold the one before
        return total

    def _lend(self, shape: tuple[int, ...], dtype: object) -> Array:
        """Lend one of the row's own buffers, whose number is known; running out of them is nobody's fault but ours."""
        try:
            return self._inner.get(shape, dtype)
        except RingStarved as error:
            raise HeadraceError(
                "the row of operators needed more memory than planned, a fault in headrace: please report it"
            ) from error

    def _lend_out(self, shape: tuple[int, ...], dtype: object) -> Array:
        """Lend a buffer that can be handed over as it is, if there is one."""
        try:
            return self._outer.get(shape, dtype)
        except RingStarved:
            return self._lend(shape, dtype)

    @staticmethod
    def _carried(stage: Stage) -> int:
        plan = stage.plan
        return plan.halo.left + plan.halo.right + plan.grid * plan.down // plan.up + 2


class _HandOver:
    """Hands computed chunks over in buffers that the consumer may hold; survives `RingStarved`."""

    def __init__(self, computed: Generator[Chunk], pool: BufferPool, means: Means) -> None:
        self._computed, self._pool, self._means = computed, pool, means
        self._waiting: Chunk | None = None

    def __iter__(self) -> _HandOver:
        return self

    def __next__(self) -> Chunk:
        if self._waiting is None:
            self._waiting = next(self._computed)
        out = _cast(self._waiting, self._pool, self._means, copy=not self._pool.lent(self._waiting.array))
        self._waiting = None
        return out

    def close(self) -> None:
        self._computed.close()
        self._waiting = None


def _cast(chunk: Chunk, pool: BufferPool, means: Means, *, copy: bool = False) -> Chunk:
    """Give a chunk its delivered dtype, in a buffer from `pool`; leave it if it has that and need not be copied."""
    if not (means.casts(chunk.array.dtype) or copy):
        return chunk
    array = pool.get(chunk.array.shape, means.dtype)
    means.meter.clipped += cast_into(chunk.array, array, means.bits)
    return Chunk(chunk.span, array)


def _timed(outputs: Iterator[Chunk], meter: Meter) -> Iterator[Chunk]:
    """Count the time that the operators take."""
    while True:
        before = time.perf_counter()
        chunk = next(outputs, None)
        meter.add({"operators": time.perf_counter() - before}, threads=1)
        if chunk is None:
            return
        yield chunk


def _even_pieces(chunk: int, most: int, cell: int) -> int:
    """Give the length of the pieces that a chunk is cut into: all alike, and whole cells, so that buffers fit again."""
    if chunk <= most or chunk % cell:
        return most
    cells = chunk // cell
    count = next((n for n in range(-(-chunk // most), cells + 1) if cells % n == 0), 0)
    return chunk // count if count and count <= _MOST_PIECES else most


def _windowed_head(operators: Sequence[Operator]) -> list[Windowed]:
    head: list[Windowed] = []
    for operator in operators:
        if isinstance(operator, Stateful):
            break
        head.append(operator)  # type: ignore[arg-type]
    return head


def _pieces(chunks: Iterator[Chunk], samples: int) -> Iterator[Chunk]:
    """Cut chunks into pieces of at most `samples`."""
    for chunk in chunks:
        for span in chunk.span.split(samples):
            yield chunk.narrow(span)


def _part(chunks: Iterator[Chunk], offset: int, span: Span) -> Iterator[Chunk]:
    """Take a span of one segment, counted from its start, off an ordered iterator, of which it begins in the first."""
    taken = span.start
    while taken < span.stop:
        chunk = next(chunks)
        found = Chunk(chunk.span.shift(-offset), chunk.array)
        yield found.narrow(Span(max(found.start, taken), found.stop))
        taken = found.stop
