"""Pieces of events: what one block knows of them, in memory while they are few and in a temporary file when many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.signals.events.row_file import RowFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.core.arrays import Array, DType

__all__ = [
    "AFTER_GAP",
    "ENDS_IN_GAP",
    "IN_MEMORY",
    "NO_SAMPLES",
    "OPEN_LEFT",
    "OPEN_RIGHT",
    "PIECE",
    "PacksPieces",
    "Pieces",
]

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

IN_MEMORY = 4096
"""Pieces of one block that are kept in memory at most."""

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


class Pieces:
    """What was found in some channels of one block.

    Parameters
    ----------
    rows : ndarray, shape (k,) of PIECE
        Channel by channel, starts rising. Samples count from the flow's first, channels from the first of the block's.
    states : ndarray, shape (channels,) uint8
        For each channel, what a later block must know.
    before : RowFile, optional
        Pieces that come before `rows`.
    """

    def __init__(self, rows: Array, states: Array, before: RowFile | None = None) -> None:
        self.states = states
        self._rows, self._before = rows, before

    @classmethod
    def of(cls, rows: Array, states: Array, tmp: str | None) -> Pieces:
        """Keep pieces, of which there may be too many for memory."""
        if len(rows) <= IN_MEMORY:
            return cls(rows, states)
        before = RowFile(PIECE, tmp)
        before.append(rows)
        return cls(rows[:0].copy(), states, before)

    @staticmethod
    def nbytes(n_channels: int) -> int:
        """Bytes of memory that the pieces of one block take at most."""
        return IN_MEMORY * PIECE.itemsize + n_channels

    def pack(self) -> Iterator[Array]:
        """See `headrace.core.blockwise.Packs.pack`."""
        yield self.states
        for rows, _ in self.batches():
            yield rows

    @classmethod
    def unpack(cls, parts: Iterator[Array], tmp: str | None) -> Pieces:
        """See `headrace.core.blockwise.Packs.unpack`."""
        states, rows = next(parts), next(parts)
        before = RowFile(PIECE, tmp)
        for more in parts:
            before.append(rows)
            rows = more
        return cls(rows, states, before)

    def batches(self) -> Iterator[tuple[Array, bool]]:
        """Give the pieces in order, at most `IN_MEMORY` at a time, and whether they are the last."""
        if self._before is not None:
            for first in range(0, len(self._before), IN_MEMORY):
                yield self._before.read(first, IN_MEMORY), False
        yield self._rows, True


class PacksPieces:
    """What block functions are that give `Pieces`; see `headrace.core.blockwise.Packs`."""

    def pack(self, result: Pieces) -> Iterator[Array]:
        """See `headrace.core.blockwise.Packs.pack`."""
        return result.pack()

    def unpack(self, parts: Iterator[Array], tmp: str | None) -> Pieces:
        """See `headrace.core.blockwise.Packs.unpack`."""
        return Pieces.unpack(parts, tmp)
