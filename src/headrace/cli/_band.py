"""``--band LO [HI]``: one option with one value or two, which click has no word for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BandCommand", "join_band", "pass_type", "read_band"]

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_ONE_EDGE = ("lowpass", "highpass")


class BandCommand(click.Command):
    """A command with an option ``--band LO [HI]``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Join the edges into one word before click sees them."""
        return super().parse_args(ctx, join_band(args))


def join_band(words: Sequence[str]) -> list[str]:
    """Join ``--band LO HI`` into one word, wherever it stands: a second edge is what reads as a number.

    Parameters
    ----------
    words : sequence of str
        A command line.

    Returns
    -------
    list of str
        The same with ``--band=LO,HI``. A file whose name is a number is written ``./6000`` after ``--band 300``.

    Examples
    --------
    >>> join_band(["in.npy", "--band", "300", "6000", "out.npy"])
    ['in.npy', '--band=300,6000', 'out.npy']
    >>> join_band(["--band", "300", "in.npy", "out.npy"])
    ['--band=300', 'in.npy', 'out.npy']
    """
    joined: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*joined, word, *rest]
        if word == "--band" and rest and (_NUMBER.fullmatch(rest[0]) or not rest[0].startswith("-")):
            word = f"--band={rest.pop(0)}"
        if word.startswith("--band=") and "," not in word and rest and _NUMBER.fullmatch(rest[0]):
            word = f"{word},{rest.pop(0)}"
        joined.append(word)
    return joined


def read_band(text: str) -> tuple[float, ...]:
    """Read ``"300"`` as one edge, ``"300,6000"`` as two, hertz.

    Examples
    --------
    >>> read_band("300"), read_band("300,6000")
    ((300.0,), (300.0, 6000.0))
    """
    words = text.split(",")
    for word in words:
        if not _NUMBER.fullmatch(word):
            raise ValueError(f"{word!r} is no number of hertz: write --band 300 6000, or one edge, --band 300")
    edges = tuple(float(word) for word in words)
    shown = " ".join(words)
    if len(edges) > 2:
        raise ValueError(f"{shown} are {len(edges)} edges: write the lower and the upper one, such as --band 300 6000")
    if min(edges) <= 0 or max(edges) == float("inf"):
        raise ValueError(f"{shown}: an edge lies above 0 Hz, such as --band 300 6000")
    if len(edges) == 2 and edges[0] >= edges[1]:
        raise ValueError(f"{shown}: write the lower edge first, such as --band 300 6000")
    return edges


def pass_type(btype: str | None, band: tuple[float, ...]) -> str:
    """Settle which side of the edges passes.

    Parameters
    ----------
    btype : str or None
        As given; ``None`` is ``"bandpass"``.
    band : tuple of float
        One edge, or two.

    Returns
    -------
    str
        ``"lowpass"``, ``"highpass"``, ``"bandpass"`` or ``"bandstop"``.

    Raises
    ------
    click.UsageError
        If it does not go with so many edges; says what to type.
    """
    shown = " ".join(f"{edge:g}" for edge in band)
    if len(band) == 1 and btype not in _ONE_EDGE:
        given = "" if btype is None else f", and {btype} takes two"
        raise click.UsageError(
            f"--band {shown} is one edge{given}: say which side passes, --band {shown} --btype lowpass or --btype "
            "highpass, or give both edges, --band LO HI"
        )
    if len(band) == 2 and btype in _ONE_EDGE:
        one = band[0] if btype == "highpass" else band[1]
        raise click.UsageError(
            f"--band {shown} is two edges, and {btype} takes one: --band {one:g} --btype {btype}, or --band {shown} "
            "--btype bandpass"
        )
    return btype or "bandpass"
