"""Pictures of recordings of any length, in constant memory."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import MissingExtra, SchemaError
from headrace.signals.envelope import Envelope, envelope

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.signals.recording import Recording

__all__ = ["plot"]


def plot(
    recording: Recording,
    *,
    ax: Any = None,
    channels: Any = None,
    start: int | str | None = None,
    stop: int | str | None = None,
    width: int = 1200,
    spacing: float | None = None,
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
        If there is nothing that could be drawn: a stream, complex samples, no samples.

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
    if ax is None:
        ax = _new_axes()
    part = recording if channels is None else recording[:, channels]
    part = part if start is None and stop is None else part[start:stop]
    found = envelope(part, width)
    offsets = _offsets(found, spacing, part.ndim)
    x, y = _outline(found)
    x = part.t0 + x / part.fs if part.fs else x + _first_sample(recording, start)
    ax.plot(x, y + offsets, **{"linewidth": 0.7, "color": "#1f4e79", **line})
    ax.set_xlim(x[0], x[-1] if x[-1] > x[0] else x[0] + 1)
    ax.set_xlabel("time (s)" if part.fs else "sample")
    if part.ndim == 1:
        ax.set_ylabel(f"amplitude ({part.units})" if part.units else "amplitude")
        return ax
    names = part.channel_names or [str(number) for number in part.channel_numbers]
    ax.set_yticks(offsets, names)
    distance = f"{-offsets[1]:,.6g} {part.units or ''}".rstrip() if len(offsets) > 1 else ""
    ax.set_ylabel(f"channel ({distance} apart)" if distance else "channel")
    return ax


def _new_axes() -> Any:
    try:
        figure_module = import_module("matplotlib.figure")
        canvas_module = import_module("matplotlib.backends.backend_agg")
    except ImportError as error:
        raise MissingExtra("drawing needs matplotlib: pip install 'headrace[plot]'", extra="plot") from error
    figure = figure_module.Figure(figsize=(10, 4), layout="constrained")
    canvas_module.FigureCanvasAgg(figure)
    ax = figure.add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    return ax


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
    """Give the next of 1, 2, 5, 10, 20, 50 ...: a distance that can be read."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9)))


def _first_sample(recording: Recording, start: int | str | None) -> int:
    return 0 if start is None else recording._span(start, None).start
