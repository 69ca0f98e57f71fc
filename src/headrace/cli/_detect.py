"""``headrace signal detect``: the events of a recording, as a table."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import click

from headrace.cli._batch import transform
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

__all__ = ["detect_command"]


def read_multiple(text: str) -> float:
    """Read a multiple of the noise: a number, finite and not negative."""
    number = float(text)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{text} is no multiple of the noise: write a number from 0 on, such as 3.5")
    return number


_RULE = (
    click.option("--threshold", "k", type=Worded("number", read_multiple), required=True, metavar="K",
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
)  # fmt: skip
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
    ),
)
@inputs_argument
@click.argument("out", metavar="OUT")
@_rule_options
@source_options
@table_options
@click.pass_context
def detect_command(ctx: click.Context, /, *, inputs: tuple[str, ...], out: str, k: float, **values: Any) -> None:
    """Find events: runs of samples further from the median than a multiple of the noise.

    OUT is a .csv, .npy, .arrow or .parquet table with the columns start, end, channel, amplitude, peak and
    time_s, in order of start, then channel. Each event is in it once, however long it is. Samples and channels are
    numbers of the whole IN, also with --start and --channels; blocks count from --start. Of a batch, the table of
    each NAME.* is NAME.npy, or what --format says.
    """
    from headrace.signals import Threshold

    if values["block"] is not None and values["window"] is not None:
        raise click.UsageError("--block and --window are two ways to judge a sample: give one, not both")
    rule = Threshold(k, **{name: values[name] for name in _NAMES})
    source, settings = SourceOptions.of(values), RunSettings.of(values)
    if isinstance(source.channels, list):
        source = replace(source, channels=sorted(set(source.channels)))  # the order of the table's rows

    def table_of(recording: Any) -> Any:
        return recording.detect(InputEvents(rule, recording.first_sample, recording.channel_numbers))

    ctx.exit(transform(inputs, out, source, settings, table_of))
