"""The passes over a two-way source: their threads, and the memory they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.core.buffers import BufferPool
from headrace.core.schedule import Demand, fit, reserve_fitting, smallest

if TYPE_CHECKING:
    from headrace.core.budget import Budget
    from headrace.core.engine import Means
    from headrace.core.twoway import TwoWaySource

__all__ = ["Passes"]


class Passes:
    """What is reserved for going over a signal twice.

    Parameters
    ----------
    source : TwoWaySource
        What is gone over.
    means : Means
        Executor, meter and threads.
    """

    def __init__(self, source: TwoWaySource, means: Means) -> None:
        self._source, self._means = source, means
        self._need = Demand(
            n_out=source.spec.n,
            least=source.unit,
            unit=source.unit,
            sample_bytes=source.spec.sample_bytes,
            cost=lambda threads, _: source.pass_bytes(threads) + self._beside_passes(threads),
        )
        self._reserved = self._threads = 0
        self._pool = BufferPool(1)  # until `reserve`

    @property
    def smallest(self) -> int:
        """Bytes of the smallest budget that they can run in."""
        return smallest(self._need)

    def reserve(self, budget: Budget, beside: int = 0) -> None:
        """Take from a budget, leaving `beside` bytes to what follows.

        Raises
        ------
        BudgetTooSmall
            If there is too little; ``needed`` is the smallest budget that works.
        """
        means, unit = self._means, self._source.unit
        self._pool = pool = BufferPool(budget)
        schedule = reserve_fitting(
            lambda: fit(self._need, budget, means.threads, chunk=unit, beside=beside),
            lambda schedule: pool.try_prepay(schedule.nbytes),
        )
        self._reserved, self._threads = schedule.nbytes, schedule.threads

    def tell(self, phase: str, done: int) -> None:
        """Say how far a pass is that gives no output yet."""
        self._means.meter.phase = f"{phase}: {100 * done // max(1, self._source.n_cells)} %"
        self._means.tell()

    def close(self) -> None:
        """Give the memory back. May be called twice."""
        self._pool.close()

    def _beside_passes(self, threads: int) -> int:
        """Give the bytes that are needed beside the passes: here a cell of output, which nobody reads."""
        del threads
        return self._source.cell_bytes
