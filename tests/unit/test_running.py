"""Medians and spreads of the window around each sample: SciPy's and NumPy's answers, ends, NaN, and what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from numpy.lib.stride_tricks import sliding_window_view

from headrace.errors import BudgetTooSmall, SchemaError
from headrace.signals import MedianFilter, RunningMad, RunningStd, from_array, from_iter
from headrace.testing import check_operator

MODES = ("reflect", "mirror", "nearest", "constant")
PAD: dict[str, Any] = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "constant": "constant"}


def windows(x: np.ndarray, size: int, mode: str = "reflect", cval: float = 0.0) -> np.ndarray:
    """Give the window of each sample, (n, ..., size)."""
    if not len(x):
        return np.empty((*x.shape, size), x.dtype)
    around = [(size // 2, (size - 1) // 2), *[(0, 0)] * (x.ndim - 1)]
    more = {"constant_values": cval} if mode == "constant" else {}
    return sliding_window_view(np.pad(x, around, PAD[mode], **more), size, axis=0)  # type: ignore[call-overload, no-any-return]


def medians(x: np.ndarray, size: int, mode: str = "reflect", cval: float = 0.0) -> np.ndarray:
    found: np.ndarray = np.sort(windows(x, size, mode, cval), axis=-1)[..., size // 2]
    return found


@pytest.mark.parametrize("shape", [(1200,), (300, 9)])
@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "uint64", "float16", "bool", "float32", "float64"])
@pytest.mark.parametrize(("size", "mode"), [(1, "reflect"), (6, "mirror"), (25, "nearest"), (101, "constant")])
def test_medians_pass_the_suite_for_operators(
    rng: np.random.Generator, size: int, mode: Any, dtype: str, shape: tuple[int, ...]
) -> None:
    x = (20 * rng.standard_normal(shape)).astype(dtype)
    check_operator(MedianFilter(size, mode=mode, cval=1), x, lambda a: medians(a, size, mode, 1), tolerance=0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [2, 5, 24, 25, 26, 201, 1001])
@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
def test_medians_are_those_of_scipy(rng: np.random.Generator, dtype: str, size: int, mode: Any) -> None:
    x = (50 * rng.standard_normal(5000)).astype(dtype)
    expected = scipy.ndimage.median_filter(x, size, mode=mode, cval=3)
    assert np.array_equal(from_array(x).pipe(MedianFilter(size, mode=mode, cval=3)).to_array(), expected)


@pytest.mark.parametrize("shape", [(1000,), (300, 9)])
@pytest.mark.parametrize("dtype", ["int16", "int64", "float16", "bool", "float64"])
@pytest.mark.parametrize(("size", "mode"), [(1, "reflect"), (6, "mirror"), (101, "constant")])
def test_spreads_pass_the_suite_for_operators(
    rng: np.random.Generator, size: int, mode: Any, dtype: str, shape: tuple[int, ...]
) -> None:
    x = (20 * rng.standard_normal(shape)).astype(dtype)

    def mad(a: np.ndarray) -> np.ndarray:
        wide = windows(a, size, mode, 1).astype(np.float64)
        return np.asarray(scipy.stats.median_abs_deviation(wide, axis=-1, scale="normal")) if len(a) else wide[..., 0]

    check_operator(
        RunningStd(size, mode=mode, cval=1), x, lambda a: windows(a, size, mode, 1).astype("f8").std(-1), tolerance=3e-7
    )
    check_operator(RunningMad(size, mode=mode, cval=1, scale="normal"), x, mad, tolerance=3e-7)


@pytest.mark.parametrize("size", [2, 7, 64, 1001])
def test_a_median_deviation_is_exact(rng: np.random.Generator, size: int) -> None:
    walk = np.cumsum(rng.standard_normal(4000))
    for x in (walk, rng.integers(0, 4, 4000).astype("f8"), np.where(rng.random(4000) < 0.5, 1e6, -1e6) + walk):
        expected = scipy.stats.median_abs_deviation(windows(x, size), axis=-1)
        assert np.array_equal(from_array(x).pipe(RunningMad(size)).to_array(), expected)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e8])
@pytest.mark.parametrize("size", [2, 33, 1001, 20_000])
def test_offsets_and_spikes_cost_a_deviation_no_digits(rng: np.random.Generator, size: int, offset: float) -> None:
    x = rng.standard_normal(45_000) + offset
    x[[700, 2500]] = 1e9
    found = from_array(x).pipe(RunningStd(size)).to_array()
    places = rng.choice(len(x), 200, replace=False)
    expected = np.array([np.std((w - w[size // 2]).astype(np.longdouble)) for w in windows(x, size)[places]])
    assert np.abs(found[places] / expected - 1).astype(float).max() < 1e-12 if size > 2 else True
    quiet = expected < 1e3
    error = np.linalg.norm((found[places] - expected)[quiet]) / np.linalg.norm(expected[quiet])
    assert error <= 1e-14 * max(1, offset / 1e6)  # the samples themselves have lost digits to the offset


def test_a_window_of_equal_samples_has_no_spread() -> None:
    x = np.full((3000, 9), 0.1)
    assert not from_array(x).pipe(RunningStd(77)).to_array().any()
    assert not from_array(x).pipe(RunningMad(77)).to_array().any()


@pytest.mark.parametrize("make", [MedianFilter, RunningStd, RunningMad])
@pytest.mark.parametrize("size", [1, 4, 9, 40, 301])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_nan_reaches_the_windows_that_hold_it_and_no_others(
    rng: np.random.Generator, make: Any, size: int, dtype: str
) -> None:
    x = rng.standard_normal((900, 9)).astype(dtype)
    clean = from_array(x).pipe(make(size)).to_array()
    for row, channel in ((0, 1), (450, 1), (451, 4), (899, 8)):
        x[row, channel] = np.nan if row else -np.nan
    found = from_array(x).pipe(make(size)).to_array()
    holds = np.isnan(windows(x, size)).any(axis=-1)
    assert np.isnan(found[holds]).all()
    assert found[~holds].tobytes() == clean[~holds].tobytes()


@pytest.mark.parametrize("make", [MedianFilter, RunningStd, RunningMad])
@pytest.mark.parametrize("n", [0, 1, 2, 49, 50, 51])
@pytest.mark.parametrize("mode", MODES)
def test_a_recording_of_any_length_will_do(rng: np.random.Generator, make: Any, n: int, mode: Any) -> None:
    x = rng.standard_normal((n, 3))
    found = from_array(x).pipe(make(100, mode=mode)).to_array()
    if make is MedianFilter:
        assert np.array_equal(found, medians(x, 100, mode))
    elif n:
        held = windows(x, 100, mode)
        expected = held.std(-1) if make is RunningStd else scipy.stats.median_abs_deviation(held, axis=-1)
        assert np.allclose(found, expected, rtol=1e-14, atol=1e-14)


def test_what_is_left_of_a_signal_without_its_baseline(rng: np.random.Generator) -> None:
    x = rng.integers(-3000, 3000, (800, 4), np.int16)  # type: ignore[arg-type]
    check_operator(MedianFilter(31, subtract=True), x, lambda a: a.astype("f8") - medians(a, 31))
    assert from_array(x).pipe(MedianFilter(31, subtract=True)).dtype == np.float32
    found = from_array(x).pipe(MedianFilter(31, subtract=True)).to_array(out_dtype="int16")
    assert np.array_equal(found, x - medians(x, 31))


def test_a_window_is_a_number_of_samples_or_a_time(rng: np.random.Generator) -> None:
    x = rng.standard_normal(500)
    timed = from_array(x, fs=1000).pipe(MedianFilter("21ms")).to_array()
    assert np.array_equal(timed, medians(x, 21))
    with pytest.raises(SchemaError, match="has no rate"):
        from_array(x).pipe(MedianFilter("21ms"))


def test_a_stream_whose_end_is_not_known_is_prolonged_at_its_end(rng: np.random.Generator) -> None:
    x = rng.standard_normal((1000, 2))
    flow = from_iter(np.split(x, [1, 500, 990])).pipe(MedianFilter(60, mode="mirror"))
    assert np.array_equal(flow.to_array(), medians(x, 60, "mirror"))


def test_they_print_what_they_do_and_travel() -> None:
    assert repr(MedianFilter(5)) == "MedianFilter(5)"
    assert repr(MedianFilter("2s", mode="constant", cval=3, subtract=True)) == (
        "MedianFilter('2s', mode='constant', cval=3, subtract=True)"
    )
    assert repr(RunningStd(5, mode="mirror")) == "RunningStd(5, mode='mirror')"
    assert repr(RunningMad(5, scale="normal")) == "RunningMad(5, scale='normal')"
    assert repr(RunningMad(5, scale=2)) == "RunningMad(5, scale=2.0)"
    x = np.arange(50.0)
    for operator in (MedianFilter(4), RunningStd(4), RunningMad(4)):
        again: Any = pickle.loads(pickle.dumps(operator))
        assert np.array_equal(from_array(x).pipe(again).to_array(), from_array(x).pipe(operator).to_array())


@pytest.mark.parametrize("make", [MedianFilter, RunningStd, RunningMad])
@pytest.mark.parametrize(
    ("size", "options", "what"),
    [
        (0, {}, "size= is at least 1"),
        (-3, {}, "size= is at least 1"),
        (2.5, {}, "size= is a whole number"),
        (2**31 + 1, {}, r"size= is at most 1,073,741,824 samples: got 2,147,483,649"),
        ("a while", {}, "a position is"),
        (5, {"mode": "wrap"}, "needs the other end"),
        (5, {"mode": "edge"}, "'reflect', 'mirror', 'nearest' or 'constant': got 'edge'"),
        (5, {"cval": np.nan}, "cval= is a finite number"),
    ],
)
def test_windows_that_are_refused(make: Any, size: Any, options: dict[str, Any], what: str) -> None:
    with pytest.raises(SchemaError, match=what):
        make(size, **options)


@pytest.mark.parametrize("scale", [0, -1, np.inf, "std", None])
def test_scales_that_are_refused(scale: Any) -> None:
    with pytest.raises(SchemaError, match="scale="):
        RunningMad(5, scale=scale)


@pytest.mark.parametrize(
    ("dtype", "cval"), [("int16", 0.5), ("uint8", -1), ("int8", 200), ("float32", 1e300), ("bool", 2)]
)
def test_a_constant_that_no_sample_can_be_is_refused(dtype: str, cval: float) -> None:
    rec = from_array(np.zeros(9, dtype))
    with pytest.raises(SchemaError, match=f"cval= is a value that {dtype} samples"):
        rec.pipe(MedianFilter(3, mode="constant", cval=cval))
    assert rec.pipe(MedianFilter(3, cval=cval)).to_array().shape == (9,)  # it is not used


def test_complex_samples_are_refused() -> None:
    with pytest.raises(SchemaError, match="RunningMad takes real samples: got complex64"):
        from_array(np.zeros(9, np.complex64)).pipe(RunningMad(3))


def test_a_window_that_does_not_fit_the_budget_is_refused_with_what_would_do() -> None:
    flow = from_array(np.zeros(1000, np.float32)).pipe(MedianFilter(5_000_000))
    with pytest.raises(BudgetTooSmall):
        flow.run(memory="32MB")
