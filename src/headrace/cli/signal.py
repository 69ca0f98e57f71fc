"""``headrace signal``: filter and convert recordings bigger than memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from headrace.cli._batch import transform
from headrace.cli._detect import detect_command
from headrace.cli._help import examples
from headrace.cli._options import RunSettings, SourceOptions, run_options, source_options
from headrace.errors import FormatError, SchemaError

if TYPE_CHECKING:
    from headrace.core.arrays import Array

_MAX_TAPS_BYTES = 1 << 30
_ARGUMENTS = (
    click.argument("inputs", metavar="IN...", nargs=-1, required=True),
    click.argument("out", metavar="OUT"),
)


@click.group(
    epilog=examples(
        "headrace signal filter recording.npy filtered.npy --taps taps.npy",
        "headrace signal detect recording.npy events.csv --threshold 3.5",
        "headrace signal convert recording.bin part.npy --dtype int16 --n-channels 16 --fs 30000 --stop 60s",
    )
)
def command() -> None:
    """Filter and convert recordings bigger than memory, exactly, in a byte budget.

    IN is a .npy file, or with --dtype a raw file of any name. OUT ending in .npy holds an array of shape
    (n,) or (n, channels), any other OUT raw samples in C order. It appears complete or not at all.

    Several IN, or a pattern in quotes, are a batch: OUT is a folder, made if it is missing, in which NAME.npy
    is written for each NAME.*, and a file that fails does not stop the rest (exit code 3). With --concat they
    are one recording. The output's bytes do not depend on --memory, --threads or --executor.
    """


@command.command(
    name="filter",
    epilog=examples(
        "headrace signal filter recording.npy filtered.npy --taps taps.npy --memory 64MB",
        "headrace signal filter day.bin filtered.npy --taps taps.npy --dtype int16 --n-channels 16",
        "headrace signal filter 'day-*.npy' filtered/ --taps taps.npy --out-dtype int16",
        "",
        "taps.npy holds the impulse response, such as this band-pass from 300 to 6000 Hz:",
        '  python -c "import numpy as np, scipy.signal as s;',
        "    np.save('taps.npy', s.firwin(1023, [300, 6000], pass_zero=False, fs=30000))\"",
    ),
)
@_ARGUMENTS[0]
@_ARGUMENTS[1]
@click.option("--taps", required=True, metavar="TAPS.npy", help="Impulse response: a .npy file of numbers, shape (k,).")
@click.option(
    "--mode",
    type=click.Choice(["same", "full", "valid"]),
    default="same",
    show_default=True,
    help="Part of the convolution to write: as long as the input, all of it, or what touches no edge.",
)
@source_options
@run_options
@click.pass_context
def filter_command(
    ctx: click.Context, /, *, inputs: tuple[str, ...], out: str, taps: str, mode: Any, **values: Any
) -> None:
    """Filter with a finite impulse response, as scipy.signal.oaconvolve would in float64 on the whole array.

    float32 and integers of up to 16 bits give float32, wider ones float64, unless --out-dtype says otherwise.
    """
    from headrace.signals import Fir

    operator = Fir(read_taps(taps), mode=mode)
    source, settings = SourceOptions.of(values), RunSettings.of(values)
    ctx.exit(transform(inputs, out, source, settings, lambda recording: recording.pipe(operator)))


@command.command(
    name="convert",
    epilog=examples(
        "headrace signal convert recording.bin recording.npy --dtype int16 --n-channels 16",
        "headrace signal convert recording.npy volts.npy --scale 1.95e-7 --channels 0,3-5",
        "headrace signal convert 'part-*.npy' whole.npy --concat",
    ),
)
@_ARGUMENTS[0]
@_ARGUMENTS[1]
@source_options
@run_options
@click.pass_context
def convert_command(ctx: click.Context, /, *, inputs: tuple[str, ...], out: str, **values: Any) -> None:
    """Copy a recording, or a part of it, into another format, dtype or layout."""
    source, settings = SourceOptions.of(values), RunSettings.of(values)
    ctx.exit(transform(inputs, out, source, settings, lambda recording: recording.pipe()))


def read_taps(path: str) -> Array:
    """Read an impulse response from a .npy file, as untrusted bytes.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    ndarray, shape (k,)
        As stored.

    Raises
    ------
    FormatError
        If the file is no readable .npy file of numbers.
    SchemaError
        If it holds anything but one row of numbers.
    """
    import numpy as np

    from headrace.core.arrays import byte_view
    from headrace.core.files import FileReader
    from headrace.core.npy import NpyHeader

    remedy = "save the impulse response with numpy.save('taps.npy', taps)"
    try:
        reader = FileReader(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(2, f"no such file, given as --taps; {remedy}", path) from error
    with reader as file:
        try:
            header = NpyHeader.read(file)
        except FormatError as error:
            raise FormatError(f"--taps: {error}; {remedy}") from error
        if len(header.shape) != 1 or header.dtype.kind not in "iufc":
            raise SchemaError(
                f"--taps: {path} holds shape {header.shape} of {header.dtype}, not one row of numbers (k,); {remedy}"
            )
        if file.size > _MAX_TAPS_BYTES:
            raise SchemaError(f"--taps: {path} has {file.size} bytes, more than any impulse response; {remedy}")
        taps: Array = np.empty(header.shape, header.dtype)
        if taps.nbytes:
            file.read_into(byte_view(taps), header.offset)
    return taps


command.add_command(detect_command)
