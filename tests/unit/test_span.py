from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.span import Halo, Span

SPANS = st.tuples(st.integers(-50, 50), st.integers(0, 50)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))


def test_a_span_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[5, 4\)"):
        Span(5, 4)


def test_a_halo_is_never_negative() -> None:
    with pytest.raises(ValueError, match="left=-1"):
        Halo(-1, 0)


@given(SPANS, SPANS)
def test_clipping_gives_what_both_hold_and_never_leaves_the_limits(span: Span, limits: Span) -> None:
    found = span.clip(limits)
    assert limits.start <= found.start <= found.stop <= limits.stop
    both = set(range(span.start, span.stop)) & set(range(limits.start, limits.stop))
    assert set(range(found.start, found.stop)) == both


@given(SPANS, st.integers(1, 12))
def test_aligning_grows_to_whole_cells_and_no_further(span: Span, grid: int) -> None:
    found = span.align(grid)
    assert found.start % grid == found.stop % grid == 0
    assert found.start <= span.start
    assert found.stop >= span.stop
    assert span.start - found.start < grid
    assert found.stop - span.stop < grid


@given(SPANS, st.integers(1, 12))
def test_splitting_covers_the_span_in_steps(span: Span, step: int) -> None:
    parts = list(span.split(step))
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(span.start, span.stop))
    assert all(part.size == step for part in parts[:-1])


def test_a_span_inside_another_is_a_slice_of_it() -> None:
    assert Span(12, 15).within(Span(10, 20)) == slice(2, 5)
    with pytest.raises(ValueError, match="does not lie inside"):
        Span(9, 15).within(Span(10, 20))


def test_spans_widen_shift_and_print() -> None:
    assert Span(3, 5).widen(Halo(4, 1)) == Span(-1, 6)
    assert str(Span(3, 5).shift(2)) == "[5, 7)"
