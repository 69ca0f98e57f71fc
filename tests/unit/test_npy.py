from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest

from headrace.core.files import FileReader
from headrace.core.npy import HEADER_BYTES, NpyHeader, npy_header
from headrace.errors import FormatError

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"\x93NUMPY"


def header(text: str, version: int = 1, length: int | None = None) -> bytes:
    body = text.encode("latin-1")
    size = (len(body) if length is None else length).to_bytes(2 if version == 1 else 4, "little")
    return MAGIC + bytes([version, 0]) + size + body


def described(shape: object, descr: object = "<f4", fortran: object = False) -> str:
    return f"{{'descr': {descr!r}, 'fortran_order': {fortran!r}, 'shape': {shape!r}, }}"


HOSTILE = {
    "empty": b"",
    "five bytes": MAGIC[:5],
    "not npy": b"RIFF" + bytes(100),
    "version 4": header(described((1,)), version=4) + bytes(4),
    "version 0": header(described((1,)), version=0) + bytes(4),
    "header length beyond the file": header(described((1,)), length=60_000),
    "header of four gigabytes": header(described((1,)), version=2, length=2**32 - 1) + bytes(4),
    "header longer than the cap": header(described((1,)).ljust(70_000), version=2) + bytes(4),
    "nothing in the header": header("") + bytes(4),
    "no literal": header("__import__('os').system('true')") + bytes(4),
    "a call": header("dict(descr='<f4')") + bytes(4),
    "NUL": header("{'descr': '\0'}") + bytes(4),
    "a list": header("[1, 2]") + bytes(4),
    "a string": header("'descr'") + bytes(4),
    "a set": header("{'descr', 'shape'}") + bytes(4),
    "missing key": header("{'descr': '<f4', 'shape': (1,)}") + bytes(4),
    "extra key": header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}") + bytes(4),
    "nested brackets": header("(" * 60_000, version=2) + bytes(4),
    "nested minus": header("-" * 60_000 + "1", version=2) + bytes(4),
    "nested tuples as dtype": header(described((1,), ()).replace("()", "(" * 90 + ")" * 90)) + bytes(4),
    "objects": header(described((1,), "|O")) + bytes(8),
    "objects in a record": header(described((1,), [("a", "|O")])) + bytes(8),
    "no such dtype": header(described((1,), "<q9")) + bytes(4),
    "dtype None": header(described((1,), None)) + bytes(8),
    "dtype a number": header(described((1,), 4)) + bytes(8),
    "shape wraps 64 bits": header(described((2**62, 4))) + bytes(4),
    "shape wraps to four": header(described((2**33, 2**33))) + bytes(4),
    "shape of a million ones": header(described((1,) * 10_000), version=2) + bytes(4),
    "negative": header(described((-1,))) + bytes(4),
    "negative twice": header(described((-1, -1))) + bytes(4),
    "bool in shape": header(described((True,))) + bytes(4),
    "float in shape": header(described((1.0,))) + bytes(4),
    "shape is a list": header(described([1])) + bytes(4),
    "shape is a number": header(described(1)) + bytes(4),
    "fortran is a number": header(described((1,), fortran=1)) + bytes(4),
    "one byte short": header(described((4,))) + bytes(15),
    "one byte more": header(described((4,))) + bytes(17),
    "no samples at all": header(described((4,))),
}


@pytest.mark.parametrize("contents", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_header_is_a_format_error(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(contents)
    with FileReader(path) as file, pytest.raises(FormatError, match=r"x\.npy") as caught:
        NpyHeader.read(file)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", ["<i2", ">f8", "<c8", "|b1", "|i1", ">u4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_writes_is_read(tmp_path: Path, version: tuple[int, int], dtype: str, order: str) -> None:
    array = np.asarray(np.arange(12).reshape(4, 3), dtype, order=order)  # type: ignore[call-overload]
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array(file, array, version)
    with FileReader(tmp_path / "x.npy") as reader:
        found = NpyHeader.read(reader)
    assert (found.shape, found.dtype, found.fortran_order) == ((4, 3), array.dtype, order == "F")
    assert (tmp_path / "x.npy").read_bytes()[found.offset :] == array.tobytes(order)


@pytest.mark.parametrize("shape", [(0,), (5,), (2**40, 16), (3, 0)])
@pytest.mark.parametrize("dtype", ["float32", "int16", "complex128", "bool"])
def test_what_is_written_numpy_reads(shape: tuple[int, ...], dtype: str) -> None:
    text = npy_header(shape, np.dtype(dtype))
    assert len(text) == HEADER_BYTES
    assert HEADER_BYTES % 64 == 0
    stream = io.BytesIO(text)
    assert np.lib.format.read_magic(stream) == (1, 0)
    found, fortran, descr = np.lib.format.read_array_header_1_0(stream)
    assert (found, fortran, descr) == (shape, False, np.dtype(dtype))
    assert stream.tell() == HEADER_BYTES
