"""From inputs to outputs: one file, or a batch of files in one go."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.cli._errors import ERROR, PARTIAL, message_of
from headrace.core.publish import PartFile
from headrace.core.report import peak_memory
from headrace.errors import HeadraceError, OutputError, OutputExists
from headrace.signals import opening

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headrace.cli._options import RunSettings, SourceOptions
    from headrace.core.report import RunReport
    from headrace.core.rowflow import RowFlow
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
    in_folder = out.endswith(os.sep) or Path(out).is_dir()
    if source.concat or (len(inputs) == 1 and not in_folder):
        if settings.format is not None:
            raise click.UsageError(f"--format is for a batch: the format of {out} is what its suffix says")
        with source.open(inputs) as recording:
            report = _run(recording, out, settings, flow_of, progress=settings.shows_progress)
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
    *,
    progress: bool | Callable[..., object] | None,
) -> RunReport:
    """Make the flow and run it; the report has a stage ``design``, the making, which is no part of its seconds."""
    PartFile(out, job="", force=settings.force)  # an output that is taken is refused before a filter is designed
    began = time.perf_counter()
    flow = flow_of(recording)
    designing = time.perf_counter() - began
    report = flow.to_file(out, progress=progress, **settings.keywords)
    return replace(report, stage_seconds={**report.stage_seconds, "design": designing})


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

    def run(self, pairs: list[tuple[Path, Path]], folder: Path) -> int:
        began = time.perf_counter()
        display = _Display([(path, path.stat().st_size) for path, _ in pairs]) if self.settings.shows_progress else None
        try:
            for position, (path, output) in enumerate(pairs):
                if self.settings.resume and not self.settings.force and output.exists():
                    self.before.append(path)
                    continue
                try:
                    self._one(path, output, display.of(position) if display else None)
                except (HeadraceError, OSError, MemoryError, ValueError) as error:
                    self.failed.append((path, error))
        finally:
            if display:
                display.close()
        self._say(folder, time.perf_counter() - began)
        return (PARTIAL if self.done or self.before else ERROR) if self.failed else 0

    def _one(self, path: Path, output: Path, progress: Callable[..., object] | None) -> None:
        with self.source.open([path]) as recording:
            report = _run(recording, output, self.settings, self.flow_of, progress=progress)
        self.done.append((path, report))

    def _say(self, folder: Path, seconds: float) -> None:
        if self.settings.as_json:
            click.echo(json.dumps(self._summary(folder, seconds)))
        else:
            reports = [report for _, report in self.done]
            samples, taken = sum(r.n_samples for r in reports), sum(r.bytes_in for r in reports)
            before = f" and {len(self.before)} done before" if self.before else ""
            total = len(reports) + len(self.before) + len(self.failed)
            click.echo(
                f"{folder}: {len(reports)}{before} of {total} files, {samples:,} samples in "
                f"{seconds:.2f} s, {taken / seconds / 1e6:,.0f} MB/s",
                err=True,
            )
        if self.failed:
            lines = [f"  {path}: {message_of(error)}" for path, error in self.failed]
            label = click.style("error:", fg="red", bold=True)
            click.echo("\n".join([f"headrace: {label} {len(lines)} failed:", *lines]), err=True)

    def _summary(self, folder: Path, seconds: float) -> dict[str, Any]:
        """Sum the reports up under the keys of one report, with the files beside them."""
        reports = [report for _, report in self.done]
        stages: Counter[str] = Counter()
        for report in reports:
            stages.update(report.stage_seconds)
        peaks = [report.peak_rss_bytes for report in reports]
        return {
            "n_samples": sum(report.n_samples for report in reports),
            "seconds": seconds,
            "mb_per_s": sum(report.bytes_in for report in reports) / seconds / 1e6,
            "cpu_seconds": sum(report.cpu_seconds for report in reports),
            "peak_rss_bytes": {
                "total": peak_memory(),
                "anon": max((peak.anon for peak in peaks), default=0),
                "file": max((peak.file for peak in peaks), default=0),
            },
            "bottleneck": max(stages, key=stages.__getitem__, default=None),
            "clipped": sum(report.clipped for report in reports),
            "output": str(folder),
            "done_before": [str(path) for path in self.before],
            "files": [{"input": str(path)} | report.to_dict() for path, report in self.done],
            "failures": [
                {"input": str(path), "error": type(error).__name__, "message": message_of(error)}
                for path, error in self.failed
            ],
        }


class _Display:
    """One bar for the whole batch, shown once it has taken half a second."""

    def __init__(self, sizes: list[tuple[Path, int]]) -> None:
        self._sizes = sizes
        self._total = sum(size for _, size in sizes)
        self._began = time.monotonic()
        self._bar: Any = None

    def of(self, position: int) -> Callable[[int, int | None, RunReport], None]:
        """Give the callback for one file."""
        path, size = self._sizes[position]
        before = sum(size for _, size in self._sizes[:position])
        label = f"{position + 1} of {len(self._sizes)}: {path.name}"

        def update(done: int, total: int | None, report: RunReport) -> None:  # noqa: ARG001 - Flow's signature
            if self._bar is None and time.monotonic() - self._began > 0.5:
                self._show()
            if self._bar is not None:
                self._bar.update(0, description=label, completed=before + size * (done / total if total else 1))

        return update

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
