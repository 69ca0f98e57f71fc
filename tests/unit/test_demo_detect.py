"""How the demo judges events that were found, what it plants, and how much its rivals are given."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace.cli import _demo_detect, _demo_part
from headrace.cli._demo_child import Cost, Failure
from headrace.cli._demo_data import FS, N_CHANNELS, TRAIN_PERIOD, Event, Scene
from headrace.cli._demo_detect import DetectJob
from headrace.cli._demo_job import Outcome
from headrace.cli._demo_part import part_of
from headrace.cli._demo_rivals import _runs
from headrace.cli._demo_score import Score, read_rows, score
from headrace.core.arrays import Array
from headrace.errors import HeadraceError

CHUNK = 1000
EVENTS = [Event(500, 3, 600.0), Event(1000, 4, 600.0), Event(2500, 7, 600.0), Event(3400, 13, 900.0, n_bursts=5)]
RIGHT = [(480, 520, 3), (980, 1020, 4), (2480, 2520, 7), (3380, 4620, 13)]


def judged(*rows: tuple[int, int, int]) -> Score:
    return score(np.array(rows, np.int64).reshape(-1, 3), EVENTS, CHUNK)


def test_one_row_for_each_event_in_any_order_is_perfect() -> None:
    found = judged(*reversed(RIGHT))
    assert found.perfect
    assert (found.once, found.split, found.missed, found.false, found.neighbours) == (4, 0, 0, 0, 0)
    assert (found.across, found.across_once, found.longest_rows) == (2, 2, 1)


@pytest.mark.parametrize("lost", range(4))
def test_an_event_without_a_row_is_missed(lost: int) -> None:
    found = judged(*RIGHT[:lost], *RIGHT[lost + 1 :])
    assert (found.once, found.split, found.missed) == (3, 0, 1)
    assert not found.perfect


def test_two_rows_for_an_event_are_a_split() -> None:
    found = judged(RIGHT[0], (980, 1000, 4), (1000, 1020, 4), RIGHT[2], RIGHT[3])
    assert (found.once, found.split, found.missed, found.across_once) == (3, 1, 0, 1)
    assert not found.perfect


@pytest.mark.parametrize("cut", [(3380, 4000, 13), (4000, 4620, 13), (3401, 4620, 13), (3380, 4600, 13)])
def test_a_row_that_does_not_reach_from_first_trough_to_last_is_a_cut(cut: tuple[int, int, int]) -> None:
    found = judged(*RIGHT[:3], cut)
    assert (found.once, found.split, found.missed, found.longest_rows) == (3, 1, 0, 1)


def test_rows_beside_a_burst_are_its_neighbours_and_all_others_are_false() -> None:
    found = judged(*RIGHT, (485, 515, 2), (485, 515, 4), (1500, 1510, 3), (3500, 3510, 0))
    assert (found.once, found.neighbours, found.false) == (4, 2, 2)
    assert judged().missed == 4
    assert not score(np.empty((0, 3), np.int64), [], CHUNK).perfect


def test_rows_are_read_by_name_and_may_be_none(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("channel,start,amplitude,end\n2,10,-1.5,20\n")
    assert read_rows(tmp_path / "rows.csv").tolist() == [[10, 20, 2]]
    (tmp_path / "none.csv").write_text("start,end,channel\n")
    assert read_rows(tmp_path / "none.csv").shape == (0, 3)


def test_the_runs_of_the_rival_are_joined_as_headrace_joins_them() -> None:
    def runs(text: str, gap: int) -> list[tuple[int, int]]:
        return [(int(first), int(last)) for first, last in _runs(np.array([c == "x" for c in text], bool), gap)]

    assert runs("x..xx...x", 0) == [(0, 1), (3, 5), (8, 9)]
    assert runs("x..xx...x", 2) == [(0, 5), (8, 9)]
    assert runs("x..xx...x", 3) == [(0, 9)]
    assert runs("...", 3) == runs("", 3) == []


def test_what_the_truth_says_is_where_the_recording_differs_from_one_without(tmp_path: Path) -> None:
    scene = Scene(60_000)
    scene.write(tmp_path / "with.bin", tmp_path / "truth.csv", lambda _: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scene, "events", lambda _: [])
        scene.write(tmp_path / "without.bin", tmp_path / "none.csv", lambda _: None)
    planted = _samples(tmp_path / "with.bin") - _samples(tmp_path / "without.bin")
    with (tmp_path / "truth.csv").open(newline="") as file:
        truth = [(int(row["start"]), int(row["end"]), int(row["channel"])) for row in csv.DictReader(file)]
    assert max(end - start for start, end, _ in truth) > 3 * scene.chunk
    for start, end, channel in truth:
        assert np.abs(planted[start:end, channel]).max() >= 440
        planted[start:end, channel] = 0
        if end - start < TRAIN_PERIOD:
            planted[start:end] = 0  # a burst reaches its neighbours
    assert not planted.any()


def _samples(path: Path) -> Array:
    return np.fromfile(path, np.int16).astype(int).reshape(-1, N_CHANNELS)


@pytest.mark.parametrize("n_samples", [6000, 31_250, 125_000, 12_500_000])
def test_events_lie_across_the_borders_of_chunks_and_one_goes_on_over_three(n_samples: int) -> None:
    scene = Scene(n_samples)
    events = scene.events()
    assert events == sorted(events)
    assert all(0 <= event.start < event.end <= n_samples for event in events)
    longest = max(events, key=lambda event: event.n_bursts)
    assert (longest.end - 1) // scene.chunk - longest.start // scene.chunk == 3
    assert sum(event.start // scene.chunk != (event.end - 1) // scene.chunk for event in events) >= 2


def test_a_rival_is_given_the_part_for_which_there_is_room_and_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(100 * FS)
    whole = scene.n_samples * scene.frame_bytes
    assert (part_of(scene).n_samples, part_of(scene).words) == (scene.n_samples, "all")
    assert part_of(scene, most=whole).why == ""
    shorter = part_of(scene, most=whole // 2)
    assert (shorter.n_samples, shorter.why) == (scene.n_samples // 2, "to keep the demo short")
    assert shorter.words == "first 48 MB"
    monkeypatch.setattr(_demo_part, "memory_available", lambda: whole)
    scarce = part_of(scene, memory=12, most=whole // 2)
    assert (scarce.nbytes, scarce.why) == (scarce.n_samples * scene.frame_bytes, "as memory is short here")
    assert scarce.n_samples == 9 * whole // 10 // 12 // scene.frame_bytes


Rows = list[tuple[int, int, int]]


def first_in_two(rows: Rows) -> Rows:
    start, end, channel = rows[0]
    return [(start, start + 36, channel), (start + 36, end, channel), *rows[1:]]


def detect(
    folder: Path, patch: pytest.MonkeyPatch, change: Callable[[Rows], Rows], loop: Cost | Failure | None = None
) -> Outcome:
    """Run the job with children that write down what was planted, headrace's with a change."""
    scene = Scene.of_size(1_000_000)
    right = [(event.start, event.end, event.channel) for event in scene.events()]
    cost = Cost(scene.n_samples, 1.0, 1.0, 10.0, 4_000_000, 2_000_000, 1_000_000)

    def run_child(arguments: Sequence[str], _: Callable[[float], Any]) -> Cost | Failure:
        ours = arguments[0].endswith("_demo_ours")
        rows = change(right) if ours else right
        out = folder / ("events.csv" if ours else "rival.csv")
        out.write_text("start,end,channel\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
        return cost if ours or loop is None else loop

    patch.setattr(_demo_detect, "run_child", run_child)
    outcome = Outcome()
    DetectJob().run(folder, 1_000_000, lambda _: lambda _: None, outcome)
    return outcome


@pytest.mark.parametrize(
    ("change", "good"), [(lambda rows: rows, True), (first_in_two, False), (lambda rows: rows[1:], False)]
)
def test_the_job_is_good_if_each_planted_event_was_found_exactly_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Rows], Rows], good: bool
) -> None:
    outcome = detect(tmp_path, monkeypatch, change)
    assert outcome.ok is good
    assert not (tmp_path / "rival.csv").exists()


def test_a_loop_that_cannot_run_is_left_out_and_headrace_that_cannot_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = detect(tmp_path, monkeypatch, list, Failure("MemoryError"))
    assert outcome.ok
    assert outcome.facts["contenders"]["loop"]["error"] == "MemoryError"
    assert any("left out[/]: MemoryError" in str(shown) for shown in outcome.shown)
    monkeypatch.setattr(_demo_detect, "run_child", lambda *_: Failure("no room"))
    with pytest.raises(HeadraceError, match="could not find the events: no room"):
        DetectJob().run(tmp_path, 1_000_000, lambda _: lambda _: None, Outcome())
