"""From inputs to outputs: one file, or a batch of files in one go."""

from __future__ import annotations

import glob
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.cli._errors import ERROR, PARTIAL, message_of
from headrace.core.machine import temporary_folder
from headrace.core.publish import PartFile
from headrace.core.report import PeakMemory, RunReport, peak_memory
from headrace.core.rowflow import RowFlow
from headrace.core.sizes import format_bytes
from headrace.errors import HeadraceError, OutputError, OutputExists
from headrace.signals import opening

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headrace.cli._options import RunSettings, SourceOptions
    from headrace.signals import Flow, Recording

__all__ = ["expand", "transform"]


def expand(words: Sequence[str]) -> list[Path]:
    """List the files that names and patterns stand for."""
    return [Path(path) for path in opening.expand(list(words))]


def transform(
    words: Sequence[str],
    out: str,
    source: SourceOptions,
    settings: RunSettings,
    flow_of: Callable[[Recording], Flow | RowFlow],
) -> int:
    """Run a flow from each input into its output, and say what it did.

    Parameters
    ----------
    words : sequence of str
        Names and patterns of the inputs. Several files are a batch, unless ``source.concat``.
    out : str
        The output; for a batch a folder, in which ``NAME.npy``, or of ``settings.format``, is made of each ``NAME.*``.
        A pattern is a batch even if it stands for one file, unless this is named like a file.
    source : SourceOptions
        How the inputs are read.
    settings : RunSettings
        How the flow is run.
    flow_of : callable
        Makes the flow of a recording.

    Returns
    -------
    int
        The exit code: 0, or of a batch 3 if some of it failed and 1 if all of it did.
    """
    inputs = expand(words)
    if not settings.force:
        _refuse_recording(inputs, Path(out), source)
    in_folder = out.endswith(os.sep) or Path(out).is_dir() or (_pattern(words) and not Path(out).suffix)
    if source.concat or (len(inputs) == 1 and not in_folder):
        if settings.format is not None:
            raise click.UsageError(f"--format is for a batch: the format of {out} is what its suffix says")
        with source.open(inputs) as recording:
            report = _run(recording, out, settings, flow_of, _say, progress=settings.shows_progress)
        if settings.as_json:
            click.echo(json.dumps(report.to_dict()))
        else:
            designing = report.stage_seconds["design"]
            before = f"; {designing:.2f} s before to design the filter" if designing >= 0.1 else ""
            click.echo(f"{report.output}: {report}{before}", err=True)
        return 0
    return _Batch(source, settings, flow_of).run(_pairs(inputs, Path(out), settings.format or "npy"), Path(out))


def _run(
    recording: Recording,
    out: str | Path,
    settings: RunSettings,
    flow_of: Callable[[Recording], Flow | RowFlow],
    say: Callable[[str, int], object],
    *,
    progress: bool | Callable[..., object] | None,
) -> RunReport:
    """Make the flow and run it; the report has a stage ``design``, the making, which is no part of its seconds.

    ``say(words, nbytes)`` is told before how much room temporary files take.
    """
    PartFile(out, job="", force=settings.force)  # an output that is taken is refused before a filter is designed
    began = time.perf_counter()
    flow = flow_of(recording)
    designing = time.perf_counter() - began
    samples = flow.flow if isinstance(flow, RowFlow) else flow
    if samples.temporary_bytes:
        beside = settings.resume and settings.tmp is None  # where the run that comes next finds them
        folder = Path(out).absolute().parent if beside else temporary_folder(settings.tmp)
        taken = samples.temporary_bytes
        say(f"{out}: takes {format_bytes(taken)} of temporary files in {folder}", taken)
    report = flow.to_file(out, progress=progress, **settings.keywords)
    return replace(report, stage_seconds={**report.stage_seconds, "design": designing})


def _say(words: str, nbytes: int) -> None:  # noqa: ARG001 - see `_run`
    click.echo(words, err=True)


def _refuse_recording(inputs: list[Path], out: Path, source: SourceOptions) -> None:
    """Raise `OutputExists` if the output looks like one more raw input, as the last of a pattern does without OUT.

    The hint at --force that it would meet later costs a recording there.
    """
    if source.dtype is None or not out.is_file() or out.suffix not in {path.suffix for path in inputs}:
        return
    if not any(out.samefile(path) for path in inputs if path.exists()):
        raise OutputExists(
            f"{out} is taken as the OUTPUT: did you forget OUT? It exists and is called *{out.suffix} as the input is, "
            "so it is not replaced: name another output",
            path=str(out),
        )


def _pairs(inputs: list[Path], folder: Path, suffix: str) -> list[tuple[Path, Path]]:
    """Name the output of each input, and make their folder."""
    if folder.exists() and not folder.is_dir():
        raise OutputExists(
            f"{folder} is a file, and {len(inputs)} inputs need a folder to be written to: name a folder, or give "
            "--concat to make one recording of them",
            path=str(folder),
        )
    if len(inputs) > 1 and folder.suffix and not folder.exists():
        raise OutputError(
            f"{len(inputs)} inputs need a folder, and {folder} is named like a file: give --concat to make one "
            "recording of them, or name a folder",
            path=str(folder),
        )
    pairs = [(path, folder / f"{path.stem}.{suffix}") for path in inputs]
    target, count = Counter(output for _, output in pairs).most_common(1)[0]
    if count > 1:
        same = " and ".join(str(path) for path, output in pairs if output == target)
        raise OutputError(
            f"{same} would all be written to {target}: run them into folders of their own", path=str(target)
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {folder} cannot be made ({error.strerror}): name another", path=str(folder), errno=error.errno
        ) from error
    return pairs


@dataclass
class _Batch:
    """Files done one after the other; one that fails does not stop the rest."""

    source: SourceOptions
    settings: RunSettings
    flow_of: Callable[[Recording], Flow | RowFlow]
    done: list[tuple[Path, RunReport]] = field(default_factory=list)
    before: list[Path] = field(default_factory=list)  # done by the run that this one resumes
    failed: list[tuple[Path, BaseException]] = field(default_factory=list)
    display: _Display | None = None
    said_bytes: int = 0

    def run(self, pairs: list[tuple[Path, Path]], folder: Path) -> int:
        began = time.perf_counter()
        if self.settings.shows_progress:
            self.display = _Display([(path, _size(path)) for path, _ in pairs])
        ended = False
        try:
            for position, (path, output) in enumerate(pairs):
                if self.settings.resume and not self.settings.force and output.exists():
                    self.before.append(path)
                    continue
                try:
                    self._one(path, output, self.display.of(position, len(self.failed)) if self.display else None)
                except (HeadraceError, OSError, MemoryError, ValueError) as error:
                    self.failed.append((path, error))
            ended = True
        finally:  # Ctrl-C included: what is done is done, and is said
            if self.display:
                self.display.close()
            report = _total([report for _, report in self.done], folder, time.perf_counter() - began)
            if ended and self.settings.as_json:
                click.echo(json.dumps(self._summary(report)))
            else:
                before = f" and {len(self.before)} done before" if self.before else ""
                what = f", {report}" if self.done else ""
                click.echo(f"{folder}: {len(self.done)}{before} of {len(pairs)} files{what}", err=True)
            self._say_failures()
        return (PARTIAL if self.done or self.before else ERROR) if self.failed else 0

    def _one(self, path: Path, output: Path, progress: Callable[..., object] | None) -> None:
        with self.source.open([path]) as recording:
            report = _run(recording, output, self.settings, self.flow_of, self._say_bytes, progress=progress)
        self.done.append((path, report))

    def _say_bytes(self, words: str, nbytes: int) -> None:
        """Say what temporary files take, of the first file, and of others that take more."""
        if nbytes <= self.said_bytes:
            return
        self.said_bytes = nbytes
        if self.display:
            self.display.say(words)
        else:
            _say(words, nbytes)

    def _say_failures(self) -> None:
        if not self.failed:
            return
        taken = [
            error.path for _, error in self.failed if isinstance(error, OutputExists) and Path(error.path).exists()
        ]
        lines = []
        for path, error in self.failed:
            message = message_of(error)
            if len(taken) == 1 or not (isinstance(error, OutputExists) and error.path in taken):
                lines.append(message if message.startswith(str(path)) else f"{path}: {message}")
        if len(taken) > 1:
            lines.append(f"{len(taken)} outputs exist, {taken[0]} the first of them: --force replaces them")
        label = click.style("error:", fg="red", bold=True)
        click.echo("\n  ".join([f"headrace: {label} {len(self.failed)} failed:", *lines]), err=True)

    def _summary(self, report: RunReport) -> dict[str, Any]:
        """Put the files beside their sum."""
        return report.to_dict() | {
            "done_before": [str(path) for path in self.before],
            "files": [{"input": str(path)} | each.to_dict() for path, each in self.done],
            "failures": [
                {"input": str(path), "error": type(error).__name__, "message": message_of(error)}
                for path, error in self.failed
            ],
        }


def _total(reports: list[RunReport], folder: Path, seconds: float) -> RunReport:
    """Sum reports up as that of one run, which took so long; the bottleneck is what limited it longest."""
    stages, stalls, limits = Counter[str](), Counter[str](), Counter[str]()
    for report in reports:
        stages.update(report.stage_seconds)
        stalls.update(report.stall_seconds)
        limits[report.bottleneck] += report.seconds  # type: ignore[assignment]  # a counter adds up what it is given
    peaks = [report.peak_rss_bytes for report in reports]
    busy = sum(report.seconds for report in reports)

    def total(name: str) -> Any:
        return sum(getattr(report, name) for report in reports)

    def most(name: str) -> Any:
        return max((getattr(report, name) for report in reports), default=0)

    return RunReport(
        n_samples=total("n_samples"),
        seconds=seconds,
        mb_per_s=total("bytes_in") / seconds / 1e6,
        cpu_seconds=total("cpu_seconds"),
        peak_rss_bytes=PeakMemory(
            peak_memory(), max((peak.anon for peak in peaks), default=0), max((peak.file for peak in peaks), default=0)
        ),
        bottleneck=max(limits, key=limits.__getitem__, default=""),
        efficiency=sum(report.efficiency * report.seconds for report in reports) / busy if busy else 0.0,
        stage_seconds=dict(stages),
        stall_seconds=dict(stalls),
        bytes_in=total("bytes_in"),
        bytes_out=total("bytes_out"),
        clipped=total("clipped"),
        threads=most("threads"),
        chunk_samples=most("chunk_samples"),
        memory_bytes=most("memory_bytes"),
        output=str(folder),
        n_rows=total("n_rows"),
    )


def _pattern(words: Sequence[str]) -> bool:
    """Say whether any of the words is a pattern, and not a file of that name."""
    return any(glob.has_magic(word) and not Path(word).exists() for word in words)


def _size(path: Path) -> int:
    """Give a file's bytes, for the bar; none of one that is not there, of which its turn will tell."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


class _Display:
    """One bar for the whole batch, shown once it has taken half a second."""

    def __init__(self, sizes: list[tuple[Path, int]]) -> None:
        self._sizes = sizes
        self._total = sum(size for _, size in sizes)
        self._began = time.monotonic()
        self._bar: Any = None

    def of(self, position: int, failed: int) -> Callable[[int, int | None, RunReport], None]:
        """Give the callback for one file, before which so many have failed."""
        path, size = self._sizes[position]
        before = sum(size for _, size in self._sizes[:position])
        label = f"{position + 1} of {len(self._sizes)}: {path.name}" + (f", {failed} failed" if failed else "")

        def update(done: int, total: int | None, report: RunReport) -> None:  # noqa: ARG001 - Flow's signature
            if self._bar is None and time.monotonic() - self._began > 0.5:
                self._show()
            if self._bar is not None:
                self._bar.update(0, description=label, completed=before + size * (done / total if total else 1))

        return update

    def say(self, words: str) -> None:
        """Put words above the bar."""
        if self._bar is None:
            click.echo(words, err=True)
        else:
            self._bar.console.print(words, markup=False, highlight=False, soft_wrap=True)

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        text = TextColumn("{task.description}", markup=False)
        self._bar = Progress(text, *columns, console=Console(stderr=True), transient=True)
        self._bar.add_task("", total=self._total)
        self._bar.start()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
