from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.core.chunk import Chunk
from headrace.core.operator import Plan, Spec, Stateful, Windowed
from headrace.core.span import Halo, Span
from headrace.errors import BudgetTooSmall, SchemaError
from headrace.signals import Detrend, Fir, Map, Scale, from_array, from_iter
from headrace.testing import BlockMean, CumulativeSum, check_operator

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(5)
X = RNG.standard_normal((2000, 2))
TAPS = RNG.standard_normal(37)


def filtered(x: np.ndarray, mode: str = "same") -> np.ndarray:
    from scipy.signal import oaconvolve

    wide = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
    taps = TAPS if x.ndim == 1 else TAPS[:, np.newaxis]
    found: np.ndarray = oaconvolve(wide, taps, mode, axes=0)
    return found


@pytest.mark.parametrize(
    "dtype", ["int8", "uint16", "int32", "int64", "float16", "float32", "float64", "complex128", "?"]
)
@pytest.mark.parametrize("mode", ["same", "full", "valid"])
def test_the_filter_conforms_for_every_dtype(dtype: str, mode: str) -> None:
    x = (X * 50).astype(dtype)
    check_operator(Fir(TAPS, mode), x, lambda a: filtered(a, mode), tolerance=3e-7)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["same", "full", "valid"])
@pytest.mark.parametrize("n", [0, 1, 2, 36, 37, 38])
def test_a_signal_shorter_than_the_taps_is_filtered_as_scipy_does(n: int, mode: str) -> None:
    from scipy.signal import oaconvolve

    x = X[:n, 0]
    found = from_array(x).pipe(Fir(TAPS, mode)).to_array()  # type: ignore[arg-type]
    expected = oaconvolve(x, TAPS, mode) if n else x
    assert found.shape == expected.shape
    assert np.allclose(found, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("taps", "what"),
    [
        ([], "at least one"),
        ([[1.0]], r"shape \(1, 1\)"),
        (3.0, "shape"),
        ([1.0, np.nan], "number 1 is nan"),
        ([np.inf], "finite"),
        ("abc", "row of numbers"),
        ([None], "row of numbers|finite"),
    ],
    ids=repr,
)
def test_taps_that_are_no_impulse_response_are_refused(taps: Any, what: str) -> None:
    with pytest.raises(SchemaError, match=what):
        Fir(taps)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(SchemaError, match="'wrap'"):
        Fir([1.0], mode="wrap")  # type: ignore[arg-type]


def test_filters_of_one_length_do_not_print_alike() -> None:
    assert repr(Fir([1.0, 2.0])) != repr(Fir([1.0, 3.0]))
    assert repr(Fir([1.0, 2.0], "full")).startswith("Fir(2 taps #")


def test_the_taps_are_the_callers_no_longer() -> None:
    taps = np.ones(3)
    fir = Fir(taps)
    taps[:] = 0
    assert fir.taps.tolist() == [1, 1, 1]
    assert not fir.taps.flags.writeable


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint64", "float16", "float32", "float64", "?"])
def test_scaling_is_done_in_float64_and_rounded_once(dtype: str) -> None:
    x = (X * 50).astype(dtype)
    out = np.float32 if np.dtype(dtype).itemsize <= 2 or dtype == "float32" else np.float64
    gain, offset = [0.1, -3.0], 7.0
    expected = (x.astype(np.float64) * gain + offset).astype(out)
    check_operator(Scale(gain, offset), x, expected, tolerance=0)
    check_operator(Scale(0.1), x[:, 0], (x[:, 0].astype(np.float64) * 0.1 + 0.0).astype(out), tolerance=0)


def test_scaling_a_complex_signal_keeps_it_complex() -> None:
    x = (X[:, 0] + 1j * X[:, 1]).astype(np.complex64)
    expected = (x.astype(np.complex128) * 2.5 + 1.0).astype(np.complex64)
    check_operator(Scale(2.5, 1.0), x, expected, tolerance=0)


@pytest.mark.parametrize(
    "bad", [{"gain": np.nan}, {"gain": [1, 2, 3]}, {"offset": [[1]]}, {"offset": np.inf}], ids=repr
)
def test_a_scale_that_does_not_fit_the_channels_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match=r"(gain|offset)= .*one for each"):
        from_array(X).pipe(Scale(**bad))


def test_a_function_sees_fixed_blocks_with_their_halo_whatever_the_chunks() -> None:
    x = X[:1000, 0]
    for chunk, threads in ((1, 1), (37, 3), (100, 2), (1000, 1), (4096, 4)):
        seen = []

        def fn(a: np.ndarray, seen: list[Any] = seen) -> np.ndarray:
            seen.append((a[0], len(a), a.flags.writeable))
            return a

        found = from_array(x).pipe(Map(fn, block=100, halo=(5, 2))).to_array(chunk=chunk, threads=threads)
        assert found.tobytes() == x.tobytes()
        edges = [(max(0, s - 5), min(1000, s + 102)) for s in range(0, 1000, 100)]
        assert set(seen) == {(x[a], b - a, True) for a, b in edges}


def test_a_function_of_blocks_conforms() -> None:
    def demean(a: np.ndarray) -> np.ndarray:
        return a - a.mean(axis=0)

    expected = np.concatenate([demean(X[s : s + 130]) for s in range(0, len(X), 130)])
    check_operator(Map(demean, block=130), X, expected, tolerance=0)
    rounded = Map(np.round, block=64, dtype="int16")
    with pytest.raises(
        SchemaError, match=r"returned float64, which int16, the declared dtype, cannot hold: pass dtype='float64'"
    ):
        from_array(X).pipe(rounded).to_array()
    check_operator(Map(lambda a: np.round(a).astype("int16"), dtype="int16"), X, np.round(X).astype(np.int16))


def test_a_function_may_change_and_keep_what_it_is_given() -> None:
    kept = []

    def double(a: np.ndarray) -> np.ndarray:
        kept.append(a.copy())
        a *= 2
        kept.append(a)
        return a

    x = np.arange(1000.0)
    assert (from_array(x).pipe(Map(double, block=100)).to_array(threads=1) == 2 * x).all()
    assert all((after == 2 * before).all() for before, after in zip(kept[::2], kept[1::2], strict=True))
    assert (x == np.arange(1000.0)).all()


@pytest.mark.parametrize(
    "result", [lambda a: a.cumsum(dtype=np.int64), lambda a: a.astype(np.int32)], ids=["running sum", "wider"]
)
def test_an_integer_result_that_could_wrap_around_is_refused(result: Any) -> None:
    x = np.arange(1000, dtype=np.int16)
    with pytest.raises(SchemaError, match="cannot hold: pass dtype="):
        from_array(x).pipe(Map(result)).to_array()


@pytest.mark.parametrize(
    "result",
    [lambda a: a[:-1], lambda a: a.sum(), lambda a: a[:, :1], lambda a: None],
    ids=["short", "number", "one channel", "nothing"],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_function_that_returns_another_shape_is_said_with_both(result: Any, threads: int) -> None:
    with pytest.raises(SchemaError, match=r"returned shape .* expected \(500, 2\)") as caught:
        from_array(X).pipe(Map(result, block=500)).to_array(threads=threads)
    assert any("Map" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("kind", [ZeroDivisionError, KeyError, MemoryError])
def test_what_a_function_raises_keeps_its_type_and_says_where(kind: type[Exception], threads: int) -> None:
    def fn(a: np.ndarray) -> np.ndarray:
        if a[0, 0] == X[1000, 0]:
            raise kind("of the user")
        return a

    flow = from_array(X).pipe(Scale(1.0), Map(fn, block=250), Scale(2.0))
    with pytest.raises(kind) as caught:
        flow.run(threads=threads, chunk=250)
    assert caught.value.__notes__ == ["in stage Map, samples [1000, 1250)"]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_function_that_raises_stop_iteration_does_not_end_the_signal(threads: int) -> None:
    def fn(a: np.ndarray) -> np.ndarray:
        raise StopIteration("of the user")

    with pytest.raises(RuntimeError) as caught:  # as in a generator: PEP 479
        from_array(X).pipe(Map(fn, block=250)).run(threads=threads, chunk=250)
    assert isinstance(caught.value.__cause__, StopIteration)


def test_a_block_that_is_too_long_for_the_budget_is_refused_with_both_cures(tmp_path: Path) -> None:
    rec = from_array(np.zeros((70_000, 384), np.int16))
    for job in (rec.pipe(Map(np.abs)), rec.pipe(Detrend(block=70_000)), rec.detect(lambda chunk, start: [])):
        with pytest.raises(BudgetTooSmall, match=r"memory=\d+ \(--memory \d+\); or take shorter blocks"):
            job.to_file(tmp_path / "y.npy", memory="8MB")


@pytest.mark.parametrize(
    "options", [{"fn": 3}, {"fn": len, "block": 0}, {"fn": len, "halo": -1}, {"fn": len, "halo": (0, -2)}], ids=repr
)
def test_a_map_that_makes_no_sense_is_refused_before_any_work(options: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        Map(**options)


def test_operators_are_of_one_kind_or_the_other() -> None:
    for one in (Fir([1.0]), Scale(1.0), Map(np.abs), BlockMean(3)):
        assert isinstance(one, Windowed)
        assert not isinstance(one, Stateful)
    assert isinstance(CumulativeSum(), Stateful)
    assert not isinstance(CumulativeSum(), Windowed)


def test_what_is_no_operator_is_refused_with_the_way_round() -> None:
    with pytest.raises(SchemaError, match="Map"):
        from_array(X).pipe(np.abs)  # type: ignore[arg-type]


def test_supply_and_demand_agree() -> None:
    spec = Spec(None, (), np.dtype(np.float32))
    for plan in (
        Plan(spec, spec, grid=7, halo=Halo(3, 5)),
        Plan(spec, spec, grid=4, halo=Halo(1, 6), down=3),
        Plan(spec, spec, grid=5, halo=Halo(0, 2), up=3, down=2),
        Plan(spec, spec, up=4),
    ):
        for available in range(60):
            ready = plan.supply(available)
            assert ready % plan.grid == 0
            assert ready == 0 or plan.demand(Span(0, ready)).stop <= available
            assert plan.demand(Span(ready, ready + plan.grid)).stop > available


def test_a_chunk_is_an_array_to_numpy() -> None:
    chunk = Chunk(Span(5, 9), np.arange(4.0))
    assert np.asarray(chunk) is chunk.array or np.shares_memory(np.asarray(chunk), chunk.array)
    assert (chunk.start, chunk.stop, len(chunk), repr(chunk)) == (5, 9, 4, "Chunk([5, 9), float64 (4,))")
    assert chunk.narrow(Span(6, 8)).array.tolist() == [1, 2]


class Wrong(Scale):
    """An operator with a defect that only shows when it is run in pieces."""

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        super().apply(plan, window, out)
        out.array[0] += 1 if window.start else 0


def test_the_suite_finds_operators_that_depend_on_chunks_or_forget_state() -> None:
    class Forgetful(CumulativeSum):
        def step(self, plan: Plan, state: Any, window: Chunk, out: Chunk) -> Any:
            super().step(plan, state, window, out)
            return state

    with pytest.raises(AssertionError):
        check_operator(Wrong(2.0), X, X * 2)
    with pytest.raises(AssertionError):
        check_operator(Forgetful(), X, np.cumsum(X, axis=0))
    with pytest.raises(AssertionError, match="off by"):
        check_operator(Scale(2.0), X, X * 2.1)
    with pytest.raises(AssertionError, match="shape"):
        check_operator(Scale(2.0), X, X[:-1])


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("executor", ["threads", "serial"])
@pytest.mark.parametrize("way", ["chunks", "run"])
def test_a_stop_iteration_is_no_end_in_order_or_out_of_it(threads: int, executor: str, way: str) -> None:
    def fn(a: np.ndarray) -> np.ndarray:
        if a[0, 0] == X[1000, 0]:
            raise StopIteration("of the user")
        return a

    flow = from_array(X).pipe(Map(fn, block=250))
    use = flow.run if way == "run" else lambda **options: list(flow.chunks(**options))
    with pytest.raises(RuntimeError) as caught:
        use(threads=threads, chunk=250, executor=executor)  # type: ignore[operator]
    assert isinstance(caught.value.__cause__, StopIteration)


class Vandal(Scale):
    """Writes on its window."""

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        assert not window.array.flags.writeable
        window.array[...] = 0


class StatefulVandal(CumulativeSum):
    """Writes on its window."""

    def step(self, plan: Plan, state: Any, window: Chunk, out: Chunk) -> Any:
        assert not window.array.flags.writeable
        window.array[...] = 0


@pytest.mark.parametrize("before", [(), (Scale(1.0),), (CumulativeSum(),)], ids=["first", "second", "after state"])
@pytest.mark.parametrize("vandal", [Vandal(), StatefulVandal()], ids=["windowed", "stateful"])
@pytest.mark.parametrize("way", ["array", "stream"])
def test_an_operator_cannot_write_on_what_it_is_given(before: Any, vandal: Any, way: str) -> None:
    mine = X.copy()
    rec = from_array(mine) if way == "array" else from_iter([mine[:700], mine[700:]])
    with pytest.raises(ValueError, match="read-only"):
        rec.pipe(*before, vandal).to_array(chunk=300)
    assert np.array_equal(mine, X)
    assert mine.flags.writeable


def test_the_arrays_of_a_stream_stay_the_users() -> None:
    def wipe(a: np.ndarray) -> np.ndarray:
        a[...] = 0
        return a

    mine = X.copy()
    assert not from_iter([mine]).pipe(Map(wipe, block=100)).to_array().any()
    for operators in ((), (Scale(1.0),), (CumulativeSum(),)):
        for chunk in from_iter([mine[:700], mine[700:]]).pipe(*operators).chunks(chunk=300):
            chunk.array[...] = 0
    from_iter([mine]).pipe().to_array()[...] = 0
    assert np.array_equal(mine, X)


@pytest.mark.parametrize("way", ["array", "stream"])
def test_the_tables_of_a_long_filter_count_in_the_budget(way: str) -> None:
    fir = Fir(np.ones(200_000))
    x = X[:, 0]
    rec = from_array(x) if way == "array" else from_iter([x])
    flow = rec.pipe(fir)
    tables = fir.plan(rec.source.spec).shared
    with pytest.raises(BudgetTooSmall) as caught:
        flow.run(memory="8MB")
    assert caught.value.needed > tables > 8 * len(fir.taps)
    assert caught.value.needed > 8_000_000
    assert flow.run(memory=caught.value.needed).n_samples == len(x)


@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
def test_an_integer_output_is_rounded_once_from_float64(dtype: str) -> None:
    x = (np.random.default_rng(8).standard_normal((200_000, 2)) * 900).astype(dtype)
    taps = np.hanning(63) / 31
    exact = np.stack([np.convolve(c, taps, "same") for c in x.T.astype(np.float64)], axis=1)
    found = from_array(x).pipe(Fir(taps)).to_array(out_dtype="int16")
    assert np.array_equal(found, np.rint(exact).astype(np.int16))
    scaled = from_array(x).pipe(Scale(0.1, 0.3)).to_array(out_dtype="int32")
    assert np.array_equal(scaled, np.rint(x.astype(np.float64) * 0.1 + 0.3).astype(np.int32))
