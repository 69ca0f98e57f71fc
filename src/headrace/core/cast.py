"""Delivery in another dtype: what happens to values at the border of a flow, and nowhere else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from headrace import _native
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType

__all__ = ["cast_into", "check_cast"]


_ROWS = 4096  # widened at once, so that no second copy of a chunk is needed
_VALUES = 65_536  # held against their limits at once


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


def cast_into(source: Array, out: Array, bits: int | None = None) -> int:
    """Convert `source` into `out`, an array of the same shape and another dtype.

    Integers are rounded half to even and saturated, to `bits` if given; NaN becomes 0. Floats are rounded to nearest.

    Returns
    -------
    int
        Values that did not fit: saturated ones and NaN. Always 0 for float output.
    """
    if bits is not None:
        step = max(1, _VALUES // max(1, math.prod(source.shape[1:])))
        rows = (slice(start, start + step) for start in range(0, len(source), step))
        return sum(_cast_to_bits(source[some], out[some], bits) for some in rows)
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


def _cast_to_bits(source: Array, out: Array, bits: int) -> int:
    cast_into(source, out)
    most = (1 << (bits - 1)) - 1
    clipped = np.count_nonzero((out > most) | (out < ~most))
    np.clip(out, ~most, most, out=out)
    return int(clipped) + (int(np.count_nonzero(np.isnan(source))) if source.dtype.kind == "f" else 0)
