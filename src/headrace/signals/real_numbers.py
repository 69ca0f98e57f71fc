"""Samples of any dtype as the real numbers that kernels read: complex ones as two of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.core.operator import Spec

__all__ = ["real_channels", "real_numbers", "real_view"]


def real_channels(spec: Spec) -> int:
    """Count the real channels of a stream: a complex one is two of them."""
    return spec.n_channels * (2 if spec.dtype.kind == "c" else 1)


def real_view(array: Array) -> Array:
    """View C-contiguous complex samples as real numbers, (n, real channels); real ones stay what they are."""
    if array.dtype.kind != "c":
        return array
    real = np.dtype(np.float32 if array.dtype.itemsize == 8 else np.float64)
    return array.view(real).reshape(len(array), 2 * math.prod(array.shape[1:]))


def real_numbers(array: Array) -> Array:
    """Give samples of any dtype and layout as a C-contiguous array of real numbers that a kernel reads."""
    if array.dtype == np.float16:
        return array.astype(np.float32, order="C")
    array = np.ascontiguousarray(array)
    return real_view(array.view(np.uint8) if array.dtype.kind == "b" else array)
