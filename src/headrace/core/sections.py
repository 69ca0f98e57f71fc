"""A source cut at its gaps, the windowed operators planned for each segment, and the buffers that computing takes."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.buffers import BufferPool
from headrace.core.chain import Chain, lap
from headrace.core.sizes import whole_pages
from headrace.core.span import Span
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headrace.core.arrays import Array, DType
    from headrace.core.chunk import Chunk
    from headrace.core.operator import Windowed
    from headrace.core.source import Source

__all__ = ["Bench", "Section", "Sections", "bench_sizes", "compute"]


@dataclass(frozen=True, slots=True)
class Section:
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


class Bench:
    """One worker's private buffers.

    Parameters
    ----------
    pool : BufferPool
        Lends them.
    sizes : sequence of int
        Bytes of each; none is lent for 0.
    """

    def __init__(self, pool: BufferPool, sizes: Sequence[int]) -> None:
        self._flat = [pool.get((size,), np.uint8) if size else None for size in sizes]

    @classmethod
    def alone(cls, sizes: Sequence[int]) -> Bench:
        """Make one with a pool of its own, which holds just these buffers."""
        return cls(BufferPool(max(1, cls.nbytes(sizes))), sizes)

    def view(self, number: int, shape: tuple[int, ...], dtype: DType) -> Array:
        """See the start of buffer `number` as an array."""
        flat, nbytes = self._flat[number], math.prod(shape) * dtype.itemsize
        if flat is None or nbytes > flat.nbytes:
            raise SchemaError(f"a stage wants {nbytes} bytes, more than its plan declared")
        return flat[:nbytes].view(dtype).reshape(shape)

    @staticmethod
    def nbytes(sizes: Sequence[int]) -> int:
        """Bytes that a pool lends for a bench of these sizes."""
        return sum(whole_pages(size) for size in sizes)


class Sections:
    """What a source and a row of windowed operators deliver, segment by segment, so that none crosses a gap.

    Parameters
    ----------
    source : Source
        Read by position.
    operators : sequence of Windowed
        In order of application.

    Attributes
    ----------
    items : list of Section
        One for each segment of the source.
    spec : Spec
        What comes out; of no particular length.
    """

    def __init__(self, source: Source, operators: Sequence[Windowed]) -> None:
        self.source = source
        self.items: list[Section] = []
        offset = 0
        for segment in source.segments:
            chain = Chain(source.spec.with_n(segment.size), operators, self.items[-1].chain if self.items else None)
            self.items.append(Section(segment, chain, offset))
            offset += chain.n_out
        self.n_out = offset
        self._empty = Chain(source.spec.with_n(0), operators)
        self.spec = self._empty.out
        self._stored_bytes = getattr(source, "stored_sample_bytes", source.spec.sample_bytes)
        # Of a source that computes, and counts its stages itself.
        self._read_counted: Callable[[Span, Array, dict[str, float]], None] | None
        self._read_counted = getattr(source, "read_counted", None)

    @property
    def shared_bytes(self) -> int:
        """Bytes of the tables that all threads share."""
        return max((sum(s.plan.shared for s in item.chain.stages) for item in self.items), default=0)

    @property
    def thread_bytes(self) -> int:
        """Bytes per thread that do not depend on the length of a chunk."""
        work = max(
            (max((s.plan.workspace for s in item.chain.stages), default=0) for item in self.items),
            default=0,
        )
        return work + self.source.scratch_bytes

    @property
    def widest(self) -> int:
        """Bytes of the largest sample on the way, source and output included."""
        specs = [self.source.spec, *(stage.plan.out for item in self.items for stage in item.chain.stages)]
        return max(spec.sample_bytes for spec in specs)

    @property
    def grid(self) -> int:
        """Output samples of the last operator's cell, in the longest section."""
        return self._longest.grid

    @property
    def cell(self) -> int:
        """Output samples that the largest cell on the way makes, that of the source too, in the longest section."""
        return max(self._longest.cell, -(-self._own_unit // self.grid) * self.grid)

    @property
    def unit(self) -> int:
        """Output samples that are efficient to ask for in multiples of, in the longest section."""
        return max(self._longest.unit, -(-self._own_unit // self.grid) * self.grid)

    @property
    def _own_unit(self) -> int:
        found: int = getattr(self.source, "unit", 1)
        return found

    def bench_sizes(self, samples: int, *, aligned: bool = True) -> list[int]:
        """Give the bytes of a worker's buffers for chunks of at most `samples`: the source's, then each stage's.

        With `aligned`, chunks begin at multiples of their length; where that is whole cells, the last stage computes
        them where they are wanted.
        """
        sizes: list[int] = []
        for chain in [item.chain for item in self.items] or [self._empty]:
            found = bench_sizes(chain, samples, aligned=aligned)
            sizes = [max(pair) for pair in zip(sizes, found, strict=True)] if sizes else found
        return sizes

    def spans(self, samples: int) -> Iterator[tuple[Section, Span]]:
        """Give the output spans, in order, each within its section and at most `samples` long."""
        for item in self.items:
            for span in Span(0, item.chain.n_out).split(samples):
                yield item, span

    def fill(self, section: Section, out: Chunk, bench: Bench, clock: dict[str, float]) -> None:
        """Compute the outputs ``out.span`` of a section into ``out.array``; add the stage times to `clock`."""

        def read(span: Span, array: Array) -> None:
            span = span.shift(section.segment.start)
            if self._read_counted is not None:
                self._read_counted(span, array, clock)
                return
            before = time.perf_counter()
            self.source.read(span, array)
            lap(clock, "read", before)

        compute(section.chain, read, out, bench, clock)

    def taken(self, section: Section, span: Span) -> int:
        """Input bytes that an output span stands for, each counted once."""
        n_in, n_out = section.segment.size, max(1, section.chain.n_out)
        share = span.stop * n_in // n_out - span.start * n_in // n_out
        return share * self._stored_bytes

    @property
    def _longest(self) -> Chain:
        return max((item.chain for item in self.items), key=lambda chain: chain.n_out, default=self._empty)


def bench_sizes(chain: Chain, samples: int, *, aligned: bool = True) -> list[int]:
    """Give the bytes of a worker's buffers for one chain; see `Sections.bench_sizes`."""
    specs = [chain.inp, *(stage.plan.out for stage in chain.stages)]
    direct = aligned and samples % chain.grid == 0
    counts = chain.buffer_sizes(min(samples, max(1, chain.n_out)), aligned=direct)
    if not chain.stages:
        counts = [0]  # the source fills the output directly
    found = [count * spec.sample_bytes for count, spec in zip(counts, specs, strict=True)]
    if len(found) > 1 and (direct or chain.grid == 1):
        found[-1] = 0
    return found


def compute(
    chain: Chain, read: Callable[[Span, Array], None], out: Chunk, bench: Bench, clock: dict[str, float]
) -> None:
    """Compute a chain's outputs ``out.span`` into ``out.array``, in the buffers of a bench; see `Chain.compute`."""
    specs = [chain.inp, *(stage.plan.out for stage in chain.stages)]

    def scratch(number: int, samples: int) -> Array:
        return bench.view(number, (samples, *specs[number].shape), specs[number].dtype)

    chain.compute(read, out, scratch, clock)
