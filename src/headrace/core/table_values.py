"""Columns of a table in the dtype that a reader asks for: a value that it cannot take is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.errors import FormatError

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType

__all__ = ["check_kind", "fitted", "unfit"]


def check_kind(path: object, name: str, stored: DType, wanted: DType) -> None:
    """Refuse a column of another kind or shape, such as floats where integers are wanted.

    Raises
    ------
    FormatError
        If it is one.
    """
    texts = {stored.base.kind in "US", wanted.base.kind in "US"}
    if stored.shape != wanted.shape or len(texts) > 1 or not np.can_cast(stored.base, wanted.base, "same_kind"):
        raise FormatError(f"column {name!r} of {path} holds {stored}, not {wanted}")


def fitted(path: object, name: str, values: Array, dtype: DType, first: int) -> Array:
    """Convert values of a kind that `check_kind` lets pass, shape (k, ...): floats are rounded, all else is kept.

    Parameters
    ----------
    path, name
        Of the file and the column, for the error.
    values : ndarray
        As stored.
    dtype : dtype
        Wanted.
    first : int
        Number of the first row, for the error.

    Raises
    ------
    FormatError
        If the dtype cannot take one of them: an integer out of its range or precision, a float beyond its largest, text
        that is longer.
    """
    if values.dtype == dtype.base:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            found = values.astype(dtype.base)
        except UnicodeDecodeError as error:
            raise FormatError(f"column {name!r} of {path} holds bytes that are no text: {error}") from error
        if values.dtype.kind in "fc":
            lost = np.isfinite(values) & ~np.isfinite(found)
        else:
            lost = (found.astype(values.dtype) != values) & (values == values)  # NaT equals nothing
    if lost.any():
        place = tuple(np.argwhere(lost)[0].tolist())
        raise unfit(path, name, first + place[0], values[place].item(), dtype)
    return found


def unfit(path: object, name: str, row: int, value: object, dtype: DType) -> FormatError:
    """Make the error that says which value a dtype cannot take."""
    return FormatError(f"column {name!r} of {path} holds {repr(value)[:80]} in row {row}, which is no {dtype.base}")
