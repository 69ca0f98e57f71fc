"""``headrace signal plot``: a picture of a recording of any length, with its events."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from headrace.cli._batch import expand
from headrace.cli._help import examples
from headrace.cli._options import SourceOptions, inputs_argument, size_type, source_options
from headrace.cli._picture import DPI, check_picture, say_picture, with_drawing, write_picture
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from headrace.core.report import RunReport
    from headrace.signals import Recording

__all__ = ["plot_command"]

_Drawn: TypeAlias = "tuple[Any, RunReport, int | None]"
"""A figure, what reading took, and the number of events if any were to be marked."""


@click.command(
    name="plot",
    epilog=examples(
        "headrace signal plot recording.npy picture.png --fs 30000",
        "headrace signal plot recording.npy second.png --fs 30000 --channels 0-15 --start 60s --stop 61s",
        "headrace signal plot recording.npy events.png --fs 30000 --events events.parquet",
        "headrace signal plot recording.npy power.png --fs 30000 --channels 0 --spectrogram",
    ),
)
@inputs_argument
@click.argument("out", metavar="OUT.png")
@click.option(
    "--events",
    metavar="TABLE",
    help="Shade and mark the events of a .csv, .npy, .arrow or .parquet table with columns start, end and perhaps "
    "channel, in samples and channels of IN whatever --start and --channels choose, as headrace signal detect "
    "writes it.",
)
@click.option(
    "--spectrogram",
    is_flag=True,
    help="Draw power over time and frequency, in decibels: a panel for each channel, at most 12 of them.",
)
@click.option(
    "--nperseg",
    type=click.IntRange(min=1),
    metavar="N",
    help="Of --spectrogram: samples in a segment; default by the length of IN, 64 to 4096.",
)
@source_options
@click.option(
    "--memory", type=size_type, default="64MB", show_default=True, metavar="SIZE", help="Most bytes for reading IN."
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads that read.")
@click.option("--force", is_flag=True, help="Replace an existing output.")
@click.option("--json", "as_json", is_flag=True, help="Print the run report as one JSON object on stdout.")
@click.option("--no-progress", is_flag=True, help="Show no progress bar.")
def plot_command(*, inputs: tuple[str, ...], out: str, **values: Any) -> None:
    """Draw a recording of any length: the smallest and largest value in each column of the picture.

    IN is read once, in constant memory. OUT is a .png, .svg or .pdf file. Each of several channels lies around its
    median. Where events crowd, their shade is the deeper the more there are. With --spectrogram the picture is that of
    the power at each frequency, each column a mean over its time.
    """
    from headrace.core.publish import PartFile, refuse_input_as_output

    began, cpu = time.perf_counter(), time.process_time()
    source = SourceOptions.of(values)
    paths = expand(inputs)
    if values["spectrogram"] and values["events"]:
        raise click.UsageError(
            "--events are marked on the signal itself: leave --spectrogram out, or draw two pictures"
        )
    if values["nperseg"] is not None and not values["spectrogram"]:
        raise click.UsageError("--nperseg goes with --spectrogram")
    if len(paths) > 1 and not source.concat:
        raise SchemaError(f"{len(paths)} inputs, and one picture: draw them one by one, or as one with --concat")
    check_picture(out)
    part_file = PartFile(out, job=f"plot {inputs} {values}", force=values["force"])
    title = Path(out).stem if len(paths) > 1 else paths[0].name
    with source.open(paths) as shown:
        refuse_input_as_output(
            out, tuple(str(path) for path in (*paths, *([values["events"]] * bool(values["events"]))))
        )
        run = {"memory": values["memory"], "threads": values["threads"], "progress": _shows_progress(values)}
        draw = _draw_spectrogram if values["spectrogram"] else _draw_signal
        figure, report, events = draw(shown, title, values, run)
    write_picture(figure, out, part_file)
    report = with_drawing(report, time.perf_counter() - began, time.process_time() - cpu)
    say_picture(report, out, as_json=values["as_json"], events=events)


def _draw_signal(shown: Recording, title: str, values: dict[str, Any], run: dict[str, Any]) -> _Drawn:
    """Draw the signal and its events."""
    from headrace.core.span import Span
    from headrace.signals.envelope import measure
    from headrace.signals.marks import event_marks, event_tables
    from headrace.signals.plot import draw, new_axes

    span = Span(shown.first_sample, shown.first_sample + len(shown))
    ax = new_axes(shown.n_channels)
    table = values["events"]
    marks = None if table is None else event_marks(event_tables(table), span, shown.channel_numbers)
    found, report = measure(shown, DPI * 10, **run)
    draw(ax, shown, found, first=span.start, marks=marks)
    ax.set_title(title, loc="left", fontsize=10)
    if marks is None:
        return ax.figure, report, None
    ax.set_title(f"{marks.n_events:,} event{'s' * (marks.n_events != 1)}", loc="right", fontsize=10)
    return ax.figure, report, marks.n_events


def _draw_spectrogram(shown: Recording, title: str, values: dict[str, Any], run: dict[str, Any]) -> _Drawn:
    """Draw power over time and frequency."""
    from headrace.signals.plot import new_figure
    from headrace.signals.spectra.picture import measure_power
    from headrace.signals.spectra.plot import draw_spectrogram

    figure = new_figure(1)  # before the pass: whether there is matplotlib is to be known first
    found, report = measure_power(shown, DPI * 8, nperseg=values["nperseg"], **run)
    draw_spectrogram(figure, shown, found)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure, report, None


def _shows_progress(values: dict[str, Any]) -> bool:
    return not (values["as_json"] or values["no_progress"]) and sys.stderr is not None and sys.stderr.isatty()
