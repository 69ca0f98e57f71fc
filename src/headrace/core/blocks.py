"""What every engine for block functions is: windows around fixed blocks, worked on by threads, results in order."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from headrace.core.buffers import BufferPool
from headrace.core.sizes import format_bytes
from headrace.core.span import Span
from headrace.errors import BudgetTooSmall

if TYPE_CHECKING:
    from headrace.core.blockwise import Block, BlockFunction, Outcome
    from headrace.core.budget import Budget
    from headrace.core.engine import Means
    from headrace.core.executors import Closing
    from headrace.core.operator import Spec

__all__ = ["BlockEngine"]


class BlockEngine:
    """Runs a block function over a flow: `begin`, then `outcomes`, then `close`."""

    def __init__(self, function: BlockFunction[Any], spec: Spec, means: Means) -> None:
        self._function, self._means, self._spec = function, means, spec
        self._plan = function.plan(spec.with_n(None))
        self._budget: Budget | None = None
        self._reserved = self.threads = 0
        self._pool = BufferPool(1)  # until `begin`

    @property
    def smallest(self) -> int:
        """Bytes of the smallest budget that this run can begin with."""
        raise NotImplementedError

    def begin(self, budget: Budget) -> None:
        """Fit the run into what is left of a budget, and reserve.

        Raises
        ------
        BudgetTooSmall
            If it cannot be fitted; ``needed`` is the smallest budget that works.
        """
        raise NotImplementedError

    def outcomes(self) -> Closing[Outcome[Any]]:
        """Give the results segment by segment, block by block, channels rising."""
        raise NotImplementedError

    def close(self) -> None:
        """Give the budget back, once the iterators given out are closed. May be called twice."""
        self._pool.close()
        if self._budget is not None:
            self._budget.release(self._reserved)
            self._reserved = 0

    def _charge(self, budget: Budget, total: int, lent: int, threads: int) -> None:
        """Take `total` bytes, of which `lent` for buffers, from a budget that was seen to have them."""
        budget.reserve(total, "this run")
        self._budget, self._reserved, self.threads = budget, total - lent, threads
        self._pool = BufferPool(budget, prepaid=lent)

    @property
    def _longest(self) -> int:
        """Samples of the longest window."""
        longest = self._plan.block + self._plan.halo.left + self._plan.halo.right
        return longest if self._spec.n is None else min(longest, max(1, self._spec.n))

    def _tell(self, nbytes: int) -> None:
        meter = self._means.meter
        meter.threads, meter.memory_bytes, meter.chunk_samples = self.threads, nbytes, self._plan.block

    def _window_of(self, block: Span, n: int) -> Span:
        halo = self._plan.halo
        return Span(block.start - halo.left, block.stop + halo.right).clip(Span(0, n))

    def _window_bytes(self, channels: int) -> int:
        return self._longest * channels * self._spec.dtype.itemsize

    def _work_bytes(self, channels: int) -> int:
        return self._plan.workspace * channels + self._plan.overhead

    def _too_small(self, budget: Budget, needed: int) -> BudgetTooSmall:
        needed += budget.used
        return BudgetTooSmall(
            f"a budget of {format_bytes(budget.size)} is too small for blocks of {self._plan.block:,} samples: the "
            f"smallest that works, with one thread, is memory={needed}; or take shorter blocks",
            needed=needed,
            available=budget.left,
        )

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
