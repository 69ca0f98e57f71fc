"""What every engine for block functions is: windows around fixed blocks, worked on by threads, results in order."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from headrace.core.buffers import BufferPool

if TYPE_CHECKING:
    from headrace.core.blockwise import Block, BlockFunction, Outcome
    from headrace.core.budget import Budget
    from headrace.core.engine import Means
    from headrace.core.executors import Closing
    from headrace.core.operator import Spec
    from headrace.core.schedule import Schedule

__all__ = ["SHORTER_BLOCKS", "BlockEngine", "BlockRun"]

SHORTER_BLOCKS = "or take shorter blocks"


class BlockEngine(Protocol):
    """Runs a block function over a flow: `begin`, then `outcomes`, then `close`."""

    @property
    def smallest(self) -> int:
        """Bytes of the smallest budget that this run can begin with."""
        ...

    def begin(self, budget: Budget) -> None:
        """Fit the run into what is left of a budget, and reserve.

        Raises
        ------
        BudgetTooSmall
            If it cannot be fitted; ``needed`` is the smallest budget that works.
        """
        ...

    def outcomes(self) -> Closing[Outcome[Any]]:
        """Give the results segment by segment, block by block, channels rising."""
        ...

    def close(self) -> None:
        """Give the budget back, once the iterators given out are closed. May be called twice."""
        ...


class BlockRun:
    """What the engines that make windows themselves have in common: the plan, the pool, the call of the function."""

    def __init__(self, function: BlockFunction[Any], spec: Spec, means: Means) -> None:
        self._function, self._means, self._spec = function, means, spec
        self._plan = function.plan(spec.with_n(None))
        self._budget: Budget | None = None
        self._reserved = self.threads = 0
        self._pool = BufferPool(1)  # until `begin`

    def close(self) -> None:
        """See `BlockEngine.close`."""
        self._pool.close()
        if self._budget is not None:
            self._budget.release(self._reserved)
            self._reserved = 0

    def _charge(self, budget: Budget, schedule: Schedule, lent: int) -> None:
        """Take note of what was reserved, of which `lent` bytes for buffers."""
        self._budget, self._reserved, self.threads = budget, schedule.nbytes - lent, schedule.threads
        self._pool = BufferPool(budget, prepaid=lent)

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
            error.add_note(f"in {type(self._function).__name__}, samples {block.span.shift(block.offset)}")
            raise
        finally:
            name = type(self._function).__name__
            clock[name] = clock.get(name, 0.0) + time.perf_counter() - before
