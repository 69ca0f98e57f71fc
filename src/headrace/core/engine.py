"""Engines: how a flow's chunks come about.

`headrace.core.engines` chooses. `headrace.core.pull.PullEngine` serves sources that can be read by position and
operators that are all windowed: any thread computes any span. `headrace.core.push.PushEngine` serves streams and
operators that carry state. Two-way operators become sources, which `headrace.core.survey` and
`headrace.core.falling` serve; `headrace.core.blocks` are the engines of block functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from headrace.core.journal import NO_JOURNAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.arrays import DType
    from headrace.core.budget import Budget
    from headrace.core.chunk import Chunk
    from headrace.core.executors import Closing, Executor
    from headrace.core.journal import Journal
    from headrace.core.report import Meter
    from headrace.core.sinks import Gate

__all__ = ["ChunkEngine", "Engine", "Means", "SinkEngine"]


@dataclass(frozen=True, slots=True)
class Means:
    """What an engine works with.

    Attributes
    ----------
    executor : Executor
        Who runs its work.
    meter : Meter
        What counts it.
    dtype : dtype
        Delivered, perhaps not that of the last operator.
    chunk : int or None
        Output samples per chunk, if the user insists.
    threads : int
        The most tasks to run at once.
    tmp : str or None
        Folder for temporary files; ``None`` for the system's.
    bits : int or None
        How many bits delivered integers may take, if fewer than their dtype's.
    journal : Journal
        Where what is done is kept, and found again by a run that continues this one.
    claimed : int
        Bytes of temporary files that the engines around this one take.
    tell : callable
        Called when something is done that gives no output yet, so that progress can be shown.
    """

    executor: Executor
    meter: Meter
    dtype: DType
    chunk: int | None
    threads: int
    tmp: str | None = None
    bits: int | None = None
    tell: Callable[[], object] = lambda: None
    journal: Journal = NO_JOURNAL
    claimed: int = 0

    def casts(self, dtype: DType) -> bool:
        """Whether samples of a dtype are delivered as something else."""
        return dtype != self.dtype or self.bits is not None


class Engine(Protocol):
    """Makes the chunks of one run: `begin`, then what it is for, then `close`."""

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

    def close(self) -> None:
        """Give the budget back, once the iterators given out are closed. May be called twice."""
        ...


class ChunkEngine(Engine, Protocol):
    """An engine that hands chunks over, in order."""

    def chunks(self) -> Closing[Chunk]:
        """Yield the output in order; each array is valid as long as it is held."""
        ...


class SinkEngine(Engine, Protocol):
    """An engine that writes chunks, in any order."""

    def deliver(self, sink: Gate) -> Closing[int]:
        """Write the output to `sink`; yield numbers of samples as they are done, first what an earlier run has done."""
        ...
