"""`--resume` on the commands of `headrace signal` that write a file, each in a fresh process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from command_line import HEADRACE, environment, headrace, succeed

if TYPE_CHECKING:
    from pathlib import Path

N = 6_000_000
X = np.tile(np.random.default_rng(7).integers(-3000, 3000, 1_000_003, np.int16), 6)[:N]
EAGER = "from headrace.core import run_journal\nrun_journal._EVERY_S = run_journal._COST = 0\n"
"""Put on the path as sitecustomize: a record after each chunk, not twice a second."""
RAW = ("--dtype", "int16", "--fs", "30000")
LONG = ("signal", "filter", "long.bin", "out.npy", "--taps", "taps.npy", *RAW)
JOBS = {
    "filter": LONG,
    "zero-phase": ("signal", "filter", "long.bin", "out.npy", "--sos", "sos.npy", "--zero-phase", *RAW),
    "fft": ("signal", "fft", "long.bin", "out.npy", *RAW),
    "detect": ("signal", "detect", "long.bin", "out.npy", "--threshold", "2", "--block", "100000", *RAW),
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    X.tofile(tmp_path / "long.bin")
    np.save(tmp_path / "taps.npy", np.ones(16001))
    np.save(tmp_path / "sos.npy", np.array([[1.0, 0, 0, 1, -0.5, 0]] * 4))
    return tmp_path


START = 24  # bytes that a journal begins with, before the header


def journal_bytes(place: Path) -> int:
    return sum(path.stat().st_size for path in place.glob(".out.npy.*.journal"))


def interrupted(place: Path, job: tuple[str, ...], sent: signal.Signals) -> str:
    """Run a job until its journal has taken a record beside its header, then send a signal; give its words."""
    (place / "eager").mkdir(exist_ok=True)
    (place / "eager" / "sitecustomize.py").write_text(EAGER)
    paths = os.pathsep.join([str(place / "eager"), *filter(None, [os.environ.get("PYTHONPATH")])])
    child = subprocess.Popen(
        [*HEADRACE, *job, "--resume", "--memory", "16MB", "--threads", "1"],
        cwd=place, env=environment() | {"PYTHONPATH": paths}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    header = 0
    while not header or journal_bytes(place) == header:
        header = header or (journal_bytes(place) if journal_bytes(place) > START else 0)
        assert child.poll() is None, child.communicate()  # or it was done before it kept anything
        time.sleep(0.001)
    child.send_signal(sent)
    _, err = child.communicate(timeout=30)
    assert child.returncode == (-sent if sent is signal.SIGKILL else 128 + sent), err
    return err


@pytest.mark.parametrize("name", JOBS)
def test_a_killed_command_given_again_goes_on_to_the_same_bytes(place: Path, name: str) -> None:
    job = JOBS[name]
    interrupted(place, job, signal.SIGKILL)
    assert not (place / "out.npy").exists()
    done = succeed(*job, "--resume", "--memory", "64MB", "--json", cwd=place)
    report = json.loads(done.stdout)
    assert report["n_samples"] >= N // 2
    assert 0 <= report["n_resumed"] < report["n_samples"]
    whole = list(job)
    whole[3] = "whole.npy"
    succeed(*whole, cwd=place)
    assert (place / "out.npy").read_bytes() == (place / "whole.npy").read_bytes()
    assert list(place.glob(".*")) == []


def test_ctrl_c_says_how_to_go_on_and_another_job_is_refused_in_one_line(place: Path) -> None:
    said = interrupted(place, LONG, signal.SIGINT)
    assert said.splitlines() == [
        "headrace: interrupted",
        "  what was done so far is kept: run the same again with resume=True (--resume) to go on",
    ]
    (part,) = place.glob(".out.npy.*.part")
    assert "the same command with --resume" in succeed("info", part.name, cwd=place).stdout
    refused = headrace(*LONG, "--out-dtype", "int16", "--resume", cwd=place)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert "of another job: out_dtype float32 then, int16 now" in refused.stderr
    succeed(*LONG, "--out-dtype", "int16", cwd=place)  # without --resume: afresh
    assert list(place.glob(".*")) == []


def test_a_batch_leaves_alone_what_is_there_and_counts_it(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        np.save(tmp_path / f"{name}.npy", np.arange(9.0))
    (tmp_path / "bad.npy").write_bytes(b"nothing")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.npy").write_bytes(b"mine")
    done = headrace("signal", "convert", "*.npy", "out", "--resume", cwd=tmp_path)
    assert done.returncode == 3
    assert "out: 2 and 1 done before of 4 files" in done.stderr
    assert "1 failed" in done.stderr
    assert (tmp_path / "out" / "b.npy").read_bytes() == b"mine"
    again = headrace("signal", "convert", "*.npy", "out", "--resume", "--json", cwd=tmp_path)
    summary = json.loads(again.stdout)
    assert again.returncode == 3
    assert (summary["files"], summary["done_before"]) == ([], ["a.npy", "b.npy", "c.npy"])
    succeed("signal", "convert", "a.npy", "b.npy", "out/", "--resume", "--force", cwd=tmp_path)
    assert np.load(tmp_path / "out" / "b.npy").tolist() == list(range(9))


def test_an_output_that_is_there_is_refused_with_resume_too(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(9.0))
    succeed("signal", "convert", "a.npy", "b.npy", "--resume", cwd=tmp_path)
    refused = headrace("signal", "convert", "a.npy", "b.npy", "--resume", cwd=tmp_path)
    assert refused.returncode == 1
    assert "--force" in refused.stderr
