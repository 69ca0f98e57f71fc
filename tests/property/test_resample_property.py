"""Another rate gives the whole-array answer of `scipy.signal.resample_poly`, and the same bytes however it is run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from headrace.core.span import Halo
from headrace.signals import Resample, from_array, from_iter
from headrace.testing import relative_error
from headrace.testing.operators import smallest_budget
from headrace.testing.strategies import cuts, run_options, signals, taps

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.operator import Plan, Spec

DTYPES = ("int8", "uint16", "int32", "int64", "float32", "float64", "complex64", "complex128")
SIGNALS = signals(dtypes=DTYPES, max_length=4000)
FACTORS = st.tuples(st.integers(1, 40), st.integers(1, 40))


@st.composite
def rates(draw: st.DrawFn) -> Resample:
    up, down = draw(FACTORS)
    own = draw(st.one_of(st.none(), taps(max_count=200)))
    return Resample(up, down, taps=own)


def whole_array(x: np.ndarray, rate: Resample) -> np.ndarray:
    wide = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
    if not len(x):
        return wide
    found: np.ndarray = resample_poly(wide, rate.up, rate.down, axis=0, window=rate.taps)
    return found


def collect(flow: Any, **options: Any) -> np.ndarray:
    empty = np.empty((0, *flow.spec.shape), flow.dtype)
    with flow.chunks(**options) as chunks:
        return np.concatenate([empty, *(chunk.array.copy() for chunk in chunks)])


def check_answer(x: np.ndarray, rate: Resample, data: st.DataObject) -> None:
    flow = from_array(x, fs=100.0).pipe(rate)
    expected = whole_array(x, rate)
    found = collect(flow, **data.draw(run_options(len(expected))))
    assert flow.fs == pytest.approx(100 * rate.up / rate.down)
    assert found.shape == expected.shape
    assert relative_error(found, expected) <= (3e-7 if found.dtype in (np.float32, np.complex64) else 1e-14)


@given(SIGNALS, rates(), st.data())
def test_any_signal_any_rate_and_any_way_of_running_give_the_whole_array_answer(
    x: np.ndarray, rate: Resample, data: st.DataObject
) -> None:
    check_answer(x, rate, data)


@given(SIGNALS, rates(), st.data())
def test_the_bytes_depend_on_nothing_but_signal_and_rate(x: np.ndarray, rate: Resample, data: st.DataObject) -> None:
    flow = from_array(x).pipe(rate)
    whole = collect(flow, threads=1, executor="serial", memory="1GB")
    smallest = smallest_budget(flow)
    for _ in range(3):
        found = collect(flow, **data.draw(run_options(len(whole), smallest)))
        assert found.tobytes() == whole.tobytes()
    pieces = np.split(x, data.draw(cuts(len(x))))
    assert from_iter(pieces).pipe(rate).to_array(memory="1GB").tobytes() == whole.tobytes()


@given(signals(dtypes=("float32",)), rates(), st.data())
def test_segments_are_resampled_as_if_each_were_alone(x: np.ndarray, rate: Resample, data: st.DataObject) -> None:
    starts = sorted({0, *(c for c in data.draw(cuts(len(x))) if c < len(x))})
    alone = [collect(from_array(part).pipe(rate), memory="1GB") for part in np.split(x, starts[1:])]
    together = from_array(x, segments=starts).pipe(rate)
    expected = np.concatenate(alone)
    assert collect(together, **data.draw(run_options(len(expected)))).tobytes() == expected.tobytes()


@given(signals(dtypes=("float32", "float64"), max_length=1000, max_channels=3), rates(), st.data())
def test_nan_and_infinity_reach_what_direct_evaluation_gives_them_to(
    x: np.ndarray, rate: Resample, data: st.DataObject
) -> None:
    flat = x.reshape(-1)
    if flat.size:
        for place in data.draw(st.lists(st.integers(0, flat.size - 1), max_size=4)):
            flat[place] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    found = collect(from_array(x).pipe(rate), **data.draw(run_options(len(x) + 1)))
    h, half = rate.taps * rate.up, (len(rate.taps) - 1) // 2
    if rate.up == rate.down:
        h, half = np.ones(1), 0
    columns = x.reshape(len(x), int(np.prod(x.shape[1:]))).astype(np.float64)
    expected = np.zeros((len(found), columns.shape[1]))
    with np.errstate(invalid="ignore"):
        for o in range(len(found)):
            place = o * rate.down + half
            newest = min(place // rate.up, len(x) - 1)
            for k in range(newest, max(0, -(-(place - len(h) + 1) // rate.up)) - 1, -1):
                expected[o] += h[place - k * rate.up] * columns[k]
    limit = 3e-7 if x.dtype == np.float32 else 1e-13
    assert relative_error(found, expected.reshape(found.shape)) <= limit


def planned(change: Callable[[Plan], Plan]) -> Callable[[pytest.MonkeyPatch], None]:
    whole = Resample.plan

    def plan(self: Resample, inp: Spec) -> Plan:
        return change(whole(self, inp))

    return lambda patch: patch.setattr(Resample, "plan", plan)


def shorter(left: int, right: int) -> Callable[[Plan], Plan]:
    return lambda plan: dataclasses.replace(
        plan, halo=Halo(max(0, plan.halo.left - left), max(0, plan.halo.right - right))
    )


MUTANTS = {
    "halo short on the left": planned(shorter(1, 0)),
    "halo short on the right": planned(shorter(0, 1)),
    "outputs from an input too early": planned(lambda plan: dataclasses.replace(plan, down=plan.down + 1)),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    MUTANTS[name](monkeypatch)

    @settings.get_profile("mutant")
    @given(signals(dtypes=("float64",), max_length=2000), rates(), st.data())
    def prop(x: np.ndarray, rate: Resample, data: st.DataObject) -> None:
        check_answer(x, rate, data)

    with pytest.raises(AssertionError):
        prop()
