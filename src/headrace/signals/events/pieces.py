"""Pieces of events: what one block knows of them, in memory while they are few and in a temporary file when many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.core.tempfiles import UnnamedFile

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
    "PieceFile",
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


class PieceFile:
    """Pieces that are too many for memory, in order.

    Parameters
    ----------
    tmp : str or None
        Folder of the file, which is made when the first ones come; ``None`` for the system's.
    """

    def __init__(self, tmp: str | None) -> None:
        self._tmp, self._count = tmp, 0
        self._file: UnnamedFile | None = None

    def append(self, rows: Array) -> None:
        """Write pieces, (k,) of PIECE or their bytes.

        Raises
        ------
        OutputError
            If the folder does not take them.
        """
        if self._file is None:
            self._file = UnnamedFile(self._tmp, "a temporary file of events")
        self._file.write(memoryview(rows.view(np.uint8)), self._count * PIECE.itemsize)  # type: ignore[arg-type]
        self._count += rows.nbytes // PIECE.itemsize

    def batches(self) -> Iterator[Array]:
        """Give them back, at most `IN_MEMORY` at a time."""
        for first in range(0, self._count, IN_MEMORY):
            rows = np.empty(min(IN_MEMORY, self._count - first), PIECE)
            if self._file is not None:
                self._file.read(memoryview(rows.view(np.uint8)), first * PIECE.itemsize)  # type: ignore[arg-type]
            yield rows


class Pieces:
    """What was found in some channels of one block.

    Parameters
    ----------
    rows : ndarray, shape (k,) of PIECE
        Channel by channel, starts rising. Samples count from the flow's first, channels from the first of the block's.
    states : ndarray, shape (channels,) uint8
        For each channel, what a later block must know.
    before : PieceFile, optional
        Pieces that come before `rows`.
    """

    def __init__(self, rows: Array, states: Array, before: PieceFile | None = None) -> None:
        self.states = states
        self._rows, self._before = rows, before

    @classmethod
    def of(cls, rows: Array, states: Array, tmp: str | None) -> Pieces:
        """Keep pieces, of which there may be too many for memory."""
        if len(rows) <= IN_MEMORY:
            return cls(rows, states)
        before = PieceFile(tmp)
        before.append(rows)
        return cls(rows[:0].copy(), states, before)

    @staticmethod
    def nbytes(n_channels: int) -> int:
        """Bytes of memory that the pieces of one block take at most."""
        return IN_MEMORY * PIECE.itemsize + n_channels

    def batches(self) -> Iterator[tuple[Array, bool]]:
        """Give the pieces in order, at most `IN_MEMORY` at a time, and whether they are the last."""
        if self._before is not None:
            for rows in self._before.batches():
                yield rows, False
        yield self._rows, True
