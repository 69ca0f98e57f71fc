from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace import _native

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def each_isa() -> Iterator[list[str]]:
    found = _native.isa()
    yield _native.available_isas()
    _native.set_isa(found)


def referenced(x: np.ndarray, *, median: bool = True, out: Any = np.float32) -> np.ndarray:
    found = np.empty(x.shape, out)
    group = np.zeros(x.shape[1], np.int32)
    _native.subtract_reference(x, found, group, group, median)
    return found


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 2, 5, 8, 16, 64, 131])
def test_a_row_less_its_median_is_numpys_answer_to_the_bit(
    dtype: str, channels: int, rng: np.random.Generator, each_isa: list[str]
) -> None:
    x = (rng.standard_normal((67, channels)) * rng.choice([1, 20, 300], (67, 1))).astype(dtype)
    x[rng.integers(0, 67, 5)] = 3
    wide = x.astype(np.float64)
    expected = wide - np.median(wide, axis=1, keepdims=True)
    for isa in each_isa:
        _native.set_isa(isa)
        assert np.array_equal(referenced(x), expected.astype(np.float32))
        assert np.array_equal(referenced(x, out=np.float64), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("median", "channels"), [(True, 4), (True, 21), (True, 60), (False, 60)])
def test_every_isa_gives_the_same_bytes_for_values_that_are_hard_to_order(
    dtype: str, median: bool, channels: int, rng: np.random.Generator, each_isa: list[str]
) -> None:
    values = np.array([0.0, -0.0, 1e-40, -1e-40, 1e30, -1e30, np.inf, -np.inf, np.nan, 1, 2, 3], dtype)
    for odds in (0, 0.05, 0.5):
        x = rng.choice(values[:6], (400, channels))
        x = np.where(rng.random(x.shape) < odds, rng.choice(values, x.shape), x).astype(dtype)
        with np.errstate(all="ignore"):
            found = {}
            for isa in each_isa:
                _native.set_isa(isa)
                found[isa] = referenced(x, median=median, out=dtype).tobytes()
                parts = [referenced(part, median=median, out=dtype).tobytes() for part in np.split(x, [1, 2, 50, 333])]
                assert b"".join(parts) == found[isa], "the bytes depend on the rows before"
            wide = x.astype(np.float64)
            middle = np.median(wide, axis=1, keepdims=True) if median else wide.mean(axis=1, keepdims=True)
            expected = (wide - middle).astype(dtype)
        assert len(set(found.values())) == 1
        answer = np.frombuffer(found[each_isa[0]], dtype).reshape(x.shape)
        assert np.array_equal(np.isnan(answer), np.isnan(expected))
        if median:
            assert np.array_equal(answer, expected, equal_nan=True)


def test_magnitudes_that_mislead_interpolation_are_ordered_all_the_same(rng: np.random.Generator) -> None:
    x = (np.exp(rng.uniform(-80, 80, (50, 301))) * rng.choice([-1, 1], (50, 301))).astype(np.float32)
    x[::5] = np.sort(np.exp2(np.arange(301.0) - 200)).astype(np.float32)
    x[::7, 1:] = 1
    x[::7, 0] = 3e38
    wide = x.astype(np.float64)
    assert np.array_equal(referenced(x), (wide - np.median(wide, axis=1, keepdims=True)).astype(np.float32))


@pytest.mark.parametrize(
    ("change", "error", "what"),
    [
        ({"members": np.zeros(4, np.int32)}, ValueError, "4 and 3 values; each must have 3"),
        ({"members": np.zeros(3, np.int64)}, TypeError, "members must be int32"),
        ({"targets": np.array([0, 1, 0], np.int32)}, ValueError, "group 1 has no channel"),
        ({"targets": np.array([0, 7, 0], np.int32)}, ValueError, "in group 7"),
        ({"src": np.zeros((5, 3), np.complex64)}, ValueError, "real"),
        ({"out": np.zeros((5, 3), np.int16)}, ValueError, "float32 or float64"),
        ({"out": np.zeros((4, 3), np.float32)}, ValueError, "same shape"),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit_a_reference_are_refused(
    change: dict[str, Any], error: type[Exception], what: str
) -> None:
    given = {
        "src": np.zeros((5, 3), np.float32),
        "out": np.zeros((5, 3), np.float32),
        "members": np.zeros(3, np.int32),
        "targets": np.zeros(3, np.int32),
    }
    with pytest.raises(error, match=what):
        _native.subtract_reference(**(given | change), median=True)


def test_each_channel_is_convolved_with_its_own_taps_on_every_isa(
    rng: np.random.Generator, each_isa: list[str]
) -> None:
    x = rng.standard_normal((300, 11)).astype(np.float32)
    taps = rng.standard_normal((11, 20))
    lags = rng.integers(-30, 30, 11)
    found = {}
    for isa in each_isa:
        _native.set_isa(isa)
        out = np.empty((150, 11))
        _native.delay(x, 40, out, 100, taps, lags)
        found[isa] = out.tobytes()
    assert len(set(found.values())) == 1
    for c in range(11):
        full = np.convolve(x[:, c].astype(np.float64), taps[c])
        at = 100 + np.arange(150) - lags[c] - 40
        expected = np.where((at >= 0) & (at < len(full)), full[np.clip(at, 0, len(full) - 1)], 0)
        assert np.allclose(out[:, c], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("change", "error", "what"),
    [
        ({"taps": np.zeros((2, 4))}, ValueError, "8 coefficients and 3 lags for 3 channels of 4 taps"),
        ({"taps": np.zeros((3, 0))}, ValueError, "0 taps"),
        ({"taps": np.zeros(3)}, TypeError, "two dimensions"),
        ({"lags": np.zeros(3)}, TypeError, "int64"),
        ({"lags": np.full(3, 1 << 61)}, ValueError, "out of bounds"),
        ({"x_start": 1 << 61}, ValueError, "2.60"),
        ({"out": np.zeros((5, 2))}, ValueError, "3 channels and out has 2"),
        ({"out": np.zeros((5, 3), np.int16)}, ValueError, "float32 or float64"),
        ({"x": np.zeros((5, 3), np.complex64)}, ValueError, "real"),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit_a_delay_are_refused(
    change: dict[str, Any], error: type[Exception], what: str
) -> None:
    given = {
        "x": np.zeros((5, 3)),
        "x_start": 0,
        "out": np.zeros((5, 3)),
        "out_start": 0,
        "taps": np.zeros((3, 4)),
        "lags": np.zeros(3, np.int64),
    }
    with pytest.raises(error, match=what):
        _native.delay(**(given | change))
