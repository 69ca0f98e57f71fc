"""Fourier transforms: how a length is split, what they take, what they refuse, and what they leave behind."""

from __future__ import annotations

import math
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.fft

from headrace import Budget, _native
from headrace.core.tempfiles import ScratchFile, UnnamedFile
from headrace.errors import BudgetTooSmall, OutputError, SchemaError, SourceChanged
from headrace.signals import CommonReference, Fft, Ifft, Map, Scale, SosFilt, butter, from_array, from_iter
from headrace.signals import open as open_recording
from headrace.signals.fft import lengths
from headrace.signals.fft.signal import Signal
from headrace.testing import CumulativeSum, DoubleSum, Reversal, check_operator, from_reads, no_leaks

if TYPE_CHECKING:
    from pathlib import Path

LONG = 100_000  # the shortest lengths that take passes are above 65,536


def noise(n: int, dtype: str = "float32") -> np.ndarray:
    rng = np.random.default_rng(n)
    made = rng.standard_normal(n)
    return (made + 1j * rng.standard_normal(n)).astype(dtype) if dtype[0] == "c" else made.astype(dtype)


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    limit = 3e-7 if found.dtype in (np.float32, np.complex64) else 1e-14
    return bool(np.linalg.norm(found - expected) <= limit * np.linalg.norm(expected))


@pytest.mark.parametrize("n", [65_537, 99_991, 100_000, 2**20, 10**9 + 7, 250_000_000, 3 * 99_991, 2**40])
def test_a_split_is_balanced_and_multiplies_to_the_length(n: int) -> None:
    split = lengths.split_of(n)
    if split is not None:
        assert split.n == n
        assert max(split.first, split.second) <= 8 * math.isqrt(n) + 8
    padded = lengths.convolution_length(n, 32)
    assert padded.n >= 2 * n - 1
    assert padded.n < 2.2 * n
    assert padded.first % 32 == 0
    assert lengths.largest_prime(padded.n) <= 5


@pytest.mark.parametrize("n", [99_991, 65_537, 2 * 99_991, 10**9 + 7])
def test_lengths_without_balanced_factors_have_no_split(n: int) -> None:
    assert lengths.split_of(n) is None


@pytest.mark.parametrize(("n", "prime"), [(1, 1), (2, 2), (250_000_000, 5), (99_991, 99_991), (11 * 13, 13)])
def test_the_largest_prime_is_found(n: int, prime: int) -> None:
    assert lengths.largest_prime(n) == prime


@pytest.mark.parametrize("hermitian", [False, True])
@pytest.mark.parametrize("n", [1, 2, 9, 64, 101])
def test_rows_of_a_signal_are_those_of_the_whole_wherever_they_begin(n: int, hermitian: bool) -> None:
    rng = np.random.default_rng(n)
    for there in {1, n // 3 + 1, n // 2 + 1, n, n + 5}:
        x = noise(there, "complex64")
        half = n // 2 + 1 if hermitian else n
        whole = np.zeros(2 * n + 50, np.complex64)
        whole[: min(half, there)] = x[: min(half, there)]
        if hermitian:
            rest = np.arange(half, n)
            whole[rest] = np.conj(whole[n - rest])
        source = from_array(x).source
        signal = Signal(n, there, x.dtype, hermitian)
        for _ in range(20):
            width, count = int(rng.integers(1, n // 2 + 2)), int(rng.integers(1, 5))
            apart = int(rng.integers(width, width + 5))
            start = int(rng.integers(0, max(1, 2 * n + 50 - count * apart)))
            out = np.full((count, width), np.nan, np.complex64)
            signal.rows(source.row_reader(), start, apart, out)  # type: ignore[union-attr]
            expected = np.array([whole[start + i * apart : start + i * apart + width] for i in range(count)])
            assert np.array_equal(out, expected[:, :width])


@pytest.mark.parametrize("n", [0, -1, 1.5, "8", 2**49 + 1])
def test_a_length_that_is_none_is_refused(n: Any) -> None:
    with pytest.raises(SchemaError, match="n="):
        Fft(n)
    with pytest.raises(SchemaError, match="n="):
        Ifft(n, real=True)


def test_what_cannot_be_transformed_is_refused_when_the_flow_is_built() -> None:
    with pytest.raises(SchemaError, match="at least one sample"):
        from_array(np.zeros(0)).pipe(Fft())
    with pytest.raises(SchemaError, match=r"one channel.*has 3.*--channels"):
        from_array(np.zeros((5, 3))).pipe(Fft())
    with pytest.raises(SchemaError, match="comes once, as a stream"):
        from_iter([np.zeros(3)]).pipe(Fft())
    with pytest.raises(SchemaError, match="without gaps"):
        from_array(np.zeros(9), segments=[0, 4]).pipe(Fft())
    with pytest.raises(SchemaError, match="at least one sample"):
        from_array(np.zeros(1)).pipe(Ifft(real=True))


def test_zero_samples_are_continued_by_zeros_where_a_length_is_given() -> None:
    assert np.array_equal(from_array(np.zeros(0)).pipe(Fft(n=4)).to_array(), np.zeros(3))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 1000, LONG, 99_991])
def test_one_column_keeps_its_shape(n: int) -> None:
    x = noise(n, "float64")
    found = from_array(x[:, None]).pipe(Fft()).to_array()
    assert found.shape == (n // 2 + 1, 1)
    assert close(found[:, 0], scipy.fft.rfft(x))


@pytest.mark.parametrize("n", [50_000, 99_991, 100_000, 150_000])
@pytest.mark.parametrize("length", [70_000, 99_989, 131_072])
def test_signals_are_cut_or_continued_by_zeros(n: int, length: int) -> None:
    x = noise(n)
    assert close(from_array(x).pipe(Fft(n=length)).to_array(), scipy.fft.rfft(x.astype(float), length))
    spectrum = noise(n, "complex64")
    wide = spectrum.astype(complex)
    assert close(from_array(spectrum).pipe(Ifft(length)).to_array(), scipy.fft.ifft(wide, length))
    assert close(from_array(spectrum).pipe(Ifft(length, real=True)).to_array(), scipy.fft.irfft(wide, length))


def test_the_way_back_takes_real_samples_too() -> None:
    x = noise(LONG)
    assert close(from_array(x).pipe(Ifft()).to_array(), scipy.fft.ifft(x.astype(float)))
    assert close(from_array(x).pipe(Ifft(real=True)).to_array(), scipy.fft.irfft(x.astype(float)))


@pytest.mark.parametrize(
    ("operator", "x", "reference"),
    [
        (Fft(), noise(LONG), lambda x: scipy.fft.rfft(x.astype(float))),
        (Ifft(real=True), noise(50_001, "complex64"), lambda x: scipy.fft.irfft(x.astype(complex))),
        (Reversal(100), noise(5000), lambda x: x[::-1]),
    ],
    ids=["four-step", "back to real", "the smallest"],
)
def test_the_conformance_suite_passes(operator: Any, x: np.ndarray, reference: Any) -> None:
    check_operator(operator, x, reference)


@pytest.mark.parametrize("before", [CumulativeSum(), DoubleSum(64), Scale(2.0), Reversal(100)], ids=repr)
def test_any_operator_may_come_before_and_after(before: Any) -> None:
    x = noise(3000, "float64")
    flow = from_array(x).pipe(before, Reversal(64), Map(np.negative, block=10), before, Reversal(1000))
    once = from_array(x).pipe(before).to_array()
    twice = from_array(-once[::-1]).pipe(before).to_array()
    assert flow.to_array().tobytes() == twice[::-1].tobytes()
    table = [chunk.array.copy() for chunk in flow.chunks(threads=2, memory="3MB")]
    assert np.concatenate(table).tobytes() == twice[::-1].tobytes()


def test_events_are_found_in_a_transform() -> None:
    x = np.cos(2 * np.pi * 1234 * np.arange(LONG) / LONG)
    flow = from_array(x, fs=100.0).pipe(Fft(), Map(np.abs, block=1000))
    events = flow.detect(lambda chunk, start: [(start + i, start + i + 1) for i in np.flatnonzero(chunk > LONG / 4)])
    assert [(int(e["start"]), int(e["end"])) for e in events.to_array()] == [(1234, 1235)]


@pytest.mark.parametrize("stage", [None, CommonReference(), Scale(3.0)])
def test_files_are_read_where_they_lie_and_what_is_not_plain_is_spooled(tmp_path: Path, stage: Any) -> None:
    x = np.random.default_rng(0).integers(-99, 99, (LONG, 2)).astype(np.int16)
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "x.bin").write_bytes(x[:, 0].tobytes())
    stages = [] if stage is None else [stage]
    with open_recording(tmp_path / "x.npy") as rec, open_recording(tmp_path / "x.bin", dtype="int16") as raw:
        if not isinstance(stage, CommonReference):
            found = rec[:, 0].pipe(*stages, Fft()).to_array()
            assert found.tobytes() == raw.pipe(*stages, Fft()).to_array().tobytes()
        report = raw.pipe(Fft()).to_file(tmp_path / "y.npy")
        assert report.bytes_in == 2 * LONG
        assert close(np.load(tmp_path / "y.npy"), scipy.fft.rfft(x[:, 0].astype(float)))
        part = raw[1000:90_000].pipe(Fft()).to_array()
        assert close(part, scipy.fft.rfft(x[1000:90_000, 0].astype(float)))
        assert from_reads(x[:, 0].copy()).pipe(Fft()).to_array().tobytes() == np.load(tmp_path / "y.npy").tobytes()


def test_a_state_before_a_transform_is_carried() -> None:
    x, sos = noise(LONG), butter(2, 0.1, fs=1.0)
    filtered = from_array(x, fs=1.0).pipe(SosFilt(sos)).to_array()
    found = from_array(x, fs=1.0).pipe(SosFilt(sos), Fft()).to_array(threads=2)
    assert found.tobytes() == from_array(filtered).pipe(Fft()).to_array().tobytes()


def test_the_budget_is_told_and_kept_and_given_back() -> None:
    flow = from_array(noise(LONG)).pipe(Fft())
    with pytest.raises(BudgetTooSmall) as caught, flow.chunks(memory=1000) as chunks:
        next(chunks)
    budget = Budget(caught.value.needed)
    with flow.chunks(memory=budget) as chunks:
        assert sum(len(chunk) for chunk in chunks) == LONG // 2 + 1
    assert budget.used == 0
    with pytest.raises(BudgetTooSmall), flow.chunks(memory=caught.value.needed - 1) as chunks:
        next(chunks)


def test_temporary_files_need_room_which_is_looked_for_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    flow = from_array(noise(LONG)).pipe(Fft())
    assert flow.temporary_bytes >= 4 * LONG
    with pytest.raises(OutputError, match=r"Fft takes .* of temporary files, and 1 kB are free there.*--tmp"):
        flow.to_file(tmp_path / "y.npy", tmp=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_room_for_all_transforms_of_a_row_is_looked_for_before_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = from_array(noise(LONG)).pipe(Fft(), Ifft(LONG, real=True))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=flow.temporary_bytes - 1))
    with pytest.raises(OutputError, match="Ifft takes"):
        flow.to_file(tmp_path / "y.npy", tmp=tmp_path, progress=lambda *_: pytest.fail("it began"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=flow.temporary_bytes))
    assert flow.to_array().shape == (LONG,)


def test_a_budget_is_refused_before_the_roots_of_a_huge_transform_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_native, "Roots", lambda _: pytest.fail("made"))
    with pytest.raises(BudgetTooSmall), from_array(noise(9)).pipe(Fft(2**40)).chunks(memory="1MB") as chunks:
        next(chunks)


def test_a_filter_that_goes_back_may_follow_what_carries_state_behind_a_transform() -> None:
    x = noise(3000, "float64")
    flow = from_array(x).pipe(CumulativeSum(), Reversal(), DoubleSum(64))
    summed = from_array(x).pipe(CumulativeSum()).to_array()
    assert flow.to_array().tobytes() == from_array(summed[::-1].copy()).pipe(DoubleSum(64)).to_array().tobytes()


@pytest.mark.parametrize("n", [3, LONG])
def test_half_a_spectrum_of_bools_is_one_of_numbers(n: int) -> None:
    x = noise(n // 2 + 1) > 0
    assert close(from_array(x).pipe(Ifft(n, real=True)).to_array(), scipy.fft.irfft(x.astype(float), n))


def test_a_file_that_is_closed_under_a_write_of_rows_leads_into_no_other(tmp_path: Path) -> None:
    file = UnnamedFile(tmp_path, "rows")
    rows, right = np.ones((1000, 100), np.uint8), _native.write_rows

    def closing(fd: int, *rest: Any) -> int:
        file.close()
        other.append((tmp_path / "other").open("wb"))  # takes the number that is free
        return right(fd, *rest)

    other: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_native, "write_rows", closing)
        file.write_rows(rows, 0, 100)
    other[0].close()
    assert (tmp_path / "other").stat().st_size == 0


def test_temporary_bytes_are_none_without_a_transform_and_count_what_is_spooled() -> None:
    x = noise(LONG)
    plain, spooled = from_array(x).pipe(Fft()), from_array(x).pipe(Scale(2.0), Fft())
    assert from_array(x).pipe(Scale(2.0)).temporary_bytes == 0
    assert spooled.temporary_bytes == plain.temporary_bytes + x.nbytes


def test_a_full_disk_is_an_error_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OutputError("full", path="x", errno=28)

    monkeypatch.setattr(ScratchFile, "write_rows", refuse)
    with no_leaks(), pytest.raises(OutputError, match="full") as caught:
        from_array(noise(LONG)).pipe(Fft()).to_file(tmp_path / "y.npy", tmp=tmp_path)
    assert any("pass 1 of 3 of stage Fft" in note for note in caught.value.__notes__)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changes_between_the_passes_is_noticed(tmp_path: Path) -> None:
    noise(LONG).tofile(tmp_path / "x.f32")
    with open_recording(tmp_path / "x.f32", dtype="float32") as rec:

        def touch(done: int, total: int | None, report: Any) -> None:
            del done, total, report
            with (tmp_path / "x.f32").open("r+b") as file:
                file.write(b"changed!")

        with no_leaks(), pytest.raises(SourceChanged):
            rec.pipe(Fft()).to_file(tmp_path / "y.npy", progress=touch)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.f32"]


def test_an_abandoned_transform_leaves_nothing_behind(tmp_path: Path) -> None:
    with no_leaks():
        chunks = iter(from_array(noise(LONG)).pipe(Fft()).chunks(tmp=tmp_path, chunk=1000))
        next(chunks)
        del chunks
    assert list(tmp_path.iterdir()) == []
