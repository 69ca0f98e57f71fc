"""Names for array types, and the rule that says in which float dtype samples are worked on."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from headrace.errors import SchemaError

__all__ = ["Array", "DType", "byte_view", "delivered_dtype", "float_dtype", "native", "sample_dtype", "widest"]

Array: TypeAlias = npt.NDArray[Any]
DType: TypeAlias = np.dtype[Any]


def float_dtype(dtype: DType) -> DType:
    """Give the float dtype in which values of `dtype` are computed and delivered.

    Integers that float32 holds exactly (8 and 16 bits) and bool become float32, wider ones float64; float16
    becomes float32; float32, float64 and complex stay what they are. Nothing becomes float64 behind the user's back.

    Examples
    --------
    >>> float_dtype(np.dtype("int16")), float_dtype(np.dtype("int32"))
    (dtype('float32'), dtype('float64'))
    """
    if dtype.kind in "fc":
        return np.dtype(np.float32) if dtype.itemsize == 2 else native(dtype)
    found: DType = np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)
    return found


def widest(dtype: DType) -> DType:
    """Give float64 for real dtypes, complex128 for complex ones."""
    return np.dtype(np.complex128 if dtype.kind == "c" else np.float64)


def sample_dtype(dtype: Any) -> DType:
    """Turn a user's dtype into a NumPy dtype that samples may have.

    Raises
    ------
    SchemaError
        If it is no dtype, or not a bool, integer, float (16, 32, 64 bits) or complex (64, 128 bits) one.
    """
    try:
        found: DType = np.dtype(dtype)
    except TypeError as error:
        raise SchemaError(
            f"not a dtype of samples in memory: {dtype!r}; they are int8 to int64, uint8 to uint64, float16, float32, "
            "float64, complex64 or complex128, with '<' or '>' for the byte order"
        ) from error
    if found.kind not in "biufc" or found.itemsize > (16 if found.kind == "c" else 8):
        raise SchemaError(f"samples cannot have dtype {found}: use a bool, integer, float or complex dtype")
    return found


def delivered_dtype(dtype: Any) -> tuple[DType, int | None]:
    """Turn a user's ``out_dtype=`` into a NumPy dtype in native byte order, and how many of its bits values may take.

    Examples
    --------
    >>> delivered_dtype(">i2"), delivered_dtype("int24")
    ((dtype('int16'), None), (dtype('int32'), 24))

    Raises
    ------
    SchemaError
        If samples cannot have it.
    """
    if isinstance(dtype, str) and dtype == "int24":
        return np.dtype(np.int32), 24
    return native(sample_dtype(dtype)), None


def native(dtype: DType) -> DType:
    """Give the same dtype in this machine's byte order."""
    found: DType = dtype.newbyteorder("=")
    return found


def byte_view(array: Array) -> memoryview:
    """View the bytes of a C-contiguous array, writable if it is."""
    return memoryview(array).cast("B")  # type: ignore[arg-type]  # an array has had the buffer protocol all along
