"""``headrace bench``: run the benchmarks, each in a process of its own."""

from __future__ import annotations

import ast
import json
import signal
import subprocess
import sys
from pathlib import Path

import click

import headrace
from headrace.cli._help import examples
from headrace.errors import HeadraceError


@click.command(
    epilog=examples("headrace bench --list", "headrace bench fir --runs 5", "headrace bench fir --tiny --json")
)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--list", "as_list", is_flag=True, help="List the benchmarks and their questions, and run none.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as a JSON list instead of tables.")
@click.option("--runs", type=click.IntRange(min=1), metavar="N", help="Rounds; each runs every case once.")
@click.option("--tiny", is_flag=True, help="Small sizes, one round: shows that it runs, measures nothing.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Where they lie.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    names: tuple[str, ...],
    as_list: bool,
    as_json: bool,
    runs: int | None,
    tiny: bool,
    folder: Path | None,
) -> None:
    """Measure headrace against its rivals on this machine; all benchmarks, or those named.

    Each case runs in a fresh process, the cases take turns, and a rival that fails is listed with its
    error. Results of full-size runs are kept in results/NAME.json beside the benchmarks.
    """
    files = benchmark_files(folder)
    unknown = [name for name in names if name not in files]
    if unknown:
        raise click.UsageError(f"no benchmark named {unknown[0]!r}; there are: {', '.join(files)}")
    chosen = [name for name in files if not names or name in names]
    if as_list:
        _print_list({name: files[name] for name in chosen}, as_json=as_json)
        return
    options = ["--tiny"] * tiny + (["--runs", str(runs)] if runs else [])
    failed, results = [], []
    for position, name in enumerate(chosen):
        if position and not as_json:
            click.echo()
        succeeded, output = _run(files[name], options, as_json=as_json)
        if output:
            results.append(json.loads(output))
        if not succeeded:
            failed.append(name)
    if as_json:
        click.echo(json.dumps(results, indent=2))
    if failed:
        click.echo(f"headrace: failed: {', '.join(failed)}", err=True)
        ctx.exit(1)


def benchmark_files(folder: Path | None = None) -> dict[str, Path]:
    """Find the benchmark files, by name.

    Parameters
    ----------
    folder : Path, optional
        Where to look; beside the source tree that headrace runs from if not given.

    Raises
    ------
    HeadraceError
        If there is no such folder, as in an installed package, or none in it.
    """
    if folder is None:
        folder = Path(headrace.__file__).resolve().parents[2] / "benchmarks"
        if not (folder / "_harness.py").is_file():
            raise HeadraceError(
                f"the benchmarks are not part of the installed package; get the source of headrace "
                f"{headrace.__version__} and run `make bench` there, or give --folder"
            )
    files = {path.stem: path for path in sorted(folder.glob("[!_]*.py"))}
    if not files:
        raise HeadraceError(f"{folder} holds no benchmarks (files NAME.py)")
    return files


def _run(path: Path, options: list[str], *, as_json: bool) -> tuple[bool, str]:
    """Run one benchmark file; whether it succeeded, and its JSON if that is wanted."""
    done = subprocess.run(
        [sys.executable, str(path), *options, *(["--json"] if as_json else [])],
        stdout=subprocess.PIPE if as_json else None,
        text=True,
        check=False,
    )
    if done.returncode in (-signal.SIGINT, 130):
        raise KeyboardInterrupt
    return done.returncode == 0, done.stdout or ""


def _print_list(files: dict[str, Path], *, as_json: bool) -> None:
    questions = {name: _question(path) for name, path in files.items()}
    if as_json:
        click.echo(json.dumps([{"name": name, "question": text} for name, text in questions.items()], indent=2))
        return
    width = max(map(len, questions), default=0)
    for name, text in questions.items():
        click.echo(f"{name:<{width}}  {text}")


def _question(path: Path) -> str:
    """Read the first line of a benchmark's docstring without running it."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]
