"""Filters by name: SciPy's coefficients bit for bit, from a child process, without scipy in this one."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace import signals
from headrace.errors import MissingExtra, SchemaError
from headrace.signals import butter, cheby1, cheby2, firwin, iirnotch, scipy_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    scipy_process.scipy_signal.cache_clear()


@pytest.fixture
def no_scipy_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not imported it: the child is asked."""
    monkeypatch.setattr(scipy_process, "_imported", lambda: False)


SECTION = [[1.5, 1.0, 0.5, 1.0, 0.5, 0.25]]

DESIGNS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("butter", (4, [300, 6000], "bandpass"), {"fs": 30_000}),
    ("butter", (1, 0.25), {}),
    ("butter", (np.int32(7), np.array([48.0, 52]), "bandstop"), {"fs": np.float32(1000)}),
    ("cheby1", (5, 0.1, 100, "highpass"), {"fs": 1000}),
    ("cheby2", (3, 60, (0.1, 0.2), "bandpass"), {}),
    ("firwin", (1023, [300, 6000]), {"pass_zero": False, "fs": 30_000}),
    ("firwin", (100, 0.3), {"window": ("kaiser", 8.6), "scale": False}),
    ("firwin", (31, [0.1, 0.3, 0.6]), {"window": 5.0, "pass_zero": "bandpass"}),
    ("firwin", (64, 100.0), {"width": 20, "fs": 1000}),
    ("iirnotch", (50, 30), {"fs": 1000}),
    ("iirnotch", (0.5, 2.5), {}),
]


def by_scipy(name: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> np.ndarray:
    function = getattr(scipy.signal, name)
    if name == "firwin":
        return function(*args, **keywords)
    if name == "iirnotch":
        return np.concatenate(function(*args, **keywords))[np.newaxis]
    return function(*args, output="sos", **keywords)


@pytest.mark.parametrize("process", ["child", "this"])
def test_every_design_is_that_of_scipy_bit_for_bit(process: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [by_scipy(*design) for design in DESIGNS]
    if process == "child":
        monkeypatch.setattr(scipy_process, "_imported", lambda: False)
        asked, expected = DESIGNS[::3][1:], expected[::3][1:]  # each takes a second
    else:
        monkeypatch.setattr(subprocess, "run", None)  # it is not started where SciPy is there already
        asked = DESIGNS
    for (name, args, keywords), wanted in zip(asked, expected, strict=True):
        found = getattr(signals, name)(*args, **keywords)
        assert (found.dtype, found.shape) == (np.float64, wanted.shape), name
        assert found.tobytes() == wanted.tobytes(), name


@pytest.mark.parametrize("words", [("butter", 4), ("cheby1", 4, 0.1), ("cheby2", 4, 60)])
def test_the_words_that_a_call_of_scipy_brings_along_are_understood(words: tuple[Any, ...]) -> None:
    name, *order = words
    design = getattr(signals, name)
    found = design(*order, [300, 6000], "bandpass", fs=30_000, output="sos", analog=False)
    assert np.array_equal(found, design(*order, [300, 6000], "bandpass", fs=30_000))
    with pytest.raises(SchemaError, match=r"output= is 'sos', .*got 'ba'"):
        design(*order, 0.2, output="ba")
    with pytest.raises(SchemaError, match="analog=True"):
        design(*order, 0.2, analog=True)


@settings(max_examples=30)
@given(st.integers(1, 12), st.floats(0.001, 0.4), st.floats(0.001, 0.5), st.sampled_from(["bandpass", "bandstop"]))
def test_any_band_of_any_rate_is_designed_as_scipy_does(order: int, low: float, width: float, btype: str) -> None:
    fs = 30_000.0 * (1 + low)
    band = [low * fs / 2, (low + width) * fs / 2]
    found = butter(order, band, btype, fs=fs)
    assert found.tobytes() == scipy.signal.butter(order, band, btype, fs=fs, output="sos").tobytes()


def test_the_process_stays_without_scipy(run_victim: Callable[..., Any]) -> None:
    code = (
        "import sys\n"
        "from headrace.signals import butter\n"
        "first = butter(3, 100, fs=1000)\n"
        "first[0] = 0\n"
        "assert butter(3, 100, fs=1000)[0, 0] != 0\n"
        "print(sorted({'scipy', 'multiprocessing'} & set(sys.modules)))"
    )
    assert run_victim(code).stdout == "[]\n"


def test_a_filter_is_designed_once(no_scipy_yet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    answer = subprocess.CompletedProcess([], 0, scipy_process._MARK + json.dumps({"arrays": [SECTION]}), "")
    monkeypatch.setattr(subprocess, "run", lambda *args, **_: calls.append(args) or answer)
    first = butter(2, 100, fs=1000)
    first[:] = 0
    second = butter(2, 100.0, fs=1000.0)
    assert np.array_equal(second, SECTION)
    assert second.flags.writeable
    assert len(calls) == 1
    butter(2, 101, fs=1000)
    assert len(calls) == 2


@pytest.mark.parametrize("flags", [["-I"], ["-S"]], ids=" ".join)
def test_the_child_finds_scipy_where_this_process_does(tmp_path: Path, flags: list[str]) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the working folder shadows the library')")
    (tmp_path / "scipy.py").write_text("raise SystemExit('the working folder shadows SciPy')")
    code = f"import sys; sys.path[:] = {[p for p in sys.path if p]!r}\n" + (
        "from headrace.signals import butter; print(butter(1, .5).shape, 'scipy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, *flags, "-c", code],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == "(1, 6) False\n", done.stderr


@pytest.mark.parametrize(
    "trouble", ["frozen", "no executable", "none can be started", "too slow", "died", "no scipy there"]
)
def test_where_no_child_can_answer_the_design_is_made_here(
    no_scipy_yet: None, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    answers: dict[str, Any] = {
        "none can be started": OSError("no processes here"),
        "too slow": subprocess.TimeoutExpired("python", 1),
        "died": subprocess.CompletedProcess([], 1, "words of a site\n", "killed"),
        "no scipy there": subprocess.CompletedProcess([], 0, "\n" + scipy_process._MARK + "{}\n", ""),
    }

    def run(*_: Any, **__: Any) -> Any:
        answer = answers[trouble]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(subprocess, "run", run)
    if trouble == "frozen":
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    if trouble == "no executable":
        monkeypatch.setattr(sys, "executable", "")
    found = butter(2, 0.25)
    assert found.tobytes() == scipy.signal.butter(2, 0.25, output="sos").tobytes()


def test_what_else_the_interpreter_prints_does_not_hurt(no_scipy_yet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = "hello\n" + scipy_process._MARK + json.dumps({"arrays": [SECTION]}) + "\ngoodbye\n"
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, answer, ""))
    assert np.array_equal(butter(1, 0.25), SECTION)


def test_without_scipy_the_error_says_how_to_get_it(no_scipy_yet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtra, match=r"pip install 'headrace\[signals\]'") as caught:
        butter(1, 0.25)
    assert caught.value.extra == "signals"


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: butter(4, [300, 20_000], "bandpass", fs=30_000), "300 to 20000 Hz reaches beyond half of fs=30000 Hz"),
    (lambda: butter(4, 15_000, fs=30_000), "edge 15000 Hz reaches beyond .* below 15000"),
    (lambda: butter(4, 300), "edge 300 reaches beyond 1, which is half the rate .give fs= for hertz"),
    (lambda: butter(4, [0, 300], "bandpass", fs=1000), "band 0 to 300 Hz begins at 0 or below"),
    (lambda: butter(4, [300, 30], "bandpass", fs=1000), "band 300 to 30 Hz does not rise"),
    (lambda: butter(4, [30, 30], "bandpass", fs=1000), "does not rise"),
    (lambda: butter(4, [1, 2, 3], "bandpass", fs=1000), "one frequency, or two"),
    (lambda: butter(4, [], "bandpass", fs=1000), r"or two: got \[\]"),
    (lambda: butter(400, [300, 6000], "bandpass", fs=30_000), "order 400 is too high for the band 300 to 6000 Hz:"),
    (lambda: cheby1(1000, 1, 100, fs=30_000), "order 1000 is too high for the edge 100 Hz:"),
    (lambda: butter(4, "300", fs=1000), "Wn= is a finite number: got '300'"),
    (lambda: butter(4, float("nan"), fs=1000), "Wn= is a finite number"),
    (lambda: butter(0, 300, fs=1000), "N= is at least 1"),
    (lambda: butter(4, 300, fs=0), "fs= is a positive number"),
    (lambda: butter(4, 300, fs="fast"), "fs= is a positive number: got 'fast'"),
    (lambda: cheby1(4, float("inf"), 300, fs=1000), "rp= is a finite number"),
    (lambda: cheby2(4, None, 300, fs=1000), "rs= is a finite number"),
    (lambda: iirnotch(500, 30, fs=1000), "edge 500 Hz reaches beyond half of fs=1000 Hz"),
    (lambda: iirnotch([50, 60], 30, fs=1000), "one frequency: got"),
    (lambda: iirnotch(50, 0, fs=1000), "Q= is a positive number: got 0"),
    (lambda: firwin(10, [], fs=1000), "at least one frequency"),
    (lambda: firwin(10, [100, 600], fs=1000), "band 100 to 600 Hz reaches beyond"),
    (lambda: firwin(0, 100, fs=1000), "numtaps= is at least 1"),
    (lambda: firwin(9, 100, window=[1, 2], fs=1000), "window= is a finite number"),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "words"), REFUSED)
def test_what_is_no_filter_is_refused_in_our_words(ask: Callable[[], Any], words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        ask()


@pytest.mark.parametrize("process", ["child", "this"])
def test_what_scipy_refuses_is_said_in_its_own_words(process: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if process == "child":
        monkeypatch.setattr(scipy_process, "_imported", lambda: False)
    with pytest.raises(SchemaError, match="butter: Wn must specify start and stop frequencies"):
        butter(4, 300, "bandpass", fs=1000)
