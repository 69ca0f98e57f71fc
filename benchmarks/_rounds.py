"""All cases of a benchmark, round by round, each in a process of its own, and the result made of them."""

from __future__ import annotations

import datetime as dt
import inspect
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _tables import table

if TYPE_CHECKING:
    import argparse

    from _harness import Benchmark, Case

SCHEMA = 2


def main(bench: Benchmark, file: Path, options: argparse.Namespace) -> int:
    """Prepare the inputs, run all cases or the one that is named, print the result and keep it."""
    size = bench.tiny if options.tiny else bench.full
    with tempfile.TemporaryDirectory(prefix=f"headrace-bench-{bench.name}-", dir=_scratch()) as name:
        inputs, outputs = Path(name, "inputs"), Path(name, "outputs")
        inputs.mkdir()
        _progress(f"{bench.name}: preparing the input")
        _child(file, ["--prepare", "--inputs", str(inputs)], options.tiny, bench.timeout_s, check=True)
        if options.case:
            outputs.mkdir()
            command = [sys.executable, str(file), *_arguments(options.case, inputs, outputs)]
            return subprocess.run([*command, *(["--tiny"] if options.tiny else [])], check=False).returncode
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


def _arguments(case: str, inputs: Path, outputs: Path) -> list[str]:
    return ["--case", case, "--inputs", str(inputs), "--outputs", str(outputs)]


def _rounds(bench: Benchmark, file: Path, inputs: Path, runs: int, *, tiny: bool) -> dict[str, list[dict[str, Any]]]:
    outcomes: dict[str, list[dict[str, Any]]] = {case.name: [] for case in bench.cases}
    for number in range(runs):
        for case in bench.cases:
            if any("error" in outcome for outcome in outcomes[case.name]):
                continue  # it failed once; the round goes to the others
            _progress(f"{bench.name}: round {number + 1} of {runs}: {case.name}")
            _set_cache(inputs, bench.cache)
            with tempfile.TemporaryDirectory(dir=inputs.parent) as outputs:  # ours, so that a killed case leaves none
                arguments = _arguments(case.name, inputs, Path(outputs))
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
    return outcome | {"cpu_process_s": usage.ru_utime + usage.ru_stime, "process_s": took}


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
    for key in ("wall_s", "cpu_s", "cpu_start_s", "cpu_process_s", "process_s", "peak_rss_bytes"):
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
