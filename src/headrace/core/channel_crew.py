"""A state carried from cell to cell, by one thread for each group of channels."""

from __future__ import annotations

import time
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from headrace.core.closeable import Closeable
from headrace.core.crew import Crew

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from headrace.core.arrays import Array
    from headrace.core.operator import Spec
    from headrace.core.report import Meter

__all__ = ["ChannelCrew", "Results", "of_channels"]

_LANES = 16  # channels that one thread takes at least: those of a cache line of float32
_BEHIND = 2  # cells that a thread may be behind the caller: waking it takes as long as a part of one

_Cell = TypeVar("_Cell")


class Step(Protocol):
    """What is done with a cell."""

    def __call__(self, channels: slice | None, state: Array) -> tuple[Array, ...]:
        """Give the state after the cell of some channels (``None``: all), and other arrays about these channels."""
        ...


class Results(Protocol):
    """What has become of a cell."""

    def __call__(self) -> tuple[Array, ...]:
        """Wait for it, once, and give what its step gave, for all channels."""
        ...


class ChannelCrew(Closeable):
    """Carries a state through cells; the channels of each group by a thread of their own.

    Parameters
    ----------
    threads : int
        That may be used; few channels use one.
    spec : Spec
        Of the samples.
    name : str
        Under which the time is counted.
    meter : Meter
        Counts it.
    """

    def __init__(self, threads: int, spec: Spec, name: str, meter: Meter) -> None:
        self._name, self._meter = name, meter
        groups = _groups(spec, threads)
        lanes = -(-spec.n_channels // _LANES)
        borders = [min(spec.n_channels, lanes * k // groups * _LANES) for k in range(groups + 1)]
        self._behind = self.behind(spec, threads)
        self._channels = [slice(a, b) for a, b in pairwise(borders)] if groups > 1 else [None]
        self._states = [np.empty(0)] * groups  # each touched by its own thread only
        self._crew = Crew(range(groups))

    @staticmethod
    def behind(spec: Spec, threads: int) -> int:
        """Cells that have begun before the result of one is waited for, beyond that one."""
        return _BEHIND if _groups(spec, threads) > 1 else 0

    def begin(self, step: Step, state: Array | None = None) -> Results:
        """Begin a cell: with this state, or with the one that the cell before has left."""

        def timed(group: int) -> tuple[tuple[Array, ...], float]:
            before = time.perf_counter()
            channels = self._channels[group]
            entered = self._states[group] if state is None else of_channels(state, channels)
            found = step(channels, entered)
            self._states[group] = found[0]
            return found, time.perf_counter() - before

        results = self._crew.begin(timed)

        def joined() -> tuple[Array, ...]:
            found = results()
            self._meter.add({self._name: sum(seconds for _, seconds in found)}, threads=len(found))
            if len(found) == 1:
                return found[0][0]
            return tuple(np.concatenate(parts, axis=-1) for parts in zip(*(arrays for arrays, _ in found), strict=True))

        return joined

    def lagging(self, begun: Iterable[tuple[_Cell, Results]]) -> Generator[tuple[_Cell, Results]]:
        """Give what was begun, in order, once as many are under way as the threads may be behind."""
        under_way: deque[tuple[_Cell, Results]] = deque()
        for item in begun:
            under_way.append(item)
            if len(under_way) > self._behind:
                yield under_way.popleft()
        while under_way:
            yield under_way.popleft()

    def close(self) -> None:
        """End the threads, and wait for what is under way. May be called twice."""
        self._crew.close()


def of_channels(state: Array, channels: slice | None) -> Array:
    """Give the part of a state that is about some channels."""
    return state if channels is None else state[..., channels]


def _groups(spec: Spec, threads: int) -> int:
    return max(1, min(threads, spec.n_channels // _LANES)) if spec.shape else 1
