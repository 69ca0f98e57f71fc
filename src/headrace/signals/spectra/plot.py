"""Pictures of power over time and frequency, in constant memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.signals.plot import channel_labels, new_figure, time_unit
from headrace.signals.spectra.picture import measure_power

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.signals.flow import Flow
    from headrace.signals.recording import Recording
    from headrace.signals.spectra.picture import PowerPicture

__all__ = ["draw_psd", "draw_spectrogram", "plot_spectrogram"]

_COLOURS = "magma"
_QUIET, _LOUD = 0.02, 0.9995  # of the picture lies below the darkest colour, and below the brightest
_NAMED = 24  # most lines that a legend names
_DEEPEST_DB = 90.0  # below the brightest nothing more is told apart


def plot_spectrogram(
    recording: Recording | Flow, *, nperseg: int | None = None, width: int = 1000, **options: Any
) -> Any:
    """Draw how power is spread over frequencies, moment by moment: time to the right, frequency upwards.

    Parameters
    ----------
    recording : Recording or Flow
        Of known length and rate, of real numbers, at most 12 channels: one panel each.
    nperseg : int, optional
        Samples of a segment: longer ones tell frequencies apart, shorter ones moments. Default by the length of the
        recording, 64 to 4096.
    width : int
        The most columns; each is a mean over the segments in it.
    **options
        Of the pass over the recording, such as `memory` and `threads`: see `Flow`.

    Returns
    -------
    matplotlib Figure
        ``figure.savefig("picture.png")`` writes it, and a notebook shows it.

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    SchemaError
        If there is nothing that could be drawn: a stream, complex samples, no rate, no samples, too many channels.

    Notes
    -----
    The recording is streamed once and never held in memory. Power densities in decibels, those of
    `headrace.signals.Welch` with a Hann window; the colours reach from the quiet part of the picture to its loudest.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.random.default_rng(0).standard_normal(9000), fs=1000, units="uV")
    >>> figure = rec.plot_spectrogram()
    >>> figure.axes[0].get_ylabel()
    'frequency (Hz)'
    """
    figure = new_figure(1)
    found, _ = measure_power(recording, width, nperseg=nperseg, **options)
    return draw_spectrogram(figure, recording, found)


def draw_spectrogram(figure: Any, part: Recording | Flow, found: PowerPicture) -> Any:
    """Draw a spectrogram into an empty figure: a panel for each channel, and a colour bar; give the figure."""
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = 10 * np.log10(found.power)
    low, high = _range(levels)
    panels = len(levels)
    figure.set_size_inches(10, min(max(4.0, 1.2 + 1.5 * panels), 16.0))
    axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
    seconds, time = time_unit(found.duration_s)
    scale, hertz = (1e3, "kHz") if found.top_hz >= 2000 else (1.0, "Hz")
    begin = part.t0 / seconds
    extent = (begin, begin + found.duration_s / seconds, 0, found.top_hz / scale)
    for ax, level in zip(axes, levels, strict=True):
        picture = ax.imshow(
            level, extent=extent, origin="lower", aspect="auto", cmap=_COLOURS, vmin=low, vmax=high,
            interpolation="nearest", rasterized=True,
        )  # fmt: skip
        ax.set_facecolor("#d9d9d9")  # where there is NaN
        ax.tick_params(direction="out", length=3)
        ax.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel(f"time ({time})")
    if panels == 1:
        axes[0].set_ylabel(f"frequency ({hertz})")
    else:
        figure.supylabel(f"frequency ({hertz})", fontsize="medium")
        for ax, name in zip(axes, channel_labels(part), strict=True):
            ax.set_title(f"channel {name}" if name.isdecimal() else name, loc="left", fontsize="small", pad=2)
    units = getattr(part, "units", None)
    bar = figure.colorbar(picture, ax=list(axes), pad=0.015, aspect=min(60, 16 * panels), extend="both")
    bar.set_label(f"power density (dB re 1 {units}²/Hz)" if units else "power density (dB)")
    bar.outline.set_visible(False)
    return figure


def draw_psd(ax: Any, part: Recording | Flow, rows: Array) -> None:
    """Draw a table of `headrace.signals.Welch`: a line for each channel, in decibels over hertz.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    part : Recording or Flow
        What the table was made of, for its units and names.
    rows : ndarray, shape (k,), structured
        The table.
    """
    labels = channel_labels(part)
    hertz = rows["frequency_hz"].reshape(-1, len(labels))[:, 0]
    value = rows.dtype.names[-1]  # type: ignore[index]
    order = np.argsort(hertz, kind="stable")
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = 10 * np.log10(rows[value].reshape(-1, len(labels)))[order]
    levels[np.isinf(levels)] = np.nan  # no power at all, as constants have at 0 Hz
    hertz = hertz[order]
    scale, unit = (1e3, "kHz") if hertz[-1] >= 2000 else (1.0, "Hz")
    several = len(labels) > 1
    for level, label, colour in zip(levels.T, labels, _line_colours(len(labels)), strict=True):
        ax.plot(hertz / scale, level, color=colour, linewidth=1.0 if not several else 0.8, label=label)
    ax.set_xlim(hertz[0] / scale, hertz[-1] / scale)
    ax.margins(y=0.06)
    ax.grid(True, color="#e5e5e5", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_xlabel(f"frequency ({unit})")
    density = value == "psd"
    what, per = ("power density", "/Hz") if density else ("power", "")
    units = getattr(part, "units", None)
    ax.set_ylabel(f"{what} (dB re 1 {units}²{per})" if units else f"{what} (dB)")
    if 1 < len(labels) <= _NAMED:
        ax.legend(title="channel", frameon=False, fontsize="small", ncols=-(-len(labels) // 8))


def _line_colours(count: int) -> list[Any]:
    """Give a colour for each line: the house's blue, or of several a row of colours of like brightness."""
    if count == 1:
        return ["#1f4e79"]
    from matplotlib import colormaps

    return [colormaps["viridis"](place) for place in np.linspace(0.0, 0.9, count)]


def _range(levels: Array) -> tuple[float, float]:
    """Choose the levels of the darkest and the brightest colour."""
    finite = levels[np.isfinite(levels)]
    if not finite.size:
        return -1.0, 1.0
    low, high = (float(level) for level in np.quantile(finite, [_QUIET, _LOUD]))
    low = max(low, high - _DEEPEST_DB)
    return (low, high) if high - low > 1 else (low - 0.5, high + 0.5)
