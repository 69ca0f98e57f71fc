"""Rules of the house that no other tool holds."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import headrace

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "headrace"
MODULES = sorted(SOURCE.rglob("*.py"))
PACKAGES = sorted(path.parent for path in SOURCE.rglob("__init__.py"))
PUBLIC = sorted(
    module.name
    for module in pkgutil.walk_packages(headrace.__path__, "headrace.")
    if not any(part.startswith("_") for part in module.name.split("."))
)
HEAVY = [
    "asyncio",
    "click",
    "dask",
    "h5py",
    "matplotlib",
    "multiprocessing",
    "pandas",
    "pyarrow",
    "rich",
    "scipy",
    "torch",
    "unittest",
]


# Modules between 400 and 500 lines, each with the reason why it is still one concept.
LONG: dict[str, str] = {}


def export_order(name: str) -> tuple[int, str]:
    """Sort as ruff sorts `__all__` (RUF022): constants, classes, the rest."""
    return (0 if name.isupper() else 1 if name.lstrip("_")[:1].isupper() else 2, name)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked_files() -> list[Path]:
    """List the files that belong to the repository; all but build outputs where git is not at hand."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    skipped = {".git", ".venv", "build", "dist", "_build", "__pycache__"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not skipped & set(path.parts)]


def test_import_headrace_loads_nothing_heavy() -> None:
    code = f"import headrace, sys; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", f"import headrace loaded {done.stdout.strip()}"


@pytest.mark.parametrize("name", ["headrace", *PUBLIC])
def test_what_a_public_module_exports_is_sorted_and_there(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", None)
    if exported is None:
        # A module without __all__ exports nothing: a command of the command line, or an internal part.
        return
    assert list(exported) == sorted(set(exported), key=export_order)
    absent = [name for name in exported if not hasattr(module, name)]
    assert absent == []


def test_the_top_level_stays_small() -> None:
    assert len(headrace.__all__) <= 40


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_is_one_concept_long(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    most = 500 if relative(path) in LONG else 400
    assert lines <= most, f"{lines} lines: split it, or give the reason in LONG (500 at most)"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_the_sources_neither_print_nor_assert(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prints = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    asserts = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    assert (prints, asserts) == ([], [])


@pytest.mark.parametrize("package", PACKAGES, ids=relative)
def test_every_package_has_a_readme_that_names_its_files(package: Path) -> None:
    readme = package / "README.md"
    assert readme.is_file()
    text = readme.read_text(encoding="utf-8")
    unnamed = [path.name for path in package.glob("*.py") if path.name not in ("__init__.py", "__main__.py")]
    assert [name for name in unnamed if name not in text] == []


def test_the_package_says_that_it_is_typed() -> None:
    assert (SOURCE / "py.typed").is_file()


def test_every_command_in_the_help_can_be_loaded() -> None:
    app = importlib.import_module("headrace.cli._app")
    for name in app.COMMANDS:
        command = app.app.get_command(app.click.Context(app.app), name)
        assert command is not None
        assert command.help, f"headrace {name} has no help"
        assert hasattr(command, "commands") or "headrace " in (command.epilog or ""), f"headrace {name} has no example"


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    pattern = re.compile(r"(?<![\w.~*)}\]-])/(?:work|root|home/[a-z]+|Users/[A-Za-z]+)/")
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{relative(path)}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []
