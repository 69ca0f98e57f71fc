"""Headerless binary files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.core.files import FileReader
from headrace.errors import FormatError, SchemaError
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
    SchemaError
        If the file begins with the header of a .npy or WAV file, which `header_bytes` does not skip.
    """
    stored = StoredType.parse(dtype)
    channels = 1 if n_channels is None else n_channels
    converted = Calibration.of(stored, *calibration, channels)
    file = FileReader(path)
    try:
        if header_bytes == 0:
            _refuse_header(file)
        n = _frames(file, header_bytes, stored, channels)
    except (FormatError, SchemaError):
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


def _refuse_header(file: FileReader) -> None:
    """Raise `SchemaError` if a header that is no samples would be read as such."""
    taken = bytearray(min(12, file.size))
    file.read_into(memoryview(taken), 0)
    head = bytes(taken)
    is_wave = head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE"
    kind = ".npy" if head.startswith(b"\x93NUMPY") else "WAV" if is_wave else None
    if kind:
        raise SchemaError(
            f"{file.path} begins with the header of a {kind} file, and dtype= (--dtype) asks for raw samples from its "
            "first byte: leave dtype= out, or skip the header with header_bytes= (--header-bytes)"
        )
