"""`headrace signal filter` and `headrace signal convert`, each in a fresh process in which warnings are errors."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
from command_line import HEADRACE, headrace, on_a_terminal, run_all, succeed

from headrace import signals

REPORT_KEYS = {"n_samples", "seconds", "mb_per_s", "cpu_seconds", "peak_rss_bytes", "bottleneck", "output"}
RNG = np.random.default_rng(7)
TAPS = RNG.standard_normal(65)
X = RNG.integers(-3000, 3000, (50_000, 6), np.int16)
RAW = ("--dtype", "int16", "--n-channels", "6")


def assert_refused(done: subprocess.CompletedProcess[str], *expected: str, code: int = 1) -> None:
    """One message, no traceback, and the words that help."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "bug in headrace" not in done.stderr
    assert done.stderr.count("rror: ") == 1
    for words in expected:
        assert words in done.stderr
    if code == 1:
        assert len(done.stderr.splitlines()) == 1


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    X.tofile(tmp_path / "rec.bin")
    np.save(tmp_path / "rec.npy", X)
    np.save(tmp_path / "taps.npy", TAPS)
    return tmp_path


# What it does


@pytest.mark.parametrize("mode", ["same", "full", "valid"])
def test_filter_gives_the_answer_of_oaconvolve(place: Path, mode: str) -> None:
    done = succeed("signal", "filter", "rec.bin", "out.npy", "--taps", "taps.npy", "--mode", mode, *RAW, cwd=place)
    expected = scipy.signal.oaconvolve(X.astype(np.float64), TAPS[:, None], mode=mode, axes=0)
    found = np.load(place / "out.npy")
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert np.linalg.norm(found - expected) <= 3e-7 * np.linalg.norm(expected)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"out.npy: {len(expected):,} samples in ")


def test_the_bytes_are_those_of_the_python_api_whatever_the_budget_and_threads(place: Path) -> None:
    with signals.open(place / "rec.npy", fs=1000.0) as rec:
        rec[:, [0, 3, 4, 5]][1000:40_000].pipe(signals.Fir(TAPS)).to_file(place / "api.npy", out_dtype="int16")
    chosen = ("--fs", 1000, "--channels", "0,3-5", "--start", "1s", "--stop", "40000", "--out-dtype", "int16")
    for number, how in enumerate(
        [(), ("--memory", "2MB"), ("--threads", 1), ("--executor", "serial", "--durable"), ("--memory", "3MiB")]
    ):
        succeed("signal", "filter", "rec.npy", f"{number}.npy", "--taps", "taps.npy", *chosen, *how, cwd=place)
        assert (place / f"{number}.npy").read_bytes() == (place / "api.npy").read_bytes(), how


def test_convert_copies_raw_to_npy_and_back(place: Path) -> None:
    succeed("signal", "convert", "rec.bin", "copy.npy", *RAW, cwd=place)
    assert (np.load(place / "copy.npy") == X).all()
    succeed("signal", "convert", "copy.npy", "copy.raw", cwd=place)
    assert (place / "copy.raw").read_bytes() == X.tobytes()


OPTIONS: list[tuple[tuple[str, ...], np.ndarray]] = [
    (("--channels", "2"), X[:, 2]),
    (("--channels", "0,3-5"), X[:, [0, 3, 4, 5]]),
    (("--channels", "5,0"), X[:, [5, 0]]),
    (("--channels", "2,"), X[:, [2]]),
    (("--start", "10", "--stop", "-10"), X[10:-10]),
    (("--fs", "2000", "--start", "250ms", "--stop", "2s"), X[500:4000]),
    (("--scale", "0.5", "--value-offset", "-1"), (X * 0.5 - 1).astype(np.float32)),
    (("--scale", "1,2,3,4,5,6"), (X * np.arange(1, 7.0)).astype(np.float32)),
    (("--header-bytes", "12"), X[1:]),
    (("--out-dtype", "float64"), X.astype(np.float64)),
    (("--out-dtype", "int8"), np.clip(X, -128, 127).astype(np.int8)),
    (("--tmp", "."), X),
    (("--no-progress",), X),
]


def test_each_option_means_what_it_says(place: Path) -> None:
    jobs = [("signal", "convert", "rec.bin", f"{n}.npy", *RAW, *words) for n, (words, _) in enumerate(OPTIONS)]
    for number, done in enumerate(run_all(jobs, place)):
        assert done.returncode == 0, done
        found, expected = np.load(place / f"{number}.npy"), OPTIONS[number][1]
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), done.args
        assert (found == expected).all(), done.args


def test_json_is_one_object_with_the_whole_report(place: Path) -> None:
    done = succeed("signal", "filter", "rec.npy", "out.npy", "--taps", "taps.npy", "--json", cwd=place)
    report = json.loads(done.stdout)
    assert len(done.stdout.splitlines()) == 1
    assert set(report) >= REPORT_KEYS
    assert set(report["peak_rss_bytes"]) == {"total", "anon", "file"}
    assert report["n_samples"] == len(X)
    assert report["output"] == "out.npy"
    assert report["clipped"] == 0
    assert done.stderr == ""


def test_clipped_values_are_counted(place: Path) -> None:
    done = succeed("signal", "convert", "rec.npy", "out.npy", "--out-dtype", "int8", "--json", cwd=place)
    assert json.loads(done.stdout)["clipped"] == int(((X < -128) | (X > 127)).sum())


@pytest.mark.parametrize(("job", "most"), [(("convert",), 48e6), (("filter", "--taps", "taps.npy"), 96e6)])
def test_peak_memory_is_what_is_promised(place: Path, job: tuple[str, ...], most: float) -> None:
    name, *options = job
    with (place / "long.bin").open("wb") as file:
        file.truncate(100_000_000)
    done = succeed("signal", name, "long.bin", "out.npy", *RAW[:2], *options, "--json", cwd=place)
    assert json.loads(done.stdout)["peak_rss_bytes"]["total"] <= most


# Several files


def test_concat_takes_a_pattern_as_one_recording(place: Path) -> None:
    for number, part in enumerate(np.array_split(X, 3)):
        np.save(place / f"part-{number}.npy", part)
    succeed("signal", "filter", "part-*.npy", "whole.npy", "--taps", "taps.npy", "--concat", cwd=place)
    succeed("signal", "filter", "rec.npy", "single.npy", "--taps", "taps.npy", cwd=place)
    assert (place / "whole.npy").read_bytes() == (place / "single.npy").read_bytes()


def test_a_batch_writes_one_output_for_each_input(place: Path) -> None:
    (place / "in").mkdir()
    parts = np.array_split(X, 3)
    for number, part in enumerate(parts):
        part.tofile(place / "in" / f"day-{number}.bin")
    done = succeed("signal", "convert", "in/day-*.bin", "new/out", *RAW, "--json", cwd=place)
    assert sorted(path.name for path in (place / "new" / "out").iterdir()) == ["day-0.npy", "day-1.npy", "day-2.npy"]
    for number, part in enumerate(parts):
        assert (np.load(place / "new" / "out" / f"day-{number}.npy") == part).all()
    report = json.loads(done.stdout)
    assert set(report) >= REPORT_KEYS | {"files", "failures"}
    assert report["n_samples"] == len(X)
    assert [row["input"] for row in report["files"]] == [f"in/day-{number}.bin" for number in range(3)]
    assert report["failures"] == []


def test_a_pattern_that_the_shell_has_expanded_is_a_batch_too(place: Path) -> None:
    done = succeed("signal", "convert", "rec.npy", "taps.npy", "out/", cwd=place)
    assert sorted(contents(place / "out")) == ["rec.npy", "taps.npy"]
    assert done.stderr.startswith("out: 2 of 2 files, ")


def test_what_fails_in_a_batch_is_summed_up_and_the_rest_is_done(place: Path) -> None:
    (place / "cut.npy").write_bytes((place / "rec.npy").read_bytes()[:-1])
    (place / "empty.npy").touch()
    done = headrace("signal", "convert", "*.npy", "out", cwd=place)
    assert done.returncode == 3
    assert sorted(contents(place / "out")) == ["rec.npy", "taps.npy"]
    assert "2 of 4 files" in done.stderr
    assert "error: 2 failed:" in done.stderr
    assert "\n  cut.npy " in done.stderr
    assert "\n  empty.npy is empty" in done.stderr
    assert "Traceback" not in done.stderr
    again = headrace("signal", "convert", "*.npy", "out", "--json", cwd=place)
    assert again.returncode == 1  # the good ones are there by now, and are not replaced without --force
    failures = json.loads(again.stdout)["failures"]
    assert [row["error"] for row in failures] == ["FormatError", "FormatError", "OutputExists", "OutputExists"]
    assert again.stderr.splitlines()[-1] == "  2 outputs exist, out/rec.npy the first of them: --force replaces them"


def test_the_one_report_of_a_batch_is_the_sum_of_its_files(place: Path) -> None:
    np.save(place / "loud.npy", np.full((1000, 6), 30_000, np.int16))
    words = ("signal", "convert", "rec.npy", "loud.npy", "out/", "--scale", "1.5", "--out-dtype", "int16")
    report = json.loads(succeed(*words, "--json", cwd=place).stdout)
    first, second = report["files"]
    for name in ("n_samples", "bytes_in", "bytes_out", "clipped"):
        assert report[name] == first[name] + second[name] > 0
    assert report["seconds"] >= first["seconds"] + second["seconds"]
    assert report["output"] == "out"
    assert set(report) == set(first) - {"input"} | {"files", "failures"}
    said = succeed(*words, "--force", cwd=place).stderr
    assert re.fullmatch(r"out: 2 of 2 files, 51,000 samples in .* CPU s, peak .*, 6,000 values clipped\n", said)


def test_of_a_batch_that_fails_whole_no_speed_is_told(place: Path) -> None:
    (place / "a.npy").touch()
    done = headrace("signal", "convert", "a.npy", "gone.npy", "out/", cwd=place)
    assert done.returncode == 1
    lines = ["out: 0 of 2 files", "headrace: error: 2 failed:", "  a.npy is empty: 0 bytes",
             "  gone.npy: No such file or directory"]  # fmt: skip
    assert done.stderr.splitlines() == lines
    report = json.loads(headrace("signal", "convert", "a.npy", "gone.npy", "out/", "--json", cwd=place).stdout)
    assert (report["n_samples"], report["files"], len(report["failures"])) == (0, [], 2)


def test_a_pattern_that_stands_for_one_file_is_a_batch_too(place: Path) -> None:
    succeed("signal", "convert", "re*.npy", "new", cwd=place)
    assert (np.load(place / "new" / "rec.npy") == X).all()
    succeed("signal", "convert", "re*.npy", "one.npy", cwd=place)
    assert (np.load(place / "one.npy") == X).all()
    (place / "odd[1].npy").write_bytes((place / "rec.npy").read_bytes())
    succeed("signal", "convert", "odd[1].npy", "raw", cwd=place)
    assert (place / "raw").read_bytes() == X.tobytes()


def test_a_batch_shows_one_bar_which_says_what_failed_and_a_missing_file_does_not_stop_it(place: Path) -> None:
    for name in ("b", "c", "d"):
        with (place / f"{name}.bin").open("wb") as file:
            file.truncate(40_000_000)
    (place / "a.bin").touch()
    np.save(place / "taps.npy", np.ones(4097))
    words = ("signal", "filter", "a.bin", "b.bin", "gone.bin", "c.bin", "d.bin", "out/")
    code, seen = on_a_terminal(*words, "--dtype", "int8", "--taps", "taps.npy", "--threads", "1", cwd=place)
    assert code == 3
    assert "5 of 5: d.bin, 2 failed" in seen
    assert "/120.0 MB" in seen
    assert "gone.bin: No such file or directory" in seen
    assert sorted(contents(place / "out")) == ["b.npy", "c.npy", "d.npy"]


def test_a_batch_says_of_the_largest_files_what_temporary_files_take(place: Path) -> None:
    for name, count in (("a", 2**17), ("b", 2**17), ("c", 10_000), ("d", 2**18)):
        np.save(place / f"{name}.npy", np.ones(count, np.float32))
    done = succeed("signal", "fft", "[a-d].npy", "out/", cwd=place)
    first, second, last = done.stderr.splitlines()
    assert re.fullmatch("out/a.npy: takes .* of temporary files in .*", first)
    assert re.fullmatch("out/d.npy: takes .* of temporary files in .*", second)
    assert last.startswith("out: 4 of 4 files, ")


def test_ctrl_c_ends_a_batch_and_says_what_was_done(place: Path) -> None:
    for name in ("y.bin", "z.bin"):
        with (place / name).open("wb") as file:
            file.truncate(300_000_000)
    np.save(place / "taps.npy", np.ones(4097))
    job = ["signal", "filter", "rec.bin", "y.bin", "z.bin", "out/", "--dtype", "int16", "--taps", "taps.npy", "--json"]
    child = subprocess.Popen([*HEADRACE, *job], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(place.glob("out/.y.npy.*.part")):
        assert child.poll() is None, child.communicate()
        time.sleep(0.001)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (130, "")
    assert err.startswith("out: 1 of 3 files, 300,000 samples in ")
    assert err.endswith("\nheadrace: interrupted\n")
    assert sorted(contents(place / "out")) == ["rec.npy"]


def test_two_inputs_never_share_an_output(place: Path) -> None:
    done = headrace("signal", "convert", "rec.*", "out", *RAW, cwd=place)
    assert_refused(done, "rec.bin and rec.npy would all be written to out/rec.npy")
    assert not (place / "out").exists()


def test_a_batch_needs_a_folder(place: Path) -> None:
    assert_refused(headrace("signal", "convert", "rec.npy", "taps.npy", "rec.bin", cwd=place), "name a folder")


# Bad input: a typed error, nothing lost, nothing left behind


def damage(name: str) -> Callable[[Path], None]:
    def header(data: bytes) -> Callable[[Path], None]:
        return lambda place: (place / "bad.npy").write_bytes(data) and None

    good = (np.lib.format.magic(1, 0) + (118).to_bytes(2, "little")).ljust(128) + b"x" * 80
    return {
        "empty": header(b""),
        "header": header(good),
        "magic": header(b"PK" * 100),
        "objects": lambda place: np.save(place / "bad.npy", np.array([{}], object), allow_pickle=True),
        "cube": lambda place: np.save(place / "bad.npy", np.zeros((2, 3, 4))),
        "words": lambda place: np.save(place / "bad.npy", np.array(["a", "b"])),
        "folder": lambda place: (place / "bad.npy").mkdir(),
        "fifo": lambda place: os.mkfifo(place / "bad.npy"),
    }[name]


BAD_FILES = {
    "empty": "0 bytes",
    "header": "unreadable .npy header",
    "magic": "is not a .npy file",
    "objects": "Python objects, which are never loaded",
    "cube": "(2, 3, 4)",
    "words": "<U1",
    "folder": "folder",
    "fifo": "from_iter",
}


def test_a_bad_file_is_refused_as_input_and_as_taps(place: Path) -> None:
    rows = []
    for name in BAD_FILES:
        (place / name).mkdir()
        damage(name)(place / name)
        bad = f"{name}/bad.npy"
        rows.append(("signal", "filter", bad, f"{name}/out.npy", "--taps", "taps.npy"))
        rows.append(("signal", "filter", "rec.npy", f"{name}/out.npy", "--taps", bad))
    for done, words in zip(run_all(rows, place), np.repeat(list(BAD_FILES.values()), 2), strict=True):
        assert_refused(done, str(words))
    assert {path.name for name in BAD_FILES for path in (place / name).iterdir()} == {"bad.npy"}


REFUSED: list[tuple[tuple[str, ...], list[str]]] = [
    (("missing.npy", "out.npy"), ["missing.npy: No such file or directory"]),
    (("miss*.npy", "out.npy"), ["miss*.npy: nothing matches the pattern"]),
    (("rec.bin", "out.npy"), ["unknown suffix .bin", "--dtype int16"]),
    (("rec.bin", "out.npy", "--dtype", "int16", "--n-channels", "7"), ["whole frames", "check dtype"]),
    (("rec.bin", "out.npy", "--dtype", "int16", "--header-bytes", "999999"), ["no samples after"]),
    (("rec.npy", "out.npy", "--dtype", "int16"), ["header of a .npy file", "leave dtype= out", "--header-bytes"]),
    (("rec.npy", "out.h5"), ["unknown suffix .h5", ".npy", ".wav", ".bin"]),
    (("rec.npy", "out.npy", "--n-channels", "3"), ["(50000, 6)", "n_channels=3"]),
    (("rec.npy", "out.npy", "--channels", "9"), ["6"]),
    (("rec.npy", "out.npy", "--start", "1s"), ["--fs"]),
    (("rec.npy", "out.npy", "--scale", "1,2"), ["6"]),
    (("rec.npy", "rec.npy", "--force"), ["is the input"]),
    (("rec.npy", "link.npy", "--force"), ["is the input"]),
    (("rec.npy", "taps.npy"), ["taps.npy exists", "--force"]),
    (("rec.npy", "no/such/out.npy"), ["does not exist"]),
    (("rec.npy", "out.npy", "--out-dtype", "bool"), ["bool"]),
    (("rec.npy", "out.npy", "--executor", "abacus"), ["abacus"]),
    (("rec.npy", "out.npy", "--memory", "60B"), ["60 B"]),
]


def test_what_cannot_be_done_is_said_in_one_line_and_nothing_is_left(place: Path) -> None:
    (place / "link.npy").symlink_to("rec.npy")
    before = contents(place)
    outcomes = run_all([("signal", "convert", *words) for words, _ in REFUSED], place)
    for done, (_, expected) in zip(outcomes, REFUSED, strict=True):
        assert_refused(done, *expected)
    assert contents(place) == before


MISUSED: list[tuple[str, ...]] = [
    (),
    ("rec.npy",),
    ("rec.npy", "out.npy", "--memory", "lots"),
    ("rec.npy", "out.npy", "--threads", "0"),
    ("rec.npy", "out.npy", "--dtype", "int17"),
    ("rec.npy", "out.npy", "--out-dtype", "string"),
    ("rec.npy", "out.npy", "--channels", "3-0"),
    ("rec.npy", "out.npy", "--channels", "one"),
    ("rec.npy", "out.npy", "--fs", "-1"),
    ("rec.npy", "out.npy", "--scale", "big"),
    ("rec.npy", "out.npy", "--start", "soon"),
    ("rec.npy", "out.npy", "--tmp", "no/such/folder"),
    ("rec.npy", "out.npy", "--depth", "3"),
]


def test_a_misused_option_is_exit_code_2(place: Path) -> None:
    for done in run_all([("signal", "convert", *words) for words in MISUSED], place):
        assert_refused(done, "Usage: ", code=2)
    assert not (place / "out.npy").exists()


def test_a_forgotten_output_is_not_the_last_recording_of_a_pattern(place: Path) -> None:
    for name in ("a.bin", "b.bin", "c.bin"):
        X.tofile(place / name)
    before = contents(place)
    rows = [("a.bin", "b.bin", *RAW), ("a.bin", "b.bin", "c.bin", *RAW), ("a.bin", "b.bin", "c.bin", *RAW, "--concat")]
    for done, words in zip(run_all([("signal", "convert", *row) for row in rows], place), rows, strict=True):
        last = [word for word in words if word.endswith(".bin")][-1]
        assert_refused(done, f"{last} is taken as the OUTPUT: did you forget OUT?")
        assert "force" not in done.stderr
    assert contents(place) == before
    for done in run_all([("signal", noun, "rec.npy") for noun in ("convert", "filter", "detect", "plot")], place):
        assert_refused(done, "OUT is missing", code=2)


def test_taps_that_are_no_filter_are_refused(place: Path) -> None:
    bad = {"none": ([], "taps"), "nan": ([1.0, np.nan], "finite"), "rows": ([[1.0, 2.0]], "not one row of numbers")}
    for name, (taps, _) in bad.items():
        np.save(place / f"{name}.npy", np.array(taps, np.float64))
    rows = [("signal", "filter", "rec.npy", "out.npy", "--taps", f"{name}.npy") for name in bad]
    for done, (_, words) in zip(run_all(rows, place), bad.values(), strict=True):
        assert_refused(done, words)


def test_missing_taps_say_how_to_make_some(place: Path) -> None:
    done = headrace("signal", "filter", "rec.npy", "out.npy", "--taps", "none.npy", cwd=place)
    assert_refused(done, "none.npy: no such file, given as --taps; save the impulse response with numpy.save")


def test_force_replaces_an_existing_output(place: Path) -> None:
    (place / "out.npy").write_text("old")
    succeed("signal", "convert", "rec.npy", "out.npy", "--force", cwd=place)
    assert (np.load(place / "out.npy") == X).all()


def test_a_recording_shorter_than_the_taps_is_filtered_as_scipy_does(place: Path) -> None:
    short = X[:20].astype(np.float32)
    np.save(place / "short.npy", short)
    for mode in ("same", "full", "valid"):
        succeed("signal", "filter", "short.npy", f"{mode}.npy", "--taps", "taps.npy", "--mode", mode, cwd=place)
        expected = scipy.signal.oaconvolve(short.astype(np.float64), TAPS[:, None], mode=mode, axes=0)
        np.testing.assert_allclose(np.load(place / f"{mode}.npy"), expected, rtol=0, atol=1e-6 * abs(expected).max())


def test_nan_and_infinity_reach_what_they_reach_in_scipy_and_nothing_else(place: Path) -> None:
    x = X[:, 0].astype(np.float32)
    x[[777, 20_000]] = np.nan, np.inf
    np.save(place / "holes.npy", x)
    succeed("signal", "filter", "holes.npy", "out.npy", "--taps", "taps.npy", cwd=place)
    expected = scipy.signal.convolve(x.astype(np.float64), TAPS, "same", method="direct")
    np.testing.assert_allclose(np.load(place / "out.npy"), expected, rtol=1e-5, atol=1e-2)


def test_with_a_dtype_any_path_is_raw(place: Path) -> None:
    (place / "rec.bin").rename(place / "no suffix at all")
    succeed("signal", "convert", "no suffix at all", "out.npy", *RAW, cwd=place)
    assert (np.load(place / "out.npy") == X).all()


def test_a_budget_too_small_names_the_smallest_that_works(place: Path) -> None:
    job = ("signal", "filter", "rec.npy", "out.npy", "--taps", "taps.npy")
    done = headrace(*job, "--memory", "100kB", cwd=place)
    assert_refused(done, "100 kB")
    smallest = re.search(r"memory=(\d+|'[^']+')|(?:needs|least|smallest)[^0-9]*([\d.]+ ?[kMG]?B)", done.stderr)
    assert smallest is not None, done.stderr


def test_where_there_is_no_room_nothing_is_left(place: Path) -> None:
    before = contents(place)
    done = headrace(
        "signal", "convert", "rec.npy", "out.npy", "--out-dtype", "float64",
        cwd=place, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
    )  # fmt: skip
    assert_refused(done, "out.npy", "2.4 MB")
    assert contents(place) == before


# While it runs


def start_long_job(place: Path) -> subprocess.Popen[str]:
    """Start a job of a second or two, and return when it is writing its part file."""
    with (place / "long.bin").open("wb") as file:
        file.truncate(300_000_000)
    np.save(place / "taps.npy", np.ones(4097))
    job = ["signal", "filter", "long.bin", "out.npy", "--dtype", "int16", "--taps", "taps.npy", "--memory", "8MB"]
    child = subprocess.Popen([*HEADRACE, *job], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(place.glob(".out.npy.*.part")):
        assert child.poll() is None, child.communicate()
        time.sleep(0.001)
    return child


@pytest.mark.parametrize(
    ("sent", "turn"), [(signal.SIGINT, 0), (signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGTERM, 1)]
)
def test_a_signal_to_end_ends_the_run_and_leaves_no_part_file(place: Path, sent: signal.Signals, turn: int) -> None:
    child = start_long_job(place)
    time.sleep(0.03 * turn)  # another moment of the run each time; any of them will do
    child.send_signal(sent)
    out, err = child.communicate(timeout=30)
    said = "interrupted" if sent is signal.SIGINT else "terminated"
    assert (child.returncode, out, err) == (128 + sent, "", f"headrace: {said}\n")
    assert sorted(contents(place)) == ["long.bin", "rec.bin", "rec.npy", "taps.npy"]


@pytest.mark.parametrize("change", ["truncated", "grew", "rewritten"])
def test_a_source_that_changes_under_the_run_is_an_error(place: Path, change: str) -> None:
    child = start_long_job(place)
    with (place / "long.bin").open("r+b") as file:
        if change == "truncated":
            file.truncate(1000)
        elif change == "grew":
            file.truncate(400_000_000)
        else:
            file.seek(299_999_000)
            file.write(b"x")
    out, err = child.communicate(timeout=30)
    assert child.returncode == 1
    assert change in err
    assert "Traceback" not in err
    assert out == ""
    assert sorted(contents(place)) == ["long.bin", "rec.bin", "rec.npy", "taps.npy"]


def test_a_part_file_of_a_killed_run_is_swept_by_the_next(place: Path) -> None:
    child = start_long_job(place)
    child.kill()
    child.communicate(timeout=30)
    assert len(list(place.glob(".out.npy.*.part"))) == 1
    succeed("signal", "convert", "rec.npy", "out.npy", cwd=place)
    assert list(place.glob(".out.npy.*.part")) == []


def test_a_reader_that_has_gone_is_no_traceback(place: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*HEADRACE, "signal", "convert", "rec.npy", "out.npy", "--json"],
        cwd=place, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr == ""
    assert (np.load(place / "out.npy") == X).all()


@pytest.mark.parametrize(("options", "shown"), [((), True), (("--no-progress",), False)])
def test_the_bar_is_shown_to_a_terminal_and_only_there(place: Path, options: tuple[str, ...], shown: bool) -> None:
    with (place / "long.bin").open("wb") as file:
        file.truncate(70_000_000)
    np.save(place / "taps.npy", np.ones(4097))
    job = ["signal", "filter", "long.bin", "o.raw", "--dtype", "int8", "--taps", "taps.npy", "--threads", "1"]
    code, seen = on_a_terminal(*job, *options, cwd=place)
    assert (code, "%" in seen) == (0, shown)


# Help


@pytest.mark.parametrize("words", [("signal",), ("signal", "filter"), ("signal", "convert"), ("info",), ("demo",)])
def test_help_has_an_example(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = succeed(*words, "--help", cwd=tmp_path)
    assert f"  headrace {' '.join(words)}" in done.stdout.split("Examples:")[1]


def test_neither_rich_nor_scipy_nor_matplotlib_is_imported_for_a_run(place: Path) -> None:
    code = (
        "import sys; from headrace.cli import main\n"
        "main(['signal', 'filter', 'rec.npy', 'out.npy', '--taps', 'taps.npy'])\n"
        "print(sorted({'rich', 'scipy', 'matplotlib', 'multiprocessing', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_wav_file_of_24_bits_stays_one(tmp_path: Path) -> None:
    stored = np.random.default_rng(3).integers(-(2**23), 2**23, (700, 2)).astype(np.int32)
    with signals.from_array(stored, 44_100) as rec:
        rec.pipe().to_file(tmp_path / "in.wav", out_dtype="int24")
    same, loud, array = run_all(
        [
            ("signal", "convert", "in.wav", "same.wav", "--out-dtype", "int24"),
            ("signal", "convert", "in.wav", "loud.wav", "--out-dtype", "int24", "--scale", "2", "--json"),
            ("signal", "convert", "in.wav", "in.npy", "--out-dtype", "int24"),
        ],
        tmp_path,
    )
    for done in (same, loud, array):
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "same.wav").read_bytes() == (tmp_path / "in.wav").read_bytes()
    assert np.array_equal(np.load(tmp_path / "in.npy"), stored)
    clipped = np.clip(2 * stored.astype(np.int64), -(2**23), 2**23 - 1)
    assert json.loads(loud.stdout)["clipped"] == np.count_nonzero(clipped != 2 * stored)
    with signals.open(tmp_path / "loud.wav") as rec:
        assert np.array_equal(np.asarray(rec), clipped)


def test_an_order_that_is_too_high_and_a_signal_too_short_say_what_to_type(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(20))
    np.save(tmp_path / "a.npy", np.zeros(500))
    band = ("--band", "300", "6000", "--fs", "30000")
    high, short = run_all(
        [
            ("signal", "filter", "a.npy", "y.npy", "--butter", "400", *band),
            ("signal", "filter", "x.npy", "y.npy", "--butter", "4", *band, "--zero-phase"),
        ],
        tmp_path,
    )
    assert_refused(high, "the order 400 is too high for the band 300 to 6000 Hz", "take a lower order")
    assert_refused(short, "27 samples", "got 20", "leave out --zero-phase")


def test_resample_gives_the_answer_of_resample_poly_and_its_rate(place: Path) -> None:
    rates = ("--up", "3", "--down", "7")
    report = json.loads(succeed("signal", "resample", "rec.bin", "slow.npy", *rates, *RAW, "--json", cwd=place).stdout)
    expected = scipy.signal.resample_poly(X.astype(np.float64), 3, 7, axis=0)
    found = np.load(place / "slow.npy")
    assert report["n_samples"] == len(found) == len(expected)
    assert np.linalg.norm(found - expected) <= 3e-7 * np.linalg.norm(expected)
    succeed("signal", "resample", "rec.npy", "slow.wav", *rates, "--fs", "7000", "--out-dtype", "int16", cwd=place)
    with signals.open(place / "slow.wav") as slow:
        assert (slow.fs, slow.n_samples) == (3000, len(expected))
        assert np.array_equal(slow, np.rint(expected).astype(np.int16).astype(slow.dtype))


def test_a_rate_that_cannot_be_says_what_to_type(place: Path) -> None:
    refused = [
        (("--up", "0"), 2, "'--up': 0"),
        ((), 2, "give --up U, --down D or both"),
        (("--up", "4", "--down", "4"), 2, "give --up U, --down D or both"),
        (("--up", "100003", "--down", "99991"), 1, "at most 100,000 without common factors"),
    ]
    rows = [("signal", "resample", "rec.npy", "out.npy", *words) for words, *_ in refused]
    for done, (_, code, what) in zip(run_all(rows, place), refused, strict=True):
        assert_refused(done, what, code=code)
    assert not (place / "out.npy").exists()
