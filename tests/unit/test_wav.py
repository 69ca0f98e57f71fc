"""WAV files: what other programs write is read, what we write others read, and a header is never believed."""

from __future__ import annotations

import pickle
import struct
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.io.wavfile
import scipy.signal

from headrace.core.chunk import Chunk
from headrace.core.operator import Spec
from headrace.core.span import Span
from headrace.errors import FormatError, OutputExists, SchemaError, SourceChanged
from headrace.signals import Scale, SosFiltFilt, from_array, from_iter
from headrace.signals import open as open_recording
from headrace.signals.sources import FileSource
from headrace.signals.wave_sink import WavSink
from headrace.testing import check_source, no_leaks

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

N = 3001
TAIL = bytes.fromhex("000000001000800000aa00389b71")
UNKNOWN = 0xFFFFFFFF


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return struct.pack("<4sI", name, len(body) if size is None else size) + body + bytes(len(body) % 2)


def fmt(
    code: int, channels: int, bits: int, fs: int = 8000, frame: int | None = None, valid: int | None = None
) -> bytes:
    """A chunk 'fmt '; with `valid` bits an extensible one."""
    size = channels * -(-bits // 8) if frame is None else frame
    plain = struct.pack("<HHIIHH", code if valid is None else 0xFFFE, channels, fs, (fs * size) % 2**32, size, bits)
    return chunk(b"fmt ", plain + (b"" if valid is None else struct.pack("<HHIH", 22, valid, 3, code) + TAIL))


def riff(*chunks: bytes, magic: bytes = b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return struct.pack("<4sI", magic, len(body) if size is None else size) + body


def ds64(data: int, riff_size: int = 0, table: dict[bytes, int] | None = None) -> bytes:
    rows = b"".join(struct.pack("<4sQ", *row) for row in (table or {}).items())
    return chunk(b"ds64", struct.pack("<QQQI", riff_size, data, 0, len(table or {})) + rows)


# bits -> dtype delivered, format code
KINDS = {
    8: ("uint8", 1),
    16: ("int16", 1),
    24: ("float32", 1),
    32: ("int32", 1),
    -32: ("float32", 3),
    -64: ("float64", 3),
}


def samples(bits: int, channels: int, seed: int = 5) -> tuple[np.ndarray, bytes]:
    """What is delivered, and the bytes of it in a file."""
    rng = np.random.default_rng(seed)
    shape = (N,) if channels == 1 else (N, channels)
    if bits < 0:
        x = rng.standard_normal(shape).astype(KINDS[bits][0])
        return x, x.tobytes()
    if bits == 24:
        wide = rng.integers(-(2**23), 2**23, shape)
        packed = wide.astype("<i4").reshape(-1, 1).view(np.uint8)[:, :3]
        return wide.astype(np.float32), packed.tobytes()
    limits = np.iinfo(KINDS[bits][0])
    x = rng.integers(limits.min, limits.max, shape, limits.dtype, endpoint=True)  # type: ignore[arg-type]
    return x, x.tobytes()


def opened(path: Path, data: bytes, **options: Any) -> Any:
    path.write_bytes(data)
    return open_recording(path, **options)


def conforms(path: Path, expected: np.ndarray, **options: Any) -> None:
    check_source(lambda: open_recording(path, **options).source, expected)  # type: ignore[arg-type, return-value]


# Read


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("extensible", [False, True], ids=["plain", "extensible"])
@pytest.mark.parametrize("bits", KINDS)
def test_every_kind_of_sample_is_read_as_it_is_stored(
    tmp_path: Path, bits: int, extensible: bool, channels: int
) -> None:
    x, data = samples(bits, channels)
    head = fmt(KINDS[bits][1], channels, abs(bits), fs=44_100, valid=abs(bits) if extensible else None)
    odd = chunk(b"LIST", b"odd")  # padded to whole words, as are the samples
    (tmp_path / "x.wav").write_bytes(riff(odd, head, chunk(b"fact", bytes(4)), chunk(b"data", data), odd))
    conforms(tmp_path / "x.wav", x)
    rec = open_recording(tmp_path / "x.wav")
    assert (rec.fs, rec.dtype) == (44_100, x.dtype)
    if channels == 5:
        conforms(tmp_path / "x.wav", x[10:2000, [3, 0]], channels=[3, 0], start=10, stop=2000)
    if bits != 24:
        assert np.array_equal(rec.view(7, 2007), x[7:2007])
    rec.close()


@pytest.mark.parametrize("bits", [8, 16, 24, 32, -32, -64])
def test_the_samples_are_those_that_scipy_reads(tmp_path: Path, bits: int) -> None:
    x, data = samples(bits, 3)
    with opened(tmp_path / "x.wav", riff(fmt(KINDS[bits][1], 3, abs(bits)), chunk(b"data", data))) as rec:
        rate, theirs = scipy.io.wavfile.read(tmp_path / "x.wav")
        scale = 256 if bits == 24 else 1  # SciPy delivers 24 bits as the high ones of 32
        assert (rec.fs, (np.asarray(rec) * scale == theirs).all()) == (rate, True)
        assert np.array_equal(rec, x)


def test_bits_that_fill_no_byte_are_those_of_the_container(tmp_path: Path) -> None:
    x, data = samples(16, 2)
    with opened(tmp_path / "x.wav", riff(fmt(1, 2, 12), chunk(b"data", data))) as rec:
        assert np.array_equal(rec, x)
    with opened(tmp_path / "y.wav", riff(fmt(1, 2, 16, valid=12), chunk(b"data", data))) as rec:
        assert np.array_equal(rec, x)


def test_scale_and_offset_are_applied_as_to_raw_samples(tmp_path: Path) -> None:
    x, data = samples(8, 2)
    (tmp_path / "x.wav").write_bytes(riff(fmt(1, 2, 8), chunk(b"data", data)))
    conforms(tmp_path / "x.wav", ((x - 128.0) / 128).astype(np.float32), scale=1 / 128, value_offset=-1)


def test_a_rate_given_replaces_that_of_the_header(tmp_path: Path) -> None:
    data = riff(fmt(1, 1, 16, fs=24_414), chunk(b"data", bytes(20)))
    assert opened(tmp_path / "x.wav", data, fs=24_414.0625).fs == 24_414.0625
    assert opened(tmp_path / "x.wav", data).fs == 24_414.0
    assert opened(tmp_path / "x.wav", riff(fmt(1, 1, 16, fs=0), chunk(b"data", bytes(20)))).fs is None


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
def test_sizes_of_64_bits_come_from_ds64(tmp_path: Path, magic: bytes) -> None:
    x, data = samples(16, 2)
    head = (fmt(1, 2, 16), chunk(b"bext", b"12345", UNKNOWN))
    table = {b"bext": 5, b"cue ": 2**40}
    whole = riff(ds64(len(data), 0, table), *head, chunk(b"data", data, UNKNOWN), magic=magic, size=UNKNOWN)
    (tmp_path / "x.wav").write_bytes(whole + chunk(b"LIST", b"after"))
    conforms(tmp_path / "x.wav", x)


@pytest.mark.parametrize("riff_size", [0, 36, UNKNOWN])
@pytest.mark.parametrize("size", [0, UNKNOWN])
def test_where_a_recorder_filled_in_no_size_the_samples_reach_to_the_end(
    tmp_path: Path, size: int, riff_size: int
) -> None:
    x, data = samples(16, 2)
    head = riff(STEREO, chunk(b"data", b"", size), size=riff_size)
    for cut in (0, 1, 3):  # what it had of the last frame is no sample
        with opened(tmp_path / "x.wav", head + data[: len(data) - cut]) as rec:
            assert np.array_equal(rec, x[: N - (cut > 0)])
    wide = riff(ds64(0), fmt(1, 2, 16), chunk(b"data", b"", UNKNOWN), magic=b"RF64", size=UNKNOWN)
    with opened(tmp_path / "y.wav", wide + data) as rec:
        assert np.array_equal(rec, x)


@pytest.mark.parametrize("bits", [9, 20, 24])
def test_values_in_a_wider_container_are_read_as_scipy_reads_them(tmp_path: Path, bits: int) -> None:
    x = np.random.default_rng(1).integers(-(2**31), 2**31, (N, 2)) >> (32 - bits) << (32 - bits)
    for frame, dtype in ((8, "<i4"), *([(4, "<i2")] * (bits == 9))):
        stored = (x >> (32 - 4 * frame)).astype(dtype)
        file = riff(fmt(1, 2, bits, frame=frame), chunk(b"data", stored.tobytes()))
        with opened(tmp_path / "x.wav", file) as rec:
            assert (rec.dtype, np.array_equal(rec, stored)) == (np.dtype(dtype), True)
        assert np.array_equal(scipy.io.wavfile.read(tmp_path / "x.wav")[1], stored)


def test_chunks_after_a_size_of_zero_are_no_samples(tmp_path: Path) -> None:
    words = (chunk(b"LIST", b"INFOISFT"), chunk(b"id3 ", b"odd"))
    for tail in (b"".join(words), b"".join(words)[:-1]):
        with opened(tmp_path / "x.wav", riff(STEREO, chunk(b"data", b""), tail, size=0)) as rec:
            assert rec.shape == (0, 2)
    for tail in (words[0][:-1], words[0] + b"tail of samples!"):  # no whole chunks: what a recorder left
        with opened(tmp_path / "x.wav", riff(STEREO, chunk(b"data", b""), tail, size=0)) as rec:
            assert rec.shape == (len(tail) // 4, 2)


def test_zero_phase_into_24_bits_is_rounded_once(tmp_path: Path) -> None:
    sos = scipy.signal.butter(2, 0.2, output="sos")
    x = (2.0**23 * np.random.default_rng(2).standard_normal((5000, 3))).astype(np.float32)
    report = from_array(x, 48_000).pipe(SosFiltFilt(sos)).to_file(tmp_path / "x.wav", out_dtype="int24")
    answer = np.rint(scipy.signal.sosfiltfilt(sos, x.astype(np.float64), axis=0))
    expected = np.clip(answer, -(2**23), 2**23 - 1)
    with open_recording(tmp_path / "x.wav") as rec:
        assert np.abs(np.asarray(rec) - expected).max() <= 1  # the answer is that of float64 but for its last digits
    assert report.clipped == np.count_nonzero(answer != expected)


def test_no_samples_are_no_samples(tmp_path: Path) -> None:
    for tail in (b"", chunk(b"LIST", b"some words")):
        with opened(tmp_path / "x.wav", riff(STEREO, chunk(b"data", b""), tail)) as rec:
            assert rec.shape == (0, 2)
            assert np.asarray(rec).shape == (0, 2)
            assert rec.view(0, 0).shape == (0, 2)


def test_a_recording_of_wav_files_travels_by_pickle(tmp_path: Path) -> None:
    x, data = samples(24, 2)
    with opened(tmp_path / "x.wav", riff(fmt(1, 2, 24), chunk(b"data", data))) as rec:
        there = pickle.loads(pickle.dumps(rec))
        assert np.array_equal(there, x)


def test_a_file_that_grows_after_it_was_opened_is_noticed(tmp_path: Path) -> None:
    rec = opened(tmp_path / "x.wav", riff(fmt(1, 1, 16), chunk(b"data", b"", UNKNOWN), size=UNKNOWN) + bytes(1000))
    with (tmp_path / "x.wav").open("ab") as file:
        file.write(bytes(1000))
    with pytest.raises(SourceChanged, match="grew"):
        np.asarray(rec)


DATA = chunk(b"data", bytes(400))
STEREO = fmt(1, 2, 16)
RAW_HINT = r"dtype='<i2', n_channels=2, header_bytes=44"
DAMAGED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "0 bytes"),
    "short": (b"RIFF", "ends inside its WAV header"),
    "no riff": (b"OggS" + bytes(60), "is not a WAV file: it starts with"),
    "avi": (b"RIFF" + bytes(4) + b"AVI " + bytes(60), "is not a WAV file"),
    "big-endian": (riff(STEREO, DATA, magic=b"RIFX"), "RIFX.*convert"),
    "no fmt": (riff(DATA), "no chunk 'fmt ' before them"),
    "no data": (riff(fmt(1, 2, 16)), "none of its chunks is called 'data'"),
    "fmt too short": (riff(chunk(b"fmt ", bytes(14)), DATA), "14 bytes; 16 is the least"),
    "fmt cut": (riff(fmt(1, 2, 16))[:-4], "ends inside its WAV header"),
    "extensible too short": (riff(fmt(0xFFFE, 2, 16), DATA), "16 bytes; 40 is the least"),
    "unknown guid": (riff(fmt(1, 2, 16, valid=16)[:-1] + b"\x77", DATA), "unknown kind 0100"),
    "mu-law": (riff(fmt(7, 1, 8), DATA), r"holds mu-law \(WAV format 0x0007\).*convert"),
    "ADPCM": (riff(fmt(2, 1, 4), DATA), "holds Microsoft ADPCM"),
    "ADPCM in an extensible header": (riff(fmt(17, 1, 4, valid=4), DATA), "holds IMA ADPCM"),
    "no format": (riff(fmt(0, 1, 16), DATA), "an unknown format .WAV format 0x0000"),
    "no channels": (riff(fmt(1, 0, 16), DATA), "declares 0 channels"),
    "no bits": (riff(fmt(1, 2, 0), DATA), "0-bit PCM"),
    "40 bits": (riff(fmt(1, 2, 40), DATA), "40-bit PCM"),
    "half float": (riff(fmt(3, 2, 16), DATA), "16-bit float"),
    "31 bits of float": (riff(fmt(3, 2, 31), DATA), "31-bit float"),
    "frames that do not fit": (riff(fmt(1, 2, 24, frame=7), DATA), r"frames of 7 bytes, and 2 x 24 bits take 6"),
    "frames that are too wide": (riff(fmt(1, 2, 24, frame=10), DATA), r"frames of 10 bytes, and 2 x 24 bits take 6"),
    "8 bits in a wider container": (riff(fmt(1, 1, 8, frame=2), DATA), r"frames of 2 bytes, and 1 x 8 bits take 1"),
    "frames of nothing": (riff(fmt(1, 2, 16, frame=0), DATA), "frames of 0 bytes"),
    "cut": (riff(STEREO, chunk(b"data", bytes(398), 400)), f"400 bytes.*has 398.*{RAW_HINT}.*truncate -s 440"),
    "cut at a frame": (riff(STEREO, chunk(b"data", bytes(396), 400)), f"has 396: it was truncated; .*{RAW_HINT}$"),
    "half a frame": (riff(STEREO, chunk(b"data", bytes(402))), f"100 frames of 4 bytes .* 2 bytes more.*{RAW_HINT}"),
    "no ds64": (riff(STEREO, DATA, magic=b"RF64"), "without its chunk 'ds64'"),
    "ds64 too short": (riff(chunk(b"ds64", bytes(24)), STEREO, DATA, magic=b"RF64"), "without its chunk 'ds64'"),
    "ds64 promises": (riff(ds64(2**60), STEREO, chunk(b"data", bytes(8), UNKNOWN), magic=b"BW64"), "truncated"),
    "ds64 table": (riff(chunk(b"ds64", bytes(24) + b"\xff" * 4), STEREO, DATA, magic=b"RF64"), "too short for"),
    "a chunk of unknown size": (riff(chunk(b"bext", b"", UNKNOWN), STEREO, DATA), "a size not known"),
    "a chunk beyond the end": (riff(chunk(b"LIST", b"", 2**31), STEREO, DATA), "called 'data'"),
    "too many chunks": (riff(*[chunk(b"JUNK", b"")] * 5000, STEREO, DATA), "4096 chunks"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_header_that_lies_is_a_format_error_that_says_what_is_there(tmp_path: Path, name: str) -> None:
    data, words = DAMAGED[name]
    (tmp_path / "x.wav").write_bytes(data)
    with no_leaks(tmp_path), pytest.raises(FormatError, match=words):
        open_recording(tmp_path / "x.wav")


def test_the_way_out_that_a_cut_file_is_told_works(tmp_path: Path) -> None:
    x, data = samples(16, 2)
    (tmp_path / "x.wav").write_bytes(riff(STEREO, chunk(b"data", data))[:-9])
    with (tmp_path / "x.wav").open("r+b") as file:
        file.truncate(44 + 4 * (N - 3))
    with open_recording(tmp_path / "x.wav", dtype="<i2", n_channels=2, header_bytes=44) as rec:
        assert np.array_equal(rec, x[: N - 3])


def test_sizes_that_wrapped_at_4_gb_are_not_believed(tmp_path: Path) -> None:
    with (tmp_path / "x.wav").open("wb") as file:
        file.write(riff(STEREO, chunk(b"data", b"", 4000), size=4036))
        file.truncate(44 + 4000 + 2**32)
    with pytest.raises(FormatError, match=f"cannot be true; .*{RAW_HINT}"):
        open_recording(tmp_path / "x.wav")


@pytest.mark.parametrize(
    ("options", "words"),
    [({"n_channels": 3}, "2 channel"), ({"header_bytes": 44}, "is a .wav file"), ({"axis": 1}, "frame after frame"),
     ({"scale": [1, 2, 3]}, "for 2 channel")],
    ids=repr,
)  # fmt: skip
def test_options_that_do_not_fit_are_schema_errors(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with no_leaks(), pytest.raises(SchemaError, match=words):
        opened(tmp_path / "x.wav", riff(STEREO, DATA), **options)


def test_with_a_dtype_a_wav_file_is_raw_bytes_behind_its_header(tmp_path: Path) -> None:
    with opened(tmp_path / "x.wav", riff(STEREO, DATA), dtype="uint8", header_bytes=44) as rec:
        assert len(rec) == 400
    with pytest.raises(SchemaError, match="header of a WAV file"):
        opened(tmp_path / "x.wav", riff(STEREO, DATA), dtype="uint8")


def test_damaged_headers_never_raise_anything_but_a_format_error(
    tmp_path: Path, dice: random.Random, count: Callable[[int, int], int]
) -> None:
    wide = riff(ds64(400, 436, {b"bext": 5}), fmt(1, 2, 24, valid=20), DATA, magic=b"RF64", size=UNKNOWN)
    good = [riff(STEREO, DATA), riff(chunk(b"LIST", b"odd"), fmt(3, 2, 32, valid=32), DATA), wide]
    read = refused = 0
    with no_leaks(tmp_path):
        path = tmp_path / "x.wav"
        for _ in range(count(300, 20_000)):
            data = bytearray(dice.choice(good))
            for _ in range(dice.randint(1, 4)):
                place = dice.randrange(min(len(data), 100))
                data[place] = dice.choice([0, 1, 3, 7, 0x7F, 0x80, 0xFE, 0xFF, dice.randrange(256)])
            del data[dice.choice([len(data), dice.randrange(len(data))]) :]
            path.write_bytes(data)
            try:
                with open_recording(path) as rec:
                    assert isinstance(rec.source, FileSource)
                    np.asarray(rec)
                    read += 1
            except FormatError:
                refused += 1
        path.unlink()
    assert read > 0
    assert refused > 0


# Write


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
def test_what_is_written_is_what_others_and_we_read(tmp_path: Path, dtype: str, channels: int) -> None:
    bits = np.dtype(dtype).itemsize * (8 if dtype[0] != "f" else -8)
    x, _ = samples(bits, channels)
    path = tmp_path / "x.wav"
    from_array(x, fs=11_025).pipe().to_file(path, memory="1MB", chunk=997)
    rate, theirs = scipy.io.wavfile.read(path)
    assert (rate, theirs.dtype) == (11_025, x.dtype)
    assert np.array_equal(theirs, x)
    conforms(path, x)
    with open_recording(path) as rec:
        assert (rec.fs, rec.shape) == (11_025, x.shape)
        assert rec.view(0, 9).flags.aligned
    if bits > 0 and channels <= 2:  # before 3.12 the standard library knows plain PCM only
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (11_025, channels, bits // 8)
            assert file.readframes(N) == x.tobytes()
    data = path.read_bytes()
    assert len(data) % 2 == 0
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    code = struct.unpack("<H", data[data.index(b"fmt ") + 8 :][:2])[0]
    assert code == (0xFFFE if channels > 2 else 1 if bits > 0 else 3)


def test_the_bytes_do_not_depend_on_how_the_flow_is_run(tmp_path: Path) -> None:
    x, _ = samples(16, 3)
    outputs = []
    for number, options in enumerate(({}, {"chunk": 7, "threads": 3}, {"executor": "serial", "chunk": 100})):
        path = tmp_path / f"{number}.wav"
        from_array(x, fs=100).pipe(Scale(0.5)).to_file(path, out_dtype="int16", **options)  # type: ignore[arg-type]
        outputs.append(path.read_bytes())
    stream = from_iter(np.array_split(x, 11), fs=100)
    stream.pipe(Scale(0.5)).to_file(tmp_path / "s.wav", out_dtype="int16")
    assert {*outputs} == {(tmp_path / "s.wav").read_bytes()}


def test_an_empty_output_is_a_wav_file_too(tmp_path: Path) -> None:
    from_array(np.zeros((0, 4), np.float32), fs=10).pipe().to_file(tmp_path / "x.wav")
    with open_recording(tmp_path / "x.wav") as rec:
        assert (rec.shape, rec.fs) == ((0, 4), 10)


@pytest.mark.parametrize(
    ("frames", "wide"), [((2**32 - 1 - 120 - 8) // 8, False), ((2**32 - 120) // 8, True), (625_000_000, True)]
)
def test_above_4_gb_it_is_rf64(tmp_path: Path, frames: int, wide: bool) -> None:
    path = tmp_path / "x.wav"
    x = np.arange(40, dtype=np.float64)
    sink = WavSink(path)
    sink.open(Spec(None, (), np.dtype(np.float64), 1000.0))  # of unknown length, so that no space is reserved
    sink.write(Chunk(Span(frames - 40, frames), x))  # the rest is a hole
    sink.commit(frames)
    with path.open("rb") as file:
        head = file.read(128)
    assert head[:4] == (b"RF64" if wide else b"RIFF")
    assert head[12:16] == (b"ds64" if wide else b"JUNK")
    assert path.stat().st_size == 128 + 8 * frames
    with open_recording(path) as rec:
        assert len(rec) == frames
        assert np.array_equal(rec[-41:], [0, *x])
    rate, theirs = scipy.io.wavfile.read(path, mmap=True)
    assert (rate, len(theirs)) == (1000, frames)
    assert np.array_equal(theirs[-40:], x)


@pytest.mark.parametrize(
    ("dtype", "fs", "channels", "words"),
    [
        ("int16", None, 2, "give fs="),
        ("int16", 24_414.0625, 2, "24414.0625: write .npy"),
        ("int16", 2.0**32, 2, "up to 4294967295"),
        ("int8", 100, 2, "got int8: pass one of them as out_dtype="),
        ("int64", 100, 2, "uint8, int16, int24, int32, float32, float64; got int64"),
        ("complex64", 100, 2, "got complex64"),
        ("float64", 100, 8192, "at most 65535 bytes"),
    ],
)
def test_what_a_wav_file_cannot_hold_is_refused_before_anything_is_written(
    tmp_path: Path, dtype: str, fs: float | None, channels: int, words: str
) -> None:
    flow = from_array(np.zeros((5, channels), dtype), fs=fs).pipe()
    with no_leaks(tmp_path), pytest.raises(SchemaError, match=words):
        flow.to_file(tmp_path / "x.wav")


def test_an_output_in_the_way_or_in_the_making_is_left_alone(tmp_path: Path) -> None:
    flow = from_array(np.zeros(5, np.int16), fs=10).pipe()
    flow.to_file(tmp_path / "x.wav")
    with no_leaks(tmp_path):
        with pytest.raises(OutputExists):
            flow.to_file(tmp_path / "x.wav")
        sink = WavSink(tmp_path / "y.wav")
        sink.open(flow.spec)
        sink.abort()
        with pytest.raises(ValueError, match="opened"):
            WavSink(tmp_path / "z.wav").commit(5)


def test_what_is_read_can_be_written_again_byte_for_byte(tmp_path: Path) -> None:
    x, _ = samples(8, 1)
    from_array(x, fs=8000).pipe().to_file(tmp_path / "a.WAV")
    with open_recording(tmp_path / "a.WAV") as rec:
        rec.pipe().to_file(tmp_path / "b.wav")
    assert (tmp_path / "a.WAV").read_bytes() == (tmp_path / "b.wav").read_bytes()
