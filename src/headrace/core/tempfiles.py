"""Temporary files that no folder shows: their space comes back when they are closed, or when the process dies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headrace import _native
from headrace.core.sizes import format_bytes
from headrace.errors import OutputError

if TYPE_CHECKING:
    from headrace.core.arrays import Array

__all__ = ["UnnamedFile", "temporary_folder"]


class UnnamedFile:
    """A file without a name, written and read by position.

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

    Notes
    -----
    May be written and read from several threads at once.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, purpose: str, *, reserve: int = 0) -> None:
        import tempfile  # with what it imports a megabyte, for something that most runs do without

        self._folder, self._purpose = temporary_folder(folder), purpose
        try:
            self._file = tempfile.TemporaryFile(prefix="headrace-", dir=self._folder, buffering=0)  # noqa: SIM115
        except OSError as error:
            raise self._failed("cannot be made", error) from error
        if reserve:
            try:
                os.posix_fallocate(self._file.fileno(), 0, reserve)
            except OSError as error:
                self.close()
                raise self._failed(f"of {format_bytes(reserve)} finds no room", error) from error

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
                done += os.pwrite(self._file.fileno(), data[done:], offset + done)
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
                count = os.preadv(self._file.fileno(), [into[done:]], offset + done)
                if not count:
                    raise OutputError(f"{self._folder}: {self._purpose} lost its end", path=self._folder)
                done += count
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise self._failed("cannot be read", error) from error

    def write_rows(self, rows: Array, offset: int, stride: int) -> None:
        """Write each ``rows[i]``, of a C-contiguous array, to byte ``offset + i * stride``; see `write`."""
        failed = _native.write_rows(self._file.fileno(), offset, stride, rows)
        if failed:
            raise self._failed(f"did not take {format_bytes(rows.nbytes)}", OSError(failed, os.strerror(failed)))

    def read_rows(self, rows: Array, offset: int, stride: int) -> None:
        """Fill each ``rows[i]``, of a C-contiguous array, from byte ``offset + i * stride``; see `read`."""
        failed = _native.read_rows(self._file.fileno(), offset, stride, rows)
        if failed < 0:
            raise OutputError(f"{self._folder}: {self._purpose} lost its end", path=self._folder)
        if failed:
            raise self._failed("cannot be read", OSError(failed, os.strerror(failed)))

    def close(self) -> None:
        """Give the space back. May be called twice."""
        self._file.close()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self.close()

    def _failed(self, what: str, error: OSError) -> OutputError:
        return OutputError(
            f"{self._folder}: {self._purpose} {what}: {error.strerror or error}; make room there, or name another "
            "folder with tmp=",
            path=self._folder,
            errno=error.errno or 0,
        )


def temporary_folder(chosen: str | os.PathLike[str] | None = None) -> str:
    """Give the folder for temporary files: the one chosen, else ``TMPDIR``, else ``/var/tmp``.

    Not ``/tmp`` before them: on many systems it lies in memory.
    """
    if chosen is not None:
        return os.fspath(chosen)
    import tempfile

    usual = "/var/tmp"
    return os.environ.get("TMPDIR") or (usual if os.access(usual, os.W_OK) else tempfile.gettempdir())
