from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.core.source import Source
from headrace.core.span import Span
from headrace.errors import FormatError, SchemaError, SourceChanged
from headrace.signals import SosFilt, concat, from_array, from_iter
from headrace.signals import open as open_recording
from headrace.signals.sources import ArraySource, FileSource
from headrace.testing import CumulativeSum, check_source
from headrace.testing.faults import TriggeredSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.chunk import Chunk
    from headrace.core.operator import Plan

N, CHANNELS = 5000, 3
DTYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"]
FLOATS = ["float16", "float32", "float64", "complex64", "complex128"]


def made(dtype: str, shape: tuple[int, ...] = (N, CHANNELS)) -> np.ndarray:
    rng = np.random.default_rng(3)
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        info = np.iinfo(kind)
        return rng.integers(info.min, info.max, shape, kind, endpoint=True)  # type: ignore[return-value]
    if kind.kind == "b":
        return rng.random(shape) < 0.5
    values = rng.standard_normal(shape)
    return (values + 1j * rng.standard_normal(shape) if kind.kind == "c" else values).astype(kind)


def conforms(path: Path, expected: np.ndarray, **options: Any) -> None:
    check_source(lambda: open_recording(path, **options).source, expected)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", DTYPES + FLOATS)
def test_raw_files_of_any_dtype_and_byte_order(tmp_path: Path, dtype: str, order: str) -> None:
    x = made(dtype)
    stored = np.dtype(dtype).newbyteorder(order)
    path = tmp_path / "x.bin"
    path.write_bytes(b"a header of 23 bytes...."[:23] + x.astype(stored).tobytes())
    conforms(path, x, dtype=stored, n_channels=CHANNELS, header_bytes=23)
    conforms(path, x[:, [2, 0]], dtype=stored, n_channels=CHANNELS, header_bytes=23, channels=[2, 0])


@pytest.mark.parametrize("suffix", [".npy", ".wav"])
def test_a_known_header_is_not_read_as_samples(tmp_path: Path, suffix: str) -> None:
    x = made("int16")
    path = tmp_path / f"x{suffix}"
    from_array(x, fs=1000).pipe().to_file(path)
    with pytest.raises(SchemaError, match=r"header of a .*leave dtype= out, .*header_bytes="):
        open_recording(path, dtype="int16", n_channels=CHANNELS)
    assert len(open_recording(path, dtype="int8", header_bytes=128)) == x.nbytes


@pytest.mark.parametrize("dtype", ["int16", ">f8", "complex64"])
def test_channel_major_files_are_transposed(tmp_path: Path, dtype: str) -> None:
    x = made(np.dtype(dtype).newbyteorder("=").name)
    (tmp_path / "x.bin").write_bytes(b"abc" + x.astype(dtype).T.tobytes())
    options: dict[str, Any] = {"dtype": dtype, "n_channels": CHANNELS, "header_bytes": 3, "axis": 1}
    conforms(tmp_path / "x.bin", x, **options)
    conforms(tmp_path / "x.bin", x[:, 1], channels=1, **options)
    conforms(tmp_path / "x.bin", x[100:1100, ::2], channels=slice(None, None, 2), start=100, stop=1100, **options)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["int16", ">i4", "float32", "complex64"])
def test_npy_files_in_either_order(tmp_path: Path, dtype: str, order: str) -> None:
    x = made(np.dtype(dtype).newbyteorder("=").name)
    np.save(tmp_path / "x.npy", np.asarray(x, dtype, order=order))  # type: ignore[call-overload]
    conforms(tmp_path / "x.npy", x)
    conforms(tmp_path / "x.npy", x[:, 2], channels=2)
    np.save(tmp_path / "wide.npy", np.asarray(x[:40], dtype, order=order))  # type: ignore[call-overload]
    conforms(tmp_path / "wide.npy", np.ascontiguousarray(x[:40].T), axis=1)
    np.save(tmp_path / "flat.npy", np.asarray(x[:, 0], dtype))
    conforms(tmp_path / "flat.npy", x[:, 0])


def int24(values: np.ndarray, order: str) -> bytes:
    wide = values.astype(f"{order}i4").view(np.uint8).reshape(-1, 4)
    return (wide[:, :3] if order == "<" else wide[:, 1:]).tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
def test_24_bit_integers_are_float32_exactly(tmp_path: Path, order: str) -> None:
    values = np.random.default_rng(0).integers(-(2**23), 2**23, (N, CHANNELS))
    values[0] = (-(2**23), 2**23 - 1, -1)
    (tmp_path / "x.bin").write_bytes(int24(values.reshape(-1), order))
    conforms(tmp_path / "x.bin", values.astype(np.float32), dtype=f"{order}i3", n_channels=CHANNELS)
    expected = (values * np.array([0.1, 2.0, -3.0]) + 5.0).astype(np.float32)
    options: dict[str, Any] = {"dtype": f"{order}i3", "n_channels": CHANNELS}
    conforms(tmp_path / "x.bin", expected, scale=[0.1, 2.0, -3.0], value_offset=5, **options)
    conforms(tmp_path / "x.bin", expected[:, [2, 1]], scale=[0.1, 2, -3], value_offset=5, channels=[2, 1], **options)


@pytest.mark.parametrize("stored", ["i1", "u1", "<i2", ">i2", "<i4", ">i4", "<i8", ">u8", "<f2", ">f4", "<f8", "?"])
@pytest.mark.parametrize("layout", ["frames", "channels"])
def test_scale_and_offset_are_applied_in_float64_and_rounded_once(tmp_path: Path, stored: str, layout: str) -> None:
    x = made(np.dtype(stored).newbyteorder("=").name)
    scale, offset = np.array([0.1, 3.0, -2.5]), np.array([1.0, 0.0, 1e-3])
    wanted = np.float32 if np.dtype(stored).itemsize <= 2 or "f4" in stored else np.float64
    expected = (x.astype(np.float64) * scale + offset).astype(wanted)
    path = tmp_path / "x.bin"
    path.write_bytes((x if layout == "frames" else x.T).astype(stored).tobytes())
    options: dict[str, Any] = {"dtype": stored, "n_channels": CHANNELS, "axis": int(layout == "channels")}
    conforms(path, expected, scale=scale, value_offset=offset, **options)
    one = (x.astype(np.float64) * 0.25).astype(wanted)
    conforms(path, one[:, 1], scale=0.25, channels=1, **options)


def test_a_complex_recording_is_scaled_and_the_offset_is_real(tmp_path: Path) -> None:
    x = made("complex64")
    x.astype(">c8").tofile(tmp_path / "x.bin")
    expected = (x.astype(np.complex128) * 0.1 + 2.0).astype(np.complex64)
    conforms(tmp_path / "x.bin", expected, dtype=">c8", n_channels=CHANNELS, scale=0.1, value_offset=2)


def test_without_a_scale_samples_stay_as_they_are_stored(tmp_path: Path) -> None:
    made("int16").tofile(tmp_path / "x.bin")
    assert open_recording(tmp_path / "x.bin", dtype="int16").dtype == np.int16
    assert open_recording(tmp_path / "x.bin", dtype="int16", scale=2).dtype == np.float32
    assert open_recording(tmp_path / "x.bin", dtype=">i4", value_offset=2).dtype == np.float64


def test_views_of_sources_are_sources(tmp_path: Path) -> None:
    x = made("float32")
    half = N // 2
    x[:half].tofile(tmp_path / "a.bin")
    x[half:].tofile(tmp_path / "b.bin")
    paths = [tmp_path / "a.bin", tmp_path / "b.bin"]
    options: dict[str, Any] = {"dtype": "float32", "n_channels": CHANNELS}
    check_source(lambda: open_recording(paths, **options).source, x)  # type: ignore[arg-type, return-value]
    conforms(tmp_path / "*.bin", x[10:4000, [1]], channels=[1], start=10, stop=4000, **options)
    own = from_array(x)
    for rec, expected in (
        (own, x),
        (own[100:], x[100:]),
        (own[:, ["0"]] if own.channel_names else own[:, 0], x[:, 0]),
        (own[5:50, 1:], x[5:50, 1:]),
        (concat([own[:7], own[7:7], own[7:]]), x),
        (concat([own, own], contiguous=False), np.concatenate([x, x])),
        (own[3:3], x[:0]),
        (from_array(np.asfortranarray(x)), x),
        (from_array(x.T, axis=1), x),
        (from_array(x.astype(">f4")), x),
        (from_array(x[::2, ::-1]), x[::2, ::-1]),
    ):
        check_source(lambda rec=rec: rec.source, expected)  # type: ignore[misc]
    faulty = TriggeredSource(own.source, -1, lambda: None)  # type: ignore[arg-type]
    check_source(lambda: faulty, x)


class Wrong:
    """A source with one defect, by name."""

    scratch_bytes, paths = 0, ()

    def __init__(self, x: np.ndarray, defect: str) -> None:
        self.x, self.defect, self.reads = x, defect, 0
        self.spec = from_array(x if defect != "length" else x[1:]).source.spec
        self.segments = (Span(0, 10), Span(11, len(x))) if defect == "segments" else (Span(0, len(x)),)
        self.resident = {"resident": x + 1, "resident in part": x[1:], "resident, strided": np.asfortranarray(x)}.get(
            defect, x
        )

    def read(self, span: Span, out: np.ndarray) -> None:
        out[...] = self.x[span.start : span.stop]
        self.reads += 1
        if self.defect == "unfilled" and span.size > 1:
            out[-1].view(np.uint8)[...] = 0xA5
        if self.defect == "second read" and self.reads % 2 == 0 and span.size:
            out[0] += 1

    def verify(self) -> None:
        if self.defect == "verify":
            raise SourceChanged("never touched", path="")

    def close(self) -> None:
        if self.defect == "close twice" and self.reads < 0:
            raise ValueError("closed")
        self.reads = -(10**9)


DEFECTS = ["length", "segments", "unfilled", "second read", "verify", "close twice"]
DEFECTS += ["resident", "resident in part", "resident, strided"]


@pytest.mark.parametrize("defect", DEFECTS)
def test_the_suite_finds_a_defect(defect: str) -> None:
    x = made("float32")
    with pytest.raises((AssertionError, SourceChanged, ValueError)):
        check_source(lambda: Wrong(x, defect), x)  # type: ignore[arg-type, return-value]
    check_source(lambda: Wrong(x, "none"), x)  # type: ignore[arg-type, return-value]


def test_a_stream_is_not_a_source() -> None:
    assert not isinstance(from_iter([np.zeros(3)]).source, Source)


def test_a_source_that_was_closed_says_so(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(10))
    rec = open_recording(tmp_path / "x.npy")
    part = rec[2:5]
    rec.close()
    rec.close()
    with pytest.raises(ValueError, match="closed"):
        np.asarray(part)


def test_a_file_that_changed_before_its_first_read_is_noticed(tmp_path: Path) -> None:
    np.zeros(100, np.int16).tofile(tmp_path / "x.bin")
    with open_recording(tmp_path / "x.bin", dtype="int16") as rec:
        np.zeros(50, np.int16).tofile(tmp_path / "x.bin")
        with pytest.raises(SourceChanged):
            np.asarray(rec)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"scale": [1, 2]}, "for 3 channel"),
        ({"scale": "a"}, "scale= is"),
        ({"value_offset": np.nan}, "finite"),
        ({"n_channels": 0}, "at least 1"),
        ({"header_bytes": -1}, "at least 0"),
        ({"axis": 2}, "axis="),
        ({"fs": 0}, "fs="),
        ({"fs": float("nan")}, "fs="),
        ({"dtype": "no dtype"}, "not a dtype"),
        ({"dtype": "S3"}, "cannot have dtype"),
        ({"dtype": "object"}, "cannot have dtype"),
        ({"channels": 3}, "not all among the 3"),
        ({"channels": "left"}, "no channel is called 'left'"),
        ({"channels": []}, "no channel chosen"),
        ({"channel_names": ["a"]}, "1 channel names for 3"),
        ({"start": "1s"}, "fs="),
    ],
    ids=repr,
)
def test_options_that_do_not_fit_are_schema_errors(tmp_path: Path, options: dict[str, Any], what: str) -> None:
    made("int16").tofile(tmp_path / "x.bin")
    with pytest.raises(SchemaError, match=what):
        open_recording(tmp_path / "x.bin", **{"dtype": "int16", "n_channels": CHANNELS} | options)


def test_a_npy_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    for array, what in (
        (np.zeros((2, 2, 2)), "has shape"),
        (np.array(1.0), "has shape"),
        (np.zeros((5, 0)), "channels"),
    ):
        np.save(path, array)
        with pytest.raises(SchemaError, match=what):
            open_recording(path)
    np.save(path, np.zeros((5, 3)))
    with pytest.raises(SchemaError, match="n_channels=2"):
        open_recording(path, n_channels=2)
    with pytest.raises(SchemaError, match="header_bytes"):
        open_recording(path, header_bytes=3)
    np.save(path, np.array(["a", "b"]))
    with pytest.raises(SchemaError, match="dtype"):
        open_recording(path)
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(FormatError, match="never loaded"):
        open_recording(path)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def many(tmp_path: Path) -> list[Path]:
    """300 files of 50 frames each."""
    paths = [tmp_path / f"{number:03}.bin" for number in range(300)]
    x = made("int16", (300 * 50, CHANNELS))
    for path, part in zip(paths, np.split(x, 300), strict=True):
        part.tofile(path)
    return paths


@pytest.mark.parametrize("scale", [None, 0.5])
def test_many_files_are_one_recording_and_few_descriptors(many: list[Path], scale: float | None) -> None:
    before = descriptors()
    expected = made("int16", (300 * 50, CHANNELS)).astype(np.int16 if scale is None else np.float32) * (scale or 1)
    with open_recording(many, dtype="int16", n_channels=CHANNELS, scale=scale) as rec:
        most = descriptors()
        for options in ({"chunk": 70, "threads": 3}, {"executor": "serial", "chunk": 333}):
            found = []
            with rec.pipe().chunks(**options) as chunks:  # type: ignore[arg-type]
                for chunk in chunks:
                    found.append(chunk.array.copy())
                    most = max(most, descriptors())
            assert np.array_equal(np.concatenate(found), expected)
        assert np.array_equal(rec[7001:7003, [2, 0]], expected[7001:7003, [2, 0]])
        assert most - before <= 80
    assert descriptors() <= before


def test_a_file_of_many_that_is_replaced_between_its_reads_is_noticed(many: list[Path]) -> None:
    with open_recording(many, dtype="int16", n_channels=CHANNELS) as rec:
        rec.pipe().run()
        many[3].with_name("new").write_bytes(many[3].read_bytes())
        many[3].with_name("new").replace(many[3])
        with pytest.raises(SourceChanged, match="replaced by another file") as caught:
            rec.pipe().run()
        assert caught.value.path == str(many[3])


RESIDENT = """
import json, sys, warnings
import numpy as np
from pathlib import Path
from headrace.signals import Scale, from_array
from headrace.signals import open as open_recording

def resident(kind):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(kind))
"""


def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path, run_victim: Callable[..., Any]) -> None:
    code = RESIDENT + (
        "before = resident('RssAnon')\n"
        "with open_recording([sys.argv[1]] * int(sys.argv[2]), dtype='int16', n_channels=8, scale=0.5) as rec:\n"
        "    n = rec.pipe().run(memory='8MB', threads=2).n_samples\n"
        "    print(n, resident('RssAnon') - before)\n"
    )
    np.zeros((100_000, 8), np.int16).tofile(tmp_path / "x.bin")
    growth = []
    for files in (10, 100):
        n, grown = map(int, run_victim(code, tmp_path / "x.bin", files).stdout.split())
        assert n == files * 100_000
        growth.append(grown)
    assert growth[1] - growth[0] < 3_000_000, f"anonymous memory grew by {growth} bytes"


def test_a_map_is_read_through_its_file_and_stays_out_of_memory(tmp_path: Path, run_victim: Callable[..., Any]) -> None:
    code = RESIDENT + (
        "x = np.memmap(sys.argv[1], np.int16, 'r').reshape(-1)[:] if sys.argv[2] == 'slice' else "
        "np.memmap(sys.argv[1], np.int16, 'r')\n"
        "flow = from_array(x).pipe(Scale(2.0))\n"
        "before = resident('RssFile')\n"
        "flow.run(memory='8MB', threads=2)\n"
        "print(resident('RssFile') - before)\n"
    )
    with (tmp_path / "x.bin").open("wb") as file:
        file.truncate(64_000_000)
    assert int(run_victim(code, tmp_path / "x.bin", "whole").stdout) < 8_000_000
    # What the test would see if pages of the map were touched: a slice of a map is an array like any other.
    assert int(run_victim(code, tmp_path / "x.bin", "slice").stdout) > 32_000_000


@pytest.mark.parametrize("mode", ["r", "r+"])
@pytest.mark.parametrize(
    ("shape", "axis", "dtype"),
    [((N,), 0, "int16"), ((N, CHANNELS), 0, ">i4"), ((CHANNELS, N), 1, "float32"), ((N, 1), 0, "bool")],
    ids=["flat", "frames", "channels", "one channel"],
)
@pytest.mark.parametrize("offset", [0, 31])
def test_a_whole_map_is_a_file(
    tmp_path: Path, shape: tuple[int, ...], axis: int, dtype: str, offset: int, mode: str
) -> None:
    x = made(np.dtype(dtype).newbyteorder("=").name, shape).astype(dtype)
    path = tmp_path / "x.bin"
    path.write_bytes(bytes(offset) + x.tobytes() + b"and more")
    mapped: Any = np.memmap(path, dtype, mode, offset, shape)  # type: ignore[call-overload]
    if mode == "r+":
        mapped[1] = x[1] = x[2]
    rec = from_array(mapped, 10.0, axis=axis)
    assert isinstance(rec.source, FileSource)
    assert rec.fs == 10.0
    check_source(lambda: from_array(mapped, axis=axis).source, (x.T if axis else x).astype(rec.dtype))  # type: ignore[arg-type, return-value]
    rec.close()
    assert np.array_equal(mapped, x)


@pytest.mark.parametrize(
    "part",
    [lambda m: m[10:], lambda m: m[:, 1:], lambda m: m.T, lambda m: m[::-1], lambda m: m + 1, lambda m: m[:0]],
    ids=["later samples", "fewer channels", "transposed", "backwards", "a result", "nothing"],
)
def test_a_part_of_a_map_is_an_array(tmp_path: Path, part: Callable[[Any], Any]) -> None:
    made("int16").tofile(tmp_path / "x.bin")
    array = part(np.memmap(tmp_path / "x.bin", np.int16, "r", shape=(N, CHANNELS)))
    rec = from_array(array)
    assert isinstance(rec.source, ArraySource)
    assert np.array_equal(rec, array)


def test_a_private_map_is_an_array_with_the_changes_made_to_it(tmp_path: Path) -> None:
    made("int16").tofile(tmp_path / "x.bin")
    private = np.memmap(tmp_path / "x.bin", np.int16, "c", shape=(N, CHANNELS))
    private[5] = 77
    assert isinstance(from_array(private).source, ArraySource)
    assert np.array_equal(from_array(private), private)
    columns = np.memmap(tmp_path / "x.bin", np.int16, "r", shape=(N, CHANNELS), order="F")
    assert np.array_equal(from_array(columns), columns)
    parted = from_array(np.memmap(tmp_path / "x.bin", np.int16, "r"), segments=[0, 9])
    assert parted.segments == (Span(0, 9), Span(9, N * CHANNELS))


def test_state_is_carried_through_an_array_where_it_lies() -> None:
    seen = []

    class Looking(CumulativeSum):
        def step(self, plan: Plan, state: Any, window: Chunk, out: Chunk) -> Any:
            seen.append(np.shares_memory(window.array, x) and not window.array.flags.writeable)
            return super().step(plan, state, window, out)

    x = np.random.default_rng(3).standard_normal((5000, 3))
    kept = x.copy()
    parted = from_array(x, segments=[0, 70, 4000])
    summed = parted.pipe(Looking()).to_array(chunk=64)
    assert np.array_equal(x, kept)
    assert len(seen) > 5000 / 64
    assert all(seen)
    for array in (x.astype(">f8"), np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2]):
        seen.clear()
        copied = from_array(array, segments=[0, 70, 4000])
        assert np.array_equal(copied.pipe(Looking()).to_array(chunk=64), summed)
        assert not any(seen)
    report = parted.pipe(CumulativeSum()).run()
    assert (report.bytes_in, report.n_samples) == (x.nbytes, 5000)


@pytest.mark.parametrize("channels", [1, 8, 12, 15, 384])
def test_an_operator_with_cells_is_given_whole_ones_where_they_lie(
    monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    x = np.random.default_rng(4).standard_normal((1_500_000 // channels, channels)).astype(np.float32)
    seen, step = [], SosFilt.step

    def looking(self: SosFilt, plan: Plan, state: Any, window: Chunk, out: Chunk) -> Any:
        seen.append(np.shares_memory(window.array, x))
        return step(self, plan, state, window, out)

    monkeypatch.setattr(SosFilt, "step", looking)
    from_array(x).pipe(SosFilt([[1, 0, 0, 1, -0.5, 0]])).run()
    assert len(seen) > 2
    assert all(seen[:-1])  # the last cell is short, and waits for the end
