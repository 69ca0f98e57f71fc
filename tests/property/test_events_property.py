"""Every event is found exactly once, wherever it lies among blocks, windows, segments, channel groups and gaps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from headrace.core.blockwise import Block, Outcome
from headrace.core.chunk import Chunk
from headrace.core.operator import Spec
from headrace.core.span import Span
from headrace.signals import EVENT, Threshold
from headrace.signals.events import threshold as threshold_module
from headrace.signals.events.joining import Joiner

if TYPE_CHECKING:
    from collections.abc import Iterator

DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64")
FS, T0 = 250.0, 3.5


def outcomes(found: Any, x: np.ndarray, edges: list[int], group: int) -> Iterator[Outcome[Any]]:
    """Run a block function as an engine would: segment by segment, block by block, some channels at a time."""
    spec = Spec(None, x.shape[1:], x.dtype, FS)
    plan = found.plan(spec)
    for first, stop in zip(edges, edges[1:], strict=False):
        n = stop - first
        for span in Span(0, n).split(plan.block):
            around = span.widen(plan.halo).clip(Span(0, n))
            for lowest in range(0, spec.n_channels, group):
                channels = range(lowest, min(lowest + group, spec.n_channels))
                part = x[first + around.start : first + around.stop]
                part = np.ascontiguousarray(part if x.ndim == 1 else part[:, channels.start : channels.stop])
                block = Block(first, span, span.stop == n, Chunk(around, part.copy()), channels)
                yield Outcome(first, span, block.last, channels, found.work(plan, block))


def events(found: Any, x: np.ndarray, edges: list[int] | None = None, group: int = 10**9, **fold: Any) -> np.ndarray:
    """Give all events of an array that has segments at these edges."""
    folding = found.fold(Spec(None, x.shape[1:], x.dtype, FS), t0=T0)
    for name, value in fold.items():
        setattr(folding, name, value)
    rows = [np.empty(0, EVENT)]
    for outcome in outcomes(found, x, edges or [0, len(x)], group):
        rows += folding.add(outcome)
    rows += folding.finish()
    folding.close()
    return np.concatenate(rows)


@dataclass
class Run:
    """An event of the reference: its samples one by one, and the distance of each from its median."""

    samples: list[int]
    distances: list[float]


def judged(x: np.ndarray, rule: Threshold) -> tuple[np.ndarray, np.ndarray, float]:
    """Judge each sample of one channel of one segment: whether it is beyond, how far, and the closest call."""
    n = len(x)
    beyond, distance, margin = np.zeros(n, bool), np.full(n, np.nan), np.inf
    for i in range(n):
        if rule.window is None:
            size = rule.block or 1_000_000
            around = x[i // size * size : (i // size + 1) * size]
        else:
            around = x[max(0, i - rule.window // 2) : max(0, i - rule.window // 2 + rule.window)]
        around = around[~np.isnan(around)]
        if np.isnan(x[i]):
            continue
        with np.errstate(all="ignore"):
            center = np.median(around)
            mad = np.median(np.abs(around - center)) / 0.6744897501960817
            noise = mad if rule.noise == "mad" else np.std(around)
            high, low = center + rule.k * noise, center - rule.k * noise
            distance[i] = np.abs(x[i] - center)
            up, down = x[i] > high, x[i] < low
        beyond[i] = {"both": up or down, "pos": up, "neg": down}[rule.polarity]
        if rule.noise == "std" and rule.k > 0 and np.isfinite(noise) and noise > 0:
            margin = min(margin, abs(x[i] - high) / noise, abs(x[i] - low) / noise)
    return beyond, distance, margin


def runs_of(x: np.ndarray, rule: Threshold) -> tuple[list[list[int]], np.ndarray, float]:
    """Give the events of one channel of one segment, as first and last sample, from the definition."""
    beyond, distance, margin = judged(x, rule)
    found: list[list[int]] = []
    free = True  # whether nothing joins the next sample beyond to the last event
    for i in range(len(x)):
        if np.isnan(x[i]):
            if rule.nan == "gap":
                found.append([])  # nothing merges across this
                free = True
        elif beyond[i]:
            if free or not found or not found[-1]:
                found.append([i, i])
            found[-1][1] = i
            free = False
        else:
            free = True
    merged: list[list[int]] = []
    for run in found:
        if run and merged and merged[-1] and run[0] - merged[-1][1] - 1 <= rule.merge_gap:
            merged[-1][1] = run[1]
        else:
            merged.append(list(run))
    return (
        [run for run in merged if run and run[1] - run[0] + 1 >= rule.min_length],
        np.where(beyond, distance, -1),
        margin,
    )


def reference(x: np.ndarray, rule: Threshold, edges: list[int] | None = None) -> tuple[np.ndarray, float]:
    """Find the events of a whole array sample by sample; and how close the closest call was."""
    rows, margin = [], np.inf
    wide = x.astype(np.float64).reshape(len(x), x.shape[1] if x.ndim == 2 else 1)
    edges = edges or [0, len(x)]
    for first, stop in zip(edges, edges[1:], strict=False):
        for channel in range(wide.shape[1]):
            column = wide[first:stop, channel]
            runs, distance, close = runs_of(column, rule)
            margin = min(margin, close)
            for start, last in runs:
                peak = start + int(np.argmax(distance[start : last + 1]))
                rows.append(
                    (first + start, first + last + 1, channel, column[peak], first + peak, T0 + (first + start) / FS)
                )
    return np.array(sorted(rows, key=lambda row: (row[0], row[2])), EVENT), margin


def signal(seed: int, n: int, channels: int | None, dtype: str, kind: str) -> np.ndarray:
    """Noise with events at borders and elsewhere; constants; few distinct values; NaN and infinity."""
    rng = np.random.default_rng(seed)
    shape = (n,) if channels is None else (n, channels)
    x = rng.standard_normal(shape) * (1 if kind != "steps" else 1.2)
    flat = x.reshape(n, channels or 1)
    for _ in range(int(rng.integers(0, 6))):
        at, length = int(rng.integers(0, max(1, n))), int(rng.choice([1, 2, 5, 13, 40, 400]))
        flat[at : at + length, rng.integers(0, flat.shape[1])] += rng.choice([-1, 1]) * rng.choice([3, 6, 20])
    if kind == "constant":
        x[:] = 7
    scale = {"i": 9, "u": 9, "f": 1}[np.dtype(dtype).kind] if kind != "steps" else 1
    x = x * scale
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        return np.clip(np.rint(x + (100 if info.min == 0 else 0)), info.min, min(info.max, 2**52)).astype(dtype)
    if kind == "steps":
        x = np.rint(x)
    if kind == "odd" and n:
        bad = rng.random(x.shape) < rng.choice([0.01, 0.1, 0.6])
        x[bad] = rng.choice([np.inf, -np.inf], x.shape)[bad]
    return x.astype(dtype)


def with_nan(x: np.ndarray, seed: int) -> np.ndarray:
    """Put NaN in: single ones, stretches, whole blocks."""
    rng = np.random.default_rng(seed)
    x = x.astype("float64" if x.dtype.kind in "iu" else x.dtype)
    flat = x.reshape(len(x), x.shape[1] if x.ndim == 2 else 1)
    for _ in range(int(rng.integers(0, 8))):
        at, length = int(rng.integers(0, max(1, len(x)))), int(rng.choice([1, 1, 2, 7, 60]))
        flat[at : at + length, rng.integers(0, flat.shape[1])] = np.nan
    return x


@st.composite
def cases(draw: st.DrawFn, *, nan: bool = False, window: bool = False) -> tuple[np.ndarray, Threshold, list[int], int]:
    n = draw(st.sampled_from([0, 1, 2, 3, 7, 50, 97, 211, 400]) | st.integers(0, 300))
    channels = draw(st.sampled_from([None, 1, 2, 3, 5]))
    kind = draw(st.sampled_from(["noise", "noise", "steps", "constant", "odd"]))
    seed = draw(st.integers(0, 2**32 - 1))
    x = signal(seed, n, channels, draw(st.sampled_from(DTYPES)), kind)
    policy = draw(st.sampled_from(["ignore", "gap"] if nan else ["raise", "ignore", "gap"]))
    x = with_nan(x, seed) if nan else x
    size = draw(st.sampled_from([1, 2, 3, 5, 10, 31, 64, 65, 100, 1000]))
    rule = Threshold(
        draw(st.sampled_from([0, 0.5, 1, 2, 3.5])),
        noise=draw(st.sampled_from(["mad", "std"])),
        polarity=draw(st.sampled_from(["both", "pos", "neg"])),
        merge_gap=draw(st.sampled_from([0, 0, 1, 3, 20, 150])),
        min_length=draw(st.sampled_from([1, 1, 2, 4])),
        nan=policy,
        **({"window": size} if window else {"block": size}),
    )
    inner = draw(st.lists(st.integers(0, n), max_size=2)) if n else []
    edges = sorted({0, n, *inner}) if n else [0, 0]
    return x, rule, edges, draw(st.integers(1, 5))


def check(case: tuple[np.ndarray, Threshold, list[int], int]) -> None:
    x, rule, edges, group = case
    expected, margin = reference(x, rule, edges)
    assume(margin > 1e-9)  # the last bits of a standard deviation are NumPy's own
    found = events(rule, x, edges, group)
    assert found.tobytes() == expected.tobytes(), f"{found}\n{expected}"


@given(cases())
def test_blocks_find_what_the_definition_says(case: tuple[np.ndarray, Threshold, list[int], int]) -> None:
    check(case)


@given(cases(nan=True))
def test_nan_is_ignored_or_a_gap_as_asked(case: tuple[np.ndarray, Threshold, list[int], int]) -> None:
    check(case)


@given(st.booleans().flatmap(lambda nan: cases(nan=nan, window=True)), st.sampled_from([1, 7, 50, 65_536]))
def test_windows_find_what_the_definition_says_however_they_are_cut(
    case: tuple[np.ndarray, Threshold, list[int], int], cut: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threshold_module, "_WINDOWED_BLOCK", cut)
        check(case)


class ForgetsJoins(Threshold):
    """A mutant: what crosses a border is two events."""

    def work(self, plan: Any, block: Block) -> Any:
        pieces = super().work(plan, block)
        pieces.rows["flags"] = 0
        pieces.rows["start"] += pieces.rows["start"] == block.offset + block.span.start
        return pieces


class WrongBlock(Threshold):
    """A mutant: a block is judged by the median and noise of its first half."""

    def work(self, plan: Any, block: Block) -> Any:
        half = replace(block, span=Span(block.span.start, block.span.start + (block.span.size + 1) // 2))
        pieces = super().work(plan, half)
        return pieces


MUTATION = settings(
    max_examples=200, phases=[Phase.generate], database=None, report_multiple_bugs=False, derandomize=True
)


def fails(property_of_cases: Any) -> bool:
    """Whether some case fails."""
    try:
        property_of_cases()
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize(
    "name", ["drops the join", "forgets the merge", "judges by another block", "takes the last peak"]
)
def test_a_mutant_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def heads_without_joins(self: Joiner, rows: np.ndarray) -> np.ndarray:
        return np.arange(len(rows))

    whole = Joiner.add

    def forgetful(self: Joiner, outcome: Outcome[Any]) -> np.ndarray:
        kept, self._merge_gap = self._merge_gap, 0  # within the block merging is right, across borders it is forgotten
        found = whole(self, outcome)
        self._merge_gap = kept
        return found

    def judged_elsewhere(self: Threshold, plan: Any, block: Block) -> Any:
        array = block.window.array.copy()
        array[1:] = array[:-1]  # statistics that include another block's sample
        return work(self, plan, replace(block, window=Chunk(block.window.span, array)))

    work = Threshold.work
    if name == "drops the join":
        monkeypatch.setattr(Joiner, "_heads", heads_without_joins)
    elif name == "forgets the merge":
        monkeypatch.setattr(Joiner, "add", forgetful)
    elif name == "judges by another block":
        monkeypatch.setattr(Threshold, "work", judged_elsewhere)
    else:
        monkeypatch.setattr(np.fmax, "reduceat", np.maximum.reduceat, raising=False)

    @MUTATION
    @given(cases())
    def run(case: tuple[np.ndarray, Threshold, list[int], int]) -> None:
        check(case)

    assert fails(run)
