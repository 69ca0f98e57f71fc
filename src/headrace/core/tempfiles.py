"""Temporary files, written and read by position: such as no folder shows, and such as outlive a killed process."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from headrace import _native
from headrace.core.files import FileIdentity
from headrace.core.machine import temporary_folder
from headrace.core.sizes import format_bytes
from headrace.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

    from headrace.core.arrays import Array

__all__ = ["NamedFile", "ScratchFile", "UnnamedFile"]


class ScratchFile:
    """A file that is written and read by position, from several threads at once if need be.

    Parameters
    ----------
    fd : int
        Open for both; closed with this object.
    place : str
        Where its bytes lie, for messages.
    purpose : str
        What it holds, for messages.
    """

    def __init__(self, fd: int, place: str, purpose: str) -> None:
        self._fd, self._place, self._purpose = fd, place, purpose

    def reserve(self, nbytes: int) -> None:
        """Take so many bytes of the folder's space at once; without it, closes the file.

        Raises
        ------
        OutputError
            If there is no room for them.
        """
        if not nbytes:
            return
        try:
            os.posix_fallocate(self._fd, 0, nbytes)
        except OSError as error:
            self.close()
            raise self._failed(f"of {format_bytes(nbytes)} finds no room", error) from error

    def write(self, data: memoryview, offset: int) -> None:
        """Write bytes, all of them, at byte `offset`.

        Raises
        ------
        OutputError
            If the folder does not take them.
        """
        done = 0
        try:
            while done < len(data):
                done += os.pwrite(self._fd, data[done:], offset + done)
        except OSError as error:
            raise self._failed(f"did not take {format_bytes(len(data))}", error) from error

    def read(self, into: memoryview, offset: int) -> None:
        """Fill `into` with the bytes from byte `offset`.

        Raises
        ------
        OutputError
            If the bytes cannot be read, or are not there.
        """
        done = 0
        try:
            while done < len(into):
                count = os.preadv(self._fd, [into[done:]], offset + done)
                if not count:
                    raise OutputError(f"{self._place}: {self._purpose} lost its end", path=self._place)
                done += count
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise self._failed("cannot be read", error) from error

    def write_rows(self, rows: Array, offset: int, stride: int) -> None:
        """Write each ``rows[i]``, of a C-contiguous array, to byte ``offset + i * stride``; see `write`."""
        failed = self._on_own_fd(_native.write_rows, offset, stride, rows)
        if failed:
            raise self._failed(f"did not take {format_bytes(rows.nbytes)}", OSError(failed, os.strerror(failed)))

    def read_rows(self, rows: Array, offset: int, stride: int) -> None:
        """Fill each ``rows[i]``, of a C-contiguous array, from byte ``offset + i * stride``; see `read`."""
        failed = self._on_own_fd(_native.read_rows, offset, stride, rows)
        if failed < 0:
            raise OutputError(f"{self._place}: {self._purpose} lost its end", path=self._place)
        if failed:
            raise self._failed("cannot be read", OSError(failed, os.strerror(failed)))

    def _on_own_fd(self, call: Callable[[int, int, int, Array], int], offset: int, stride: int, rows: Array) -> int:
        """Call with a descriptor of its own: a close in another thread must not lead many writes into another file."""
        try:
            fd = os.dup(self._fd)
        except OSError as error:
            return error.errno or errno.EIO
        try:
            return call(fd, offset, stride, rows)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Let go of it. May be called twice."""
        fd, self._fd = self._fd, -1  # first of all: Ctrl-C after the close must not lead to a second one
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            self.close()

    def _failed(self, what: str, error: OSError) -> OutputError:
        return _failure(self._place, self._purpose, what, error)


class UnnamedFile(ScratchFile):
    """A file without a name: its space comes back when it is closed, or when the process dies.

    Parameters
    ----------
    folder : path-like or None
        Where its bytes lie; ``None`` for `temporary_folder`.
    purpose : str
        What it holds, for messages.
    reserve : int
        Bytes to reserve at once.

    Raises
    ------
    OutputError
        If it cannot be made, or the folder has no room for what is reserved.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, purpose: str, *, reserve: int = 0) -> None:
        import tempfile  # with what it imports a megabyte, for something that most runs do without

        chosen = temporary_folder(folder)
        try:
            with tempfile.TemporaryFile(prefix="headrace-", dir=chosen, buffering=0) as file:
                super().__init__(os.dup(file.fileno()), chosen, purpose)
        except OSError as error:
            raise _failure(chosen, purpose, "cannot be made", error) from error
        self.reserve(reserve)


class NamedFile(ScratchFile):
    """A file that stays when it is closed, or the process dies, until `remove`; made by `create` and `reopen`."""

    def __init__(self, fd: int, path: Path, purpose: str) -> None:
        super().__init__(fd, str(path), purpose)
        self.path = path

    @classmethod
    def create(cls, path: Path, purpose: str) -> Self:
        """Make the file anew; one of this name goes.

        Raises
        ------
        OutputError
            If its folder cannot be written.
        """
        try:
            path.unlink(missing_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            return cls(os.open(path, flags, 0o600), path, purpose)
        except OSError as error:
            raise _failure(str(path.parent), purpose, "cannot be made", error) from error

    @classmethod
    def reopen(cls, path: Path, purpose: str) -> Self | None:
        """Open the file that is there; ``None`` if none is.

        Raises
        ------
        OutputError
            If it cannot be opened, such as a link or a folder of this name.
        """
        try:
            return cls(os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC), path, purpose)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failure(str(path.parent), purpose, "cannot be opened", error) from error

    @property
    def identity(self) -> FileIdentity:
        """Which file it is, and its size."""
        return FileIdentity.of(self._fd)

    def truncate(self, nbytes: int) -> None:
        """Cut it to so many bytes.

        Raises
        ------
        OutputError
            If that fails.
        """
        try:
            os.ftruncate(self._fd, nbytes)
        except OSError as error:
            raise self._failed("cannot be cut", error) from error

    def rename(self, path: Path) -> None:
        """Give it another name, in place of the file that has it.

        Raises
        ------
        OutputError
            If that fails.
        """
        try:
            self.path = self.path.replace(path)
        except OSError as error:
            raise self._failed("cannot be renamed", error) from error

    def remove(self) -> None:
        """Close and delete it. May be called twice."""
        self.close()
        self.path.unlink(missing_ok=True)


def _failure(place: str, purpose: str, what: str, error: OSError) -> OutputError:
    return OutputError(
        f"{place}: {purpose} {what}: {error.strerror or error}; make room there, or name another folder with tmp=",
        path=place,
        errno=error.errno or errno.EIO,
    )
