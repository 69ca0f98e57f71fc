"""The demo's picture: a stretch of the recording before and after, with the known events marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.cli._demo_data import FS, N_CHANNELS, SCALE_UV, Event, Scene
from headrace.cli._demo_score import read_rows
from headrace.errors import MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.cli._demo_job import Outcome, Stage
    from headrace.core.arrays import Array

__all__ = ["PictureJob", "draw"]

_CHANNELS = slice(4, 10)
_SPACING_UV = {"before": 1500.0, "after": 250.0}
_BEFORE, _AFTER, _EVENT, _FOUND = "#5b6770", "#1f4e79", "#d1495b", "#2e8b57"


class PictureJob:
    """Draw what the other jobs left in the folder."""

    name = "picture"

    def run(self, folder: Path, size: int, stage: Stage, outcome: Outcome) -> None:
        """See `headrace.cli._demo_job.Job`."""
        tell = stage("drawing before and after")
        path = folder / "before-after.png"
        found = read_rows(folder / "events.csv")
        try:
            draw(folder / "recording.bin", folder / "filtered.npy", path, Scene.of_size(size), found)
        except MissingExtra as error:
            outcome.shown.append(f"[yellow]No picture[/]: {error}.".replace("[plot]", r"\[plot]"))
            outcome.facts["path"] = None
        else:
            outcome.facts["path"] = str(path)
            outcome.kept.append((path, "a stretch before and after, with the planted and the found events marked"))
        finally:
            tell(1)


def draw(recording: Path, filtered: Path, picture: Path, scene: Scene, found: Array) -> None:
    """Draw two seconds and, beside them, a few milliseconds around one event.

    Parameters
    ----------
    recording, filtered, picture : Path
        The files to read, and the one to write.
    scene : Scene
        What was planted.
    found : ndarray of int64, shape (rows, 3)
        Start, end and channel of what was found.

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    """
    from headrace import signals

    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("drawing needs matplotlib: pip install 'headrace[plot]'", extra="plot") from error
    events = [event for event in scene.events() if _CHANNELS.start <= event.channel < _CHANNELS.stop]
    start, stop = _stretch(scene, events)
    inside = [event for event in events if start <= event.place < stop]
    figure = Figure(figsize=(12, 7), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2, width_ratios=[2.4, 1])
    figure.suptitle(
        "Short bursts under baseline wander and mains hum, and what the band-pass from 300 to 6000 Hz leaves of it",
        fontsize=13, x=0.01, ha="left",
    )  # fmt: skip
    with (
        signals.open(recording, dtype="int16", n_channels=N_CHANNELS, fs=FS, scale=SCALE_UV, units="µV") as before,
        signals.open(filtered, fs=FS, scale=SCALE_UV, units="µV") as after,
    ):
        for row, (rec, colour, title) in enumerate(((before, _BEFORE, "before"), (after, _AFTER, "after"))):
            _wide(axes[row, 0], rec, (start, stop), inside, color=colour, spacing=_SPACING_UV[title])
            axes[row, 0].set_title(title, loc="left", fontweight="bold")
            if inside:
                _close(axes[row, 1], rec, inside, colour=colour, scene=scene, found=found if row else None)
            else:
                axes[row, 1].set_axis_off()
    _mark_found(axes[1, 0], found, (start, stop))
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture)


def _stretch(scene: Scene, events: list[Event]) -> tuple[int, int]:
    """Choose the two seconds that have most events in them."""
    length = min(2 * FS, scene.n_samples)
    places = np.array([event.place for event in events] or [0])
    counts = np.searchsorted(places, places + length * 3 // 4) - np.arange(len(places))
    start = max(0, min(int(places[np.argmax(counts)]) - length // 8, scene.n_samples - length))
    return start, start + length


def _wide(ax: Any, rec: Any, span: tuple[int, int], events: list[Event], **look: Any) -> None:
    rec.plot(ax=ax, channels=_CHANNELS, start=span[0], stop=span[1], width=1600, linewidth=0.6, **look)
    _mark(ax, [(event.place, event.channel) for event in events], 0.38, marker="v", color=_EVENT, label="planted")


def _mark_found(ax: Any, found: Array, span: tuple[int, int]) -> None:
    shown = (found[:, 0] >= span[0]) & (found[:, 0] < span[1])
    shown &= (found[:, 2] >= _CHANNELS.start) & (found[:, 2] < _CHANNELS.stop)
    places = [((start + end) // 2, channel) for start, end, channel in found[shown].tolist()]
    _mark(ax, places, -0.38, marker="^", color=_FOUND, label="found")


def _mark(ax: Any, places: list[tuple[int, int]], above: float, *, label: str, **look: Any) -> None:
    """Put a mark above, or below, the line of each channel; `above` is in distances of the channels."""
    if not places:
        return
    offsets = ax.get_yticks()
    reach = abs(offsets[1] - offsets[0])
    x = [place / FS for place, _ in places]
    y = [offsets[channel - _CHANNELS.start] + above * reach for _, channel in places]
    ax.plot(x, y, markersize=6, linestyle="none", label=label, zorder=3, **look)
    ax.legend(
        loc="lower right", bbox_to_anchor=(1, 0.99), ncols=2, frameon=False, handletextpad=0.2, borderpad=0
    )  # fmt: skip


def _close(ax: Any, rec: Any, events: list[Event], *, colour: str, scene: Scene, found: Array | None) -> None:
    middle = [event for event in events if _CHANNELS.start < event.channel < _CHANNELS.stop - 1] or events
    event = max(middle, key=lambda event: event.amplitude)
    place, channel = event.place, event.channel
    around = 15 * FS // 1000
    start, stop = max(0, place - around), min(scene.n_samples, place + around)
    rec.plot(ax=ax, channels=channel, start=start, stop=stop, width=2 * around, color=colour, linewidth=1.1)
    ax.axvspan(event.start / FS, event.end / FS, color=_EVENT, alpha=0.15, linewidth=0)
    for first, last, where in found.tolist() if found is not None else ():
        if where == channel and first < stop and last > start:
            ax.axvspan(first / FS, last / FS, color=_FOUND, alpha=0.25, linewidth=0)
    ax.set_title(f"channel {channel}, one event", loc="left")
    ax.ticklabel_format(axis="x", useOffset=False)
    ax.locator_params(axis="x", nbins=4)
