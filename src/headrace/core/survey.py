"""Engines that begin when passes have been over a source, which they then read by position."""

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
    from headrace.core.executors import Closing
    from headrace.core.operator import State
    from headrace.core.prepare import Preparation
    from headrace.core.sinks import Gate

__all__ = ["Survey", "SurveyedBlocks", "SurveyedChunks", "SurveyedSink"]


class Survey(Passes):
    """Both passes over a two-way source, for what they leave behind in it."""

    def smallest_with(self, inner: Engine) -> int:
        """Bytes of the smallest budget that this and `inner` can run in."""
        return self.smallest + inner.smallest

    def begin(self, budget: Budget, inner: Engine) -> None:
        """Reserve for both; see `Engine.begin`."""
        self.reserve(budget, inner.smallest)
        inner.begin(budget)

    def close(self) -> None:
        """Give the memory back, and let go of the states. May be called twice."""
        super().close()
        self._source.close()

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
    """An engine behind passes.

    Parameters
    ----------
    survey : Survey or Preparation
        The passes.
    inner : Engine
        Reads what they leave behind.
    """

    def __init__(self, survey: Survey | Preparation, inner: _Engine) -> None:
        self._survey, self._inner = survey, inner

    @property
    def smallest(self) -> int:
        """See `Engine.smallest`."""
        return self._survey.smallest_with(self._inner)

    def begin(self, budget: Budget) -> None:
        """See `Engine.begin`."""
        self._survey.begin(budget, self._inner)

    def close(self) -> None:
        """See `Engine.close`."""
        self._inner.close()
        self._survey.close()


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

    def __init__(self, survey: Survey | Preparation, inner: ChunkEngine) -> None:
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
