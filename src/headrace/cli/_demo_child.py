"""Contenders of the demo, each in a process of its own, so that its peak memory is its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Cost", "Failure", "run_child"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a contender took.

    Attributes
    ----------
    n_samples : int
        Samples it did.
    seconds, cpu_seconds, mb_per_s : float
        Wall time, CPU time, and 10^6 bytes of recording per second, without starting Python.
    total, anon, file : int
        Peak memory of its process, bytes: resident, and anonymous and file-mapped as sampled.
    chunk_samples : int or None
        Samples in one of its chunks, if it says.
    """

    n_samples: int
    seconds: float
    cpu_seconds: float
    mb_per_s: float
    total: int
    anon: int
    file: int
    chunk_samples: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a contender did not finish.

    Attributes
    ----------
    reason : str
        In words.
    """

    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {"error": self.reason}


def run_child(arguments: Sequence[str], progress: Callable[[float], Any]) -> Cost | Failure:
    """Run ``python -m arguments...`` and read what it says.

    Parameters
    ----------
    arguments : sequence of str
        Module and its arguments. It writes JSON lines: ``{"done": 0.4}`` any number of times, then a run report.
    progress : callable
        Told the part that is done, from 0 to 1.

    Returns
    -------
    Cost or Failure
        A failing child is a result, not an error.
    """
    report: dict[str, Any] = {}
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as child:
            try:
                for line in child.stdout or ():
                    said = json.loads(line)
                    if "done" in said:
                        progress(said["done"])
                    else:
                        report = said
                code = child.wait()
            except BaseException:
                _stop(child)
                raise
        if code == 0 and "seconds" in report:
            return _cost(report)
        errors.seek(0)
        last = errors.read().strip().splitlines()[-1:]
    return Failure(_reason(report.get("error") or (last[0] if last else f"ended with code {code}")))


def _stop(child: subprocess.Popen[str]) -> None:
    """Let a child tidy up after itself, as on Ctrl-C, and end it if it does not."""
    child.send_signal(signal.SIGINT)
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()


def _cost(report: dict[str, Any]) -> Cost:
    peak = report["peak_rss_bytes"]
    return Cost(
        report["n_samples"],
        report["seconds"],
        report["cpu_seconds"],
        report["mb_per_s"],
        peak["total"],
        peak["anon"],
        peak["file"],
        report.get("chunk_samples"),
    )


def _reason(text: str) -> str:
    return "scipy is not installed: pip install 'headrace[signals]'" if "'scipy" in text else text
