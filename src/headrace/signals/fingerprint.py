"""Short names for arrays of numbers, so that two filters of one length do not print alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.core.arrays import Array

__all__ = ["fingerprint"]


def fingerprint(array: Array) -> str:
    """Give six digits that the bytes of an array decide, after a ``#``."""
    import xxhash

    return f"#{xxhash.xxh3_64_hexdigest(array.tobytes())[:6]}"
