"""Fault injectors, and the counters that show whether a fault left something behind."""

from __future__ import annotations

import gc
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headrace.core.arrays import Array
    from headrace.core.operator import Spec
    from headrace.core.source import Source
    from headrace.core.span import Span

__all__ = ["TriggeredSource", "no_leaks", "part_files", "regrow", "rewrite", "truncate"]

_GRACE_S = 5.0  # for threads that were told to stop and are about to


class TriggeredSource:
    """A source that acts up at its n-th read.

    Parameters
    ----------
    source : Source
        What is read.
    at : int
        Number of the read, from 0, before which `action` is called.
    action : callable
        ``action()``; may raise (a failing disk), wait (a slow one), or damage the file behind the source.

    Notes
    -----
    Safe from any thread: exactly one read calls `action`, and it has returned before that read begins.
    """

    def __init__(self, source: Source, at: int, action: Callable[[], object]) -> None:
        self._source, self._at, self._action = source, at, action
        self._lock = threading.Lock()
        self.reads = 0

    @property
    def spec(self) -> Spec:
        """See `Source`."""
        return self._source.spec

    @property
    def segments(self) -> tuple[Span, ...]:
        """See `Source`."""
        return self._source.segments

    @property
    def scratch_bytes(self) -> int:
        """See `Source`."""
        return self._source.scratch_bytes

    @property
    def paths(self) -> tuple[str, ...]:
        """See `Source`."""
        return self._source.paths

    def read(self, span: Span, out: Array) -> None:
        """See `Source.read`."""
        with self._lock:
            number = self.reads
            self.reads += 1
        if number == self._at:
            self._action()
        self._source.read(span, out)

    def verify(self) -> None:
        """See `Source.verify`."""
        self._source.verify()

    def close(self) -> None:
        """See `Source.close`."""
        self._source.close()


def truncate(path: Path, size: int) -> None:
    """Cut a file to `size` bytes."""
    os.truncate(path, size)


def regrow(path: Path, size: int) -> None:
    """Cut a file to `size` bytes and grow it to its old length again; what was cut reads as zeros."""
    before = path.stat()
    os.truncate(path, size)
    os.truncate(path, before.st_size)
    _move_clock(path, before)


def rewrite(path: Path, offset: int, data: bytes) -> None:
    """Overwrite bytes of a file in place; its size stays."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)
    _move_clock(path, before)


def _move_clock(path: Path, before: os.stat_result) -> None:
    """See that the modification time moved: coarse clocks stand still for some milliseconds."""
    if path.stat().st_mtime_ns == before.st_mtime_ns:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))


def part_files(folder: Path) -> list[str]:
    """List the part files of unfinished outputs in a folder."""
    return sorted(path.name for path in folder.glob(".*.part"))


@contextmanager
def no_leaks(folder: Path | None = None) -> Iterator[None]:
    """Check that a ``with`` block leaves no thread, descriptor, mapped file or temporary file behind.

    Parameters
    ----------
    folder : Path, optional
        Where new files of any name count as left behind.

    Raises
    ------
    AssertionError
        With what was left.

    Notes
    -----
    Threads that were told to stop have a few seconds to do so. Descriptors and maps are counted where there is a
    ``/proc``; shared libraries that were loaded meanwhile do not count.
    """
    gc.collect()
    before = _Counts.now(folder)
    yield
    left = _Counts.now(folder).beyond(before)
    if left:  # what only a reference cycle holds, or a thread that was told to stop, is about to go
        gc.collect()
        for thread in set(threading.enumerate()) - before.threads:
            thread.join(_GRACE_S)
        gc.collect()
        left = _Counts.now(folder).beyond(before)
    if left:
        raise AssertionError(f"left behind: {'; '.join(left)}")


@dataclass(frozen=True)
class _Counts:
    """What this process has at one moment."""

    threads: set[threading.Thread]
    descriptors: set[tuple[str, str]]
    maps: dict[str, int]
    files: set[str]

    @classmethod
    def now(cls, folder: Path | None) -> _Counts:
        return cls(set(threading.enumerate()), set(_descriptors().items()), _maps(), _files(folder))

    def beyond(self, before: _Counts) -> list[str]:
        """Say what is here that was not there before."""
        more = {
            "threads": sorted(thread.name for thread in self.threads - before.threads),
            "descriptors": sorted(self.descriptors - before.descriptors),
            "maps": sorted(path for path, count in self.maps.items() if count > before.maps.get(path, 0)),
            "files": sorted(self.files - before.files),
        }
        return [f"{name}: {things}" for name, things in more.items() if things]


def _descriptors() -> dict[str, str]:
    found = {}
    try:
        names = os.listdir("/proc/self/fd")  # noqa: PTH208 - names only
    except OSError:
        return {}
    for name in names:
        try:
            found[name] = str(Path(f"/proc/self/fd/{name}").readlink())
        except OSError:  # the descriptor that listed the others
            continue
    return found


def _maps() -> dict[str, int]:
    found: dict[str, int] = {}
    try:
        text = Path("/proc/self/maps").read_text("utf-8", "replace")
    except OSError:
        return {}
    for line in text.splitlines():
        fields = line.split(None, 5)
        path = fields[5] if len(fields) > 5 else ""
        if path.startswith("/") and ".so" not in path:
            found[path] = found.get(path, 0) + 1
    return found


def _files(folder: Path | None) -> set[str]:
    return {str(path) for path in folder.rglob("*")} if folder is not None else set()
