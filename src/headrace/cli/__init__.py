"""The command line: ``headrace NOUN ...``.

One file per noun, imported only when that noun is asked for. Data goes to stdout, words to stderr.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after ``headrace``; those of this process if not given.

    Returns
    -------
    int
        0 done, 1 error, 2 usage, 3 done in part, 130 interrupted, 143 terminated.

    Examples
    --------
    >>> main(["--version"])  # doctest: +ELLIPSIS
    headrace ...
    0
    """
    try:
        missing = _missing()
        if missing:
            sys.stderr.write(
                f"headrace: error: the command line needs {' and '.join(missing)}; run: pip install 'headrace[cli]'\n"
            )
            return 1
        from headrace.cli import _app, _errors

        return _errors.run(_app.app, sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:  # before _errors had hold of it: while importing
        sys.stderr.write("headrace: interrupted\n")
        return 130


def _missing() -> list[str]:
    """Name the packages of the ``cli`` extra that are not installed, without importing them."""
    from importlib.util import find_spec

    return [name for name in ("click", "rich") if find_spec(name) is None]
