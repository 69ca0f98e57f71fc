"""Features: the rows are those of NumPy and SciPy on each window of the whole array, however the flow is run."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from headrace.core.span import Halo
from headrace.errors import BudgetTooSmall
from headrace.signals import BandPower, Features, Fir, from_array, from_iter
from headrace.signals.features import features as module
from headrace.testing import CumulativeSum, relative_error

FS = 1000.0
NAMES = ("rms", "mean", "std", "peak", "ptp", "zero_crossings", "line_length")
SPREAD = ("spread", lambda w: np.max(w, axis=-1) - np.mean(w, axis=-1))
ALL = (*NAMES, SPREAD, BandPower(0, 120), BandPower(200, label="upper"))


def expected_row(x: np.ndarray) -> list[float]:
    density = signal.periodogram(x, FS, "hann")[1]
    frequencies = np.arange(len(density)) * FS / len(x)
    below = x < 0
    return [
        np.sqrt(np.mean(np.square(x))),
        np.mean(x),
        np.std(x),
        np.max(abs(x)),
        np.max(x) - np.min(x),
        np.sum(below[1:] != below[:-1]),
        np.sum(abs(x[1:] - x[:-1])),
        np.max(x) - np.mean(x),
        np.sum(density[frequencies < 120]) * FS / len(x),
        np.sum(density[frequencies >= 200]) * FS / len(x),
    ]


def expected(parts: list[np.ndarray], length: int, hop: int) -> tuple[list[tuple[int, int, int]], np.ndarray]:
    places, values, offset = [], [], 0
    for part in parts:
        wide = (part[:, np.newaxis] if part.ndim == 1 else part).astype(np.float64)
        for start in range(0, len(part) - length + 1, hop):
            for channel in range(wide.shape[1]):
                places.append((start + offset, start + offset + length, channel))
                values.append(expected_row(wide[start : start + length, channel]))
        offset += len(part)
    return places, np.array(values).reshape(len(places), len(ALL))


def check(rows: np.ndarray, parts: list[np.ndarray], length: int, hop: int) -> None:
    places, values = expected(parts, length, hop)
    assert rows[["start", "end", "channel"]].tolist() == places
    assert np.array_equal(rows["time_s"], rows["start"] / FS)
    for name, column in zip(rows.dtype.names[4:], values.T, strict=True):
        if name == "zero_crossings":
            assert np.array_equal(rows[name], column)
        else:
            assert relative_error(rows[name], column) <= 1e-13, name


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[np.ndarray], int, int, dict[str, Any]]:
    channels = draw(st.sampled_from([None, 1, 3]))
    lengths = draw(st.lists(st.integers(0, 400), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from(["int16", "float32", "float64"]))
    parts = [(100 * rng.standard_normal((n,) if channels is None else (n, channels))).astype(dtype) for n in lengths]
    options = {"threads": draw(st.integers(1, 3)), "executor": draw(st.sampled_from(["threads", "serial"]))}
    if draw(st.booleans()):
        options["chunk"] = draw(st.integers(1, 200))
    length = draw(st.integers(9, 120))  # as long as the bands need
    return parts, length, draw(st.sampled_from([length, 1 + length // 3, length + 7, 97])), options


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let short signals cross the borders of blocks, and of what is measured at once."""
    monkeypatch.setattr(module, "_BLOCK", 64)
    monkeypatch.setattr(module, "_VALUES", 256)


def of_segments(parts: list[np.ndarray]) -> Any:
    starts = np.cumsum([0, *(len(part) for part in parts if len(part))])[:-1]
    return from_array(np.concatenate(parts), fs=FS, segments=[int(start) for start in starts] or None)


def check_case(case: Any) -> None:
    parts, length, hop, options = case
    check(of_segments(parts).features(*ALL, length=length, hop=hop).to_array(**options), parts, length, hop)


@given(cases())
def test_rows_are_those_of_every_window_of_the_whole_array(case: Any) -> None:
    check_case(case)


@settings(max_examples=30)
@given(cases())
def test_rows_after_operators_are_those_of_the_whole_filtered_array(case: Any) -> None:
    parts, length, hop, options = case
    flow = of_segments(parts).pipe(Fir([0.5, 1.0, -0.25]))
    filtered = [from_array(part).pipe(Fir([0.5, 1.0, -0.25])).to_array() for part in parts]
    check(flow.features(*ALL, length=length, hop=hop).to_array(**options), filtered, length, hop)


@settings(max_examples=30)
@given(cases(), st.integers(1, 90))
def test_rows_of_a_stream_are_those_of_the_recording(case: Any, step: int) -> None:
    parts, length, hop, options = case
    x = np.concatenate(parts).astype(np.float64)
    pieces = [x[start : start + step] for start in range(0, max(1, len(x)), step)]
    flow = from_iter(pieces, fs=FS).pipe(CumulativeSum())
    found = flow.features(*ALL, length=length, hop=hop).to_array(**options)
    check(found, [np.cumsum(x, axis=0)], length, hop)


@settings(max_examples=30)
@given(cases(), st.sampled_from([0, 1, 5000, 10**7]))
def test_any_budget_that_is_not_refused_gives_the_same_bytes(case: Any, more: int) -> None:
    parts, length, hop, options = case
    table = of_segments(parts).features(*ALL, length=length, hop=hop)
    wanted = table.to_array(**options)
    with pytest.raises(BudgetTooSmall) as refused:
        table.run(memory=1)
    found = [batch.copy() for batch in table.batches(memory=refused.value.needed + more, threads=3)]
    assert b"".join(batch.tobytes() for batch in found) == wanted.tobytes()


def short_halo(plan_of: Any) -> Any:
    def plan(self: Features, inp: Any) -> Any:
        plan = plan_of(self, inp)
        return dataclasses.replace(plan, halo=Halo(0, max(0, plan.halo.right - 1)))

    return plan


def loose_blocks(plan_of: Any) -> Any:
    def plan(self: Features, inp: Any) -> Any:
        plan = plan_of(self, inp)
        return dataclasses.replace(plan, block=plan.block + 1)

    return plan


@pytest.mark.parametrize("mutant", [short_halo, loose_blocks])
def test_a_window_lost_at_the_border_of_a_block_is_found(monkeypatch: pytest.MonkeyPatch, mutant: Any) -> None:
    monkeypatch.setattr(Features, "plan", mutant(Features.plan))

    @settings.get_profile("mutant")
    @given(cases())
    def prop(case: Any) -> None:
        check_case(case)

    with pytest.raises(AssertionError):
        prop()
