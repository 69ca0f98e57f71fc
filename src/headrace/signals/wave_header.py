"""The header of a WAV file, read as untrusted bytes and written by position.

RIFF/WAVE counts bytes in 32 bits; RF64 (and BW64, its successor) is the same with 64-bit sizes in a chunk ``ds64``
that stands first. Ours rather than the standard library's `wave`, which knows neither those nor float, and which
reads through a cursor.

References
----------
Microsoft and IBM, *Multimedia Programming Interface and Data Specifications 1.0* (1991), and *Multiple channel audio
data and WAVE files* (2007); EBU Tech 3306 (RF64), ITU-R BS.2088 (BW64).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.core.files import FileReader
    from headrace.signals.sources.calibration import StoredType

__all__ = ["HEADER_BYTES", "STORED_TYPES", "WaveHeader", "wave_header"]

HEADER_BYTES = 128
"""Size of every header that headrace writes: room for 64-bit sizes, and samples that lie aligned in the file."""

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
STORED_TYPES = {
    (PCM, 1): "uint8",
    (PCM, 2): "<i2",
    (PCM, 3): "<i3",
    (PCM, 4): "<i4",
    (FLOAT, 4): "<f4",
    (FLOAT, 8): "<f8",
}
"""How values are stored, by format code and bytes of one; ``"<i3"`` is a 24-bit integer."""

_UNKNOWN = 0xFFFFFFFF
_MOST_CHUNKS = 4096  # looked at before the samples; a real file has a handful
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # what follows the format code in WAVE_FORMAT_EXTENSIBLE
_CODECS = {
    0x0002: "Microsoft ADPCM",
    0x0006: "A-law",
    0x0007: "mu-law",
    0x0011: "IMA ADPCM",
    0x0031: "GSM 6.10",
    0x0050: "MPEG",
    0x0055: "MP3",
    0x0092: "Dolby AC-3 over S/PDIF",
    0x00FF: "AAC",
    0x0161: "Windows Media Audio",
    0xF1AC: "FLAC",
}


@dataclass(frozen=True, slots=True)
class WaveHeader:
    """What the header of a WAV file says.

    Attributes
    ----------
    stored : str
        How one value is stored, as `headrace.signals.open` takes it for raw files: ``"<i2"``, ``"<i3"`` ...
    n_channels : int
        Values in one frame.
    fs : float or None
        Samples per second, hertz; ``None`` where the header says 0.
    offset : int
        Byte position of the first frame.
    n : int
        Frames.
    """

    stored: str
    n_channels: int
    fs: float | None
    offset: int
    n: int

    @classmethod
    def read(cls, file: FileReader) -> WaveHeader:
        """Parse the header of an open file and check it against the file's size.

        Raises
        ------
        FormatError
            If it is damaged, promises samples that are not there, or says that they are compressed.
        """
        riff = _Riff(file)
        fmt: bytes | None = None
        for name, start, size in riff.chunks():
            if name == b"data":
                if fmt is None:
                    raise FormatError(f"{file.path} has samples at byte {start} and no chunk 'fmt ' before them")
                return _described(riff, fmt, start, size)
            if name == b"fmt " and fmt is None:
                if size < 16:
                    raise FormatError(f"{file.path} has a chunk 'fmt ' of {size} bytes; 16 is the least")
                fmt = riff.take(start, min(size, 40))
        raise FormatError(f"{file.path} has no samples: none of its chunks is called 'data'")


class _Riff:
    """The chunks of a RIFF or RF64 file."""

    def __init__(self, file: FileReader) -> None:
        self.file = file
        head = self.take(0, 12)
        self.magic, self.size, form = struct.unpack("<4sI4s", head)
        if self.magic == b"RIFX":
            raise FormatError(f"{file.path} is a RIFX file, big-endian WAV: convert it, for example with sox or ffmpeg")
        if self.magic not in (b"RIFF", b"RF64", b"BW64") or form != b"WAVE":
            raise FormatError(f"{file.path} is not a WAV file: it starts with {head!r}, not b'RIFF....WAVE'")
        self.wide: dict[bytes, int] = {}  # 64-bit sizes
        if self.magic != b"RIFF":
            self._read_ds64()

    def take(self, start: int, count: int) -> bytes:
        if start + count > self.file.size:
            raise FormatError(
                f"{self.file.path} ends inside its WAV header: {count} bytes are wanted at byte {start}, and it has "
                f"{self.file.size}"
            )
        data = bytearray(count)
        self.file.read_into(memoryview(data), start)
        return bytes(data)

    def chunks(self) -> Iterator[tuple[bytes, int, int]]:
        """Give name, first byte and size of each chunk."""
        place = 12
        for _ in range(_MOST_CHUNKS):
            if place + 8 > self.file.size:
                return
            name, size = struct.unpack("<4sI", self.take(place, 8))
            if size == _UNKNOWN:
                size = self.wide.get(name, size)
                if size == _UNKNOWN and name != b"data":
                    raise FormatError(f"{self.file.path} has a chunk {name!r} at byte {place} of a size not known")
            yield name, place + 8, size
            place += 8 + size + size % 2
        raise FormatError(f"{self.file.path} has {_MOST_CHUNKS} chunks and no samples among them")

    def unfinished(self, start: int, size: int) -> bool:
        """Whether a writer that streamed, or died, left no size: all ones; or 0, though samples follow."""
        if size != 0:
            return size in (_UNKNOWN, 2**64 - 1)
        end = self.wide.get(b"RIFF", self.size) + 8
        return not (start < end <= self.file.size or self._chunks_alone(start))

    def _chunks_alone(self, place: int) -> bool:
        """Whether nothing but whole chunks with readable names lies from a byte to the end of the file."""
        end = place
        for _ in range(_MOST_CHUNKS):
            if place + 8 > self.file.size:
                break
            name, size = struct.unpack("<4sI", self.take(place, 8))
            if not (name.isascii() and name.decode("ascii").isprintable()):
                return False
            end = place + 8 + size
            place = end + size % 2
        return self.file.size in (end, place)  # the last one's padding may be missing

    def _read_ds64(self) -> None:
        name, size = struct.unpack("<4sI", self.take(12, 8))
        if name != b"ds64" or size < 28:
            raise FormatError(f"{self.file.path} is an {self.magic.decode()} file without its chunk 'ds64' at byte 12")
        riff, data, _, entries = struct.unpack("<QQQI", self.take(20, 28))
        if entries > min(_MOST_CHUNKS, (size - 28) // 12):
            raise FormatError(f"{self.file.path} has a chunk 'ds64' of {size} bytes, too short for {entries} entries")
        table = self.take(48, 12 * entries)
        self.wide = dict(struct.iter_unpack("<4sQ", table)) | {b"RIFF": riff, b"data": data}


def _described(riff: _Riff, fmt: bytes, start: int, size: int) -> WaveHeader:
    path = riff.file.path
    stored, n_channels, fs = _format(path, fmt)
    frame = struct.unpack_from("<H", fmt, 12)[0]
    there = riff.file.size - start
    as_raw = f"as raw samples it is dtype={stored!r}, n_channels={n_channels}, header_bytes={start}"
    if riff.unfinished(start, size):
        return WaveHeader(stored, n_channels, fs, start, there // frame)  # a recorder that died cut where it was
    if size > there:
        whole = start + there // frame * frame
        cut = "" if whole == riff.file.size else f", once cut to whole frames (on a copy: truncate -s {whole})"
        raise FormatError(
            f"{path} declares {size} bytes of samples at byte {start} and has {there}: it was truncated; {as_raw}{cut}"
        )
    if size % frame:
        raise FormatError(
            f"{path} does not hold whole frames: {size} bytes of samples are {size // frame} frames of {frame} bytes "
            f"({n_channels} x {stored}) and {size % frame} bytes more; {as_raw}, if it was not damaged"
        )
    if riff.magic == b"RIFF" and riff.file.size > _UNKNOWN + 8:
        raise FormatError(
            f"{path} has {riff.file.size} bytes, and the sizes of a RIFF file end at {_UNKNOWN}: the {size} bytes of "
            f"samples that it declares at byte {start} cannot be true; {as_raw}"
        )
    return WaveHeader(stored, n_channels, fs, start, size // frame)


def _format(path: str, fmt: bytes) -> tuple[str, int, float | None]:
    """Read a chunk 'fmt ': how values are stored, channels, rate."""
    code, n_channels, fs, _, frame, bits = struct.unpack_from("<HHIIHH", fmt)
    if code == EXTENSIBLE:
        if len(fmt) < 40:
            raise FormatError(f"{path} has an extensible chunk 'fmt ' of {len(fmt)} bytes; 40 is the least")
        code = struct.unpack_from("<H", fmt, 24)[0]
        if fmt[26:40] != _GUID_TAIL:
            raise FormatError(f"{path} has samples of the unknown kind {fmt[24:40].hex()}: convert it to PCM or float")
    if code not in (PCM, FLOAT):
        name = _CODECS.get(code, "an unknown format")
        raise FormatError(
            f"{path} holds {name} (WAV format 0x{code:04x}), and only PCM and float are read in place: convert it, for "
            "example with sox or ffmpeg -c:a pcm_s16le"
        )
    least, room = -(-bits // 8), frame // max(1, n_channels)
    # Values narrower than their container lie at its upper end: they are read as integers of its width.
    item = room if code == PCM and bits > 8 and least < room <= 4 else least
    stored = STORED_TYPES.get((code, item))
    if stored is None or n_channels == 0 or (code == FLOAT and bits % 8):
        kind = "float" if code == FLOAT else "PCM"
        raise FormatError(
            f"{path} declares {n_channels} channels of {bits}-bit {kind}: what is read in place has at least one "
            "channel of PCM up to 32 bits, or of float of 32 or 64 bits"
        )
    if frame != n_channels * item:
        raise FormatError(
            f"{path} declares frames of {frame} bytes, and {n_channels} x {bits} bits take {n_channels * least}"
        )
    return stored, n_channels, float(fs) or None


def wave_header(n: int, n_channels: int, stored: StoredType, fs: int) -> bytes:
    """Write a header of exactly `HEADER_BYTES` bytes.

    Parameters
    ----------
    n : int
        Frames.
    n_channels : int
        Values in a frame.
    stored : StoredType
        How values are stored: one of `STORED_TYPES`.
    fs : int
        Samples per second, hertz.

    Notes
    -----
    RF64 where the sizes need more than 32 bits; the chunk that then holds them is called ``JUNK`` in shorter files,
    which every reader skips. WAVE_FORMAT_EXTENSIBLE above two channels, without saying which loudspeaker is which.
    """
    code, item = FLOAT if stored.dtype.kind == "f" else PCM, stored.itemsize
    frame = n_channels * item
    size = n * frame
    total = HEADER_BYTES + size + size % 2
    wide = total - 8 >= _UNKNOWN
    extended = n_channels > 2
    fmt = struct.pack(
        "<HHIIHH", EXTENSIBLE if extended else code, n_channels, fs, min(fs * frame, _UNKNOWN), frame, 8 * item
    )
    if extended:
        fmt += struct.pack("<HHIH", 22, 8 * item, 0, code) + _GUID_TAIL
    elif code == FLOAT:
        fmt += struct.pack("<H", 0)
    sizes = struct.pack("<QQQI", total - 8, size, n, 0) if wide else bytes(28)
    head = struct.pack("<4sI4s", b"RF64" if wide else b"RIFF", _UNKNOWN if wide else total - 8, b"WAVE")
    head += _chunk(b"ds64" if wide else b"JUNK", sizes) + _chunk(b"fmt ", fmt)
    if code == FLOAT:
        head += _chunk(b"fact", struct.pack("<I", min(n, _UNKNOWN)))
    head += _chunk(b"JUNK", bytes(HEADER_BYTES - len(head) - 16))
    return head + struct.pack("<4sI", b"data", _UNKNOWN if wide else size)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body
