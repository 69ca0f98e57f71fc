"""Detectors: what they refuse, what they say, and what waits where."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace import _native, signals
from headrace.core.blockwise import Block, Outcome
from headrace.core.chunk import Chunk
from headrace.core.operator import Spec
from headrace.core.span import Span
from headrace.errors import OutputError, SchemaError
from headrace.signals import EVENT, Threshold, detector, from_array
from headrace.signals.events.pieces import PIECE, Pieces
from headrace.signals.events.waiting import WaitingRows


def work(
    found: Any, x: np.ndarray, span: Span | None = None, offset: int = 0, window: Span | None = None
) -> Outcome[Any]:
    """Run one block of an array of one segment."""
    spec = Spec(None, x.shape[1:], x.dtype, 10.0)
    span = span or Span(0, len(x))
    window = window or span
    channels = range(spec.n_channels)
    last = span.stop == len(x)
    block = Block(offset, span, last, Chunk(window, x[window.start : window.stop].copy()), channels)
    return Outcome(offset, span, last, channels, found.work(found.plan(spec), block))


def spans(chunk: np.ndarray, start: int) -> list[tuple[int, int]]:
    return []


def rows_of(found: Any, x: np.ndarray, **fold: Any) -> np.ndarray:
    folding = found.fold(Spec(None, x.shape[1:], x.dtype, 10.0), **fold)
    return np.concatenate([np.empty(0, EVENT), *folding.add(work(found, x)), *folding.finish()])


def spike(n: int = 100, at: slice = slice(40, 45), height: float = 50.0) -> np.ndarray:
    x = np.arange(n) % 2.0
    x[at] = height
    return x


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": -1}, "not negative: got -1"),
        ({"k": float("nan")}, "k is finite"),
        ({"k": float("inf")}, "k is finite"),
        ({"k": "high"}, "got 'high'"),
        ({"noise": "rms"}, "noise= is one of mad, std: got 'rms'"),
        ({"polarity": "up"}, "polarity= is one of both, pos, neg"),
        ({"nan": "drop"}, "nan= is one of raise, ignore, gap"),
        ({"block": 10, "window": 10}, "not both: got block=10 and window=10"),
        ({"block": 0}, "block= is at least 1"),
        ({"window": 2.5}, "window= is a whole number"),
        ({"merge_gap": -1}, "merge_gap= is at least 0"),
        ({"min_length": 0}, "min_length= is at least 1"),
    ],
)
def test_a_threshold_refuses_what_it_cannot_mean(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        Threshold(**{"k": 3, **options})


@pytest.mark.parametrize(("dtype", "words"), [("complex64", "magnitude"), ("bool", "runs of True")])
def test_a_threshold_refuses_samples_that_have_no_order_or_no_noise(dtype: str, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        Threshold(3).plan(Spec(None, (), np.dtype(dtype)))


def test_an_event_has_its_place_amplitude_peak_and_time() -> None:
    x = spike()
    x[42] = x[43] = 70
    (row,) = rows_of(Threshold(5), x, t0=2.0)
    assert row.tolist() == (40, 45, 0, 70.0, 42, 6.0)


@pytest.mark.parametrize(
    ("give", "words"),
    [
        (lambda rec: rec.detect(Threshold(3), block=5), r"block= goes with a function: Threshold\(3.0\) is a detector"),
        (lambda rec: rec.detect(detector(spans), halo=5, block=2), "halo=, block= goes with a function"),
        (lambda rec: rec.detect(Threshold), r"Threshold is a class: make a detector of it, Threshold\(...\)"),
        (lambda rec: rec.detect(5), "a function: got 5"),
    ],
)
def test_what_is_no_detector_is_refused_with_what_to_write(give: Any, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        give(from_array(np.zeros(10)))


@pytest.mark.parametrize(("block", "expected"), [(10, (8, 10, 9.5, 9)), (20, (8, 14, 7.0, 12))])
def test_the_peak_of_an_event_that_was_cut_lies_inside_it(block: int, expected: tuple[float, ...]) -> None:
    def first_only(chunk: np.ndarray, start: int) -> list[tuple[float, ...]]:
        return [(8, 14, 0, 7.0, 12)] if start == 0 else []  # the next block does not know of it

    x = np.zeros(40)
    x[8:14] = [9, 9.5, 1, 1, 7, 1]
    (row,) = from_array(x).detect(first_only, block=block, halo=5).to_array()
    assert row[["start", "end", "amplitude", "peak"]].tolist() == expected


def test_joined_pieces_have_the_peak_that_was_reported() -> None:
    def quiet(chunk: np.ndarray, start: int) -> list[tuple[float, ...]]:
        return [(8, 24, 0, 0.5, 12)] if start <= 8 and start + len(chunk) >= 24 else []  # an amplitude of its own kind

    x = np.zeros(40)
    x[8:24] = 100
    (row,) = from_array(x).detect(quiet, block=10, halo=30).to_array()
    assert row[["start", "end", "amplitude", "peak"]].tolist() == (8, 24, 0.5, 12)


def test_time_is_nan_without_a_rate() -> None:
    found = Threshold(5)
    folding = found.fold(Spec(None, (), np.dtype("f8")))
    (rows,) = [*folding.add(work(found, spike())), *folding.finish()]
    assert np.isnan(rows["time_s"]).all()


@pytest.mark.parametrize("x", [np.zeros(50), np.full((50, 3), 7, "int16"), np.zeros(0), np.zeros((0, 2)), np.ones(1)])
@pytest.mark.parametrize("k", [0, 3])
def test_constant_and_empty_signals_have_no_events(x: np.ndarray, k: float) -> None:
    assert len(rows_of(Threshold(k), x)) == 0


def test_an_event_as_long_as_the_file_is_one_event() -> None:
    x = np.zeros(3000)
    x[::3] = 1  # the median is 0, and so is the noise
    found = Threshold(3, block=100, merge_gap=2)
    folding = found.fold(Spec(None, (), x.dtype))
    rows = [each for span in Span(0, 3000).split(100) for each in folding.add(work(found, x, span))]
    (row,) = np.concatenate([*rows, *folding.finish()])
    assert (row["start"], row["end"]) == (0, 2998)


@pytest.mark.parametrize("window", [None, 9])
def test_nan_raises_with_its_sample_and_channel(window: int | None) -> None:
    x = np.zeros((60, 3), "float32")
    x[37, 1] = np.nan
    with pytest.raises(SchemaError, match="sample 1037 of channel 1 is NaN"):
        work(Threshold(3, window=window), x, offset=1000)


def test_all_nan_has_no_events_where_nan_is_no_error() -> None:
    for nan in ("ignore", "gap"):
        assert len(rows_of(Threshold(3, nan=nan), np.full(40, np.nan))) == 0


def test_infinity_is_beyond_a_finite_threshold_and_undefined_noise_finds_nothing() -> None:
    x = spike(height=np.inf)
    assert len(rows_of(Threshold(5), x)) == 1
    assert len(rows_of(Threshold(5, noise="std"), x)) == 0


def test_the_window_may_be_longer_than_the_signal() -> None:
    (row,) = rows_of(Threshold(5, window=10**6), spike())
    assert (row["start"], row["end"]) == (40, 45)


def test_thresholds_that_differ_print_differently() -> None:
    assert repr(Threshold(3)) == "Threshold(3.0)"
    assert repr(Threshold(3, window=5, nan="gap")) == "Threshold(3.0, window=5, nan='gap')"


def test_pieces_have_the_layout_of_the_kernel() -> None:
    assert PIECE.itemsize == 48
    kernel = _native.ThresholdKernel(5, "mad", "neg", "raise")
    rows, states, sample, channel = kernel.find(-spike(), 7, 7, 107, 1, print)
    (piece,) = rows.view(PIECE)
    assert piece.tolist() == (47, 52, 47, -50.0, 49.0, 0, 0)
    assert (states.tolist(), sample, channel) == ([0], -1, -1)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: _native.ThresholdKernel(-1, "mad", "both", "raise"), ValueError, "k must be finite"),
        (lambda: _native.ThresholdKernel(1, "rms", "both", "raise"), ValueError, "noise is one of mad, std"),
        (
            lambda: _native.ThresholdKernel(1, "mad", "both", "raise").find(np.ones(3), 0, 1, 4, 1, print),
            ValueError,
            "inside x",
        ),
        (
            lambda: _native.ThresholdKernel(1, "mad", "both", "raise").find(np.ones(3, "c8"), 0, 1, 3, 1, print),
            TypeError,
            "real",
        ),
        (lambda: _native.medians(np.ones(3), np.ones(2)), ValueError, "out has 2 values, but x has 1 channels"),
        (lambda: _native.medians(np.ones(3), np.ones(1, "f4")), TypeError, "out must be float64"),
    ],
)
def test_the_kernels_refuse_arguments_by_name(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_medians_are_those_of_numpy(rng: np.random.Generator) -> None:
    for dtype in ("int8", "uint16", "int64", "uint64", "float32", "float64"):
        for n in (0, 1, 2, 1000, 40_001):
            x = (rng.standard_normal((n, 3)) * 50 + 60).clip(0, 120).astype(dtype)
            out = np.empty(3)
            _native.medians(x, out)
            expected = np.median(x.astype("f8"), axis=0) if n else np.full(3, np.nan)
            assert np.array_equal(out, expected, equal_nan=True)
    x[7, 1] = np.nan
    _native.medians(x, out)
    assert np.isnan(out).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("reported", "words"),
    [
        ([(5, 5)], r"event 0, \(start, end, channel\) = \(5, 5, 0\), starts at or after its end"),
        ([(2, 4), (90, 101)], r"event 1, .* outside the samples \[0, 100\)"),
        ([(-1, 4)], "outside the samples"),
        ([(8, 9), (3, 4)], r"event 1.*starts before the one.*sorted\(events\)"),
        ([(3, 9), (8, 12)], "event 1.*overlaps the one before it"),
        ([(3, 9, 2)], "none of the 1 channels"),
        ([(3, 9, 0, 1.0, 9)], "peak outside itself"),
        ([(3, 9), (10, 11, 0)], "expected all to be"),
        ([(3, 9, 0, 1.0)], "expected all to be"),
        ([(3.5, 9)], "start is no whole number"),
        ([(2**70, 2**71)], "no whole number of 64 bits"),
        ([(3, 9, 0, "high", 4)], "amplitude is no number"),
        ([7], "expected an iterable of events"),
        (None, "it returned None; expected an iterable"),
        (np.zeros(2, [("start", "i8"), ("stop", "i8")]), "fields start, stop"),
        (np.zeros(2, [("start", "i8"), ("end", "i8"), ("peak", "i8")]), "fields start, end, peak"),
    ],
)
def test_what_a_function_may_not_report_is_refused_with_function_and_block(reported: Any, words: str) -> None:
    def mine(chunk: np.ndarray, start: int) -> Any:
        return reported

    with pytest.raises(SchemaError, match=rf"^mine, block \[0, 100\).*{words}"):
        work(detector(mine), np.zeros(100))


def test_a_function_may_report_one_channel_after_the_other(rng: np.random.Generator) -> None:
    x = rng.standard_normal((5000, 3))

    def beyond(chunk: np.ndarray, start: int) -> list[tuple[int, int, int, float, int]]:
        found = []
        for channel in (2, 0, 1):
            values = np.pad(chunk[:, channel], 1)
            edges = np.flatnonzero(np.diff(values > 1.5)) + start
            found += [(int(a), int(b), channel, float(b), int(a)) for a, b in edges.reshape(-1, 2)]
        return found

    rows = signals.from_array(x).detect(beyond, block=5000).to_array()
    assert rows[["start", "channel"]].tolist() == sorted(rows[["start", "channel"]].tolist())
    assert len(rows) == len(beyond(x, 0)) > 100
    assert rows["amplitude"].tolist() == rows["end"].tolist()
    assert rows["peak"].tolist() == rows["start"].tolist()
    again = signals.from_array(x).detect(beyond, block=700).to_array()
    assert again[["start", "end", "channel"]].tolist() == rows[["start", "end", "channel"]].tolist()


@pytest.mark.parametrize(
    "reported",
    [
        [(3, 9), (20, 25)],
        (each for each in [(3, 9, 0), (20, 25, 0)]),
        np.array([[3, 9], [20, 25]]),
        np.array([(3, 9), (20, 25)], [("start", "i4"), ("end", "i8")]),
        [[np.int16(3), 9], (20, np.uint64(25))],
    ],
    ids=["tuples", "generator", "array", "structured", "mixed"],
)
def test_events_may_be_reported_in_any_of_these_forms(reported: Any) -> None:
    x = spike(at=slice(5, 6))
    rows = rows_of(detector(lambda chunk, start: reported), x)
    assert rows[["start", "end", "channel"]].tolist() == [(3, 9, 0), (20, 25, 0)]
    assert (rows["peak"][0], rows["amplitude"][0]) == (5, 50.0)


def test_an_amplitude_and_a_peak_that_were_reported_are_kept() -> None:
    row = (3, 9, 1, -4.5, 8)
    for reported in (
        [row],
        np.array([row], [("start", "i8"), ("end", "i8"), ("channel", "i4"), ("amplitude", "f4"), ("peak", "u4")]),
    ):
        (found,) = rows_of(detector(lambda chunk, start, reported=reported: reported), np.zeros((20, 2)))
        assert found.tolist()[:5] == (3, 9, 1, -4.5, 8)


@pytest.mark.parametrize("dtype", ["complex64", "bool"])
def test_a_users_events_in_samples_without_a_median_have_no_amplitude(dtype: str) -> None:
    (row,) = rows_of(detector(lambda chunk, start: [(3, 9)]), np.ones(20, dtype))
    assert (np.isnan(row["amplitude"]), row["peak"]) == (True, 3)


def test_no_events_are_no_error() -> None:
    assert len(rows_of(detector(lambda chunk, start: []), np.zeros(10))) == 0
    assert len(rows_of(detector(lambda chunk, start: np.empty(0, [("start", "i8"), ("end", "i8")])), np.zeros(10))) == 0


def test_a_functions_own_error_keeps_its_type_and_gets_a_note() -> None:
    def mine(chunk: np.ndarray, start: int) -> Any:
        raise ZeroDivisionError("no signal")

    with pytest.raises(ZeroDivisionError) as caught:
        work(detector(mine), np.zeros(10))
    assert caught.value.__notes__ == ["in mine, block [0, 10)"]


def test_a_function_that_raises_stop_iteration_does_not_end_the_run() -> None:
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        work(detector(lambda chunk, start: next(iter(()))), np.zeros(10))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fn": 3}, "takes a function"),
        ({"block": 0}, "block= is at least 1"),
        ({"halo": -1}, "halo= is at least 0"),
        ({"halo": (1, 2, 3)}, "one number of samples, or two"),
    ],
)
def test_a_detector_refuses_what_it_cannot_mean(options: dict[str, Any], words: str) -> None:
    fn = options.pop("fn", lambda chunk, start: [])
    with pytest.raises(SchemaError, match=words):
        detector(fn, **options)


def test_a_detector_prints_its_settings() -> None:
    assert (
        repr(detector(work, block=5, halo=(1, 2), open_edges=False))
        == "detector(work, block=5, halo=(1, 2), open_edges=False)"
    )


def table(rng: np.random.Generator, n: int) -> np.ndarray:
    rows = np.zeros(n, EVENT)
    rows["start"] = rng.integers(0, max(1, n // 4), n)
    rows["channel"] = rng.permutation(n)
    return rows


def test_rows_wait_in_files_and_leave_in_order(rng: np.random.Generator, tmp_path: Path) -> None:
    rows = table(rng, 3000)
    with WaitingRows(EVENT, most=50, tmp=tmp_path) as waiting:
        for start in range(0, 3000, 70):
            waiting.add(rows[start : start + 70])
        assert sum(map(len, waiting._levels)) > 0
        assert list(tmp_path.iterdir()) == []
        early = list(waiting.take(300))
        assert list(waiting.take(300)) == []
        late = list(waiting.take())
        assert all(0 < len(each) <= 50 for each in [*early, *late])
    found = np.concatenate([*early, *late])
    assert found.tobytes() == rows[np.lexsort((rows["channel"], rows["start"]))].tobytes()
    assert max(row["start"] for row in np.concatenate(early)) < 300 <= min(row["start"] for row in np.concatenate(late))


def open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def test_few_files_are_open_however_many_rows_wait(rng: np.random.Generator, tmp_path: Path) -> None:
    before = open_files()
    with WaitingRows(EVENT, most=4, tmp=tmp_path) as waiting:
        for each in table(rng, 2000):
            waiting.add(each.reshape(1))
        assert sum(map(len, waiting._levels)) <= 40
        assert sum(map(len, waiting.take())) == 2000
    assert open_files() == before


def test_what_waits_starts_at_one_sample_in_more_channels_than_a_buffer_holds(tmp_path: Path) -> None:
    rows = np.zeros(500, EVENT)
    rows["channel"] = np.arange(500)
    with WaitingRows(EVENT, most=8, tmp=tmp_path) as waiting:
        waiting.add(rows[::-1])
        assert np.concatenate(list(waiting.take()))["channel"].tolist() == list(range(500))


def test_a_full_disk_is_an_output_error_that_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    waiting = WaitingRows(EVENT, most=2, tmp=tmp_path)
    with pytest.raises(OutputError, match="No space left") as caught:
        waiting.add(np.zeros(5, EVENT))
    assert (caught.value.errno, caught.value.path) == (errno.ENOSPC, str(tmp_path))


def test_later_events_wait_for_an_open_one(tmp_path: Path) -> None:
    found = Threshold(3, block=10)
    folding = found.fold(Spec(None, (2,), np.dtype("f8"), 1.0), tmp=tmp_path)

    def pieces(*rows: tuple[int, int, int, int]) -> Pieces:
        made = np.zeros(len(rows), PIECE)
        for each, (start, end, channel, flags) in zip(made, rows, strict=True):
            each["start"], each["end"], each["channel"], each["flags"] = start, end, channel, flags
        return Pieces(made, np.zeros(2, np.uint8))

    def given(number: int, *rows: tuple[int, int, int, int]) -> list[int]:
        span = Span(10 * number, 10 * number + 10)
        batches = folding.add(Outcome(0, span, False, range(2), pieces(*rows)))
        return [int(start) for each in batches for start in each["start"]]

    assert given(0, (2, 4, 0, 0), (8, 10, 0, 2), (1, 3, 1, 0), (9, 10, 1, 0)) == [1, 2]
    assert given(1, (10, 20, 0, 3), (15, 16, 1, 0)) == []
    assert given(2, (20, 22, 0, 1), (27, 29, 0, 0)) == [8, 9, 15, 27]
