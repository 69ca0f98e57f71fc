"""Pictures of recordings of any length, in constant memory."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.span import Span
from headrace.errors import MissingExtra, SchemaError
from headrace.signals.envelope import Envelope, envelope
from headrace.signals.marks import Marks, event_marks, event_tables
from headrace.signals.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.core.arrays import Array
    from headrace.core.operator import Spec
    from headrace.signals.flow import Flow

__all__ = ["channel_labels", "draw", "new_axes", "new_figure", "plot", "time_unit"]

_LABELS = 48  # most channels that can be told by name on the axis
_EVENT = (0.93, 0.42, 0.13)  # red, green, blue of the shade of events
_FINE = 600  # columns of events from which on one of them alone is too narrow to be seen


def plot(  # noqa: PLR0913 - what a picture may be asked for, all but one with a default
    recording: Recording | Flow,
    *,
    ax: Any = None,
    channels: Any = None,
    start: int | str | None = None,
    stop: int | str | None = None,
    width: int = 1200,
    spacing: float | None = None,
    events: Any = None,
    **line: Any,
) -> Any:
    """Draw a recording: the smallest and largest value in each pixel column, several channels one below the other.

    Each of several channels lies around its median, on the line of its name.

    Parameters
    ----------
    recording : Recording or Flow
        Of known length and real numbers. A flow is run, and drawn whole.
    ax : matplotlib Axes, optional
        Where to draw; a figure of its own if not given.
    channels : int, str, slice or sequence, optional
        Channels to draw; all if not given.
    start, stop : int or str, optional
        Part to draw: samples, or times such as ``"10s"``.
    width : int
        Columns the recording is divided into; more than the picture has pixels shows nothing more.
    spacing : float, optional
        Distance between the lines of two channels, in units of the samples; chosen from their range if not given.
    events : table, sequence of tables, or path, optional
        Events to shade and mark by a triangle above: tables as `headrace.signals.windows` takes them, with columns
        ``start`` and ``end`` and, unless an event is on all channels, ``channel``, all counted in `recording`, as
        ``recording.detect`` gives them; a flow of rows; or a file of them. Where they crowd, the shade is the deeper
        the more there are.
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
        If there is nothing that could be drawn: a stream, complex samples, no samples, a part of a flow, events
        without start and end.

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
    part, first = recording, 0
    if isinstance(recording, Recording):
        part = recording if channels is None else recording[:, channels]
        if start is not None or stop is not None:
            span = recording._span(start, stop)
            part, first = part[span.start : span.stop], span.start
    elif (channels, start, stop) != (None, None, None):
        raise SchemaError("a flow is drawn whole: choose from the recording before pipe(...), or write it to a file")
    ax = new_axes(_spec(part).n_channels) if ax is None else ax
    found = envelope(part, width)
    shown = Span(first, first + int(found.edges[-1]))
    marks = None if events is None else event_marks(event_tables(events), shown, _places(recording, channels))
    draw(ax, part, found, first=first, spacing=spacing, marks=marks, **line)
    return ax


def draw(
    ax: Any,
    part: Recording | Flow,
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
    part : Recording or Flow
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
    fs, n = _spec(part).fs, int(found.edges[-1])
    units = part.units if isinstance(part, Recording) else None
    several = found.low.shape[1] > 1
    centers = _centers(found) if several else np.zeros(1)
    offsets = _offsets(found, centers, spacing)
    x, y = _outline(found)
    seconds, unit = time_unit(n / fs if fs else None)
    whole = np.array([0.0, n])
    x, whole = ((part.t0 + at / fs) / seconds if fs else at + first for at in (x, whole))
    crowded = len(offsets) > _LABELS
    if several:
        ax.margins(y=0.01 if crowded else 0.05)
    ax.plot(x, y - centers + offsets, **{"linewidth": 0.4 if crowded else 0.7, "color": "#1f4e79", **line})
    ax.set_xlim(*whole)
    ax.set_xlabel(f"time ({unit})" if fs else "sample")
    if marks is not None:
        half = (whole[1] - whole[0]) / n / 2
        _mark(ax, marks, (whole[0] - half, whole[1] - half), offsets)
    if not several:
        ax.set_ylabel(f"amplitude ({units})" if units else "amplitude")
        return
    shown = channel_labels(part)
    every = -(-len(shown) // _LABELS)
    ax.set_yticks(offsets[::every], shown[::every])
    distance = f"{-offsets[1]:,.6g} {units or ''}".rstrip()
    ax.set_ylabel(f"channel (medians {distance} apart)")


def new_axes(n_channels: int = 1) -> Any:
    """Make axes in a figure of its own; see `new_figure`."""
    ax = new_figure(n_channels).add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def new_figure(n_channels: int) -> Any:
    """Make a figure without pyplot, as high as its channels want it.

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
    return figure


def channel_labels(part: Recording | Flow) -> list[str]:
    """Name the channels: as the recording does, or by their numbers."""
    names = part.channel_names if isinstance(part, Recording) else None
    return list(names) if names else [str(number) for number in _numbers(part)]


def _spec(part: Recording | Flow) -> Spec:
    return part.source.spec if isinstance(part, Recording) else part.spec


def _numbers(part: Recording | Flow) -> Sequence[int]:
    """Tell which channels these are: of the recording's file, or of what a flow gives."""
    return part.channel_numbers if isinstance(part, Recording) else range(part.spec.n_channels)


def _mark(ax: Any, marks: Marks, ends: tuple[float, float], offsets: Array) -> None:
    """Lay one picture of all events under the lines, its rows channels; and a triangle above each stretch of events."""
    limits, (low, high) = ax.get_xlim(), ax.get_ylim()
    several, crowded = len(offsets) > 1, len(offsets) > _LABELS
    bottom, top = low, high
    if several:
        half = -offsets[1] / 2
        bottom, top = offsets[-1] - half, offsets[0] + half
        low, high = min(low, bottom), max(high, top)
    counts = _widened(marks.counts)
    touched = counts > 0
    faint = 0.9 if crowded else 0.5 if touched.mean() < 0.3 else 0.1
    most = counts.max(initial=0)
    depth = np.sqrt(np.maximum(counts - 1, 0) / max(most - 1, 1))
    picture = np.empty((*counts.shape, 4), np.float32)
    picture[..., :3] = _EVENT
    picture[..., 3] = np.where(touched, faint + (0.9 - faint) * depth, 0)
    over = 2.5 if crowded else 0.5  # rows of a pixel or two would be hidden by their lines
    ax.imshow(picture, extent=(*ends, bottom, top), aspect="auto", interpolation="nearest", zorder=over)
    if not crowded:
        row, middle = _middles(touched)
        x = ends[0] + middle * ((ends[1] - ends[0]) / counts.shape[1])
        y = offsets[row] + half if several else np.full(len(x), high)
        size = 6 if len(offsets) <= 16 else 4
        ax.plot(x, y, "v", color=(0.82, 0.29, 0.05), markersize=size, clip_on=False, label="events", zorder=3)
    ax.set_xlim(*limits)
    ax.set_ylim(low, high)


def _places(recording: Recording | Flow, channels: Any) -> Sequence[int]:
    """Give the places of channels in what is drawn, which may itself be a part of a recording."""
    if not isinstance(recording, Recording):
        return range(recording.spec.n_channels)
    whole = Recording(recording.source, replace(recording._labels, channel_numbers=None))
    return (whole if channels is None else whole[:, channels]).channel_numbers


def _widened(counts: Array) -> Array:
    """Spread what is one fine column wide over those beside it, so that it is seen."""
    if counts.shape[1] < _FINE:
        return counts
    padded = np.pad(counts, ((0, 0), (2, 2)))
    alone = np.where((padded[:, :-2] == 0) & (padded[:, 2:] == 0), padded[:, 1:-1], 0)
    return np.maximum(counts, np.maximum(alone[:, :-2], alone[:, 2:]))


def _middles(touched: Array) -> tuple[Array, Array]:
    """Find the runs of marked columns: the row of each, and its middle in columns."""
    edges = np.diff(np.pad(touched, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, start = np.nonzero(edges > 0)
    _, end = np.nonzero(edges < 0)
    return row, (start + end) / 2


def time_unit(duration_s: float | None) -> tuple[float, str]:
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


def _centers(found: Envelope) -> Array:
    """Give the median of each channel, or nearly: that of the middles of its stretches; 0 where there is none."""
    with np.errstate(invalid="ignore"):  # from minus to plus infinity
        middle = ((found.low + found.high) / 2).T
    return np.array([np.median(row[known]) if (known := np.isfinite(row)).any() else 0.0 for row in middle])


def _offsets(found: Envelope, centers: Array, spacing: float | None) -> Array:
    """Give the line of each channel: the first on top, far enough apart that the usual range fits."""
    if spacing is None:
        reach = np.abs(np.stack([found.low, found.high]) - centers)
        finite = reach[np.isfinite(reach)]
        spacing = _round_up(2 * float(np.quantile(finite, 0.999))) if finite.size else 1.0
    elif not (np.isfinite(spacing) and spacing > 0):
        raise SchemaError(f"spacing= is a positive number, in units of the samples: got {spacing!r}")
    return -np.arange(len(centers)) * (spacing or 1.0)


def _round_up(value: float) -> float:
    """Give the next of 1, 2, 3, 5, 10, 20, 30, 50 ...: a distance that can be read."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 3, 5, 10) if step * power >= value * (1 - 1e-9)))
