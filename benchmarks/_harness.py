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

*Wall time* is taken inside the case, around the part after its `yield` (around all of it without one) and before
its second one, if it has two: what follows that checks the answer.

*CPU seconds* are user + system of the same part, of all threads and of the child processes that it waited for.
`cpu_start_s` is what starting Python and importing had taken by then, `cpu_process_s` all that the process took from
its beginning to its end, as the kernel accounts it to `wait4`.

*Peak memory* is VmHWM, read by the process itself after the timed part, so imports count (a case's process holds
_case.py, and not _rounds.py, which starts the others). `ru_maxrss` of
`wait4` would not do on Linux: across exec the kernel carries the old image's peak over (after fork that is a
copy of the parent, after vfork, which subprocess uses, the parent itself), so a small child of a large parent
reports the parent. VmHWM belongs to the memory map that exec creates and starts from nothing. Where /proc is
missing (macOS) `ru_maxrss` is used, with this small process as the parent.

*Cold or warm* is the benchmark's choice and part of its result: `warm` reads every input file before each
case, `cold` drops it from the page cache (posix_fadvise after a sync; the storage's own cache stays).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _goals import Goal

if TYPE_CHECKING:
    from collections.abc import Callable


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
            sys.exit(self._run(file, options))
        except KeyboardInterrupt:
            sys.exit(130)

    def _run(self, file: Path, options: argparse.Namespace) -> int:
        size = self.tiny if options.tiny else self.full
        if options.prepare:
            if self._prepare:
                self._prepare(Run(size, options.inputs, options.inputs, options.tiny))
            return 0
        if options.case and options.inputs:
            return self._one(options.case, Run(size, options.inputs, options.outputs, options.tiny))
        import _rounds  # late: a case's process does without it

        return _rounds.main(self, file, options)

    def _one(self, name: str, run: Run) -> int:
        import json

        import _case

        outcome = _case.measure(next(case for case in self.cases if case.name == name), run)
        sys.stdout.write(json.dumps(outcome) + "\n")
        return 1 if "error" in outcome else 0
