"""Tables: the rows are those of the whole array, whatever the budget, threads, chunks, segments and kind of flow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import BudgetTooSmall
from headrace.signals import Fir, Flow, Recording, from_array, from_iter
from headrace.testing import CumulativeSum, WindowSums


def expected(parts: list[np.ndarray], block: int, halo: int) -> list[tuple[int, int, int, int, int, float, bool]]:
    rows, offset = [], 0
    for x in parts:
        n = len(x)
        for start in range(0, n, block):
            stop = min(start + block, n)
            low, high = max(0, start - halo), min(n, stop + halo)
            for channel, column in enumerate(x.reshape(n, -1).T):
                total = math.fsum(column[low:high])
                spans = (start + offset, stop + offset, channel, low + offset, high + offset)
                rows.append((*spans, total, stop == n))
        offset += n
    return rows


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[np.ndarray], WindowSums, dict[str, Any]]:
    channels = draw(st.sampled_from([None, 1, 2, 5]))
    lengths = draw(st.lists(st.integers(0, 300), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    parts = [rng.integers(-100, 100, (n,) if channels is None else (n, channels)).astype(np.float32) for n in lengths]
    sums = WindowSums(draw(st.integers(1, 120)), draw(st.sampled_from([0, 1, 7, 150])))
    options = {"threads": draw(st.integers(1, 3)), "executor": draw(st.sampled_from(["threads", "serial"]))}
    if draw(st.booleans()):
        options["chunk"] = draw(st.integers(1, 200))
    return parts, sums, options


def of_segments(parts: list[np.ndarray]) -> Recording:
    starts = np.cumsum([0, *(len(part) for part in parts if len(part))])[:-1]
    return from_array(np.concatenate(parts), segments=[int(start) for start in starts] or None)


def rows_of(flow: Flow, sums: WindowSums, options: dict[str, Any]) -> list[Any]:
    return [row for batch in flow.tabulate(sums).batches(**options) for row in batch.tolist()]


@given(cases())
def test_rows_are_those_of_the_whole_array(case: Any) -> None:
    parts, sums, options = case
    flow = of_segments(parts).pipe()
    assert rows_of(flow, sums, options) == expected(parts, sums.block, sums.halo)


@given(cases())
def test_rows_after_operators_are_those_of_the_whole_filtered_array(case: Any) -> None:
    parts, sums, options = case
    taps = np.array([1.0, 2.0, 0.0, -1.0])
    flow = of_segments(parts).pipe(Fir(taps))
    filtered = [from_array(part).pipe(Fir(taps)).to_array() for part in parts]
    assert rows_of(flow, sums, options) == expected(filtered, sums.block, sums.halo)


@given(cases())
def test_rows_after_an_operator_with_state_are_the_same(case: Any) -> None:
    parts, sums, options = case
    flow = of_segments(parts).pipe(CumulativeSum())
    summed = [np.cumsum(part.astype(np.float64), axis=0) for part in parts]
    assert rows_of(flow, sums, options) == expected(summed, sums.block, sums.halo)


@given(cases(), st.integers(1, 90))
def test_rows_of_a_stream_are_those_of_the_recording(case: Any, step: int) -> None:
    parts, sums, options = case
    x = np.concatenate(parts)
    pieces = [x[start : start + step] for start in range(0, max(1, len(x)), step)]
    assert rows_of(from_iter(pieces).pipe(), sums, options) == expected([x], sums.block, sums.halo)


@given(cases(), st.data())
def test_any_budget_that_is_not_refused_gives_the_same_rows(case: Any, data: st.DataObject) -> None:
    parts, sums, _ = case
    flow = of_segments(parts).pipe()
    wanted = expected(parts, sums.block, sums.halo)
    try:
        rows_of(flow, sums, {"memory": 1, "threads": 2})
        smallest = 1
    except BudgetTooSmall as error:
        smallest = error.needed
    memory = smallest + data.draw(st.sampled_from([0, 1, 5000, 10**6]))
    assert rows_of(flow, sums, {"memory": memory, "threads": 2}) == wanted
