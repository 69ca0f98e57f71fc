"""Block functions over sources read by position: each thread computes its windows itself.

Windows too wide for the budget are computed for a group of channels at a time.
"""

from __future__ import annotations

from collections import deque
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.core.blocks import SHORTER_BLOCKS, BlockRun
from headrace.core.blockwise import Block, Outcome
from headrace.core.chunk import Chunk
from headrace.core.schedule import Schedule, least_samples, lengths, too_small
from headrace.core.sections import Bench, Sections
from headrace.core.span import Span

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from headrace.core.blockwise import BlockFunction
    from headrace.core.budget import Budget
    from headrace.core.engine import Means
    from headrace.core.operator import Spec, State, Windowed
    from headrace.core.sections import Section
    from headrace.core.source import Source

__all__ = ["PulledBlocks"]

_PIECE_BYTES = 1024 * 1024  # of a window computed at once: stays in a core's own cache


@dataclass(frozen=True, slots=True)
class _Fit:
    """How a run is cut: threads, channels at a time, samples of a window computed at once."""

    threads: int
    group: int
    samples: int


class PulledBlocks(BlockRun):
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
        """See `BlockEngine.smallest`."""
        return min(self._cost(fit) for fit in self._candidates())

    def begin(self, budget: Budget) -> None:
        """See `BlockEngine.begin`."""

        def choose() -> Schedule:
            left = budget.left
            found = next((fit for fit in self._candidates() if self._cost(fit) <= left), None)
            if found is None:
                raise too_small(budget, self.smallest, self._plan.block, hint=SHORTER_BLOCKS)
            self._fit = found
            return Schedule(found.threads, self._plan.block, self._cost(found))

        schedule = self._reserve(
            budget, choose, lambda found: found.threads * Bench.nbytes(self._bench_sizes(self._fit))
        )
        self._tell(schedule.nbytes)

    def outcomes(self, done: int = 0, kept: State = None) -> Generator[Outcome[Any]]:
        """See `BlockEngine.outcomes`."""
        del kept
        sizes = self._bench_sizes(self._fit)
        self._benches.extend(Bench(self._pool, sizes) for _ in range(self.threads))
        meter = self._means.meter
        executor = self._means.executor
        with closing(
            executor.map(self._made, self._tasks(done), depth=self._depth(self.threads), workers=self.threads)
        ) as made:
            for outcome, taken, clock in made:
                meter.bytes_in += taken
                meter.add(clock)
                meter.stall_seconds.update(made.stalls)
                yield outcome

    def kept(self) -> State:
        """See `BlockEngine.kept`; windows are read by position, and need nothing."""
        return None

    def close(self) -> None:
        """See `BlockEngine.close`."""
        self._benches.clear()
        super().close()

    def _tasks(self, done: int) -> Iterator[tuple[Section, Span, range]]:
        width = self._spec.n_channels
        for section, block in self._sections.spans(self._plan.block):
            if section.offset + block.stop > done:
                for first in range(0, width, self._fit.group):
                    yield section, block, range(first, min(width, first + self._fit.group))

    def _made(self, task: tuple[Section, Span, range]) -> tuple[Outcome[Any], int, dict[str, float]]:
        section, span, channels = task
        clock: dict[str, float] = {}
        bench = self._benches.pop()
        n = section.chain.n_out
        window = self._window(section, span.widen(self._plan.halo).clip(Span(0, n)), channels, bench, clock)
        block = Block(section.offset, span, span.stop == n, window, channels, self._means.tmp)
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

    @staticmethod
    def _depth(threads: int) -> int:
        return 2 * threads

    def _cost(self, fit: _Fit) -> int:
        bench = Bench.nbytes(self._bench_sizes(fit))
        each = self._sections.thread_bytes + bench + self._work_bytes(fit.group)
        return self._sections.shared_bytes + fit.threads * each + self._result_bytes(self._depth(fit.threads))

    def _candidates(self) -> list[_Fit]:
        """List what to try, the best first: what is made of less than a unit, or for some channels, is made anew."""
        sections, width, threads = self._sections, self._spec.n_channels, self._means.threads
        if self._means.chunk is not None:
            unit = least = self._means.chunk
        else:
            least = least_samples(sections.widest, sections.cell)
            unit = max(least, sections.unit)
        first = unit if self._means.chunk else max(unit, _PIECE_BYTES // max(1, sections.widest))
        long, short = lengths(first, unit, least)
        groups = [width]
        while self._plan.channels_apart and groups[-1] > 1:
            groups.append(-(-groups[-1] // 2))
        ways = [(count, width) for count in range(threads, 0, -1)] + [(1, group) for group in groups[1:]]
        some = [_Fit(count, group, samples) for count, group in ways for samples in (unit, *short)]
        some.sort(key=lambda fit: (-fit.threads * fit.group * fit.samples, fit.threads, -fit.group))
        return [*(_Fit(threads, width, samples) for samples in long), *some]
