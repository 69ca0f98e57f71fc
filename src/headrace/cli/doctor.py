"""``headrace doctor``: what is installed, what is missing, and which limits will bite."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from headrace.cli._help import examples
from headrace.core import machine

if TYPE_CHECKING:
    from collections.abc import Iterator

OK, WARN, MISSING = "ok", "warn", "missing"
_COLOURS = {OK: "green", WARN: "yellow", MISSING: "red"}
_GIB, _MIB = 1 << 30, 1 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """One finding.

    Attributes
    ----------
    name : str
        What was looked at.
    state : str
        ``ok``, ``warn`` (works, but will bite) or ``missing``.
    found : str
        What was found, with numbers.
    remedy : str
        The command or setting that mends it; empty if nothing needs mending.
    required : bool
        Whether headrace cannot do its work without it.
    """

    name: str
    state: str
    found: str
    remedy: str = ""
    required: bool = False


@click.command(epilog=examples("headrace doctor", "headrace doctor --json | python -m json.tool"))
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """Say what is installed, what is missing and the command that brings it, and which limits will bite.

    Exits with 1 if something that headrace needs is missing; missing extras are only reported.
    """
    rows = list(findings())
    bad = [row for row in rows if row.required and row.state == MISSING]
    if as_json:
        click.echo(json.dumps({"ok": not bad, "rows": [dataclasses.asdict(row) for row in rows]}, indent=2))
    else:
        _print_table(rows)
        if bad:
            click.echo(f"\nheadrace cannot work here without: {', '.join(row.name for row in bad)}")
        elif any(row.state != OK for row in rows):
            click.echo("\nEverything that headrace needs is here.")
        else:
            click.echo("\nEverything is here.")
    ctx.exit(1 if bad else 0)


def findings() -> Iterator[Row]:
    """Look at everything, in the order of the table."""
    yield from _software()
    yield from _extras()
    yield _compiler()
    yield from _processors()
    yield from _memory()
    yield from _kernel()
    yield from _limits()
    yield from _disks()


def _print_table(rows: list[Row]) -> None:
    names = max(len(row.name) for row in rows)
    for row in rows:
        state = click.style(f"{row.state:<7}", fg=_COLOURS[row.state], bold=row.state != OK)
        click.echo(f"{row.name:<{names}}  {state}  {row.found}")
        if row.remedy:
            click.echo(f"{'':<{names}}           -> {row.remedy}")


# The software


def _software() -> Iterator[Row]:
    version = platform.python_version()
    recent = sys.version_info >= (3, 11)
    yield Row(
        "python",
        OK if recent else MISSING,
        f"{platform.python_implementation()} {version} at {sys.executable}",
        "" if recent else "install Python 3.11 or newer",
        required=True,
    )
    linux = sys.platform == "linux"
    yield Row(
        "platform",
        OK if linux else WARN,
        f"{platform.system()} {platform.machine()}" + ("" if linux else ": signals only, and not tested"),
    )
    yield Row("headrace", OK, _version("headrace") or "not installed, run from its source folder", required=True)
    yield _native()
    for name in ("numpy", "xxhash"):
        found = _version(name)
        remedy = "" if found else f"pip install {name}"
        yield Row(name, OK if found else MISSING, found or "not installed", remedy, required=True)


def _native() -> Row:
    try:
        native: Any = importlib.import_module("headrace._native")
    except ImportError as error:
        remedy = "pip install --force-reinstall headrace (in its source folder: make setup)"
        return Row("native core", MISSING, f"not built: {error}", remedy, required=True)
    facts = []
    for name in ("isa", "cpu_features"):
        value = getattr(native, name, None)
        value = value() if callable(value) else value
        if isinstance(value, dict):
            value = [key for key, present in value.items() if present]
        if value and not isinstance(value, str):
            value = " ".join(map(str, value))
        if value:
            facts.append(f"{name.replace('_', ' ')}: {value}")
    return Row("native core", OK, "; ".join(["built", *facts]), required=True)


_IN_USE = ("arrow", "cli", "plot", "signals", "torch")  # the other extras belong to jobs that are to come


def _extras() -> Iterator[Row]:
    needs: dict[str, list[str]] = {}
    try:
        declared = importlib.metadata.requires("headrace") or []
    except importlib.metadata.PackageNotFoundError:
        declared = []
    for line in declared:
        extra = re.search(r"""extra\s*==\s*['"]([\w-]+)['"]""", line)
        if extra and extra[1] not in ("all", "dev"):
            needs.setdefault(extra[1], []).append(line.split(";")[0].strip())
    for extra_name, requirements in sorted(needs.items()):
        states = [_requirement(line) for line in requirements]
        lacking = [text for present, text in states if not present]
        yield Row(
            f"extra {extra_name}",
            MISSING if lacking else OK,
            ", ".join(text for _, text in states) + ("" if extra_name in _IN_USE else "; nothing uses it yet"),
            f"pip install 'headrace[{extra_name}]'" if lacking else "",
        )


def _requirement(line: str) -> tuple[bool, str]:
    """Check ``name[extra]>=1.2`` by the installed metadata: whether it is met, and in words."""
    name = re.split(r"[\s\[<>=!~(]", line, maxsplit=1)[0]
    found = _version(name)
    if found is None:
        return False, f"{name} not installed"
    lowest = re.search(r">=\s*([\d.]+)", line)
    if lowest and _numbers(found) < _numbers(lowest[1]):
        return False, f"{name} {found} is older than {lowest[1]}"
    return True, f"{name} {found}"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    leading = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, leading[0].split("."))) if leading else ()


def _compiler() -> Row:
    wanted = os.environ.get("CXX")
    for name in ([wanted] if wanted else []) + ["c++", "g++", "clang++"]:
        path = shutil.which(name.split()[0])
        if path:
            done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
            first = (done.stdout or done.stderr).splitlines()[:1]
            return Row("compiler", OK, first[0] if first else path)
    return Row("compiler", OK, "none (needed only to build headrace from source)")


# The machine


def _processors() -> Iterator[Row]:
    quota = machine.cpu_quota()
    parts = [f"{os.cpu_count()} in the machine", f"{machine.affinity_count()} in this process's affinity"]
    parts.append(f"quota of the control group {quota:g}" if quota else "no quota")
    yield Row("processors", OK, f"{machine.cpu_count()} used by default: {', '.join(parts)}")


def _memory() -> Iterator[Row]:
    available, limit = machine.memory_available(), machine.memory_limit()
    low = available < _GIB // 2
    yield Row(
        "memory",
        WARN if low else OK,
        f"{_size(available)} available of {_size(machine.memory_total())}",
        "close other programs, or give a smaller --memory" if low else "",
    )
    group = machine.cgroup_memory_limit()
    yield Row("memory limit", OK, f"{_size(limit)}" + (" (control group)" if group == limit else ""))


def _kernel() -> Iterator[Row]:
    found = machine.limits()
    if found.populate_read:
        yield Row("kernel", OK, found.kernel)
    else:
        yield Row("kernel", WARN, f"{found.kernel}: no MADV_POPULATE_READ, files are read with preadv", "Linux 5.14")
    pages = f"{found.page_size} bytes"
    yield Row("pages", OK, f"{pages}, transparent huge pages: {found.huge_pages or 'unknown'}")


def _limits() -> Iterator[Row]:
    found = machine.limits()
    files, hard = found.open_files, found.open_files_hard
    few = files is not None and files < 1024
    yield Row(
        "open files",
        WARN if few else OK,
        "unlimited" if files is None else f"{files} (may be raised to {'any number' if hard is None else hard})",
        f"ulimit -n {min(4096, hard) if hard else 4096}" if few else "",
    )
    maps = found.max_map_count
    if maps is not None:
        few = maps < 65530
        yield Row(
            "mappings",
            WARN if few else OK,
            f"{maps} a process",
            "sudo sysctl vm.max_map_count=65530" if few else "",
        )
    caps = {"file size": found.file_size, "data": found.data, "address space": found.address_space}
    for (name, cap), letter in zip(caps.items(), "fdv", strict=True):
        if cap is not None:
            yield Row(f"limit on {name}", WARN, _size(cap), f"ulimit -{letter} unlimited")


def _disks() -> Iterator[Row]:
    shm = "/dev/shm"
    for name, path in (
        ("shared memory", shm),
        ("temporary files", machine.temporary_folder()),
        ("this folder", "."),
    ):
        try:
            usage = shutil.disk_usage(path)
        except OSError as error:
            yield Row(name, WARN, f"{path}: {error.strerror}")
            continue
        low = usage.free < (64 * _MIB if path == shm else _GIB)
        remedy = {shm: "mount -o remount,size=1G /dev/shm (docker: --shm-size=1g)"}.get(path, "free some space")
        where = "" if path == "." else f" in {path}"
        found = f"{_size(usage.free)} free of {_size(usage.total)}{where}"
        yield Row(name, WARN if low else OK, found, remedy if low else "")


def _size(n_bytes: int) -> str:
    return f"{n_bytes / _GIB:.1f} GiB" if n_bytes >= _GIB else f"{n_bytes / _MIB:.0f} MiB"
