"""Checks of users' arguments that several places make."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SchemaError

if TYPE_CHECKING:
    from headrace.core.arrays import Array

__all__ = ["finite_number", "int64_array", "whole_number"]

_MOST = 2**63 - 1


def whole_number(name: str, value: Any, *, least: int) -> int:
    """Take a whole number of at least `least`, of any integer type, that 64 bits hold.

    Raises
    ------
    SchemaError
        If it is something else; names the argument.
    """
    try:
        number = operator.index(value)
    except TypeError as error:
        raise SchemaError(f"{name}= is a whole number: got {value!r}") from error
    if number < least:
        raise SchemaError(f"{name}= is at least {least}: got {number}")
    if number > _MOST:
        raise SchemaError(f"{name}= is at most {_MOST}: got {number}")
    return number


def finite_number(name: str, value: Any, *, positive: bool = False) -> float:
    """Take a finite number, of any real type but bool; with `positive`, one above 0.

    Raises
    ------
    SchemaError
        If it is something else; names the argument.
    """
    known = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    try:
        number = float(value) if known else math.nan
    except OverflowError:  # an integer beyond all floats
        number = math.inf
    if not math.isfinite(number) or (positive and number <= 0):
        raise SchemaError(f"{name}= is a {'positive' if positive else 'finite'} number: got {value!r}")
    return number


def int64_array(values: Array) -> Array:
    """Take an array of integers as int64; what lies beyond, of uint64, becomes the largest."""
    return (
        np.minimum(values, np.uint64(_MOST)).astype(np.int64) if values.dtype == np.uint64 else values.astype(np.int64)
    )
