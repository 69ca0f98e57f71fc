from __future__ import annotations

import numpy as np
import pytest

from headrace.errors import SchemaError
from headrace.signals.positions import parse_position


@pytest.mark.parametrize(
    ("position", "sample"),
    [
        (7, 7),
        (np.int64(7), 7),
        (-1, 999),
        (-2000, 0),
        (5000, 5000),
        ("7", 7),
        (" -1 ", 999),
        ("1s", 100),
        ("250ms", 25),
        ("1.5 s", 150),
        (".5s", 50),
        ("1e-1s", 10),
        ("1min", 6000),
        ("0.01h", 3600),
        ("100000us", 10),
    ],
    ids=repr,
)
def test_samples_and_times_are_places(position: object, sample: int) -> None:
    assert parse_position(position, 1000, 100.0) == sample


@pytest.mark.parametrize("position", ["", "s", "ten seconds", "-1s", "1 d", 1.5, None, [1], "nan s"], ids=repr)
def test_what_is_no_place_is_said_with_examples(position: object) -> None:
    with pytest.raises(SchemaError, match="'10s'"):
        parse_position(position, 1000, 100.0)


def test_a_time_without_a_rate_asks_for_it() -> None:
    with pytest.raises(SchemaError, match="fs="):
        parse_position("10s", 1000, None)


def test_a_time_beyond_all_recordings_is_refused() -> None:
    with pytest.raises(SchemaError, match="1e999s"):
        parse_position("1e999s", 1000, 100.0)
