"""What a path holds, as facts: recordings, raw bytes, folders, unfinished outputs, and what is none of these."""

from __future__ import annotations

import fcntl
import os
import stat
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.core import registry
from headrace.core.publish import PART_NAME
from headrace.core.sizes import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.cli._options import SourceOptions
    from headrace.signals import Recording

__all__ = ["describe", "describe_recording"]

_PREVIEW_SAMPLES, _PREVIEW_BYTES = 65_536, 1 << 23
_PIECE_VALUES = 1 << 17  # looked at together
_MOST_ENTRIES = 100_000
_GUESSED_DTYPES = {"int16": 2, "float32": 4, "float64": 8}
_GUESSED_CHANNELS = (1, 2, 4, 8, 16, 32, 64, 128, 384, 385)

# first bytes -> what the file is; https://en.wikipedia.org/wiki/List_of_file_signatures and the formats' own pages
_SIGNATURES: dict[bytes, str] = {
    b"\x93NUMPY": "npy",
    b"\x89HDF\r\n\x1a\n": "HDF5 file",
    b"ARROW1": "Arrow IPC file",
    b"PAR1": "Parquet file",
    b"RIFF": "RIFF file (WAV audio, AVI); as WAV it is read where its name ends in .wav",
    b"RF64": "RF64 file (WAV audio above 4 GB): it is read where its name ends in .wav",
    b"BW64": "BW64 file (WAV audio above 4 GB): it is read where its name ends in .wav",
    b"fLaC": "FLAC audio",
    b"LASF": "LAS point cloud",
    b"ply\n": "PLY point cloud",
    b"ply\r": "PLY point cloud",
    b"\x89PNG": "PNG image",
    b"\xff\xd8\xff": "JPEG image",
    b"II*\0": "TIFF image",
    b"PK\x03\x04": "zip archive (.npz, .zip, ...): extract it first",
    b"\x1f\x8b": "gzip file: uncompress it first",
    b"(\xb5/\xfd": "Zstandard file: uncompress it first",
    b"MATLAB 5.0": "MATLAB 5 file",
    b"\x7fELF": "program",
    b"0       ": "EDF recording",
}


def describe(path: Path, options: SourceOptions) -> dict[str, Any]:
    """Find out what a path holds.

    Parameters
    ----------
    path : Path
        Anything.
    options : SourceOptions
        What the user said about recordings.

    Returns
    -------
    dict
        Plain JSON types; ``kind`` is ``recording``, ``raw``, ``array``, ``folder``, ``part``, ``known``, ``text``,
        ``empty``, ``unknown`` or ``special``.

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    HeadraceError
        If a recording cannot be opened as what it claims to be.
    """
    status = path.stat()
    facts: dict[str, Any] = {"path": str(path)}
    if stat.S_ISDIR(status.st_mode):
        return facts | _folder(path)
    if not stat.S_ISREG(status.st_mode):
        return facts | {"kind": "special", "summary": "a pipe, socket or device: feed it through signals.from_iter"}
    facts["size_bytes"] = status.st_size
    if PART_NAME.fullmatch(path.name):
        return facts | _part(path)
    if options.dtype is not None:
        return facts | describe_recording([path], options)
    if status.st_size == 0:
        return facts | {"kind": "empty", "summary": "an empty file"}
    return facts | _by_contents(path, options)


def describe_recording(paths: Sequence[Path], options: SourceOptions) -> dict[str, Any]:
    """Open files as one recording and say what it is, with a look at its first second."""
    with options.open(paths) as recording:
        labels = {"t0": recording.t0, "channel_names": recording.channel_names, "units": recording.units}
        return {
            "kind": "recording",
            "shape": list(recording.shape),
            "dtype": str(recording.dtype),
            "n_samples": recording.n_samples,
            "n_channels": recording.n_channels,
            "fs": recording.fs,
            "duration_s": recording.duration_s,
            "segments": len(recording.segments),
            **{name: value for name, value in labels.items() if value},
            "beginning": _beginning(recording),
        }


def _by_contents(path: Path, options: SourceOptions) -> dict[str, Any]:
    with path.open("rb") as file:
        head = file.read(4096)
    known = next((name for mark, name in _SIGNATURES.items() if head.startswith(mark)), None)
    suffix = path.suffix.lower()
    if known == "npy" or suffix == ".npy":
        return _npy(path, options)
    if suffix == ".wav" or (suffix and registry.find("source", suffix) is not None):
        return describe_recording([path], options)
    if known:
        return {"kind": "known", "summary": known}
    if _is_text(head):
        return {"kind": "text", "summary": "text, which is not read as a recording: save the numbers with numpy.save"}
    return _raw(path, options)


def _npy(path: Path, options: SourceOptions) -> dict[str, Any]:
    from headrace.core.files import FileReader
    from headrace.core.npy import NpyHeader

    with FileReader(path) as file:
        header = NpyHeader.read(file)
    numbers = header.dtype.kind in "biufc"
    if len(header.shape) in (1, 2) and numbers and path.suffix.lower() == ".npy" and 0 not in header.shape[1:]:
        return describe_recording([path], options)
    why = "its name does not end in .npy" if len(header.shape) in (1, 2) and numbers else "not a recording as it is"
    return {
        "kind": "array",
        "shape": list(header.shape),
        "dtype": str(header.dtype),
        "summary": f"a NumPy array, {why}: recordings have shape (n,) or (n, channels) and numbers",
    }


def _raw(path: Path, options: SourceOptions) -> dict[str, Any]:
    """List what a file of bare numbers could be: sizes that leave no remainder."""
    payload = path.stat().st_size - options.header_bytes
    channels = (options.n_channels,) if options.n_channels else _GUESSED_CHANNELS
    guesses = [
        {"dtype": dtype, "n_channels": count, "n_samples": payload // (width * count)}
        | ({"duration_s": payload // (width * count) / options.fs} if options.fs else {})
        for dtype, width in _GUESSED_DTYPES.items()
        for count in channels
        if payload > 0 and payload % (width * count) == 0
    ]
    kind = "raw" if guesses else "unknown"
    summary = "an unknown kind of file" + (
        "; as raw samples it could be one of these" if guesses else f", and no number of usual samples: {payload} bytes"
    )
    return {"kind": kind, "summary": summary, "could_be": guesses}


def _beginning(recording: Recording) -> dict[str, Any] | None:
    """Look at the first second, or at the first samples where there is no rate."""
    import numpy as np

    n = round(recording.fs) if recording.fs and recording.fs >= 1 else _PREVIEW_SAMPLES
    frame = max(1, recording.n_channels * recording.dtype.itemsize)
    n = min(n, _PREVIEW_BYTES // frame, recording.n_samples or 0)
    if not n:
        return None
    count, mean, squares, low, high = 0, 0.0, 0.0, np.inf, -np.inf
    step = max(1, _PIECE_VALUES // recording.n_channels)
    for start in range(0, n, step):
        values = np.asarray(recording[start : min(start + step, n)])
        values = (np.abs(values) if values.dtype.kind == "c" else values).astype(np.float64, copy=False)
        finite = values[np.isfinite(values)]
        if finite.size:  # the moments of two parts, joined: Chan, Golub and LeVeque (1983)
            off = float(finite.mean()) - mean
            squares += float(finite.var()) * finite.size + off**2 * count * finite.size / (count + finite.size)
            count += finite.size
            mean += off * finite.size / count
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    not_finite = n * recording.n_channels - count
    if not count:
        return {"n_samples": n, "not_finite": not_finite}
    return {
        "n_samples": n,
        "min": low,
        "max": high,
        "mean": mean,
        "std": (squares / count) ** 0.5,
        "not_finite": not_finite,
    }


def _folder(path: Path) -> dict[str, Any]:
    kinds: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    parts: list[str] = []
    with os.scandir(path) as entries:
        for number, entry in enumerate(entries):
            if number == _MOST_ENTRIES:
                break
            suffix = Path(entry.name).suffix.lower() or "no suffix"
            kind = "folder" if entry.is_dir() else suffix
            kinds[kind] += 1
            if entry.is_file():
                sizes[kind] += entry.stat().st_size
            if PART_NAME.fullmatch(entry.name):
                parts.append(entry.name)
    contents = [{"kind": kind, "count": count, "size_bytes": sizes[kind]} for kind, count in kinds.most_common()]
    more = f" (the first {_MOST_ENTRIES:,} of more)" if sum(kinds.values()) == _MOST_ENTRIES else ""
    total = sum(sizes.values())
    summary = (
        f"a folder of {sum(kinds.values()):,} entries, {format_bytes(total)}{more}" if kinds else "an empty folder"
    )
    return {
        "kind": "folder",
        "size_bytes": total,
        "summary": summary,
        "contents": contents,
        "unfinished": sorted(parts),
    }


def _part(path: Path) -> dict[str, Any]:
    """Say whether an unfinished output is being written, or was left by a killed run: a live run holds a lock."""
    found = PART_NAME.fullmatch(path.name)
    output = found["output"] if found else path.name
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return {
            "kind": "part",
            "output": output,
            "running": True,
            "summary": f"{output} in the making: a run is writing it",
        }
    finally:
        os.close(fd)
    summary = f"left by a killed run of {output}: the next run of {output} removes it, or delete it"
    if path.with_suffix(".journal").exists():
        summary = (
            f"left by a killed run of {output} with what it takes to go on: the same command with --resume does, any "
            f"other run of {output} removes it"
        )
    return {"kind": "part", "output": output, "running": False, "summary": summary}


def _is_text(head: bytes) -> bool:
    try:
        text = head[:-4].decode("utf-8") if len(head) == 4096 else head.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\r\n\t\f" for letter in text)
