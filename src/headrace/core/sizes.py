"""Byte sizes as people write them: ``"64MB"`` and ``"64M"`` are 10^6, ``"64MiB"`` is 2^20."""

from __future__ import annotations

import mmap
import operator
import re
from typing import SupportsIndex

__all__ = ["format_bytes", "parse_bytes", "whole_pages"]

_UNITS = {"": 1, "B": 1}
for _power, _letter in enumerate("KMGTP", start=1):
    _UNITS |= {
        _letter: 1000**_power,
        f"{_letter}B": 1000**_power,
        f"{_letter}I": 1024**_power,
        f"{_letter}IB": 1024**_power,
    }
_SIZE = re.compile(r"\s*(\d{1,20}(?:\.\d{1,20})?)\s*([A-Za-z]*)\s*")


def parse_bytes(size: SupportsIndex | str) -> int:
    """Read a number of bytes.

    Parameters
    ----------
    size : int or str
        Bytes, or text such as ``"64MB"``, ``"64M"`` (both 64 * 10^6), ``"64MiB"`` (64 * 2^20), ``"1.5GB"``.

    Returns
    -------
    int
        Bytes, at least 1.

    Raises
    ------
    ValueError
        If the text is not a size, or the size is not positive.

    Examples
    --------
    >>> parse_bytes("64M"), parse_bytes("64MiB")
    (64000000, 67108864)
    """
    if isinstance(size, str):
        match = _SIZE.fullmatch(size)
        unit = _UNITS.get(match[2].upper()) if match else None
        if match is None or unit is None:
            raise ValueError(f"not a size in bytes: {size!r}; write for example 64MB, 64MiB or 67108864")
        whole, _, part = match[1].partition(".")
        count = int(whole + part) * unit // int(10 ** len(part))
    elif isinstance(size, bool) or not hasattr(size, "__index__"):
        raise TypeError(f"a size is an int or a str such as '64MB': got {type(size).__name__}")
    else:
        count = operator.index(size)
    if count < 1:
        raise ValueError(f"a size is at least one byte: got {size!r}")
    return count


def whole_pages(nbytes: int) -> int:
    """Round up to whole pages of memory: what a buffer really takes."""
    return -(-nbytes // mmap.PAGESIZE) * mmap.PAGESIZE


def format_bytes(count: float) -> str:
    """Write a number of bytes for people, in powers of 1000.

    Examples
    --------
    >>> format_bytes(64_000_000), format_bytes(1536)
    ('64 MB', '1.54 kB')
    """
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:.3g} {unit}" if abs(count) < 1000 else f"{count:.0f} {unit}"
