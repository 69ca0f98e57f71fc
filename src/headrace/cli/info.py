"""``headrace info``: describe whatever a path holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from headrace.cli._batch import expand
from headrace.cli._describe import describe, describe_recording
from headrace.cli._errors import ERROR, PARTIAL, message_of
from headrace.cli._help import examples
from headrace.cli._options import SourceOptions, source_options
from headrace.core.sizes import format_bytes
from headrace.errors import HeadraceError

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command(
    epilog=examples(
        "headrace info recording.npy --fs 30000",
        "headrace info recording.bin",
        "headrace info recording.bin --dtype int16 --n-channels 16 --fs 30000 --json",
    )
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@source_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, one line for each PATH.")
@click.pass_context
def command(ctx: click.Context, /, *, paths: tuple[str, ...], as_json: bool, **values: Any) -> None:
    """Describe whatever PATH holds: a recording, raw bytes, a folder, an unfinished output.

    Of a raw file without --dtype it says what it could be. Reads no more than the first second.
    """
    options = SourceOptions.of(values)
    if options.concat:
        files = expand(paths)
        facts = {"path": [str(path) for path in files]} | describe_recording(files, options)
        _say(facts, as_json=as_json)
        return
    described = failed = 0
    for word in paths:
        try:
            for path in expand([word]):
                _say(describe(path, options), as_json=as_json)
                described += 1
        except (HeadraceError, OSError, ValueError) as error:
            if len(paths) == 1 and not described:
                raise
            failed += 1
            click.echo(f"headrace: {click.style('error:', fg='red', bold=True)} {message_of(error)}", err=True)
    if failed:
        ctx.exit(PARTIAL if described else ERROR)


def _say(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts))
        return
    path = facts["path"]
    click.echo(click.style(path if isinstance(path, str) else f"{len(path)} files, end to end", bold=True))
    for line in _lines(facts):
        click.echo(f"  {line}")


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    """Put the facts of one path into words."""
    if facts["kind"] == "recording":
        yield from _recording_lines(facts)
        return
    yield facts["summary"]
    if "shape" in facts:
        yield f"shape {tuple(facts['shape'])}, {facts['dtype']}"
    if "size_bytes" in facts and facts["kind"] != "folder":
        yield f"{facts['size_bytes']:,} bytes ({format_bytes(facts['size_bytes'])})"
    for row in facts.get("contents", ())[:12]:
        size = f"  {format_bytes(row['size_bytes'])}" if row["size_bytes"] else ""
        yield f"  {row['count']:>8,}  {row['kind']}{size}"
    for name in facts.get("unfinished", ()):
        yield f"unfinished output {name}: headrace info on it says whether a run is writing it"
    if facts["kind"] in ("raw", "unknown"):
        yield from _guess_lines(facts)


def _recording_lines(facts: dict[str, Any]) -> Iterator[str]:
    channels = f"{facts['n_channels']} channel{'s' * (facts['n_channels'] != 1)}"
    yield f"recording of {facts['n_samples']:,} samples, {channels}, {facts['dtype']}, shape {tuple(facts['shape'])}"
    if facts["fs"]:
        yield f"{_duration(facts['duration_s'])} at {facts['fs']:g} Hz"
    else:
        yield "duration unknown: give --fs"
    if "size_bytes" in facts:
        yield f"{facts['size_bytes']:,} bytes ({format_bytes(facts['size_bytes'])})"
    if facts["segments"] > 1:
        yield f"{facts['segments']} segments, which operators do not cross"
    seen = facts["beginning"]
    if seen is None:
        return
    if "min" not in seen:
        yield f"its first {seen['n_samples']:,} samples are all NaN or infinite"
        return
    odd = f", {seen['not_finite']:,} NaN or infinite" if seen["not_finite"] else ""
    yield (
        f"its first {seen['n_samples']:,} samples: min {seen['min']:.6g}, max {seen['max']:.6g}, "
        f"mean {seen['mean']:.6g}, std {seen['std']:.6g}{odd}"
    )


def _guess_lines(facts: dict[str, Any]) -> Iterator[str]:
    guesses = facts["could_be"]
    if guesses:
        channels = sorted({guess["n_channels"] for guess in guesses})
        dtypes = list(dict.fromkeys(guess["dtype"] for guess in guesses))
        counts = {(guess["dtype"], guess["n_channels"]): f"{guess['n_samples']:,}" for guess in guesses}
        width = max(map(len, counts.values()))
        yield "channels  " + "  ".join(f"{f'samples of {dtype}':>{max(width, 18)}}" for dtype in dtypes)
        for count in channels:
            cells = [f"{counts.get((dtype, count), '-'):>{max(width, 18)}}" for dtype in dtypes]
            yield f"{count:>8}  " + "  ".join(cells)
    yield "say which with --dtype and --n-channels (and --fs, --header-bytes), for example:"
    yield f"  headrace info {facts['path']} --dtype int16 --n-channels 16 --fs 30000"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.6g} s"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return (
        f"{seconds:,.6g} s ({hours} h {minutes} min {rest:.0f} s)"
        if hours
        else f"{seconds:,.6g} s ({minutes} min {rest:.0f} s)"
    )
