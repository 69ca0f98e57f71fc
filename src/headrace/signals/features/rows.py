"""Rows of features: windows in order, and of each window the channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.core.arrays import Array, DType
    from headrace.core.blockwise import Outcome
    from headrace.core.operator import Spec

__all__ = ["FIXED", "FeatureRows"]

FIXED = (("start", np.int64), ("end", np.int64), ("channel", np.int32), ("time_s", np.float64))
"""The columns that every table of features begins with."""


class FeatureRows:
    """Makes rows of what blocks gave; see `headrace.core.blockwise.Fold`.

    Parameters
    ----------
    dtype : dtype
        Of the rows: `FIXED`, then float64 columns.
    spec : Spec
        What flows in.
    t0 : float
        Time of the flow's first sample, seconds.
    length, hop : int
        Samples in a window, and from one start to the next.
    """

    def __init__(self, dtype: DType, spec: Spec, *, t0: float, length: int, hop: int) -> None:
        self.dtype = dtype
        self._n_channels, self._fs, self._t0 = spec.n_channels, spec.fs, t0
        self._length, self._hop = length, hop
        self._groups: list[Array] = []

    def add(self, outcome: Outcome[Array]) -> Iterator[Array]:
        """Take the values of some channels, shape (features, channels, windows); give rows once all channels came."""
        self._groups.append(outcome.result)
        if outcome.channels.stop < self._n_channels:
            return
        values = self._groups[0] if len(self._groups) == 1 else np.concatenate(self._groups, axis=1)
        self._groups = []
        windows = values.shape[2]
        if not windows:
            return
        rows = np.empty((windows, self._n_channels), self.dtype)
        first = outcome.offset + outcome.span.start  # a block begins where a window does
        start = first + self._hop * np.arange(windows, dtype=np.int64)[:, np.newaxis]
        rows["start"], rows["end"] = start, start + self._length
        rows["channel"] = np.arange(self._n_channels)
        rows["time_s"] = self._t0 + start / self._fs if self._fs else np.nan
        for column, value in zip((self.dtype.names or ())[len(FIXED) :], values, strict=True):
            rows[column] = value.T
        yield rows.reshape(-1)

    def finish(self) -> Iterator[Array]:
        """Give nothing: each block's rows went when its last channel came."""
        yield from ()

    def close(self) -> None:
        """Hold nothing."""
        self._groups = []
