"""The demo's main job: band-pass a recording, beside the ways it is done without headrace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.cli._demo_check import Accuracy, accuracy
from headrace.cli._demo_child import Cost, Failure, run_child
from headrace.cli._demo_data import BAND_HZ, FS, N_CHANNELS, Scene, band_pass_taps
from headrace.cli._demo_part import ENOUGH, Part, part_of
from headrace.cli._demo_table import comparison, cost_rows
from headrace.core.sizes import format_bytes
from headrace.errors import HeadraceError

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.cli._demo_job import Outcome, Stage

__all__ = ["FilterJob"]

_RIVALS = {"plain": "plain NumPy/SciPy", "loop": "a chunk loop by hand"}
_NEEDS = {"plain": {"memory": 12, "most": ENOUGH}, "loop": {"mapped": 3}}


@dataclass(frozen=True, slots=True)
class Result:
    """One contender: what it took, how right it was, and on how much of the recording."""

    title: str
    cost: Cost | Failure
    accuracy: Accuracy | None
    part: Part


class FilterJob:
    """Band-pass 16 channels of int16 with 1,023 taps."""

    name = "filter"

    def run(self, folder: Path, size: int, stage: Stage, outcome: Outcome) -> None:
        """See `headrace.cli._demo_job.Job`."""
        scene = Scene.of_size(size)
        recording, truth = folder / "recording.bin", folder / "truth.csv"
        taps, filtered = folder / "taps.npy", folder / "filtered.npy"
        outcome.big += [recording, filtered, folder / "rival.npy"]
        tell = stage(f"making a recording of {format_bytes(scene.n_samples * scene.frame_bytes)}")
        n_events = scene.write(recording, truth, lambda done: tell(done / scene.n_samples))
        np.save(taps, band_pass_taps())
        outcome.kept += [(truth, f"the {n_events:,} events in it"), (taps, "the filter")]

        _touch_memory(folder / "rival.npy", 2 * scene.n_samples * scene.frame_bytes, stage)
        results = {"headrace": self._headrace(scene, recording, taps, filtered, stage)}
        ours = results["headrace"].cost
        if isinstance(ours, Failure):
            raise HeadraceError(f"headrace could not filter the recording: {ours.reason}")
        for name in _RIVALS:
            results[name] = self._rival(name, scene, (recording, taps, folder / "rival.npy"), stage)
        outcome.facts |= _facts(scene, results)
        exact = results["headrace"].accuracy
        outcome.ok = exact is not None and exact.good
        _show(scene, results, outcome)

    def _headrace(self, scene: Scene, recording: Path, taps: Path, out: Path, stage: Stage) -> Result:
        tell = stage("headrace, in a budget of 64 MB")
        words = ["signal", "filter", str(recording), str(out), "--taps", str(taps), "--dtype", "int16"]
        cost = run_child(
            ["headrace.cli", *words, "--n-channels", str(N_CHANNELS), "--memory", "64MB", "--force", "--json"], tell
        )
        checked = accuracy(recording, taps, out, cost)
        tell(1)
        return Result("headrace", cost, checked, part_of(scene))

    def _rival(self, name: str, scene: Scene, files: tuple[Path, Path, Path], stage: Stage) -> Result:
        recording, taps, out = files
        part = part_of(scene, **_NEEDS[name])
        tell = stage(f"{_RIVALS[name]}, {part.words}" if part.why else _RIVALS[name])
        cost = run_child(
            [
                "headrace.cli._demo_rivals",
                name,
                str(recording),
                str(taps),
                str(out),
                str(part.n_samples),
                str(N_CHANNELS),
            ],
            tell,
        )
        checked = accuracy(recording, taps, out, cost)
        out.unlink(missing_ok=True)
        tell(1)
        return Result(_RIVALS[name], cost, checked, part)


def _touch_memory(path: Path, nbytes: int, stage: Stage) -> None:
    """Write and delete a file as large as an output.

    A virtual machine gets much of its memory from the host on first touch, which is slow; without this, whoever writes
    first would pay for all who come after.
    """
    tell = stage("touching memory, so that nobody pays for being first")
    block = bytes(4 << 20)
    try:
        with path.open("wb") as file:
            for done in range(0, nbytes, len(block)):
                file.write(block)
                tell(done / nbytes)
    finally:
        path.unlink(missing_ok=True)
        tell(1)


def _facts(scene: Scene, results: dict[str, Result]) -> dict[str, Any]:
    return {
        "recording": {
            "n_samples": scene.n_samples,
            "n_channels": N_CHANNELS,
            "dtype": "int16",
            "fs": FS,
            "bytes": scene.n_samples * scene.frame_bytes,
            "events": len(scene.events()),
        },
        "contenders": {
            name: {"n_samples": result.part.n_samples, "why_part": result.part.why}
            | result.cost.to_dict()
            | (result.accuracy.to_dict() if result.accuracy else {})
            | (_relative(scene, result.cost) if isinstance(result.cost, Cost) else {})
            for name, result in results.items()
        },
    }


def _relative(scene: Scene, cost: Cost) -> dict[str, float]:
    return {"peak_to_file": cost.total / (cost.n_samples * scene.frame_bytes)}


def _show(scene: Scene, results: dict[str, Result], outcome: Outcome) -> None:
    low, high = BAND_HZ
    minutes, n_bytes = scene.n_samples / FS / 60, scene.n_samples * scene.frame_bytes
    length = f"{minutes:.1f} min" if minutes >= 1 else f"{minutes * 60:.3g} s"
    title = f"[bold]Band-pass, {low:g} to {high:g} Hz, 1,023 taps[/]: {N_CHANNELS} x int16 at {FS / 1000:g} kHz"
    outcome.shown.append(f"{title}, {length}, {format_bytes(n_bytes)}\n")
    costs = [result.cost for result in results.values()]
    accuracies = [result.accuracy for result in results.values()]
    rows = {
        "filtered": ["failed" if isinstance(r.cost, Failure) else r.part.words for r in results.values()],
        **cost_rows(costs),
        "  / size of its input": [
            f"{_relative(scene, cost)['peak_to_file']:.3g} x" if isinstance(cost, Cost) else "-" for cost in costs
        ],
        "error, relative": [f"{a.relative:.1e}" if a else "-" for a in accuracies],
        "error, largest": [f"{a.largest_uv:.1e} uV" if a else "-" for a in accuracies],
    }
    table = comparison([result.title for result in results.values()], rows)
    outcome.shown += [table, *_notes(scene, results)]


def _notes(scene: Scene, results: dict[str, Result]) -> list[str]:
    """Say in words what the table shows."""
    ours, notes = results["headrace"], []
    if isinstance(ours.cost, Cost):
        for name, title in _RIVALS.items():
            cost = results[name].cost
            if isinstance(cost, Cost):
                notes.append(
                    f"headrace is [bold]{ours.cost.mb_per_s / cost.mb_per_s:.1f} times[/] as fast as {title}, in "
                    f"[bold]1/{cost.total / ours.cost.total:.0f}[/] of the memory."
                )
            else:
                notes.append(
                    f"[yellow]{title[0].upper()}{title[1:]} is left out[/]: {cost.reason}.".replace(
                        "[signals]", r"\[signals]"
                    )
                )
    for result in results.values():
        if result.part.why and isinstance(result.cost, Cost):
            whole = result.cost.total / result.part.n_samples * scene.n_samples
            notes.append(
                f"{result.title[0].upper()}{result.title[1:]} did the first {format_bytes(result.part.nbytes)} alone, "
                f"{result.part.why}; all of it would take about {format_bytes(whole)} of memory."
            )
    if ours.accuracy:
        notes.append(
            f"Errors are against direct convolution in float64 at {ours.accuracy.places} places, among them both ends "
            "and the borders of headrace's chunks."
        )
    return notes
