"""`headrace signal plot`, in a fresh process in which warnings are errors."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import headrace, run_all

RNG = np.random.default_rng(3)
X = RNG.integers(-3000, 3000, (50_000, 4), np.int16)
EVENTS = np.array([(100, 900, 0), (1000, 1001, 3)], [("start", "i8"), ("end", "i8"), ("channel", "i8")])


def plot(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return headrace("signal", "plot", *words, cwd=cwd, timeout=120)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    np.save(tmp_path / "rec.npy", X)
    X.tofile(tmp_path / "rec.bin")
    np.save(tmp_path / "events.npy", EVENTS)
    (tmp_path / "events.csv").write_text("start,end\n100,900\n2000,2001\n60000,60001\n")
    return tmp_path


def test_it_draws_a_picture_with_its_events(place: Path) -> None:
    done = plot("rec.npy", "out.png", "--fs", 1000, "--events", "events.csv", cwd=place)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr.startswith("out.png: 2 events, 50,000 samples in ")
    assert (place / "out.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_it_reports_in_json_and_draws_a_part_of_a_raw_file(place: Path) -> None:
    words = (
        "--dtype",
        "int16",
        "--n-channels",
        4,
        "--channels",
        "0,3",
        "--start",
        500,
        "--stop",
        2000,
        "--memory",
        "2MB",
    )
    done = plot("rec.bin", "out.svg", *words, "--events", "events.npy", "--json", "--threads", 1, cwd=place)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["n_samples"], facts["n_events"], facts["output"]) == (1500, 2, "out.svg")
    assert facts["bottleneck"] == "draw"
    assert facts["seconds"] > facts["stage_seconds"]["draw"] > 0.05, "the report leaves the drawing out"
    assert facts["peak_rss_bytes"]["total"] > 60e6, "the peak leaves matplotlib out"
    assert "<svg" in (place / "out.svg").read_text()


def test_parquet_events_are_drawn(place: Path) -> None:
    pytest.importorskip("pyarrow")
    from headrace.core.table_sinks import table_sink

    sink = table_sink(place / "events.parquet")
    sink.open(EVENTS.dtype)
    sink.write(EVENTS)
    sink.commit()
    done = plot("rec.npy", "out.pdf", "--events", "events.parquet", cwd=place)
    assert done.returncode == 0, done.stderr
    assert (place / "out.pdf").read_bytes()[:4] == b"%PDF"


REFUSED = [
    (("rec.npy", "out.jpeg"), "*.png"),
    (("rec.npy", "rec.npy"), "a picture is called"),
    (("rec.npy", "old.png"), "old.png exists"),
    (("none.npy", "out.png"), "none.npy"),
    (("rec.npy", "rec.npy", "out.png"), "one by one"),
    (("rec.npy", "nowhere/out.png"), "nowhere does not exist"),
    (("rec.npy", "out.png", "--start", "50000"), "holds no sample"),
    (("rec.npy", "out.png", "--start", "1s"), "--fs"),
    (("rec.npy", "out.png", "--channels", "7"), "channels 7"),
    (("rec.npy", "out.png", "--events", "none.csv"), "none.csv"),
    (("rec.npy", "out.png", "--events", "rec.npy"), "not rows"),
    (("rec.npy", "out.png", "--events", "other.csv"), "has no column start; it has onset"),
    (("rec.npy", "out.png", "--events", "events.xls"), "events.xls"),
    (("rec.npy", "out.png", "--memory", "1kB"), "budget"),
]


def test_what_cannot_be_drawn_is_one_message_and_leaves_nothing(place: Path) -> None:
    (place / "old.png").write_bytes(b"old")
    (place / "other.csv").write_text("onset\n1\n")
    before = sorted(path.name for path in place.iterdir())
    outcomes = run_all([("signal", "plot", *words) for words, _ in REFUSED], place)
    for (words, expected), done in zip(REFUSED, outcomes, strict=True):
        err = done.stderr
        assert (done.returncode, done.stdout) == (1, ""), (words, err)
        assert expected in err, words
        assert err.count("rror: ") == 1, words
        assert "bug in headrace" not in err
    assert sorted(path.name for path in place.iterdir()) == before
    assert (place / "old.png").read_bytes() == b"old"


def test_force_replaces(place: Path) -> None:
    (place / "out.png").write_bytes(b"old")
    assert plot("rec.npy", "out.png", "--force", cwd=place).returncode == 0
    assert (place / "out.png").read_bytes()[:4] == b"\x89PNG"
