"""``headrace signal plot``: a picture of a recording of any length, with its events."""

from __future__ import annotations

import io
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.cli._batch import expand
from headrace.cli._help import examples
from headrace.cli._options import SourceOptions, inputs_argument, size_type, source_options
from headrace.errors import OutputError, SchemaError

if TYPE_CHECKING:
    from headrace.core.report import RunReport

__all__ = ["plot_command"]

_SUFFIXES = (".pdf", ".png", ".svg")
_DPI = 120


@click.command(
    name="plot",
    epilog=examples(
        "headrace signal plot recording.npy picture.png --fs 30000",
        "headrace signal plot recording.npy second.png --fs 30000 --channels 0-15 --start 60s --stop 61s",
        "headrace signal plot recording.npy events.png --fs 30000 --events events.parquet",
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
    median. Where events crowd, their shade is the deeper the more there are.
    """
    from headrace.core.publish import PartFile, refuse_input_as_output
    from headrace.core.span import Span
    from headrace.signals.envelope import measure
    from headrace.signals.marks import event_marks, event_tables
    from headrace.signals.plot import draw, new_axes

    began, cpu = time.perf_counter(), time.process_time()
    source = SourceOptions.of(values)
    paths = expand(inputs)
    if len(paths) > 1 and not source.concat:
        raise SchemaError(f"{len(paths)} inputs, and one picture: draw them one by one, or as one with --concat")
    if Path(out).suffix.lower() not in _SUFFIXES:
        raise OutputError(f"a picture is called *{', *'.join(_SUFFIXES)}: got {out}", path=out)
    part_file = PartFile(out, job=f"plot {inputs} {values}", force=values["force"])
    with source.open(paths) as shown:
        refuse_input_as_output(
            out, tuple(str(path) for path in (*paths, *([values["events"]] * bool(values["events"]))))
        )
        span = Span(shown.first_sample, shown.first_sample + len(shown))
        ax = new_axes(shown.n_channels)
        table = values["events"]
        marks = None if table is None else event_marks(event_tables(table), span, shown.channel_numbers)
        found, report = measure(
            shown, _DPI * 10, memory=values["memory"], threads=values["threads"], progress=_shows_progress(values)
        )
        draw(ax, shown, found, first=span.start, marks=marks)
    ax.set_title(Path(out).stem if len(paths) > 1 else paths[0].name, loc="left", fontsize=10)
    if marks is not None:
        ax.set_title(f"{marks.n_events:,} event{'s' * (marks.n_events != 1)}", loc="right", fontsize=10)
    picture = io.BytesIO()
    ax.figure.savefig(picture, format=Path(out).suffix.lower()[1:], dpi=_DPI)
    try:
        part_file.open(len(picture.getbuffer()))
        part_file.write(picture.getbuffer(), 0)
        part_file.commit()
    except BaseException:
        part_file.abort()
        raise
    report = _with_drawing(report, time.perf_counter() - began, time.process_time() - cpu)
    if values["as_json"]:
        facts = report.to_dict() | {"output": out} | ({} if marks is None else {"n_events": marks.n_events})
        click.echo(json.dumps(facts))
    else:
        counted = "" if marks is None else f"{marks.n_events:,} events, "
        click.echo(f"{out}: {counted}{report}", err=True)


def _with_drawing(report: RunReport, seconds: float, cpu_seconds: float) -> RunReport:
    """Add the stage ``draw``, which is all but the reading, to the report of the reading."""
    from headrace.core.report import peak_memory

    drawing = seconds - report.seconds
    return replace(
        report,
        seconds=seconds,
        mb_per_s=report.bytes_in / seconds / 1e6,
        cpu_seconds=cpu_seconds,
        peak_rss_bytes=replace(report.peak_rss_bytes, total=peak_memory()),
        bottleneck="draw" if drawing > report.seconds else report.bottleneck,
        efficiency=max(report.efficiency * report.seconds, drawing) / seconds,
        stage_seconds={**report.stage_seconds, "draw": drawing},
    )


def _shows_progress(values: dict[str, Any]) -> bool:
    return not (values["as_json"] or values["no_progress"]) and sys.stderr is not None and sys.stderr.isatty()
