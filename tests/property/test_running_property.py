"""Medians and spreads are those of NumPy and SciPy on each window, and the same bytes however they are run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from headrace.signals import MedianFilter, RunningMad, RunningStd, from_array, from_iter
from headrace.signals.running_window import RunningWindow
from headrace.testing import relative_error
from headrace.testing.operators import smallest_budget
from headrace.testing.strategies import cuts, run_options, signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.operator import Spec

DTYPES = ("int8", "uint16", "int32", "int64", "uint64", "float32", "float64")
SIGNALS = signals(dtypes=DTYPES, max_length=3000, max_channels=9)
SIZES = st.one_of(st.integers(1, 40), st.integers(1, 700), st.sampled_from([24, 25, 255, 256, 257]))
MODES: dict[str, Any] = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "constant": "constant"}
FEW = settings(max_examples=max(20, settings.default.max_examples // 3))


@st.composite
def operators(draw: st.DrawFn) -> Any:
    make = draw(st.sampled_from([MedianFilter, RunningStd, RunningMad]))
    return make(draw(SIZES), mode=draw(st.sampled_from(sorted(MODES))), cval=draw(st.integers(0, 9)))


def whole_array(x: np.ndarray, operator: Any) -> np.ndarray:
    """Work on windows of the padded signal, some at a time."""
    window, size = operator.window, operator.window.size
    around = [(size // 2, (size - 1) // 2), *[(0, 0)] * (x.ndim - 1)]
    more = {"constant_values": window.cval} if window.mode == "constant" else {}
    median = isinstance(operator, MedianFilter)
    found = np.empty(x.shape, x.dtype if median else np.float64)
    if not len(x):
        return found
    windows = sliding_window_view(np.pad(x, around, MODES[window.mode], **more), size, axis=0)
    step = max(1, 500_000 // windows[0].size)
    for first in range(0, len(x), step):
        some = windows[first : first + step]
        if median:
            found[first : first + step] = np.sort(some, axis=-1)[..., size // 2]
        elif isinstance(operator, RunningStd):
            found[first : first + step] = some.astype(np.float64).std(axis=-1)
        else:
            found[first : first + step] = scipy.stats.median_abs_deviation(some.astype(np.float64), axis=-1)
    return found


def collect(flow: Any, **options: Any) -> np.ndarray:
    empty = np.empty((0, *flow.spec.shape), flow.dtype)
    with flow.chunks(**options) as chunks:
        return np.concatenate([empty, *(chunk.array.copy() for chunk in chunks)])


def check_answer(x: np.ndarray, operator: Any, data: st.DataObject) -> None:
    found = collect(from_array(x).pipe(operator), **data.draw(run_options(len(x))))
    expected = whole_array(x, operator)
    if isinstance(operator, MedianFilter):
        assert found.dtype == x.dtype
        assert np.array_equal(found, expected)
    elif isinstance(operator, RunningMad) and found.dtype == np.float64:
        assert np.array_equal(found, expected)
    else:
        size = float(np.linalg.norm(x.astype(np.float64)))  # of equal samples NumPy gives what rounding leaves
        off = float(np.linalg.norm(found - expected))
        limit = 3e-7 if found.dtype == np.float32 else 1e-14
        assert relative_error(found, expected) <= limit or off <= 1e-15 * size


@FEW
@given(SIGNALS, operators(), st.data())
def test_any_window_of_any_signal_and_any_way_of_running_give_the_answer_for_each_window(
    x: np.ndarray, operator: Any, data: st.DataObject
) -> None:
    check_answer(x, operator, data)


@FEW
@given(SIGNALS, operators(), st.data())
def test_the_bytes_depend_on_nothing_but_signal_and_window(x: np.ndarray, operator: Any, data: st.DataObject) -> None:
    flow = from_array(x).pipe(operator)
    whole = collect(flow, threads=1, executor="serial", memory="1GB")
    smallest = smallest_budget(flow)
    for _ in range(2):
        assert collect(flow, **data.draw(run_options(len(x), smallest))).tobytes() == whole.tobytes()
    pieces = np.split(x, data.draw(cuts(len(x))))
    assert from_iter(pieces).pipe(operator).to_array(memory="1GB").tobytes() == whole.tobytes()


@FEW
@given(signals(dtypes=("float32",), max_length=2000), operators(), st.data())
def test_segments_are_worked_on_as_if_each_were_alone(x: np.ndarray, operator: Any, data: st.DataObject) -> None:
    starts = sorted({0, *(c for c in data.draw(cuts(len(x))) if c < len(x))})
    alone = [collect(from_array(part).pipe(operator), memory="1GB") for part in np.split(x, starts[1:])]
    together = from_array(x, segments=starts).pipe(operator)
    assert collect(together, **data.draw(run_options(len(x)))).tobytes() == np.concatenate(alone).tobytes()


def other_window(change: Callable[[int], int]) -> Callable[[pytest.MonkeyPatch], None]:
    whole = RunningWindow.length

    def length(self: RunningWindow, inp: Spec, name: str) -> int:
        return change(whole(self, inp, name))

    return lambda patch: patch.setattr(RunningWindow, "length", length)


def other_border(patch: pytest.MonkeyPatch) -> None:
    whole = RunningWindow.arguments

    def arguments(self: RunningWindow, plan: Any, size: int) -> Any:
        n, size, _, cval = whole(self, plan, size)
        return n, size, "nearest", cval

    patch.setattr(RunningWindow, "arguments", arguments)


def end_out_of_sight(patch: pytest.MonkeyPatch) -> None:
    whole = RunningWindow.arguments

    def arguments(self: RunningWindow, plan: Any, size: int) -> Any:
        n, *rest = whole(self, dataclasses.replace(plan, inp=plan.inp), size)
        return n - 1 if n > 1 else n, *rest

    patch.setattr(RunningWindow, "arguments", arguments)


MUTANTS = {
    "a window one too long": other_window(lambda size: size + 1),
    "ends prolonged in another way": other_border,
    "a signal that ends too early": end_out_of_sight,
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    MUTANTS[name](monkeypatch)

    @settings.get_profile("mutant")
    @given(signals(dtypes=("float64",), max_length=1000), operators(), st.data())
    def prop(x: np.ndarray, operator: Any, data: st.DataObject) -> None:
        check_answer(x, operator, data)

    with pytest.raises((AssertionError, ValueError)):
        prop()
