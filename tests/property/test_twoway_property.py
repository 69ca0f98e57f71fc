"""Two-way operators: the answer of the whole array, whatever comes before and after them, and however they are run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core import journal, sections, twoway
from headrace.core.tempfiles import UnnamedFile
from headrace.errors import SchemaError
from headrace.signals import Fir, Flow, Map, Scale, from_array, from_iter
from headrace.testing import CumulativeSum, DoubleSum, WindowSums, check_operator
from headrace.testing.strategies import run_options

CHANNELS = [None, 1, 3, 16, 40]


def whole(x: np.ndarray) -> np.ndarray:
    if not len(x):
        return x.astype(np.float64)
    sums = np.cumsum(x.astype(np.float64) - x[0], axis=0) - x[-1]
    return np.cumsum(sums[::-1], axis=0)[::-1]


@st.composite
def recordings(draw: st.DrawFn) -> list[np.ndarray]:
    channels = draw(st.sampled_from(CHANNELS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    lengths = draw(st.lists(st.integers(1, 400), min_size=1, max_size=3))
    return [rng.integers(-50, 50, (n,) if channels is None else (n, channels)).astype(np.int16) for n in lengths]


def flow_of(parts: list[np.ndarray], *operators: Any) -> Flow:
    starts = np.cumsum([0, *(len(part) for part in parts)])[:-1]
    return from_array(np.concatenate(parts), segments=[int(s) for s in starts]).pipe(*operators)


@given(recordings(), st.integers(1, 150), run_options())
def test_the_answer_is_that_of_the_whole_array(parts: Any, cell: int, options: Any) -> None:
    flow = flow_of(parts, DoubleSum(cell))
    expected = np.concatenate([whole(part) for part in parts])
    assert np.array_equal(flow.to_array(threads=options.get("threads")), expected)
    found = [chunk.array.copy() for chunk in flow.chunks(**options)]
    assert np.array_equal(np.concatenate(found), expected)


@given(recordings(), st.integers(1, 150), run_options())
def test_operators_before_and_after_see_the_same_samples(parts: Any, cell: int, options: Any) -> None:
    taps = np.array([1.0, -2.0, 1.0])
    before, after = Fir(taps), Fir(taps[:2])
    flow = flow_of(parts, before, DoubleSum(cell), after)
    expected = [from_array(whole(from_array(p).pipe(before).to_array())).pipe(after).to_array() for p in parts]
    found = [chunk.array.copy() for chunk in flow.chunks(**options)]
    assert np.allclose(np.concatenate(found), np.concatenate(expected), rtol=1e-9, atol=1e-6)
    assert np.array_equal(flow.to_array(), np.concatenate(found))


@given(recordings(), st.integers(1, 150), st.integers(1, 3))
def test_what_works_sample_by_sample_runs_on_the_way_back(parts: Any, cell: int, threads: int) -> None:
    flow = flow_of(parts, DoubleSum(cell), Scale(0.5, 3.0), Map(np.abs, block=1))
    expected = np.concatenate([np.abs(whole(part) * 0.5 + 3.0) for part in parts])
    assert np.array_equal(flow.to_array(threads=threads), expected)
    rounded = flow.to_array(threads=threads, out_dtype="int32")
    assert np.array_equal(rounded, np.rint(np.clip(expected, -(2.0**31), 2.0**31 - 1)).astype(np.int32))


@given(recordings(), st.integers(1, 150))
def test_two_of_them_in_a_row_state_after_them_and_tables(parts: Any, cell: int) -> None:
    twice = np.concatenate([whole(whole(part)) for part in parts])
    assert np.array_equal(flow_of(parts, DoubleSum(cell), DoubleSum(7)).to_array(), twice)
    summed = np.concatenate([np.cumsum(whole(part), axis=0) for part in parts])
    assert np.array_equal(flow_of(parts, DoubleSum(cell), CumulativeSum()).to_array(), summed)
    rows = flow_of(parts, DoubleSum(cell)).tabulate(WindowSums(10_000)).to_array()
    width = 1 if parts[0].ndim == 1 else parts[0].shape[1]
    totals = np.concatenate([np.atleast_1d(whole(part).sum(axis=0)) for part in parts])
    assert np.array_equal(rows["total"], totals)
    assert len(rows) == width * len(parts)


def test_the_states_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    monkeypatch.setattr(twoway, "_TABLE_BYTES", 100)
    x = rng.integers(-9, 9, (1000, 20)).astype(np.int16)
    flow = from_array(x).pipe(DoubleSum(16))
    made: list[Any] = []
    monkeypatch.setattr(
        journal, "UnnamedFile", lambda *args, **options: made.append(UnnamedFile(*args, **options)) or made[-1]
    )
    assert np.array_equal(flow.to_array(), whole(x))
    assert len(made) == 1
    assert np.array_equal(np.concatenate([chunk.array.copy() for chunk in flow.chunks(threads=2)]), whole(x))
    assert len(made) == 3


def test_it_passes_the_suite_for_operators() -> None:
    check_operator(DoubleSum(10), np.arange(3001.0) % 17, whole)
    check_operator(DoubleSum(100), (np.arange(6002.0) % 17).reshape(-1, 2), whole)
    check_operator(DoubleSum(10), (np.arange(40 * 707.0) % 17).reshape(-1, 40), whole)


@pytest.mark.parametrize("mutant", ["state before", "state after", "turn"])
def test_a_state_that_is_not_carried_is_noticed(mutant: str, rng: np.random.Generator) -> None:
    class Mutant(DoubleSum):
        def forward(self, plan: Any, state: Any, window: Any, channels: Any) -> Any:
            after, trace = super().forward(plan, state, window, channels)
            return (np.stack([after[0] * 0, after[1]]) if mutant == "state before" else after), trace

        def turn(self, plan: Any, state: Any, tail: Any) -> Any:
            return super().turn(plan, state, tail) * (mutant != "turn")

        def backward(self, plan: Any, trace: Any, state: Any, window: Any, out: Any, channels: Any) -> Any:
            before = super().backward(plan, trace, state, window, out, channels)
            return np.stack([before[0] * 0, before[1]]) if mutant == "state after" else before

    x = rng.integers(1, 9, 300).astype(np.int16)
    assert not np.array_equal(from_array(x).pipe(Mutant(32)).to_array(), whole(x))


def test_a_stream_is_refused_and_so_is_state_before_it() -> None:
    with pytest.raises(SchemaError, match="comes once"):
        from_iter([np.ones(5)]).pipe(DoubleSum())
    with pytest.raises(SchemaError, match="carries state"):
        from_array(np.ones(5)).pipe(CumulativeSum(), DoubleSum())


@pytest.mark.parametrize("way", ["array", "chunks"])
def test_the_work_grows_with_the_segments_and_no_faster(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    calls = [0]

    def counted(*args: Any, **options: Any) -> list[int]:
        calls[0] += 1
        return bench_sizes(*args, **options)

    bench_sizes = sections.bench_sizes
    monkeypatch.setattr(sections, "bench_sizes", counted)
    monkeypatch.setattr(twoway, "bench_sizes", counted)

    def cost(n: int) -> int:
        calls[0] = 0
        flow = flow_of([np.zeros(5, np.int16)] * n, DoubleSum(4), Scale(2.0))
        if way == "array":
            flow.to_array(threads=1)
        else:
            assert sum(len(chunk) for chunk in flow.chunks(threads=1)) == 5 * n
        return calls[0]

    assert cost(80) < 3 * cost(40)
