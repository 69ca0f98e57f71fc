"""Windowed datasets: each row is a slice of the whole array, or of the whole output of a flow."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from headrace.core.sections import Sections
from headrace.signals import (
    EVENT,
    Fir,
    Flow,
    Map,
    Recording,
    Scale,
    Windows,
    from_array,
    window_places,
    window_reader,
    windows,
)
from headrace.testing import BlockMean

if TYPE_CHECKING:
    from headrace.core.chunk import Chunk
    from headrace.core.sections import Bench, Section


def centred(x: np.ndarray) -> np.ndarray:
    return x - x.mean(axis=0, dtype=np.float64)


# Cells, rates, context on either side, blocks that see neighbours.
ROWS: dict[str, tuple[Any, ...]] = {
    "none": (),
    "fir": (Fir([1.0, -2.0, 0.5, 0.25, 3.0]),),
    "rate": (BlockMean(3),),
    "long": (Fir(np.hanning(301)), Scale(0.5)),
    "map": (Map(centred, block=37, halo=5, dtype="float64"), BlockMean(2)),
}


def recording(rng: np.random.Generator, lengths: list[int], channels: int | None, dtype: str) -> Recording:
    n = sum(lengths)
    x = (100 * rng.standard_normal((n,) if channels is None else (n, channels))).astype(dtype)
    starts = np.cumsum([0, *(length for length in lengths if length)])[:-1]
    return from_array(x, segments=[int(start) for start in starts] or None)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Flow], int, int, np.random.Generator]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    channels, dtype = draw(st.sampled_from([None, 1, 3])), draw(st.sampled_from(["int16", "float32", "float64"]))
    parts = st.lists(st.integers(0, 250), min_size=1, max_size=3)
    recordings = [recording(rng, draw(parts), channels, dtype) for _ in range(draw(st.integers(1, 2)))]
    row = ROWS[draw(st.sampled_from(sorted(ROWS)))]
    length = draw(st.integers(1, 90))
    hop = draw(st.sampled_from([length, 1, 1 + length // 2, length + 7, 61]))
    return [each.pipe(*row) for each in recordings], length, hop, rng


def segments_of(flow: Flow) -> list[tuple[int, int]]:
    sizes = [size or 0 for size in flow.segment_lengths()]
    starts = np.cumsum([0, *sizes])
    return [(int(start), int(start) + size) for start, size in zip(starts, sizes, strict=False)]


def expected_on_grid(flows: list[Flow], length: int, hop: int) -> list[tuple[int, int, np.ndarray]]:
    rows = []
    for number, flow in enumerate(flows):
        whole = flow.to_array()
        for start, stop in segments_of(flow):
            if stop - start >= length:
                # The axis of the window comes last there.
                slices = np.moveaxis(sliding_window_view(whole[start:stop], length, axis=0), -1, 1)[::hop]
                rows += [(number, start + place * hop, each) for place, each in enumerate(slices)]
    return rows


def check(ds: Windows, rows: list[tuple[int, int, np.ndarray]], rng: np.random.Generator) -> None:
    assert len(ds) == len(rows)
    asked = rng.permutation(np.concatenate([np.arange(len(rows)), np.arange(len(rows))[::7]]))
    for k in (0, 5, len(asked)):
        part = asked[:k]
        taken = ds.take(part)
        assert taken["recording"].tolist() == [rows[i][0] for i in part]
        assert taken["start"].tolist() == [rows[i][1] for i in part]
        assert {name: (a.dtype, a.shape[1:]) for name, a in taken.items()} == {
            name: (field.dtype, field.shape) for name, field in ds.fields.items()
        }
        for found, i in zip(taken["samples"], part, strict=True):
            assert found.tobytes() == np.ascontiguousarray(rows[i][2]).tobytes()


def check_grid(case: Any) -> None:
    flows, length, hop, rng = case
    check(windows(flows, length=length, hop=hop), expected_on_grid(flows, length, hop), rng)


@given(cases())
def test_rows_are_the_slices_of_what_the_whole_flow_gives(case: Any) -> None:
    check_grid(case)


@settings(max_examples=20)
@given(cases(), st.integers(1, 2000))
def test_what_is_computed_together_changes_no_byte(case: Any, together: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window_reader, "_RUN_BYTES", together)
        check_grid(case)


@settings(max_examples=20)
@given(cases())
def test_many_threads_may_take_rows_at_once(case: Any) -> None:
    flows, length, hop, rng = case
    ds = windows(flows, length=length, hop=hop)
    whole = ds.take(np.arange(len(ds)))["samples"]
    batches = [rng.integers(0, len(ds), 9) if len(ds) else np.arange(0) for _ in range(12)]
    with ThreadPoolExecutor(4) as threads:
        for batch, taken in zip(batches, threads.map(ds.take, batches), strict=True):
            assert taken["samples"].tobytes() == whole[batch].tobytes()


@settings(max_examples=20)
@given(cases())
def test_a_dataset_that_travelled_gives_the_same_rows(case: Any) -> None:
    flows, length, hop, _ = case
    ds = windows(flows, length=length, hop=hop)
    every = np.arange(len(ds))
    there = pickle.loads(pickle.dumps(ds)).take(every)
    assert all(there[name].tobytes() == array.tobytes() for name, array in ds.take(every).items())


def drawn_events(flow: Flow, rng: np.random.Generator) -> np.ndarray:
    """Draw events anywhere, and on, before and across every border."""
    n = flow.n_samples or 0
    borders = [edge for segment in segments_of(flow) for edge in segment]
    near = [edge + shift for edge in borders for shift in (-90, -45, -1, 0, 1, 45)]
    start = np.array([*near, *rng.integers(0, n + 1, 10)]).clip(0, n)
    events = np.zeros(len(start), EVENT)
    events["start"], events["end"] = start, start + rng.integers(1, 40, len(start))
    events["peak"] = rng.integers(events["start"], events["end"])
    events["channel"] = rng.integers(0, 5, len(start))
    return rng.permutation(events)


def check_events(case: Any, align: str) -> None:
    flows, length, _, rng = case
    tables = [drawn_events(flow, rng) for flow in flows]
    ds = windows(flows, length=length, events=tables, align=align, labels="amplitude")
    rows, kept, count = [], [], 0
    for number, (flow, table) in enumerate(zip(flows, tables, strict=True)):
        whole = flow.to_array()
        for event in table:
            begin, end = int(event["start"]), int(event["end"])
            point = {"start": begin, "peak": int(event["peak"]) - length // 2}.get(align)
            first = (begin + end) // 2 - length // 2 if point is None else point
            if any(start <= first and first + length <= stop for start, stop in segments_of(flow)):
                rows.append((number, first, whole[first : first + length]))
                kept.append((count, event["channel"], event["amplitude"]))
            count += 1
    check(ds, rows, rng)
    assert ds.dropped == count - len(rows)
    taken = ds.take(np.arange(len(ds)))
    found = zip(taken["event"].tolist(), taken["channel"].tolist(), taken["label"].tolist(), strict=True)
    assert list(found) == kept


@given(cases(), st.sampled_from(["centre", "start", "peak"]))
def test_windows_around_events_are_kept_where_they_fit_into_a_segment(case: Any, align: str) -> None:
    check_events(case, align)


def unshifted(read: Any) -> Any:
    return lambda self, segment, starts, out, rows: read(self, segment, starts, out, np.sort(rows))


class Alone(Sections):
    """Gives each window to the operators as if it were the whole signal, where the rate stays."""

    def fill(self, section: Section, out: Chunk, bench: Bench, clock: dict[str, float]) -> None:
        stages = section.chain.stages
        if not stages or any(stage.plan.down > 1 for stage in stages):
            return super().fill(section, out, bench, clock)
        x = np.empty((len(out), *self.source.spec.shape), self.source.spec.dtype)
        self.source.read(out.span.shift(section.segment.start), x)
        out.array[...] = from_array(x).pipe(*(stage.operator for stage in stages)).to_array()
        return None


def across_gaps(of: Any) -> Any:
    return lambda segments: of([[(each[0][0], sum(size for _, size in each))] for each in segments])


@pytest.mark.parametrize(
    ("owner", "name", "mutant"),
    [
        (window_reader.WindowReader, "read", unshifted),
        (window_reader, "Sections", lambda _: Alone),
        (window_places.Stretches, "of", across_gaps),
    ],
    ids=["rows in another order", "windows without context", "windows across gaps"],
)
def test_a_wrong_window_is_found(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, mutant: Any) -> None:
    monkeypatch.setattr(owner, name, mutant(getattr(owner, name)))

    @settings.get_profile("mutant")
    @given(cases())
    def prop(case: Any) -> None:
        check_grid(case)

    with pytest.raises(AssertionError):
        prop()


def test_an_event_one_sample_off_in_its_window_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    starts_of = window_places._window_starts
    monkeypatch.setattr(
        window_places, "_window_starts", lambda table, length, align: starts_of(table, length - 2, align)
    )

    @settings.get_profile("mutant")
    @given(cases())
    def prop(case: Any) -> None:
        check_events(case, "centre")

    with pytest.raises(AssertionError):
        prop()
