"""`SosFiltFilt` is `scipy.signal.sosfiltfilt` of the whole array in float64, however the flow is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import SchemaError
from headrace.signals import CommonReference, Scale, SosFiltFilt, from_array
from headrace.signals.operators import sosfiltfilt as operator_module
from headrace.testing import check_operator, relative_error
from headrace.testing.strategies import run_options

if TYPE_CHECKING:
    from collections.abc import Callable

DESIGNS = {
    "band": scipy.signal.butter(5, [300, 6000], "bandpass", fs=30_000, output="sos"),
    "slow": scipy.signal.butter(2, 1, "highpass", fs=30_000, output="sos"),
    "odd": scipy.signal.butter(3, 0.2, output="sos"),
    "one": scipy.signal.butter(1, 0.3, output="sos"),
    "chebyshev": scipy.signal.cheby1(6, 1, [0.1, 0.4], "bandpass", output="sos"),
}
EXACT = ["float64", "int32", "int64", "complex128"]
NARROW = ["float32", "int16", "uint8", "float16", "complex64", "int8"]
CELLS = st.sampled_from([1, 4096, operator_module._CELL_VALUES])
"""Values in a cell: with the smallest, signals of a few thousand samples have several cells however few channels."""


def whole(sos: np.ndarray, x: np.ndarray) -> np.ndarray:
    wide = np.complex128 if x.dtype.kind == "c" else np.float64
    return scipy.signal.sosfiltfilt(sos, x.astype(wide), axis=0)


@st.composite
def cases(draw: st.DrawFn, dtypes: list[str], *, few: bool = False) -> tuple[np.ndarray, np.ndarray]:
    sos = DESIGNS[draw(st.sampled_from(sorted(DESIGNS)))]
    padding = SosFiltFilt(sos).padlen
    n = padding + 1 + draw(st.sampled_from([0, 1, 100, 2048 - padding - 1, 2048 - padding, 5003, 20_011]))
    channels = draw(st.sampled_from([None, 1, 2, 7, 8, 9] if few else [None, 1, 2, 7, 8, 9, 33]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (n,) if channels is None else (n, channels)
    x = 30 * rng.standard_normal(shape) + 40
    if draw(st.booleans()):
        x[n // 3 :] = 40  # silence after a while
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    if dtype.kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return sos, x.astype(dtype)


def check_wide(case: tuple[np.ndarray, np.ndarray], cell_values: int, options: dict[str, Any]) -> None:
    sos, x = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operator_module, "_CELL_VALUES", cell_values)
        found = [chunk.array.copy() for chunk in from_array(x).pipe(SosFiltFilt(sos)).chunks(**_enough(options))]
    assert np.array_equal(np.concatenate(found), whole(sos, x))


def check_narrow(case: tuple[np.ndarray, np.ndarray], cell_values: int, options: dict[str, Any]) -> None:
    sos, x = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operator_module, "_CELL_VALUES", cell_values)
        flow = from_array(x).pipe(SosFiltFilt(sos))
        first = flow.to_array(memory="1GB", threads=1)
        found = [chunk.array.copy() for chunk in flow.chunks(**_enough(options))]
        again = flow.to_array(memory="1GB", threads=3)
    assert relative_error(first, whole(sos, x)) <= 3e-7
    assert np.concatenate(found).tobytes() == first.tobytes()
    assert again.tobytes() == first.tobytes()


@given(cases(EXACT), CELLS, run_options())
def test_wide_samples_give_scipys_answer_bit_for_bit(case: Any, cell_values: int, options: Any) -> None:
    check_wide(case, cell_values, options)


@given(cases(NARROW), CELLS, run_options())
def test_narrow_samples_give_it_to_single_precision_and_always_the_same_bytes(
    case: Any, cell_values: int, options: Any
) -> None:
    check_narrow(case, cell_values, options)


@given(cases(["int16"]), st.integers(1, 3))
def test_integers_out_are_rounded_once(case: Any, threads: int) -> None:
    sos, x = case
    flow = from_array(x).pipe(SosFiltFilt(sos))
    found = flow.to_array(memory="1GB", threads=threads, out_dtype="int16").astype(np.int64)
    exact = whole(sos, x)
    assert np.abs(found - np.clip(exact, -32768, 32767)).max() <= 0.5 + 1e-6


def test_channels_do_not_depend_on_each_other_beyond_eight(rng: np.random.Generator) -> None:
    x = rng.standard_normal((5000, 40)).astype(np.float32)
    all_channels = from_array(x).pipe(SosFiltFilt(DESIGNS["band"])).to_array()
    some = from_array(x[:, 3:20].copy()).pipe(SosFiltFilt(DESIGNS["band"])).to_array()
    assert np.array_equal(all_channels[:, 3:20], some)


def test_what_follows_runs_on_the_same_samples(rng: np.random.Generator) -> None:
    x = (100 * rng.standard_normal((6000, 24))).astype(np.int16)
    band = from_array(x).pipe(SosFiltFilt(DESIGNS["band"])).to_array()
    expected = from_array(band).pipe(CommonReference(), Scale(3.0)).to_array()
    flow = from_array(x).pipe(SosFiltFilt(DESIGNS["band"]), CommonReference(), Scale(3.0))
    assert np.array_equal(flow.to_array(threads=2), expected)


@pytest.mark.parametrize("shape", [(30_000,), (9000, 3), (5000, 17)])
@pytest.mark.parametrize("dtype", ["int16", "float64"])
def test_it_passes_the_suite_for_operators(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator, shape: tuple[int, ...], dtype: str
) -> None:
    x = (1000 * rng.standard_normal(shape)).astype(dtype)
    monkeypatch.setattr(operator_module, "_CELL_VALUES", 8192)
    check_operator(SosFiltFilt(DESIGNS["one"]), x, whole(DESIGNS["one"], x))


def test_nan_goes_where_scipy_lets_it_go(rng: np.random.Generator) -> None:
    x = rng.standard_normal((4000, 3))
    x[1000, 1] = np.nan
    for dtype in (np.float64, np.float32):
        found = from_array(x.astype(dtype)).pipe(SosFiltFilt(DESIGNS["band"])).to_array()
        assert np.array_equal(np.isnan(found), np.isnan(whole(DESIGNS["band"], x)))


@pytest.mark.parametrize("n", [1, 10, 33])
def test_a_signal_no_longer_than_the_padding_is_refused_as_scipy_does(n: int) -> None:
    with pytest.raises(ValueError, match="padlen"):
        scipy.signal.sosfiltfilt(DESIGNS["band"], np.ones(n))
    with pytest.raises(SchemaError, match=f"33 samples.*got {n}"):
        from_array(np.ones(n)).pipe(SosFiltFilt(DESIGNS["band"]))


def test_a_segment_too_short_is_named() -> None:
    recording = from_array(np.ones(300), segments=[0, 100, 110])
    flow = recording.pipe(SosFiltFilt(DESIGNS["band"]))
    with pytest.raises(SchemaError, match=r"33 samples.*got 10; .*leave out --zero-phase") as caught:
        flow.to_array()
    (note,) = caught.value.__notes__
    assert note == f"in segment 1 of {recording.source!r}, samples [100, 110)"


def test_an_empty_signal_stays_empty() -> None:
    assert from_array(np.ones((0, 4), np.float32)).pipe(SosFiltFilt(DESIGNS["band"])).to_array().shape == (0, 4)


def forgets(method: Callable[..., Any]) -> Callable[..., Any]:
    """Give a state of nothing in place of the one to carry on."""

    def mutant(*args: Any) -> Any:
        found = method(*args)
        return (np.zeros_like(found[0]), found[1]) if isinstance(found, tuple) else np.zeros_like(found)

    return mutant


PADLEN = SosFiltFilt.padlen.fget
MUTANTS: dict[str, tuple[str, Any]] = {
    "the state forwards is not carried": ("forward", forgets(SosFiltFilt.forward)),
    "the state backwards is not carried": ("backward", forgets(SosFiltFilt.backward)),
    "the signal begins at rest": ("enter", forgets(SosFiltFilt.enter)),
    "the way back begins at rest": ("turn", forgets(SosFiltFilt.turn)),
    "the ends are read one sample short": ("edge", lambda self, plan: self.padlen),
    "the ends are prolonged by one sample more": ("padlen", property(lambda self: PADLEN(self) + 1)),
}


@pytest.mark.parametrize("check", [check_wide, check_narrow])
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(monkeypatch: pytest.MonkeyPatch, name: str, check: Any) -> None:
    monkeypatch.setattr(SosFiltFilt, *MUTANTS[name])

    @settings.get_profile("mutant")
    @given(cases(EXACT if check is check_wide else NARROW, few=True), run_options())
    def prop(case: tuple[np.ndarray, np.ndarray], options: dict[str, Any]) -> None:
        check(case, 1, options)

    with pytest.raises(AssertionError):
        prop()


def _enough(options: dict[str, Any]) -> dict[str, Any]:
    """Budgets that are about chunks of a small operator are too small for a cell of this one."""
    return {**options, "memory": "200MB"}
