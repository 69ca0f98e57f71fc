"""Check that the newest version in CHANGELOG.md is the one in pyproject.toml."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Compare the two and say so where they differ."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = settings["project"]["version"]
    newest = re.search(r"^## \[?(\d[^\]\s]*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    if newest is None or newest[1] != declared:
        found = newest[1] if newest else "no version"
        sys.stderr.write(f"CHANGELOG.md's newest entry is {found}, pyproject.toml says {declared}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
