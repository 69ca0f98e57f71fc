"""Where events lie in a picture."""

from __future__ import annotations

import numpy as np
import pytest

from headrace.core.span import Span
from headrace.errors import SchemaError
from headrace.signals.marks import event_marks

EVENT = [("start", "i8"), ("end", "i8"), ("channel", "i4")]


def slow(events: np.ndarray, span: Span, channels: list[int], columns: int) -> np.ndarray:
    counts = np.zeros((len(channels), columns), np.int64)
    for event in events.tolist():
        shown = range(max(event[0], span.start), min(max(event[1], event[0] + 1), span.stop))
        touched = {(sample - span.start) * columns // span.size for sample in shown}
        for row, channel in enumerate(channels):
            if channel == event[2]:
                counts[row, list(touched)] += 1
    return counts


def test_counts_equal_those_of_a_loop_over_samples(rng: np.random.Generator) -> None:
    for _ in range(50):
        start = int(rng.integers(0, 50))
        span = Span(start, start + int(rng.integers(1, 400)))
        events = np.zeros(int(rng.integers(0, 30)), EVENT)
        events["start"] = rng.integers(-20, 500, len(events))
        events["end"] = events["start"] + rng.integers(0, 60, len(events))
        events["channel"] = rng.integers(0, 5, len(events))
        channels = [int(c) for c in rng.integers(0, 5, rng.integers(1, 5))]
        columns = min(int(rng.integers(1, 50)), span.size)
        found = event_marks(np.array_split(events, 3), span, channels, columns=columns)
        np.testing.assert_array_equal(found.counts, slow(events, span, channels, columns))
        inside = (np.maximum(events["end"], events["start"] + 1) > span.start) & (events["start"] < span.stop)
        assert found.n_events == np.count_nonzero(inside & np.isin(events["channel"], channels))


def test_events_without_a_channel_are_on_all_of_them() -> None:
    events = np.array([(2, 4)], EVENT[:2])
    assert event_marks([events], Span(0, 4), [7, 3], columns=4).counts.tolist() == [[0, 0, 1, 1]] * 2


def test_positions_beyond_32_bits_keep_their_place() -> None:
    span = Span(2**46, 2**47)
    events = np.array([(2**47 - 1, 2**47 + 5, 0)], EVENT)
    found = event_marks([events], span, [0], columns=600)
    assert (found.counts[0, 599], found.counts.sum()) == (1, 1)


def test_events_at_the_end_of_64_bits_are_where_they_are() -> None:
    far = 2**63 - 1
    assert event_marks([np.array([(far, far)], EVENT[:2])], Span(0, 1000), [0]).n_events == 0
    unsigned = np.array([(5, 2**64 - 1), (2**64 - 4, 2**64 - 1)], [("start", "u8"), ("end", "u8")])
    found = event_marks([unsigned], Span(0, 10), [0])
    assert (found.n_events, found.counts[0].tolist()) == (1, [0] * 5 + [1] * 5)


def test_no_more_columns_than_samples_and_none_without_events() -> None:
    found = event_marks([], Span(5, 8), [0])
    assert (found.counts.shape, found.n_events) == ((1, 3), 0)


def test_a_table_that_holds_no_events_is_refused() -> None:
    with pytest.raises(SchemaError, match="start and end: got onset"):
        event_marks([np.zeros(1, [("onset", "i8")])], Span(0, 9), [0])
