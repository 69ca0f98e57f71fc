"""Headerless binary files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.core.files import FileReader
from headrace.errors import FormatError
from headrace.signals.sources.calibration import Calibration, StoredType
from headrace.signals.sources.file import FileSource, Layout

if TYPE_CHECKING:
    import os

__all__ = ["open_raw"]


def open_raw(
    path: str | os.PathLike[str],
    *,
    dtype: Any,
    n_channels: int | None,
    header_bytes: int,
    axis: int,
    fs: float | None,
    calibration: tuple[Any, Any],
) -> FileSource:
    """Open a raw file; see `headrace.signals.open` for the parameters.

    Raises
    ------
    FormatError
        If the file is empty, ends before its header, or does not hold a whole number of frames.
    """
    stored = StoredType.parse(dtype)
    channels = 1 if n_channels is None else n_channels
    converted = Calibration.of(stored, *calibration, channels)
    file = FileReader(path)
    try:
        n = _frames(file, header_bytes, stored, channels)
    except FormatError:
        file.close()
        raise
    layout = Layout(header_bytes, n, channels, channel_major=axis == 1, flat=channels == 1)
    return FileSource(file, layout, converted, fs)


def _frames(file: FileReader, header_bytes: int, stored: StoredType, channels: int) -> int:
    frame = stored.itemsize * channels
    payload = file.size - header_bytes
    if file.size == 0:
        raise FormatError(f"{file.path} is empty: 0 bytes")
    if payload <= 0:
        raise FormatError(f"{file.path} has {file.size} bytes, no samples after header_bytes={header_bytes}")
    if payload % frame:
        raise FormatError(
            f"{file.path} does not hold whole frames: {payload} bytes after a header of {header_bytes} are "
            f"{payload // frame} frames of {frame} bytes ({channels} x {stored.name}) and {payload % frame} bytes "
            "more; check dtype, n_channels and header_bytes, or whether the file was cut"
        )
    return payload // frame
