"""The .npy header, read as untrusted bytes and written by position.

Ours rather than `numpy.lib.format`, because a reader of hostile files must cap the header, check the arithmetic on it
and demand that the file fits it exactly, before anything is allocated; format: NEP 1 (versions 1.0, 2.0 and 3.0).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headrace.errors import FormatError, SchemaError

if TYPE_CHECKING:
    from headrace.core.arrays import DType
    from headrace.core.files import FileReader

__all__ = ["HEADER_BYTES", "NpyHeader", "npy_header", "table_header"]

HEADER_BYTES = 128
"""Size of every header that headrace writes: room for any shape, so that a length can be filled in at the end."""

_MAGIC = b"\x93NUMPY"
_MAX_HEADER = 65536
_MAX_LENGTH = 2**48
_MAX_WRITTEN = 10_000  # what numpy.load accepts unless it is told otherwise


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What a .npy header says.

    Attributes
    ----------
    shape : tuple of int
        Shape of the array.
    dtype : dtype
        Its dtype, byte order included.
    fortran_order : bool
        Whether the first axis varies fastest.
    offset : int
        Byte position of the first value.
    """

    shape: tuple[int, ...]
    dtype: DType
    fortran_order: bool
    offset: int

    @classmethod
    def read(cls, file: FileReader) -> NpyHeader:
        """Parse the header of an open file and check that the file fits it exactly.

        Raises
        ------
        FormatError
            If the header is damaged, holds objects, or declares more or fewer bytes than the file has.
        """
        prefix = _read(file, 0, 10)
        if prefix[:6] != _MAGIC:
            raise FormatError(f"{file.path} is not a .npy file: it starts with {prefix[:6]!r}, not {_MAGIC!r}")
        major = prefix[6]
        if major not in (1, 2, 3):
            raise FormatError(f"{file.path} has .npy version {major}; versions 1 to 3 are known")
        start = 10 if major == 1 else 12
        length = int.from_bytes(_read(file, 8, start - 8), "little")
        if length > _MAX_HEADER:
            raise FormatError(f"{file.path} declares a header of {length} bytes; {_MAX_HEADER} is the most accepted")
        text = _read(file, start, length).decode("utf-8" if major == 3 else "latin-1", errors="replace")
        header = cls._parse(file.path, text, start + length)
        expected = header.offset + header.dtype.itemsize * _product(header.shape)
        if expected != file.size:
            raise FormatError(
                f"{file.path} declares shape {header.shape} of {header.dtype}, {expected} bytes with its header, but "
                f"has {file.size}: it is {'truncated' if file.size < expected else 'followed by something else'}"
            )
        return header

    @classmethod
    def _parse(cls, path: str, text: str, offset: int) -> NpyHeader:
        try:
            fields = ast.literal_eval(text.strip())
            descr, fortran, shape = fields["descr"], fields["fortran_order"], fields["shape"]
            dtype = np.dtype(descr)
        except (
            ValueError,
            SyntaxError,
            TypeError,
            KeyError,
            IndexError,
            RecursionError,
            MemoryError,
        ) as error:
            raise FormatError(f"{path} has an unreadable .npy header: {text[:80]!r}") from error
        if descr is None or not isinstance(fortran, bool) or not isinstance(shape, tuple) or len(fields) != 3:
            raise FormatError(f"{path} has an unreadable .npy header: {text[:80]!r}")
        if len(shape) > 32 or not all(type(length) is int and 0 <= length <= _MAX_LENGTH for length in shape):
            raise FormatError(f"{path} declares the impossible shape {str(shape)[:80]}")
        if dtype.hasobject:
            raise FormatError(f"{path} holds Python objects, which are never loaded; save it with a numeric dtype")
        return cls(shape, dtype, fortran, offset)


def npy_header(shape: tuple[int, ...], dtype: DType) -> bytes:
    """Write a version 1.0 header of exactly `HEADER_BYTES` bytes, for an array in C order."""
    return _version_1(_text(shape, dtype), HEADER_BYTES)


def table_header(n_rows: int, dtype: DType) -> bytes:
    """Write the header of a table of `n_rows` rows of a structured dtype, as long for any number of rows.

    Raises
    ------
    SchemaError
        If there are more names than a header can hold.
    """
    longest = len(_text((_MAX_LENGTH,), dtype).encode()) + 13
    nbytes = -(-longest // 64) * 64
    if nbytes > _MAX_WRITTEN:
        raise SchemaError(
            f"{len(dtype.names or ())} fields are more than a .npy header can name: write .parquet or .csv"
        )
    text = _text((n_rows,), dtype)
    if text.isascii():
        return _version_1(text, nbytes)
    body = text.encode()
    body = body.ljust(nbytes - 13) + b"\n"
    return _MAGIC + b"\x03\x00" + len(body).to_bytes(4, "little") + body


def _text(shape: tuple[int, ...], dtype: DType) -> str:
    descr = np.lib.format.dtype_to_descr(dtype)
    return f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}"


def _version_1(text: str, nbytes: int) -> bytes:
    body = text.encode("latin-1").ljust(nbytes - 11) + b"\n"
    return _MAGIC + b"\x01\x00" + len(body).to_bytes(2, "little") + body


def _read(file: FileReader, start: int, count: int) -> bytes:
    if start + count > file.size:
        raise FormatError(f"{file.path} ends inside its .npy header: it has {file.size} bytes")
    data = bytearray(count)
    file.read_into(memoryview(data), start)
    return bytes(data)


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count
