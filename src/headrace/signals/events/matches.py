"""Rows of a matched filter: events with the template that was found and its correlation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.signals.events.table import EVENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.core.arrays import Array, DType
    from headrace.core.blockwise import Outcome
    from headrace.core.operator import Spec

__all__ = ["MATCH", "MatchRows"]

MATCH: DType = np.dtype([*EVENT.descr, ("template", np.int32), ("correlation", np.float64)])
"""One match, a row of a matched filter's table: the columns of `EVENT`, then `template`, its number, and `correlation`.

`start` and `end` are those of the window that matches; `peak` is the sample where the template is farthest from its
mean, `amplitude` the value there; `channel` is the channel, or for templates of several channels the one where the
template goes farthest from its mean."""


class MatchRows:
    """Puts the matches of each block in order of (start, channel); see `headrace.core.blockwise.Fold`.

    Parameters
    ----------
    spec : Spec
        Of the flow.
    t0 : float
        Time of the flow's first sample, seconds.
    """

    def __init__(self, spec: Spec, *, t0: float) -> None:
        self._n_channels, self._fs, self._t0 = spec.n_channels, spec.fs, t0
        self._groups: list[Array] = []

    @property
    def dtype(self) -> DType:
        """`MATCH`."""
        return MATCH

    def add(self, outcome: Outcome[Array]) -> Iterator[Array]:
        """Take the matches that begin in a block, of some channels; give them once all channels came."""
        self._groups.append(outcome.result)
        if outcome.channels.stop < self._n_channels:
            return
        rows = self._groups[0] if len(self._groups) == 1 else np.concatenate(self._groups)
        self._groups = []
        if not len(rows):
            return
        rows = rows.take(np.lexsort((rows["channel"], rows["start"])))
        rows["time_s"] = self._t0 + rows["start"] / self._fs if self._fs else np.nan
        yield rows

    def finish(self) -> Iterator[Array]:
        """Give nothing: each block's rows went when its last channel came."""
        yield from ()

    def close(self) -> None:
        """Hold nothing."""
        self._groups = []
