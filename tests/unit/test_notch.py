"""A notch is `iirnotch` for each multiple, in one pass of second-order sections."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.signal

from headrace.errors import SchemaError
from headrace.signals import Notch, from_array
from headrace.testing import check_operator

FS = 1000.0


def by_scipy(x: np.ndarray, freq: float, q: float, harmonics: int) -> np.ndarray:
    sos = np.stack([np.concatenate(scipy.signal.iirnotch(k * freq, q, FS)) for k in range(1, harmonics + 1)])
    return scipy.signal.sosfilt(sos, x.astype(np.float64), axis=0)


@pytest.mark.parametrize("harmonics", [1, 3])
@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
def test_the_answer_is_that_of_iirnotch_and_sosfilt(rng: np.random.Generator, dtype: str, harmonics: int) -> None:
    x = (1000 * rng.standard_normal((4000, 2))).astype(dtype)
    reference = lambda array: by_scipy(array, 50, 12.5, harmonics)  # noqa: E731
    check_operator(Notch(50, 12.5, harmonics=harmonics), x, reference, fs=FS)


@pytest.mark.parametrize("n", [0, 1, 2, 97])
def test_a_recording_of_any_length_will_do(rng: np.random.Generator, n: int) -> None:
    x = rng.standard_normal((n, 3))
    check_operator(Notch(50, harmonics=2), x, by_scipy(x, 50, 30, 2) if n else x, fs=FS)


@pytest.mark.parametrize("wrong", [{"q": 29.0}, {"harmonics": 2}, {"freq": 50.5}], ids=repr)
def test_another_notch_gives_another_answer(rng: np.random.Generator, wrong: dict[str, Any]) -> None:
    x = rng.standard_normal(2000)
    found = from_array(x, FS).pipe(Notch(**{"freq": 50.0} | wrong)).to_array()
    assert np.linalg.norm(found - by_scipy(x, 50, 30, 1)) > 1e-6 * np.linalg.norm(found)


def test_the_frequency_goes_and_the_others_stay() -> None:
    t = np.arange(20_000) / FS
    hum = sum(np.sin(2 * np.pi * 60 * k * t) for k in (1, 2, 3))
    tone = np.sin(2 * np.pi * 35 * t)
    late = from_array(hum + tone, FS).pipe(Notch(60, harmonics=3)).to_array()[-5000:]
    assert np.sqrt(2 * np.mean(late**2)) == pytest.approx(1, abs=0.01)
    spectrum = np.abs(np.fft.rfft(late)) / 2500
    assert spectrum[[300, 600, 900]].max() < 1e-3
    assert spectrum[175] == pytest.approx(1, abs=0.01)


def test_integers_are_rounded_once_from_float64(rng: np.random.Generator) -> None:
    x = rng.integers(-30_000, 30_000, 3000, np.int16)  # type: ignore[arg-type]
    found = from_array(x, FS).pipe(Notch(50)).to_array(out_dtype="int16")
    assert np.array_equal(found, np.clip(np.rint(by_scipy(x, 50, 30, 1)), -32768, 32767))


def test_a_notch_is_one_description_for_any_rate_and_travels_by_pickle(rng: np.random.Generator) -> None:
    x, notch = rng.standard_normal(500), Notch(50)
    slow, fast = (from_array(x, fs).pipe(notch).to_array() for fs in (200.0, 1000.0))
    assert not np.array_equal(slow, fast)
    there = pickle.loads(pickle.dumps(Notch(50)))
    assert np.array_equal(from_array(x, 200.0).pipe(there).to_array(), slow)


def test_two_settings_never_print_alike() -> None:
    made = [Notch(50), Notch(60), Notch(50, 20), Notch(50, harmonics=2)]
    assert len({repr(each) for each in made}) == 4
    assert repr(Notch(50)) == "Notch(50.0, q=30.0)"


@pytest.mark.parametrize(
    ("options", "fs", "words"),
    [
        ({"freq": 50}, None, r"Notch\(50.0, q=30.0\) takes out hertz, and the stream has no rate: give fs="),
        ({"freq": 500}, FS, r"500 Hz does not lie below half of fs=1000 Hz$"),
        ({"freq": 60, "harmonics": 9}, FS, "540 Hz does not lie below half of fs=1000 Hz: harmonics= is at most 8"),
        ({"freq": 50, "harmonics": 10}, FS, "500 Hz does not lie below half of fs=1000 Hz: harmonics= is at most 9"),
        ({"freq": 0}, FS, "freq= is a positive number: got 0"),
        ({"freq": "50Hz"}, FS, "freq= is a positive number"),
        ({"freq": 50, "q": float("nan")}, FS, "q= is a positive number"),
        ({"freq": 50, "harmonics": 0}, FS, "harmonics= is at least 1"),
    ],
    ids=repr,
)
def test_what_cannot_be_taken_out_is_refused(options: dict[str, Any], fs: float | None, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        from_array(np.zeros(10), fs).pipe(Notch(**options))
