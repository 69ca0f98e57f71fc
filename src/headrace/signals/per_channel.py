"""Numbers that a user gives once, or once for each channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SchemaError

if TYPE_CHECKING:
    from headrace.core.arrays import Array

__all__ = ["check_count", "finite_numbers", "spread"]


def finite_numbers(name: str, given: Any) -> Array:
    """Take one finite real number or a row of them, as float64 of shape (1,) or (k,).

    Raises
    ------
    SchemaError
        If it is something else; names the argument.
    """
    try:
        found = np.asarray(given)
        values = np.atleast_1d(found.astype(np.float64, casting="same_kind"))
    except (TypeError, ValueError) as error:
        raise SchemaError(f"{name}= is a number, or one number for each channel: got {given!r}") from error
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise SchemaError(f"{name}= is one finite number, or one for each channel: got {given!r}")
    return values


def check_count(name: str, values: Array, n_channels: int) -> None:
    """Refuse numbers that are neither one nor one for each channel.

    Raises
    ------
    SchemaError
        Names the argument.
    """
    if len(values) not in (1, n_channels):
        raise SchemaError(f"{name}= has {len(values)} numbers for {n_channels} channel(s): give one, or one for each")


def spread(names: tuple[str, str], first: Array, second: Array, n_channels: int) -> tuple[Array, Array]:
    """Give two rows of numbers the same length: 1, or one number for each channel.

    Raises
    ------
    SchemaError
        If there are neither one nor `n_channels` of them; names the argument.
    """
    for name, values in zip(names, (first, second), strict=True):
        check_count(name, values, n_channels)
    width = max(len(first), len(second))
    return (
        np.ascontiguousarray(np.broadcast_to(first, width)),
        np.ascontiguousarray(np.broadcast_to(second, width)),
    )
