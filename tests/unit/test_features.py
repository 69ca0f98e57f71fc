"""Features of windows: their definitions at the edges, and what is refused."""

from __future__ import annotations

import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy.signal import periodogram

from headrace.core.blockwise import Block
from headrace.core.chunk import Chunk
from headrace.core.operator import Spec
from headrace.core.span import Span
from headrace.errors import MissingExtra, SchemaError
from headrace.signals import BandPower, Features, concat, from_array

NAMES = ("rms", "mean", "std", "peak", "ptp", "zero_crossings", "line_length")
X = from_array(np.arange(100.0), fs=1000)


def one_row(x: Any, *what: Any) -> dict[str, float]:
    rows = from_array(np.asarray(x, np.float64), fs=100).features(*what, length=len(x)).to_array()
    assert len(rows) == 1
    return dict(zip(rows.dtype.names, rows[0].tolist(), strict=True))


def test_the_features_of_a_window_are_what_their_names_say() -> None:
    found = one_row([3.0, -4.0, 0.0, 5.0], *NAMES)
    assert found["rms"] == np.sqrt(12.5)
    assert (found["mean"], found["peak"], found["ptp"]) == (1, 5, 9)
    assert found["std"] == np.std([3.0, -4.0, 0.0, 5.0])
    assert (found["zero_crossings"], found["line_length"]) == (2, 7 + 4 + 5)


def test_a_window_of_one_sample_has_features_too() -> None:
    found = one_row([-2.0], *NAMES, BandPower(0))
    assert [found[name] for name in (*NAMES, "band_power_0_nyquist")] == [2, -2, 0, 2, 0, 0, 0, 0]


def test_a_window_with_nan_has_features_that_are_nan_and_the_next_has_not() -> None:
    x = np.array([1.0, np.nan, 1.0, -1.0])
    rows = from_array(x, fs=100).features(*NAMES, BandPower(0), length=2).to_array()
    assert all(np.isnan(rows[name][0]) for name in (*NAMES, "band_power_0_nyquist") if name != "zero_crossings")
    assert rows["zero_crossings"].tolist() == [0, 1]
    assert not any(np.isnan(rows[name][1]) for name in NAMES)


def test_infinity_gives_what_it_gives_in_numpy() -> None:
    found = one_row([1.0, np.inf], *NAMES)
    assert (found["rms"], found["mean"], found["peak"], found["ptp"]) == (np.inf,) * 4
    assert np.isnan(found["std"])


def test_integers_do_not_wrap() -> None:
    rows = from_array(np.array([-32768, 32767], np.int16)).features("peak", "ptp", "rms", length=2).to_array()
    assert (rows["peak"][0], rows["ptp"][0]) == (32768, 65535)


@pytest.mark.parametrize("n", [0, 1, 99])
def test_a_signal_shorter_than_a_window_gives_no_row(n: int) -> None:
    assert len(from_array(np.zeros(n)).features("rms", length=100).to_array()) == 0


def test_a_last_window_that_is_cut_short_gives_no_row() -> None:
    rows = X.features("mean", length=40, hop=30).to_array()
    assert rows["start"].tolist() == [0, 30, 60]
    assert rows["end"].tolist() == [40, 70, 100]


def test_windows_count_from_the_start_of_each_segment() -> None:
    rec = concat([from_array(np.zeros(7)), from_array(np.ones(9))], contiguous=False)
    rows = rec.features("mean", length=3).to_array()
    assert rows["start"].tolist() == [0, 3, 7, 10, 13]
    assert rows["mean"].tolist() == [0, 0, 1, 1, 1]


def test_lengths_are_samples_or_times() -> None:
    by_time = X.features("rms", length="20ms", hop="0.01s").to_array()
    assert np.array_equal(by_time, X.features("rms", length=20, hop=10).to_array())
    assert by_time["time_s"][1] == 0.01


def test_times_count_from_the_start_of_the_recording_and_are_nan_without_a_rate() -> None:
    assert X[50:].features("rms", length=10).to_array()["time_s"][0] == 0.05
    assert np.isnan(from_array(np.zeros(10)).features("rms", length=10).to_array()["time_s"][0])


def test_a_function_sees_windows_it_cannot_change_and_its_column_has_its_name() -> None:
    seen = []

    def first(windows: np.ndarray) -> np.ndarray:
        seen.append((windows.dtype, windows.shape[1], windows.flags.writeable, windows.flags.c_contiguous))
        return windows[:, 0]

    rows = from_array(np.arange(10, dtype=np.int8)).features(("first", first), length=4, hop=2).to_array()
    assert rows["first"].tolist() == [0, 2, 4, 6]
    assert set(seen) == {(np.dtype(np.float64), 4, False, True)}


@pytest.mark.parametrize(
    ("fn", "what"),
    [
        (lambda w: w, r"shape \(25, 4\).*expected \(25,\)"),
        (lambda w: 1.0, "reduce the last axis"),
        (lambda w: w[:, 0] * 1j, "complex128"),
    ],
)
def test_a_function_that_returns_something_else_is_told_so(fn: Any, what: str) -> None:
    with pytest.raises(SchemaError, match=what):
        X.features(("mine", fn), length=4).to_array()


@pytest.mark.parametrize(
    ("what", "options", "message"),
    [
        ((), {"length": 4}, "no feature"),
        (("loudness",), {"length": 4}, "'loudness'; there are rms"),
        ((3,), {"length": 4}, "got 3"),
        ((BandPower,), {"length": 4}, "BandPower"),
        (("rms", "rms"), {"length": 4}, "two columns would be called 'rms'"),
        ((("start", np.sum),), {"length": 4}, "two columns would be called 'start'"),
        (("rms",), {"length": 0}, "length= is at least 1"),
        (("rms",), {"length": 4, "hop": 0}, "hop= is at least 1"),
        (("rms",), {"length": 2.5}, "length= is a whole number"),
        (("rms",), {"length": "0s"}, "length= is at least 1"),
        (("rms",), {"length": "long"}, "'long'"),
        ((BandPower(10, 501),), {"length": 100}, "beyond 500 Hz"),
        ((BandPower(501),), {"length": 100}, "beyond 500 Hz"),
        ((BandPower(11, 19),), {"length": 100}, "10 Hz apart"),
    ],
)
def test_what_cannot_be_told_is_refused(what: Any, options: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        X.features(*what, **options)


@pytest.mark.parametrize("band", [(5, 5), (-1, 5), (9, 5), (np.nan, 5), ("a", 5)], ids=repr)
def test_a_band_that_is_none_is_refused(band: Any) -> None:
    with pytest.raises(SchemaError, match="a band is"):
        BandPower(*band)


def test_hertz_and_times_need_a_rate() -> None:
    bare = from_array(np.zeros(10))
    with pytest.raises(SchemaError, match="no rate"):
        bare.features(BandPower(0, 1), length=10)
    with pytest.raises(SchemaError, match="no rate"):
        bare.features("rms", length="1s")


def test_complex_samples_are_refused() -> None:
    with pytest.raises(SchemaError, match=r"map them"):
        from_array(np.full(10, 3 + 4j)).features("rms", length=5)


def test_the_power_of_a_tone_is_in_its_band() -> None:
    t = np.arange(1000) / 1000
    tone = from_array(2 * np.sin(2 * np.pi * 5 * t), fs=1000)
    rows = tone.features(BandPower(3, 8, label="on"), BandPower(10, 50, label="off"), length=1000).to_array()
    assert rows["on"][0] == pytest.approx(2.0)
    assert rows["off"][0] == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize("length", [35, 49, 65, 100])
def test_a_bin_on_the_edge_of_two_bands_is_in_the_upper_one(length: int, rng: np.random.Generator) -> None:
    edge = 200 if length != 49 else 1000 / 7
    rec = from_array(rng.standard_normal(length), fs=1000)
    bands = BandPower(0, edge, label="low"), BandPower(edge, label="high"), BandPower(0, label="all")
    row = rec.features(*bands, length=length).to_array()[0]
    density = periodogram(np.asarray(rec), 1000, "hann")[1] * 1000 / length
    first = round(edge * length / 1000)
    assert row["low"] == pytest.approx(np.sum(density[:first]))
    assert row["high"] == pytest.approx(np.sum(density[first:]))
    assert row["low"] + row["high"] == pytest.approx(row["all"])


def test_without_scipy_only_band_power_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.fft", None)
    with pytest.raises(MissingExtra, match="signals"):
        X.features(BandPower(0, 100), length=50)
    assert len(X.features("rms", length=50).to_array()) == 2


def test_two_settings_do_not_print_alike() -> None:
    settings = [
        Features("rms", length=4),
        Features("rms", length=5),
        Features("rms", length=4, hop=2),
        Features("peak", length=4),
        Features(BandPower(1, 2), length=4),
        Features(BandPower(1, 3), length=4),
        Features(("rms", np.mean), length=4),
    ]
    assert len({repr(each) for each in settings}) == len(settings)


def test_many_channels_in_a_small_budget_are_worked_on_in_groups_and_rows_stay_in_order(
    rng: np.random.Generator,
) -> None:
    rec = from_array(rng.standard_normal((40_000, 64)).astype(np.float32), fs=1000)
    table = rec.features("mean", length=500, hop=250)
    rows = np.concatenate([batch.copy() for batch in table.batches(memory="6MB", threads=2)])
    assert np.array_equal(rows, np.sort(rows, order=["start", "channel"]))
    assert rows.tobytes() == table.to_array(memory="256MB").tobytes()


@pytest.mark.parametrize("length", [50, 3000, 70_000])
def test_the_plan_counts_the_memory_that_a_block_takes(length: int, rng: np.random.Generator) -> None:
    features = Features(*NAMES, BandPower(0), length=length, hop=length // 2)
    plan = features.plan(Spec(None, (3,), np.dtype(np.float32), 1000.0))
    span = Span(0, plan.block)
    window = Chunk(Span(0, plan.block + plan.halo.right), rng.random((plan.block + plan.halo.right, 3), np.float32))
    block = Block(0, span, False, window, range(3))
    features.work(plan, block)
    tracemalloc.start()
    try:
        features.work(plan, block)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= plan.overhead + 3 * plan.workspace
