"""The demo's picture: a stretch of the recording before and after, with the known events marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.cli._demo_data import FS, N_CHANNELS, SCALE_UV

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.cli._demo_data import Scene

__all__ = ["draw"]

_CHANNELS = slice(4, 10)
_SPACING_UV = {"before": 1500.0, "after": 250.0}
_BEFORE, _AFTER, _EVENT = "#5b6770", "#1f4e79", "#d1495b"


def draw(recording: Path, filtered: Path, picture: Path, scene: Scene) -> None:
    """Draw two seconds and, beside them, a few milliseconds around one event.

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    """
    from headrace import signals
    from headrace.errors import MissingExtra

    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("drawing needs matplotlib: pip install 'headrace[plot]'", extra="plot") from error
    events = _visible(scene)
    start, stop = _stretch(scene, events)
    inside = [event for event in events if start <= event[0] < stop]
    figure = Figure(figsize=(12, 7), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2, width_ratios=[2.4, 1])
    figure.suptitle(
        "Short bursts under baseline wander and mains hum, and what the band-pass from 300 to 6000 Hz leaves",
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
                _close(axes[row, 1], rec, inside, colour=colour, scene=scene)
            else:
                axes[row, 1].set_axis_off()
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture)


def _visible(scene: Scene) -> list[tuple[int, int, float]]:
    """Give the events that can be seen on the channels drawn: a burst reaches its neighbours, too."""
    first, last = _CHANNELS.start, _CHANNELS.stop - 1
    seen = [event for event in scene.events() if first - 2 <= event[1] <= last + 2]
    return [(place, min(max(channel, first), last), amplitude) for place, channel, amplitude in seen]


def _stretch(scene: Scene, events: list[tuple[int, int, float]]) -> tuple[int, int]:
    """Choose the two seconds that have most events in them."""
    length = min(2 * FS, scene.n_samples)
    places = np.array([place for place, _, _ in events] or [0])
    counts = np.searchsorted(places, places + length * 3 // 4) - np.arange(len(places))
    start = max(0, min(int(places[np.argmax(counts)]) - length // 8, scene.n_samples - length))
    return start, start + length


def _wide(ax: Any, rec: Any, span: tuple[int, int], events: list[tuple[int, int, float]], **look: Any) -> None:
    rec.plot(ax=ax, channels=_CHANNELS, start=span[0], stop=span[1], width=1600, linewidth=0.6, **look)
    offsets = ax.get_yticks()
    reach = abs(offsets[1] - offsets[0])
    for number, (place, channel, _) in enumerate(events):
        ax.plot(
            place / FS, offsets[channel - _CHANNELS.start] + 0.38 * reach, marker="v", markersize=6, color=_EVENT,
            linestyle="none", label="known event" if number == 0 else None, zorder=3,
        )  # fmt: skip
    if events:
        ax.legend(loc="lower right", bbox_to_anchor=(1, 0.99), frameon=False, handletextpad=0.2, borderpad=0)


def _close(ax: Any, rec: Any, events: list[tuple[int, int, float]], *, colour: str, scene: Scene) -> None:
    middle = [event for event in events if _CHANNELS.start < event[1] < _CHANNELS.stop - 1] or events
    place, channel, _ = max(middle, key=lambda event: event[2])
    around = 15 * FS // 1000
    start, stop = max(0, place - around), min(scene.n_samples, place + around)
    rec.plot(ax=ax, channels=channel, start=start, stop=stop, width=2 * around, color=colour, linewidth=1.1)
    ax.axvspan((place - 36) / FS, (place + 36) / FS, color=_EVENT, alpha=0.15, linewidth=0)
    ax.set_title(f"channel {channel}, one event", loc="left")
    ax.ticklabel_format(axis="x", useOffset=False)
    ax.locator_params(axis="x", nbins=4)
