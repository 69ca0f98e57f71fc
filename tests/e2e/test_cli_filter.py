"""`headrace signal filter` with sections and with designs, and WAV in and out, in fresh processes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io.wavfile
import scipy.signal
from command_line import headrace, run_all, succeed

from headrace.cli._band import join_band, pass_type, read_band

FS = 10_000
RNG = np.random.default_rng(11)
X = RNG.integers(-3000, 3000, (20_000, 3), np.int16)
SOS = scipy.signal.butter(3, [300, 2000], "bandpass", fs=FS, output="sos")
RUN = ("signal", "filter", "rec.npy", "out.npy")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    np.save(tmp_path / "rec.npy", X)
    np.save(tmp_path / "sos.npy", SOS)
    np.save(tmp_path / "taps.npy", np.ones(5) / 5)
    scipy.io.wavfile.write(tmp_path / "rec.wav", FS, X)
    return tmp_path


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    return bool(np.linalg.norm(found - expected) <= 3e-7 * np.linalg.norm(expected))


# The option --band LO [HI]


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        ("in out --band 300 6000", "in out --band=300,6000"),
        ("in out --band 300 --fs 1", "in out --band=300 --fs 1"),
        ("--band 300 6000 in out", "--band=300,6000 in out"),
        ("--band 300 in out", "--band=300 in out"),
        ("in --band 3e2 .6e4 out", "in --band=3e2,.6e4 out"),
        ("--band 300 ./6000 out", "--band=300 ./6000 out"),
        ("--band=300 6000 in", "--band=300,6000 in"),
        ("--band 300,6000 7 out", "--band=300,6000 7 out"),
        ("--band -300 6000 in", "--band=-300,6000 in"),
        ("--band 300 -6000 in", "--band=300,-6000 in"),
        ("--band nan 6000", "--band=nan,6000"),
        ("--band --btype lowpass", "--band --btype lowpass"),
        ("in out --band", "in out --band"),
        ("in -- --band 3 4", "in -- --band 3 4"),
    ],
)
def test_the_edges_are_found_wherever_the_option_stands(words: str, joined: str) -> None:
    assert join_band(words.split()) == joined.split()


@pytest.mark.parametrize(
    "text", ["-300", "300,-6000", "0", "0,5", "nan", "inf", "1e999", "300,", "a", "6000,300", "1,2,3"]
)
def test_what_is_no_band_is_refused_with_what_to_type(text: str) -> None:
    with pytest.raises(ValueError, match="--band 300"):
        read_band(text)


def test_the_default_passes_what_lies_between_two_edges() -> None:
    assert pass_type(None, (300.0, 6000.0)) == "bandpass"
    assert pass_type("bandstop", (300.0, 6000.0)) == "bandstop"
    assert pass_type("highpass", (300.0,)) == "highpass"


MISUSED: list[tuple[tuple[str, ...], str]] = [
    ((), "say which filter: --taps TAPS.npy, --sos SOS.npy, or --butter ORDER --band LO HI"),
    (("--taps", "taps.npy", "--sos", "sos.npy"), "--taps and --sos are 2 filters: give one of them"),
    (("--taps", "taps.npy", "--butter", "4", "--band", "300"), "--taps and --butter are 2 filters"),
    (("--butter", "4"), "--butter 4 needs its edges: --band LO HI"),
    (("--butter", "0", "--band", "300", "600"), "0 is not in the range"),
    (("--butter", "4", "--band", "300"), "--band 300 --btype lowpass or --btype highpass"),
    (("--butter", "4", "--band", "300", "--btype", "bandstop"), "one edge, and bandstop takes two"),
    (("--butter", "4", "--band", "300", "600", "--btype", "lowpass"), "--band 600 --btype lowpass, or --band 300 600"),
    (("--butter", "4", "--band", "300", "600", "--btype", "highpass"), "--band 300 --btype highpass, or"),
    (("--butter", "4", "--band", "-300", "600"), "an edge lies above 0 Hz"),
    (("--butter", "4", "--band", "600", "300"), "write the lower edge first"),
    (("--butter", "4", "--band", "low"), "'low' is no number of hertz"),
    (("--sos", "sos.npy", "--band", "300", "600"), "--band goes with --butter ORDER"),
    (("--taps", "taps.npy", "--btype", "lowpass"), "--btype goes with --butter ORDER"),
    (("--sos", "sos.npy", "--mode", "same"), "--mode goes with --taps"),
    (("--taps", "taps.npy", "--zero-phase"), "--zero-phase goes with --sos and --butter"),
]


def test_filters_that_do_not_go_together_are_exit_code_2_and_what_to_type(place: Path) -> None:
    before = sorted(path.name for path in place.iterdir())
    for done, (_, words) in zip(run_all([(*RUN, *words) for words, _ in MISUSED], place), MISUSED, strict=True):
        assert (done.returncode, done.stdout) == (2, ""), done
        assert "Usage: " in done.stderr
        assert words in " ".join(done.stderr.split()), done.stderr
    assert sorted(path.name for path in place.iterdir()) == before


# Sections and designs


def test_butter_gives_the_answer_of_sosfilt_wherever_the_band_stands(place: Path) -> None:
    band = ("--butter", "3", "--band", "300", "2000")
    rows = [(*band, "rec.npy", "0.npy"), ("rec.npy", *band, "1.npy"), ("rec.npy", "2.npy", *band)]
    for number, done in enumerate(run_all([("signal", "filter", "--fs", str(FS), *row) for row in rows], place)):
        assert done.returncode == 0, done
        found = np.load(place / f"{number}.npy")
        assert found.dtype == np.float32
        assert close(found, scipy.signal.sosfilt(SOS, X.astype(np.float64), axis=0))


def test_sections_from_a_file_are_those_of_the_design(place: Path) -> None:
    rows = [
        (*RUN, "--sos", "sos.npy"),
        ("signal", "filter", "rec.wav", "two.npy", "--butter", "3", "--band", "300", "2000"),
    ]
    assert [done.returncode for done in run_all(rows, place)] == [0, 0]
    assert (place / "out.npy").read_bytes() == (place / "two.npy").read_bytes()


def test_each_type_passes_what_it_says(place: Path) -> None:
    types: dict[str, list[float]] = {"lowpass": [500], "highpass": [500], "bandstop": [40, 60]}
    rows = [
        ("signal", "filter", "rec.wav", f"{btype}.npy", "--butter", "2", "--btype", btype, "--band", *map(str, band))
        for btype, band in types.items()
    ]
    for done, (btype, band) in zip(run_all(rows, place), types.items(), strict=True):
        assert done.returncode == 0, done
        sos = scipy.signal.butter(2, band if len(band) == 2 else band[0], btype, fs=FS, output="sos")
        assert close(np.load(place / f"{btype}.npy"), scipy.signal.sosfilt(sos, X.astype(np.float64), axis=0))


def test_zero_phase_gives_the_answer_of_sosfiltfilt(place: Path) -> None:
    filters = [("--sos", "sos.npy"), ("--butter", "3", "--band", "300", "2000")]
    rows = [("signal", "filter", "rec.wav", f"{n}.npy", *words, "--zero-phase") for n, words in enumerate(filters)]
    for number, done in enumerate(run_all(rows, place)):
        assert done.returncode == 0, done
        assert close(np.load(place / f"{number}.npy"), scipy.signal.sosfiltfilt(SOS, X.astype(np.float64), axis=0))


def test_a_design_that_cannot_be_is_one_message_and_exit_code_1(place: Path) -> None:
    rows = [
        (*RUN, "--butter", "4", "--band", "300", "6000"),
        (*RUN, "--butter", "4", "--band", "300", "6000", "--fs", "10000"),
        ("signal", "filter", "rec.wav", "out.npy", "--butter", "4", "--band", "300", "6000"),
    ]
    none, *beyond = run_all(rows, place)
    assert (none.returncode, len(none.stderr.splitlines())) == (1, 1)
    assert "the recording has no rate: give fs= (--fs)" in none.stderr
    for done in beyond:
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
        assert "band 300 to 6000 Hz reaches beyond half of fs=10000 Hz" in done.stderr
    assert not (place / "out.npy").exists()


def test_sections_that_are_none_are_refused(place: Path) -> None:
    np.save(place / "flat.npy", SOS.ravel())
    np.save(place / "none.npy", SOS[:0])
    np.save(place / "complex.npy", SOS + 0j)
    rows = [(*RUN, "--sos", name) for name in ("flat.npy", "none.npy", "complex.npy", "rec.npy", "missing.npy")]
    for done in run_all(rows, place):
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done
        assert "numpy.save('sos.npy', sos)" in done.stderr


def test_scipy_stays_out_of_a_run_that_designs(place: Path) -> None:
    code = (
        "import sys; from headrace.cli import main\n"
        f"main({[*RUN, '--butter', '3', '--band', '300', '2000', '--fs', '10000']!r})\n"
        "print('scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


# WAV


def test_wav_goes_in_and_out(place: Path) -> None:
    succeed("signal", "convert", "rec.wav", "part.wav", "--channels", "0,2", "--start", "1s", cwd=place)
    rate, found = scipy.io.wavfile.read(place / "part.wav")
    assert rate == FS
    assert np.array_equal(found, X[FS:, [0, 2]])
    succeed("signal", "filter", "rec.wav", "out.wav", "--taps", "taps.npy", cwd=place)
    rate, found = scipy.io.wavfile.read(place / "out.wav")
    expected = scipy.signal.oaconvolve(X.astype(np.float64), np.ones((5, 1)) / 5, mode="same", axes=0)
    assert (rate, found.dtype) == (FS, np.float32)
    assert close(found, expected)


def test_a_design_is_reported_and_not_made_for_an_output_that_is_taken(place: Path) -> None:
    words = ("signal", "filter", "rec.wav", "out.npy", "--butter", "3", "--band", "300")
    done = succeed(*words, "2000", "--json", cwd=place)
    assert json.loads(done.stdout)["stage_seconds"]["design"] > 0.1
    done = succeed(*words, "2000", "--force", cwd=place)
    assert "s before to design the filter" in done.stderr
    done = headrace(*words, "9000", cwd=place)  # no band of this rate
    assert "out.npy exists" in done.stderr


def test_a_wav_file_is_described_and_one_by_another_name_is_called_what_it_is(place: Path) -> None:
    (place / "rec.wav").with_name("rec.dat").write_bytes((place / "rec.wav").read_bytes())
    lines = succeed("info", "rec.wav", "rec.dat", "--json", cwd=place).stdout.splitlines()
    wav, other = map(json.loads, lines)
    assert (wav["kind"], wav["shape"], wav["dtype"], wav["fs"]) == ("recording", [20_000, 3], "int16", FS)
    assert other["kind"] == "known"
    assert "name ends in .wav" in other["summary"]


def test_a_wav_output_without_a_rate_is_refused_and_nothing_is_left(place: Path) -> None:
    done = headrace("signal", "convert", "rec.npy", "out.wav", cwd=place)
    assert done.returncode == 1
    assert "out.wav: a .wav file states its rate, and this stream has none: give fs= (--fs)" in done.stderr
    assert len(list(place.iterdir())) == 4
