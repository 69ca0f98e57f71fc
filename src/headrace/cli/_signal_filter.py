"""``headrace signal filter``: with taps, with second-order sections, or with a Butterworth filter designed here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from headrace.cli._band import BandCommand, pass_type, read_band
from headrace.cli._batch import transform
from headrace.cli._coefficients import read_sos, read_taps
from headrace.cli._help import examples
from headrace.cli._options import RunSettings, SourceOptions, Worded, inputs_argument, run_options, source_options
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.arrays import Array
    from headrace.core.operator import Operator
    from headrace.signals import Recording

__all__ = ["filter_command"]


@click.command(
    name="filter",
    cls=BandCommand,
    epilog=examples(
        "headrace signal filter recording.npy filtered.npy --taps taps.npy --memory 64MB",
        "headrace signal filter recording.npy filtered.npy --butter 4 --band 300 6000 --fs 30000",
        "headrace signal filter speech.wav low.wav --butter 2 --band 100 --btype lowpass --out-dtype int16",
        "headrace signal filter day.bin filtered.npy --sos sos.npy --zero-phase --dtype int16 --n-channels 16",
        "headrace signal filter 'day-*.npy' filtered/ --taps taps.npy --out-dtype int16",
        "",
        "taps.npy holds the impulse response, such as this band-pass from 300 to 6000 Hz:",
        '  python -c "import numpy as np, headrace.signals as s;',
        "    np.save('taps.npy', s.firwin(1023, [300, 6000], pass_zero=False, fs=30000))\"",
    ),
)
@inputs_argument
@click.argument("out", metavar="OUT")
@click.option("--taps", metavar="TAPS.npy", help="Impulse response: a .npy file of numbers, shape (k,).")
@click.option(
    "--mode",
    type=click.Choice(["same", "full", "valid"]),
    default="same",
    show_default=True,
    help="Of --taps: the part of the convolution to write: as long as the input, all of it, or what touches no edge.",
)
@click.option("--sos", metavar="SOS.npy", help="Second-order sections: a .npy file of numbers, shape (s, 6).")
@click.option("--butter", type=click.IntRange(min=1), metavar="ORDER", help="A Butterworth filter; needs --band.")
@click.option(
    "--band",
    type=Worded("band", read_band),
    metavar="LO [HI]",
    help="Of --butter: its edges in hertz; one alone needs --btype lowpass or highpass.",
)
@click.option(
    "--btype",
    type=click.Choice(["bandpass", "bandstop", "lowpass", "highpass"]),
    help="Of --butter: what passes.  [default: bandpass]",
)
@click.option("--zero-phase", is_flag=True, help="Of --sos and --butter: filter forward and backward, without delay.")
@source_options
@run_options
@click.pass_context
def filter_command(
    ctx: click.Context, /, *, inputs: tuple[str, ...], out: str, zero_phase: bool, **values: Any
) -> None:
    """Filter, as scipy.signal would in float64 on the whole array.

    With --taps as oaconvolve, with --sos as sosfilt; --butter designs the sections first, for the rate that the file
    states or --fs gives. With --zero-phase as sosfiltfilt. float32 and integers of up to 16 bits give float32, wider
    ones float64, unless --out-dtype says otherwise.
    """
    _check(ctx, zero_phase, **{name: values[name] for name in ("taps", "sos", "butter", "band", "btype")})
    operator_of = _operator_of(zero_phase, values)
    source, settings = SourceOptions.of(values), RunSettings.of(values)
    ctx.exit(transform(inputs, out, source, settings, lambda recording: recording.pipe(operator_of(recording))))


def _check(ctx: click.Context, zero_phase: bool, **given: Any) -> None:
    """Refuse options that do not go together, and say what to type."""
    chosen = [f"--{name}" for name in ("taps", "sos", "butter") if given[name] is not None]
    if not chosen:
        raise click.UsageError("say which filter: --taps TAPS.npy, --sos SOS.npy, or --butter ORDER --band LO HI")
    if len(chosen) > 1:
        raise click.UsageError(f"{' and '.join(chosen)} are {len(chosen)} filters: give one of them")
    typed = click.core.ParameterSource.COMMANDLINE
    if chosen != ["--taps"] and ctx.get_parameter_source("mode") is typed:
        raise click.UsageError(f"--mode goes with --taps: the output of {chosen[0]} is as long as the input")
    if chosen != ["--butter"]:
        for name in ("band", "btype"):
            if given[name] is not None:
                raise click.UsageError(f"--{name} goes with --butter ORDER: {chosen[0]} holds a whole filter already")
    elif given["band"] is None:
        raise click.UsageError(
            f"--butter {given['butter']} needs its edges: --band LO HI, or --band LO --btype lowpass"
        )
    else:
        pass_type(given["btype"], given["band"])
    if zero_phase and chosen == ["--taps"]:
        raise click.UsageError(
            "--zero-phase goes with --sos and --butter: symmetric --taps in --mode same delay nothing as they are"
        )


def _operator_of(zero_phase: bool, values: dict[str, Any]) -> Callable[[Recording], Operator]:
    """Give the function that makes the operator for a recording; files are read once, now."""
    from headrace import signals

    if values["taps"] is not None:
        fir = signals.Fir(read_taps(values["taps"]), mode=values["mode"])
        return lambda recording: fir  # noqa: ARG005 - the same for all
    kind = signals.SosFiltFilt if zero_phase else signals.SosFilt
    if values["sos"] is not None:
        filtered: Operator = kind(read_sos(values["sos"]))
        return lambda recording: filtered  # noqa: ARG005
    order, band = values["butter"], values["band"]
    btype = pass_type(values["btype"], band)
    return lambda recording: kind(_butterworth(recording, order, band, btype))


def _butterworth(recording: Recording, order: int, band: tuple[float, ...], btype: str) -> Array:
    from headrace.signals import butter

    if recording.fs is None:
        raise SchemaError(f"--butter {order}: --band is in hertz, and the recording has no rate: give fs= (--fs)")
    return butter(order, band if len(band) == 2 else band[0], btype, fs=recording.fs)
