"""The `headrace` command in fresh processes, in which warnings are errors."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HEADRACE", "environment", "headrace", "on_a_terminal", "run_all", "succeed"]

HEADRACE = [sys.executable, "-W", "error", "-m", "headrace.cli"]

_MANY = """
import contextlib, io, json, sys
from headrace.cli import main
outcomes = []
for words in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    outcomes.append([words, code, out.getvalue(), err.getvalue()])
print(json.dumps(outcomes))
"""


def environment() -> dict[str, str]:
    """Give this process's environment without what changes how messages look."""
    return {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "HEADRACE_DEBUG")}


def headrace(*words: object, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command with these words; `options` are those of `subprocess.run`."""
    settings: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60, **options}
    return subprocess.run([*HEADRACE, *map(str, words)], cwd=cwd, env=environment(), check=False, **settings)


def succeed(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command, which is to end with 0."""
    done = headrace(*words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


def on_a_terminal(*words: object, cwd: Path) -> tuple[int, str]:
    """Run the command with a terminal as its stderr; give the exit code, and what the terminal got."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [*HEADRACE, *map(str, words)],
        cwd=cwd, stdout=subprocess.DEVNULL, stderr=theirs, env=environment() | {"TERM": "xterm", "COLUMNS": "200"},
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 65536):
            seen += piece
    except OSError:  # Linux's way to say that the other end was closed
        pass
    os.close(ours)
    return child.wait(30), seen.decode()


def run_all(rows: list[tuple[str, ...]], cwd: Path) -> list[subprocess.CompletedProcess[str]]:
    """Run many command lines in one fresh process: most of the time of one that fails goes into starting Python."""
    done = subprocess.run(
        [*HEADRACE[:3], "-c", _MANY],
        input=json.dumps(rows), capture_output=True, text=True, timeout=60, check=True, cwd=cwd,
    )  # fmt: skip
    return [subprocess.CompletedProcess(*outcome) for outcome in json.loads(done.stdout)]
