"""NumPy's .npy files, read in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.core.arrays import sample_dtype
from headrace.core.files import FileReader
from headrace.core.npy import NpyHeader
from headrace.errors import FormatError, HeadraceError, SchemaError
from headrace.signals.sources.calibration import Calibration, StoredType
from headrace.signals.sources.file import FileSource, Layout

if TYPE_CHECKING:
    import os

    from headrace.core.arrays import DType

__all__ = ["open_npy"]


def open_npy(
    path: str | os.PathLike[str],
    *,
    n_channels: int | None,
    axis: int,
    fs: float | None,
    calibration: tuple[Any, Any],
) -> FileSource:
    """Open a .npy file; see `headrace.signals.open` for the parameters.

    Raises
    ------
    FormatError
        If the header is unreadable or the file does not fit it.
    SchemaError
        If the array is not of one or two dimensions, or its dtype is no sample's.
    """
    file = FileReader(path)
    try:
        if file.size == 0:
            raise FormatError(f"{file.path} is empty: 0 bytes")
        header = NpyHeader.read(file)
        if len(header.shape) not in (1, 2):
            raise SchemaError(f"{file.path} has shape {header.shape}; a recording has (n,) or (n, channels)")
        flat = len(header.shape) == 1
        length_axis = 0 if flat else axis
        n = header.shape[length_axis]
        channels = 1 if flat else header.shape[1 - length_axis]
        if n_channels is not None and n_channels != channels:
            raise SchemaError(
                f"{file.path} has shape {header.shape}: {channels} channel(s) along axis {1 - length_axis}, "
                f"not the n_channels={n_channels} asked for"
            )
        if channels == 0:
            raise SchemaError(f"{file.path} has shape {header.shape}: no channels")
        stored = _stored(file.path, header.dtype)
        converted = Calibration.of(stored, *calibration, channels)
    except HeadraceError:
        file.close()
        raise
    channel_major = not flat and (axis == 1) != header.fortran_order
    layout = Layout(header.offset, n, channels, channel_major=channel_major, flat=flat)
    return FileSource(file, layout, converted, fs)


def _stored(path: str, dtype: DType) -> StoredType:
    try:
        return StoredType(sample_dtype(dtype), dtype.itemsize)
    except SchemaError as error:
        raise SchemaError(f"{path}: {error}") from error
