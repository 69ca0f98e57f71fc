"""Averaged spectra: Welch's method, cross spectra, coherence; medians over any number of segments."""

from __future__ import annotations

import pickle
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.signal

from headrace.errors import OutputError, SchemaError
from headrace.signals import Coherence, Csd, Scale, Welch, from_array, from_iter
from headrace.signals.spectra import medians
from headrace.signals.spectra.averages import Mean
from headrace.signals.spectra.medians import ColumnMedians, median_bias
from headrace.testing import relative_error

if TYPE_CHECKING:
    from pathlib import Path


def welch_of(x: np.ndarray, fs: float, *settings: Any, **more: Any) -> np.ndarray:
    wide = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
    found: np.ndarray = scipy.signal.welch(wide, fs, *settings, axis=0, **more)[1]
    return found


@pytest.mark.parametrize("dtype", ["int16", "bool", "float16", "float32", "int32", "float64", "complex64"])
def test_welch_of_every_dtype_is_scipys(rng: np.random.Generator, dtype: str) -> None:
    x = (4 * rng.standard_normal((20_000, 3)) + 9).astype(dtype)
    rows = from_array(x, fs=100.0).psd().to_array()
    assert rows.dtype.names == ("frequency_hz", "channel", "psd")
    assert relative_error(rows["psd"].reshape(-1, 3), welch_of(x, 100.0)) <= 1e-14
    frequencies = scipy.signal.welch(x.astype(complex if dtype == "complex64" else float), 100.0, axis=0)[0]
    assert np.array_equal(rows["frequency_hz"].reshape(-1, 3)[:, 1], frequencies)
    assert np.array_equal(rows["channel"].reshape(-1, 3)[5], [0, 1, 2])


@pytest.mark.parametrize("detrend", ["constant", "linear", False])
@pytest.mark.parametrize("average", ["mean", "median"])
@pytest.mark.parametrize("scaling", ["density", "spectrum"])
@pytest.mark.parametrize("return_onesided", [True, False])
def test_every_setting_is_scipys(
    rng: np.random.Generator, detrend: Any, average: Any, scaling: Any, return_onesided: bool
) -> None:
    x = rng.standard_normal((700, 2)) + np.linspace(0, 9, 700)[:, None]
    more = {"detrend": detrend, "average": average, "scaling": scaling, "return_onesided": return_onesided}
    for nperseg, noverlap, nfft in [(128, 96, None), (101, 0, 105), (64, 63, 64)]:
        expected = welch_of(x, 50.0, "hamming", nperseg, noverlap, nfft, **more)
        rows = from_array(x, fs=50.0).psd(nperseg, noverlap, window="hamming", nfft=nfft, **more).to_array()
        found = rows["psd" if scaling == "density" else "power"].reshape(-1, 2)
        assert relative_error(found, expected) <= 1e-13
        one, other = x[:, 0], x[:, 1].copy()
        expected = scipy.signal.csd(one, other, 50.0, "hamming", nperseg, noverlap, nfft, **more)[1]
        rows = (
            from_array(x, fs=50.0)
            .pipe()
            .tabulate(Csd(0, 1, nperseg, noverlap, "hamming", nfft=nfft, **more))
            .to_array()
        )
        assert relative_error(rows["csd_real"] + 1j * rows["csd_imag"], expected) <= 1e-12


def test_coherence_is_scipys_for_any_pairs(rng: np.random.Generator) -> None:
    x = rng.standard_normal((30_000, 4))
    x[:, 1] += np.roll(x[:, 0], 3)
    rows = from_array(x, fs=10.0).pipe().tabulate(Coherence([0, 3, 2], [1, 0, 2], 100)).to_array()
    found = rows["coherence"].reshape(-1, 3)
    for place, (a, b) in enumerate([(0, 1), (3, 0), (2, 2)]):
        assert (
            relative_error(found[:, place], scipy.signal.coherence(x[:, a], x[:, b].copy(), 10.0, nperseg=100)[1])
            < 1e-13
        )
    assert rows["channel_a"][:3].tolist() == [0, 3, 2]
    assert rows["channel_b"][:3].tolist() == [1, 0, 2]
    one_with_all = Csd(0, [1, 2, 3])
    assert one_with_all.pairs == ((0, 1), (0, 2), (0, 3))


@pytest.mark.parametrize("function", [Welch(60), Welch(60, average="median"), Csd(0, 2, 60), Coherence(1, 0, 60)])
def test_rows_do_not_depend_on_how_they_are_made(rng: np.random.Generator, function: Any) -> None:
    x = rng.standard_normal((60_000, 3)).astype(np.float32)
    flow = from_array(x, fs=9.0).pipe(Scale(2.0))
    whole = flow.tabulate(function).to_array(executor="serial", memory="1GB").tobytes()
    for options in ({"threads": 3}, {"chunk": 77}, {"memory": "30MB"}, {"threads": 1, "chunk": 65_537}):
        assert flow.tabulate(function).to_array(**options).tobytes() == whole
    stream = from_iter(np.array_split(x, 9), 9.0).pipe(Scale(2.0))
    assert stream.tabulate(function).to_array(memory="1GB").tobytes() == whole


def test_no_segment_crosses_a_gap(rng: np.random.Generator) -> None:
    x = rng.standard_normal(1000)
    found = from_array(x, fs=1.0, segments=[0, 333, 400]).psd(100, 20).to_array()["psd"]
    parts = [part for part in np.split(x, [333, 400]) if len(part) >= 100]
    counts = [(len(part) - 20) // 80 for part in parts]
    powers = [welch_of(part, 1.0, "hann", 100, 20) for part in parts]
    assert relative_error(found, np.average(powers, axis=0, weights=counts)) <= 1e-14


def test_a_short_recording_is_one_segment_as_in_scipy(rng: np.random.Generator) -> None:
    x = rng.standard_normal(100)
    with pytest.warns(
        UserWarning, match="nperseg=256 is longer than the 100 samples there are, so nperseg=100 is taken"
    ):
        rows = from_array(x, fs=2.0).psd().to_array()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert relative_error(rows["psd"], welch_of(x, 2.0)) <= 1e-14
    assert not len(from_array(np.zeros(0), fs=2.0).psd().to_array())


def test_a_median_of_many_segments_waits_in_a_file(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(medians, "_TILE_BYTES", 4096)
    x = rng.standard_normal((30_000, 2))
    rows = from_array(x, fs=5.0).psd(32, average="median").to_array(tmp=tmp_path)
    assert relative_error(rows["psd"].reshape(-1, 2), welch_of(x, 5.0, "hann", 32, average="median")) <= 1e-14
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("memory", [64, 1000, 1 << 20])
@pytest.mark.parametrize("count", [1, 2, 7, 500, 501])
def test_medians_of_columns_are_exact_however_little_memory_there_is(
    rng: np.random.Generator, memory: int, count: int
) -> None:
    values = np.round(rng.standard_normal((count, 4)), 1) * 10.0 ** rng.integers(-300, 300, (count, 1))
    values[:, 1] = np.abs(values[:, 1])
    values[count // 2, 2] = -np.inf
    values[count // 3, 3] = np.nan
    columns = ColumnMedians(4, memory=memory)
    for part in np.array_split(values, 3):
        columns.add(part)
    assert np.array_equal(columns.medians(), np.median(values, axis=0), equal_nan=True)
    columns.close()
    columns.close()


def test_the_bias_of_a_median_is_scipys() -> None:
    from scipy.signal._spectral_py import _median_bias

    for count in (1, 2, 3, 10, 131_073, 300_000):
        assert median_bias(count) == pytest.approx(_median_bias(count), rel=1e-14)


def test_a_sum_of_many_cells_loses_no_digits() -> None:
    mean = Mean((1,))
    mean.add(np.full((1, 1), 1e16), 1)
    for _ in range(100):
        mean.add(np.ones((1, 1)), 1)
    assert mean.average(1)[0] == 1e16 + 100
    mean.add(np.full((1, 1), np.inf), 1)
    assert mean.average(1)[0] == np.inf


def test_a_temporary_folder_that_is_not_there_is_named(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(medians, "_TILE_BYTES", 4096)
    monkeypatch.setenv("TMPDIR", "/no/such/folder")
    with pytest.raises(OutputError, match="a temporary file of spectra cannot be made"):
        from_array(rng.standard_normal(30_000), fs=1.0).psd(32, average="median").to_array()


def test_nan_makes_its_channel_nan_and_no_other(rng: np.random.Generator) -> None:
    x = rng.standard_normal((5000, 2))
    x[77, 1] = np.nan
    for average in ("mean", "median"):
        found = from_array(x, fs=1.0).psd(average=average).to_array()["psd"].reshape(-1, 2)
        assert np.isnan(found[:, 1]).all()
        assert not np.isnan(found[:, 0]).any()


def test_tables_of_spectra_are_written(tmp_path: Path, rng: np.random.Generator) -> None:
    flow = from_array(rng.standard_normal(5000), fs=100.0).psd(20)
    rows = flow.to_array()
    flow.to_file(tmp_path / "psd.csv")
    lines = (tmp_path / "psd.csv").read_text().splitlines()
    assert lines[0] == "frequency_hz,channel,psd"
    assert float(lines[3].split(",")[2]) == rows["psd"][2]
    flow.to_file(tmp_path / "psd.npy")
    assert np.array_equal(np.load(tmp_path / "psd.npy"), rows)


def test_they_print_what_they_do_and_travel() -> None:
    assert repr(Welch()) == "Welch(nperseg=256, noverlap=128, window='hann')"
    assert repr(Csd(0, [1, 2], 64, nfft=128, average="median")) == (
        "Csd([0, 0], [1, 2], nperseg=64, noverlap=32, window='hann', nfft=128, average='median')"
    )
    assert repr(Coherence(0, 1, 64, detrend=False)) == (
        "Coherence(0, 1, nperseg=64, noverlap=32, window='hann', detrend=False)"
    )
    assert Welch(window=np.ones(31)).nperseg == 31
    assert pickle.loads(pickle.dumps(Csd(0, 1))).pairs == ((0, 1),)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Welch(0), "nperseg= is at least 1"),
        (lambda: Welch(16, 16), "noverlap=16 is not less than nperseg=16"),
        (lambda: Welch(16, nfft=15), "nfft=15 is less than nperseg=16"),
        (lambda: Welch(detrend=True), "detrend= is 'constant', 'linear' or False: got True"),
        (lambda: Welch(scaling="psd"), "scaling= is one of 'density', 'spectrum': got 'psd'"),  # type: ignore[arg-type]
        (lambda: Welch(average="mode"), "average= is one of"),  # type: ignore[arg-type]
        (lambda: Welch(16, window=np.ones(15)), r"window= has shape \(15,\), and nperseg=16"),
        (lambda: Csd(-1, 0), "a= is at least 0"),
        (lambda: Csd([0, 1], [0, 1, 2]), "as many channels, or one and several"),
        (lambda: Csd([], []), "rows of them"),
        (lambda: from_array(np.zeros(999)).psd(), "Welch is in hertz, and the signal has no rate"),
        (
            lambda: from_array(np.zeros((999, 2)), fs=1.0).pipe().tabulate(Csd(0, 2)),
            "there is no channel 2 in a signal of 2",
        ),
        (lambda: from_array(np.zeros(9), fs=1.0).psd(window=np.ones(12)), "window= has as many values: take nperseg=9"),
        (
            lambda: from_array(np.zeros(9), fs=1.0, segments=[0, 4]).psd(12),
            "the 5 samples there are in the longest part",
        ),
        (lambda: from_array(np.zeros(9), fs=1.0).psd(12, 10), "noverlap=10 is not less than nperseg=9"),
        (lambda: from_iter([np.zeros(9)], 1.0).psd(12).to_array(), "9 samples have no whole segment of nperseg=12"),
    ],
)
@pytest.mark.filterwarnings("ignore:Welch")
def test_what_is_refused(make: Any, what: str) -> None:
    with pytest.raises(SchemaError, match=what):
        make()
