"""Pieces of events: what one block knows of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType

__all__ = ["AFTER_GAP", "ENDS_IN_GAP", "NO_SAMPLES", "OPEN_LEFT", "OPEN_RIGHT", "PIECE", "Pieces"]

PIECE: DType = np.dtype(
    [
        ("start", np.int64),
        ("end", np.int64),
        ("peak", np.int64),
        ("amplitude", np.float64),
        ("distance", np.float64),
        ("channel", np.int32),
        ("flags", np.uint32),
    ]
)
"""A run of samples in one block. Mirrors ``Piece`` of native/include/headrace/threshold.hpp; `distance` says which of
several pieces has the peak."""

OPEN_LEFT = 1
"""Nothing in the block separates the piece from the block before."""
OPEN_RIGHT = 2
"""Nothing in the block separates the piece from the block after."""
AFTER_GAP = 4
"""A gap lies between the piece and whatever came before it."""

NO_SAMPLES = 1
"""State of a channel in a block: there is no sample that counts."""
ENDS_IN_GAP = 2
"""State of a channel in a block: a gap follows its last piece, or lies in it if it has none."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """What was found in some channels of one block.

    Attributes
    ----------
    rows : ndarray, shape (k,) of PIECE
        Channel by channel, starts rising. Samples count from the flow's first, channels from the first of the block's.
    states : ndarray, shape (channels,) uint8
        For each channel, what a later block must know.
    """

    rows: Array
    states: Array
