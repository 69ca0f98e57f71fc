"""Rows that are too many for memory, in a temporary file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.core.tempfiles import UnnamedFile

if TYPE_CHECKING:
    import os

    from headrace.core.arrays import Array, DType

__all__ = ["RowFile"]


class RowFile:
    """Rows of one dtype, written at the end and read by number.

    Parameters
    ----------
    dtype : dtype
        Of the rows.
    tmp : path-like or None
        Folder of the file, which is made when the first rows come; ``None`` for the system's.
    """

    def __init__(self, dtype: DType, tmp: str | os.PathLike[str] | None) -> None:
        self._dtype, self._tmp, self._count = dtype, tmp, 0
        self._file: UnnamedFile | None = None

    def __len__(self) -> int:
        return self._count

    def append(self, rows: Array) -> None:
        """Write rows, shape (k,), or their bytes.

        Raises
        ------
        OutputError
            If the folder does not take them.
        """
        if self._file is None:
            self._file = UnnamedFile(self._tmp, "a temporary file of events")
        self._file.write(_bytes(np.ascontiguousarray(rows)), self._count * self._dtype.itemsize)
        self._count += rows.nbytes // self._dtype.itemsize

    def read(self, first: int, most: int) -> Array:
        """Give the rows from number `first` on, at most so many.

        Raises
        ------
        OutputError
            If the file cannot be read.
        """
        rows = np.empty(max(0, min(most, self._count - first)), self._dtype)
        if self._file is not None:
            self._file.read(_bytes(rows), first * self._dtype.itemsize)
        return rows

    def close(self) -> None:
        """Give the space back. May be called twice."""
        if self._file is not None:
            self._file.close()


def _bytes(rows: Array) -> memoryview:
    return memoryview(rows.view(np.uint8))  # type: ignore[arg-type]  # an array has the buffer protocol
