"""Guarded mapping: a file as memory, for those who want no copy and accept what that means.

A mapped file is an untrusted pointer: touching a page that the file no longer has kills the process with
SIGBUS, which Python cannot catch. So pages are populated (MADV_POPULATE_READ, Linux 5.14) before a view is handed
over, which turns the same faults into an error here; a file that shrinks *while a view is held* is beyond help. The
data path of flows therefore uses positioned reads (`headrace.core.files`); this is the explicit other door.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.closeable import Closeable
from headrace.core.files import FileIdentity, FileReader
from headrace.errors import BufferInUse, SourceChanged, SourceIOError

if TYPE_CHECKING:
    import os

    from headrace.core.arrays import Array, DType

__all__ = ["GuardedMap"]

_POPULATE_READ = 22  # MADV_POPULATE_READ, linux/mman.h; the mmap module names it from Python 3.14 on
_EFAULT, _EINVAL = 14, 22


class GuardedMap(Closeable):
    """A read-only map of a whole file.

    Parameters
    ----------
    path : str or path-like
        A regular file of at least one byte.

    Notes
    -----
    `release` gives the pages of a finished range back, so a pass over a large map stays small: mapped pages
    count in the process's peak like any others. Views keep the map alive after `close` is refused.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._reader = FileReader(path)
        try:
            self._map = mmap.mmap(self._reader.fileno(), self._reader.size, prot=mmap.PROT_READ)
        except (OSError, ValueError):
            self._reader.close()
            raise
        self._map.madvise(mmap.MADV_RANDOM)  # we read ahead ourselves; fault-around would blur the peak

    @property
    def path(self) -> str:
        """The file."""
        return self._reader.path

    @property
    def identity(self) -> FileIdentity:
        """Which file, in which state."""
        return self._reader.identity

    @property
    def size(self) -> int:
        """Bytes mapped."""
        return self._reader.size

    def read_ahead(self, start: int, stop: int) -> None:
        """Ask the kernel to start loading bytes ``[start, stop)``; returns at once (MADV_WILLNEED)."""
        self._advise(mmap.MADV_WILLNEED, start, stop)

    def release(self, start: int, stop: int) -> None:
        """Unmap the whole pages inside ``[start, stop)``; they stay in the page cache (MADV_DONTNEED)."""
        page = mmap.PAGESIZE
        first, last = -(-start // page) * page, stop if stop == self.size else stop // page * page
        if last > first:
            self._map.madvise(mmap.MADV_DONTNEED, first, last - first)

    def view(self, dtype: DType, start: int, count: int) -> Array:
        """Populate and view `count` items from byte `start`, without a copy.

        Parameters
        ----------
        dtype : dtype
            Of the items.
        start : int
            Byte offset of the first.
        count : int
            How many.

        Returns
        -------
        ndarray, shape (count,)
            Read-only; keeps the map alive.

        Raises
        ------
        SourceChanged
            If the file is no longer what was opened.
        SourceIOError
            If its storage failed.
        """
        stop = start + count * dtype.itemsize
        if start < 0 or stop > self.size:
            raise ValueError(f"bytes [{start}, {stop}) are not inside {self.path} ({self.size} bytes)")
        self._reader.verify()
        self._populate(start, stop)
        self._reader.verify()
        array = np.frombuffer(self._map, dtype, count, start)
        array.flags.writeable = False
        return array

    def verify(self) -> None:
        """Raise `SourceChanged` unless the file still is what was opened."""
        self._reader.verify()

    def close(self) -> None:
        """Unmap. May be called twice.

        Raises
        ------
        BufferInUse
            If a view is alive; the map goes when the last view does.
        """
        try:
            self._map.close()
        except BufferError as error:
            raise BufferInUse(f"views of {self.path} are alive: drop them before closing the map") from error
        self._reader.close()

    def _advise(self, advice: int, start: int, stop: int) -> None:
        first = start // mmap.PAGESIZE * mmap.PAGESIZE
        if stop > first:
            self._map.madvise(advice, first, stop - first)

    def _populate(self, start: int, stop: int) -> None:
        try:
            self._advise(_POPULATE_READ, start, stop)
        except OSError as error:
            if error.errno == _EINVAL:  # a kernel before 5.14: the identity checks around us must do
                self._advise(mmap.MADV_WILLNEED, start, stop)
            elif error.errno == _EFAULT:
                raise SourceChanged(
                    f"{self.path} no longer has bytes [{start}, {stop}), or its storage cannot give them: "
                    "it was truncated or failed after it was opened",
                    path=self.path,
                    offset=start,
                ) from error
            else:
                raise SourceIOError(
                    f"{self.path}: mapping bytes [{start}, {stop}) failed: {error.strerror}",
                    path=self.path,
                    offset=start,
                    errno=error.errno,
                ) from error
