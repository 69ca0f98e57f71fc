"""Events in their final order, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.core.closeable import Closeable
from headrace.signals.events.joining import Joiner
from headrace.signals.events.table import EVENT
from headrace.signals.events.waiting import WaitingRows

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from headrace.core.arrays import Array, DType
    from headrace.core.blockwise import Outcome
    from headrace.core.operator import Spec
    from headrace.signals.events.pieces import Pieces

__all__ = ["EventFold"]


_HOLD = 8192


class EventFold(Closeable):
    """Joins pieces of events over blocks and gives the events in order of start, then channel.

    Parameters
    ----------
    spec : Spec
        Of the flow.
    t0 : float
        Time of the flow's first sample, seconds.
    tmp : path-like, optional
        Folder for events that wait for an earlier one to end; default the system's for temporary files.
    merge_gap : int
        Events of one channel with at most so many samples between them become one; -1 for none.
    min_length : int
        Shorter events are dropped.
    hold : int
        Rows kept in memory at most, and given out at once.

    Notes
    -----
    While an event is open, those that start after it wait: up to `hold` of them in memory, the others in files that
    have no name and vanish with the process. So memory is bounded however many events there are and however long one
    is; what is given out must be taken in bounded pieces too, and `add` and `finish` give iterators for that reason.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        t0: float = 0.0,
        tmp: str | os.PathLike[str] | None = None,
        merge_gap: int = 0,
        min_length: int = 1,
        hold: int = _HOLD,
    ) -> None:
        self._n_channels, self._fs, self._t0 = spec.n_channels, spec.fs, t0
        self._joiner = Joiner(spec.n_channels, merge_gap=merge_gap, min_length=min_length)
        self._waiting = WaitingRows(EVENT, most=hold, tmp=tmp)

    @staticmethod
    def nbytes(n_channels: int) -> int:
        """Bytes of memory that it takes at most, beside the pieces given to it."""
        return 4 * _HOLD * EVENT.itemsize + Joiner.nbytes(n_channels)

    @property
    def dtype(self) -> DType:
        """`EVENT`."""
        return EVENT

    def add(self, outcome: Outcome[Pieces]) -> Iterator[Array]:
        """See `headrace.core.blockwise.Fold.add`."""
        for complete in self._joiner.add(outcome):
            if len(complete):
                self._waiting.add(self._rows(complete))
        # The other channels of this block may still bring events that start in it.
        whole = outcome.channels.stop == self._n_channels
        before = outcome.offset + (outcome.span.stop if whole else outcome.span.start)
        earliest = self._joiner.earliest
        return self._waiting.take(before if earliest is None else min(before, earliest))

    def finish(self) -> Iterator[Array]:
        """See `headrace.core.blockwise.Fold.finish`."""
        return self._waiting.take()

    def close(self) -> None:
        """Let go of temporary files. May be called twice."""
        self._waiting.close()

    def _rows(self, pieces: Array) -> Array:
        rows = np.empty(len(pieces), EVENT)
        for name in ("start", "end", "channel", "amplitude", "peak"):
            rows[name] = pieces[name]
        rows["time_s"] = np.nan if self._fs is None else self._t0 + pieces["start"] / self._fs
        return rows
