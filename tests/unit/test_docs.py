"""The documentation names everything that there is, and every example in it runs.

Blocks of Python and of shell commands are run page by page, in order, in an empty folder, sharing names and files as a
reader who types them would. A block that cannot be run says why in a comment on the line before it:
``<!-- not run: it needs a 20 GB file -->``.
"""

import contextlib
import doctest
import importlib
import importlib.util
import io
import os
import pkgutil
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

import headrace

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
RUN = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
FENCE = re.compile(
    r"^(?P<comment><!--[^\n]*-->\n)?```(?P<language>python|sh)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)
REASON = re.compile(r"<!-- not run: \w.{9,} -->")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# What is public: each name in `__all__` of these has its place in docs/reference.
PUBLIC = [
    "headrace",
    "headrace.bridges.arrow",
    "headrace.bridges.torch",
    "headrace.core.arrays",
    "headrace.core.arrow",
    "headrace.core.budget",
    "headrace.core.buffers",
    "headrace.core.chunk",
    "headrace.core.device",
    "headrace.core.device_chunks",
    "headrace.core.executors",
    "headrace.core.files",
    "headrace.core.flow",
    "headrace.core.mapping",
    "headrace.core.operator",
    "headrace.core.progress",
    "headrace.core.publish",
    "headrace.core.registry",
    "headrace.core.report",
    "headrace.core.run",
    "headrace.core.sinks",
    "headrace.core.sizes",
    "headrace.core.source",
    "headrace.core.span",
    "headrace.core.table_file",
    "headrace.core.table_reader",
    "headrace.core.table_sinks",
    "headrace.core.tables",
    "headrace.errors",
    "headrace.signals",
    "headrace.signals.design",
    "headrace.signals.envelope",
    "headrace.signals.events",
    "headrace.signals.features",
    "headrace.signals.marks",
    "headrace.signals.operators",
    "headrace.signals.plot",
    "headrace.signals.recording",
    "headrace.signals.sources",
    "headrace.signals.wave_sink",
    "headrace.signals.window_dataset",
    "headrace.signals.windowing",
    "headrace.testing",
    "headrace.testing.strategies",
]
# Names in `__all__` that are for headrace's own modules.
INTERNAL = {
    "headrace.core.arrays.byte_view",
    "headrace.core.arrays.native",
    "headrace.core.arrays.widest",
    "headrace.core.budget.Reservation",
    "headrace.core.executors.executor_of",
    "headrace.core.progress.progress_of",
    "headrace.core.publish.PART_NAME",
    "headrace.core.report.Meter",
    "headrace.core.report.peak_memory",
    "headrace.core.run.RunOptions",
    "headrace.core.run.check_complete",
    "headrace.core.sinks.Gate",
    "headrace.core.source.row_reader",
    "headrace.core.sizes.whole_pages",
    "headrace.signals.sources.open_memmap",
    "headrace.signals.sources.rest",
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    code: str
    comment: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, match.start("code")) + 1,
            match["language"],
            match["code"],
            match["comment"] or "",
        )
        for match in FENCE.finditer(text)
    ]


def run_python(block: Block, names: dict[str, object]) -> None:
    if ">>>" not in block.code:
        source = "\n" * (block.line - 1) + block.code
        exec(compile(source, block.place, "exec"), names)  # noqa: S102 - the page's own code is what is tested
        return
    test = doctest.DocTestParser().get_doctest(block.code, {}, block.place, str(block.page), block.line - 1)
    test.globs = names  # shared with the blocks that follow
    report = io.StringIO()
    failed = doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=report.write, clear_globs=False)
    assert failed.failed == 0, report.getvalue()


def run_shell(block: Block) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.code],
        env=os.environ | {"PATH": path, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{block.place}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_a_page_runs_or_says_why_not(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    registered = dict(importlib.import_module("headrace.core.registry")._registry._known)
    names: dict[str, object] = {"__name__": "__main__"}
    try:
        for block in blocks(page):
            if REASON.search(block.comment):
                continue
            with contextlib.redirect_stdout(io.StringIO()):
                run_python(block, names) if block.language == "python" else run_shell(block)
    finally:
        known = importlib.import_module("headrace.core.registry")._registry._known
        known.clear()
        known.update(registered)


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_block_of_a_page_goes_unseen(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    opened = re.findall(r"^ *```+ *\{?(?:code-block\}? *)?(python|pycon|py|sh|bash|console|shell|doctest|testcode)\b",
                        text, re.MULTILINE)  # fmt: skip
    assert len(opened) == len(blocks(page)), "a block is indented, or not fenced as ```python or ```sh"


def modules() -> list[str]:
    return ["headrace", *(module.name for module in pkgutil.walk_packages(headrace.__path__, "headrace."))]


@pytest.mark.parametrize("name", [name for name in modules() if not name.endswith("__main__")])
def test_every_example_in_a_docstring_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    for test in doctest.DocTestFinder().find(module):
        runner.run(test, out=report.write)
    assert runner.failures == 0, report.getvalue()


def public_names() -> list[str]:
    found = []
    for name in PUBLIC:
        module = importlib.import_module(name)
        parts = ("__version__", *(each for each in module.__all__ if isinstance(getattr(module, each), ModuleType)))
        found += [f"{name}.{each}" for each in module.__all__ if each not in parts]
    return [name for name in found if name not in INTERNAL]


def home(name: str) -> int:
    """Tell one object from another, by whatever name it is documented."""
    module, _, last = name.rpartition(".")
    return id(getattr(importlib.import_module(module), last))


def documented() -> set[str]:
    text = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    directive = re.compile(
        r"^\.\. (?:py:data|auto(?:class|function|exception|data|module)):: (headrace[\w.]*)(?:\(\))?$", re.MULTILINE
    )
    return set(directive.findall(text))


def test_every_public_name_is_in_the_reference() -> None:
    names = documented()
    known = {home(name) for name in names if "." in name}
    assert [name for name in public_names() if name not in names and home(name) not in known] == []


def test_the_reference_names_nothing_twice() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    found = re.findall(r"^\.\. auto\w+:: (\S+)$", text, re.MULTILINE)
    assert sorted(found) == sorted(set(found))


def test_every_error_has_its_entry_among_the_symptoms() -> None:
    text = (DOCS / "errors.md").read_text(encoding="utf-8")
    headings = "\n".join(re.findall(r"^#+ .*$", text, re.MULTILINE))
    missing = [name for name in headrace.errors.__all__ if name not in headings and name != "HeadraceError"]
    assert missing == []


def extension() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_commands", DOCS / "_commands.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_the_command_line_holds_the_help_of_every_command() -> None:
    commands = extension()
    assert commands.MARKER in (DOCS / "cli.md").read_text(encoding="utf-8")
    text = commands.reference()
    for ctx in commands.contexts():
        assert f"## {ctx.command_path}\n" in text
        assert f"Usage: {ctx.command_path} " in text


def test_every_command_is_used_in_a_guide() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in RUN if page.name != "changelog.md")
    names = [ctx.command_path for ctx in extension().contexts() if not hasattr(ctx.command, "commands")]
    assert [name for name in names if name not in text] == []
