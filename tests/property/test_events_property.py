"""Every event is found exactly once, wherever it lies among blocks, windows, segments, channel groups and gaps."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from headrace.core.blockwise import Block, Outcome
from headrace.core.chunk import Chunk
from headrace.core.operator import Spec
from headrace.core.span import Halo, Span
from headrace.signals import EVENT, Detector, Threshold, detector
from headrace.signals.events import joining as joining_module
from headrace.signals.events import pieces as pieces_module
from headrace.signals.events import reported as reported_module
from headrace.signals.events import threshold as threshold_module
from headrace.signals.events.joining import Joiner
from headrace.signals.events.pieces import NO_SAMPLES, OPEN_RIGHT, Pieces
from headrace.signals.events.waiting import WaitingRows

if TYPE_CHECKING:
    from collections.abc import Iterator

DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64")
FS, T0 = 250.0, 3.5


def outcomes(found: Any, x: np.ndarray, edges: list[int], group: int) -> Iterator[Outcome[Any]]:
    """Run a block function as an engine would: segment by segment, block by block, some channels at a time."""
    spec = Spec(None, x.shape[1:], x.dtype, FS)
    plan = found.plan(spec)
    for first, stop in pairwise(edges):
        n = stop - first
        for span in Span(0, n).split(plan.block):
            around = span.widen(plan.halo).clip(Span(0, n))
            for lowest in range(0, spec.n_channels, group):
                channels = range(lowest, min(lowest + group, spec.n_channels))
                part = x[first + around.start : first + around.stop]
                part = np.ascontiguousarray(part if x.ndim == 1 else part[:, channels.start : channels.stop])
                block = Block(first, span, span.stop == n, Chunk(around, part.copy()), channels)
                yield Outcome(first, span, block.last, channels, found.work(plan, block))


def batches(found: Any, x: np.ndarray, edges: list[int], group: int, hold: int = 65_536) -> list[np.ndarray]:
    """Give all events of an array that has segments at these edges, as the fold gives them out."""
    with found.fold(Spec(None, x.shape[1:], x.dtype, FS), t0=T0) as folding:
        folding._waiting = WaitingRows(EVENT, most=hold)
        rows = [each for outcome in outcomes(found, x, edges, group) for each in folding.add(outcome)]
        return [np.empty(0, EVENT), *rows, *folding.finish()]


def events(found: Any, x: np.ndarray, edges: list[int] | None = None, group: int = 10**9) -> np.ndarray:
    return np.concatenate(batches(found, x, edges or [0, len(x)], group))


def judged(x: np.ndarray, rule: Threshold) -> tuple[np.ndarray, np.ndarray, float]:
    """Judge each sample of one channel of one segment: whether it is beyond, how far, and the closest call."""
    n = len(x)
    beyond, distance, margin = np.zeros(n, bool), np.full(n, np.nan), np.inf

    @lru_cache
    def thresholds(first: int, stop: int) -> tuple[float, float, float, float]:
        around = x[first:stop][~np.isnan(x[first:stop])]
        with np.errstate(all="ignore"):
            center = np.median(around)
            mad = np.median(np.abs(around - center)) / 0.6744897501960817
            noise = mad if rule.noise == "mad" else np.std(around)
            return center, noise, center + rule.k * noise, center - rule.k * noise

    for i in np.flatnonzero(~np.isnan(x)):
        if rule.window is None:
            size = rule.block or 1_000_000
            center, noise, high, low = thresholds(i // size * size, (i // size + 1) * size)
        else:
            first = i - rule.window // 2
            center, noise, high, low = thresholds(max(0, first), max(0, first + rule.window))
        with np.errstate(all="ignore"):
            distance[i] = np.abs(x[i] - center)
            if rule.noise == "std" and rule.k > 0 and np.isfinite(noise) and noise > 0:
                margin = min(margin, abs(x[i] - high) / noise, abs(x[i] - low) / noise)
        up, down = x[i] > high, x[i] < low
        beyond[i] = {"both": up or down, "pos": up, "neg": down}[rule.polarity]
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
    for first, stop in pairwise(edges):
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
    if kind == "dice":
        return rng.choice([0, 1, 5], shape).astype(dtype)
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
    if rng.random() < 0.3:
        x[rng.random(x.shape) < rng.choice([0.2, 0.5, 0.8])] = np.nan
    flat = x.reshape(len(x), x.shape[1] if x.ndim == 2 else 1)
    for _ in range(int(rng.integers(0, 8))):
        at, length = int(rng.integers(0, max(1, len(x)))), int(rng.choice([1, 1, 2, 7, 60]))
        flat[at : at + length, rng.integers(0, flat.shape[1])] = np.nan
    return x


@st.composite
def cases(draw: st.DrawFn, *, nan: bool = False, window: bool = False) -> tuple[np.ndarray, Threshold, list[int], int]:
    n = draw(st.sampled_from([0, 1, 2, 3, 7, 50, 97, 211, 400]) | st.integers(0, 300))
    channels = draw(st.sampled_from([None, 1, 2, 3, 5]))
    kind = draw(st.sampled_from(["noise", "noise", "steps", "constant", "odd", "dice", "dice"]))
    seed = draw(st.integers(0, 2**32 - 1))
    x = signal(seed, n, channels, draw(st.sampled_from(DTYPES)), kind)
    policy = draw(st.sampled_from(["ignore", "gap"] if nan else ["raise", "ignore", "gap"]))
    x = with_nan(x, seed) if nan else x
    size = draw(st.sampled_from([2, 3, 4] if kind == "dice" else [1, 2, 3, 5, 10, 31, 64, 65, 100, 1000]))
    rule = Threshold(
        draw(st.sampled_from([0, 0.5] if kind == "dice" else [0, 0.5, 1, 2, 3.5])),
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


def keep(patch: pytest.MonkeyPatch, most: int) -> None:
    """Let pieces beyond so few go through a file."""
    patch.setattr(pieces_module, "IN_MEMORY", most)
    patch.setattr(threshold_module, "IN_MEMORY", most)


@given(
    st.tuples(st.booleans(), st.booleans()).flatmap(lambda drawn: cases(nan=drawn[0], window=drawn[1])),
    st.integers(1, 6),
)
def test_pieces_that_go_through_a_file_make_the_same_events(
    case: tuple[np.ndarray, Threshold, list[int], int], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        keep(patch, most)
        check(case)


@given(cases(), st.integers(1, 40))
def test_the_order_and_the_bytes_do_not_depend_on_what_memory_holds(
    case: tuple[np.ndarray, Threshold, list[int], int], hold: int
) -> None:
    x, rule, edges, group = case
    if x.ndim == 2 and x.dtype.kind == "f":
        x = x.copy()
        x[1::3, 0] = 1e4  # with a merge gap an event as long as the file, for which all the others wait
    found = batches(rule, x, edges, group, hold)
    assert max(len(rows) for rows in found) <= hold
    assert np.concatenate(found).tobytes() == events(rule, x, edges).tobytes()


@st.composite
def marked(draw: st.DrawFn) -> np.ndarray:
    """Signals in which the samples of an event are its number, and all others 0; events touch now and then."""
    n = draw(st.integers(0, 120))
    x = np.zeros((n, draw(st.integers(1, 3))), draw(st.sampled_from(["int32", "float64", "float16"])))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    number = 0
    for channel in range(x.shape[1]):
        at = int(rng.integers(0, 10))
        while at < n:
            length = int(rng.choice([1, 2, 3, 8, 25, 80]))
            x[at : at + length, channel] = number = number + 1
            at += length + int(rng.choice([0, 0, 1, 6, 20]))
    return x[:, 0] if x.shape[1] == 1 and rng.random() < 0.5 else x


def stretches(column: np.ndarray) -> list[tuple[int, int]]:
    """Give runs of equal samples that are not 0."""
    edges = [0, *(np.flatnonzero(np.diff(column)) + 1).tolist(), len(column)]
    return [(a, b) for a, b in pairwise(edges) if b > a and column[a] != 0]


def numbered(chunk: np.ndarray, start: int) -> list[tuple[int, int, int]]:
    columns = chunk.reshape(len(chunk), chunk.shape[1] if chunk.ndim == 2 else 1)
    found = [(a + start, b + start, c) for c in range(columns.shape[1]) for a, b in stretches(columns[:, c])]
    chunk[:] = 0  # the array is the function's own
    return sorted(found)


def expected_of(
    x: np.ndarray, edges: list[int], block: int, halo: tuple[int, int], open_edges: bool
) -> list[tuple[int, int, int]]:
    """Give what must come out: planted events, joined and cut where the function could not have seen more."""
    columns = x.reshape(len(x), x.shape[1] if x.ndim == 2 else 1)
    rows = []
    for channel in range(columns.shape[1]):
        for first, stop in pairwise(edges):
            pieces: list[list[int]] = []
            for a, b in stretches(columns[first:stop, channel]):
                cuts = [a, *(c for c in range(block, stop - first, block) if a < c < b), b]
                for left, right in pairwise(cuts):
                    border = left % block == 0 and bool(pieces) and pieces[-1][1] == left
                    crosses = left != a
                    before = (crosses and halo[1] > 0) or (halo[1] == 0 and open_edges)
                    after = (crosses and halo[0] > 0) or (halo[0] == 0 and open_edges)
                    if border and before and after:
                        pieces[-1][1] = right
                    else:
                        pieces.append([left, right])
            rows += [(first + a, first + b, channel) for a, b in pieces]
    return sorted(rows, key=lambda row: (row[0], row[2]))


@st.composite
def users_cases(draw: st.DrawFn) -> tuple[np.ndarray, Detector, list[int]]:
    x = draw(marked())
    sides = (draw(st.sampled_from([0, 1, 5, 30])), draw(st.sampled_from([0, 1, 5, 30])))
    found = detector(numbered, block=draw(st.integers(1, 40)), halo=sides, open_edges=draw(st.booleans()))
    inner = draw(st.lists(st.integers(0, len(x)), max_size=2))
    return x, found, sorted({0, len(x), *inner}) if len(x) else [0, 0]


def check_users(case: tuple[np.ndarray, Detector, list[int]]) -> None:
    x, rule, edges = case
    block = rule.block
    found = events(rule, x, edges)
    spans = [(int(row["start"]), int(row["end"]), int(row["channel"])) for row in found]
    assert spans == expected_of(x, edges, block, rule.halo, rule.open_edges)
    columns = x.reshape(len(x), x.shape[1] if x.ndim == 2 else 1).astype(np.float64)
    for row in found:
        first = max(edge for edge in edges if edge <= row["start"])
        stop = min(edge for edge in edges if edge >= row["end"])
        inside = np.arange(row["start"], row["end"])
        blocks = [
            columns[first + k * block : min(stop, first + (k + 1) * block), row["channel"]]
            for k in (inside - first) // block
        ]
        distance = [abs(columns[i, row["channel"]] - np.median(b)) for i, b in zip(inside, blocks, strict=True)]
        assert row["peak"] == inside[int(np.argmax(distance))]
        assert row["amplitude"] == columns[row["peak"], row["channel"]]


@given(users_cases(), st.sampled_from([2, 5, 4096]))
def test_a_users_events_come_out_once_whatever_borders_they_cross(
    case: tuple[np.ndarray, Detector, list[int]], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        keep(patch, most)
        check_users(case)


def emits_what_might_be_merged(add: Any) -> Any:
    def forgetful(self: Joiner, outcome: Outcome[Any]) -> Iterator[np.ndarray]:
        yield from add(self, outcome)
        early = self._holds & (self._held["flags"] & OPEN_RIGHT == 0)
        self._holds[early] = False
        yield self._held[early]

    return forgetful


def ends_with_each_batch(add: Any) -> Any:
    return lambda self, outcome, rows, channels, _goes_on: add(self, outcome, rows, channels, channels.stop)


def without_last_pieces(batches: Any) -> Any:
    def mutant(self: Pieces) -> Iterator[tuple[np.ndarray, bool]]:
        for rows, last in batches(self):
            yield (rows if last else rows[:-1]), last

    return mutant


def without_samples(work: Any) -> Any:
    def mutant(self: Threshold, plan: Any, block: Block) -> Any:
        pieces = work(self, plan, block)
        pieces.states[:] |= NO_SAMPLES
        return pieces

    return mutant


def with_plan(change: Any, kind: type[Any] = Threshold) -> Any:
    plan = kind.plan
    return lambda self, inp: change(plan(self, inp))


def shorter(halo: Halo, left: int, right: int) -> Halo:
    return Halo(max(0, halo.left - left), max(0, halo.right - right))


MUTANTS: dict[str, tuple[Any, str, Any, dict[str, bool]]] = {
    "the join at borders is dropped": (Joiner, "_heads", lambda self, rows: np.arange(len(rows)), {}),
    "what may be merged is not carried on": (Joiner, "add", emits_what_might_be_merged(Joiner.add), {}),
    "a batch of pieces ends what goes on in the next": (Joiner, "_add", ends_with_each_batch(Joiner._add), {}),
    "the last piece of a batch is lost": (Pieces, "batches", without_last_pieces(Pieces.batches), {}),
    "a run goes on over a block that ends it": (Threshold, "work", without_samples(Threshold.work), {}),
    "a block of NaN ends a run": (joining_module, "NO_SAMPLES", 0, {"nan": True}),
    "a gap at the end of a block is forgotten": (joining_module, "ENDS_IN_GAP", 0, {"nan": True}),
    "blocks are one sample too long": (
        Threshold, "plan", with_plan(lambda plan: replace(plan, block=plan.block + 1)), {},
    ),
    "windows lack a sample on the left": (
        Threshold, "plan", with_plan(lambda plan: replace(plan, halo=shorter(plan.halo, 1, 0))), {"window": True},
    ),
    "windows lack a sample on the right": (
        Threshold, "plan", with_plan(lambda plan: replace(plan, halo=shorter(plan.halo, 0, 1))), {"window": True},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, what, mutant, drawn = MUTANTS[name]
    monkeypatch.setattr(where, what, mutant)
    monkeypatch.setattr(threshold_module, "_WINDOWED_BLOCK", 7)
    keep(monkeypatch, 5)

    @settings.get_profile("mutant")
    @given(cases(**drawn))
    def prop(case: tuple[np.ndarray, Threshold, list[int], int]) -> None:
        check(case)

    with pytest.raises(AssertionError):
        prop()


USERS_MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "the function sees a sample less on the left": (
        Detector, "plan", with_plan(lambda plan: replace(plan, halo=shorter(plan.halo, 1, 0)), Detector),
    ),
    "the function sees a sample less on the right": (
        Detector, "plan", with_plan(lambda plan: replace(plan, halo=shorter(plan.halo, 0, 1)), Detector),
    ),
    "blocks are one sample too long": (
        Detector, "plan", with_plan(lambda plan: replace(plan, block=plan.block + 1), Detector),
    ),
    "what is open is not carried on": (Joiner, "_heads", lambda self, rows: np.arange(len(rows))),
    "an event that crosses a border is cut": (reported_module, "OPEN_RIGHT", 0),
    "an event that comes across a border begins there": (reported_module, "OPEN_LEFT", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", USERS_MUTANTS)
def test_a_mutant_of_a_users_detector_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*USERS_MUTANTS[name])

    @settings.get_profile("mutant")
    @given(users_cases())
    def prop(case: tuple[np.ndarray, Detector, list[int]]) -> None:
        check_users(case)

    with pytest.raises(AssertionError):
        prop()
