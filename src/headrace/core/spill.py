"""Rows of fixed size, kept in memory while they are few and in an unlinked temporary file when they are many."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.arrays import byte_view
from headrace.core.sizes import format_bytes
from headrace.errors import OutputError

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType

__all__ = ["RowStore", "temporary_folder"]


class RowStore:
    """So many rows of one shape, written and read by number.

    Parameters
    ----------
    count : int
        Rows.
    shape, dtype
        Of one row.
    limit : int
        Most bytes to keep in memory.
    tmp : str or None
        Folder of the file that takes more; ``None`` for the system's.

    Raises
    ------
    OutputError
        If the folder has no room for it.

    Notes
    -----
    Rows may be read and written from several threads at once.
    """

    def __init__(self, count: int, shape: tuple[int, ...], dtype: DType, limit: int, tmp: str | None) -> None:
        self._shape, self._dtype = shape, dtype
        self._row_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        total = count * self._row_bytes
        self._fd = -1
        self._rows: Array | None = None
        if total <= limit:
            self._rows = np.empty((count, *shape), dtype)
        else:
            self._fd = _unlinked(temporary_folder(tmp), total)

    @staticmethod
    def memory(count: int, row_bytes: int, limit: int) -> int:
        """Bytes of memory that such a store takes."""
        return count * row_bytes if count * row_bytes <= limit else 0

    def __setitem__(self, number: int, row: Array) -> None:
        if self._rows is not None:
            self._rows[number] = row
        else:
            os.pwrite(self._fd, byte_view(np.ascontiguousarray(row)), number * self._row_bytes)

    def __getitem__(self, number: int) -> Array:
        if self._rows is not None:
            kept: Array = self._rows[number]
            return kept
        row = np.empty(self._shape, self._dtype)
        os.preadv(self._fd, [byte_view(row)], number * self._row_bytes)
        return row

    def close(self) -> None:
        """Let go of memory and file. May be called twice."""
        self._rows = None
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            self.close()


def temporary_folder(chosen: str | os.PathLike[str] | None = None) -> str:
    """Give the folder for temporary files: the one chosen, else ``TMPDIR``, else ``/var/tmp``.

    Not ``/tmp`` before them: on many systems it lies in memory.
    """
    if chosen is not None:
        return os.fspath(chosen)
    import tempfile  # with what it imports a megabyte, for something that most runs do without

    usual = "/var/tmp"
    return os.environ.get("TMPDIR") or (usual if os.access(usual, os.W_OK) else tempfile.gettempdir())


def _unlinked(folder: str, nbytes: int) -> int:
    """Make a file that has no name, with its space reserved."""
    import tempfile

    try:
        fd, name = tempfile.mkstemp(prefix="headrace-", dir=folder)
    except OSError as error:
        raise OutputError(
            f"no temporary file in {folder}: {error.strerror}; name another folder with tmp=",
            path=folder,
            errno=error.errno or 0,
        ) from error
    os.unlink(name)  # noqa: PTH108 - a descriptor is what is kept
    try:
        os.posix_fallocate(fd, 0, nbytes)
    except OSError as error:
        os.close(fd)
        raise OutputError(
            f"a temporary file of {format_bytes(nbytes)} does not fit into {folder}: {error.strerror}; "
            "name another folder with tmp=",
            path=folder,
            errno=error.errno or 0,
        ) from error
    return fd
