"""Lent memory, handed out piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType

__all__ = ["Room"]


class Room:
    """Lent memory, handed out piece by piece.

    Parameters
    ----------
    memory : ndarray, uint8
        What is handed out.
    """

    def __init__(self, memory: Array) -> None:
        self._memory, self._used = memory, 0

    def array(self, shape: tuple[int, ...], dtype: DType) -> Array:
        """Give the next piece; each begins at a multiple of 64 bytes."""
        nbytes = int(np.prod(shape)) * dtype.itemsize
        start = self._used
        self._used += self.size(nbytes)
        return self._memory[start : start + nbytes].view(dtype).reshape(shape)

    @staticmethod
    def size(nbytes: int) -> int:
        """Give the bytes that a piece takes."""
        return -(-nbytes // 64) * 64
