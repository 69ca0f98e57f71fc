"""``headrace signal detect``: the events of a recording, as a table."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from headrace.cli._batch import transform
from headrace.cli._coefficients import read_templates
from headrace.cli._help import examples
from headrace.cli._input_events import InputEvents
from headrace.cli._options import (
    RunSettings,
    SourceOptions,
    Worded,
    inputs_argument,
    read_length,
    source_options,
    table_options,
)

if TYPE_CHECKING:
    from headrace.core.blockwise import Tabulates

__all__ = ["detect_command"]


def read_multiple(text: str) -> float:
    """Read a multiple of the noise: a number, finite and not negative."""
    number = float(text)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{text} is no multiple of the noise: write a number from 0 on, such as 3.5")
    return number


def read_correlation(text: str) -> float:
    """Read a correlation: a number above 0, at most 1."""
    number = float(text)
    if not 0 < number <= 1:
        raise ValueError(f"{text} is no correlation: write a number above 0, at most 1, such as 0.8")
    return number


_RULE = (
    click.option("--threshold", "k", type=Worded("number", read_multiple), metavar="K",
                 help="How many times the noise a sample must lie from the median."),
    click.option("--polarity", type=click.Choice(["both", "pos", "neg"]), default="both", show_default=True,
                 help="Samples above the median, below it, or both."),
    click.option("--noise", type=click.Choice(["mad", "std"]), default="mad", show_default=True,
                 help="Median absolute deviation, scaled to a normal's standard deviation; or standard deviation."),
    click.option("--block", type=Worded("length", read_length), metavar="N",
                 help="Samples, or a time as 10s, whose median and noise count for each of them (default 1000000)."),
    click.option("--window", type=Worded("length", read_length), metavar="W",
                 help="In place of --block: judge each sample by the W samples around it; or a time."),
    click.option("--merge-gap", type=click.IntRange(min=0), default=0, show_default=True, metavar="G",
                 help="Make one event of those with at most G samples between them."),
    click.option("--min-length", type=click.IntRange(min=1), default=1, show_default=True, metavar="L",
                 help="Drop events shorter than L samples, after merging."),
    click.option("--nan", type=click.Choice(["raise", "ignore", "gap"]), default="raise", show_default=True,
                 help="What NaN does: raise an error, be as if missing, or end an event as a gap does."),
    click.option("--template", metavar="FILE.npy",
                 help="In place of --threshold: find what looks like a template, (w,), (k, w) or (k, w, channels)."),
    click.option("--correlation", type=Worded("number", read_correlation), metavar="R",
                 help="With --template: the least correlation, above 0, at most 1."),
    click.option("--distance", type=click.IntRange(min=1), metavar="D",
                 help="With --template: keep the best of events less than D samples apart (default w)."),
)  # fmt: skip
_MATCHED = ("template", "correlation", "distance")
_NAMES = ("polarity", "noise", "block", "window", "merge_gap", "min_length", "nan")


def _rule_options(command: Any) -> Any:
    for option in reversed(_RULE):
        command = option(command)
    return command


@click.command(
    name="detect",
    epilog=examples(
        "headrace signal detect recording.npy events.csv --threshold 3.5",
        "headrace signal detect day.bin events.parquet --threshold 5 --polarity neg --dtype int16 --n-channels 16",
        "headrace signal detect recording.npy events.npy --threshold 4 --window 30001 --merge-gap 30 --min-length 5",
        "headrace signal detect recording.npy spikes.csv --template spikes.npy --correlation 0.8",
    ),
)
@inputs_argument
@click.argument("out", metavar="OUT")
@_rule_options
@source_options
@table_options
@click.pass_context
def detect_command(ctx: click.Context, /, *, inputs: tuple[str, ...], out: str, **values: Any) -> None:
    """Find events: runs of samples further from the median than a multiple of the noise, or what looks like a template.

    OUT is a .csv, .npy, .arrow or .parquet table with the columns start, end, channel, amplitude, peak and
    time_s, in order of start, then channel; with --template also template and correlation. Each event is in it once,
    however long it is. Samples and channels are numbers of the whole IN, also with --start and --channels; blocks count
    from --start. Of a batch, the table of each NAME.* is NAME.npy, or what --format says.
    """
    rule = _rule(ctx, values)
    source, settings = SourceOptions.of(values), RunSettings.of(values)
    if isinstance(source.channels, list):
        source = replace(source, channels=sorted(set(source.channels)))  # the order of the table's rows

    def table_of(recording: Any) -> Any:
        return recording.detect(InputEvents(rule, recording.first_sample, recording.channel_numbers))

    ctx.exit(transform(inputs, out, source, settings, table_of))


def _rule(ctx: click.Context, values: dict[str, Any]) -> Tabulates[Any]:
    from headrace.signals import MatchedFilter, Threshold

    given = [
        name for name in ("k", *_NAMES, *_MATCHED) if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if values["template"] is None:
        if values["k"] is None:
            raise click.UsageError("give --threshold K, or --template FILE.npy and --correlation R")
        if {*_MATCHED} & {*given}:
            raise click.UsageError("--correlation and --distance go with --template")
        if values["block"] is not None and values["window"] is not None:
            raise click.UsageError("--block and --window are two ways to judge a sample: give one, not both")
        return Threshold(values["k"], **{name: values[name] for name in _NAMES})
    others = [name for name in given if name not in _MATCHED]
    if others:
        words = ", ".join("--threshold" if name == "k" else f"--{name.replace('_', '-')}" for name in others)
        raise click.UsageError(f"--template is another way to find events: leave out {words}")
    if values["correlation"] is None:
        raise click.UsageError("--template needs --correlation R, such as 0.8")
    return MatchedFilter(read_templates(values["template"]), values["correlation"], distance=values["distance"])
