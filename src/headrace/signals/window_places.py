"""Where the windows of a windowed dataset lie: on a grid of hops, or around events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headrace.core.checks import int64_array
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.core.arrays import Array

__all__ = ["ALIGNMENTS", "AroundEvents", "EveryHop", "Places", "Stretches", "column", "has_column"]

ALIGNMENTS = ("centre", "start", "peak")


@dataclass(frozen=True)
class Stretches:
    """The segments of all recordings, one after the other.

    Attributes
    ----------
    recording : ndarray, shape (s,), int64
        Number of the recording; rising.
    start, size : ndarray, shape (s,), int64
        First sample of the segment, counted in its recording, and its samples.
    """

    recording: Array
    start: Array
    size: Array

    @classmethod
    def of(cls, segments: Sequence[Sequence[tuple[int, int]]]) -> Stretches:
        """Take (start, size) of each segment of each recording."""
        flat = [(number, *segment) for number, each in enumerate(segments) for segment in each]
        table = np.array(flat, np.int64).reshape(-1, 3)
        return cls(*np.ascontiguousarray(table.T))


class Places(Protocol):
    """Where windows lie."""

    def __len__(self) -> int: ...

    def locate(self, indices: Array) -> tuple[Array, Array]:
        """Give the stretch of each window, and its first sample in its recording; `indices` int64, all inside."""
        ...


class EveryHop:
    """Windows at each multiple of a hop from the start of each segment, wherever one fits.

    Parameters
    ----------
    stretches : Stretches
        The segments.
    length, hop : int
        Samples.
    """

    def __init__(self, stretches: Stretches, length: int, hop: int) -> None:
        self._start, self._hop = stretches.start, hop
        counts = np.maximum((stretches.size - length) // hop + 1, 0)
        self._ends = np.cumsum(counts)  # of the windows of each stretch
        self._begins = self._ends - counts

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def locate(self, indices: Array) -> tuple[Array, Array]:
        """See `Places.locate`."""
        stretch = np.searchsorted(self._ends, indices, side="right")
        return stretch, self._start[stretch] + (indices - self._begins[stretch]) * self._hop


class AroundEvents:
    """Windows around events, those that fit wholly into a segment.

    Parameters
    ----------
    stretches : Stretches
        The segments.
    length : int
        Samples.
    events : sequence of table
        One for each recording, with columns ``start`` and ``end`` or whatever `align` needs; see `column`.
    align : str
        ``"centre"``, ``"start"`` or ``"peak"``.

    Attributes
    ----------
    kept : ndarray, shape (k,), int64
        Which events have a window, counted over all tables.
    dropped : int
        How many have none.
    """

    def __init__(self, stretches: Stretches, length: int, events: Sequence[Any], align: str) -> None:
        found = [_window_starts(table, length, align) for table in events]
        starts = np.concatenate([np.zeros(0, np.int64), *found])
        stretch = np.concatenate(
            [np.zeros(0, np.int64), *(_stretch_of(own, stretches, number) for number, own in enumerate(found))]
        )
        inside = stretch >= 0
        at = stretch[inside]
        inside[inside] = starts[inside] <= stretches.start[at] + stretches.size[at] - length  # a start may be any int64
        self.kept = np.flatnonzero(inside)
        self.dropped = len(starts) - len(self.kept)
        self._stretch, self._starts = stretch[inside], starts[inside]

    def __len__(self) -> int:
        return len(self._starts)

    def locate(self, indices: Array) -> tuple[Array, Array]:
        """See `Places.locate`."""
        return self._stretch[indices], self._starts[indices]


def has_column(table: Any, name: str) -> bool:
    """Tell whether a table (structured array, mapping, data frame, Arrow table) has a column."""
    names = getattr(getattr(table, "dtype", None), "names", None)
    for known in ("column_names", "columns"):
        names = names if names is not None else getattr(table, known, None)
    if names is None:
        names = table.keys() if hasattr(table, "keys") else ()
    return name in list(names)


def column(table: Any, name: str, *, whole: bool = True) -> Array:
    """Take a column of a table of events as an array, shape (n,): with `whole`, of int64.

    Raises
    ------
    SchemaError
        If it is not there, or holds something else.
    """
    if not has_column(table, name):
        raise SchemaError(
            f"events are a table with a column {name!r}, such as detect(...).to_array() gives: got {_described(table)}"
        )
    values = np.asarray(table[name])
    if values.ndim != 1 or values.dtype.kind == "O" or (whole and len(values) and values.dtype.kind not in "iu"):
        raise SchemaError(
            f"column {name!r} of events has dtype {values.dtype} and shape {values.shape}: it takes one "
            f"{'whole number' if whole else 'value'} for each event"
        )
    return int64_array(values) if whole else values


def _stretch_of(starts: Array, stretches: Stretches, recording: int) -> Array:
    """Find the stretch of a recording that each sample lies in or after; -1 before the first."""
    first, last = np.searchsorted(stretches.recording, [recording, recording + 1])
    place = np.searchsorted(stretches.start[first:last], starts, side="right") - 1
    found: Array = np.where(place < 0, -1, first + place)
    return found


def _window_starts(events: Any, length: int, align: str) -> Array:
    if align == "start":
        return column(events, "start")
    if align == "peak":
        place = column(events, "peak")
    else:
        start, end = column(events, "start"), column(events, "end")
        place = (start >> 1) + (end >> 1) + (start & end & 1)  # half their sum, which 64 bits might not hold
    found: Array = np.maximum(place, -1) - length // 2  # no window lies around what comes before the recording
    return found


def _described(table: Any) -> str:
    dtype = getattr(table, "dtype", None)
    return f"{type(table).__name__} of {dtype}" if dtype is not None else type(table).__name__
