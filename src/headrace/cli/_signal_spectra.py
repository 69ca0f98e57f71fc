"""``headrace signal stft`` and ``headrace signal psd``: spectra, moment by moment and on average."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any

import click

from headrace.cli._batch import expand, transform
from headrace.cli._help import examples
from headrace.cli._input_events import InputEvents
from headrace.cli._options import (
    RunSettings,
    SourceOptions,
    inputs_argument,
    run_options,
    source_options,
    table_options,
)
from headrace.cli._picture import is_picture, say_picture, with_drawing, write_picture
from headrace.core.rowflow import RowFlow
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.signals import Recording

__all__ = ["psd_command", "stft_command"]

_WINDOW = click.option(
    "--window",
    default="hann",
    show_default=True,
    metavar="NAME",
    help="Times each frame: hann, hamming, blackman, boxcar ..., one that scipy.signal.get_window knows by name.",
)
_NOVERLAP = click.option(
    "--noverlap",
    type=click.IntRange(min=0),
    metavar="M",
    help="Samples that a frame shares with the next.  [default: half of N]",
)


@click.command(
    name="stft",
    epilog=examples(
        "headrace signal stft recording.npy spectra.npy --nperseg 1024 --noverlap 512",
        "headrace signal stft speech.wav power.npy --nperseg 400 --noverlap 240 --window hamming --power",
    ),
)
@inputs_argument
@click.argument("out", metavar="OUT")
@click.option("--nperseg", type=click.IntRange(min=1), required=True, metavar="N", help="Samples in a frame.")
@_NOVERLAP
@_WINDOW
@click.option(
    "--mfft", type=click.IntRange(min=1), metavar="K", help="Points of a transform, from N on; zeros fill up."
)
@click.option(
    "--scaling",
    type=click.Choice(["magnitude", "psd"]),
    help="Scale the window: to the amplitude of a tone, or to the root of a power density.  [default: neither]",
)
@click.option("--power", is_flag=True, help="Write squared magnitudes, real numbers, instead of complex spectra.")
@source_options
@run_options
@click.pass_context
def stft_command(ctx: click.Context, /, *, inputs: tuple[str, ...], out: str, power: bool, **values: Any) -> None:
    """Transform overlapping frames: the spectrum from moment to moment, as scipy.signal.ShortTimeFFT gives it.

    OUT has one spectrum for each frame: shape (frames, freqs), or (frames, channels, freqs) for several channels.
    float32 and integers of up to 16 bits give complex64, wider ones complex128. The middle of the first frame is
    sample 0 or before it; frames are N - M samples apart.
    """
    from headrace.signals import Spectrogram, Stft

    kind = Spectrogram if power else Stft
    names = ("nperseg", "noverlap", "window", "mfft", "scaling")
    operator = kind(**{name: values[name] for name in names})
    source, settings = SourceOptions.of(values), RunSettings.of(values)
    ctx.exit(transform(inputs, out, source, settings, lambda recording: recording.pipe(operator)))


@click.command(
    name="psd",
    epilog=examples(
        "headrace signal psd recording.npy psd.csv --fs 30000",
        "headrace signal psd recording.npy psd.png --fs 30000 --nperseg 4096",
        "headrace signal psd day.bin psd.npy --dtype int16 --n-channels 16 --fs 30000 --average median",
    ),
)
@inputs_argument
@click.argument("out", metavar="OUT")
@click.option("--nperseg", type=click.IntRange(min=1), metavar="N", help="Samples in a segment.  [default: 256]")
@_NOVERLAP
@_WINDOW
@click.option(
    "--detrend",
    type=click.Choice(["constant", "linear", "none"]),
    default="constant",
    show_default=True,
    help="What is taken out of each segment first.",
)
@click.option(
    "--scaling",
    type=click.Choice(["density", "spectrum"]),
    default="density",
    show_default=True,
    help="Power per hertz, or the power of a tone.",
)
@click.option(
    "--average",
    type=click.Choice(["mean", "median"]),
    default="mean",
    show_default=True,
    help="Over the segments; a median is not moved by a few loud ones.",
)
@source_options
@table_options
@click.pass_context
def psd_command(ctx: click.Context, /, *, inputs: tuple[str, ...], out: str, **values: Any) -> None:
    """Estimate how power is spread over frequencies, by Welch's method, as scipy.signal.welch does.

    OUT is a .csv, .npy, .arrow or .parquet table with the columns frequency_hz, channel and psd (or power), in order
    of frequency, then channel; or a picture, .png, .svg or .pdf. Of a batch, the table of each NAME.* is NAME.npy, or
    what --format says.
    """
    names = ("nperseg", "noverlap", "window", "scaling", "average")
    welch = {name: values[name] for name in names}
    welch["detrend"] = False if values["detrend"] == "none" else values["detrend"]
    source, settings = SourceOptions.of(values), RunSettings.of(values)

    def table_of(recording: Recording) -> RowFlow:
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            table = recording.psd(**welch)
        for note in notes:
            click.echo(f"headrace: {note.message}", err=True)
        return table

    if is_picture(out):
        _draw(expand(inputs), out, source, settings, table_of)
    else:
        ctx.exit(transform(inputs, out, source, settings, lambda recording: _of_input(recording, table_of(recording))))


def _of_input(recording: Recording, table: RowFlow) -> RowFlow:
    """Name channels as the whole input does."""
    return RowFlow(table.flow, InputEvents(table.function, 0, recording.channel_numbers), recording.t0)


def _draw(paths: list[Path], out: str, source: SourceOptions, settings: RunSettings, table_of: Any) -> None:
    """Draw the spectrum of one recording."""
    import numpy as np

    from headrace.core.publish import PartFile, refuse_input_as_output
    from headrace.signals.plot import new_axes
    from headrace.signals.spectra.plot import draw_psd

    began, cpu = time.perf_counter(), time.process_time()
    if len(paths) > 1 and not source.concat:
        raise SchemaError(f"{len(paths)} inputs, and one picture: draw them one by one, or as one with --concat")
    part_file = PartFile(out, job=f"psd {paths}", force=settings.force)
    with source.open(paths) as recording:
        refuse_input_as_output(out, tuple(str(path) for path in paths))
        ax = new_axes()
        run = {name: getattr(settings, name) for name in ("memory", "threads", "executor", "tmp")}
        with table_of(recording).batches(progress=settings.shows_progress, **run) as batches:
            rows = np.concatenate(list(batches))
        draw_psd(ax, recording, rows)
    ax.set_title(paths[0].name if len(paths) == 1 else "", loc="left", fontsize=10)
    write_picture(ax.figure, out, part_file)
    report = with_drawing(batches.report, time.perf_counter() - began, time.process_time() - cpu)
    say_picture(report, out, as_json=settings.as_json)
