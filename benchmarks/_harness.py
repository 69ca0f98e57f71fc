"""A small frame for benchmarks that compare headrace with its rivals fairly.

A benchmark is a file with a docstring, one `Benchmark`, and one function per case; README.md beside this
file shows a whole one. Run as a program it is its own harness:

    python benchmarks/NAME.py [--runs N] [--tiny] [--json]      all cases, interleaved; the table on stdout
    python benchmarks/NAME.py --case CASE --json                one case, once, in this process

How it measures
---------------
*Fresh process.* Each case of each round is a process of its own, started from one that has imported nothing
but the standard library; imports of one case can neither help nor hurt another.

*Interleaved.* Round by round: A B C, A B C, ... so that a machine that slows down slows all of them. The
median over the rounds counts, with the extremes beside it.

*Wall time* is taken inside the case, around the part after its `yield` (around all of it without one).

*CPU seconds* are user + system of the whole process and its children, as the kernel accounts them to
`wait4`; starting Python and importing is part of it, and `cpu_start_s` (what had been spent when the timed
part began) says how much.

*Peak memory* is VmHWM, read by the process itself after the timed part, so imports count. `ru_maxrss` of
`wait4` would not do on Linux: across exec the kernel carries the old image's peak over (after fork that is a
copy of the parent, after vfork, which subprocess uses, the parent itself), so a small child of a large parent
reports the parent. VmHWM belongs to the memory map that exec creates and starts from nothing. Where /proc is
missing (macOS) `ru_maxrss` is used, with this small process as the parent.

*Cold or warm* is the benchmark's choice and part of its result: `warm` reads every input file before each
case, `cold` drops it from the page cache (posix_fadvise after a sync; the storage's own cache stays).
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.metadata
import inspect
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _goals import Goal
from _tables import table

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = 1


@dataclass(frozen=True)
class Run:
    """What a case is given.

    Attributes
    ----------
    size : dict
        The benchmark's parameters, full or tiny.
    inputs : Path
        Folder that `prepare` filled; the same for all cases, not to be written to.
    outputs : Path
        Empty folder of this run alone, deleted after it.
    tiny : bool
        Whether this run only shows that it works.
    """

    size: dict[str, Any]
    inputs: Path
    outputs: Path
    tiny: bool


@dataclass(frozen=True)
class Case:
    """One contender."""

    name: str
    run: Callable[[Run], Any]
    packages: tuple[str, ...]
    subject: str


@dataclass
class Benchmark:
    """One question, asked of several contenders.

    Attributes
    ----------
    name : str
        Name of the file and of its result.
    full, tiny : dict
        Parameters of the real run, and of one that takes about a second and measures nothing.
    runs : int
        Rounds, unless the command line says otherwise.
    cache : {"warm", "cold"}
        State of the input files in the page cache when a case begins.
    timeout_s : float
        A case that takes longer is killed and listed with that as its error.
    unit : str
        What `work` of a case's facts is counted in, for the rate column: a case that returns
        ``{"work": 400.0}`` gets MB/s.
    """

    name: str
    full: dict[str, Any]
    tiny: dict[str, Any]
    runs: int = 5
    cache: str = "warm"
    timeout_s: float = 600.0
    unit: str = "MB"
    cases: list[Case] = field(default_factory=list, init=False)
    goals: list[Goal] = field(default_factory=list, init=False)
    _prepare: Callable[[Run], None] | None = field(default=None, init=False)

    def prepare(self, function: Callable[[Run], None]) -> Callable[[Run], None]:
        """Decorate the function that writes the input files; it runs once, in a process of its own."""
        self._prepare = function
        return function

    def case(
        self, name: str, *, packages: tuple[str, ...] = (), against: str | None = None
    ) -> Callable[[Callable[[Run], Any]], Any]:
        """Decorate a contender. Ratios are its wall time / that of its subject.

        Parameters
        ----------
        name : str
            Its name in the table.
        packages : tuple of str
            Distributions whose versions belong into the result.
        against : str, optional
            The case that is its subject; by default the first one.
        """

        def register(function: Callable[[Run], Any]) -> Callable[[Run], Any]:
            subject = against or (self.cases[0].name if self.cases else name)
            self.cases.append(Case(name, function, packages, subject))
            return function

        return register

    def goal(
        self, text: str, *, least: float | None = None, most: float | None = None, unit: str = ""
    ) -> Callable[[Callable[[dict[str, Any]], float]], Any]:
        """Decorate what makes a figure of ``{case name: result}``; whether it keeps the limit is part of the result."""

        def register(function: Callable[[dict[str, Any]], float]) -> Callable[[dict[str, Any]], float]:
            self.goals.append(Goal(text, function, least, most, unit))
            return function

        return register

    def main(self, argv: list[str] | None = None) -> None:
        """Be the program of this benchmark, and exit."""
        parser = argparse.ArgumentParser(description=f"benchmark {self.name}")
        parser.add_argument("--runs", type=int, help=f"rounds (default: {self.runs}; 1 with --tiny)")
        parser.add_argument("--tiny", action="store_true", help="small sizes: shows that it runs")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        parser.add_argument("--case", choices=[case.name for case in self.cases], help="run one case in this process")
        parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
        parser.add_argument("--inputs", type=Path, help=argparse.SUPPRESS)
        parser.add_argument("--outputs", type=Path, help=argparse.SUPPRESS)
        options = parser.parse_args(argv)
        file = Path(sys.modules["__main__"].__file__ or "").resolve()
        try:
            sys.exit(_main(self, file, options))
        except KeyboardInterrupt:
            sys.exit(130)


def _main(bench: Benchmark, file: Path, options: argparse.Namespace) -> int:
    size = bench.tiny if options.tiny else bench.full
    with tempfile.TemporaryDirectory(prefix=f"headrace-bench-{bench.name}-", dir=_scratch()) as name:
        folder = Path(name)
        inputs = options.inputs or folder / "inputs"
        inputs.mkdir(exist_ok=True)
        if options.prepare:
            if bench._prepare:
                bench._prepare(Run(size, inputs, inputs, options.tiny))
            return 0
        if not options.inputs:
            _progress(f"{bench.name}: preparing the input")
            _child(file, ["--prepare", "--inputs", str(inputs)], options.tiny, bench.timeout_s, check=True)
        if options.case:
            case = next(case for case in bench.cases if case.name == options.case)
            outcome = _measure(case, Run(size, inputs, options.outputs or folder, options.tiny))
            sys.stdout.write(json.dumps(outcome) + "\n")
            return 1 if "error" in outcome else 0
        runs = options.runs or (1 if options.tiny else bench.runs)
        outcomes = _rounds(bench, file, inputs, runs, tiny=options.tiny)
    result = _result(bench, size, runs, outcomes, tiny=options.tiny)
    if not options.tiny:
        target = file.parent / "results" / f"{bench.name}.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=1) + "\n" if options.json else table(result))
    return 1 if "error" in result["cases"][0] else 0


def _scratch() -> Path | None:
    """Find where inputs and outputs go: HEADRACE_BENCH_DIR, or the system's folder for temporary files."""
    chosen = os.environ.get("HEADRACE_BENCH_DIR")
    return Path(chosen) if chosen else None


# One case, in its own process


def _measure(case: Case, run: Run) -> dict[str, Any]:
    """Run a case once and time the part after its `yield`."""
    try:
        steps = case.run(run) if inspect.isgeneratorfunction(case.run) else _at_once(case, run)
        next(steps)
        cpu_start = _cpu_seconds()
        started = time.perf_counter()
        try:
            next(steps)
        except StopIteration as end:
            wall, facts = time.perf_counter() - started, end.value
        else:
            raise RuntimeError(f"case {case.name!r} yields more than once")
    except Exception as error:  # noqa: BLE001 (a rival that cannot run is a result, not the end)
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}
    return {
        "wall_s": wall,
        "cpu_start_s": cpu_start,
        "peak_rss_bytes": _peak_rss(),
        "facts": facts or {},
        "versions": {name: importlib.metadata.version(name) for name in case.packages},
    }


def _at_once(case: Case, run: Run) -> Any:
    yield
    return case.run(run)


def _peak_rss() -> int:
    """Read the peak resident size of this process's own memory map (see the top of this file)."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _cpu_seconds() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


# All cases


def _rounds(bench: Benchmark, file: Path, inputs: Path, runs: int, *, tiny: bool) -> dict[str, list[dict[str, Any]]]:
    outcomes: dict[str, list[dict[str, Any]]] = {case.name: [] for case in bench.cases}
    for number in range(runs):
        for case in bench.cases:
            if any("error" in outcome for outcome in outcomes[case.name]):
                continue  # it failed once; the round goes to the others
            _progress(f"{bench.name}: round {number + 1} of {runs}: {case.name}")
            _set_cache(inputs, bench.cache)
            with tempfile.TemporaryDirectory(dir=inputs.parent) as outputs:  # ours, so that a killed case leaves none
                arguments = ["--case", case.name, "--inputs", str(inputs), "--outputs", outputs, "--json"]
                outcomes[case.name].append(_child(file, arguments, tiny, bench.timeout_s))
    _progress("")
    return outcomes


def _child(file: Path, arguments: list[str], tiny: bool, timeout_s: float, *, check: bool = False) -> dict[str, Any]:
    """Run this benchmark's file again with other arguments, and account for the process."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        command = [sys.executable, str(file), *arguments, *(["--tiny"] if tiny else [])]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        deadline = signal.signal(signal.SIGALRM, lambda *_: process.kill())
        signal.setitimer(signal.ITIMER_REAL, timeout_s)
        started = time.perf_counter()
        try:
            _, status, usage = os.wait4(process.pid, 0)  # not process.wait(): it hides the child's usage
            process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, deadline)
        took = time.perf_counter() - started
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace").strip())
    words = texts[1].splitlines()[-1:] or ["no message"]
    if check:
        if process.returncode:
            raise SystemExit(f"{file.name} {' '.join(arguments[:1])}: {texts[1]}")
        return {}
    try:
        outcome: dict[str, Any] = json.loads(texts[0].splitlines()[-1])
    except (ValueError, IndexError):
        ending = f"killed after {timeout_s:g} s" if took >= timeout_s else f"exit code {process.returncode}"
        return {"error": f"{ending}: {words[0]}"}
    return outcome | {"cpu_s": usage.ru_utime + usage.ru_stime, "process_s": took}


def _set_cache(inputs: Path, state: str) -> None:
    if state not in ("warm", "cold"):
        raise ValueError(f"cache is 'warm' or 'cold', not {state!r}")
    if state == "cold":
        os.sync()  # dirty pages cannot be dropped
    block = bytearray(1 << 20)
    for path in sorted(path for path in inputs.rglob("*") if path.is_file()):
        with path.open("rb", buffering=0) as file:
            if state == "cold":
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            else:
                while file.readinto(block):
                    pass


# The result


def _result(
    bench: Benchmark,
    size: dict[str, Any],
    runs: int,
    outcomes: dict[str, list[dict[str, Any]]],
    *,
    tiny: bool,
) -> dict[str, Any]:
    from headrace.core import machine  # after the cases: this process stays small while they run

    cases = [_summary(case, outcomes[case.name], bench.unit) for case in bench.cases]
    by_name = {summary["name"]: summary for summary in cases}
    for case, summary in zip(bench.cases, cases, strict=True):
        subject = by_name[case.subject].get("wall_s", {}).get("median")
        if subject and "wall_s" in summary:
            summary["ratio"] = summary["wall_s"]["median"] / subject
    return {
        "schema": SCHEMA,
        "name": bench.name,
        "about": inspect.cleandoc(getattr(sys.modules["__main__"], "__doc__", None) or ""),
        "command": f"headrace bench {bench.name}",
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d"),
        "cache": bench.cache,
        "size": size,
        "tiny": tiny,
        "runs": runs,
        "unit": bench.unit,
        "machine": machine.describe(),
        "cases": cases,
        "goals": [goal.judged({} if tiny else by_name) for goal in bench.goals],
    }


def _summary(case: Case, outcomes: list[dict[str, Any]], unit: str) -> dict[str, Any]:
    errors = [outcome["error"] for outcome in outcomes if "error" in outcome]
    if errors:
        return {"name": case.name, "error": errors[0]}
    summary: dict[str, Any] = {"name": case.name}
    for key in ("wall_s", "cpu_s", "cpu_start_s", "process_s", "peak_rss_bytes"):
        values = [outcome[key] for outcome in outcomes]
        summary[key] = {
            "median": statistics.median(values),
            "min": min(values),
            "max": max(values),
            "all": values,
        }
    facts = outcomes[0]["facts"]
    if "work" in facts and summary["wall_s"]["median"]:
        summary["rate"] = {"value": facts["work"] / summary["wall_s"]["median"], "unit": f"{unit}/s"}
    return summary | {"facts": facts, "versions": outcomes[0]["versions"]}


def _progress(text: str) -> None:
    """Say on stderr what runs now: one line that is overwritten on a terminal, lines elsewhere."""
    if sys.stderr.isatty():
        columns = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r{text[:columns]:<{columns}}" + ("" if text else "\r"))
    elif text:
        sys.stderr.write(text + "\n")
    sys.stderr.flush()
