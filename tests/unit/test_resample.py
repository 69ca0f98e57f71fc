"""Other rates: `resample_poly` and `decimate`, their filters, and what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.signal

from headrace.errors import SchemaError
from headrace.signals import Decimate, Resample, SosFilt, from_array
from headrace.testing import check_operator


@pytest.mark.parametrize("shape", [(3000,), (700, 5), (300, 33)])
@pytest.mark.parametrize("dtype", ["int16", "float16", "bool", "float32", "float64", "complex64"])
@pytest.mark.parametrize(("up", "down"), [(147, 160), (3, 2), (1, 12), (5, 5)])
def test_it_passes_the_suite_for_operators(
    rng: np.random.Generator, up: int, down: int, dtype: str, shape: tuple[int, ...]
) -> None:
    x = (3 * rng.standard_normal(shape)).astype(dtype)

    def reference(array: np.ndarray) -> Any:
        wide = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
        return scipy.signal.resample_poly(wide, up, down, axis=0)

    check_operator(Resample(up, down), x, reference, fs=100.0)


@pytest.mark.parametrize("n", [0, 1, 2, 159, 160, 161])
def test_a_recording_of_any_length_will_do(rng: np.random.Generator, n: int) -> None:
    x = rng.standard_normal((n, 3))
    expected = scipy.signal.resample_poly(x, 147, 160, axis=0) if n else x
    check_operator(Resample(147, 160), x, expected)


@pytest.mark.parametrize("q", [2, 13, 30])
def test_decimate_is_that_of_scipy_by_a_finite_filter(rng: np.random.Generator, q: int) -> None:
    x = rng.standard_normal((5000, 2))
    check_operator(Decimate(q), x, lambda a: scipy.signal.decimate(a, q, ftype="fir", axis=0))


@pytest.mark.parametrize(("up", "down"), [(147, 160), (1, 30), (7, 1)])
def test_the_filter_is_that_of_scipy(up: int, down: int) -> None:
    rate = max(up, down)
    wanted = scipy.signal.firwin(20 * rate + 1, 1 / rate, window=("kaiser", 5.0))
    np.testing.assert_allclose(Resample(up, down).taps, wanted, rtol=1e-13, atol=1e-17)
    wanted = scipy.signal.firwin(20 * rate + 1, 1 / rate, window="hamming")
    np.testing.assert_allclose(Decimate(rate).taps, wanted, rtol=1e-13, atol=1e-17)


@pytest.mark.parametrize("count", [1, 2, 60, 61])
def test_a_filter_of_ones_own_is_scipys_window(rng: np.random.Generator, count: int) -> None:
    x, taps = rng.standard_normal(1000), rng.standard_normal(count)
    check_operator(Resample(3, 7, taps=taps), x, lambda a: scipy.signal.resample_poly(a, 3, 7, window=taps))


def test_the_rate_and_the_time_go_with_it() -> None:
    flow = from_array(np.zeros(48_000, np.int16), fs=48_000, t0=5.0).pipe(Resample(147, 160))
    assert (flow.fs, flow.n_samples, flow.dtype) == (44_100, 44_100, np.float32)
    assert from_array(np.zeros(10)).pipe(Decimate(3)).fs is None
    tone = np.sin(2 * np.pi * 100 * np.arange(48_000) / 48_000)
    found = from_array(tone, fs=48_000).pipe(Resample(147, 160)).to_array()
    expected = np.sin(2 * np.pi * 100 * np.arange(44_100) / 44_100)
    assert np.abs(found - expected)[500:-500].max() < 2e-3


def test_a_rate_that_stays_copies(rng: np.random.Generator) -> None:
    x = rng.standard_normal((500, 2)).astype(np.float32)
    assert np.array_equal(from_array(x).pipe(Resample(6, 6)).to_array(), x)
    assert np.array_equal(from_array(x).pipe(Decimate(1)).to_array(), x)


def test_integers_are_rounded_once_from_float64(rng: np.random.Generator) -> None:
    x = rng.integers(-9000, 9000, 4000, np.int16)  # type: ignore[arg-type]
    found = from_array(x).pipe(Resample(2, 5)).to_array(out_dtype="int16")
    assert np.array_equal(found, np.rint(scipy.signal.resample_poly(x.astype(np.float64), 2, 5)))


def test_it_prints_what_it_does_and_travels() -> None:
    assert repr(Resample(320, 294)) == "Resample(160, 147)"
    assert repr(Decimate(30)) == "Decimate(30)"
    own, other = Resample(2, 1, taps=[0.5, 1, 0.5]), Resample(2, 1, taps=[0.5, 1, 0.25])
    assert repr(own).startswith("Resample(2, 1, 3 taps #")
    assert repr(own) != repr(other)
    x = np.arange(50.0)
    again = pickle.loads(pickle.dumps(own))
    assert np.array_equal(from_array(x).pipe(again).to_array(), from_array(x).pipe(own).to_array())


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Resample(0, 1), "up= is at least 1"),
        (lambda: Resample(1, -2), "down= is at least 1"),
        (lambda: Resample(1.5, 1), "up= is a whole number"),  # type: ignore[arg-type]
        (lambda: Resample(100_003, 99_991), "at most 100,000"),
        (lambda: Resample(2, 1, taps=[]), "at least one finite number"),
        (lambda: Resample(2, 1, taps=[1, np.nan]), "one finite number, shape"),
        (lambda: Resample(2, 1, taps=["a"]), "a row of real numbers"),
        (lambda: Decimate(0), "q= is at least 1"),
        (lambda: Decimate(100_001), "decimate twice"),
    ],
)
def test_what_is_refused(make: Any, what: str) -> None:
    with pytest.raises(SchemaError, match=what):
        make()


def test_samples_that_must_be_widened_take_little_room_at_any_rate() -> None:
    x = np.zeros((200_000, 4), np.float16)
    assert from_array(x).pipe(Decimate(1000)).run(memory="16MB").n_samples == 200


def test_after_a_filter_with_state_it_is_fed_pieces_that_are_long_against_its_halo(rng: np.random.Generator) -> None:
    sos = scipy.signal.butter(2, [1, 300], "bandpass", fs=30_000, output="sos")
    flow = from_array(np.zeros((20_000, 64), np.int16), fs=30_000).pipe(SosFilt(sos), Resample(1, 30))
    assert flow.run().chunk_samples >= 8 * 600
    x = rng.standard_normal((9000, 3))
    expected = scipy.signal.resample_poly(scipy.signal.sosfilt(sos, x, axis=0), 1, 30, axis=0)
    found = from_array(x, fs=30_000).pipe(SosFilt(sos), Resample(1, 30)).to_array()
    assert np.linalg.norm(found - expected) <= 1e-14 * np.linalg.norm(expected)
