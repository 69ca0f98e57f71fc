"""Print what pip has to install for one level of set-up, one requirement a line.

pyproject.toml is the only place where requirements are written down; constraints.txt pins them.

    run   what `make demo` needs: the required packages, the extras cli, signals and plot, and the build tools
    dev   what the tests, the checks, the docs and the benchmarks need as well
"""

import re
import sys
import tomllib
from pathlib import Path

LEVELS = {"run": ["cli", "signals", "plot"], "dev": ["dev"]}


def requirements(project: dict, extras: list[str]) -> list[str]:
    """Collect the requirements of some extras, with `headrace[a,b]` replaced by what it stands for."""
    found = {}
    for extra in extras:
        for line in project["optional-dependencies"][extra]:
            nested = re.fullmatch(rf"{project['name']}\[([\w,\s-]+)\]", line)
            lines = requirements(project, re.split(r"\s*,\s*", nested[1])) if nested else [line]
            found.update(dict.fromkeys(lines))
    return list(found)


def main() -> None:
    """Print the requirements of the level named on the command line."""
    root = Path(__file__).resolve().parents[1]
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    builders = [line for line in project["optional-dependencies"]["dev"] if re.match(r"(cmake|ninja)\b", line)]
    wanted = [*project["dependencies"], *settings["build-system"]["requires"], *builders]
    wanted += requirements(project, LEVELS[sys.argv[1]])
    sys.stdout.write("\n".join(dict.fromkeys(wanted)) + "\n")


if __name__ == "__main__":
    main()
