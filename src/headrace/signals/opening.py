"""Ways to get a recording: from a path, an array, an iterator, or other recordings."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core import registry
from headrace.core.checks import finite_number, whole_number
from headrace.core.files import regular_file
from headrace.errors import FormatError, SchemaError
from headrace.signals.recording import Labels, Recording
from headrace.signals.sources import (
    ArraySource,
    ConcatSource,
    IterSource,
    open_memmap,
    open_npy,
    open_raw,
    open_wav,
    rest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headrace.core.arrays import Array
    from headrace.core.source import Source

__all__ = ["concat", "from_array", "from_iter", "open", "open_all"]

_Path = str | os.PathLike[str]


def open(  # noqa: A001, PLR0913 - the verb users know, and the facts a raw file does not tell
    path: _Path | Sequence[_Path],
    *,
    dtype: Any = None,
    n_channels: int | None = None,
    fs: float | None = None,
    scale: Any = None,
    value_offset: Any = None,
    header_bytes: int = 0,
    axis: int = 0,
    channels: Any = None,
    start: int | str | None = None,
    stop: int | str | None = None,
    t0: float = 0.0,
    channel_names: Sequence[str] | None = None,
    units: str | None = None,
) -> Recording:
    """Open a recording, reading nothing but its header.

    Parameters
    ----------
    path : str, path-like, or sequence of them
        A file; a list of files, or a pattern with ``*``, ``?`` or ``[``, is one recording, end to end in the order
        given (a pattern's sorted by name). For one recording each, see `open_all`.
    dtype : dtype-like, optional
        What a raw file holds: any real or complex dtype, ``"int24"``, with ``"<"`` or ``">"`` for the byte order. With
        it any path is read as raw samples, whatever its suffix, but a .npy or WAV header must be skipped with
        `header_bytes`; without it the suffix must be a known one.
    n_channels : int, optional
        Channels in a raw file; default 1, and 1 gives shape ``(n,)``.
    fs : float, optional
        Samples per second, hertz; of a WAV file, instead of what its header says.
    scale, value_offset : float or sequence of float, optional
        ``sample = stored * scale + value_offset``, one number or one for each channel of the file. With either,
        integers of up to 24 bits are delivered as float32, wider ones as float64.
    header_bytes : int
        Bytes to skip at the start of a raw file.
    axis : {0, 1}
        Axis along which time runs: 0 for one frame after the other, 1 for one channel after the other.
    channels : int, str, slice or sequence, optional
        Those to deliver, by number or name; an int or a str gives shape ``(n,)``.
    start, stop : int or str, optional
        Part to deliver: samples, or times such as ``"10s"``.
    t0 : float
        Time of the file's first sample, seconds.
    channel_names : sequence of str, optional
        One for each channel of the file.
    units : str, optional
        Of the samples.

    Returns
    -------
    Recording
        Close it, or use it in a ``with`` block.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or nothing matches the pattern.
    FormatError
        If the file is empty, its suffix unknown, its header unreadable, or it does not hold whole frames.
    SchemaError
        If the options do not fit together or do not fit the file.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> np.arange(8, dtype="int16").tofile("rec.bin")
    >>> rec = headrace.signals.open("rec.bin", dtype="int16", n_channels=2, fs=1000, scale=0.5)
    >>> rec.shape, rec.dtype, rec.duration_s
    ((4, 2), dtype('float32'), 0.004)
    """
    fs = _rate(fs)
    _check_axis(axis)
    options = {
        "dtype": dtype,
        "n_channels": None if n_channels is None else whole_number("n_channels", n_channels, least=1),
        "fs": fs,
        "calibration": (scale, value_offset),
        "header_bytes": whole_number("header_bytes", header_bytes, least=0),
        "axis": axis,
    }
    sources = []
    for one in expand(path):
        sources.append(_open_one(one, options))
        if len(sources) > 1:
            rest(sources[-2])  # thousands of files are not thousands of descriptors
    labels = Labels(t0, tuple(channel_names) if channel_names is not None else None, units)
    recording = Recording(sources[0] if len(sources) == 1 else ConcatSource(sources), labels)
    if channels is not None:
        recording = recording[:, channels]
    if start is None and stop is None:
        return recording
    part: Recording = recording[start:stop]
    if len(part) == 0 and len(recording):
        length = f" ({recording.duration_s:.6g} s)" if recording.duration_s is not None else ""
        raise SchemaError(
            f"start={start!r} to stop={stop!r} holds no sample: the recording has {len(recording):,} samples{length}"
        )
    return part


def open_all(paths: _Path | Sequence[_Path], **options: Any) -> list[Recording]:
    """Open several files as a batch: one recording each.

    Parameters
    ----------
    paths : str, path-like, or sequence of them
        Files, or a pattern.
    **options
        As for `open`, the same for all.

    Returns
    -------
    list of Recording
        In the order given; a pattern's sorted by name.
    """
    return [open(one, **options) for one in expand(paths)]


def from_array(
    x: Any,
    fs: float | None = None,
    *,
    axis: int = 0,
    segments: Sequence[int] | None = None,
    t0: float = 0.0,
    channel_names: Sequence[str] | None = None,
    units: str | None = None,
) -> Recording:
    """Make a recording of an array in memory, without copying it.

    Parameters
    ----------
    x : array-like, shape (n,) or (n, channels)
        The samples.
    fs : float, optional
        Samples per second, hertz.
    axis : {0, 1}
        Axis along which time runs.
    segments : sequence of int, optional
        First sample of each stretch without a gap, beginning with 0.
    t0, channel_names, units
        See `open`.

    Returns
    -------
    Recording
        Views `x`, which must not change while a flow runs. A whole `numpy.memmap` is read through its file instead, so
        that its pages do not count in the process's memory.

    Raises
    ------
    SchemaError
        If shape, dtype or options do not fit.
    """
    fs = _rate(fs)
    _check_axis(axis)
    array: Array = np.asanyarray(x)
    mapped = open_memmap(array, axis, fs) if segments is None else None
    array = np.asarray(array)
    if axis == 1 and array.ndim == 2:
        array = array.T
    labels = Labels(t0, tuple(channel_names) if channel_names is not None else None, units)
    return Recording(mapped or ArraySource(array, fs, segments), labels)


def from_iter(
    arrays: Iterable[Any],
    fs: float | None = None,
    *,
    t0: float = 0.0,
    channel_names: Sequence[str] | None = None,
    units: str | None = None,
) -> Recording:
    """Make a recording of arrays that come one after the other, from any iterator.

    Parameters
    ----------
    arrays : iterable of array-like, each of shape (any,) or (any, channels)
        All of one dtype and number of channels. Taken in the consumer's thread, as the flow needs them.
    fs, t0, channel_names, units
        See `open`.

    Returns
    -------
    Recording
        For flows of one-pass operators; it has no length and cannot be sliced.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> live = headrace.signals.from_iter((np.full(3, i, np.float32) for i in range(2)), fs=10)
    >>> live.pipe(headrace.signals.Scale(2)).to_array()
    array([0., 0., 0., 2., 2., 2.], dtype=float32)
    """
    fs = _rate(fs)
    labels = Labels(t0, tuple(channel_names) if channel_names is not None else None, units)
    return Recording(IterSource(arrays, fs), labels)


def concat(recordings: Sequence[Recording], *, contiguous: bool = True) -> Recording:
    """Put recordings end to end.

    Parameters
    ----------
    recordings : sequence of Recording
        Of one dtype, number of channels and rate.
    contiguous : bool
        Whether each continues the one before it in time. If not, each is a segment of its own, and no operator
        crosses from one into the next.

    Returns
    -------
    Recording
        With the labels of the first.

    Raises
    ------
    SchemaError
        If they do not fit together.
    """
    if not recordings:
        raise SchemaError("nothing to concatenate: no recording was given")
    for recording in recordings:
        if not isinstance(recording, Recording):
            raise SchemaError(f"concat takes recordings: got {recording!r}; open files first: signals.open_all([...])")
    first = recordings[0]
    source = ConcatSource([recording._random() for recording in recordings], contiguous=contiguous)
    return Recording(source, Labels(first.t0, first.channel_names, first.units))


def _open_one(path: _Path, options: dict[str, Any]) -> Source:
    suffix = Path(path).suffix.lower()
    if options["dtype"] is not None:
        return open_raw(path, **options)
    if suffix in (".npy", ".wav"):
        if options["header_bytes"]:
            raise SchemaError(f"{path} is a {suffix} file, whose header is known: header_bytes= is for raw files")
        wanted = ("n_channels", "axis", "fs", "calibration")
        reader = open_npy if suffix == ".npy" else open_wav
        return reader(path, **{name: options[name] for name in wanted})
    provider = registry.find("source", suffix) if suffix else None
    if provider is None:
        regular_file(path)  # a missing file is said to be missing before its suffix is discussed
        known = ", ".join([".npy", ".wav", *registry.names("source")])
        raise FormatError(
            f"{path} has {f'the unknown suffix {suffix}' if suffix else 'no suffix'} (known: {known}): to read it as "
            "raw samples say what they are, for example dtype='int16' (--dtype int16), n_channels=16 (--n-channels 16)"
        )
    found: Source = provider(path, **options)
    return found


def expand(path: _Path | Sequence[_Path]) -> list[_Path]:
    """List the files that a path, a list or a pattern stands for; a pattern's are sorted by name.

    Raises
    ------
    FileNotFoundError
        If nothing matches a pattern.
    SchemaError
        If the list is empty.
    """
    if not isinstance(path, (str, os.PathLike)):
        if isinstance(path, bytes) or not hasattr(path, "__iter__"):  # type: ignore[unreachable]  # types are promises
            raise SchemaError(f"a path is a str or path-like, or a list of them: got {path!r}")
        if not path:
            raise SchemaError("no path was given: the list is empty")
        return [one for part in path for one in expand(part)]
    text = os.fspath(path)
    if not glob.has_magic(text) or Path(text).exists():
        return [path]
    found = sorted(glob.glob(text))  # noqa: PTH207 - patterns may be absolute, which Path.glob refuses
    if not found:
        raise FileNotFoundError(2, "nothing matches the pattern; check the folder and the suffix", text)
    return list(found)


def _check_axis(axis: int) -> None:
    if axis not in (0, 1):
        raise SchemaError(f"axis= is 0 (sample after sample) or 1 (channel after channel): got {axis!r}")


def _rate(fs: Any) -> float | None:
    return None if fs is None else finite_number("fs", fs, positive=True)
