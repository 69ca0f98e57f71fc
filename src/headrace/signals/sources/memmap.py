"""A `numpy.memmap`, read through its file: mapped pages would count in the process's memory, and could vanish."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

from headrace.core.arrays import sample_dtype
from headrace.core.files import FileReader
from headrace.signals.sources.calibration import Calibration, StoredType
from headrace.signals.sources.file import FileSource, Layout

__all__ = ["open_memmap"]


def open_memmap(array: Any, axis: int, fs: float | None) -> FileSource | None:
    """Give a source that reads the file behind a whole map, or ``None`` where the array is not one.

    A slice of a map, one whose file is gone, or a private copy-on-write map is none.
    """
    whole = isinstance(array, np.memmap) and isinstance(getattr(array, "base", None), mmap.mmap)
    if not whole or array.filename is None or array.mode == "c" or not array.flags.c_contiguous:
        return None
    if array.ndim not in (1, 2) or array.size == 0:
        return None
    try:
        file = FileReader(array.filename)
    except OSError:
        return None
    flat = array.ndim == 1
    n, n_channels = (array.shape[0], 1) if flat else (array.shape[axis], array.shape[1 - axis])
    layout = Layout(array.offset, n, n_channels, channel_major=not flat and axis == 1, flat=flat)
    stored = StoredType(sample_dtype(array.dtype), array.dtype.itemsize)
    return FileSource(file, layout, Calibration.of(stored, None, None, n_channels), fs)
