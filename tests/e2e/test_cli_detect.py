"""`headrace signal detect`, in a fresh process in which warnings are errors."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import headrace

from headrace import signals


def detect(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return headrace("signal", "detect", *words, cwd=cwd)


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    x = rng.standard_normal((30_000, 2))
    x[9_990:10_020, 0] += 30
    x[20_000:20_005, 1] -= 30
    np.save(tmp_path / "x.npy", x)
    return tmp_path


def test_the_table_is_that_of_the_flow(folder: Path) -> None:
    rule = ("--threshold", 8, "--block", 10_000, "--merge-gap", 3, "--min-length", 2, "--noise", "std", "--fs", 1000)
    done = detect("x.npy", "events.npy", *rule, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = np.load(folder / "events.npy")
    with signals.open(folder / "x.npy", fs=1000) as rec:
        flow = rec.detect(signals.Threshold(8, block=10_000, merge_gap=3, min_length=2, noise="std"))
        assert found.tobytes() == flow.to_array().tobytes()
    assert found[["start", "end", "channel"]].tolist() == [(9_990, 10_020, 0), (20_000, 20_005, 1)]
    assert json.loads(done.stdout)["n_samples"] == 30_000


def test_csv_has_a_line_for_each_event(folder: Path) -> None:
    done = detect("x.npy", "events.csv", "--threshold", 8, "--polarity", "neg", "--window", 2001, cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = (folder / "events.csv").read_text().splitlines()
    assert lines[0].split(",")[:3] == ["start", "end", "channel"]
    assert [line.split(",")[:3] for line in lines[1:]] == [["20000", "20005", "1"]]


def test_what_cannot_be_meant_is_refused(folder: Path) -> None:
    done = detect("x.npy", "events.npy", "--threshold", 3, "--block", 5, "--window", 5, cwd=folder)
    assert (done.returncode, "not both" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
    done = detect("x.npy", "events.npy", cwd=folder)
    assert (done.returncode, "--threshold" in done.stderr) == (2, True)
    assert not (folder / "events.npy").exists()


def test_a_nan_is_named_and_may_be_a_gap(folder: Path) -> None:
    x = np.load(folder / "x.npy")
    x[77, 1] = np.nan
    np.save(folder / "x.npy", x)
    done = detect("x.npy", "events.npy", "--threshold", 8, cwd=folder)
    assert (done.returncode, "sample 77 of channel 1 is NaN" in done.stderr) == (1, True)
    done = detect("x.npy", "events.npy", "--threshold", 8, "--nan", "gap", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert len(np.load(folder / "events.npy")) >= 2
