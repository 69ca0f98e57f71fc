"""Matches are those of direct sliding products in float64, each once, with the same bytes however a flow is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from headrace.signals import MatchedFilter, from_array, from_iter
from headrace.signals.events import matched_filter
from headrace.testing.strategies import cuts

if TYPE_CHECKING:
    from collections.abc import Callable

SOME = settings(max_examples=max(15, settings.default.max_examples // 4))
RUNS = st.fixed_dictionaries(
    {
        "threads": st.integers(1, 4),
        "executor": st.sampled_from([None, "threads", "serial"]),
        "memory": st.sampled_from(["1GB", "60MB"]),
        "chunk": st.sampled_from([None, 97, 1009]),
    }
)


@st.composite
def searches(draw: st.DrawFn) -> tuple[np.ndarray, MatchedFilter]:
    """Draw a signal with templates in it, of one channel each or of all, and the filter that looks for them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    channels, width = draw(st.integers(1, 3)), draw(st.sampled_from([4, 10, 40, 129]))
    together, many = draw(st.booleans()), draw(st.integers(1, 3))
    n = draw(st.sampled_from([0, 1, width, width + 1, 300, 5000, 40_000]))
    bank = rng.standard_normal((many, width, channels) if together else (many, width))
    x = 0.3 * rng.standard_normal((n, channels)) + rng.integers(-100, 100, channels)
    for at in rng.integers(0, max(1, n - width), 0 if n < width else 1 + n // (3 * width)):
        shape = bank[rng.integers(many)] * rng.uniform(0.5, 3)
        x[at : at + width] += shape if together else shape[:, np.newaxis] * rng.integers(0, 2, channels)
    if n and draw(st.booleans()):
        x[n // 2 : n // 2 + 2 * width] = 7.0  # flat
        x[n // 3] = np.nan
    threshold, distance = draw(st.sampled_from([0.3, 0.7, 0.9])), draw(st.sampled_from([None, 1, 2, 50, 700]))
    return x.astype(draw(st.sampled_from(["float32", "float64"]))), MatchedFilter(bank, threshold, distance=distance)


def direct(x: np.ndarray, rule: MatchedFilter) -> list[tuple[int, int, int, float]]:
    """Give (start, channel, template, correlation) by the definition; channel -1 for templates of all channels."""
    wide, width = x.astype(np.float64), rule.length
    if len(x) < width:
        return []
    windows = sliding_window_view(wide, width, axis=0)
    windows = windows - windows.mean(axis=-1, keepdims=True)
    windows[np.ptp(sliding_window_view(wide, width, axis=0), axis=-1) == 0] = 0
    bank = rule.templates.reshape(*rule.templates.shape[:2], -1)
    bank = bank - bank.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        if rule.templates.ndim == 3:
            energy = np.sqrt(np.sum(windows**2, axis=(1, 2)))[:, np.newaxis]
            products = np.stack([np.einsum("pcw,wc->p", windows, t)[:, np.newaxis] for t in bank])
        else:
            energy = np.sqrt(np.sum(windows**2, axis=2))
            products = np.stack([windows @ t[:, 0] for t in bank])
        scale = np.sqrt(np.sum(bank**2, axis=(1, 2)))[:, np.newaxis, np.newaxis]
        correlations = np.round(np.where(energy > 0, products / (energy * scale), 0), 12)
    best, which = correlations.max(axis=0), correlations.argmax(axis=0)
    rows = []
    for place, channel in zip(*np.nonzero(best >= rule.threshold), strict=True):
        near = best[max(0, place - rule.distance + 1) : place + rule.distance, channel]
        if best[place, channel] == near.max():
            own = channel if rule.templates.ndim == 2 else -1
            rows.append((int(place), int(own), int(which[place, channel]), float(best[place, channel])))
    return sorted(rows)


def check_answer(x: np.ndarray, rule: MatchedFilter, **options: Any) -> None:
    found = from_array(x).detect(rule).to_array(**options)
    expected = direct(x, rule)
    apart = rule.templates.ndim == 2
    assert [(int(r["start"]), int(r["channel"]) if apart else -1, int(r["template"])) for r in found] == [
        row[:3] for row in expected
    ]
    assert np.allclose(found["correlation"], [row[3] for row in expected], rtol=0, atol=1e-10)
    assert np.array_equal(found["amplitude"], x[found["peak"], found["channel"]])


@SOME
@given(searches(), RUNS)
def test_matches_are_those_of_direct_products(
    search: tuple[np.ndarray, MatchedFilter], options: dict[str, Any]
) -> None:
    check_answer(*search, **options)


@SOME
@given(searches(), RUNS, st.data())
def test_the_table_depends_on_nothing_but_the_signal(
    search: tuple[np.ndarray, MatchedFilter], options: dict[str, Any], data: st.DataObject
) -> None:
    x, rule = search
    whole = from_array(x, fs=10.0).detect(rule).to_array(threads=1, executor="serial", memory="1GB")
    assert from_array(x, fs=10.0).detect(rule).to_array(**options).tobytes() == whole.tobytes()
    pieces = np.split(x, data.draw(cuts(len(x))))
    assert from_iter(pieces, fs=10.0).detect(rule).to_array(memory="1GB").tobytes() == whole.tobytes()


@SOME
@given(searches(), st.sampled_from([1, 3000, 9000]))
def test_the_blocks_decide_nothing(search: tuple[np.ndarray, MatchedFilter], block: int) -> None:
    x, rule = search
    usual = from_array(x).detect(rule).to_array()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matched_filter, "_BLOCK", block)
        assert from_array(x).detect(rule).to_array().tobytes() == usual.tobytes()


def other(name: str, value: Callable[..., Any]) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(matched_filter, name, value)


highest, best_of = matched_filter._highest, matched_filter._Best
MUTANTS = {
    "a distance one too long": other("_highest", lambda best, threshold, d: highest(best, threshold, d + 1)),
    "energies that are ignored": other("_Best", lambda energy: best_of(energy * 0 + 1)),
    "the last place is missing": other("_highest", lambda best, threshold, d: highest(best[:-1], threshold, d)),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    MUTANTS[name](monkeypatch)

    @settings.get_profile("mutant")
    @given(searches())
    def prop(search: tuple[np.ndarray, MatchedFilter]) -> None:
        check_answer(*search)

    with pytest.raises(AssertionError):
        prop()
