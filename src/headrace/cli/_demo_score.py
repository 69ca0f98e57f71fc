"""Events that were found, held against those that were planted."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.cli._demo_data import N_CHANNELS

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.cli._demo_data import Event
    from headrace.core.arrays import Array

__all__ = ["Score", "read_rows", "score"]

_PLANTED, _NEIGHBOUR = 1, 2


@dataclass(frozen=True, slots=True)
class Score:
    """What became of the planted events.

    Attributes
    ----------
    planted : int
        Events there are.
    once : int
        Those that one row holds, from the first trough to the last.
    split : int
        Those that came out as several rows, or cut short.
    missed : int
        Those that no row touches.
    across, across_once : int
        Those that lie across a border of the chunks, and how many of them came out once.
    longest_rows : int
        Rows that touch the longest event.
    neighbours : int
        Other rows at the time of a burst: it reaches the channels beside its own.
    false : int
        Rows where nothing was planted.
    """

    planted: int
    once: int
    split: int
    missed: int
    across: int
    across_once: int
    longest_rows: int
    neighbours: int
    false: int

    @property
    def perfect(self) -> bool:
        """Whether each planted event came out exactly once."""
        return self.planted > 0 and self.once == self.planted

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return asdict(self)


def read_rows(path: Path) -> Array:
    """Read start, end and channel of the rows of a table of events.

    Returns
    -------
    ndarray of int64, shape (rows, 3)
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = [[int(row[name]) for name in ("start", "end", "channel")] for row in csv.DictReader(file)]
    return np.array(rows, np.int64).reshape(-1, 3)


def score(rows: Array, events: list[Event], chunk: int) -> Score:
    """Hold rows against the planted events.

    Parameters
    ----------
    rows : ndarray of int64, shape (rows, 3)
        Start, end and channel; those of one channel do not overlap.
    events : list of Event
        All that could be found.
    chunk : int
        Samples between the borders that `Score.across` counts.
    """
    places = _Places(rows)
    found = [places.touch(event, event.channel, _PLANTED) for event in events]
    for event in events:
        for channel in range(N_CHANNELS if event.n_bursts == 1 else 0):
            places.touch(event, channel, _NEIGHBOUR)
    once = [
        len(rows) == 1 and bool(rows[0, 0] <= event.place and rows[0, 1] > event.last)
        for rows, event in zip(found, events, strict=True)
    ]
    across = [event.start // chunk != (event.end - 1) // chunk for event in events]
    missed = sum(len(rows) == 0 for rows in found)
    longest = max(range(len(events)), key=lambda i: events[i].end - events[i].start, default=None)
    return Score(
        planted=len(events),
        once=sum(once),
        split=len(events) - sum(once) - missed,
        missed=missed,
        across=sum(across),
        across_once=sum(a and o for a, o in zip(across, once, strict=True)),
        longest_rows=0 if longest is None else len(found[longest]),
        neighbours=places.count(_NEIGHBOUR),
        false=places.count(0),
    )


class _Places:
    """The rows of each channel in order, and what each row was found to be."""

    def __init__(self, rows: Array) -> None:
        ordered = rows[np.argsort(rows[:, 0], kind="stable")]
        self._rows = [ordered[ordered[:, 2] == channel] for channel in range(N_CHANNELS)]
        self._kinds = [np.zeros(len(rows), np.uint8) for rows in self._rows]

    def touch(self, event: Event, channel: int, kind: int) -> Array:
        """Give the rows of a channel that overlap the event in time; mark them."""
        rows = self._rows[channel]
        first = np.searchsorted(rows[:, 1], event.start, "right")
        last = np.searchsorted(rows[:, 0], event.end, "left")
        kinds = self._kinds[channel][first:last]
        kinds[kinds == 0] = kind
        touched: Array = rows[first:last]
        return touched

    def count(self, kind: int) -> int:
        """Count the rows marked so."""
        return sum(int(np.count_nonzero(kinds == kind)) for kinds in self._kinds)
