"""Delivery in another dtype: what happens to values at the border of a flow, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace import _native
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType

__all__ = ["cast_into", "check_cast"]


_ROWS = 4096  # widened at once, so that no second copy of a chunk is needed


def check_cast(found: DType, wanted: DType) -> None:
    """Refuse the conversions that would lose more than precision.

    Raises
    ------
    SchemaError
        For complex to real, and for bool as output.
    """
    if found.kind == "c" and wanted.kind != "c":
        raise SchemaError(f"out_dtype {wanted} would drop the imaginary part of {found}: deliver complex, or map first")
    if wanted.kind == "b" and found.kind != "b":
        raise SchemaError(f"out_dtype bool would say nothing of {found} values: map them to bool yourself")


def cast_into(source: Array, out: Array) -> int:
    """Convert `source` into `out`, an array of the same shape and another dtype.

    Integers are rounded half to even and saturated; NaN becomes 0. Floats are rounded to nearest.

    Returns
    -------
    int
        Values that did not fit: saturated ones and NaN. Always 0 for float output.
    """
    if out.dtype.kind not in "iu" or source.dtype == out.dtype:
        with np.errstate(over="ignore"):  # beyond float32's range is inf, as astype says
            np.copyto(out, source, casting="same_kind" if source.dtype.kind == out.dtype.kind else "unsafe")
        return 0
    if source.dtype == np.float16:
        return sum(
            int(_native.quantize(source[start : start + _ROWS].astype(np.float32), out[start : start + _ROWS]))
            for start in range(0, len(source), _ROWS)
        )
    found = np.ascontiguousarray(source)
    return int(_native.quantize(found.view(np.uint8) if found.dtype.kind == "b" else found, out))
