"""``headrace signal fft`` and ``ifft``: the spectrum of a whole recording, and the way back."""

from __future__ import annotations

from typing import Any

import click

from headrace.cli._batch import transform
from headrace.cli._help import examples
from headrace.cli._options import RunSettings, SourceOptions, inputs_argument, run_options, source_options
from headrace.signals.operators import Fft, Ifft

__all__ = ["fft_command", "ifft_command"]

_length = click.option(
    "--n", type=click.IntRange(min=1), metavar="N", help="Length of the transform [default: all of IN]."
)


@click.command(
    name="fft",
    epilog=examples(
        "headrace signal fft recording.npy spectrum.npy",
        "headrace signal fft recording.f32 spectrum.c64 --dtype float32 --memory 64MB --tmp /scratch",
        "headrace signal fft probe.bin spectrum.npy --dtype int16 --n-channels 384 --channels 17",
    ),
)
@inputs_argument
@click.argument("out", metavar="OUT")
@_length
@source_options
@run_options
@click.pass_context
def fft_command(ctx: click.Context, /, *, inputs: tuple[str, ...], out: str, n: int | None, **values: Any) -> None:
    """Transform a whole channel of any length: scipy.fft.rfft of a real one, scipy.fft.fft of a complex one.

    OUT has N // 2 + 1 values, or N of a complex channel. Exact for every length, primes too, in passes over
    temporary files, whose size is said first; --tmp names their folder. With --n the channel is cut, or continued
    by zeros.
    """
    source, settings, operator = SourceOptions.of(values), RunSettings.of(values), Fft(n)
    ctx.exit(transform(inputs, out, source, settings, lambda recording: recording.pipe(operator)))


@click.command(
    name="ifft",
    epilog=examples(
        "headrace signal ifft spectrum.npy recording.npy --real",
        "headrace signal ifft spectrum.npy recording.npy --real --n 250000001",
        "headrace signal ifft spectrum.c64 recording.c64 --dtype complex64",
    ),
)
@inputs_argument
@click.argument("out", metavar="OUT")
@_length
@click.option(
    "--real", is_flag=True, help="IN is the half of a spectrum that `fft` gives of a real channel; so is OUT."
)
@source_options
@run_options
@click.pass_context
def ifft_command(
    ctx: click.Context, /, *, inputs: tuple[str, ...], out: str, n: int | None, real: bool, **values: Any
) -> None:
    """Transform a whole spectrum back: scipy.fft.ifft, or with --real scipy.fft.irfft.

    With --real OUT has 2 (M - 1) samples for M values; a recording of odd length needs --n.
    """
    source, settings, operator = SourceOptions.of(values), RunSettings.of(values), Ifft(n, real=real)
    ctx.exit(transform(inputs, out, source, settings, lambda recording: recording.pipe(operator)))
