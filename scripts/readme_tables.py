"""Write the benchmark tables of README.md from benchmarks/results/*.json.

A table stands between `<!-- bench: fir noop -->` and `<!-- /bench -->`; the first comment names the results
that it shows. `--check` changes nothing and exits with 1 if a table is not what the results say.
"""

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from _tables import markdown  # noqa: E402 (it lies beside the benchmarks, which are no package)

BLOCK = re.compile(r"(<!-- bench:(?P<names>[^>]*?)-->\n).*?(<!-- /bench -->)", re.DOTALL)


def render(text: str, results: Path) -> str:
    """Replace what stands between the markers."""

    def replace(block: re.Match[str]) -> str:
        paths = [results / f"{name}.json" for name in block["names"].split()]
        tables = [markdown(json.loads(path.read_text(encoding="utf-8"))) for path in paths]
        return block[1] + "\n" + "\n".join(tables) + "\n" + block[3]

    return BLOCK.sub(replace, text)


def main() -> int:
    """Renew the tables, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=[ROOT / "README.md"])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a table is out of date")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    stale = 0
    for path in options.files:
        text = path.read_text(encoding="utf-8")
        try:
            renewed = render(text, options.results)
        except FileNotFoundError as error:
            sys.stderr.write(f"{path.name} shows {Path(error.filename).name}, which has not been measured\n")
            return 1
        if renewed == text:
            continue
        if options.check:
            sys.stderr.write(f"{path.name}: tables out of date; run: .venv/bin/python scripts/readme_tables.py\n")
            stale = 1
        else:
            path.write_text(renewed, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
