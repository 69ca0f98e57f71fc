"""Channel operations give the whole-array answer, and the same bytes however they are run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.span import Halo
from headrace.signals import BlockMedian, CommonReference, Detrend, Flow, PhaseShift, from_array, from_iter
from headrace.testing import relative_error
from headrace.testing.operators import smallest_budget
from headrace.testing.strategies import cuts, run_options, signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.operator import Operator, Plan, Spec

REAL = ("int8", "int16", "int32", "float32", "float64")
MODEST = settings(max_examples=max(20, settings.default.max_examples // 2))


def columns(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), x.shape[1] if x.ndim == 2 else 1).astype(np.float64)


def less_reference(x: np.ndarray, operator: CommonReference) -> np.ndarray:
    found = columns(x)
    wide = found.copy()
    average = np.median if operator.method == "median" else np.mean
    for group in operator.groups or (tuple(range(wide.shape[1])),):
        counted = [c for c in group if c not in operator.exclude]
        found[:, list(group)] -= average(wide[:, counted], axis=1, keepdims=True)
    return found


def shifted(x: np.ndarray, operator: PhaseShift) -> np.ndarray:
    taps, lags = operator.impulse_response()
    found = columns(x)
    for c, column in enumerate(columns(x).T):
        own = c if len(taps) > 1 else 0
        full = np.concatenate([np.convolve(column, taps[own]) if len(x) else [], [0.0]])  # the last for what is outside
        at = np.arange(len(x)) - lags[own]
        found[:, c] = full[np.where((at >= 0) & (at < len(full)), at, -1)]
    return found


def in_blocks(x: np.ndarray, block: int, fn: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    wide = columns(x)
    return np.concatenate([wide[:0], *(fn(wide[a : a + block]) for a in range(0, len(x), block))])


def detrended(x: np.ndarray, operator: Detrend) -> np.ndarray:
    from scipy.signal import detrend

    return in_blocks(x, operator.block, lambda b: detrend(b, axis=0, type=operator.type))


def less_block_median(x: np.ndarray, operator: BlockMedian) -> np.ndarray:
    return in_blocks(x, operator.block, lambda b: b - np.median(b, axis=0))


def draw_reference(draw: Any, n_channels: int) -> CommonReference:
    method = draw(st.sampled_from(["median", "mean"]))
    if draw(st.integers(0, 3)) == 0:
        return CommonReference(method)
    order = draw(st.randoms(use_true_random=False)).sample(range(n_channels), n_channels)
    edge = draw(st.integers(1, n_channels))
    groups = [group for group in (order[:edge], order[edge:]) if group][: draw(st.integers(1, 2))]
    spare = [c for group in groups for c in group[1:]]
    exclude = draw(st.lists(st.sampled_from(spare), min_size=1, max_size=3)) if spare else []
    return CommonReference(method, groups=groups, exclude=exclude)


def draw_shift(draw: Any, n_channels: int) -> PhaseShift:
    shifts = st.one_of(st.floats(-3, 3), st.integers(-200, 200), st.floats(-200, 200))
    count = draw(st.sampled_from([1, n_channels]))
    return PhaseShift(draw(st.lists(shifts, min_size=count, max_size=count)), taps=draw(st.sampled_from([8, 64])))


def draw_block(draw: Any) -> int:
    return draw(st.one_of(st.integers(100, 1000), st.integers(1000, 30_000)))  # small ones are the unit tests'


CASES: dict[str, tuple[Callable[[Any, int], Operator], Callable[[np.ndarray, Any], np.ndarray]]] = {
    "CommonReference": (draw_reference, less_reference),
    "PhaseShift": (draw_shift, shifted),
    "Detrend": (
        lambda draw, _: Detrend(draw(st.sampled_from(["constant", "linear"])), block=draw_block(draw)),
        detrended,
    ),
    "BlockMedian": (lambda draw, _: BlockMedian(draw_block(draw)), less_block_median),
}
NAMES = st.sampled_from(list(CASES))
# A few channels, or enough for several vectors.
SIGNALS = st.one_of(signals(dtypes=REAL), signals(dtypes=REAL, max_length=600, max_channels=70))


def drawn(x: np.ndarray, name: str, data: st.DataObject) -> Operator:
    return CASES[name][0](data.draw, x.shape[1] if x.ndim == 2 else 1)


def collect(flow: Any, **options: Any) -> np.ndarray:
    empty = np.empty((0, *flow.spec.shape), flow.dtype)
    with flow.chunks(**options) as chunks:
        return np.concatenate([empty, *(chunk.array.copy() for chunk in chunks)])


def check_answer(x: np.ndarray, name: str, data: st.DataObject) -> None:
    operator = drawn(x, name, data)
    flow = from_array(x).pipe(operator)
    found = collect(flow, **data.draw(run_options(len(x), smallest_budget(flow))))
    expected = CASES[name][1](x, operator).reshape(x.shape)
    narrow = x.dtype == np.float32 or x.dtype.itemsize <= 2
    assert (found.shape, found.dtype) == (x.shape, np.float32 if narrow else np.float64)
    # What is left of a sample less a trend that is all of it is rounding error: hence relative to the signal too.
    size = float(np.abs(x).max(initial=0)) * np.sqrt(x.size) or 1.0
    limit = 3e-7 if narrow else 1e-14
    off = np.linalg.norm(found.astype(np.float64) - expected)
    assert relative_error(found, expected) <= limit or off <= 1e-14 * size


def same_bytes(found: np.ndarray, expected: np.ndarray) -> None:
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert found.tobytes() == expected.tobytes()


def check_bytes(flow: Flow, data: st.DataObject) -> np.ndarray:
    whole = collect(flow, threads=1, executor="serial", memory="1GB")
    smallest = smallest_budget(flow)
    for _ in range(2):
        same_bytes(collect(flow, **data.draw(run_options(len(whole), smallest))), whole)
    return whole


@given(SIGNALS, NAMES, st.data())
def test_any_signal_any_settings_and_any_way_of_running_give_the_whole_array_answer(
    x: np.ndarray, name: str, data: st.DataObject
) -> None:
    check_answer(x, name, data)


@MODEST
@given(SIGNALS, NAMES, st.data())
def test_the_bytes_depend_on_nothing_but_signal_and_settings(x: np.ndarray, name: str, data: st.DataObject) -> None:
    flow = from_array(x).pipe(drawn(x, name, data))
    whole = check_bytes(flow, data)
    stream = from_iter(np.split(x, data.draw(cuts(len(x))))).pipe(flow.operators[0])
    same_bytes(stream.to_array(memory="1GB"), whole)


@MODEST
@given(signals(dtypes=("float32",), max_length=3000), NAMES, st.data())
def test_segments_are_worked_on_as_if_each_were_alone(x: np.ndarray, name: str, data: st.DataObject) -> None:
    operator = drawn(x, name, data)
    starts = sorted({0, *(c for c in data.draw(cuts(len(x))) if c < len(x))})
    alone = [collect(from_array(part).pipe(operator), memory="1GB") for part in np.split(x, starts[1:])]
    together = from_array(x, segments=starts).pipe(operator)
    same_bytes(collect(together, **data.draw(run_options(len(x)))), np.concatenate(alone))


def short_halo(left: int, right: int) -> Callable[[pytest.MonkeyPatch], None]:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        whole = PhaseShift.plan

        def plan(self: PhaseShift, inp: Spec) -> Plan:
            found = whole(self, inp)
            halo = Halo(max(0, found.halo.left - left), max(0, found.halo.right - right))
            return dataclasses.replace(found, halo=halo)

        monkeypatch.setattr(PhaseShift, "plan", plan)

    return patch


def grid_of_one(kind: type[Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """Let blocks be cut wherever chunks end."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        whole = kind.plan
        monkeypatch.setattr(kind, "plan", lambda self, inp: dataclasses.replace(whole(self, inp), grid=1))

    return patch


def wrong_group(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = CommonReference._assign

    def assign(self: CommonReference, n_channels: int) -> tuple[np.ndarray, np.ndarray]:
        _, targets = whole(self, n_channels)
        return targets, targets  # excluded channels count

    monkeypatch.setattr(CommonReference, "_assign", assign)


MUTANTS = {
    "PhaseShift, halo short on the left": ("PhaseShift", short_halo(1, 0)),
    "PhaseShift, halo short on the right": ("PhaseShift", short_halo(0, 1)),
    "Detrend, blocks from the chunk": ("Detrend", grid_of_one(Detrend)),
    "BlockMedian, blocks from the chunk": ("BlockMedian", grid_of_one(BlockMedian)),
    "CommonReference, nobody excluded": ("CommonReference", wrong_group),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_an_operator_that_is_broken_is_found(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, patch = MUTANTS[mutant]
    patch(monkeypatch)

    @settings.get_profile("mutant")
    @given(SIGNALS, st.data())
    def prop(x: np.ndarray, data: st.DataObject) -> None:
        check_answer(x, name, data)
        check_bytes(from_array(x).pipe(drawn(x, name, data)), data)  # the outermost taps are small

    with pytest.raises(AssertionError):
        prop()
