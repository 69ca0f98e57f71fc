"""What the help texts of all commands share."""

from __future__ import annotations

__all__ = ["examples"]


def examples(*lines: str) -> str:
    """Lay out the examples under a command's help, for click's ``epilog``.

    Parameters
    ----------
    *lines : str
        One command line each.

    Returns
    -------
    str
        The block, marked so that click does not rewrap it.

    Examples
    --------
    >>> examples("headrace doctor").splitlines()[1:]
    ['Examples:', '  headrace doctor']
    """
    return "\n  ".join(["\b\nExamples:", *lines])
