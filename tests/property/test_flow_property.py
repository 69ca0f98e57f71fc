"""Operators in a row: the answer of each applied to the whole array in turn, the same bytes however they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core import cascade
from headrace.core.chunk import Chunk
from headrace.core.operator import Stateful
from headrace.signals import Fir, Map, Scale, from_array, from_iter
from headrace.testing import BlockMean, CumulativeSum, check_operator, relative_error
from headrace.testing.operators import smallest_budget
from headrace.testing.strategies import cuts, run_options, signals, taps

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.operator import Operator

FLOATS = ("float32", "float64")
KERNEL = np.array([0.25, 0.5, 0.25])


def smooth(x: np.ndarray) -> np.ndarray:
    """Three-point average, zero beyond the ends: local, so that a halo of one makes blocks and whole agree."""
    padded = np.concatenate([np.zeros_like(x[:1]), x, np.zeros_like(x[:1])])
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / x.dtype.type(4)


def convolved(x: np.ndarray, h: np.ndarray) -> np.ndarray:
    from scipy.signal import oaconvolve

    if len(x) == 0:
        return x
    columns = x.astype(np.float64).reshape(len(x), -1).T
    found = np.stack([oaconvolve(column, h, "same") for column in columns], axis=1)
    return found.reshape(x.shape).astype(x.dtype)


def collect(flow: Any, **options: Any) -> np.ndarray:
    empty = np.empty((0, *flow.spec.shape), flow.dtype)
    with flow.chunks(**options) as chunks:
        return np.concatenate([empty, *(chunk.array.copy() for chunk in chunks)])


def block_means(x: np.ndarray, k: int) -> np.ndarray:
    parts = [x[i : i + k].astype(np.float64).mean(axis=0) for i in range(0, len(x), k)]
    return np.array(parts).reshape(len(parts), *x.shape[1:])


def check_windowed(
    x: np.ndarray, h: np.ndarray, h2: np.ndarray, block: int, options: Callable[[int, int], dict[str, Any]]
) -> None:
    operators = (Fir(h), Scale(0.5, offset=2.0), Map(smooth, block=block, halo=1), Fir(h2))
    flow = from_array(x, 100.0).pipe(*operators)
    filtered = convolved(x, h)
    scaled = (filtered.astype(np.float64) * 0.5 + 2.0).astype(x.dtype)
    expected = convolved(smooth(scaled) if len(x) else scaled, h2)
    whole = collect(flow, memory="1GB")
    assert relative_error(whole, expected) <= (2e-6 if x.dtype == np.float32 else 1e-13)
    found = collect(flow, **options(len(x), smallest_budget(flow)))
    assert found.tobytes() == whole.tobytes()


def check_stateful(
    x: np.ndarray, h: np.ndarray, k: int, pieces: list[np.ndarray], options: Callable[[int, int], dict[str, Any]]
) -> None:
    operators: tuple[Operator, ...] = (Fir(h), CumulativeSum(), BlockMean(k), Fir(h[::-1]), CumulativeSum())
    flow = from_array(x).pipe(*operators)
    summed = np.cumsum(convolved(x, h), axis=0, dtype=np.float64)
    expected = np.cumsum(convolved(block_means(summed, k), h[::-1]), axis=0)
    whole = flow.to_array(memory="1GB", threads=1)
    assert whole.shape == expected.shape
    assert relative_error(whole, expected) <= (1e-4 if x.dtype == np.float32 else 1e-9)
    found = collect(flow, **options(len(whole), smallest_budget(flow)))
    assert found.tobytes() == whole.tobytes()
    streamed = from_iter(pieces).pipe(*operators).to_array(memory="1GB")
    assert streamed.tobytes() == whole.tobytes()


def drawn(data: st.DataObject) -> Callable[[int, int], dict[str, Any]]:
    return lambda n, smallest: data.draw(run_options(n, smallest))


@given(signals(dtypes=FLOATS), taps(max_count=200), taps(max_count=30), st.integers(1, 3000), st.data())
def test_windowed_operators_in_a_row(
    x: np.ndarray, h: np.ndarray, h2: np.ndarray, block: int, data: st.DataObject
) -> None:
    check_windowed(x, h, h2, max(block, len(x) // 50), drawn(data))


@given(signals(dtypes=FLOATS, max_length=6000), taps(max_count=100), st.integers(1, 9), st.data())
def test_state_flows_through_windowed_operators_before_and_after(
    x: np.ndarray, h: np.ndarray, k: int, data: st.DataObject
) -> None:
    check_stateful(x, h, k, np.split(x, data.draw(cuts(len(x)))), drawn(data))


@given(signals(max_length=3000), st.integers(1, 9))
@settings(max_examples=max(8, settings.default.max_examples // 5))
def test_the_reference_operators_pass_their_own_suite(x: np.ndarray, k: int) -> None:
    wide = np.complex128 if x.dtype.kind == "c" else np.float64
    check_operator(CumulativeSum(), x, lambda a: np.cumsum(a, axis=0, dtype=wide), tolerance=0)
    if x.dtype.kind != "c":
        check_operator(BlockMean(k), x, lambda a: block_means(a, k))


@given(signals(dtypes=FLOATS, max_length=5000), st.data())
@settings(max_examples=max(15, settings.default.max_examples // 3))
def test_state_starts_anew_in_each_segment(x: np.ndarray, data: st.DataObject) -> None:
    starts = sorted({0, *(c for c in data.draw(cuts(len(x))) if c < len(x))})
    operators = (CumulativeSum(), Fir(KERNEL))
    alone = [from_array(part).pipe(*operators).to_array(memory="1GB") for part in np.split(x, starts[1:])]
    flow = from_array(x, segments=starts).pipe(*operators)
    found = collect(flow, **data.draw(run_options(len(x), smallest_budget(flow))))
    assert found.tobytes() == np.concatenate(alone).tobytes()


def without_state(self: Any, have: Chunk, span: Any, *, original: Any = cascade._Feed._compute) -> Chunk:
    """Stand in for a cascade that forgets its state."""
    if isinstance(self.stage.operator, Stateful):
        self._state = self.stage.operator.start(self.stage.plan)
    out: Chunk = original(self, have, span)
    return out


def without_carry(self: Any, have: Chunk, *, original: Any = cascade._Feed._keep) -> None:
    """Stand in for a cascade that keeps zeros instead of the samples that its next cell needs."""
    original(self, have)
    carry = self._carry
    self._carry = Chunk(carry.span, np.zeros_like(carry.array))


@pytest.mark.parametrize(
    ("method", "mutant"), [("_compute", without_state), ("_keep", without_carry)], ids=["state", "samples"]
)
def test_a_cascade_that_does_not_carry_is_found(monkeypatch: pytest.MonkeyPatch, method: str, mutant: Any) -> None:
    monkeypatch.setattr(cascade._Feed, method, mutant)

    @settings.get_profile("mutant")
    @given(signals(dtypes=FLOATS, max_length=6000), taps(max_count=100), st.integers(1, 9), st.data())
    def prop(x: np.ndarray, h: np.ndarray, k: int, data: st.DataObject) -> None:
        check_stateful(x, h, k, np.split(x, data.draw(cuts(len(x)))), drawn(data))

    with pytest.raises(AssertionError):
        prop()


def test_a_map_without_its_halo_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Map.__post_init__

    def without_halo(self: Map) -> None:
        object.__setattr__(self, "halo", 0)
        made(self)

    monkeypatch.setattr(Map, "__post_init__", without_halo)

    @settings.get_profile("mutant")
    @given(signals(dtypes=FLOATS), taps(max_count=30), st.integers(1, 900), st.data())
    def prop(x: np.ndarray, h: np.ndarray, block: int, data: st.DataObject) -> None:
        check_windowed(x, h, h, max(block, len(x) // 50), drawn(data))

    with pytest.raises(AssertionError):
        prop()
