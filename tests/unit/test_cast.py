from __future__ import annotations

import numpy as np
import pytest

from headrace.core.cast import cast_into, check_cast
from headrace.errors import SchemaError


def cast(values: object, found: str, wanted: str) -> tuple[list[object], int]:
    source = np.asarray(values, found)
    out = np.empty(source.shape, wanted)
    clipped = cast_into(source, out)
    return out.tolist(), clipped


@pytest.mark.parametrize("found", ["float16", "float32", "float64"])
def test_floats_are_rounded_half_to_even(found: str) -> None:
    assert cast([0.5, 1.5, 2.5, -0.5, -1.5, 3.25, -3.6], found, "int16") == ([0, 2, 2, 0, -2, 3, -4], 0)


@pytest.mark.parametrize(
    ("wanted", "low", "high"),
    [("int8", -128, 127), ("uint8", 0, 255), ("int16", -32768, 32767), ("int32", -(2**31), 2**31 - 1)],
)
def test_what_does_not_fit_is_saturated_and_counted(wanted: str, low: int, high: int) -> None:
    values = [float(low), float(high), low - 1.0, high + 1.0, np.inf, -np.inf, 1e300]
    assert cast(values, "float64", wanted) == ([low, high, low, high, high, low, high], 5)


def test_nan_becomes_zero_and_is_counted() -> None:
    assert cast([1.0, np.nan, 2.0], "float32", "int16") == ([1, 0, 2], 1)


def test_integers_go_into_narrower_ones_by_saturation() -> None:
    assert cast([300, -300, 5], "int32", "int8") == ([127, -128, 5], 2)
    assert cast([2**64 - 1, 7], "uint64", "int64") == ([2**63 - 1, 7], 1)
    assert cast([-1, 2**40], "int64", "uint16") == ([0, 65535], 2)


def test_half_way_just_inside_the_range_is_no_clipping() -> None:
    assert cast([127.5, 127.49, -128.5, -128.51], "float64", "int8") == ([127, 127, -128, -128], 2)


def test_floats_and_bools_go_as_numpy_has_it() -> None:
    assert cast([1e300, 1.5], "float64", "float32") == ([float("inf"), 1.5], 0)
    assert cast([1, 0], "bool", "int16") == ([1, 0], 0)
    assert cast([1 + 2j], "complex64", "complex128") == ([1 + 2j], 0)
    assert cast([3], "int16", "complex64") == ([3 + 0j], 0)


def test_conversions_that_lose_more_than_precision_are_refused() -> None:
    with pytest.raises(SchemaError, match="imaginary part"):
        check_cast(np.dtype("complex64"), np.dtype("float32"))
    with pytest.raises(SchemaError, match="bool"):
        check_cast(np.dtype("float32"), np.dtype("bool"))
    check_cast(np.dtype("bool"), np.dtype("bool"))
