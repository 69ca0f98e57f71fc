"""The IIR filter gives the whole-array answer, SciPy's bits on float64, and the same bytes however it is run."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace import _native
from headrace.signals import SosFilt, from_array, from_iter
from headrace.testing import from_reads, relative_error
from headrace.testing.operators import smallest_budget
from headrace.testing.strategies import cuts, run_options, signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.chunk import Chunk
    from headrace.core.operator import Plan

FEWER = settings(max_examples=max(20, settings.default.max_examples // 2))
SOURCES = st.sampled_from([from_array, from_reads])  # looked at in place, and read
DTYPES = ("int8", "int16", "int32", "float32", "float64", "complex64", "complex128")


@st.composite
def sections(draw: st.DrawFn, most: int = 6) -> np.ndarray:
    """Draw stable sections: poles at radii up to 0.9999, or none; half with b0 = b2 = 1, as designs are."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = []
    for _ in range(draw(st.integers(1, most))):
        radius, angle = 1 - 10 ** -rng.uniform(0, 4), rng.uniform(0, np.pi)
        poles = [0, 0] if rng.random() < 0.1 else [-2 * radius * np.cos(angle), radius**2]
        zeros = [1, rng.choice([-2, 0, 2]), 1] if rng.random() < 0.5 else rng.standard_normal(3)
        rows.append([*zeros, 1, *poles])
    return np.array(rows, np.float64)


def many_or_few_channels(**options: Any) -> st.SearchStrategy[np.ndarray]:
    return st.one_of(signals(dtypes=DTYPES, **options), signals(dtypes=DTYPES, max_length=3000, max_channels=20))


def whole_array(x: np.ndarray, sos: np.ndarray) -> np.ndarray:
    from scipy.signal import sosfilt

    wide = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
    found: np.ndarray = sosfilt(sos, wide, axis=0) if len(x) else wide
    return found


def collect(flow: Any, **options: Any) -> np.ndarray:
    empty = np.empty((0, *flow.spec.shape), flow.dtype)
    with flow.chunks(**options) as chunks:
        return np.concatenate([empty, *(chunk.array.copy() for chunk in chunks)])


def same_bytes(found: np.ndarray, expected: np.ndarray) -> None:
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert found.tobytes() == expected.tobytes()


def check_answer(x: np.ndarray, sos: np.ndarray, data: st.DataObject) -> None:
    flow = data.draw(SOURCES)(x).pipe(SosFilt(sos))
    grid = SosFilt(sos).plan(flow.source.spec).grid
    found = collect(flow, **data.draw(run_options(len(x), grid=grid)))
    expected = whole_array(x, sos)
    assert found.shape == expected.shape
    if found.dtype in (np.float64, np.complex128):
        assert np.array_equal(found, expected)
    else:
        assert found.dtype == (np.complex64 if x.dtype.kind == "c" else np.float32)
        assert relative_error(found, expected) <= 3e-7


@given(many_or_few_channels(), sections(), st.data())
def test_any_signal_any_sections_and_any_way_of_running_give_scipys_answer(
    x: np.ndarray, sos: np.ndarray, data: st.DataObject
) -> None:
    check_answer(x, sos, data)


@given(many_or_few_channels(), sections(), st.data())
def test_the_bytes_depend_on_nothing_but_signal_and_sections(
    x: np.ndarray, sos: np.ndarray, data: st.DataObject
) -> None:
    flow = from_array(x).pipe(SosFilt(sos))
    whole = collect(flow, threads=1, executor="serial", memory="1GB")
    smallest = smallest_budget(flow)
    reading = from_reads(x).pipe(SosFilt(sos))
    same_bytes(collect(flow, **data.draw(run_options(len(whole), smallest))), whole)
    same_bytes(collect(reading, **data.draw(run_options(len(whole), smallest_budget(reading)))), whole)
    pieces = np.split(x, data.draw(cuts(len(x))))
    same_bytes(from_iter(pieces).pipe(SosFilt(sos)).to_array(memory="1GB"), whole)


@FEWER
@given(signals(dtypes=("float32", "complex64", "float64"), max_length=9000), sections(), st.data())
def test_segments_are_filtered_as_if_each_were_alone(x: np.ndarray, sos: np.ndarray, data: st.DataObject) -> None:
    starts = sorted({0, *(c for c in data.draw(cuts(len(x))) if c < len(x))})
    alone = [collect(from_array(part).pipe(SosFilt(sos)), memory="1GB") for part in np.split(x, starts[1:])]
    together = data.draw(SOURCES)(x, segments=starts).pipe(SosFilt(sos))
    same_bytes(collect(together, **data.draw(run_options(len(x)))), np.concatenate(alone))


@FEWER
@given(signals(dtypes=("float32", "float64"), max_length=9000, max_channels=9), sections(), st.data())
def test_nan_and_infinity_stay_as_they_do_in_scipy(x: np.ndarray, sos: np.ndarray, data: st.DataObject) -> None:
    flat = x.reshape(-1)
    if flat.size:
        for place in data.draw(st.lists(st.integers(0, flat.size - 1), max_size=3)):
            flat[place] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    found = collect(from_array(x).pipe(SosFilt(sos)), **data.draw(run_options(len(x))))
    with np.errstate(invalid="ignore"):
        expected = whole_array(x, sos)
    assert np.array_equal(np.isfinite(found), np.isfinite(expected))
    assert relative_error(found, expected) <= (3e-7 if x.dtype == np.float32 else 0)


@FEWER
@given(signals(dtypes=("int16", "float32", "float64"), max_length=9000, max_channels=17), sections(), st.data())
def test_forwards_and_backwards_at_once_equals_one_after_the_other(
    x: np.ndarray, sos: np.ndarray, data: st.DataObject
) -> None:
    kernel = _native.SosKernel(sos, x.dtype == np.float64)
    channels = 1 if x.ndim == 1 else x.shape[1]
    n, rest = len(x), np.zeros((len(sos), 2, channels))
    ahead, state, expected, back = np.empty(x.shape), rest.copy(), np.empty(x.shape, "f4"), rest.copy()
    kernel.forward(x, state, ahead)
    kernel.backward(ahead, back, expected)
    starts, surveyed = np.empty((-(-n // kernel.cell), *rest.shape)), rest.copy()
    kernel.survey(x, surveyed, starts)
    assert surveyed.tobytes() == state.tobytes()
    found, carried = np.empty_like(expected), rest.copy()
    edges = sorted({0, n, *(kernel.cell * data.draw(st.integers(0, n // kernel.cell)) for _ in range(2))})
    for start, stop in reversed(list(pairwise(edges))):
        first, last = start // kernel.cell, -(-stop // kernel.cell)
        kernel.both(x[start:stop], starts[first:last], carried, found[start:stop])
    same_bytes(found, expected)
    assert carried.tobytes() == back.tobytes()
    once = whole_array(x, sos)
    twice = whole_array(once[::-1], sos)[::-1]
    if kernel.exact:
        assert np.array_equal(found, twice.astype("f4"))
    assert relative_error(found, twice) <= 3e-7


def forgets(step: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    def mutant(self: SosFilt, plan: Plan, state: np.ndarray, window: Chunk, out: Chunk) -> np.ndarray:
        return np.zeros_like(step(self, plan, state, window, out))

    return mutant


def lags(step: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    def mutant(self: SosFilt, plan: Plan, state: np.ndarray, window: Chunk, out: Chunk) -> np.ndarray:
        step(self, plan, state, window, out)
        return state

    return mutant


@pytest.mark.parametrize("fault", [forgets, lags])
def test_a_state_that_is_not_carried_is_found(monkeypatch: pytest.MonkeyPatch, fault: Any) -> None:
    monkeypatch.setattr(SosFilt, "step", fault(SosFilt.step))

    @settings.get_profile("mutant")
    @given(many_or_few_channels(), sections(), st.data())
    def prop(x: np.ndarray, sos: np.ndarray, data: st.DataObject) -> None:
        check_answer(x, sos, data)

    with pytest.raises(AssertionError):
        prop()
