"""States as bytes and back: arrays, numbers, text, and tuples, lists and dicts of those; no pickle.

docs/formats/journal.md specifies the bytes. What is unpacked may come from anywhere: it is data, or a `FormatError`.
"""

from __future__ import annotations

import ast
import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.arrays import byte_view
from headrace.errors import FormatError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.arrays import Array, DType

__all__ = ["pack", "unpack"]

_DEEPEST = 32
_MOST_DIMENSIONS = 32
_MOST_DTYPE = 65_536  # bytes of a dtype in words
_COUNT = struct.Struct("<Q")
_INT = struct.Struct("<q")
_FLOAT = struct.Struct("<d")
_COMPLEX = struct.Struct("<dd")


def pack(value: Any) -> list[bytes | memoryview]:
    """Turn a value into bytes, in pieces; large arrays are viewed, not copied.

    Raises
    ------
    SchemaError
        If it is, or holds, something else than arrays, numbers, text, bytes, ``None``, tuples, lists and dicts.

    Examples
    --------
    >>> unpack(b"".join(pack({"next": 7, "state": (1.5, "on", None)})))
    {'next': 7, 'state': (1.5, 'on', None)}
    """
    out: list[bytes | memoryview] = []
    _pack(value, out, 0)
    return out


def unpack(data: bytes | bytearray | memoryview) -> Any:
    """Turn what `pack` gave, joined, into the value again; arrays are copies.

    Raises
    ------
    FormatError
        If it is not what `pack` gives.
    """
    reader = _Reader(memoryview(data).cast("B"))
    value = reader.value(0)
    if reader.left:
        raise FormatError(f"{reader.left} bytes follow a packed value")
    return value


def _pack(value: Any, out: list[bytes | memoryview], depth: int) -> None:
    if depth > _DEEPEST:
        raise SchemaError(f"a state is nested more than {_DEEPEST} deep: keep it flatter")
    kind = type(value)
    simple = _SIMPLE.get(kind)
    if simple is not None:
        out.append(simple(value))
    elif kind in (tuple, list):
        out.append((b"(" if kind is tuple else b"[") + _COUNT.pack(len(value)))
        for item in value:
            _pack(item, out, depth + 1)
    elif kind is dict:
        out.append(b"{" + _COUNT.pack(len(value)))
        for key, item in value.items():
            _pack(key, out, depth + 1)
            _pack(item, out, depth + 1)
    elif isinstance(value, (np.ndarray, np.generic)):
        _pack_array(value, out)
    else:
        raise SchemaError(
            f"a state is made of arrays, numbers, text, tuples, lists and dicts, so that a journal can hold it: got "
            f"{kind.__module__}.{kind.__qualname__}"
        )


def _pack_array(value: Array | np.generic, out: list[bytes | memoryview]) -> None:
    if value.dtype.hasobject:
        raise SchemaError(f"a state holds an array of Python objects ({value.dtype}), which a journal never does")
    array = np.ascontiguousarray(value)  # of at least one dimension, so the shape is the value's
    words = repr(np.lib.format.dtype_to_descr(value.dtype)).encode()
    tag = b"a" if isinstance(value, np.ndarray) else b"g"
    shape = struct.pack(f"<{value.ndim}Q", *value.shape)
    out.append(tag + _COUNT.pack(len(words)) + words + bytes([value.ndim]) + shape)
    if array.nbytes:
        out.append(byte_view(array.reshape(-1).view(np.uint8)))


def _sized(tag: bytes, data: bytes) -> bytes:
    return tag + _COUNT.pack(len(data)) + data


def _int(value: int) -> bytes:
    return b"i" + _INT.pack(value) if -(2**63) <= value < 2**63 else _sized(b"I", str(value).encode())


_SIMPLE: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"N",
    bool: lambda value: b"T" if value else b"F",
    int: _int,
    float: lambda value: b"f" + _FLOAT.pack(value),
    complex: lambda value: b"c" + _COMPLEX.pack(value.real, value.imag),
    str: lambda value: _sized(b"s", value.encode("utf-8", "surrogatepass")),
    bytes: lambda value: _sized(b"b", value),
}


class _Reader:
    """Reads values off bytes that nobody vouches for."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        """Bytes that were not read."""
        return len(self._data) - self._at

    def value(self, depth: int) -> Any:
        """Read one value."""
        if depth > _DEEPEST:
            raise FormatError(f"a packed value is nested more than {_DEEPEST} deep")
        tag = bytes(self._take(1))
        if tag in b"NTF":
            return {b"N": None, b"T": True, b"F": False}[tag]
        if tag in b"ifc":
            return self._number(tag)
        if tag in b"Isb":
            return self._text(tag)
        if tag in b"([":
            items = [self.value(depth + 1) for _ in range(self._count())]
            return tuple(items) if tag == b"(" else items
        if tag == b"{":
            return self._dict(depth)
        if tag in b"ag":
            return self._array(scalar=tag == b"g")
        raise FormatError(f"no packed value begins with {tag!r}")

    def _take(self, count: int) -> memoryview:
        if count > self.left:
            raise FormatError(f"a packed value ends {count - self.left} bytes early")
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def _count(self) -> int:
        """Read how many items or bytes follow; each takes at least one byte."""
        count = int(_COUNT.unpack(self._take(8))[0])
        if count > self.left:
            raise FormatError(f"a packed value claims {count} items in {self.left} bytes")
        return count

    def _number(self, tag: bytes) -> Any:
        if tag == b"c":
            return complex(*_COMPLEX.unpack(self._take(16)))
        return (_INT if tag == b"i" else _FLOAT).unpack(self._take(8))[0]

    def _text(self, tag: bytes) -> Any:
        data = bytes(self._take(self._count()))
        if tag == b"b":
            return data
        try:
            return data.decode("utf-8", "surrogatepass") if tag == b"s" else int(data)
        except ValueError as error:
            raise FormatError(f"a packed text or number cannot be read: {error}") from error

    def _dict(self, depth: int) -> dict[Any, Any]:
        found = {}
        for _ in range(self._count()):
            key = self.value(depth + 1)
            try:
                found[key] = self.value(depth + 1)
            except TypeError as error:
                raise FormatError(f"a packed dict has the key {key!r}") from error
        return found

    def _array(self, *, scalar: bool) -> Any:
        dtype = self._dtype()
        ndim = self._take(1)[0]
        if ndim > _MOST_DIMENSIONS:
            raise FormatError(f"a packed array has {ndim} dimensions")
        shape = struct.unpack(f"<{ndim}Q", self._take(8 * ndim))
        count = math.prod(shape)
        if (count and dtype.itemsize == 0) or max((0, *shape)) > 2**62:
            raise FormatError(f"a packed array has shape {shape}")
        data = self._take(count * dtype.itemsize)
        array: Array = np.empty(shape, dtype)
        if count:
            byte_view(array.reshape(-1).view(np.uint8))[:] = data
        return array[()] if scalar else array

    def _dtype(self) -> DType:
        words = bytes(self._take(self._count()))
        if len(words) > _MOST_DTYPE:
            raise FormatError(f"a packed dtype takes {len(words)} bytes")
        try:
            dtype: DType = np.lib.format.descr_to_dtype(ast.literal_eval(words.decode()))
        except (ValueError, TypeError, SyntaxError, KeyError, IndexError, MemoryError, RecursionError) as error:
            raise FormatError(f"a packed array has a dtype that cannot be read: {words[:80]!r}") from error
        if dtype.hasobject:
            raise FormatError("a packed array claims to hold Python objects, which are never loaded")
        return dtype
