"""The demo's second job: find the events of the filtered recording, beside the loop people write for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.cli._demo_child import Cost, Failure, run_child
from headrace.cli._demo_data import FS, N_CHANNELS, TRAIN_PERIOD, Scene
from headrace.cli._demo_part import ENOUGH, Part, part_of
from headrace.cli._demo_score import Score, read_rows, score
from headrace.cli._demo_table import comparison, cost_rows
from headrace.errors import HeadraceError

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.cli._demo_job import Outcome, Stage

__all__ = ["DetectJob"]

_K = 7  # times the noise
_TITLES = {"headrace": "headrace", "loop": "a chunk loop by hand"}


@dataclass(frozen=True, slots=True)
class Found:
    """One contender: what it took, what it found, and in how much of the recording."""

    cost: Cost | Failure
    score: Score | None
    part: Part


class DetectJob:
    """Find events by a threshold of 7 times the noise of each 10 s; each planted one must come out exactly once."""

    name = "detect"

    def run(self, folder: Path, size: int, stage: Stage, outcome: Outcome) -> None:
        """See `headrace.cli._demo_job.Job`; takes what the filter job left in the folder."""
        scene = Scene.of_size(size)
        filtered, events, rival = folder / "filtered.npy", folder / "events.csv", folder / "rival.csv"
        outcome.big.append(rival)
        settings = f"{_K},{TRAIN_PERIOD},{scene.chunk}"
        results = {
            "headrace": self._one(
                stage("headrace finds events, in a budget of 64 MB"), scene, part_of(scene), events,
                ["headrace.cli._demo_ours", "detect", str(filtered), settings, str(events), str(FS)],
            )
        }  # fmt: skip
        ours = results["headrace"]
        if isinstance(ours.cost, Failure):
            raise HeadraceError(f"headrace could not find the events: {ours.cost.reason}")
        part = part_of(scene, mapped=2, most=ENOUGH)
        results["loop"] = self._one(
            stage(f"a chunk loop by hand finds events, {part.words}"), scene, part, rival,
            ["headrace.cli._demo_rivals", "detect", str(filtered), settings, str(rival), str(part.n_samples),
             str(N_CHANNELS)],
        )  # fmt: skip
        rival.unlink(missing_ok=True)
        outcome.kept.append((events, "the events headrace found: start, end, channel, amplitude, peak, time_s"))
        outcome.facts |= _facts(scene, results)
        outcome.ok = ours.score is not None and ours.score.perfect
        outcome.shown += _shown(scene, results)

    def _one(self, tell: Any, scene: Scene, part: Part, out: Path, arguments: list[str]) -> Found:
        cost = run_child(arguments, tell)
        scored = None
        if isinstance(cost, Cost):
            whole = [event for event in scene.events() if event.end <= part.n_samples]
            scored = score(read_rows(out), whole, scene.chunk)
        tell(1)
        return Found(cost, scored, part)


def _facts(scene: Scene, results: dict[str, Found]) -> dict[str, Any]:
    return {
        "threshold": {"k": _K, "noise": "mad", "block": scene.chunk, "merge_gap": TRAIN_PERIOD},
        "contenders": {
            name: {"n_samples": found.part.n_samples, "why_part": found.part.why}
            | found.cost.to_dict()
            | (found.score.to_dict() if found.score else {})
            for name, found in results.items()
        },
    }


def _shown(scene: Scene, results: dict[str, Found]) -> list[Any]:
    seconds = scene.chunk / FS
    longest = max((event.end - event.start for event in scene.events()), default=0) / FS

    def row(write: Any) -> list[str]:
        return [write(found.score) if found.score else "-" for found in results.values()]

    rows = {
        "searched": [found.part.words if isinstance(found.cost, Cost) else "failed" for found in results.values()],
        **cost_rows([found.cost for found in results.values()]),
        "planted events": row(lambda s: f"{s.planted:,}"),
        "  found exactly once": row(lambda s: f"{s.once:,}"),
        "  split or cut": row(lambda s: f"{s.split:,}"),
        "  missed": row(lambda s: f"{s.missed:,}"),
        "  across a border, once": row(lambda s: f"{s.across_once:,} of {s.across:,}"),
        f"  the longest, {longest:.3g} s": row(
            lambda s: "1 event" if s.longest_rows == 1 else f"{s.longest_rows} events"
        ),
        "false events": row(lambda s: f"{s.false:,}"),
    }
    title = f"\n[bold]Events in the filtered recording[/]: beyond {_K} x the noise of each {seconds:.3g} s\n"
    return [title, comparison([_TITLES[name] for name in results], rows), *_notes(seconds, results)]


def _notes(seconds: float, results: dict[str, Found]) -> list[str]:
    ours, loop = results["headrace"], results["loop"]
    notes = []
    if isinstance(loop.cost, Failure):
        notes.append(f"[yellow]The loop by hand is left out[/]: {loop.cost.reason}.")
    elif isinstance(ours.cost, Cost) and loop.score:
        memory = loop.cost.total / ours.cost.total
        notes.append(
            f"headrace is [bold]{ours.cost.mb_per_s / loop.cost.mb_per_s:.1f} times[/] as fast as the chunk loop by "
            f"hand{f', in [bold]1/{memory:.0f}[/] of the memory' if memory >= 1.5 else ''}."
        )
        notes.append(
            f"Both take a threshold from each {seconds:.3g} s; where these meet, the loop broke [bold]"
            f"{loop.score.split:,} of {loop.score.planted:,}[/] events."
        )
        if loop.part.why:
            notes.append(f"The loop did the {loop.part.words} of recording alone, {loop.part.why}.")
    if ours.score:
        notes.append(
            f"Events found exactly once by headrace: [bold]{ours.score.once:,} of {ours.score.planted:,}[/]. Bursts "
            f"reach the channels beside theirs, too: {ours.score.neighbours:,} rows more."
        )
    return notes
