"""Matched filters: the rule for events, several templates and channels, flat and missing samples, what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from headrace.errors import SchemaError
from headrace.signals import EVENT, MATCH, MatchedFilter, from_array, from_iter

PULSE = np.array([0.0, 1, 4, 2, -3, -1, 0])
STEP = np.array([-1.0, -1, -1, 1, 1, 1, 1])


def planted(n: int, places: dict[int, np.ndarray], *, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    x = noise * np.random.default_rng(seed).standard_normal(n)
    for start, shape in places.items():
        x[start : start + len(shape)] += shape
    return x


def test_planted_templates_are_found_at_any_scale_and_offset() -> None:
    x = planted(5000, {100: 3 * PULSE, 2000: 0.01 * STEP, 4993: PULSE}, noise=1e-5) + 700
    rows = from_array(x, fs=1000, t0=2.0).detect(MatchedFilter([PULSE, STEP], 0.95)).to_array()
    assert rows.dtype == MATCH
    assert MATCH.names is not None
    assert MATCH.names[: len(EVENT.names or ())] == EVENT.names
    assert rows["start"].tolist() == [100, 2000, 4993]
    assert rows["template"].tolist() == [0, 1, 0]
    assert (rows["end"] - rows["start"] == 7).all()
    assert rows["peak"].tolist() == [102, 2000, 4995]
    assert np.array_equal(rows["amplitude"], x[rows["peak"]])
    assert np.allclose(rows["time_s"], 2 + rows["start"] / 1000)
    assert (rows["correlation"] > 0.95).all()


def test_an_exact_copy_reaches_a_threshold_of_one() -> None:
    x = planted(40_000, dict.fromkeys(range(50, 39_000, 997), PULSE))
    rows = from_array(x).detect(MatchedFilter(PULSE, 1)).to_array()
    assert rows["start"].tolist() == list(range(50, 39_000, 997))
    assert np.isnan(rows["time_s"]).all()


def test_of_equals_the_first_stays_and_nothing_nearer_than_the_distance() -> None:
    x = np.tile([0.0, 1, 0, -1], 100)
    shape = [0.0, 1, 0, -1]
    apart = {d: from_array(x).detect(MatchedFilter(shape, 0.9, distance=d)).to_array()["start"] for d in (1, 4, 5)}
    assert apart[1].tolist() == apart[4].tolist() == list(range(0, 397, 4))
    assert apart[5].tolist() == [0]  # each other one has an equal less than five samples before it


def test_a_template_of_several_channels_is_found_in_all_at_once() -> None:
    rng = np.random.default_rng(3)
    bank = rng.standard_normal((2, 20, 3))
    bank[1] += [100, 0, -30]  # offsets of channels do not matter
    x = 0.05 * rng.standard_normal((3000, 3)) + [5, -900, 0]
    x[700:720] += bank[1]
    x[1500:1520] += 2 * bank[0]
    rows = from_array(x).detect(MatchedFilter(bank, 0.9)).to_array()
    assert rows[["start", "template"]].tolist() == [(700, 1), (1500, 0)]
    for row in rows:
        away = np.abs(bank[row["template"]] - bank[row["template"]].mean(axis=0))
        peak, channel = np.unravel_index(away.argmax(), away.shape)
        assert (row["peak"], row["channel"]) == (row["start"] + peak, channel)
        assert row["amplitude"] == x[row["peak"], channel]


def test_channels_are_searched_one_by_one() -> None:
    x = np.stack(
        [planted(900, {50: PULSE, 400: PULSE}), planted(900, {}), planted(900, {50: -PULSE, 60: STEP})], axis=1
    )
    rows = from_array(x).detect(MatchedFilter([PULSE, STEP], 0.99)).to_array()
    assert rows[["start", "channel", "template"]].tolist() == [(50, 0, 0), (60, 2, 1), (400, 0, 0)]


@pytest.mark.parametrize("value", [0.0, 0.1, 12345.678, np.nan, np.inf])
def test_windows_that_are_flat_or_not_known_match_nothing(value: float) -> None:
    x = np.full(500, value)
    assert len(from_array(x).detect(MatchedFilter(PULSE, 1e-9)).to_array()) == 0
    x = planted(500, {100: PULSE, 300: PULSE})
    x[104] = value
    found = from_array(x).detect(MatchedFilter(PULSE, 0.999)).to_array()["start"]
    assert found.tolist() == [300]


@pytest.mark.parametrize("n", [0, 1, 6, 7, 8])
def test_windows_lie_wholly_inside_a_segment(n: int) -> None:
    rows = from_array(PULSE.repeat(2)[:n] if n != 7 else PULSE).detect(MatchedFilter(PULSE, 0.999)).to_array()
    assert len(rows) == (n == 7)
    x = planted(100, {10: PULSE, 47: PULSE, 80: PULSE})
    found = from_array(x, segments=[0, 50]).detect(MatchedFilter(PULSE, 0.999)).to_array()["start"]
    assert found.tolist() == [10, 80]


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "int64", "float16", "bool"])
def test_every_dtype_will_do(dtype: str) -> None:
    shape = np.array([1, 0, 1, 1, 0, 1, 1, 1])
    x = np.zeros((3000, 2))
    x[70:78, 0] = x[2000:2008, 1] = shape
    rows = from_array(x.astype(dtype)).detect(MatchedFilter(shape, 1)).to_array()
    assert rows[["start", "channel"]].tolist() == [(70, 0), (2000, 1)]


def test_a_stream_has_the_events_of_its_array() -> None:
    x = planted(40_000, dict.fromkeys(range(50, 39_000, 613), PULSE), noise=0.1)
    rows = from_array(x).detect(MatchedFilter(PULSE, 0.8)).to_array()
    stream = from_iter(np.split(x, [1, 100, 20_000])).detect(MatchedFilter(PULSE, 0.8)).to_array()
    assert rows.tobytes() == stream.tobytes()
    assert len(rows) >= 60


def test_it_prints_what_it_does_and_travels() -> None:
    rule = MatchedFilter([PULSE, STEP], 0.8, distance=30)
    assert repr(rule).startswith("MatchedFilter(2 x 7 #")
    assert repr(rule).endswith(", 0.8, distance=30)")
    assert repr(MatchedFilter(PULSE, 0.8)) != repr(MatchedFilter(STEP, 0.8))
    x = planted(500, {100: PULSE, 300: STEP})
    from_array(x).detect(rule).to_array()
    again = pickle.loads(pickle.dumps(rule))
    assert from_array(x).detect(again).to_array().tobytes() == from_array(x).detect(rule).to_array().tobytes()


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: MatchedFilter([], 0.5), "with w of at least 2"),
        (lambda: MatchedFilter([1.0], 0.5), r"at least 2: got \(1, 1\)"),
        (lambda: MatchedFilter(np.ones((1, 2, 3, 4)), 0.5), r"got \(1, 2, 3, 4\)"),
        (lambda: MatchedFilter([1, np.nan, 2], 0.5), "are finite"),
        (lambda: MatchedFilter(["a", "b"], 0.5), "real numbers"),
        (lambda: MatchedFilter([1j, 2], 0.5), "templates= are real numbers"),
        (lambda: MatchedFilter([[1, 2], [3, 3]], 0.5), "template 1 is flat"),
        (lambda: MatchedFilter(PULSE, 0), "threshold= is a positive number"),
        (lambda: MatchedFilter(PULSE, 1.5), "at most 1: got 1.5"),
        (lambda: MatchedFilter(PULSE, np.nan), "threshold="),
        (lambda: MatchedFilter(PULSE, 0.5, distance=0), "distance= is at least 1"),
    ],
)
def test_what_is_refused(make: Any, what: str) -> None:
    with pytest.raises(SchemaError, match=what):
        make()


def test_flows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SchemaError, match=r"templates have 3 channel\(s\) and the flow has 2"):
        from_array(np.zeros((50, 2))).detect(MatchedFilter(np.random.default_rng(0).random((1, 5, 3)), 0.5)).run()
    with pytest.raises(SchemaError, match="takes real samples: got complex128"):
        from_array(np.zeros(50, complex)).detect(MatchedFilter(PULSE, 0.5)).run()
