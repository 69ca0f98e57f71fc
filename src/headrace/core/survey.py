"""Engines that begin when both passes have been over a two-way source, which they then read by position."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from headrace.core.blocks import BlockEngine
from headrace.core.engine import ChunkEngine, Engine, SinkEngine
from headrace.core.passes import Passes

if TYPE_CHECKING:
    from collections.abc import Generator

    from headrace.core.blockwise import Outcome
    from headrace.core.budget import Budget
    from headrace.core.chunk import Chunk
    from headrace.core.engine import Means
    from headrace.core.executors import Closing
    from headrace.core.operator import State
    from headrace.core.sinks import Gate
    from headrace.core.twoway import TwoWaySource

__all__ = ["SurveyedBlocks", "SurveyedChunks", "SurveyedSink"]


class _Survey(Passes):
    """Both passes, for what they leave behind in the source."""

    def run(self) -> None:
        """Run both."""
        source, means = self._source, self._means
        with closing(source.forwards(means, self._pool, self._threads)) as cells:
            for cell in cells:
                self.tell("pass 1 of 3", cell.number + 1)
        scratch = self._pool.get((source.unit, *source.spec.shape), source.spec.dtype)
        with closing(source.backwards(means, self._pool, self._threads, lambda: scratch, keep=True)) as made:
            for cell, _, _ in made:
                self.tell("pass 2 of 3", source.n_cells - cell.number)
        means.meter.phase = ""


_Engine = TypeVar("_Engine", bound=Engine)


class _Surveyed(Generic[_Engine]):
    """An engine behind a survey.

    Parameters
    ----------
    source : TwoWaySource
        What is gone over.
    inner : Engine
        Reads it.
    means : Means
        Executor, meter and threads.
    """

    def __init__(self, source: TwoWaySource, inner: _Engine, means: Means) -> None:
        self._source, self._inner = source, inner
        self._survey = _Survey(source, means)

    @property
    def smallest(self) -> int:
        """See `Engine.smallest`."""
        return self._survey.smallest + self._inner.smallest

    def begin(self, budget: Budget) -> None:
        """See `Engine.begin`."""
        self._survey.reserve(budget, self._inner.smallest)
        self._inner.begin(budget)

    def close(self) -> None:
        """See `Engine.close`."""
        self._inner.close()
        self._survey.close()
        self._source.close()


class SurveyedSink(_Surveyed[SinkEngine]):
    """Delivers to a sink."""

    def deliver(self, sink: Gate) -> Generator[int]:
        """See `SinkEngine.deliver`."""
        self._survey.run()
        with closing(self._inner.deliver(sink)) as work:
            yield from work


class SurveyedBlocks(_Surveyed[BlockEngine]):
    """Runs a block function."""

    def outcomes(self, done: int = 0, kept: State = None) -> Generator[Outcome[Any]]:
        """See `BlockEngine.outcomes`."""
        self._survey.run()
        with closing(self._inner.outcomes(done, kept)) as outcomes:
            yield from outcomes

    def kept(self) -> State:
        """See `BlockEngine.kept`."""
        return self._inner.kept()


class SurveyedChunks(_Surveyed[ChunkEngine]):
    """Hands chunks over, in order."""

    def chunks(self) -> Closing[Chunk]:
        """See `ChunkEngine.chunks`."""
        return _After(self._survey, self._inner)


class _After:
    """Chunks that begin after the survey; survives `RingStarved`, as a generator would not."""

    def __init__(self, survey: _Survey, inner: ChunkEngine) -> None:
        self._survey, self._inner = survey, inner
        self._chunks: Closing[Chunk] | None = None

    def __iter__(self) -> _After:
        return self

    def __next__(self) -> Chunk:
        if self._chunks is None:
            self._survey.run()
            self._chunks = self._inner.chunks()
        return next(self._chunks)

    def close(self) -> None:
        """End the work. May be called twice."""
        if self._chunks is not None:
            self._chunks.close()
