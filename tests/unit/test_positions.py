from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headrace.errors import SchemaError
from headrace.signals import BlockMedian, Detrend, Threshold, from_array
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


@pytest.mark.parametrize(
    ("timed", "counted"),
    [
        (lambda rec: rec.detect(Threshold(3, block="1s")), lambda rec: rec.detect(Threshold(3, block=100))),
        (lambda rec: rec.detect(Threshold(3, window="150ms")), lambda rec: rec.detect(Threshold(3, window=15))),
        (lambda rec: rec.detect(all_of_it, block="1s"), lambda rec: rec.detect(all_of_it, block=100)),
        (lambda rec: rec.pipe(Detrend(block="1s")), lambda rec: rec.pipe(Detrend(block=100))),
        (lambda rec: rec.pipe(BlockMedian("1s")), lambda rec: rec.pipe(BlockMedian(100))),
    ],
    ids=["block", "window", "detector", "Detrend", "BlockMedian"],
)
def test_blocks_may_be_told_in_seconds(timed: Any, counted: Any, rng: np.random.Generator) -> None:
    x = rng.standard_normal((1050, 2))
    rec = from_array(x, fs=100)
    assert timed(rec).to_array().tobytes() == counted(rec).to_array().tobytes()
    assert "s'" in repr(timed(rec))
    with pytest.raises(SchemaError, match="is a time, and the recording has no rate"):
        timed(from_array(x)).to_array()


def all_of_it(chunk: np.ndarray, start: int) -> list[tuple[int, int]]:
    """Find an event of half of each block."""
    return [(start, start + len(chunk) // 2)]


@pytest.mark.parametrize("make", [Detrend, BlockMedian, lambda block: Threshold(3, block=block)])
def test_a_block_that_is_no_length_is_refused_at_once(make: Any) -> None:
    with pytest.raises(SchemaError, match="such as '10s'"):
        make(block="soon")
    with pytest.raises(SchemaError, match="at least 1"):
        from_array(np.zeros(9), fs=10).pipe(Detrend(block="1ms"))
