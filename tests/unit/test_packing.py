"""What is packed comes back as it was; what is not, is refused; and any bytes give a value or a FormatError."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from headrace.core.packing import pack, unpack
from headrace.errors import FormatError, SchemaError

DTYPES = hnp.scalar_dtypes() | hnp.byte_string_dtypes() | hnp.array_dtypes()
ARRAYS = DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_dims=3)))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text() | st.binary()
VALUES = st.recursive(
    LEAVES | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    """Whether two values are one, in type and bytes."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and np.asarray(a).tobytes() == np.asarray(b).tobytes()
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(map(str, a)) == list(map(str, b)) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (float, complex)):
        return np.array(a).tobytes() == np.array(b).tobytes()
    return bool(a == b)


@given(VALUES)
def test_what_is_packed_comes_back_as_it_was(value: Any) -> None:
    assert same(unpack(b"".join(pack(value))), value)


@given(VALUES, st.data())
def test_changed_bytes_give_a_value_or_a_format_error(value: Any, data: st.DataObject) -> None:
    packed = bytearray(b"".join(pack(value)))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(FormatError):
        unpack(packed)
    with pytest.raises(FormatError):
        unpack(packed[: data.draw(st.integers(0, len(packed) - 1))] if packed[:1] in b"NTF" else b"")


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_a_format_error(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        unpack(data)


def test_special_numbers_keep_their_bits() -> None:
    quiet = np.array([0x7FF8000000000123], np.uint64).view(np.float64)
    value = (-0.0, math.inf, 2**200, -(2**63), quiet, quiet[0], np.float32("nan"), np.zeros((0, 3)), np.array(5))
    assert same(unpack(b"".join(pack(value))), value)


def test_views_and_foreign_byte_orders_come_back_whole() -> None:
    x = np.arange(24, dtype=">i2").reshape(4, 6)[::2, ::-3]
    found = unpack(b"".join(pack(x)))
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize("value", [{1}, object(), [np.array([None])], slice(3), lambda: 0, Exception()])
def test_what_no_journal_holds_is_refused(value: Any) -> None:
    with pytest.raises(SchemaError, match="journal"):
        pack(value)


def test_what_is_nested_without_end_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(SchemaError, match="nested"):
        pack(value)
    with pytest.raises(FormatError, match="nested"):
        unpack((b"[" + (1).to_bytes(8, "little")) * 100 + b"N")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"NN",
        b"?",
        b"i123",
        b"s" + (2**62).to_bytes(8, "little"),
        b"(" + (2**40).to_bytes(8, "little"),
        b"I" + (3).to_bytes(8, "little") + b"abc",
        b"{" + (1).to_bytes(8, "little") + b"[" + (0).to_bytes(8, "little") + b"N",
        b"a" + (4).to_bytes(8, "little") + b"'|O'" + b"\0",
        b"a" + (5).to_bytes(8, "little") + b"'<f8'" + b"\2" + (2**40).to_bytes(8, "little") * 2,
        b"a" + (5).to_bytes(8, "little") + b"'<f8'" + b"\x63",
        b"a" + (7).to_bytes(8, "little") + b"print()" + b"\0",
    ],
)
def test_bytes_that_pack_never_gave_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        unpack(data)
