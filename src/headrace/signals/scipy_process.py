"""A function of `scipy.signal`, called in a child process.

Importing `scipy.signal` costs a process more memory than most budgets, for good. So what is wanted of it, a few
numbers, is asked of a child process, which imports it, answers in JSON (float64 survives that bit for bit) and ends.
"""

from __future__ import annotations

import json
import os
import sys
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from headrace.errors import MissingExtra, SchemaError

if TYPE_CHECKING:
    from headrace.core.arrays import Array

__all__ = ["scipy_signal"]

_Answer: TypeAlias = "tuple[Array, ...]"

_TIMEOUT_S = 120.0
_MARK = "headrace design: "  # before the answer: whatever else may print on its way through an interpreter's start
_CHILD = f"""
import json, sys, warnings
warnings.simplefilter("ignore")
asked = json.load(sys.stdin)
sys.path[:] = asked["path"]
def tuples(value):
    return tuple(map(tuples, value)) if isinstance(value, list) else value
try:
    from scipy import signal
    try:
        found = getattr(signal, asked["name"])(**{{name: tuples(value) for name, value in asked["keywords"].items()}})
        found = found if isinstance(found, tuple) else (found,)
        answer = {{"arrays": [array.tolist() for array in found]}}
    except (ValueError, TypeError) as error:
        answer = {{"refused": str(error)}}
except ImportError:
    answer = {{}}
print("\\n{_MARK}" + json.dumps(answer), flush=True)
"""


@lru_cache(maxsize=256, typed=True)
def scipy_signal(name: str, keywords: tuple[tuple[str, Any], ...]) -> _Answer:
    """Give the arrays that ``scipy.signal.<name>(**keywords)`` gives; the same ones each time.

    Parameters
    ----------
    name : str
        The function.
    keywords : tuple of (str, value)
        What JSON can carry, with tuples for lists.

    Returns
    -------
    tuple of ndarray float64
        Shared with every other caller: copy what is to be changed.

    Raises
    ------
    SchemaError
        If SciPy refuses the values, in its own words.
    MissingExtra
        If SciPy is not installed.

    Notes
    -----
    Called in this process if it has imported `scipy.signal` already, or can start no child.
    """
    if not _imported():
        if find_spec("scipy") is None:
            raise _missing()
        answer = _ask_child(name, dict(keywords))
        if "refused" in answer:
            raise SchemaError(f"{name}: {answer['refused']}")
        if "arrays" in answer:
            return tuple(np.array(array, np.float64) for array in answer["arrays"])
    try:
        import scipy.signal
    except ImportError as error:
        raise _missing() from error
    try:
        with np.errstate(all="ignore"):  # what has no answer is found in the answer
            found = getattr(scipy.signal, name)(**dict(keywords))
    except (ValueError, TypeError) as error:
        raise SchemaError(f"{name}: {error}") from error
    return found if isinstance(found, tuple) else (found,)


def _imported() -> bool:
    return "scipy.signal" in sys.modules


def _ask_child(name: str, keywords: dict[str, Any]) -> dict[str, Any]:
    """Let a child process design; an empty answer where there can be none, and the design is then made here."""
    import subprocess

    if not sys.executable or getattr(sys, "frozen", False):
        return {}  # what would be started is the program that headrace is part of
    # The interpreter as this one was started, but for the working folder (-P), whose files might shadow modules.
    flags = [flag for flag, on in (
        ("-I", sys.flags.isolated), ("-E", sys.flags.ignore_environment), ("-s", sys.flags.no_user_site),
        ("-B", sys.dont_write_bytecode), ("-P", True),
    ) if on]  # fmt: skip
    path = [entry for entry in sys.path if isinstance(entry, str)]
    try:
        done = subprocess.run(
            [sys.executable, *flags, "-c", _CHILD],
            input=json.dumps({"path": path, "name": name, "keywords": keywords}),
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    lines = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    answer: dict[str, Any] = json.loads(lines[-1].removeprefix(_MARK)) if lines else {}
    return answer


def _missing() -> MissingExtra:
    return MissingExtra(
        "filters are designed by SciPy, which is not installed: pip install 'headrace[signals]'", extra="signals"
    )
