"""``headrace signal``: filter, transform, search, resample, convert and draw recordings bigger than memory."""

from __future__ import annotations

from typing import Any

import click

from headrace.cli._batch import transform
from headrace.cli._detect import detect_command
from headrace.cli._fft import fft_command, ifft_command
from headrace.cli._help import examples
from headrace.cli._options import RunSettings, SourceOptions, inputs_argument, run_options, source_options
from headrace.cli._plot import plot_command
from headrace.cli._signal_filter import filter_command
from headrace.cli._signal_spectra import psd_command, stft_command
from headrace.signals.operators import Resample


@click.group(
    epilog=examples(
        "headrace signal filter recording.npy filtered.npy --taps taps.npy",
        "headrace signal detect recording.npy events.csv --threshold 3.5",
        "headrace signal convert recording.bin part.npy --dtype int16 --n-channels 16 --fs 30000 --stop 60s",
        "headrace signal filter 'day-*.npy' filtered/ --taps taps.npy --resume",
    )
)
def command() -> None:
    """Filter, transform, search, resample, convert and draw recordings bigger than memory, in a byte budget.

    IN is a .npy or .wav file, or with --dtype a raw file of any name. OUT ending in .npy holds an array of
    shape (n,) or (n, channels), OUT ending in .wav is a WAV file, and one ending in .bin, .dat, .raw, the
    likes of .i16, or in nothing raw samples in C order. It appears complete or not at all.

    Several IN, or a pattern in quotes, are a batch: OUT is a folder, made if it is missing, in which NAME.npy
    (or what --format says) is written for each NAME.*, and a file that fails does not stop the rest (exit code
    3). With --concat they are one recording. The output's bytes do not depend on --memory, --threads or --executor, nor
    on a kill, if the command was given with --resume and is given again.
    """


@command.command(
    name="convert",
    epilog=examples(
        "headrace signal convert recording.bin recording.npy --dtype int16 --n-channels 16",
        "headrace signal convert recording.npy volts.npy --scale 1.95e-7 --channels 0,3-5",
        "headrace signal convert speech.wav speech.npy",
        "headrace signal convert 'part-*.npy' whole.npy --concat",
    ),
)
@inputs_argument
@click.argument("out", metavar="OUT")
@source_options
@run_options
@click.pass_context
def convert_command(ctx: click.Context, /, *, inputs: tuple[str, ...], out: str, **values: Any) -> None:
    """Copy a recording, or a part of it, into another format, dtype or layout."""
    source, settings = SourceOptions.of(values), RunSettings.of(values)
    ctx.exit(transform(inputs, out, source, settings, lambda recording: recording.pipe()))


@command.command(
    name="resample",
    epilog=examples(
        "headrace signal resample speech.wav speech_16k.wav --up 160 --down 441",
        "headrace signal resample recording.npy slow.npy --down 30 --fs 30000 --memory 32MB",
    ),
)
@inputs_argument
@click.argument("out", metavar="OUT")
@click.option("--up", type=click.IntRange(min=1), default=1, metavar="U", help="Samples out (default 1) ...")
@click.option("--down", type=click.IntRange(min=1), default=1, metavar="D", help="... for so many in (default 1).")
@source_options
@run_options
@click.pass_context
def resample_command(
    ctx: click.Context, /, *, inputs: tuple[str, ...], out: str, up: int, down: int, **values: Any
) -> None:
    """Change the sampling rate by the factor U / D, as scipy.signal.resample_poly does."""
    source, settings = SourceOptions.of(values), RunSettings.of(values)
    if up == down:
        raise click.UsageError("the rate stays as it is: give --up U, --down D or both")
    rate = Resample(up, down)
    ctx.exit(transform(inputs, out, source, settings, lambda recording: recording.pipe(rate)))


command.add_command(detect_command)
command.add_command(fft_command)
command.add_command(filter_command)
command.add_command(ifft_command)
command.add_command(plot_command)
command.add_command(psd_command)
command.add_command(stft_command)
