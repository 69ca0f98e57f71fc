"""What of this machine is lent to this process: processors, memory, limits.

The facts come from the kernel each time they are asked for, so a limit that changes under a running
process is seen. Linux's ``/proc`` and ``/sys`` are asked about the machine here and nowhere else; where they
are missing (macOS) the answers fall back to what ``os`` and ``resource`` know. Every probe takes ``root``,
the folder under which ``proc`` and ``sys`` lie, so that a test can point it at a different tree.
"""

from __future__ import annotations

import math
import os
import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Limits",
    "affinity_count",
    "cgroup_memory_limit",
    "cpu_count",
    "cpu_quota",
    "describe",
    "limits",
    "memory_available",
    "memory_limit",
    "memory_total",
    "temporary_folder",
]


def cpu_count(*, root: str = "/") -> int:
    """Count the processors this process may keep busy.

    Parameters
    ----------
    root : str
        Folder that holds ``proc`` and ``sys``.

    Returns
    -------
    int
        The size of the CPU affinity mask, capped by the control group's quota (rounded up); at least 1.

    Examples
    --------
    >>> cpu_count() >= 1
    True
    """
    count = affinity_count()
    quota = cpu_quota(root=root)
    if quota is not None:
        count = min(count, math.ceil(quota))
    return max(1, count)


def affinity_count() -> int:
    """Count the processors in this process's affinity mask (all of them where there is no mask)."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota(*, root: str = "/") -> float | None:
    """Read the processor time that the control groups allow, in processors.

    Parameters
    ----------
    root : str
        Folder that holds ``proc`` and ``sys``.

    Returns
    -------
    float or None
        The smallest quota among this process's group and its ancestors; None if none is set.
    """
    quotas = []
    for version, folder in _cgroup_folders("cpu", root):
        if version == 2:
            words = _text(f"{folder}/cpu.max").split()
        else:
            words = [_text(f"{folder}/cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
        if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]) > 0:
            quotas.append(int(words[0]) / int(words[1]))  # "max" and -1, for unlimited, are not decimal
    return min((quota for quota in quotas if quota > 0), default=None)


def memory_total(*, root: str = "/") -> int:
    """Read the machine's physical memory, in bytes."""
    known = _meminfo(root).get("MemTotal")
    return known if known is not None else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def cgroup_memory_limit(*, root: str = "/") -> int | None:
    """Read the smallest memory limit among this process's control group and its ancestors.

    Parameters
    ----------
    root : str
        Folder that holds ``proc`` and ``sys``.

    Returns
    -------
    int or None
        Bytes; None if no group sets a limit below the physical memory.
    """
    caps = [cap for _, _, cap in _capped_groups(root)]
    smallest = min(caps, default=None)
    return smallest if smallest is not None and smallest < memory_total(root=root) else None


def memory_limit(*, root: str = "/") -> int:
    """Find how many bytes this process could ever hold.

    Parameters
    ----------
    root : str
        Folder that holds ``proc`` and ``sys``.

    Returns
    -------
    int
        The smallest of the physical memory, the control groups' limits, and the process's own limits on
        data and address space (``ulimit -d``, ``ulimit -v``).
    """
    caps = [memory_total(root=root), *(cap for _, _, cap in _capped_groups(root))]
    caps += [cap for cap in (_rlimit("RLIMIT_DATA"), _rlimit("RLIMIT_AS")) if cap is not None]
    return min(caps)


def memory_available(*, root: str = "/") -> int:
    """Estimate how many bytes could be allocated now without swapping or being killed.

    Parameters
    ----------
    root : str
        Folder that holds ``proc`` and ``sys``.

    Returns
    -------
    int
        Bytes, never negative. File pages that a control group can drop count as available, as they do in
        the kernel's own ``MemAvailable``.
    """
    rooms = [memory_limit(root=root)]
    known = _meminfo(root).get("MemAvailable")
    if known is not None:
        rooms.append(known)
    for version, folder, cap in _capped_groups(root):
        used = _number(f"{folder}/{'memory.current' if version == 2 else 'memory.usage_in_bytes'}") or 0
        stat = _table(f"{folder}/memory.stat")
        droppable = stat.get("inactive_file" if version == 2 else "total_inactive_file", 0)
        rooms.append(cap - max(0, used - droppable))
    return max(0, min(rooms))


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the kernel and of this process that a job may run into; None where unlimited or unknown.

    Attributes
    ----------
    open_files, open_files_hard : int or None
        Descriptors this process may have open now, and the most it may raise that to.
    file_size, data, address_space : int or None
        Bytes of the largest file it may write, of its private memory, of all its mappings.
    max_map_count : int or None
        Mappings one process may have (``vm.max_map_count``).
    page_size : int
        Bytes of a memory page.
    huge_pages : str or None
        Transparent huge pages: ``always``, ``madvise`` or ``never``.
    kernel : str
        Release of the running kernel.
    populate_read : bool
        Whether the kernel knows MADV_POPULATE_READ (Linux 5.14).
    """

    open_files: int | None
    open_files_hard: int | None
    file_size: int | None
    data: int | None
    address_space: int | None
    max_map_count: int | None
    page_size: int
    huge_pages: str | None
    kernel: str
    populate_read: bool


def limits(*, root: str = "/") -> Limits:
    """Read the limits of the kernel and of this process.

    Parameters
    ----------
    root : str
        Folder that holds ``proc`` and ``sys``.
    """
    base = root.rstrip("/")
    release = _text(f"{base}/proc/sys/kernel/osrelease").strip() or os.uname().release
    modes = _text(f"{base}/sys/kernel/mm/transparent_hugepage/enabled").split()
    return Limits(
        open_files=_rlimit("RLIMIT_NOFILE"),
        open_files_hard=_rlimit("RLIMIT_NOFILE", hard=True),
        file_size=_rlimit("RLIMIT_FSIZE"),
        data=_rlimit("RLIMIT_DATA"),
        address_space=_rlimit("RLIMIT_AS"),
        max_map_count=_number(f"{base}/proc/sys/vm/max_map_count"),
        page_size=os.sysconf("SC_PAGE_SIZE"),
        huge_pages=next((mode.strip("[]") for mode in modes if mode.startswith("[")), None),
        kernel=release,
        populate_read=sys.platform == "linux" and _release(release) >= (5, 14),
    )


def describe(*, root: str = "/") -> dict[str, str | int | float | None]:
    """Describe the machine and the software under it, for the record of a measurement.

    Parameters
    ----------
    root : str
        Folder that holds ``proc`` and ``sys``.

    Returns
    -------
    dict
        Plain values that fit JSON. No host name, user or path is among them.
    """
    import importlib.metadata  # both are slow to import, and only a report needs them
    import platform

    def version(name: str) -> str | None:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None

    return {
        "cpu": _cpu_model(root) or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cpus": os.cpu_count() or 1,
        "cpu_count": cpu_count(root=root),
        "cpu_quota": cpu_quota(root=root),
        "memory_bytes": memory_total(root=root),
        "memory_limit_bytes": memory_limit(root=root),
        "page_size": os.sysconf("SC_PAGE_SIZE"),
        "system": platform.system(),
        "kernel": limits(root=root).kernel,
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "headrace": version("headrace"),
    }


# Control groups


def _cgroup_folders(controller: str, root: str) -> Iterator[tuple[int, str]]:
    """Walk from this process's control group up to where the hierarchy is mounted.

    Yields ``(version, folder)``. A group's limit binds all its descendants, so each ancestor counts. In a
    container the mount may show only a part of the hierarchy: its root (field 4 of mountinfo, see proc(5))
    is taken off the path, and a process outside that part is represented by the mount itself.
    """
    base = root.rstrip("/")
    own: dict[str, str] = {}  # controller, or "" for the unified hierarchy -> path of this process's group
    for line in _text(f"{base}/proc/self/cgroup").splitlines():
        fields = line.split(":", 2)
        if len(fields) == 3:
            own.update(dict.fromkeys(fields[1].split(","), fields[2]))
    for line in _text(f"{base}/proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        where, what = left.split(), right.split()
        if len(where) < 5 or len(what) < 3:
            continue
        if what[0] == "cgroup2" and "" in own:
            version, path = 2, own[""]
        elif what[0] == "cgroup" and controller in own and controller in what[2].split(","):
            version, path = 1, own[controller]
        else:
            continue
        top = base + where[4].replace("\\040", " ")
        inside = os.path.relpath(path, where[3])
        parts = [] if inside.startswith("..") else [part for part in inside.split("/") if part != "."]
        for depth in range(len(parts), -1, -1):
            yield version, "/".join([top, *parts[:depth]])


def _capped_groups(root: str) -> list[tuple[int, str, int]]:
    """List ``(version, folder, bytes)`` of the control groups that cap this process's memory."""
    found = []
    for version, folder in _cgroup_folders("memory", root):
        cap = _number(f"{folder}/{'memory.max' if version == 2 else 'memory.limit_in_bytes'}")
        if cap is not None:
            found.append((version, folder, cap))
    return found


# Small readers: a fact that is absent or unreadable is None or empty, never an error


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (pathlib would cost its import)
            return file.read()
    except OSError:
        return ""


def _number(path: str) -> int | None:
    word = _text(path).strip()
    return int(word) if word.isdecimal() else None


def _table(path: str) -> dict[str, int]:
    rows = (line.split() for line in _text(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}


def _meminfo(root: str) -> dict[str, int]:
    """Read /proc/meminfo as name -> bytes (its "kB" are KiB)."""
    rows = (line.split() for line in _text(f"{root.rstrip('/')}/proc/meminfo").splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) == 3 and row[1].isdecimal()}


def _rlimit(name: str, *, hard: bool = False) -> int | None:
    number = getattr(resource, name, None)
    if number is None:
        return None
    value = resource.getrlimit(number)[1 if hard else 0]
    return None if value == resource.RLIM_INFINITY else value


def _release(text: str) -> tuple[int, int]:
    major, _, rest = text.partition(".")
    minor = "".join(c if c.isdecimal() else " " for c in rest).split()
    return (int(major) if major.isdecimal() else 0, int(minor[0]) if minor else 0)


def _cpu_model(root: str) -> str | None:
    for line in _text(f"{root.rstrip('/')}/proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model", "Hardware"):
            return value.strip()
    return None


def temporary_folder(chosen: str | os.PathLike[str] | None = None) -> str:
    """Give the folder for temporary files: the one chosen, else ``TMPDIR``, else ``/var/tmp``.

    Not ``/tmp`` before them: on many systems it lies in memory.
    """
    if chosen is not None:
        return os.fspath(chosen)
    import tempfile

    usual = "/var/tmp"
    return os.environ.get("TMPDIR") or (usual if os.access(usual, os.W_OK) else tempfile.gettempdir())
