"""The filter gives the whole-array answer, and the same bytes however it is run and wherever its input lies."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.span import Halo
from headrace.signals import Fir, from_array, from_iter
from headrace.signals import open as open_recording
from headrace.testing import relative_error
from headrace.testing.operators import smallest_budget
from headrace.testing.strategies import cuts, run_options, signals, taps

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.core.operator import Plan, Spec

MODES = st.sampled_from(["same", "full", "valid"])
SLOW = settings(max_examples=max(20, settings.default.max_examples // 2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fir")


def whole_array(x: np.ndarray, h: np.ndarray, mode: str) -> np.ndarray:
    """Convolve each channel in float64, by the sum itself where that is quick enough."""
    from scipy.signal import convolve

    wide = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
    kind = np.result_type(wide, h)
    if len(x) == 0:
        return np.empty((0, *x.shape[1:]), kind)
    columns = wide.reshape(len(x), -1).T
    method = "direct" if len(x) * len(h) < 200_000 else "fft"
    found = np.stack([convolve(column, h, mode, method) for column in columns], axis=1)
    return found.reshape(len(found), *x.shape[1:])


def delivered(x: np.ndarray, h: np.ndarray) -> np.dtype:
    single = x.dtype in (np.float32, np.complex64) or (x.dtype.kind in "iu" and x.dtype.itemsize <= 2)
    if x.dtype.kind == "c" or h.dtype.kind == "c":
        return np.dtype(np.complex64 if single else np.complex128)
    return np.dtype(np.float32 if single else np.float64)


def collect(flow: Any, **options: Any) -> np.ndarray:
    empty = np.empty((0, *flow.spec.shape), flow.dtype)
    with flow.chunks(**options) as chunks:
        return np.concatenate([empty, *(chunk.array.copy() for chunk in chunks)])


def check_answer(x: np.ndarray, h: np.ndarray, mode: str, data: st.DataObject) -> None:
    flow = from_array(x).pipe(Fir(h, mode))
    grid = Fir(h, mode).plan(flow.source.spec).grid
    found = collect(flow, **data.draw(run_options(len(x) + len(h), grid=grid)))
    expected = whole_array(x, h, mode)
    assert found.dtype == delivered(x, h)
    assert found.shape == expected.shape
    limit = 3e-7 if found.dtype in (np.float32, np.complex64) else 1e-14
    assert relative_error(found, expected) <= limit


def same_bytes(found: np.ndarray, expected: np.ndarray) -> None:
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert found.tobytes() == expected.tobytes()


@given(signals(), taps(complex_too=True), MODES, st.data())
def test_any_signal_any_taps_and_any_way_of_running_give_the_whole_array_answer(
    x: np.ndarray, h: np.ndarray, mode: str, data: st.DataObject
) -> None:
    check_answer(x, h, mode, data)


@given(signals(), taps(), MODES, st.data())
def test_the_bytes_depend_on_nothing_but_signal_and_taps(
    x: np.ndarray, h: np.ndarray, mode: str, data: st.DataObject
) -> None:
    flow = from_array(x).pipe(Fir(h, mode))
    whole = collect(flow, threads=1, executor="serial", memory="1GB")
    smallest = smallest_budget(flow)
    for _ in range(3):
        same_bytes(collect(flow, **data.draw(run_options(len(whole), smallest))), whole)


@SLOW
@given(signals(dtypes=("int16", "float32", "complex64")), taps(), MODES, st.data())
def test_the_bytes_do_not_depend_on_where_the_signal_lies(
    folder: Path, x: np.ndarray, h: np.ndarray, mode: str, data: st.DataObject
) -> None:
    whole = collect(from_array(x).pipe(Fir(h, mode)), memory="1GB")
    options = data.draw(run_options(len(whole), smallest=3_000_000))  # with room for converting a raw file
    np.save(folder / "x.npy", x)
    with open_recording(folder / "x.npy") as rec:
        same_bytes(collect(rec.pipe(Fir(h, mode)), **options), whole)
    pieces = np.split(x, data.draw(cuts(len(x))))
    same_bytes(from_iter(pieces).pipe(Fir(h, mode)).to_array(memory="1GB"), whole)
    if len(x):
        big_endian = x.astype(x.dtype.newbyteorder(">"))
        (folder / "x.raw").write_bytes(b"head" + big_endian.tobytes())
        channels = x.shape[1] if x.ndim == 2 else None
        with open_recording(folder / "x.raw", dtype=big_endian.dtype, n_channels=channels, header_bytes=4) as rec:
            flat = whole[:, 0] if x.ndim == 2 and x.shape[1] == 1 else whole
            same_bytes(collect(rec.pipe(Fir(h, mode)), **options), flat)


@SLOW
@given(signals(dtypes=("float32", "float64"), max_length=3000, max_channels=3), taps(max_count=60), MODES, st.data())
def test_nan_and_infinity_reach_what_direct_evaluation_gives_them_to_and_nothing_else(
    x: np.ndarray, h: np.ndarray, mode: str, data: st.DataObject
) -> None:
    flat = x.reshape(-1)
    if flat.size:
        for place in data.draw(st.lists(st.integers(0, flat.size - 1), max_size=6)):
            flat[place] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    h[data.draw(st.integers(0, len(h) - 1))] = data.draw(st.sampled_from([0.0, 1.0]))
    found = collect(from_array(x).pipe(Fir(h, mode)), **data.draw(run_options(len(x) + len(h))))
    with np.errstate(invalid="ignore"):
        columns = [np.convolve(c, h, "full") for c in x.reshape(len(x), -1).T.astype(np.float64)] if len(x) else []
    if not columns:
        assert len(found) == 0
        return
    full = np.stack(columns, axis=1).reshape(-1, *x.shape[1:])
    first = {"full": 0, "same": (len(h) - 1) // 2, "valid": min(len(x), len(h)) - 1}[mode]
    expected = full[first : first + len(found)]
    assert relative_error(found, expected) <= (3e-7 if x.dtype == np.float32 else 1e-13)


@SLOW
@given(signals(dtypes=("float32",), max_length=6000), taps(max_count=300), MODES, st.data())
def test_segments_are_filtered_as_if_each_were_alone(
    x: np.ndarray, h: np.ndarray, mode: str, data: st.DataObject
) -> None:
    starts = sorted({0, *(c for c in data.draw(cuts(len(x))) if c < len(x))})
    alone = [collect(from_array(part).pipe(Fir(h, mode)), memory="1GB") for part in np.split(x, starts[1:])]
    together = from_array(x, segments=starts).pipe(Fir(h, mode))
    expected = np.concatenate(alone)
    assert together.n_samples == len(expected)
    same_bytes(collect(together, **data.draw(run_options(len(expected)))), expected)


def mutated(plan_of: Any, left: int, right: int) -> Any:
    def plan(self: Fir, inp: Spec) -> Plan:
        plan: Plan = plan_of(self, inp)
        halo = Halo(max(0, plan.halo.left - left), max(0, plan.halo.right - right))
        return dataclasses.replace(plan, halo=halo)

    return plan


@pytest.mark.parametrize(("left", "right"), [(1, 0), (0, 1)], ids=["left", "right"])
def test_a_halo_short_by_one_sample_is_found(monkeypatch: pytest.MonkeyPatch, left: int, right: int) -> None:
    monkeypatch.setattr(Fir, "plan", mutated(Fir.plan, left, right))

    @settings.get_profile("mutant")
    @given(signals(), taps(), MODES, st.data())
    def prop(x: np.ndarray, h: np.ndarray, mode: str, data: st.DataObject) -> None:
        check_answer(x, h, mode, data)

    with pytest.raises(AssertionError):
        prop()
