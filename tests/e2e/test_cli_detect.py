"""`headrace signal detect`, in a fresh process in which warnings are errors."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import headrace, run_all

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
    rule = ("--threshold", 8, "--block", "10s", "--merge-gap", 3, "--min-length", 2, "--noise", "std", "--fs", 1000)
    done = detect("x.npy", "events.npy", *rule, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = np.load(folder / "events.npy")
    with signals.open(folder / "x.npy", fs=1000) as rec:
        flow = rec.detect(signals.Threshold(8, block=10_000, merge_gap=3, min_length=2, noise="std"))
        assert found.tobytes() == flow.to_array().tobytes()
    assert found[["start", "end", "channel"]].tolist() == [(9_990, 10_020, 0), (20_000, 20_005, 1)]
    report = json.loads(done.stdout)
    assert report["n_samples"] == 30_000
    assert "Threshold" in report["stage_seconds"]


def test_csv_has_a_line_for_each_event(folder: Path) -> None:
    done = detect("x.npy", "events.csv", "--threshold", 8, "--polarity", "neg", "--window", 2001, cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = (folder / "events.csv").read_text().splitlines()
    assert lines[0].split(",")[:3] == ["start", "end", "channel"]
    assert [line.split(",")[:3] for line in lines[1:]] == [["20000", "20005", "1"]]


REFUSED = [
    (("--threshold", "3", "--block", "5", "--window", "5"), "--block and --window"),
    (("--threshold", "nan"), "nan is no multiple of the noise"),
    (("--threshold", "-1"), "-1 is no multiple of the noise"),
    (("--threshold", "inf"), "inf is no multiple of the noise"),
    (("--threshold", "much"), "--threshold"),
    (("--threshold", "3", "--out-dtype", "int16"), "No such option"),
    (("--threshold", "3", "--format", "csv"), "--format is for a batch"),
    ((), "give --threshold K, or --template"),
    (("--template", "t.npy", "--threshold", "3", "--min-length", "2"), "leave out --threshold, --min-length"),
    (("--template", "t.npy"), "--template needs --correlation"),
    (("--template", "t.npy", "--correlation", "1.1"), "1.1 is no correlation"),
    (("--threshold", "3", "--correlation", "0.9"), "go with --template"),
    (("--threshold", "3", "--distance", "9"), "go with --template"),
]


def test_what_cannot_be_meant_is_a_usage_error(folder: Path) -> None:
    outcomes = run_all([("signal", "detect", "x.npy", "events.npy", *words) for words, _ in REFUSED], folder)
    for (words, expected), done in zip(REFUSED, outcomes, strict=True):
        assert (done.returncode, expected in done.stderr) == (2, True), (words, done.stderr)
    assert not (folder / "events.npy").exists()


def test_templates_are_found_by_number_and_correlation(folder: Path) -> None:
    x = np.load(folder / "x.npy")
    bank = np.random.default_rng(8).standard_normal((2, 40))
    x[500:540, 1] += 20 * bank[1]
    x[7000:7040, 0] += 20 * bank[0]
    np.save(folder / "x.npy", x)
    np.save(folder / "t.npy", bank)
    rule = ("--template", "t.npy", "--correlation", 0.9, "--distance", 100, "--fs", 1000)
    done = detect("x.npy", "found.npy", *rule, cwd=folder)
    assert done.returncode == 0, done.stderr
    found = np.load(folder / "found.npy")
    assert found[["start", "end", "channel", "template"]].tolist() == [(500, 540, 1, 1), (7000, 7040, 0, 0)]
    done = detect("x.npy", "found.csv", *rule, "--channels", 1, "--start", 400, cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = (folder / "found.csv").read_text().splitlines()
    assert lines[0].split(",")[-2:] == ["template", "correlation"]
    assert [line.split(",")[:3] for line in lines[1:]] == [["500", "540", "1"]]
    np.save(folder / "t.npy", np.zeros((2, 2, 2, 2)))
    done = detect("x.npy", "no.npy", *rule, cwd=folder)
    assert (done.returncode, "templates (w,), (k, w) or (k, w, channels)" in done.stderr) == (1, True), done.stderr


# Samples in which each option has something to decide: noise that is louder later on, runs close together, short
# runs, runs on both sides, and a NaN.
def telling(rng: np.random.Generator) -> np.ndarray:
    x = rng.standard_normal((6000, 2))
    x[3000:] *= 4
    x[500:900, 0] = 60 + rng.standard_normal(400)
    x[[1000, 1004, 1010, 4000, 4001, 4002, 4003], 1] = 55
    x[2000:2020, 0] -= 70
    x[1500, 1] = np.nan
    x[1499:1502:2, 1] = 50
    return x


OPTIONS: list[dict[str, object]] = [
    {"noise": "std"},
    {"polarity": "neg"},
    {"polarity": "pos"},
    {"block": 700},
    {"window": 901},
    {"merge_gap": 5},
    {"min_length": 4},
    {"nan": "ignore"},
]


def test_each_option_of_the_rule_reaches_the_table(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", telling(np.random.default_rng(11)))  # in which each option does show
    rules = [{"nan": "gap"} | options for options in [{}, *OPTIONS]]
    rows = []
    for number, rule in enumerate(rules):
        words = [word for name, value in rule.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        rows.append(("signal", "detect", "x.npy", f"{number}.npy", "--threshold", "5", "--fs", "100", *words))
    for done in run_all(rows, tmp_path):
        assert done.returncode == 0, done.stderr
    tables = [np.load(tmp_path / f"{number}.npy") for number in range(len(rules))]
    with signals.open(tmp_path / "x.npy", fs=100) as rec:
        for rule, table in zip(rules, tables, strict=True):
            assert table.tobytes() == rec.detect(signals.Threshold(5, **rule)).to_array().tobytes(), rule
    assert len({table.tobytes() for table in tables}) == len(tables)  # no option is without effect


def test_events_count_the_samples_and_channels_of_the_input_whatever_part_is_searched(tmp_path: Path) -> None:
    x = np.random.default_rng(4).standard_normal((50_000, 7)).astype("float32")
    x[30_500:30_520, 4] += 50
    x[30_500:30_510, 5] -= 50
    np.save(tmp_path / "x.npy", x)
    parts = [
        (),
        ("--start", "10s"),
        ("--channels", "3-5"),
        ("--channels", "5,4,4", "--start", "10s"),
        ("--stop", "40s"),
    ]
    rule = ("--fs", "1000", "--threshold", "12", "--min-length", "2")
    rows = [("signal", "detect", "x.npy", f"{i}.npy", *rule, *words) for i, words in enumerate(parts)]
    rows.append(("signal", "detect", "x.npy", "one.npy", *rule, "--channels", "4", "--start", "30001"))
    shown = ("--channels", "3-5", "--start", "30s", "--fs", "1000", "--json")
    rows.append(("signal", "plot", "x.npy", "x.svg", "--events", "3.npy", *shown))
    outcomes = run_all(rows, tmp_path)
    for done in outcomes:
        assert done.returncode == 0, done.stderr
    expected = [(30_500, 30_520, 4, 30.5), (30_500, 30_510, 5, 30.5)]
    for number, words in enumerate(parts):
        found = np.load(tmp_path / f"{number}.npy")
        assert found[["start", "end", "channel", "time_s"]].tolist() == expected, words
        assert (x[found["peak"], found["channel"]] == found["amplitude"]).all()
    assert np.load(tmp_path / "one.npy")[["start", "end", "channel", "time_s"]].tolist() == expected[:1]
    assert json.loads(outcomes[-1].stdout)["n_events"] == 2


def test_a_nan_is_named_by_its_place_in_the_input(tmp_path: Path) -> None:
    x = np.zeros((300, 4))
    x[250, 2] = np.nan
    np.save(tmp_path / "x.npy", x)
    done = detect("x.npy", "e.npy", "--threshold", 1, "--start", 200, "--channels", "1-2", cwd=tmp_path)
    assert (done.returncode, "sample 250 of channel 1 is NaN" in done.stderr) == (1, True), done.stderr
    assert "the channel is counted among those chosen" in done.stderr


def test_a_batch_writes_the_format_that_was_asked_for(folder: Path) -> None:
    np.save(folder / "y.npy", np.load(folder / "x.npy")[:15_000])
    rule = ("--threshold", "8", "--min-length", "2")
    done, again, bare = run_all(
        [
            ("signal", "detect", "x.npy", "y.npy", "found", *rule, "--format", "csv"),
            ("signal", "convert", "x.npy", "y.npy", "found", "--fs", "1000", "--format", "wav"),
            ("signal", "detect", "x.npy", "found/", *rule),
        ],
        folder,
    )
    for each in (done, again, bare):
        assert each.returncode == 0, each.stderr
    assert sorted(path.name for path in (folder / "found").iterdir()) == ["x.csv", "x.npy", "x.wav", "y.csv", "y.wav"]
    assert len((folder / "found" / "y.csv").read_text().splitlines()) == 2
    with signals.open(folder / "found" / "y.wav") as rec:
        assert (rec.shape, rec.fs) == ((15_000, 2), 1000)


def test_a_nan_is_named_and_may_be_a_gap(folder: Path) -> None:
    x = np.load(folder / "x.npy")
    x[77, 1] = np.nan
    np.save(folder / "x.npy", x)
    done = detect("x.npy", "events.npy", "--threshold", 8, cwd=folder)
    assert (done.returncode, "sample 77 of channel 1 is NaN" in done.stderr) == (1, True)
    done = detect("x.npy", "events.npy", "--threshold", 8, "--nan", "gap", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert len(np.load(folder / "events.npy")) >= 2
