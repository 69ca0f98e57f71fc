"""WAV files, read in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.core.files import FileReader
from headrace.errors import FormatError, HeadraceError, SchemaError
from headrace.signals.sources.calibration import Calibration, StoredType
from headrace.signals.sources.file import FileSource, Layout
from headrace.signals.wave_header import WaveHeader

if TYPE_CHECKING:
    import os

__all__ = ["open_wav"]


def open_wav(
    path: str | os.PathLike[str],
    *,
    n_channels: int | None,
    axis: int,
    fs: float | None,
    calibration: tuple[Any, Any],
) -> FileSource:
    """Open a WAV file; see `headrace.signals.open` for the parameters.

    Parameters
    ----------
    path : str or path-like
        RIFF, RF64 or BW64, of PCM up to 32 bits or float of 32 or 64, plain or WAVE_FORMAT_EXTENSIBLE. Of PCM in a
        container that is wider than its bits, the container is what is read: it holds them at its upper end.
    n_channels : int or None
        Checked against the header.
    axis : int
        0: a WAV file holds one frame after the other.
    fs : float or None
        Samples per second, hertz, instead of the header's whole number.
    calibration : tuple
        Scale and offset.

    Returns
    -------
    FileSource
        Samples as stored: uint8 (silence is 128), int16, int32, float32, float64; 24-bit integers as float32, which
        holds them exactly. One channel gives shape ``(n,)``.

    Raises
    ------
    FormatError
        If the header is damaged, the file is shorter than it says, or the samples are compressed.
    SchemaError
        If the options do not fit the file.

    Notes
    -----
    A size of samples that was never filled in, all ones or zero, as a recorder leaves it that streams or died, means
    all whole frames up to the end of the file; after a zero not if all that follows are other chunks.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.zeros((100, 2), np.int16), fs=48_000)
    >>> report = rec.pipe().to_file("a.wav")
    >>> headrace.signals.open("a.wav")
    Recording(<a.wav>: 100 x 2 ch int16 at 48000 Hz, 0.00208333 s)
    """
    if axis != 0:
        raise SchemaError(f"{path} is a WAV file, which holds frame after frame: axis= is 0, or left away")
    file = FileReader(path)
    try:
        if file.size == 0:
            raise FormatError(f"{file.path} is empty: 0 bytes")
        header = WaveHeader.read(file)
        if n_channels is not None and n_channels != header.n_channels:
            raise SchemaError(
                f"{file.path} has {header.n_channels} channel(s), not the n_channels={n_channels} asked for"
            )
        converted = Calibration.of(StoredType.parse(header.stored), *calibration, header.n_channels)
    except HeadraceError:
        file.close()
        raise
    layout = Layout(header.offset, header.n, header.n_channels, flat=header.n_channels == 1)
    return FileSource(file, layout, converted, header.fs if fs is None else fs)
