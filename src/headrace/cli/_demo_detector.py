"""headrace's own way of finding the demo's events, as a program: ``python -m headrace.cli._demo_detector``.

Speaks JSON lines on stdout: ``{"done": 0.4}`` on the way, and at the end the report of the run.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from headrace import signals
from headrace.errors import HeadraceError

__all__ = ["main"]


def main(filtered: str, settings: str, out: str, fs: str) -> None:
    """Find the events of a filtered recording and write them as CSV."""
    k, gap, block = (int(word) for word in settings.split(","))
    with signals.open(filtered, fs=float(fs)) as recording:
        events = recording.pipe().detect(signals.Threshold(k, merge_gap=gap, block=block))
        report = events.to_file(out, force=True, memory="64MB", progress=_progress)
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
