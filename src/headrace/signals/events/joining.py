"""From the pieces of blocks to events: joining across borders, merging across gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.signals.events.pieces import AFTER_GAP, ENDS_IN_GAP, IN_MEMORY, NO_SAMPLES, OPEN_LEFT, OPEN_RIGHT, PIECE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.core.arrays import Array
    from headrace.core.blockwise import Outcome
    from headrace.signals.events.pieces import Pieces

__all__ = ["Joiner"]

_BYTES = np.dtype((np.void, PIECE.itemsize))  # a piece copied as bytes, not field by field, which is far quicker


class Joiner:
    """Joins the pieces of consecutive blocks.

    Parameters
    ----------
    n_channels : int
        Of the flow.
    merge_gap : int
        Pieces with at most so many samples between them become one; -1 for none but those that are open to each other.
    min_length : int
        Shorter events are dropped.

    Notes
    -----
    Holds at most one piece for each channel: the last, if a later block may still add to it.
    """

    def __init__(self, n_channels: int, *, merge_gap: int, min_length: int) -> None:
        self._merge_gap, self._min_length = merge_gap, min_length
        self._held = np.zeros(n_channels, PIECE)
        self._holds = np.zeros(n_channels, bool)

    @property
    def earliest(self) -> int | None:
        """Start of the earliest event that is not complete."""
        starts = self._held["start"][self._holds]
        return int(starts.min()) if len(starts) else None

    @staticmethod
    def nbytes(n_channels: int) -> int:
        """Bytes of memory that it takes at most, beside the pieces given to it."""
        return 5 * (IN_MEMORY + n_channels) * PIECE.itemsize

    def add(self, outcome: Outcome[Pieces]) -> Iterator[Array]:
        """Take the next pieces and give the events that they complete, (k,) of PIECE each, in no particular order."""
        first, stop = outcome.channels.start, outcome.channels.stop
        kept = np.empty(0, PIECE)
        for some, last in outcome.result.batches():
            rows = _chained(kept, some)
            if last:
                yield self._add(outcome, rows, range(first, stop), stop)
            else:
                # The last one is kept for the next batch, which then has a piece of the channel that goes on there.
                rows, kept = rows[:-1], rows[-1:]
                goes_on = outcome.channels.start + int(kept["channel"][0])
                yield self._add(outcome, rows, range(first, goes_on + 1), goes_on)
                first = goes_on

    def _add(self, outcome: Outcome[Pieces], found: Array, channels: range, goes_on: int) -> Array:
        """Take pieces of some channels of a block: all that there are, but of the channel that goes on."""
        first, stop = channels.start, channels.stop
        held = self._held[first:stop][self._holds[first:stop]]
        if not len(held) and not len(found):
            return found
        rows = _chained(held, found)
        rows["channel"][len(held) :] += outcome.channels.start
        order = np.arange(len(rows))
        if stop - first > 1:
            order = np.argsort(rows["channel"], kind="stable")  # a held piece stays before those that follow it
            rows = rows.take(order)  # not rows[order], which copies field by field
        heads = self._heads(rows)
        events = _joined(rows, heads)
        final = np.append(np.flatnonzero(np.diff(events["channel"])), len(events) - 1)  # of its channel
        last = events.take(final)
        unfinished = last["channel"] == goes_on
        states = outcome.result.states[last["channel"] - outcome.channels.start]
        # What was held and has got nothing: a sample of this block has ended it, if there is one that counts.
        unchanged = order[_tails(rows, heads)[final]] < len(held)
        last["flags"][unchanged & (states & NO_SAMPLES == 0) & ~unfinished] &= ~np.uint32(OPEN_RIGHT)
        waits = unfinished
        if not outcome.last:
            stop_at = outcome.offset + outcome.span.stop
            may_grow = (last["flags"] & OPEN_RIGHT != 0) | (stop_at - last["end"] <= self._merge_gap)
            waits = waits | (may_grow & (states & ENDS_IN_GAP == 0))
        self._holds[first:stop] = False
        waiting = last["channel"][waits]
        self._held[waiting], self._holds[waiting] = last[waits], True
        complete = events["end"] - events["start"] >= self._min_length
        complete[final[waits]] = False
        given: Array = events.compress(complete)
        return given

    def _heads(self, rows: Array) -> Array:
        """Give the rows that do not continue the row before."""
        before, after = rows[:-1], rows[1:]
        linked = after["start"] - before["end"] <= self._merge_gap
        linked |= (before["flags"] & OPEN_RIGHT != 0) & (after["flags"] & OPEN_LEFT != 0)
        linked &= (before["channel"] == after["channel"]) & (after["flags"] & AFTER_GAP == 0)
        is_head = np.ones(len(rows), bool)
        np.logical_not(linked, out=is_head[1:])
        return np.flatnonzero(is_head)


def _chained(first: Array, second: Array) -> Array:
    rows = np.empty(len(first) + len(second), PIECE)
    as_bytes = rows.view(_BYTES)
    as_bytes[: len(first)], as_bytes[len(first) :] = first.view(_BYTES), second.view(_BYTES)
    return rows


def _tails(rows: Array, heads: Array) -> Array:
    tails: Array = np.append(heads[1:], len(rows)) - 1
    return tails


def _joined(rows: Array, heads: Array) -> Array:
    """Make one piece of each head and the rows that continue it, all of one channel."""
    if len(heads) == len(rows):
        return rows
    events, tails = rows.take(heads), _tails(rows, heads)
    group = np.repeat(np.arange(len(heads)), tails - heads + 1)
    farthest = np.fmax.reduceat(rows["distance"], heads)
    best = np.flatnonzero(rows["distance"] == farthest[group])
    chosen = heads.copy()  # where no distance is a number: the first
    chosen[group[best[::-1]]] = best[::-1]  # the first of equals is written last
    events["end"] = rows["end"][tails]
    for name in ("peak", "amplitude", "distance"):
        events[name] = rows[name][chosen]
    events["flags"] = rows["flags"][tails]
    return events
