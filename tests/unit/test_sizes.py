from __future__ import annotations

import numpy as np
import pytest

from headrace.core.sizes import format_bytes, parse_bytes


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("64MB", 64_000_000),
        ("64M", 64_000_000),
        ("64mb", 64_000_000),
        ("64MiB", 64 << 20),
        ("1.5 GB", 1_500_000_000),
        (" 7 ", 7),
        ("7B", 7),
        ("2K", 2000),
        ("1TiB", 1 << 40),
        (5, 5),
        (np.int64(5), 5),
        ("9007199254740993", 9007199254740993),
    ],
)
def test_sizes_read_as_people_write_them(text: int | str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize(
    "text", ["", "MB", "64XB", "-1MB", "64 MB x", "1e6", "0", "0.1B", 0, -5, "9" * 400 + "PX"], ids=repr
)
def test_what_is_no_size_is_a_value_error(text: int | str) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_bytes(text)


@pytest.mark.parametrize("thing", [True, 1.5, None, b"64MB"])
def test_what_is_neither_number_nor_text_is_a_type_error(thing: object) -> None:
    with pytest.raises(TypeError, match="'64MB'"):
        parse_bytes(thing)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 999, 1000, 1536, 64_000_000, 20_000_000_000, 5 * 10**15])
def test_a_written_size_is_near_the_number(count: int) -> None:
    number, unit = format_bytes(count).split()
    assert float(number) * {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit] == pytest.approx(count, rel=0.01)
