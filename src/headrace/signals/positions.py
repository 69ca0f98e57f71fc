"""Places in a recording as people write them: samples, or times such as ``"10s"``."""

from __future__ import annotations

import operator
import re
from typing import Any

from headrace.core.checks import whole_number
from headrace.errors import SchemaError

__all__ = ["checked_length", "parse_length", "parse_position"]

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_MOST = 2.0**62
_TIME = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*(us|ms|s|min|h)\s*")


def parse_position(position: Any, n: int, fs: float | None) -> int:
    """Turn a position into a sample index.

    Parameters
    ----------
    position : int or str
        A sample (negative: from the end), or a time from the first sample: ``"10s"``, ``"250ms"``, ``"1.5h"``.
    n : int
        Samples there are.
    fs : float or None
        Samples per second, needed for times.

    Returns
    -------
    int
        At least 0; may lie past the end, as in a slice.

    Raises
    ------
    SchemaError
        If it is neither, or a time is given and no rate is known.

    Examples
    --------
    >>> parse_position("250ms", n=10_000, fs=1000.0)
    250
    """
    if isinstance(position, str):
        if re.fullmatch(r"\s*-?\d+\s*", position):
            position = int(position)
        else:
            return _from_time(position, fs)
    try:
        index = operator.index(position)
    except TypeError as error:
        raise SchemaError(f"a position is a sample number or a time such as '10s': got {position!r}") from error
    return max(0, index + n) if index < 0 else index


def checked_length(name: str, length: Any) -> int | str:
    """Take a length before the rate is known: a whole number of at least 1, or a time, for `parse_length` later.

    Raises
    ------
    SchemaError
        If it is neither.

    Examples
    --------
    >>> checked_length("block", 1000), checked_length("block", "100ms")
    (1000, '100ms')
    """
    if not isinstance(length, str):
        return whole_number(name, length, least=1)
    parse_position(length, n=0, fs=1.0)
    return length


def parse_length(name: str, length: Any, fs: float | None) -> int:
    """Turn a length into a number of samples, at least 1.

    Parameters
    ----------
    name : str
        What the argument is called, for errors.
    length : int or str
        Samples, or a time such as ``"10ms"``.
    fs : float or None
        Samples per second, needed for times.

    Raises
    ------
    SchemaError
        If it is neither, is less than one sample, or a time is given and no rate is known.

    Examples
    --------
    >>> parse_length("length", "10ms", fs=30_000.0)
    300
    """
    samples = parse_position(length, 0, fs)
    if samples < 1:
        raise SchemaError(f"{name}= is at least 1 sample: got {length!r}")
    return whole_number(name, samples, least=1)


def _from_time(text: str, fs: float | None) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        raise SchemaError(f"a position is a sample number or a time such as '10s', '250ms', '1.5h': got {text!r}")
    if fs is None:
        raise SchemaError(f"{text!r} is a time, and the recording has no rate: give fs= (--fs)")
    samples = float(match[1]) * _SECONDS[match[2]] * fs
    if samples > _MOST:
        raise SchemaError(f"{text!r} lies beyond {_MOST:.0e} samples, further than any recording reaches")
    return round(samples)
