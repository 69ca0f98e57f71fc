"""`headrace signal stft`, `psd` and `plot --spectrogram`, in a fresh process in which warnings are errors."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
from command_line import headrace

X = np.random.default_rng(4).standard_normal((20_000, 2)).astype(np.float32)
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    np.save(tmp_path / "rec.npy", X)
    np.save(tmp_path / "short.npy", X[:100])
    return tmp_path


def test_stft_writes_spectra(place: Path) -> None:
    words = ("rec.npy", "out.npy", "--nperseg", 128, "--noverlap", 96, "--window", "hamming", "--fs", 100)
    done = headrace("signal", "stft", *words, "--scaling", "psd", cwd=place)
    assert done.returncode == 0, done.stderr
    found = np.load(place / "out.npy")
    exact = scipy.signal.ShortTimeFFT(scipy.signal.get_window("hamming", 128), 32, 100.0, scale_to="psd")
    expected = exact.stft(X.astype(float), axis=0).transpose(2, 1, 0)
    assert found.shape == expected.shape
    assert np.linalg.norm(found - expected) < 3e-7 * np.linalg.norm(expected)
    done = headrace("signal", "stft", *words, "--power", "--scaling", "psd", "--force", "--json", cwd=place)
    assert json.loads(done.stdout)["n_samples"] == len(expected)
    assert np.allclose(np.load(place / "out.npy"), np.abs(expected) ** 2, rtol=1e-5)


def test_psd_writes_a_table_or_a_picture(place: Path) -> None:
    done = headrace("signal", "psd", "rec.npy", "psd.csv", "--fs", 100, "--nperseg", 64, cwd=place)
    assert done.returncode == 0, done.stderr
    table = np.genfromtxt(place / "psd.csv", delimiter=",", names=True)
    frequencies, expected = scipy.signal.welch(X.astype(float), 100.0, nperseg=64, axis=0)
    assert np.allclose(table["psd"].reshape(-1, 2), expected, rtol=1e-12)
    assert np.array_equal(table["frequency_hz"].reshape(-1, 2)[:, 0], frequencies)
    done = headrace("signal", "psd", "rec.npy", "psd.png", "--fs", 100, "--json", cwd=place, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == "psd.png"
    assert (place / "psd.png").read_bytes()[:8] == PNG


def test_channels_keep_their_numbers(place: Path) -> None:
    words = ("rec.npy", "one.csv", "--fs", 100, "--nperseg", 64, "--channels", "1,0", "--stop", 5000)
    assert headrace("signal", "psd", *words, cwd=place).returncode == 0
    table = np.genfromtxt(place / "one.csv", delimiter=",", names=True)
    expected = scipy.signal.welch(X[:5000, ::-1].astype(float), 100.0, nperseg=64, axis=0)[1]
    assert table["channel"][:2].tolist() == [1, 0]
    assert np.allclose(table["psd"].reshape(-1, 2), expected, rtol=1e-12)


def test_a_segment_longer_than_the_recording_is_all_of_it(place: Path) -> None:
    words = ("short.npy", "short.png", "--spectrogram", "--fs", 100, "--nperseg", 5000)
    done = headrace("signal", "plot", *words, cwd=place, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (place / "short.png").read_bytes().startswith(PNG)


def test_a_short_recording_is_said_to_be_short(place: Path) -> None:
    done = headrace("signal", "psd", "short.npy", "psd.npy", "--fs", 100, cwd=place)
    assert done.returncode == 0, done.stderr
    assert (
        "headrace: Welch: nperseg=256 is longer than the 100 samples there are, so nperseg=100 is taken" in done.stderr
    )
    assert len(np.load(place / "psd.npy")) == 2 * 51


def test_plot_draws_a_spectrogram(place: Path) -> None:
    words = ("signal", "plot", "rec.npy", "out.png", "--fs", 100, "--spectrogram", "--nperseg", 100, "--start", "10s")
    done = headrace(*words, cwd=place, timeout=120)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr.startswith("out.png: 19,000 samples to ")
    assert (place / "out.png").read_bytes()[:8] == PNG


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("stft", "rec.npy", "o.npy"), 2, "Missing option '--nperseg'"),
        (("stft", "rec.npy", "o.npy", "--nperseg", 8, "--noverlap", 8), 1, "noverlap=8 is not less than nperseg=8"),
        (
            ("stft", "short.npy", "o.npy", "--nperseg", 999),
            1,
            "100 samples is shorter than half a frame of nperseg=999",
        ),
        (("stft", "rec.npy", "o.npy", "--nperseg", 8, "--window", "none"), 1, "Invalid window name 'none'"),
        (("stft", "rec.npy", "o.wav", "--nperseg", 8, "--fs", 8, "--power"), 1, "are not channels"),
        (("psd", "rec.npy", "o.csv"), 1, "no rate: give fs= (--fs)"),
        (("psd", "rec.npy", "short.npy", "o.png", "--fs", 1), 1, "2 inputs, and one picture"),
        (("plot", "rec.npy", "o.png", "--spectrogram"), 1, "a spectrogram is in hertz"),
        (("plot", "rec.npy", "o.png", "--nperseg", 8), 2, "--nperseg goes with --spectrogram"),
        (
            ("plot", "rec.npy", "o.png", "--spectrogram", "--events", "e.csv"),
            2,
            "--events are marked on the signal itself",
        ),
    ],
)
def test_what_is_refused(place: Path, words: tuple[object, ...], code: int, what: str) -> None:
    done = headrace("signal", *words, cwd=place)
    assert done.returncode == code, done.stderr
    assert what in " ".join(done.stderr.split())
    assert not (place / str(words[2])).exists() or words[2] == "short.npy"
