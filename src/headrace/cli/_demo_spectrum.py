"""The demo's third job: the spectrum of a whole channel, beside the transform in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.cli._demo_child import Cost, Failure, run_child
from headrace.cli._demo_data import FS, N_CHANNELS, Scene
from headrace.cli._demo_table import comparison, cost_rows
from headrace.core.npy import HEADER_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.cli._demo_job import Outcome, Stage
    from headrace.core.arrays import Array

__all__ = ["SpectrumJob"]

_TITLES = {"headrace": "headrace", "plain": "scipy.fft in memory"}
_EXACT = 3e-7  # relative L2, what headrace promises for complex64
_BINS = 3  # that are evaluated directly
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class _Checked:
    """Where the mains hum was found, and how far its values are from direct evaluation."""

    hum_hz: float
    error: float


class SpectrumJob:
    """Transform all samples of a channel at once; values at the mains hum are held against direct evaluation."""

    name = "spectrum"

    def run(self, folder: Path, size: int, stage: Stage, outcome: Outcome) -> None:
        """See `headrace.cli._demo_job.Job`; takes the recording that the filter job left in the folder."""
        scene = Scene.of_size(size)
        recording = folder / "recording.bin"
        files = {"headrace": folder / "spectrum.npy", "plain": folder / "rival.npy"}
        outcome.big += files.values()
        costs: dict[str, Cost | Failure] = {}
        tell = stage("headrace transforms a whole channel, in a budget of 64 MB")
        ours = [str(recording), str(N_CHANNELS), str(files["headrace"]), str(FS)]
        costs["headrace"] = run_child(["headrace.cli._demo_ours", "spectrum", *ours], tell)
        if isinstance(costs["headrace"], Failure):  # without SciPy: said, and the rest of the demo goes on
            outcome.facts |= {"contenders": {"headrace": costs["headrace"].to_dict()}}
            outcome.shown.append(f"\n[yellow]The spectrum is left out[/]: {costs['headrace'].reason}.")
            return
        checked = _check(scene, recording, files["headrace"])
        tell(1)
        tell = stage("scipy.fft transforms it in memory")
        theirs = [str(recording), "0", str(files["plain"]), str(scene.n_samples), str(N_CHANNELS)]
        costs["plain"] = run_child(["headrace.cli._demo_rivals", "spectrum", *theirs], tell)
        tell(1)
        outcome.ok = checked.error <= _EXACT
        outcome.facts |= {
            "hum_hz": checked.hum_hz,
            "rel_error": checked.error,
            "contenders": {name: cost.to_dict() for name, cost in costs.items()},
        }
        outcome.shown += _shown(scene, costs, checked)


def _check(scene: Scene, recording: Path, found: Path) -> _Checked:
    """Find the hum, and evaluate the transform there, and beside it, directly in float64."""
    n = scene.n_samples
    spectrum = np.memmap(found, np.complex64, "r", HEADER_BYTES, (n // 2 + 1,))
    low, high = (int(hz * n / FS) for hz in (45, 55))
    peak = low + int(np.argmax(np.abs(spectrum[low : high + 1])))
    bins = np.arange(peak, peak + _BINS)
    exact = _direct(scene, recording, bins)
    error = np.linalg.norm(spectrum[bins] - exact) / np.linalg.norm(exact)
    return _Checked(peak * FS / n, float(error))


def _direct(scene: Scene, recording: Path, bins: Array) -> Array:
    """Evaluate some values of the first channel's transform by its definition."""
    n = scene.n_samples
    samples = np.memmap(recording, np.int16, "r", shape=(n, N_CHANNELS))
    total = np.zeros(len(bins), np.complex128)
    for start in range(0, n, _PIECE):
        x = samples[start : start + _PIECE, 0].astype(np.float64)
        j = np.arange(start, start + len(x), dtype=np.int64)
        for place, k in enumerate(bins.tolist()):
            total[place] += np.dot(x, np.exp((-2j * np.pi / n) * (j * k % n)))
    return total


def _shown(scene: Scene, costs: dict[str, Cost | Failure], checked: _Checked) -> list[Any]:
    seconds = scene.n_samples / FS
    title = f"\n[bold]The spectrum of a whole channel[/]: one transform of {scene.n_samples:,} samples\n"
    table = comparison([_TITLES[name] for name in costs], cost_rows(list(costs.values())))
    notes = [
        f"The mains hum is at [bold]{checked.hum_hz:.4f} Hz[/], to {1 / seconds:.2g} Hz. There headrace is off by "
        f"{checked.error:.1e} from direct evaluation in float64."
    ]
    ours, plain = costs["headrace"], costs["plain"]
    if isinstance(ours, Cost) and isinstance(plain, Cost) and plain.total >= 1.5 * ours.total:
        notes.append(f"headrace needs [bold]1/{plain.total / ours.total:.0f}[/] of the memory.")
    if isinstance(plain, Failure):
        notes.append(f"[yellow]scipy.fft in memory is left out[/]: {plain.reason}.")
    return [title, table, *notes]
