"""What all tests share: hypothesis profiles, the soak switch, the seed of random tests, victims in other processes."""

from __future__ import annotations

import gc
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings

import headrace

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SOAK = os.environ.get("HEADRACE_SOAK") == "1"
SEED = int(os.environ.get("HEADRACE_TEST_SEED") or secrets.randbits(24))
os.environ["HEADRACE_TEST_SEED"] = str(SEED)  # for the worker processes of pytest-xdist
SOURCES = str(Path(headrace.__file__).resolve().parents[1])

# Too slow is what the time budget of the suite is for; a machine that is busy with something else is no failure.
_COMMON: dict[str, Any] = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
    "verbosity": Verbosity.normal,
    # Without `explain`, which traces every line of a failing example and takes minutes for a flow.
    "phases": [Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink],
}
settings.register_profile("ci", max_examples=60, stateful_step_count=40, **_COMMON)
settings.register_profile("soak", max_examples=2000, stateful_step_count=100, **_COMMON)
# For tests that must find a fault put in on purpose: the first example that shows it ends the search, however late.
_SEARCH = {**_COMMON, "phases": [Phase.generate], "derandomize": True, "database": None, "report_multiple_bugs": False}
settings.register_profile("mutant", max_examples=3000, **_SEARCH)
settings.load_profile("soak" if SOAK else "ci")

# A shell that starts jobs in the background has them ignore Ctrl-C, and every process below inherits that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    return f"random tests: HEADRACE_TEST_SEED={SEED}, {'soak' if SOAK else 'ci'} counts"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if SOAK:
        return
    kept = [item for item in items if item.get_closest_marker("soak") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def pytest_collection_finish() -> None:
    """Leave the tests, and all that they import, out of the garbage collections that so many of them ask for."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers from the seed of this run and the name of the test."""
    return np.random.default_rng([SEED, *request.node.nodeid.encode()])


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Like `rng`, for choices."""
    return random.Random(f"{SEED} {request.node.nodeid}")


@pytest.fixture(scope="session")
def count() -> Callable[[int, int], int]:
    """Give the number of rounds: ``count(ci, soak)``."""
    return lambda ci, soak: soak if SOAK else ci


@pytest.fixture(scope="session")
def victim_env() -> dict[str, str]:
    """Environment in which a fresh interpreter finds this headrace, and turns warnings into errors."""
    env = dict(os.environ)
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [SOURCES, env.get("PYTHONPATH")]))
    return env | {"OPENBLAS_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}


@pytest.fixture(scope="session")
def run_victim(victim_env: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run code, or a script, in a fresh interpreter: ``run_victim(code, *args)``; a hang is a failure."""

    def run(
        code: str | Path, *args: object, timeout: float = 60, prefix: tuple[str, ...] = (), check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        script = [str(code)] if isinstance(code, Path) else ["-c", code]
        done = subprocess.run(
            [*prefix, sys.executable, *script, *map(str, args)],
            env=victim_env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"the victim ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done

    return run


@pytest.fixture(scope="session")
def interrupted() -> Callable[..., bool]:
    """Call a function with Ctrl-C before the n-th line that this thread runs in some files of ``headrace.core``.

    ``interrupted(fn, n, "crew.py")`` says whether there is such a line; without names, all files count.
    """
    core = str(Path(headrace.__file__).parent / "core") + os.sep

    def call(fn: Callable[[], object], number: int, *names: str) -> bool:
        left = number

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal left
            file = frame.f_code.co_filename
            if not file.startswith(core) or (names and file.removeprefix(core) not in names):
                return None
            if event == "line":
                left -= 1
                if left == 0:
                    raise KeyboardInterrupt
            return trace

        before, hook = sys.gettrace(), sys.unraisablehook
        sys.unraisablehook = lambda _: None  # Ctrl-C inside a __del__; pytest's hook would keep its frames alive
        sys.settrace(trace)
        try:
            fn()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
            sys.unraisablehook = hook
        return left <= 0

    return call


@pytest.fixture(scope="session")
def within() -> Callable[..., Any]:
    """Call a function that might hang: ``within(seconds, fn)``; a hang is a failure, not the end of the suite."""

    def call(seconds: float, fn: Callable[[], Any]) -> Any:
        outcome: list[Any] = []

        def run() -> None:
            try:
                outcome.append((fn(), None))
            except BaseException as error:  # noqa: BLE001 - handed on to the caller below
                outcome.append((None, error))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(seconds)
        if not outcome:
            pytest.fail(f"hung for {seconds} s")
        result, error = outcome[0]
        if error is not None:
            raise error
        return result

    return call
