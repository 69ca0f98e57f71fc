"""Publish by rename: an output appears complete, or not at all.

A run writes beside its output, under ``.<name>.<job>.part``, where *job* is a hash of what it does; it holds a kernel
lock on that file, so that a part file without a lock is known to be an orphan of a killed run and is swept by the
next run of the same output. At the end the part file is renamed onto the output. A run that resumes has a part file
whose name is a matter of the output alone: a later one finds it, and the journal (`headrace.core.journal`) beside it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import weakref
from contextlib import suppress
from pathlib import Path

import xxhash

from headrace.core.files import FileIdentity
from headrace.core.forks import Origin
from headrace.core.sizes import format_bytes
from headrace.errors import OutputError, OutputExists

__all__ = ["PART_NAME", "PartFile", "refuse_input_as_output"]

PART_NAME = re.compile(r"\.(?P<output>.+)\.[0-9a-f]{12}\.part")
"""Names of part files; the group ``output`` is the output's name, shortened where it is very long."""

_OPEN = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def refuse_input_as_output(output: str | os.PathLike[str], inputs: tuple[str, ...]) -> None:
    """Raise `OutputError` if `output` is one of the files being read, under whatever name."""
    for path in inputs:
        if Path(output).exists() and os.path.samefile(output, path):  # noqa: PTH121 - takes descriptors too
            raise OutputError(f"output {output} is the input: name another file", path=str(output), errno=errno.EINVAL)


class PartFile:
    """An output in the making.

    Parameters
    ----------
    path : str or path-like
        Where the output will appear.
    job : str
        What the run does, in words; runs that differ in it never share a part file.
    force : bool
        Replace an existing output. A symbolic link stays, and what it points to is replaced.
    durable : bool
        Flush file and folder to the disk before and after the rename, so that a power cut keeps what was published.
    resume : bool
        Go on with the part file that a run left which resumed as well; leave it behind on `abort`.

    Attributes
    ----------
    resumable : Path
        The part file of runs that resume.
    reopened : bool
        Whether `open` found one.
    found : FileIdentity
        What it was then.

    Raises
    ------
    OutputExists
        If the output exists and `force` is false, or another run is writing it now.
    OutputError
        If its folder cannot be written.

    Notes
    -----
    Nothing is created before `open`. `write` may be called from any thread.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        job: str,
        force: bool = False,
        durable: bool = False,
        resume: bool = False,
    ) -> None:
        self.path = Path(path)
        self._target = Path(os.path.realpath(path))  # whatever happens to the working folder or to links meanwhile
        self._force, self._durable, self._resume = force, durable, resume
        self._stem = _stem(self._target.name)
        self.resumable = self._named("resume")
        self._part = self.resumable if resume else self._named(job)
        self._fd = -1
        self.reopened, self.found = False, FileIdentity(0, 0, 0, 0)
        self._opening = False
        self._origin = Origin()
        try:
            self._check_free()
        except OutputError:
            raise
        except OSError as error:
            raise self._error(error, "cannot be written there") from error
        _OPEN_PARTS.add(self)

    def open(self, nbytes: int | None) -> None:
        """Create the part file, or reopen the one that is to be resumed, and reserve its space.

        Parameters
        ----------
        nbytes : int or None
            Final size; ``None`` if it is not known.

        Raises
        ------
        OutputError
            If the space is not there (``errno.ENOSPC``) or the folder cannot be written.
        """
        self._opening = True
        try:
            self._sweep()
            if not (self._resume and self._reopen()):
                if self._resume:
                    _forget(self.resumable)  # before there is a part file that it could be taken for the journal of
                self._create()
        except (FileExistsError, BlockingIOError) as error:
            self._opening = False
            raise OutputExists(
                f"another run is writing {self.path} now: wait for it, or name another output",
                path=str(self.path),
            ) from error
        except OSError as error:
            self.abort()
            raise self._error(error, f"cannot be created in {self._target.parent}") from error
        self._opening = False
        if nbytes:
            try:
                os.posix_fallocate(self._fd, 0, nbytes)
            except OSError as error:
                if self.reopened:
                    self.abort()
                else:
                    self.discard()
                free = _free_bytes(self._target.parent)
                raise self._error(
                    error,
                    f"needs {format_bytes(nbytes)} in {self._target.parent}, where {format_bytes(free)} are free",
                ) from error

    def write(self, data: memoryview, offset: int) -> None:
        """Write all of `data` at byte `offset`."""
        view = data.cast("B")
        done = 0
        try:
            while done < len(view):
                done += os.pwrite(self._fd, view[done:], offset + done)
        except OSError as error:
            raise self._error(error, f"failed to take {len(view)} bytes at byte {offset}") from error

    def commit(self, nbytes: int | None = None) -> None:
        """Make the output appear, cut to `nbytes` if that is given.

        Raises
        ------
        OutputExists
            If it appeared meanwhile, and `force` is false.
        OutputError
            If it cannot be published; or if it is, and its folder cannot be flushed to the disk.
        """
        try:
            if nbytes is not None:
                os.ftruncate(self._fd, nbytes)
            if self._durable:
                os.fsync(self._fd)
            self._rename()
        except OSError as error:
            self.abort()
            if isinstance(error, OutputError):
                raise
            raise self._error(error, "could not be published") from error
        self._close()
        if self._durable:
            try:
                _sync_folder(self._target.parent)
            except OSError as error:
                what = "is there and complete, but may not survive a power cut: its folder could not be flushed"
                raise self._error(error, what) from error

    @property
    def identity(self) -> FileIdentity:
        """Which file the part file is, and its size."""
        return FileIdentity.of(self._fd)

    def abort(self) -> None:
        """Leave nothing behind, or, to be resumed, the part file. May be called twice, and after `commit`."""
        if self._resume and self._fd >= 0:
            self._close()
        else:
            self.discard()

    def discard(self) -> None:
        """Leave nothing behind."""
        if not self._origin.here:
            return  # the output is the parent's
        if self._fd >= 0:
            with suppress(OSError):  # a part file that cannot be removed is swept by the next run
                self._part.unlink(missing_ok=True)
            self._close()
        elif self._opening:  # interrupted between creating the file and knowing it: it has no lock yet
            self._sweep()
        self._opening = False

    def _named(self, job: str) -> Path:
        digest = xxhash.xxh3_64_hexdigest(f"{self._target.name}\0{job}".encode())[:12]
        return self._target.with_name(f".{self._stem}.{digest}.part")

    def _reopen(self) -> bool:
        """Open and lock the part file of the run before, if there is one that is not published already."""
        try:
            self._fd = os.open(self._part, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._close()  # first of all: it is another run's
            raise
        links = os.fstat(self._fd).st_nlink
        if links == 1:
            self.reopened, self.found = True, self.identity
            return True
        self._close()
        if links:  # killed between publishing and dropping this name: the file is the output now
            self._part.unlink()
        return False

    def _create(self) -> None:
        """Create and lock the part file, again if a sweep of another run got in between."""
        while True:
            self._fd = os.open(self._part, _OPEN, 0o666)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            if os.fstat(self._fd).st_nlink:
                return
            self._close()

    def _rename(self) -> None:
        if self._force:
            self._part.replace(self._target)
            return
        try:
            os.link(self._part, self._target)  # unlike rename, never replaces
        except FileExistsError as error:
            raise self._exists() from error
        except OSError:  # a file system without hard links
            self._check_free()
            self._part.replace(self._target)
        else:
            with suppress(OSError):  # published all the same; the next run sweeps the second name
                self._part.unlink()

    def _check_free(self) -> None:
        if self._target.exists() and not (self._target.is_file() or self._target.is_dir()):
            raise OutputError(
                f"{self.path} is a device, pipe or socket, which renaming would replace: name a file",
                path=str(self.path),
                errno=errno.EINVAL,
            )
        if self._target.is_dir():
            raise OutputError(f"{self.path} is a folder: name a file in it", path=str(self.path), errno=errno.EISDIR)
        if not self._target.parent.is_dir():
            raise OutputError(
                f"the folder {self.path.parent} does not exist: create it first",
                path=str(self.path),
                errno=errno.ENOENT,
            )
        if not self._force and self._target.exists():
            raise self._exists()

    def _exists(self) -> OutputExists:
        return OutputExists(f"{self.path} exists: pass force=True (--force) to replace it", path=str(self.path))

    def _sweep(self) -> None:
        """Remove the part files of killed runs: those that no process holds a lock on."""
        for orphan in self._target.parent.iterdir():
            named = PART_NAME.fullmatch(orphan.name)
            if named is None or named["output"] != self._stem or (self._resume and orphan == self._part):
                continue
            try:
                fd = os.open(orphan, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:  # gone meanwhile, or not ours to touch: creating our own will tell
                continue
            with suppress(OSError):  # locked by a live run of other options, or not ours to remove
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(fd), orphan.lstat()):  # else the name went over to a run that began since
                    if orphan == self.resumable:
                        _forget(orphan)
                    orphan.unlink()
            os.close(fd)

    def _error(self, error: OSError, what: str) -> OutputError:
        remedy = ": free some space, or write elsewhere" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return OutputError(
            f"output {self.path} {what} ({error.strerror}){remedy}", path=str(self.path), errno=error.errno
        )

    def _close(self) -> None:
        fd, self._fd = self._fd, -1  # first of all: Ctrl-C after the close must not lead to a second one
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            self.abort()


_OPEN_PARTS: weakref.WeakSet[PartFile] = weakref.WeakSet()


def _let_go_in_child() -> None:
    """Close the descriptors that a forked child inherited: its copy would keep a dead parent's lock alive."""
    for part in list(_OPEN_PARTS):
        part._close()


os.register_at_fork(after_in_child=_let_go_in_child)


def _forget(resumable: Path) -> None:
    """Remove what was kept to resume a run."""
    from headrace.core.journal_file import remove_leftovers  # which most runs do without

    remove_leftovers(resumable)


def _stem(name: str) -> str:
    """Shorten a name that would not leave room for ours around it."""
    if len(name.encode()) <= 200:
        return name
    return f"{name[:40]}-{xxhash.xxh3_64_hexdigest(name.encode())}"


def _free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
