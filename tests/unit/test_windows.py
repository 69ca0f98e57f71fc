"""Windowed datasets: what they hold, what PyTorch sees, what is refused."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace import signals
from headrace.errors import SchemaError, SourceChanged
from headrace.signals import EVENT, Fir, Windows, from_array, from_iter, windows
from headrace.testing import CumulativeSum, DoubleSum

if TYPE_CHECKING:
    from pathlib import Path

X = np.arange(100.0)
REC = from_array(X, fs=100)


def events(*spans: tuple[int, int]) -> np.ndarray:
    table = np.zeros(len(spans), EVENT)
    table["start"], table["end"] = np.array(spans, np.int64).reshape(-1, 2).T
    return table


def test_a_row_is_a_window_with_its_place() -> None:
    ds = windows(REC, length=10, hop=5)
    row = ds[3]
    assert row["samples"].tolist() == list(range(15, 25))
    assert (row["recording"], row["start"]) == (0, 15)
    assert ds[-1]["start"] == 90
    assert (len(ds), ds.length, ds.n_recordings, ds.dropped) == (19, 10, 1, 0)
    assert repr(ds) == "Windows(19 of 10 samples float64 from 1 recording)"


def test_fields_say_what_take_gives() -> None:
    ds = windows(from_array(np.zeros((50, 3), np.int16)), length=7, labels=np.zeros((7, 2), np.float32))
    assert {name: (str(f.dtype), f.shape) for name, f in ds.fields.items()} == {
        "samples": ("int16", (7, 3)),
        "recording": ("int32", ()),
        "start": ("int64", ()),
        "label": ("float32", (2,)),
    }


def test_a_loop_over_rows_ends() -> None:
    assert [row["start"] for row in windows(REC, length=40)] == [0, 40]  # type: ignore[attr-defined]


def test_rows_that_are_not_there_are_an_index_error() -> None:
    ds = windows(REC, length=10)
    for index in (10, -11):
        with pytest.raises(IndexError, match=f"row {index} of a dataset of 10 windows"):
            ds.take([0, index])
    with pytest.raises(IndexError):
        ds[10]


@pytest.mark.parametrize("bad", [[0.5], [[0]], 3, ["a"], [True]], ids=repr)
def test_indices_that_are_no_row_numbers_are_refused(bad: Any) -> None:
    with pytest.raises(SchemaError, match="row numbers"):
        windows(REC, length=10).take(bad)


def test_a_slice_is_refused_with_what_to_write() -> None:
    with pytest.raises(TypeError, match="take"):
        windows(REC, length=10)[2:5]


def test_the_arrays_of_the_caller_are_filled() -> None:
    ds = windows(REC, length=10)
    out = {"samples": np.zeros((2, 10)), "start": np.zeros(2, np.int64)}
    taken = ds.take([9, 0], out=out)
    assert taken["samples"] is out["samples"]
    assert out["samples"][:, 0].tolist() == [90, 0]
    assert out["start"].tolist() == [90, 0]
    assert taken["recording"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("samples", np.zeros((2, 9)), r"expected float64 of shape \(2, 10\)"),
        ("samples", np.zeros((2, 10), np.float32), "expected float64"),
        ("samples", np.zeros((10, 2)).T, "C-contiguous"),
        ("label", np.zeros(2), "no field: there are samples, recording, start"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name: str, array: np.ndarray, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        windows(REC, length=10).take([0, 1], out={name: array})


def test_lengths_may_be_times_if_they_are_the_same_everywhere() -> None:
    assert windows(REC, length="100ms", hop="50ms").length == 10
    slower = from_array(X, fs=50)
    assert len(windows([REC, slower], length=10)) == 20
    with pytest.raises(SchemaError, match="5 samples of one recording and 10 of another"):
        windows([REC, slower], length="100ms")


def test_events_are_in_the_middle_at_the_start_or_at_the_peak() -> None:
    table = events((20, 27))
    table["peak"] = 25
    starts = {
        align: windows(REC, length=10, events=table, align=align)[0]["start"] for align in ("centre", "start", "peak")
    }
    assert starts == {"centre": 18, "start": 20, "peak": 20}
    assert windows(REC, length=1, events=table, align="peak")[0]["samples"].tolist() == [25]


def test_events_whose_window_does_not_fit_are_counted() -> None:
    rec = from_array(X, segments=[0, 50])
    table = events((0, 2), (4, 6), (49, 51), (47, 48), (96, 98))
    ds = windows(rec, length=8, events=table)
    assert ds.take(range(len(ds)))["event"].tolist() == [1]
    assert ds.dropped == 4
    assert "4 events dropped" in repr(ds)
    assert len(windows(REC, length=8, events=table)) == 3  # without the gap


FAR = 2**63


@pytest.mark.parametrize("align", ["start", "centre", "peak"])
@pytest.mark.parametrize("dtype", ["i8", "u8"])
def test_events_at_the_end_of_64_bits_have_no_window(align: str, dtype: str) -> None:
    places = [(FAR - 10, FAR - 5, FAR - 6), (FAR - 2, FAR - 1, FAR - 1), (50, 52, 50), (0, FAR - 1, FAR - 1)]
    places += [(-FAR, -FAR + 1, -FAR), (-FAR, FAR - 1, -FAR)] if dtype == "i8" else [(2 * FAR - 8, 2 * FAR - 1, FAR)]
    events = np.array(places, [(name, dtype) for name in ("start", "end", "peak")])
    ds = windows(from_array(np.arange(100.0)), length=10, events=events, align=align)
    kept = [2, 3] if align == "start" else [2]
    assert (ds.take(range(len(ds)))["event"].tolist(), ds.dropped) == (kept, len(places) - len(kept))


def test_a_row_beyond_64_bits_is_an_index_error() -> None:
    ds = windows(from_array(np.arange(100.0)), length=10)
    with pytest.raises(IndexError, match=f"row {2 * FAR - 1} of"):
        ds.take(np.array([2 * FAR - 1], np.uint64))


@pytest.mark.parametrize("size", [FAR, 10**30, str(FAR)], ids=repr)
@pytest.mark.parametrize("name", ["length", "hop"])
def test_lengths_that_no_integer_holds_are_refused(name: str, size: int | str) -> None:
    with pytest.raises(SchemaError, match=f"{name}= is at most"):
        windows(from_array(np.zeros(9)), **{"length": 3, name: size})
    assert len(windows(from_array(np.zeros(9)), **{"length": 3, name: FAR - 1})) == (name == "hop")


def test_a_channel_that_its_field_cannot_hold_is_refused() -> None:
    events = np.array([(4, 5, 2**31)], [("start", "i8"), ("end", "i8"), ("channel", "i8")])
    with pytest.raises(SchemaError, match="channel 2147483648"):
        windows(from_array(np.zeros(9)), length=3, events=events)


def test_detected_events_become_training_windows(rng: np.random.Generator) -> None:
    x = rng.standard_normal((20_000, 2)).astype(np.float32)
    rec = from_array(x, fs=1000)
    found = rec.detect(signals.Threshold(3.0, block=5000)).to_array()
    ds = windows(rec, length=32, events=found, align="peak", labels="channel")
    taken = ds.take(np.arange(len(ds)))
    assert len(ds) > 0
    peaks = taken["samples"][np.arange(len(ds)), 16, taken["channel"]]
    assert np.array_equal(peaks, found["amplitude"][taken["event"]].astype(np.float32))
    assert np.array_equal(taken["label"], taken["channel"])


def test_events_may_be_a_mapping_or_a_data_frame_without_channels() -> None:
    pa = pytest.importorskip("pyarrow")
    plain = {"start": [20, 40], "end": [30, 50]}
    frame = pa.table(plain)
    for table in (plain, frame):
        ds = windows(REC, length=4, events=table)
        assert ds.take([0, 1])["start"].tolist() == [23, 43]
        assert "channel" not in ds.fields


def test_labels_are_one_for_each_event_given() -> None:
    table = events((0, 1), (20, 30), (99, 100), (40, 50))
    ds = windows(REC, length=10, events=table, labels=["a", "b", "c", "dd"])
    assert ds.take([0, 1])["label"].tolist() == ["b", "dd"]


def test_labels_may_be_computed() -> None:
    ds = windows([REC, REC], length=50, labels=lambda recording, start: 100 * recording + start)
    assert ds.take([3, 0])["label"].tolist() == [150, 0]
    empty = windows(REC, length=500, labels=lambda recording, start: 1)
    assert len(empty.take([])["label"]) == 0


def test_a_label_unlike_the_first_is_refused() -> None:
    ds = windows(REC, length=50, labels=lambda recording, start: start or 0.5 if start else 0)
    assert ds.fields["label"].dtype == np.int64
    fickle = windows(REC, length=50, labels=lambda recording, start: 0.5 if start else 0)
    with pytest.raises(SchemaError, match=r"float64 of shape \(\) for \(0, 50\).*first label was int64"):
        fickle.take([1])
    with pytest.raises(SchemaError, match="numbers"):
        windows(REC, length=50, labels=lambda recording, start: "word")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "length= is at least 1"),
        ({"length": 2.5}, "length= is a whole number"),
        ({"length": 5, "hop": 0}, "hop= is at least 1"),
        ({"length": 5, "align": "start"}, "give events="),
        ({"length": 5, "events": events((1, 2)), "hop": 5}, "hop= is for windows without events"),
        ({"length": 5, "events": events((1, 2)), "align": "middle"}, "'middle'"),
        ({"length": 5, "events": [events((1, 2)), events((1, 2))]}, "got 2 for 1 recordings"),
        ({"length": 5, "events": np.zeros((3, 2))}, "column 'start'.*float64"),
        ({"length": 5, "events": {"start": [1.5], "end": [2.5]}}, "whole number"),
        ({"length": 5, "events": {"start": [1], "end": [2]}, "align": "peak"}, "column 'peak'"),
        ({"length": 5, "events": events((1, 2)), "labels": "kind"}, "column 'kind'"),
        ({"length": 5, "events": events((1, 2)), "labels": [1, 2]}, "one for each event given, 1 in all"),
        ({"length": 5, "labels": "kind"}, "names a column of events"),
        ({"length": 50, "labels": [1]}, "one for each window, 2 in all"),
        ({"length": 50, "labels": [1, None]}, "object"),
    ],
    ids=repr,
)
def test_what_does_not_fit_is_refused(options: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        windows(REC, **options)


def test_what_has_no_windows_is_refused_with_a_way_out() -> None:
    with pytest.raises(SchemaError, match="to_file"):
        windows(from_iter([X]), length=5)
    with pytest.raises(SchemaError, match=r"CumulativeSum\(\).*to_file"):
        windows(REC.pipe(CumulativeSum()), length=5)
    with pytest.raises(SchemaError, match=r"DoubleSum.*to_file"):
        windows(REC.pipe(DoubleSum()), length=5)
    with pytest.raises(SchemaError, match="no recording"):
        windows([], length=5)
    with pytest.raises(SchemaError, match=r"signals\.open"):
        windows(["a.npy"], length=5)  # type: ignore[list-item]
    with pytest.raises(SchemaError, match="recording 1 gives"):
        windows([REC, from_array(X.astype(np.float32))], length=5)


def test_a_signal_shorter_than_a_window_has_none() -> None:
    ds = windows(from_array(np.zeros(3)), length=5)
    assert len(ds) == 0
    assert ds.take([])["samples"].shape == (0, 5)


def test_neighbouring_windows_of_a_filter_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    apply = Fir.apply
    monkeypatch.setattr(Fir, "apply", lambda self, *rest: calls.append(1) or apply(self, *rest))
    ds = windows(from_array(np.zeros(10_000)).pipe(Fir(np.ones(9))), length=10)
    ds.take(np.arange(50)[::-1])
    assert len(calls) == 1
    assert ds.scratch_bytes > 10 * 8


def test_files_that_change_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, X)
    ds = windows(signals.open(path), length=10)
    np.save(path, X + 1)
    os.utime(path, ns=(1, 1))
    with pytest.raises(SourceChanged):
        ds.take([0])


def test_a_pickled_dataset_carries_paths_and_no_samples(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros(10**6))
    ds = windows(signals.open(path).pipe(Fir(np.ones(5))), length=100)
    packed = pickle.dumps(ds)
    assert len(packed) < 100_000
    assert np.array_equal(pickle.loads(packed)[7]["samples"], ds[7]["samples"])


def batches_of(ds: Windows, **options: Any) -> list[dict[str, Any]]:
    data = pytest.importorskip("torch.utils.data")
    return list(data.DataLoader(ds, batch_size=8, shuffle=False, **options))


@pytest.mark.parametrize("context", [None, "fork", pytest.param("spawn", marks=pytest.mark.soak)])
def test_pytorch_takes_it_as_a_dataset(tmp_path: Path, context: str | None) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.arange(40_000, dtype=np.float32).reshape(-1, 2))
    ds = windows(signals.open(path).pipe(Fir([1.0, 1.0])), length=500, labels=np.arange(40) % 3)
    ds.take([0])  # so that a forked child finds buffers of its parent
    options = {} if context is None else {"num_workers": 1, "multiprocessing_context": context}
    batches = batches_of(ds, **options)
    whole = ds.take(np.arange(len(ds)))
    assert [tuple(batch["samples"].shape) for batch in batches] == [(8, 500, 2)] * 5
    for name, array in whole.items():
        assert np.array_equal(np.concatenate([np.asarray(batch[name]) for batch in batches]), array)
