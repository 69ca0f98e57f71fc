"""The options that all commands on recordings share, and how their words become values."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import click

from headrace.core.arrays import delivered_dtype
from headrace.core.sizes import parse_bytes
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from headrace.signals import Recording

__all__ = [
    "RunSettings",
    "SourceOptions",
    "Worded",
    "inputs_argument",
    "read_length",
    "run_options",
    "size_type",
    "source_options",
    "table_options",
]

_MAX_CHANNELS = 1 << 20


if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # which cannot be subscripted before click 8.4


class Worded(_ParamType):
    """A value read by a function; what it raises as ``ValueError`` is a usage error."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name, self._read = name, read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except (ValueError, SchemaError) as error:
            self.fail(str(error), param, ctx)


def read_channels(text: str) -> int | list[int]:
    """Read ``"0"`` as one channel, ``"0,3-5"`` as a list of them.

    Examples
    --------
    >>> read_channels("0"), read_channels("0,3-5"), read_channels("2,")
    (0, [0, 3, 4, 5], [2])
    """
    chosen: list[int] = []
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        match = re.fullmatch(r"(\d+)(?:\s*-\s*(\d+))?", word)
        if match is None:
            raise ValueError(f"{word!r} is no channel: write numbers and ranges, such as 0,3-5")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last > _MAX_CHANNELS:
            raise ValueError(f"{word!r} is no range of channels: write the lower number first, such as 3-5")
        chosen += range(first, last + 1)
    if not chosen:
        raise ValueError("no channel was named: write numbers and ranges, such as 0,3-5")
    return chosen[0] if len(chosen) == 1 and "," not in text and "-" not in text else chosen


def read_numbers(text: str) -> float | list[float]:
    """Read ``"0.195"`` as one number, ``"1,2,0.5"`` as one for each channel."""
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError as error:
        raise ValueError(f"{text!r} is not a number, or numbers such as 1,2,0.5, one for each channel") from error
    return numbers[0] if len(numbers) == 1 else numbers


def read_stored_dtype(text: str) -> str:
    """Check that samples in a file may have this dtype."""
    from headrace.signals.sources.calibration import StoredType

    StoredType.parse(text)
    return text


def read_dtype(text: str) -> str:
    """Check that samples may be delivered in this dtype."""
    delivered_dtype(text)
    return text


def read_position(text: str) -> str:
    """Check that this is a sample number or a time; which sample it is, the recording will say."""
    from headrace.signals.positions import parse_position

    parse_position(text, n=0, fs=1.0)
    return text


def read_length(text: str) -> int | str:
    """Read a number of samples, or check that this is a time."""
    from headrace.signals.positions import checked_length

    return checked_length("length", int(text) if text.strip().lstrip("+-").isdecimal() else text)


size_type = Worded("size", parse_bytes)
"""Bytes as people write them: 64MB, 64MiB."""


def _some(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG001
    if not words and not ctx.resilient_parsing:
        raise click.UsageError("OUT is missing: name what to read, and last of all what to write", ctx)
    return words


inputs_argument = click.argument("inputs", metavar="IN...", nargs=-1, callback=_some)
"""The paths to read, all but the last; click alone would say that IN is missing where one path was given."""

_SOURCE = (
    click.option("--dtype", type=Worded("dtype", read_stored_dtype), metavar="DTYPE",
                 help="What a raw file holds: int16, float32, '>i4', int24 ... Any file is then read as raw samples."),
    click.option("--n-channels", type=click.IntRange(min=1), metavar="N", help="Channels in a raw file (default 1)."),
    click.option("--fs", type=click.FloatRange(min=0, min_open=True), metavar="HZ",
                 help="Samples per second; needed only where seconds or hertz are used."),
    click.option("--scale", type=Worded("numbers", read_numbers), metavar="X[,X...]",
                 help="sample = stored * scale + value-offset; one number, or one for each channel."),
    click.option("--value-offset", type=Worded("numbers", read_numbers), metavar="X[,X...]", help="See --scale."),
    click.option("--header-bytes", type=click.IntRange(min=0), default=0, metavar="N",
                 help="Bytes to skip at the start of a raw file."),
    click.option("--channels", type=Worded("channels", read_channels), metavar="LIST",
                 help="Channels to take: 0,3-5. One number alone gives shape (n,)."),
    click.option("--start", type=Worded("position", read_position), metavar="POS",
                 help="First sample to take: a number, or a time such as 10s or 250ms."),
    click.option("--stop", type=Worded("position", read_position), metavar="POS",
                 help="Sample to stop before: a number, or a time."),
    click.option("--concat", is_flag=True,
                 help="Take several files, end to end, as one recording; a pattern's in the order of their names."),
)  # fmt: skip

_RUN = (
    click.option("--memory", type=size_type, default="64MB", show_default=True, metavar="SIZE",
                 help="Most bytes that the run may add to the process; 64M is 64MB, 64MiB is 2^20 each."),
    click.option("--threads", type=click.IntRange(min=1), metavar="N",
                 help="Threads that work (default: the processors this process may use)."),
    click.option("--force", is_flag=True, help="Replace an existing output."),
    click.option("--resume", is_flag=True,
                 help="Keep a journal, and go on where a killed run of the same command has left one; in a batch, "
                      "outputs that exist are left alone."),
    click.option("--durable", is_flag=True, help="Flush the output to the disk before it appears."),
    click.option("--tmp", type=click.Path(exists=True, file_okay=False, writable=True), metavar="DIR",
                 help="Folder for temporary files, which fft, --zero-phase and detect need [default: the system's]."),
    click.option("--executor", default="threads", show_default=True, metavar="NAME",
                 help="Who does the work: threads, serial, or an installed engine."),
    click.option("--json", "as_json", is_flag=True, help="Print the run report as one JSON object on stdout."),
    click.option("--no-progress", is_flag=True, help="Show no progress bar."),
)  # fmt: skip


_SAMPLES = (
    click.option("--out-dtype", type=Worded("dtype", read_dtype), metavar="DTYPE",
                 help="Write in another dtype; integers are rounded, what does not fit is saturated and counted. int24 "
                      "is stored in 3 bytes in .wav files, elsewhere as int32."),
    click.option("--format", type=click.Choice(["npy", "wav", "bin"]),
                 help="Of the outputs of a batch; bin is raw samples.  [default: npy]"),
)  # fmt: skip

_TABLES = (
    click.option("--format", type=click.Choice(["csv", "npy", "arrow", "parquet"]),
                 help="Of the tables of a batch.  [default: npy]"),
)  # fmt: skip


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what a recording is; read them with `SourceOptions.of`."""
    return _with(_SOURCE, command)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how a flow runs; read them with `RunSettings.of`."""
    return _with((*_SAMPLES, *_RUN), command)


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """As `run_options`, for flows that end in a table."""
    return _with((*_TABLES, *_RUN), command)


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What the words of the command line say about a recording; see `headrace.signals.open`."""

    dtype: str | None = None
    n_channels: int | None = None
    fs: float | None = None
    scale: float | list[float] | None = None
    value_offset: float | list[float] | None = None
    header_bytes: int = 0
    channels: int | list[int] | None = None
    start: str | None = None
    stop: str | None = None
    concat: bool = False

    @classmethod
    def of(cls, values: dict[str, Any]) -> SourceOptions:
        """Pick from the values of a command."""
        return cls(**{field.name: values[field.name] for field in fields(cls)})

    def open(self, paths: Sequence[Path]) -> Recording:
        """Open the files as one recording."""
        from headrace import signals

        keywords = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "concat"}
        return signals.open(paths if len(paths) > 1 else paths[0], **keywords)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What the words of the command line say about a run; see `headrace.core.flow.SampleFlow`."""

    memory: int
    threads: int | None
    force: bool
    resume: bool
    durable: bool
    executor: str
    tmp: str | None
    as_json: bool
    no_progress: bool
    format: str | None
    out_dtype: str | None = None

    @classmethod
    def of(cls, values: dict[str, Any]) -> RunSettings:
        """Pick from the values of a command."""
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})

    @property
    def shows_progress(self) -> bool:
        """Whether there is somebody to show a bar to."""
        return not (self.as_json or self.no_progress) and sys.stderr is not None and sys.stderr.isatty()

    @property
    def keywords(self) -> dict[str, Any]:
        """For `Flow.to_file`."""
        names = ("memory", "threads", "out_dtype", "force", "resume", "durable", "executor", "tmp")
        return {name: getattr(self, name) for name in names}


def _with(options: Sequence[Callable[..., Any]], command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command
