"""headrace's own ways of the demo's jobs, as programs: ``python -m headrace.cli._demo_ours``.

Speaks JSON lines on stdout: ``{"done": 0.4}`` on the way, and at the end the report of the run.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from headrace import signals
from headrace.errors import HeadraceError

if TYPE_CHECKING:
    from headrace.core.report import RunReport

__all__ = ["main"]


def detect(filtered: str, settings: str, out: str, fs: str) -> RunReport:
    """Find the events of a filtered recording and write them as CSV."""
    k, gap, block = (int(word) for word in settings.split(","))
    with signals.open(filtered, fs=float(fs)) as recording:
        events = recording.pipe().detect(signals.Threshold(k, merge_gap=gap, block=block))
        report: RunReport = events.to_file(out, force=True, memory="64MB", progress=_progress)
    return report


def spectrum(path: str, n_channels: str, out: str, fs: str) -> RunReport:
    """Transform the whole of the first channel."""
    with signals.open(path, dtype="int16", n_channels=int(n_channels), fs=float(fs)) as recording:
        flow = recording[:, 0].pipe(signals.Fft())
        report: RunReport = flow.to_file(out, force=True, memory="64MB", progress=_progress)
    return report


def main(name: str, *arguments: str) -> None:
    """Do one job and print what it took."""
    source, settings, out, fs = arguments
    report = {"detect": detect, "spectrum": spectrum}[name](source, settings, out, fs)
    _tell(report.to_dict())


def _progress(done: int, total: int | None, _: Any) -> None:
    _tell({"done": done / (total or 1)})


def _tell(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except HeadraceError as error:
        _tell({"error": str(error)})
    except KeyboardInterrupt:
        sys.exit(130)
