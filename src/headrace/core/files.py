"""Reading files that may change, fail or vanish under us: identity checks, and preadv into given buffers.

A file that is being read is not ours. It can be truncated, rewritten, regrown or fail at any moment, so each read
is followed by a look at the file's identity (device, inode, size, modification time): a chunk is handed over only if
the file still was, after the read, the one that was opened.
"""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headrace import _native
from headrace.core.closeable import Closeable
from headrace.core.forks import renew_lock_in_child
from headrace.errors import FormatError, SourceChanged, SourceIOError

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.core.span import Span

__all__ = ["FileIdentity", "FileReader", "regular_file"]


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What makes an open file the same file with the same contents.

    Attributes
    ----------
    device, inode : int
        Which file.
    size : int
        Bytes.
    mtime_ns : int
        Last modification, nanoseconds since the epoch.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, fd: int) -> FileIdentity:
        """Look at an open descriptor."""
        status = os.fstat(fd)
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    def difference(self, now: FileIdentity) -> str:
        """Say what changed, for an error message."""
        if now.size < self.size and now.inode == self.inode:
            return f"was truncated from {self.size} to {now.size} bytes"
        if (now.device, now.inode) != (self.device, self.inode):
            return "was replaced by another file"
        if now.size > self.size:
            return f"grew from {self.size} to {now.size} bytes"
        return "was rewritten (its modification time moved)"


def regular_file(path: str | os.PathLike[str]) -> Path:
    """Check that `path` names a regular file, with an error that says what it is instead.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If nothing, or a folder, is there.
    FormatError
        If it is a pipe, socket or device.
    """
    found = Path(path)
    mode = os.stat(found).st_mode  # noqa: PTH116 - Path.stat would hide a bytes path's TypeError
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(21, f"is a folder; name its files, such as '{found / '*.npy'}'", str(found))
    if not stat.S_ISREG(mode):
        raise FormatError(
            f"{found} is a pipe, socket or device, which cannot be read by position: "
            "feed it through headrace.signals.from_iter"
        )
    return found


class FileReader(Closeable):
    """A file open for positioned reads from any thread.

    Parameters
    ----------
    path : str or path-like
        A regular file.

    Notes
    -----
    Holds one descriptor until `close`, which waits for nobody: reads under way finish on it, later ones raise.
    Usable in a forked child: positioned reads share no cursor. Pickled, it carries path and identity: where it is
    unpickled the file is opened at the first read, and must still be the same one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = str(regular_file(path))
        self._absolute = os.path.abspath(self.path)  # noqa: PTH100 - Path.absolute keeps "..", which may move
        self._lock = threading.RLock()
        renew_lock_in_child(self)
        self._reads, self._closed = 0, False
        self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self.identity = FileIdentity.of(self._fd)

    @property
    def size(self) -> int:
        """Bytes in the file when it was opened."""
        return self.identity.size

    def read_into(self, buffer: memoryview, offset: int, span: Span | None = None) -> None:
        """Fill `buffer` from byte `offset`, or raise.

        Parameters
        ----------
        buffer : memoryview
            Writable and contiguous; filled completely.
        offset : int
            Byte position in the file.
        span : Span, optional
            The samples this read is for, named in errors.

        Raises
        ------
        SourceChanged
            If the file is no longer what was opened; the buffer's contents must not be used.
        SourceIOError
            If the storage failed.
        ValueError
            If the reader is closed.
        """
        view = buffer.cast("B")
        fd = self._enter()
        try:
            done = 0
            while done < len(view):
                count = self._pread(fd, view[done:], offset + done, span)
                if count == 0:
                    break
                done += count
            self._check(fd, offset + done, span)
            if done < len(view):  # same identity, yet shorter than its size: the file system lied
                raise self._changed(f"ended at byte {offset + done}", offset + done, span)
        finally:
            self._leave()

    def read_rows(self, rows: Array, offset: int, stride: int, span: Span | None = None) -> None:
        """Fill each ``rows[i]``, of a C-contiguous array, from byte ``offset + i * stride``; see `read_into`."""
        fd = self._enter()
        try:
            failed = _native.read_rows(fd, offset, stride, rows)
            if failed > 0:
                raise self._failed(rows.nbytes, offset, span, OSError(failed, os.strerror(failed)))
            self._check(fd, offset, span)
            if failed:
                raise self._changed("ended early", offset, span)
        finally:
            self._leave()

    def verify(self, span: Span | None = None) -> None:
        """Raise `SourceChanged` unless the file still is what was opened."""
        fd = self._enter()
        try:
            self._check(fd, None, span)
        finally:
            self._leave()

    def fileno(self) -> int:
        """Give the descriptor, for mapping; it stays this reader's."""
        with self._lock:
            if self._closed:
                raise ValueError(f"{self.path} is closed")
            if self._fd < 0:
                self._wake()
            return self._fd

    def rest(self) -> None:
        """Let go of the descriptor until the next read, which opens the file again if it still is the same one."""
        with self._lock:
            if self._reads == 0 and not self._closed:
                self._shut()

    def close(self) -> None:
        """Close the descriptor once the reads under way are done. May be called twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._reads == 0:
                self._shut()

    def _pread(self, fd: int, view: memoryview, offset: int, span: Span | None) -> int:
        try:
            return os.preadv(fd, [view], offset)
        except OSError as error:
            raise self._failed(len(view), offset, span, error) from error

    def _failed(self, count: int, offset: int, span: Span | None, error: OSError) -> SourceIOError:
        where = f" while reading samples {span}" if span else ""
        return SourceIOError(
            f"{self.path}: reading {count} bytes at byte {offset} failed{where}: {error.strerror or error}; "
            "check the storage",
            path=self.path,
            offset=offset,
            span=_pair(span),
            errno=error.errno,
        )

    def _check(self, fd: int, offset: int | None, span: Span | None) -> None:
        status, known = os.fstat(fd), self.identity
        if (status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev) != (
            known.size,
            known.mtime_ns,
            known.inode,
            known.device,
        ):
            raise self._changed(known.difference(FileIdentity.of(fd)), offset, span)

    def _changed(self, what: str, offset: int | None, span: Span | None) -> SourceChanged:
        where = f", noticed at samples {span}" if span else ""
        return SourceChanged(
            f"{self.path} {what} after it was opened{where}: open it again, and write new versions beside it "
            "and rename them into place",
            path=self.path,
            offset=offset,
            span=_pair(span),
        )

    def _enter(self) -> int:
        with self._lock:
            if self._closed:
                raise ValueError(f"{self.path} is closed")
            if self._fd < 0:
                self._wake()
            self._reads += 1
            return self._fd

    def _leave(self) -> None:
        with self._lock:
            self._reads -= 1
            if self._closed and self._reads == 0:
                self._shut()

    def _shut(self) -> None:
        fd, self._fd = self._fd, -1  # first of all: Ctrl-C after the close must not lead to a second one
        if fd >= 0:
            os.close(fd)

    def _wake(self) -> None:
        """Open the file again after `rest`."""
        try:
            fd = os.open(self._absolute, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise SourceIOError(
                f"{self.path} cannot be opened again: {error.strerror}", path=self.path, errno=error.errno
            ) from error
        now = FileIdentity.of(fd)
        if now != self.identity:
            os.close(fd)
            raise self._changed(self.identity.difference(now), None, None)
        self._fd = fd

    def __getstate__(self) -> dict[str, object]:
        with self._lock:
            if self._closed:
                raise ValueError(f"{self.path} is closed")
        return {"path": self.path, "_absolute": self._absolute, "identity": self.identity}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()
        renew_lock_in_child(self)
        self._reads, self._closed, self._fd = 0, False, -1

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            self.close()


def _pair(span: Span | None) -> tuple[int, int] | None:
    return (span.start, span.stop) if span else None
