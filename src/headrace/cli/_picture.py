"""A picture as the output of a command: its formats, its file, and the report of what drawing took."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.errors import OutputError

if TYPE_CHECKING:
    from headrace.core.publish import PartFile
    from headrace.core.report import RunReport

__all__ = ["DPI", "SUFFIXES", "check_picture", "is_picture", "say_picture", "with_drawing", "write_picture"]

SUFFIXES = (".pdf", ".png", ".svg")
DPI = 120


def is_picture(out: str) -> bool:
    """Tell by its name whether an output is a picture."""
    return Path(out).suffix.lower() in SUFFIXES


def check_picture(out: str) -> None:
    """Refuse a name that is no picture's.

    Raises
    ------
    OutputError
        Says which are.
    """
    if not is_picture(out):
        raise OutputError(f"a picture is called *{', *'.join(SUFFIXES)}: got {out}", path=out)


def write_picture(figure: Any, out: str, part_file: PartFile) -> None:
    """Write a matplotlib figure, complete or not at all."""
    picture = io.BytesIO()
    figure.savefig(picture, format=Path(out).suffix.lower()[1:], dpi=DPI)
    try:
        part_file.open(len(picture.getbuffer()))
        part_file.write(picture.getbuffer(), 0)
        part_file.commit()
    except BaseException:
        part_file.abort()
        raise


def say_picture(report: RunReport, out: str, *, as_json: bool, events: int | None = None) -> None:
    """Tell what was drawn and what it took."""
    if as_json:
        click.echo(json.dumps(report.to_dict() | {"output": out} | ({} if events is None else {"n_events": events})))
    else:
        counted = "" if events is None else f"{events:,} events, "
        click.echo(f"{out}: {counted}{report}", err=True)


def with_drawing(report: RunReport, seconds: float, cpu_seconds: float) -> RunReport:
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
