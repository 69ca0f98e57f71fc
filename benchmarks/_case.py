"""One case of a benchmark, measured in this process, which imports little: its memory counts as the case's."""

from __future__ import annotations

import inspect
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _harness import Case, Run


def measure(case: Case, run: Run) -> dict[str, Any]:
    """Run a case once; what is timed lies after its first `yield` and before its second, where it has them."""
    try:
        steps = case.run(run) if inspect.isgeneratorfunction(case.run) else _at_once(case, run)
        next(steps)
        cpu_start = _cpu_seconds()
        started = time.perf_counter()
        facts = _step(steps)
        wall, cpu, peak = time.perf_counter() - started, _cpu_seconds() - cpu_start, _peak_rss()
        if facts is None:  # it has a second yield: checks follow
            facts = _step(steps)
            if facts is None:
                raise RuntimeError(f"case {case.name!r} yields more than twice")
    except Exception as error:  # noqa: BLE001 (a rival that cannot run is a result, not the end)
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}
    import importlib.metadata  # as large as the rest of the standard library here: not before the peak is read

    return {
        "wall_s": wall,
        "cpu_s": cpu,
        "cpu_start_s": cpu_start,
        "peak_rss_bytes": peak,
        "facts": facts,
        "versions": {name: importlib.metadata.version(name) for name in case.packages},
    }


def _step(steps: Iterator[None]) -> dict[str, Any] | None:
    """Go on to the next yield (None), or to the end (the facts)."""
    try:
        next(steps)
    except StopIteration as end:
        return end.value or {}
    return None


def _at_once(case: Case, run: Run) -> Any:
    yield
    return case.run(run)


def _peak_rss() -> int:
    """Read the peak resident size of this process's own memory map (see the top of _harness.py)."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _cpu_seconds() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)
