"""Checks of users' arguments that several places make."""

from __future__ import annotations

import operator
from typing import Any

from headrace.errors import SchemaError

__all__ = ["whole_number"]


def whole_number(name: str, value: Any, *, least: int) -> int:
    """Take a whole number of at least `least`, of any integer type.

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
    return number
