"""A block of samples, some channels at a time, each channel contiguous: for statistics along time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.core.arrays import Array

__all__ = ["channel_rows", "channels_at_once"]

_VALUES = 1 << 17  # as many as a cache holds, unless one channel of a block is more


def channels_at_once(block: int, n_channels: int) -> int:
    """Give the number of channels of a block of samples that are worked on together."""
    return max(1, min(n_channels, _VALUES // block))


def channel_rows(x: Array, out: Array, dtype: Any, block: int) -> Iterator[tuple[Array, Array]]:
    """Copy some channels after the other out of a block.

    Parameters
    ----------
    x : ndarray, shape (n,) or (n, channels)
        The block's samples, n <= `block`.
    out : ndarray, like `x`
        Where the results belong.
    dtype : dtype-like
        Of the copies.
    block : int
        Samples in a whole block: a short one is worked on in the same way.

    Yields
    ------
    rows : ndarray, shape (k, n)
        A copy of the samples of k channels, C-contiguous; the caller's to change.
    target : ndarray, shape (k, n)
        View of their places in `out`.
    """
    columns = x[:, np.newaxis] if x.ndim == 1 else x
    places = out[:, np.newaxis] if out.ndim == 1 else out
    step = channels_at_once(block, columns.shape[1])
    for first in range(0, columns.shape[1] if len(columns) else 0, step):
        rows = np.array(columns[:, first : first + step].T, dtype, order="C")
        yield rows, places[:, first : first + step].T
