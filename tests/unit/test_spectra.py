"""Short-time spectra: those of `ShortTimeFFT`, its windows, its frames, its inverse; and what is refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.signal
from scipy.signal import ShortTimeFFT

from headrace.errors import SchemaError
from headrace.signals import Fir, Istft, Map, Spectrogram, Stft, from_array, from_iter
from headrace.signals.spectra.frame_grid import FrameGrid
from headrace.signals.spectra.transform import FrameTransform
from headrace.signals.spectra.window import dual_window, window_values
from headrace.testing import check_operator, relative_error

WINDOWS = ["boxcar", "hann", "hamming", "blackman", "nuttall", "blackmanharris", "flattop"]


def spectra_of(stft: Stft, x: np.ndarray, fs: float = 1.0) -> np.ndarray:
    """Give SciPy's spectra in float64, time first."""
    wide = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64).reshape(len(x), -1)
    mode: Any = "twosided" if x.dtype.kind == "c" else "onesided"
    scipys = ShortTimeFFT(stft._values, stft.hop, fs, fft_mode=mode, mfft=stft.mfft, scale_to=stft.scaling)
    found = scipys.stft_detrend(wide, stft.detrend or None, axis=0).transpose(2, 1, 0)
    return found.reshape(len(found), *x.shape[1:], scipys.f_pts)


@pytest.mark.parametrize(
    ("dtype", "shape", "nperseg", "noverlap"),
    [
        ("int16", (400, 3), 64, 32),
        ("float16", (900,), 101, 80),
        ("bool", (600,), 64, 0),
        ("float32", (3000,), 128, 64),
        ("int32", (300, 2), 50, 30),
        ("float64", (500, 3), 33, 32),
        ("complex64", (700, 2), 40, 10),
    ],
)
def test_stft_passes_the_suite_for_operators(
    rng: np.random.Generator, dtype: str, shape: tuple[int, ...], nperseg: int, noverlap: int
) -> None:
    x = (3 * rng.standard_normal(shape)).astype(dtype)
    stft = Stft(nperseg, noverlap, "hamming")
    check_operator(stft, x, spectra_of(stft, x))


@pytest.mark.parametrize("scaling", [None, "magnitude", "psd"])
@pytest.mark.parametrize("detrend", [False, "constant", "linear"])
def test_every_scaling_and_trend_is_scipys(rng: np.random.Generator, scaling: Any, detrend: Any) -> None:
    x = rng.standard_normal((999, 2)) + np.arange(999)[:, None]
    recording, stft = from_array(x, fs=250.0), Stft(90, 60, mfft=128, scaling=scaling, detrend=detrend)
    expected = spectra_of(stft, x, 250.0)
    assert relative_error(recording.pipe(stft).to_array(), expected) <= 3e-14
    spectrogram = Spectrogram(90, 60, mfft=128, scaling=scaling, detrend=detrend)
    assert relative_error(recording.pipe(spectrogram).to_array(), np.abs(expected) ** 2) <= 3e-14


def test_spectrogram_passes_the_suite_for_operators(rng: np.random.Generator) -> None:
    x, spectrogram = rng.standard_normal((400, 2)).astype(np.float32), Spectrogram(50, 25)
    check_operator(spectrogram, x, np.abs(spectra_of(spectrogram, x)) ** 2)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("count", [1, 2, 3, 64, 101])
def test_a_sum_of_cosines_is_scipys_to_the_last_bit(window: str, count: int) -> None:
    assert np.array_equal(window_values(window, count), scipy.signal.get_window(window, count))


def test_other_windows_come_from_scipy() -> None:
    for window in ["bartlett", ("kaiser", 5.0), ("tukey", 0.25), 7.5, "hann_symmetric"]:
        assert np.array_equal(window_values(window, 50), scipy.signal.get_window(window, 50))
    assert np.array_equal(window_values([1, 2, 3], 3), [1, 2, 3])


def test_frames_lie_where_scipy_lays_them(rng: np.random.Generator) -> None:
    for _ in range(500):
        nperseg = int(rng.integers(1, 40))
        hop = int(rng.integers(1, nperseg + 1))
        values = rng.random(nperseg) + 0.1
        values[: rng.integers(0, nperseg)] *= rng.integers(0, 2)
        values[rng.integers(1, nperseg + 1) :] *= rng.integers(0, 2)
        if not values.any():
            continue
        grid, scipys = FrameGrid.of(values, hop), ShortTimeFFT(values, hop, 1.0)
        n = grid.least + int(rng.integers(0, 100))
        count = grid.count(n)
        assert (grid.first, count, grid.reach(count)) == (scipys.p_min, scipys.p_num(n), scipys.k_max(n))


def test_the_axes_are_scipys() -> None:
    stft, scipys = Stft(100, 75, mfft=128), ShortTimeFFT(np.ones(100), 25, 500.0, mfft=128)
    assert np.array_equal(stft.frequencies(500), scipys.f)
    flow = from_array(np.zeros(1000), fs=500).pipe(stft)
    assert flow.n_samples is not None
    assert np.allclose(stft.times(flow.n_samples, 500), scipys.t(1000), rtol=1e-15)
    assert (flow.fs, flow.spec.shape) == (20.0, (65,))
    assert stft.first == scipys.p_min
    assert np.array_equal(stft.frequencies(500, complex_samples=True), np.fft.fftfreq(128, 1 / 500))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_there_and_back_is_the_signal(rng: np.random.Generator, dtype: str) -> None:
    x = rng.standard_normal((5000, 2)).astype(dtype)
    mode: Any = "twosided" if dtype.startswith("c") else "onesided"
    for nperseg, noverlap, window in [(256, 192, "hann"), (100, 50, "hamming"), (33, 11, "boxcar"), (7, 6, "hann")]:
        back = Istft(nperseg, noverlap, window, n=5000, fft_mode=mode)
        flow = from_array(x, fs=100.0).pipe(Stft(nperseg, noverlap, window), back)
        found = flow.to_array()
        assert (found.dtype, flow.fs, found.shape) == (x.dtype, pytest.approx(100), x.shape)
        assert relative_error(found, x) <= (3e-7 if x.dtype in (np.float32, np.complex64) else 1e-13)


@pytest.mark.parametrize(("n", "scaling"), [(None, None), (2000, "psd"), (1990, "magnitude")])
@pytest.mark.parametrize("channels", [None, 3])
def test_istft_passes_the_suite_for_operators(
    rng: np.random.Generator, n: int | None, scaling: Any, channels: int | None
) -> None:
    stft, back = Stft(120, 90, scaling=scaling), Istft(120, 90, n=n, scaling=scaling)
    x = rng.standard_normal((2000,) if channels is None else (2000, channels)).astype(np.float32)
    flow = from_array(x, fs=40.0).pipe(stft)
    spectra = flow.to_array()
    spectra *= rng.random(spectra.shape)  # no longer those of any signal
    scipys = ShortTimeFFT(stft._values, 30, 40.0, scale_to=scaling)
    parts = spectra.astype(complex).reshape(len(spectra), -1, 61)
    expected = np.stack([scipys.istft(parts[:, c], k1=n, f_axis=1, t_axis=0) for c in range(parts.shape[1])], axis=1)
    halved = from_array(x, fs=40.0).pipe(stft, Map(lambda _: spectra), back)
    whole = halved.to_array(chunk=10**6, executor="serial", memory="1GB")
    assert relative_error(whole, expected.reshape(-1, *x.shape[1:])) <= 3e-7
    there_and_back = from_array(x, fs=40.0).pipe(stft, back)
    first = there_and_back.to_array()
    for chunk in (1, 7, 97, 1009):
        for threads in (1, 3):
            assert there_and_back.to_array(chunk=chunk, threads=threads).tobytes() == first.tobytes()
    stream = from_iter(np.array_split(x, 7), 40.0).pipe(stft, back)
    assert stream.to_array().tobytes() == first.tobytes()


def test_how_many_frames_are_transformed_at_once_changes_no_byte(rng: np.random.Generator) -> None:
    for points in (8, 60, 101, 1024, 1009):
        for is_complex in (False, True):
            transform = FrameTransform(rng.random(points), 3, points, is_complex=is_complex, trend="linear")
            room, group = transform.room(40), transform.group
            room.line[...] = rng.standard_normal(len(room.line))
            line, together = room.line.copy(), transform.spectra(room, 40).copy()
            for frame in range(0, 40, group):
                alone = transform.room(group)
                alone.line[...] = line[3 * frame :][: transform.samples(group)]
                assert transform.spectra(alone, group).tobytes() == together[frame : frame + group].tobytes()


def test_what_lies_deep_below_a_tone_is_kept() -> None:
    n = np.arange(50_000)
    x = (np.cos(2 * np.pi * 0.125 * n) + 1e-6 * np.cos(2 * np.pi * 0.25 * n)).astype(np.float32)
    power = from_array(x, fs=1.0).pipe(Spectrogram(1024, 512, "blackmanharris", scaling="magnitude")).to_array()
    assert 2 * np.sqrt(power[20, 256]) == pytest.approx(1e-6, rel=0.02)


@pytest.mark.parametrize("nperseg", [100, 128])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_stays_in_the_frames_that_hold_it(rng: np.random.Generator, nperseg: int, value: float) -> None:
    x = rng.standard_normal(10 * nperseg)
    whole = from_array(x).pipe(Stft(nperseg)).to_array()
    x[5 * nperseg] = value
    found = from_array(x).pipe(Stft(nperseg)).to_array()
    bad = ~np.isfinite(found).all(axis=1)
    assert set(np.flatnonzero(bad)) in ({10, 11}, {9, 10, 11})
    assert relative_error(found[~bad], whole[~bad]) < 1e-15


def test_a_recording_without_samples_has_no_frames() -> None:
    assert from_array(np.zeros((0, 2))).pipe(Stft(8)).to_array().shape == (0, 2, 5)
    assert from_array(np.zeros(0)).pipe(Stft(8), Istft(8)).to_array().shape == (0,)


def test_spectra_of_channels_are_written_and_read(tmp_path: Any, rng: np.random.Generator) -> None:
    x = rng.standard_normal((3000, 2)).astype(np.float32)
    flow = from_array(x, fs=64.0).pipe(Stft(64))
    flow.to_file(tmp_path / "s.npy")
    found = np.load(tmp_path / "s.npy")
    assert (found.shape, found.dtype) == ((95, 2, 33), np.complex64)
    assert found.tobytes() == flow.to_array().tobytes()
    powers = from_array(x, fs=64.0).pipe(Spectrogram(64))
    assert "float32[33][2]" in repr(powers.to_arrow())
    with pytest.raises(SchemaError, match="tables are made of samples of one or several channels"):
        powers.features("rms", length=4)
    with pytest.raises(SchemaError, match=r"\(2, 33\) are not channels"):
        powers.to_file(tmp_path / "s.wav", out_dtype="float32")


def test_integers_are_rounded_once(rng: np.random.Generator) -> None:
    x = rng.integers(-9000, 9000, 4000, np.int16)  # type: ignore[arg-type]
    flow = from_array(x).pipe(Stft(100), Istft(100, n=4000))
    assert np.array_equal(flow.to_array(out_dtype="int16"), x)
    power = Spectrogram(100, scaling="magnitude")
    exact = np.abs(spectra_of(power, x)) ** 2
    assert np.array_equal(from_array(x).pipe(power).to_array(out_dtype="int64"), np.rint(exact))


def test_they_print_what_they_do_and_travel(rng: np.random.Generator) -> None:
    assert repr(Stft(1024, 512)) == "Stft(1024, 512, window='hann')"
    assert repr(Spectrogram(8, 2, ("kaiser", 5.0), mfft=16, detrend="linear", scaling="psd")) == (
        "Spectrogram(8, 2, window=('kaiser', 5.0), mfft=16, detrend='linear', scaling='psd')"
    )
    assert repr(Stft(3, 1, [1, 2, 1])).startswith("Stft(3, 1, window=#")
    assert repr(Istft(8, 4, n=99, fft_mode="twosided")) == "Istft(8, 4, window='hann', n=99, fft_mode='twosided')"
    x = rng.standard_normal(500)
    there, back = pickle.loads(pickle.dumps((Stft(50), Istft(50))))
    assert np.array_equal(
        from_array(x).pipe(there, back).to_array(), from_array(x).pipe(Stft(50), Istft(50)).to_array()
    )


def test_a_usual_window_needs_neither_scipy_nor_a_child() -> None:
    code = (
        "import sys, numpy as np, headrace; from headrace.signals import *;"
        "rec = from_array(np.ones(9999, 'f4'), fs=1.0);"
        "rec.pipe(Stft(64), Istft(64)).to_array(); rec.psd().to_array();"
        "sys.exit(any(name.split('.')[0] in ('scipy', 'subprocess') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Stft(0), "nperseg= is at least 1: got 0"),
        (lambda: Stft(8.5), "nperseg= is a whole number"),  # type: ignore[arg-type]
        (lambda: Stft(8, 8), "noverlap=8 is not less than nperseg=8.* at most 7"),
        (lambda: Stft(8, -1), "noverlap= is at least 0"),
        (lambda: Stft(8, mfft=7), "mfft=7 is less than nperseg=8"),
        (lambda: Stft(8, detrend="cubic"), "detrend= is 'constant', 'linear' or False: got 'cubic'"),
        (lambda: Stft(8, scaling="density"), "scaling= is one of None, 'magnitude', 'psd'"),  # type: ignore[arg-type]
        (lambda: Stft(8, window="no such"), "get_window: Invalid window name 'no such'"),
        (lambda: Stft(8, window=np.ones(7)), r"window= has shape \(7,\), and nperseg=8"),
        (lambda: Stft(8, window=np.zeros(8)), "is 0 everywhere"),
        (lambda: Stft(2, window=[1, np.nan]), "value 1 is not"),
        (lambda: Stft(2, window=[1, 1j]), "a row of real numbers"),
        (lambda: Istft(8, 0), "nothing undoes it"),
        (lambda: Istft(8, 4, fft_mode="centered"), "fft_mode= is one of"),  # type: ignore[arg-type]
        (lambda: Istft(8, 4, n=3), "n=3 is less than half a frame"),
        (lambda: from_array(np.zeros(9)).pipe(Stft(20)), "9 samples is shorter than half a frame of nperseg=20: .*18"),
        (lambda: from_array(np.zeros(9)).pipe(Stft(4, scaling="psd")), "per hertz, and the signal has no rate"),
        (lambda: from_array(np.zeros(99)).pipe(Istft(4)), "takes complex spectra"),
        (lambda: from_array(np.zeros(99)).pipe(Stft(8), Istft(10)), "takes spectra of 6 frequencies: got 5"),
        (
            lambda: from_array(np.zeros(99)).pipe(Stft(8), Istft(8, n=200)),
            "n=200 samples has 51 frames, and these are 26",
        ),
        (
            lambda: from_array(np.zeros((99, 2))).pipe(Stft(8), Stft(8)),
            "Stft.* takes samples of one or several channels",
        ),
    ],
)
def test_what_is_refused(make: Any, what: str) -> None:
    with pytest.raises(SchemaError, match=what):
        make()


def test_a_window_without_a_dual_is_named() -> None:
    with pytest.raises(SchemaError, match="frames of 4 samples that are 5 apart"):
        dual_window(np.ones(4), 5)
    dual = dual_window(window_values("hann", 8), 4)
    assert np.allclose(dual, ShortTimeFFT(window_values("hann", 8), 4, 1.0).dual_win, rtol=1e-15)


def test_a_filter_takes_no_spectra_of_channels() -> None:
    flow = from_array(np.zeros((99, 2))).pipe(Stft(8))
    with pytest.raises(SchemaError, match=r"Fir.* takes samples of one or several channels: these have shape \(2, 5\)"):
        flow.pipe(Fir([1.0, 2.0]))
