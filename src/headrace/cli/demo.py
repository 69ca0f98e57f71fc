"""``headrace demo``: the main jobs on data it makes itself, beside the usual way of doing them."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.cli._demo_detect import DetectJob
from headrace.cli._demo_filter import FilterJob
from headrace.cli._demo_job import Job, Outcome, Stage
from headrace.cli._demo_picture import PictureJob
from headrace.cli._demo_spectrum import SpectrumJob
from headrace.cli._help import examples
from headrace.cli._options import size_type
from headrace.core.machine import memory_available
from headrace.core.sizes import format_bytes
from headrace.errors import OutputError, OutputExists

if TYPE_CHECKING:
    from collections.abc import Iterator

JOBS: list[Job] = [FilterJob(), DetectJob(), SpectrumJob(), PictureJob()]
"""The jobs, in the order in which they run; a new one is added here."""

_MARK = "made-by-headrace-demo.txt"
_WANTED = 1_000_000_000
_DISK_NEEDS = 5  # bytes on the disk for each of the recording: itself, and two float32 outputs at once


@click.command(
    epilog=examples(
        "headrace demo",
        "headrace demo --size 100MB --out /tmp/demo --keep",
        "headrace demo --json | python -m json.tool",
    )
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("headrace-demo"),
              show_default=True, metavar="DIR", help="Folder to work in, made if it is missing.")  # fmt: skip
@click.option(
    "--size", type=size_type, metavar="SIZE", help="Size of the recording [default: 1GB, less where room is short]."
)
@click.option("--keep", is_flag=True, help="Keep the recording and the filtered recording.")
@click.option("--json", "as_json", is_flag=True, help="Print what was measured as one JSON object.")
@click.option("--no-progress", is_flag=True, help="Show no progress bars.")
@click.pass_context
def command(
    ctx: click.Context, /, *, out: Path, size: int | None, keep: bool, as_json: bool, no_progress: bool
) -> None:
    """Filter a recording bigger than the budget, find its events, transform it, and compare with the usual ways.

    Makes a recording of 16 channels with events at known places. Band-passes it with headrace, with plain
    NumPy/SciPy and with a chunk loop written by hand, finds the events with headrace and with such a loop, and
    transforms a whole channel with headrace and in memory, each in a process of its own; then compares time,
    memory, exactness, and the events found with those planted.
    Ways that would take long do the first 400 MB, and the tables say so.

    Takes about a minute. Exits with 1 if headrace is not exact or does not find each planted event exactly once.
    """
    from rich.console import Console

    console = Console(quiet=as_json, highlight=False)
    began = time.perf_counter()
    folder = _folder(out)
    chosen, why = _size(size, folder)
    if why:
        console.print(f"[yellow]{why}[/]")
    outcomes: dict[str, Outcome] = {job.name: Outcome() for job in JOBS}
    try:
        with _stages(show=not (as_json or no_progress)) as stage:
            for job in JOBS:
                job.run(folder, chosen, stage, outcomes[job.name])
    finally:
        if not keep:
            for path in (path for outcome in outcomes.values() for path in outcome.big):
                path.unlink(missing_ok=True)
    seconds = time.perf_counter() - began
    good = all(outcome.ok for outcome in outcomes.values())
    if as_json:
        facts = {name: outcome.facts for name, outcome in outcomes.items()}
        click.echo(json.dumps({"ok": good, "seconds": seconds, "folder": str(folder), "note": why, "jobs": facts}))
    else:
        for outcome in outcomes.values():
            for shown in outcome.shown:
                console.print(shown)
        _say_where(console, folder, outcomes, keep=keep)
        console.print(f"\nAll of it took {seconds:.0f} s.")
    ctx.exit(0 if good else 1)


def _folder(out: Path) -> Path:
    """Make the folder, or take it if an earlier demo made it; never touch a folder of the user's."""
    if out.is_dir() and any(out.iterdir()) and not (out / _MARK).exists():
        raise OutputExists(
            f"{out} is not empty, and not of an earlier demo: name another folder with --out", path=str(out)
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / _MARK).write_text("Everything in this folder was made by `headrace demo`, which may overwrite it.\n")
    except OSError as error:
        raise OutputError(
            f"the folder {out} cannot be written ({error.strerror}): name another with --out",
            path=str(out),
            errno=error.errno,
        ) from error
    return out


def _size(asked: int | None, folder: Path) -> tuple[int, str]:
    """Choose the size of the recording, and say why if it is less than wanted."""
    wanted = asked or _WANTED
    disk, memory = shutil.disk_usage(folder).free, memory_available()
    most = {
        f"{format_bytes(disk)} are free on the disk, and {_DISK_NEEDS} bytes are needed for each": disk // _DISK_NEEDS,
        f"{format_bytes(memory)} of memory are free": memory if memory < 1_000_000_000 else wanted,
    }
    reason, size = min(most.items(), key=lambda item: item[1])
    if size >= wanted:
        return wanted, ""
    if size < 1_000_000:
        raise OutputError(
            f"no room for the demo: {reason}; free some, or name another folder with --out", path=str(folder)
        )
    return size, f"The recording is {format_bytes(size)} instead of {format_bytes(wanted)}: {reason}."


@contextmanager
def _stages(*, show: bool) -> Iterator[Stage]:
    """Show one bar for each step, on stderr; nothing where nobody is looking."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not show or not console.is_terminal:
        yield lambda _: lambda _: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=30), TimeElapsedColumn())
    with Progress(*columns, console=console) as display:

        def begin(words: str) -> Any:
            task = display.add_task(words, total=None)
            return lambda done: display.update(task, total=1.0, completed=done)

        yield begin


def _say_where(console: Any, folder: Path, outcomes: dict[str, Outcome], *, keep: bool) -> None:
    kept = [item for outcome in outcomes.values() for item in outcome.kept]
    if keep:
        kept += [(path, "kept") for outcome in outcomes.values() for path in outcome.big if path.exists()]
    width = max((len(path.name) for path, _ in kept), default=0)
    console.print(f"\nIn {folder.resolve()}:", soft_wrap=True)
    for path, words in kept:
        console.print(f"  {path.name:<{width}}  {words}", soft_wrap=True)
    console.print("\nTo try next:")
    if keep:
        console.print(
            f"  headrace info {folder / 'recording.bin'} --dtype int16 --n-channels 16 --fs 30000", soft_wrap=True
        )
    else:
        console.print(
            "  headrace demo --keep                 keeps the recording, for experiments of your own", soft_wrap=True
        )
    console.print("  headrace signal filter --help        the same on a recording of yours")
    console.print("  headrace bench                       more rivals, more carefully measured")
