"""Pictures of recordings of any length, in constant memory."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.source import Source
from headrace.core.span import Span
from headrace.errors import MissingExtra, SchemaError
from headrace.signals.envelope import Envelope, envelope
from headrace.signals.marks import Marks, event_marks
from headrace.signals.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.core.arrays import Array

__all__ = ["draw", "new_axes", "plot"]

_LABELS = 48  # most channels that can be told by name on the axis
_EVENT = (0.93, 0.42, 0.13)  # red, green, blue of the shade of events


def plot(  # noqa: PLR0913 - what a picture may be asked for, all but one with a default
    recording: Recording,
    *,
    ax: Any = None,
    channels: Any = None,
    start: int | str | None = None,
    stop: int | str | None = None,
    width: int = 1200,
    spacing: float | None = None,
    events: Array | Iterable[Array] | None = None,
    **line: Any,
) -> Any:
    """Draw a recording: the smallest and largest value in each pixel column, several channels one below the other.

    Parameters
    ----------
    recording : Recording
        Of known length and real numbers.
    ax : matplotlib Axes, optional
        Where to draw; a figure of its own if not given.
    channels : int, str, slice or sequence, optional
        Channels to draw; all if not given.
    start, stop : int or str, optional
        Part to draw: samples, or times such as ``"10s"``.
    width : int
        Columns the recording is divided into; more than the picture has pixels shows nothing more.
    spacing : float, optional
        Distance between the base lines of two channels, in units of the samples; chosen from their range if not given.
    events : structured ndarray or iterable of them, optional
        Events to shade, with fields ``start`` and ``end`` and, unless an event is on all channels, ``channel``, all
        counted in `recording`, as ``recording.detect`` gives them. Where they crowd, the shade is the deeper the more
        there are.
    **line
        For the lines, such as ``color`` and ``linewidth``; see `matplotlib.lines.Line2D`.

    Returns
    -------
    matplotlib Axes
        ``ax.figure.savefig("picture.png")`` writes it, and a notebook shows ``ax.figure``.

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    SchemaError
        If there is nothing that could be drawn: a stream, complex samples, no samples, events without start and end.

    Notes
    -----
    The recording is streamed once and never held in memory. pyplot is not used, so no display is needed and no
    figure outlives its last reference; to draw into pyplot's figure pass ``ax=plt.gca()``.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.random.default_rng(0).standard_normal((9000, 3)), fs=1000, units="uV")
    >>> ax = rec.plot(start="2s")
    >>> ax.get_xlabel()
    'time (s)'
    """
    part = recording if channels is None else recording[:, channels]
    if ax is None:
        ax = new_axes(part.n_channels)
    span = recording._span(start, stop) if isinstance(recording.source, Source) else Span(0, 0)
    part = part if start is None and stop is None else part[span.start : span.stop]
    found = envelope(part, width)
    pieces = [events] if isinstance(events, np.ndarray) else events
    marks = None if pieces is None else event_marks(pieces, span, _places(recording, channels))
    draw(ax, part, found, first=span.start, spacing=spacing, marks=marks, **line)
    return ax


def draw(
    ax: Any,
    part: Recording,
    found: Envelope,
    *,
    first: int = 0,
    spacing: float | None = None,
    marks: Marks | None = None,
    **line: Any,
) -> None:
    """Draw an envelope, and events behind it.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    part : Recording
        What the envelope was computed of, for its rate, units and names.
    found : Envelope
        Its envelope.
    first : int
        Number of its first sample, for the axis of a recording without a rate.
    spacing, **line
        See `plot`.
    marks : Marks, optional
        Events, in as many rows as there are channels.
    """
    offsets = _offsets(found, spacing, part.ndim)
    x, y = _outline(found)
    seconds, unit = _time_unit(part.duration_s)
    ends = np.array([-0.5, found.edges[-1] - 0.5])
    x, ends = ((part.t0 + at / part.fs) / seconds if part.fs else at + first for at in (x, ends))
    crowded = len(offsets) > _LABELS
    if part.ndim > 1:
        ax.margins(y=0.01 if crowded else 0.05)
    ax.plot(x, y + offsets, **{"linewidth": 0.4 if crowded else 0.7, "color": "#1f4e79", **line})
    ax.set_xlim(x[0], x[-1] if x[-1] > x[0] else x[0] + 1)
    ax.set_xlabel(f"time ({unit})" if part.fs else "sample")
    if marks is not None:
        _shade(ax, marks, ends, offsets)
    if part.ndim == 1:
        ax.set_ylabel(f"amplitude ({part.units})" if part.units else "amplitude")
        return
    names = part.channel_names or [str(number) for number in part.channel_numbers]
    every = -(-len(names) // _LABELS)
    ax.set_yticks(offsets[::every], names[::every])
    distance = f"{-offsets[1]:,.6g} {part.units or ''}".rstrip() if len(offsets) > 1 else ""
    ax.set_ylabel(f"channel ({distance} apart)" if distance else "channel")


def new_axes(n_channels: int = 1) -> Any:
    """Make a figure of its own, without pyplot, as high as its channels want it.

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    """
    try:
        figure_module = import_module("matplotlib.figure")
        canvas_module = import_module("matplotlib.backends.backend_agg")
    except ImportError as error:
        raise MissingExtra("drawing needs matplotlib: pip install 'headrace[plot]'", extra="plot") from error
    height = min(max(4.0, 1.5 + 0.4 * n_channels), 16.0)
    figure = figure_module.Figure(figsize=(10, height), layout="constrained")
    canvas_module.FigureCanvasAgg(figure)
    ax = figure.add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _shade(ax: Any, marks: Marks, ends: Array, offsets: Array) -> None:
    """Lay one picture of all events behind the lines: its rows are channels, its columns a pixel or two wide."""
    limits, (low, high) = ax.get_xlim(), ax.get_ylim()
    bottom, top = low, high
    if len(offsets) > 1:
        half = -offsets[1] / 2
        bottom, top = offsets[-1] - half, offsets[0] + half
        low, high = min(low, bottom), max(high, top)
    touched = marks.counts > 0
    faint = 0.7 if len(offsets) > _LABELS else 0.3 if touched.mean() < 0.3 else 0.1
    most = marks.counts.max(initial=0)
    depth = np.sqrt(np.maximum(marks.counts - 1, 0) / max(most - 1, 1))
    picture = np.empty((*marks.counts.shape, 4), np.float32)
    picture[..., :3] = _EVENT
    picture[..., 3] = np.where(touched, faint + (0.8 - faint) * depth, 0)
    ax.imshow(picture, extent=(*ends, bottom, top), aspect="auto", interpolation="nearest", zorder=0.5)
    ax.set_xlim(*limits)
    ax.set_ylim(low, high)


def _places(recording: Recording, channels: Any) -> tuple[int, ...]:
    """Give the places of channels in a recording, which may itself be a part of another."""
    whole = Recording(recording.source, replace(recording._labels, channel_numbers=None))
    return (whole if channels is None else whole[:, channels]).channel_numbers


def _time_unit(duration_s: float | None) -> tuple[float, str]:
    """Choose the unit of the time axis: its seconds and its name."""
    if duration_s is None or duration_s < 600:
        return 1.0, "s"
    return (60.0, "min") if duration_s < 3 * 3600 else (3600.0, "h")


def _outline(found: Envelope) -> tuple[Array, Array]:
    """Trace low and high of each stretch, so that one line shows them all: x in samples, y (points, channels)."""
    edges = found.edges.astype(np.float64)
    if len(edges) - 1 == edges[-1]:  # one sample in each stretch: the signal itself
        return edges[:-1], found.low
    x = np.repeat((edges[:-1] + edges[1:] - 1) / 2, 2)
    y = np.empty((len(x), found.low.shape[1]))
    y[0::2], y[1::2] = found.low, found.high
    return x, y


def _offsets(found: Envelope, spacing: float | None, ndim: int) -> Array:
    """Give the base line of each channel: the first on top, far enough apart that the usual range fits."""
    n_channels = found.low.shape[1]
    if ndim == 1:
        return np.zeros(1)
    if spacing is None:
        middle = (found.low + found.high) / 2
        reach = np.abs(np.stack([found.low, found.high]) - np.nanmedian(middle, axis=0))
        finite = reach[np.isfinite(reach)]
        spacing = _round_up(2 * float(np.quantile(finite, 0.999))) if finite.size else 1.0
    elif not (np.isfinite(spacing) and spacing > 0):
        raise SchemaError(f"spacing= is a positive number, in units of the samples: got {spacing!r}")
    return -np.arange(n_channels) * (spacing or 1.0)


def _round_up(value: float) -> float:
    """Give the next of 1, 2, 3, 5, 10, 20, 30, 50 ...: a distance that can be read."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 3, 5, 10) if step * power >= value * (1 - 1e-9)))
