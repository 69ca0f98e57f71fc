from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from headrace.core.flow import SampleFlow
from headrace.core.span import Span
from headrace.errors import BudgetTooSmall, SchemaError, SourceChanged
from headrace.signals import Fir, Recording, Scale, concat, from_array, from_iter, open_all
from headrace.signals import open as open_recording
from headrace.signals import recording as recording_module

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

X = np.arange(600, dtype=np.float32).reshape(200, 3)


@pytest.fixture
def rec() -> Recording:
    return from_array(X, 100.0, t0=5.0, channel_names=["a", "b", "c"], units="uV")


def test_a_recording_says_what_it_is(rec: Recording) -> None:
    assert (rec.shape, rec.ndim, len(rec), rec.n_samples, rec.n_channels) == ((200, 3), 2, 200, 200, 3)
    assert (rec.dtype, rec.nbytes, rec.fs, rec.t0, rec.duration_s) == (np.float32, 2400, 100.0, 5.0, 2.0)
    assert (rec.channel_names, rec.units, rec.segments) == (("a", "b", "c"), "uV", (Span(0, 200),))


def test_slices_are_lazy_and_keep_time_and_names(rec: Recording) -> None:
    part = rec[50:"1.5s", ["c", "a"]]  # type: ignore[misc]
    assert isinstance(part, Recording)
    assert np.array_equal(part, X[50:150][:, [2, 0]])
    assert (part.t0, part.channel_names, part.duration_s) == (5.5, ("c", "a"), 1.0)
    assert np.array_equal(part[10:20, "a"], X[60:70, 0])
    assert part[10:20, "a"].shape == (10,)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (slice(None), X),
        (slice(-10, None), X[-10:]),
        (slice(10, 5), X[:0]),
        (slice(150, 9999), X[150:]),
        (slice(-9999, 5), X[:5]),
        (slice("500ms", "1s"), X[50:100]),
        ((slice(5, 9), 1), X[5:9, 1]),
        ((slice(5, 9), -1), X[5:9, -1]),
        ((slice(5, 9), slice(1, None)), X[5:9, 1:]),
        ((slice(5, 9), [2, 2, 0]), X[5:9, [2, 2, 0]]),
        ((slice(5, 9), np.array([True, False, True])), X[5:9, [0, 2]]),
        ((slice(5, 9), ["b", 0]), X[5:9, [1, 0]]),
        (7, X[7]),
        (-1, X[-1]),
        ((7, 1), X[7, 1]),
        ((7, "b"), X[7, 1]),
        ((7, [2, 0]), X[7, [2, 0]]),
    ],
    ids=repr,
)
def test_indexing_is_that_of_an_array(rec: Recording, key: object, expected: np.ndarray) -> None:
    found = np.asarray(rec[key])
    assert found.dtype == np.float32
    assert np.array_equal(found, expected)
    assert found.shape == expected.shape


@pytest.mark.parametrize("key", [slice(None, None, 2), [1, 2], None, "10s", np.ones(200, bool)], ids=repr)
def test_steps_masks_and_lists_are_refused_with_the_way_round(rec: Recording, key: object) -> None:
    with pytest.raises(SchemaError, match=r"rec\[start:stop\]"):
        rec[key]


def test_a_sample_or_channel_that_is_not_there_is_said(rec: Recording) -> None:
    for index in (200, -201):
        with pytest.raises(IndexError, match="of 200 samples"):
            rec[index]
    with pytest.raises(SchemaError, match="3 there are"):
        rec[:, 3]
    with pytest.raises(SchemaError, match="'d'"):
        rec[:, "d"]
    flat = rec[:, 0]
    assert flat[5] == X[5, 0]
    for key in ((slice(None), 1), (5, 1), (slice(None), [0])):
        with pytest.raises(SchemaError, match="no channels"):
            flat[key]


def test_numpy_reads_a_recording(rec: Recording) -> None:
    assert np.array_equal(np.asarray(rec), X)
    assert np.asarray(rec, np.float64).dtype == np.float64
    assert np.mean(rec) == X.mean()
    with pytest.raises(ValueError, match="view"):
        np.array(rec, copy=False)


def test_iterating_over_samples_is_refused(rec: Recording) -> None:
    with pytest.raises(TypeError):
        iter(rec)


def test_reading_more_than_there_is_memory_is_refused(rec: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_module, "memory_available", lambda: 1000)
    with pytest.raises(BudgetTooSmall, match=r"2\.4 kB") as caught:
        np.asarray(rec)
    assert (caught.value.needed, caught.value.available) == (2400, 1000)
    with pytest.raises(BudgetTooSmall):
        rec.to_array(memory=2000)
    assert np.array_equal(rec.to_array(), X)


def test_recordings_print_themselves(rec: Recording, tmp_path: Path) -> None:
    np.save(tmp_path / "a&b.npy", X)
    for one in (rec, rec[5:], rec[:, 0], from_iter([X]), concat([rec, rec]), open_recording(tmp_path / "a&b.npy")):
        assert repr(one).startswith("Recording(")
        assert "<table>" in one._repr_html_()
    assert "200 x 3 ch float32 at 100 Hz, 2 s, uV" in repr(rec)
    assert "2 segments" in repr(concat([rec, rec], contiguous=False))
    html = open_recording(tmp_path / "a&b.npy")._repr_html_()
    assert "a&amp;b.npy" in html
    assert "(200, 3)" in html


def test_a_stream_has_no_length_and_is_not_sliced() -> None:
    stream = from_iter(iter([X[:50], X[50:]]), 100.0)
    assert (stream.n_samples, stream.shape, stream.duration_s, stream.nbytes) == (None, (None, 3), None, None)
    with pytest.raises(TypeError, match="no length"):
        len(stream)
    for use in (lambda: np.asarray(stream), lambda: stream[:5], lambda: stream.segments, stream.view):
        with pytest.raises((SchemaError, TypeError)):
            use()
    stream.close()
    assert np.array_equal(stream.pipe().to_array(), X)
    with pytest.raises(SchemaError, match="consumed"):
        stream.pipe().to_array()


def test_an_iterable_that_can_begin_again_serves_many_runs() -> None:
    stream = from_iter([X[:50].astype(">f4"), X[50:]])
    for _ in range(2):
        assert np.array_equal(stream.pipe().to_array(), X)


def test_a_stream_whose_arrays_do_not_fit_together_names_the_first_that_does_not() -> None:
    for bad in (X.astype(np.float64), X[:, :2], X[:, 0]):
        with pytest.raises(SchemaError, match="item 1 of the iterator"):
            from_iter([X, bad]).pipe(Scale(1)).to_array()
    with pytest.raises(SchemaError, match="gave no array"):
        from_iter([]).pipe(Scale(1))
    with pytest.raises(SchemaError, match="shape"):
        _ = from_iter([np.zeros((2, 2, 2))]).dtype


def test_a_view_is_the_file_itself(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, X)
    with open_recording(path, fs=100.0) as rec:
        view = rec.view("500ms", 60)
        assert np.array_equal(view, X[50:60])
        assert not view.flags.writeable
        assert np.array_equal(rec[20:].view(0, 5), X[20:25])
        assert rec.view(5, 5).shape == (0, 3)
        for other in (rec[:, 0], open_recording(path, scale=2.0)):
            with pytest.raises(SchemaError, match="asarray"):
                other.view()
        path.with_name("new").write_bytes(path.read_bytes())
        path.with_name("new").rename(path)
        with pytest.raises(SourceChanged):
            rec.view()
    assert np.array_equal(view, X[50:60])
    with pytest.raises(SchemaError, match="asarray"):
        from_array(X).view()


def test_recordings_go_end_to_end_with_or_without_gaps() -> None:
    a, b = from_array(X[:80], 100.0, t0=1.0), from_array(X[80:], 100.0)
    assert concat([a, b]).segments == (Span(0, 200),)
    assert concat([a, b]).t0 == 1.0
    gaps = concat([a, b], contiguous=False)
    assert gaps.segments == (Span(0, 80), Span(80, 200))
    assert np.array_equal(gaps, X)
    assert gaps[70:100].segments == (Span(0, 10), Span(10, 30))
    assert gaps[:, [1]].segments == gaps.segments
    taps = np.ones(9)
    parts = [np.asarray(r.pipe(Fir(taps)).to_array()) for r in (a, b)]
    assert gaps.pipe(Fir(taps)).to_array().tobytes() == np.concatenate(parts).tobytes()
    whole = concat([a, b]).pipe(Fir(taps)).to_array()
    assert whole.tobytes() == from_array(X).pipe(Fir(taps)).to_array().tobytes()


def test_gaps_inside_a_part_stay() -> None:
    a = from_array(X[:80], segments=[0, 50])
    assert concat([a, from_array(X[80:])]).segments == (Span(0, 50), Span(50, 200))


def test_recordings_that_do_not_fit_together_are_refused() -> None:
    for other in (from_array(X.astype(np.float64)), from_array(X[:, :2]), from_array(X, 10.0)):
        with pytest.raises(SchemaError, match="recording 1"):
            concat([from_array(X), other])
    with pytest.raises(SchemaError, match="nothing"):
        concat([])
    with pytest.raises(SchemaError, match="as a stream"):
        concat([from_iter([X])])


def test_patterns_and_lists_are_one_recording_and_batches_are_many(tmp_path: Path) -> None:
    for name, part in (("b2.npy", X[150:]), ("a1.npy", X[:150])):
        np.save(tmp_path / name, part)
    assert np.array_equal(open_recording(tmp_path / "*.npy"), X)
    assert np.array_equal(open_recording([tmp_path / "b2.npy", str(tmp_path / "a1.npy")])[:50], X[150:])
    batch = open_all(tmp_path / "*.npy", fs=10)
    assert [len(one) for one in batch] == [150, 50]
    with pytest.raises(FileNotFoundError, match="pattern"):
        open_recording(tmp_path / "*.xyz")
    with pytest.raises(SchemaError, match="empty"):
        open_recording([])
    np.save(tmp_path / "odd[1].npy", X)
    assert len(open_recording(tmp_path / "odd[1].npy")) == 200


def test_segments_begin_with_zero_and_rise() -> None:
    for starts in ([5, 10], [0, 10, 10], [0, 300], []):
        with pytest.raises(SchemaError, match="segment starts"):
            from_array(X, segments=starts)


def test_arrays_that_are_no_recordings_are_refused() -> None:
    for x in (np.array(1.0), np.zeros((2, 2, 2)), np.array(["a"]), np.array([object()])):
        with pytest.raises(SchemaError):
            from_array(x)


def test_the_one_channel_of_a_flat_recording_may_be_named_by_number(rec: Recording) -> None:
    flat = rec[:, 0]
    assert np.array_equal(np.asarray(flat[:, 0]), X[:, 0])
    assert flat[5, 0] == X[5, 0]


@pytest.mark.parametrize("axis", [-1, 2, 7, None, "time"])
def test_an_axis_that_is_neither_is_refused(axis: object) -> None:
    for x in (X, X[:, 0]):
        with pytest.raises(SchemaError, match="axis="):
            from_array(x, axis=axis)  # type: ignore[arg-type]


@pytest.mark.parametrize("fs", [np.int64(100), np.float32(100), np.uint8(100), np.float64(100), 100], ids=repr)
def test_a_rate_may_be_any_real_number(fs: float) -> None:
    for rec in (from_array(X, fs), from_iter([X], fs)):
        assert rec.fs == 100.0
        assert type(rec.fs) is float


@pytest.mark.parametrize("fs", [True, np.True_, 100 + 0j, np.complex64(100), "100", [100], np.inf, -1], ids=repr)
def test_a_rate_that_is_no_positive_number_is_refused(fs: object) -> None:
    for make in (from_array, from_iter):
        with pytest.raises(SchemaError, match="fs="):
            make(X, fs)  # type: ignore[operator]


@pytest.mark.parametrize("n", [0, 5])
def test_samples_without_channels_are_refused(n: int) -> None:
    with pytest.raises(SchemaError, match=r"at least one channel.*\(\d, 0\)"):
        from_array(np.zeros((n, 0)))
    with pytest.raises(SchemaError, match="at least one channel"):
        from_array(np.zeros((0, n)), axis=1)
    with pytest.raises(SchemaError, match="at least one channel"):
        from_iter([np.zeros((n, 0))]).pipe()


@pytest.mark.parametrize("stray", [None, 3.0, "end", X[:0, :0]], ids=["None", "number", "text", "no channels"])
def test_a_stream_that_yields_something_else_in_the_middle_is_never_cut_short(stray: object, tmp_path: Path) -> None:
    path = tmp_path / "y.npy"

    def arrays() -> Iterator[object]:
        yield X[:50]
        yield stray
        yield X[50:]

    for operators in ((), (Fir(np.ones(9)),)):
        for use in (
            SampleFlow.to_array,
            SampleFlow.run,
            lambda flow: list(flow.chunks()),
            lambda flow: flow.to_file(path),
        ):
            with pytest.raises(SchemaError, match="item 1 of the iterator"):
                use(from_iter(arrays()).pipe(*operators))
    assert list(tmp_path.iterdir()) == []
