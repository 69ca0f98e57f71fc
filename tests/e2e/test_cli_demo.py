"""`headrace demo` at a tiny size, in fresh processes."""

import csv
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal

from headrace.cli._demo_data import BAND_HZ, FS, band_pass_taps

# Put on the path as sitecustomize: a machine that has neither scipy nor matplotlib.
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("scipy", "matplotlib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


def demo(
    *words: str, cwd: Path, path: Path | None = None, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    env = dict(os.environ)
    if path is not None:
        env["PYTHONPATH"] = os.pathsep.join([str(path), *filter(None, [env.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "headrace.cli", "demo", *words],
        capture_output=True, text=True, timeout=100, check=False, cwd=cwd, env=env, preexec_fn=before,
    )  # fmt: skip


def test_the_filter_of_the_demo_is_that_of_scipy() -> None:
    expected = scipy.signal.firwin(1023, BAND_HZ, pass_zero=False, fs=FS)
    np.testing.assert_allclose(band_pass_taps(), expected, rtol=0, atol=1e-15)


def test_the_demo_shows_a_table_and_leaves_a_picture(tmp_path: Path) -> None:
    done = demo("--size", "4MB", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for words in ("headrace", "plain NumPy/SciPy", "chunk loop by hand", "peak memory", "file-mapped"):
        assert words in done.stdout
    assert "found exactly once" in done.stdout
    assert max(map(len, done.stdout.replace(str(tmp_path), "").splitlines())) <= 100
    folder = tmp_path / "headrace-demo"
    assert {path.name for path in folder.iterdir()} == {
        "before-after.png", "events.csv", "made-by-headrace-demo.txt", "taps.npy", "truth.csv",
    }  # fmt: skip
    assert (folder / "before-after.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "before-after.png").stat().st_size > 50_000


def limit_memory() -> None:
    for limit in (resource.RLIMIT_DATA, resource.RLIMIT_AS):
        resource.setrlimit(limit, (2_000_000_000, 2_000_000_000))


def test_under_a_memory_limit_of_2_gb_json_gives_what_was_measured(tmp_path: Path) -> None:
    done = demo("--size", "4MB", "--json", "--keep", "--out", "here", cwd=tmp_path, before=limit_memory)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is True
    filtered = report["jobs"]["filter"]
    assert set(filtered["contenders"]) == {"headrace", "plain", "loop"}
    for contender in filtered["contenders"].values():
        assert contender["seconds"] > 0
        assert contender["total"] > contender["anon"] > 0
    assert filtered["contenders"]["headrace"]["relative"] <= 3e-7
    n = filtered["recording"]["n_samples"]
    assert (tmp_path / "here" / "recording.bin").stat().st_size == n * 32
    assert np.load(tmp_path / "here" / "filtered.npy", mmap_mode="r").shape == (n, 16)
    with (tmp_path / "here" / "truth.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == filtered["recording"]["events"] > 0
    assert list(rows[0]) == ["start", "end", "channel", "time_s", "amplitude_uv"]
    check_detection(report["jobs"]["detect"], len(rows))
    with (tmp_path / "here" / "events.csv").open() as file:
        assert list(next(csv.reader(file))) == ["start", "end", "channel", "amplitude", "peak", "time_s"]
    spectrum = report["jobs"]["spectrum"]
    assert set(spectrum["contenders"]) == {"headrace", "plain"}
    assert abs(spectrum["hum_hz"] - 50) <= 1 / 4
    assert spectrum["rel_error"] <= 3e-7
    assert report["jobs"]["picture"]["path"] == "here/before-after.png"


def check_detection(detect: dict[str, Any], planted: int) -> None:
    ours, loop = detect["contenders"]["headrace"], detect["contenders"]["loop"]
    assert ours["once"] == ours["planted"] == planted
    assert (ours["split"], ours["missed"], ours["false"], ours["longest_rows"]) == (0, 0, 0, 1)
    assert ours["across_once"] == ours["across"] > 5
    # the loop sees the same thresholds, so all it loses is what lies across its borders
    assert (loop["planted"], loop["missed"]) == (planted, 0)
    assert loop["split"] == loop["across"] == ours["across"]
    assert loop["longest_rows"] == 4
    for contender in (ours, loop):
        assert contender["seconds"] > 0
        assert contender["total"] > contender["anon"] > 0
        assert contender["why_part"] == ""


def test_without_scipy_and_matplotlib_it_says_what_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    done = demo("--size", "4MB", cwd=tmp_path, path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "No picture" in done.stdout
    assert "pip install 'headrace[plot]'" in done.stdout
    assert "Plain NumPy/SciPy is left out" in done.stdout
    assert "pip install 'headrace[signals]'" in " ".join(done.stdout.split())
    assert "Events found" in done.stdout  # with NumPy alone


def test_a_folder_of_the_users_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "recording.bin").write_text("precious")
    done = demo("--size", "4MB", "--out", "mine", cwd=tmp_path)
    assert done.returncode == 1
    assert "name another folder with --out" in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["recording.bin"]
    assert (tmp_path / "mine" / "recording.bin").read_text() == "precious"


def test_ctrl_c_ends_the_demo_and_removes_what_is_big(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "headrace.cli", "demo", "--size", "100MB", "--out", "here"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (tmp_path / "here" / "recording.bin").exists():
        assert child.poll() is None, child.communicate()
        time.sleep(0.001)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err) == (130, "", "headrace: interrupted\n")
    assert {path.name for path in (tmp_path / "here").iterdir()} <= {
        "made-by-headrace-demo.txt",
        "taps.npy",
        "truth.csv",
    }  # and no events yet
