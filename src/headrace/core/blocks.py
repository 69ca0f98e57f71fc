"""What every engine for block functions is: windows around fixed blocks, worked on by threads, results in order."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from headrace.core.blockwise import stage_name
from headrace.core.buffers import BufferPool
from headrace.core.engine import Engine
from headrace.core.schedule import reserve_fitting

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.blockwise import Block, BlockFunction, Outcome
    from headrace.core.budget import Budget
    from headrace.core.engine import Means
    from headrace.core.executors import Closing
    from headrace.core.operator import Spec, State
    from headrace.core.schedule import Schedule

__all__ = ["SHORTER_BLOCKS", "BlockEngine", "BlockRun"]

SHORTER_BLOCKS = "or take shorter blocks"


class BlockEngine(Engine, Protocol):
    """An engine that runs a block function over a flow."""

    def outcomes(self, done: int = 0, kept: State = None) -> Closing[Outcome[Any]]:
        """Give the results segment by segment, block by block, channels rising.

        Those of the blocks before sample `done` of the flow are there already; `kept` is what `kept` gave then.
        """
        ...

    def kept(self) -> State:
        """Give what is needed to go on after the outcome given last, the last one of its block."""
        ...


class BlockRun:
    """What the engines that make windows themselves have in common: the plan, the pool, the call of the function."""

    def __init__(self, function: BlockFunction[Any], spec: Spec, means: Means) -> None:
        self._function, self._means, self._spec = function, means, spec
        self._plan = function.plan(spec.with_n(None))
        self.threads = 0
        self._pool = BufferPool(1)  # until `begin`

    def close(self) -> None:
        """See `BlockEngine.close`."""
        self._pool.close()

    def _reserve(self, budget: Budget, choose: Callable[[], Schedule], lent: Callable[[Schedule], int]) -> Schedule:
        """Fit the run into a budget and reserve; `lent` gives the bytes of its buffers."""
        self._pool = pool = BufferPool(budget)

        def take(schedule: Schedule) -> bool:
            return pool.try_prepay(lent(schedule), beside=schedule.nbytes - lent(schedule))

        schedule = reserve_fitting(choose, take)
        self.threads = schedule.threads
        return schedule

    @property
    def _longest(self) -> int:
        """Samples of the longest window."""
        longest = self._plan.block + self._plan.halo.left + self._plan.halo.right
        return longest if self._spec.n is None else min(longest, max(1, self._spec.n))

    def _tell(self, nbytes: int) -> None:
        meter = self._means.meter
        meter.threads, meter.memory_bytes, meter.chunk_samples = self.threads, nbytes, self._plan.block

    def _window_bytes(self, channels: int) -> int:
        return self._longest * channels * self._spec.dtype.itemsize

    def _work_bytes(self, channels: int) -> int:
        return self._plan.workspace * channels + self._plan.overhead

    def _result_bytes(self, depth: int) -> int:
        """Give the bytes of results: so many that wait or are made, one that is folded, and what the fold keeps."""
        return (depth + 1) * self._plan.result + self._plan.fold

    def _work(self, block: Block, clock: dict[str, float]) -> Any:
        before = time.perf_counter()
        try:
            return self._function.work(self._plan, block)
        except Exception as error:
            error.add_note(f"in {stage_name(self._function)}, samples {block.span.shift(block.offset)}")
            raise
        finally:
            name = stage_name(self._function)
            clock[name] = clock.get(name, 0.0) + time.perf_counter() - before
