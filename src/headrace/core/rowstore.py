"""Rows of fixed size, kept in memory while they are few and in an unlinked temporary file when they are many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.core.arrays import byte_view
from headrace.core.journal import NO_JOURNAL

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType
    from headrace.core.journal import Journal
    from headrace.core.tempfiles import ScratchFile

__all__ = ["RowStore"]


class RowStore:
    """So many rows of one shape, written and read by number.

    Parameters
    ----------
    count : int
        Rows.
    shape, dtype
        Of one row.
    limit : int
        Most bytes to keep in memory, if they need not outlive the process.
    tmp : str or None
        Folder of the file that takes more; ``None`` for the system's.
    journal : Journal
        Gives the file; that of a run that resumes holds the rows of the run before.
    name : str
        Of the rows in the journal.

    Raises
    ------
    OutputError
        If the folder has no room for it.

    Notes
    -----
    Rows may be read and written from several threads at once.
    """

    def __init__(
        self,
        count: int,
        shape: tuple[int, ...],
        dtype: DType,
        limit: int,
        tmp: str | None,
        *,
        journal: Journal = NO_JOURNAL,
        name: str = "",
    ) -> None:
        self._shape, self._dtype = shape, dtype
        self._row_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        total = count * self._row_bytes
        in_memory = total <= limit and not journal.active
        self._rows = np.empty((count, *shape), dtype) if in_memory else None
        what = "a temporary file of states"
        self._file = None if in_memory else journal.file(name, what, tmp, reserve=total)

    @staticmethod
    def memory(count: int, row_bytes: int, limit: int) -> int:
        """Bytes of memory that such a store takes."""
        return count * row_bytes if count * row_bytes <= limit else 0

    def __setitem__(self, number: int, row: Array) -> None:
        if self._rows is not None:
            self._rows[number] = row
        else:
            self._spill().write(byte_view(np.ascontiguousarray(row)), number * self._row_bytes)

    def __getitem__(self, number: int) -> Array:
        if self._rows is not None:
            kept: Array = self._rows[number]
            return kept
        row = np.empty(self._shape, self._dtype)
        self._spill().read(byte_view(row), number * self._row_bytes)
        return row

    def close(self) -> None:
        """Let go of memory and file. May be called twice."""
        self._rows = None
        if self._file is not None:
            self._file.close()

    def _spill(self) -> ScratchFile:
        if self._file is None:
            raise ValueError("these rows were let go of")
        return self._file
