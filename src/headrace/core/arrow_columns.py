"""How NumPy's types and rows are told in Arrow's terms, as buffers that `headrace._native.arrow_stream` exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from headrace.core.arrays import native
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.core.arrays import Array, DType

__all__ = ["Column", "Field", "field_of", "row_columns", "rows_field", "sample_columns", "samples_field"]

Field: TypeAlias = tuple[str, str, dict[str, str], tuple[Any, ...]]
"""Name, Arrow format, metadata, children."""

Column: TypeAlias = tuple[int, tuple[Any, ...], tuple[Any, ...]]
"""Length, buffers, children."""

_FORMATS = {
    "b1": "b", "i1": "c", "u1": "C", "i2": "s", "u2": "S", "i4": "i", "u4": "I", "i8": "l", "u8": "L",
    "f2": "e", "f4": "f", "f8": "g",
}  # fmt: skip
_MOST_TEXT = 2**31 - 1  # bytes of text in one batch: offsets are int32


def field_of(name: str, dtype: DType, metadata: Mapping[str, str] | None = None) -> Field:
    """Describe a column of values of `dtype`, which may be a subarray.

    Raises
    ------
    SchemaError
        If Arrow has no such type: complex numbers, times, objects, nested records.
    """
    found = dict(metadata or {})
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        inner = np.dtype((base, shape[1:])) if len(shape) > 1 else base
        return (name, f"+w:{shape[0]}", found, (field_of("item", inner),))
    if dtype.kind in "US":
        return (name, "u" if dtype.kind == "U" else "z", found, ())
    letter = _FORMATS.get(f"{dtype.kind}{dtype.itemsize}")
    if letter is None:
        raise SchemaError(
            f"column {name!r} has dtype {dtype}, which is not exported to Arrow: use bool, int8 to int64, uint8 to "
            "uint64, float16 to float64, or text of a fixed width; a complex column is two, real and imaginary part"
        )
    return (name, letter, found, ())


def rows_field(dtype: DType, metadata: Mapping[str, str] | None = None) -> Field:
    """Describe rows of a structured dtype: a struct with one column for each field.

    Raises
    ------
    SchemaError
        If the dtype is not structured, or has a field that Arrow has no type for.
    """
    fields = dtype.fields
    if dtype.names is None or fields is None:
        raise SchemaError(f"rows have a structured dtype, such as [('start', 'i8'), ('end', 'i8')]: got {dtype}")
    return ("", "+s", dict(metadata or {}), tuple(field_of(name, fields[name][0]) for name in dtype.names))


def row_columns(rows: Array) -> Column:
    """Copy the columns out of rows, shape (k,), which may be used again; booleans become bits, text UTF-8."""
    names = rows.dtype.names or ()
    return (len(rows), (), tuple(_values(rows[name].copy(), name) for name in names))


def samples_field(dtype: DType, shape: tuple[int, ...], metadata: Mapping[str, str] | None = None) -> Field:
    """Describe samples of a signal: one column, ``samples``, of numbers or of one list of channels for each sample."""
    kind = np.dtype((native(dtype), shape)) if shape else native(dtype)
    return ("", "+s", dict(metadata or {}), (field_of("samples", kind),))


def sample_columns(samples: Array) -> Column:
    """Refer to samples, shape (n,) or (n, channels), without a copy (booleans become bits)."""
    return (len(samples), (), (_values(samples, "samples"),))


def _values(values: Array, name: str) -> Column:
    """Give the column of an array whose first axis counts the rows, and further ones become lists."""
    if values.ndim > 1:
        lists = values.shape[0] * values.shape[1]
        return (len(values), (), (_values(values.reshape(lists, *values.shape[2:]), name),))
    if values.dtype.kind == "b":
        return (len(values), (np.packbits(values, bitorder="little"),), ())
    if values.dtype.kind == "U":
        return (len(values), _utf8(values, name), ())
    if values.dtype.kind == "S":
        codes = _codes(values, np.uint8)
        return (len(values), _packed(codes, codes), ())
    return (len(values), (np.ascontiguousarray(values, native(values.dtype)),), ())


def _utf8(values: Array, name: str) -> tuple[Array, Array]:
    """Encode text as int32 offsets and bytes."""
    codes = _codes(values, np.uint32)
    if not codes.size or codes.max() < 128:
        return _packed(codes, codes.astype(np.uint8))
    try:
        words = [text.encode() for text in values.tolist()]
    except UnicodeEncodeError as error:
        raise SchemaError(f"column {name!r} holds text that is not Unicode: {error.object!r}") from error
    offsets = np.zeros(len(words) + 1, np.int64)
    np.cumsum([len(word) for word in words], out=offsets[1:])
    return _narrow(offsets), np.frombuffer(b"".join(words), np.uint8)


def _codes(values: Array, unit: type[np.unsignedinteger[Any]]) -> Array:
    """View text of a fixed width as numbers, shape (rows, width)."""
    width = values.dtype.itemsize // np.dtype(unit).itemsize
    if not width:
        return np.zeros((len(values), 0), unit)
    codes: Array = np.ascontiguousarray(values, native(values.dtype)).view(unit).reshape(len(values), width)
    return codes


def _packed(codes: Array, text: Array) -> tuple[Array, Array]:
    """Join rows of fixed width, without the zeros at their ends; `codes` says where those begin."""
    width = codes.shape[1]
    places = np.arange(1, width + 1)
    lengths = np.max(places * (codes != 0), axis=1, initial=0)
    offsets = np.zeros(len(codes) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return _narrow(offsets), text[places <= lengths[:, None]]


def _narrow(offsets: Array) -> Array:
    if offsets[-1] > _MOST_TEXT:
        raise SchemaError(
            f"{offsets[-1]} bytes of text in one batch, {_MOST_TEXT} at most: hand over fewer rows at once"
        )
    return offsets.astype(np.int32)
