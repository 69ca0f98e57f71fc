"""`headrace info`, in fresh processes in which warnings are errors."""

import fcntl
import json
import os
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import headrace

X = np.arange(3000, dtype=np.int16).reshape(1000, 3)
PART = ".out.npy.0123456789ab.part"


def info(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return headrace("info", *words, cwd=cwd)


def facts(*words: str, cwd: Path) -> list[dict[str, Any]]:
    done = info(*words, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    np.save(tmp_path / "rec.npy", X)
    X.tofile(tmp_path / "rec.bin")
    return tmp_path


def test_a_recording_is_described_with_its_duration_and_its_first_second(place: Path) -> None:
    (npy,) = facts("rec.npy", "--fs", "500", cwd=place)
    assert npy["kind"] == "recording"
    assert (npy["shape"], npy["dtype"], npy["duration_s"]) == ([1000, 3], "int16", 2.0)
    assert npy["beginning"]["n_samples"] == 500
    assert (npy["beginning"]["min"], npy["beginning"]["max"]) == (0, 1499)
    assert npy["beginning"]["mean"] == pytest.approx(749.5, rel=1e-12)
    assert npy["beginning"]["std"] == pytest.approx(np.arange(1500).std(), rel=1e-12)
    done = info("rec.npy", "--fs", "500", cwd=place)
    assert "1,000 samples, 3 channels, int16" in done.stdout
    assert "2 s at 500 Hz" in done.stdout
    assert len(done.stdout.splitlines()) <= 6


def test_the_source_options_say_what_a_raw_file_is(place: Path) -> None:
    options = ("--dtype", "int16", "--n-channels", "3", "--channels", "0,2", "--start", "100", "--scale", "0.5")
    (raw,) = facts("rec.bin", *options, cwd=place)
    assert (raw["shape"], raw["dtype"], raw["fs"]) == ([900, 2], "float32", None)
    assert "give --fs" in info("rec.bin", *options, cwd=place).stdout


def test_a_raw_file_without_a_dtype_is_told_what_it_could_be(place: Path) -> None:
    (raw,) = facts("rec.bin", cwd=place)
    assert raw["kind"] == "raw"
    guesses = {(guess["dtype"], guess["n_channels"]): guess["n_samples"] for guess in raw["could_be"]}
    assert guesses["int16", 1] == 3000
    assert guesses["float32", 4] == 375
    assert ("int16", 64) not in guesses
    done = info("rec.bin", cwd=place)
    assert "headrace info rec.bin --dtype int16" in done.stdout
    assert "3,000" in done.stdout


def test_files_can_be_described_as_one_recording(place: Path) -> None:
    np.save(place / "rec2.npy", X)
    (whole,) = facts("rec*.npy", "--concat", cwd=place)
    assert whole["shape"] == [2000, 3]


def test_everything_else_is_called_what_it_is(place: Path) -> None:
    (place / "empty").touch()
    (place / "notes.txt").write_text("a, b\n1, 2\n")
    (place / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    (place / "odd.dat").write_bytes(bytes(range(128, 255)))
    np.save(place / "cube.npy", np.zeros((2, 3, 4)))
    os.mkfifo(place / "pipe")
    (place / "folder").mkdir()
    np.save(place / "folder" / "a.npy", X)
    (place / "folder" / PART).touch()
    names = ("empty", "notes.txt", "picture.png", "odd.dat", "cube.npy", "pipe", "folder")
    found = dict(zip(names, facts(*names, cwd=place), strict=True))
    kinds = {name: fact["kind"] for name, fact in found.items()}
    assert kinds == {
        "empty": "empty", "notes.txt": "text", "picture.png": "known", "odd.dat": "unknown", "cube.npy": "array",
        "pipe": "special", "folder": "folder",
    }  # fmt: skip
    assert found["picture.png"]["summary"] == "PNG image"
    assert found["cube.npy"]["shape"] == [2, 3, 4]
    assert {row["kind"]: row["count"] for row in found["folder"]["contents"]} == {".npy": 1, ".part": 1}
    assert found["folder"]["unfinished"] == [PART]
    done = info(*names, cwd=place)
    assert done.returncode == 0
    assert "an unknown kind of file" in done.stdout


def test_a_part_file_is_a_killed_run_or_a_live_one(place: Path) -> None:
    (place / PART).write_bytes(bytes(100))
    (orphan,) = facts(PART, cwd=place)
    assert (orphan["kind"], orphan["running"], orphan["output"]) == ("part", False, "out.npy")
    with (place / PART).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        (live,) = facts(PART, cwd=place)
    assert live["running"] is True
    assert (place / PART).exists()


def test_nan_and_complex_samples_are_described(place: Path) -> None:
    np.save(place / "nan.npy", np.array([np.nan, 1, 3, np.inf]))
    np.save(place / "all.npy", np.full(5, np.nan))
    np.save(place / "z.npy", np.array([3 + 4j, 0]))
    some, none, z = facts("nan.npy", "all.npy", "z.npy", cwd=place)
    assert (some["beginning"]["mean"], some["beginning"]["not_finite"]) == (2.0, 2)
    assert none["beginning"] == {"n_samples": 5, "not_finite": 5}
    assert z["beginning"]["max"] == 5.0
    assert "NaN" in info("all.npy", cwd=place).stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("missing.npy",), "missing.npy: No such file"),
        (("rec.bin", "--dtype", "int16", "--n-channels", "7"), "whole frames"),
        (("broken.npy",), "broken.npy"),
    ],
)
def test_what_cannot_be_described_is_one_message(place: Path, words: tuple[str, ...], expected: str) -> None:
    (place / "broken.npy").write_bytes((place / "rec.npy").read_bytes()[:200])
    done = info(*words, cwd=place)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("headrace: error: ")
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_one_missing_path_does_not_hide_the_others(place: Path) -> None:
    done = info("missing.npy", "rec.npy", cwd=place)
    assert done.returncode == 3
    assert "1,000 samples" in done.stdout
    assert "missing.npy: No such file" in done.stderr


def test_a_recording_of_20_gb_is_described_at_once(place: Path) -> None:
    with (place / "huge.bin").open("wb") as file:
        file.truncate(20_000_000_000)
    (huge,) = facts("huge.bin", "--dtype", "int16", "--n-channels", "16", "--fs", "30000", cwd=place)
    assert huge["n_samples"] == 625_000_000
    assert huge["beginning"]["max"] == 0


def test_the_first_second_of_many_channels_is_looked_at_in_pieces() -> None:
    from headrace import signals
    from headrace.cli._describe import _beginning

    rng = np.random.default_rng(2)
    x = rng.normal(1e6, 3, (9000, 384)).astype(np.float64)
    x[:400], x[5000, 7] = np.nan, np.inf
    tracemalloc.start()
    found = _beginning(signals.from_array(x))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is not None
    assert peak < 8e6
    seen = x[: found["n_samples"]]
    finite = seen[np.isfinite(seen)]
    assert found["not_finite"] == seen.size - finite.size
    assert (found["min"], found["max"]) == (finite.min(), finite.max())
    assert found["mean"] == pytest.approx(finite.mean(), rel=1e-14)
    assert found["std"] == pytest.approx(finite.std(), rel=1e-9)
