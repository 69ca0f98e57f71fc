from __future__ import annotations

import gc
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace import Budget
from headrace.core.operator import Plan, Spec
from headrace.core.sinks import DiscardSink
from headrace.errors import BudgetTooSmall, Cancelled, RingStarved, SchemaError
from headrace.signals import Fir, Map, Scale, from_array, from_iter
from headrace.signals import open as open_recording
from headrace.testing import BlockMean, CumulativeSum, DoubleSum, no_leaks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from headrace.core.run import Chunks

X = np.arange(20_000, dtype=np.float32)
FLOWS = {
    "nothing": (),
    "scale": (Scale(2.0),),
    "filter": (Fir(np.ones(100)),),
    "state": (Fir(np.ones(100)), CumulativeSum(), Scale(2.0)),
    "rate": (BlockMean(10), Fir(np.ones(5))),
    "map": (Map(np.abs, block=5000, halo=3), Fir(np.ones(9), "full")),
}


@pytest.mark.parametrize("operators", FLOWS.values(), ids=FLOWS)
@pytest.mark.parametrize("way", ["chunks", "run", "to_array", "to_file"])
@pytest.mark.parametrize("from_stream", [False, True], ids=["source", "stream"])
def test_the_budget_an_error_names_is_enough(operators: Any, way: str, from_stream: bool, tmp_path: Path) -> None:
    def go(memory: int) -> None:
        rec = from_iter([X]) if from_stream else from_array(X)
        flow = rec.pipe(*operators)
        if way == "chunks":
            with flow.chunks(memory=memory) as chunks:
                assert sum(len(chunk) for chunk in chunks) > 0
        elif way == "to_file":
            flow.to_file(tmp_path / "y.npy", memory=memory)
        else:
            getattr(flow, way)(memory=memory)

    with pytest.raises(BudgetTooSmall) as caught:
        go(1)
    assert caught.value.available <= 1
    assert caught.value.needed > 1
    if from_stream and way == "to_array":  # the result of a stream grows as it goes, and nothing tells how far
        with suppress(BudgetTooSmall):
            go(caught.value.needed)
    else:
        go(caught.value.needed)


def test_fewer_threads_come_before_giving_up() -> None:
    flow = from_array(X).pipe(Fir(np.ones(100)))
    with pytest.raises(BudgetTooSmall) as caught:
        flow.run(memory=1)
    assert flow.run(memory=caught.value.needed, threads=8).threads == 1
    assert flow.run(memory="64MB", threads=3).threads == 3


def test_a_shared_budget_is_given_back(tmp_path: Path) -> None:
    budget = Budget("16MB")
    for operators in FLOWS.values():
        flow = from_array(X).pipe(*operators)
        flow.to_array(memory=budget)
        flow.run(memory=budget)
        flow.to_file(tmp_path / "y.npy", memory=budget, force=True)
        chunks = flow.chunks(memory=budget, chunk=1000)
        next(chunks)
        assert 0 < budget.used <= budget.size
        chunks.close()
        assert budget.used == 0
        with pytest.raises(ZeroDivisionError):
            flow.pipe(Map(lambda x: 1 // 0)).run(memory=budget)
        gc.collect()  # the traceback of the error held the frames that held the buffers
        assert budget.used == 0


@pytest.mark.parametrize("operators", FLOWS.values(), ids=FLOWS)
@pytest.mark.parametrize("executor", ["threads", "serial"])
def test_chunks_that_are_held_starve_the_flow_and_letting_go_resumes_it(operators: Any, executor: str) -> None:
    flow = from_array(X).pipe(*operators)
    whole = flow.to_array()
    chunk_samples = len(whole) // 16
    with pytest.raises(BudgetTooSmall) as caught:
        next(flow.chunks(memory=1, chunk=chunk_samples))
    found, held = [], []
    counted: list[tuple[int, int]] = []
    with flow.chunks(memory=caught.value.needed + 10_000, chunk=chunk_samples, executor=executor, threads=2) as chunks:
        while True:
            try:
                chunk = next(chunks)
            except RingStarved as error:
                counted.append((error.held, len(held)))
                held.clear()
            except StopIteration:
                break
            else:
                found.append(chunk.array.copy())
                held.append(chunk)
                del chunk
    assert counted
    assert all(said >= held > 0 for said, held in counted)
    assert np.concatenate(found).tobytes() == whole.tobytes()


def test_chunks_stay_as_they_are_while_they_are_held() -> None:
    flow = from_array(X).pipe(Scale(2.0))
    with flow.chunks(chunk=1000, threads=3, memory="64MB") as chunks:
        held = list(chunks)
    for chunk in held:
        assert np.array_equal(chunk.array, X[chunk.start : chunk.stop] * 2)
    assert [chunk.start for chunk in held] == list(range(0, 20_000, 1000))


def test_a_chunk_held_across_close_is_given_back_to_the_budget_when_it_dies() -> None:
    budget = Budget("16MB")
    for operators in FLOWS.values():
        chunks = from_array(X).pipe(*operators).chunks(memory=budget, chunk=500)
        kept = next(chunks)
        chunks.close()
        assert 0 < budget.used < 100_000
        del kept
        assert budget.used == 0


def test_iteration_reports_closes_and_is_over_once() -> None:
    with no_leaks():
        chunks = from_array(X).pipe(Scale(2.0)).chunks(chunk=1000)
        assert sum(len(chunk) for chunk in chunks) == len(X)
        assert list(chunks) == []
        assert chunks.report.n_samples == len(X)
        chunks.close()
        early = from_array(X).pipe(Scale(2.0)).chunks(chunk=1000)
        next(early)
        early.close()
        with pytest.raises(Cancelled):
            next(early)
        for chunk in from_array(X).pipe(Scale(2.0)):
            del chunk
            break


def test_a_flow_prints_itself_stage_by_stage() -> None:
    flow = from_array(X.reshape(-1, 2), fs=100.0).pipe(Fir([1.0, 2.0]), BlockMean(10), Scale(2, offset=1))
    lines = repr(flow).splitlines()
    assert lines[0] == "Flow from <array float32 (10000, 2)>: 10,000 x 2 ch float32 at 100 Hz"
    assert lines[1].startswith("  > Fir(2 taps #")
    assert lines[2] == "  > BlockMean(k=10): 1,000 x 2 ch float64 at 10 Hz"
    assert lines[3] == "  > Scale(2, offset=1): 1,000 x 2 ch float64 at 10 Hz"
    html = flow.pipe(Map(lambda x: x))._repr_html_()
    assert "&lt;lambda&gt;" in html
    assert "<lambda>" not in html


def test_a_flow_knows_its_output_before_it_runs() -> None:
    flow = from_array(X, fs=100.0, segments=[0, 15]).pipe(BlockMean(10), Fir(np.ones(3), "full"))
    assert flow.n_samples == (2 + 2) + (1999 + 2)
    assert (flow.dtype, flow.fs, flow.spec.n) == (np.float64, 10.0, flow.n_samples)
    assert len(flow.to_array()) == flow.n_samples
    stream = from_iter([X]).pipe(Scale(2))
    assert stream.n_samples is None
    assert len(stream.operators) == 1


@pytest.mark.parametrize("name", ["y.npy", "y.raw"])
@pytest.mark.parametrize("operators", FLOWS.values(), ids=FLOWS)
def test_a_file_and_an_array_hold_the_same(tmp_path: Path, name: str, operators: Any) -> None:
    flow = from_array(X.reshape(-1, 2), 10.0).pipe(*operators)
    report = flow.to_file(tmp_path / name, chunk=777, threads=3)
    assert report.output == str(tmp_path / name)
    whole = flow.to_array()
    with open_recording(tmp_path / name, dtype=None if name == "y.npy" else flow.dtype, n_channels=2) as rec:
        assert np.asarray(rec).tobytes() == whole.tobytes()


@pytest.mark.parametrize("operators", FLOWS.values(), ids=FLOWS)
def test_delivery_in_another_dtype_is_the_same_whatever_the_way(operators: Any) -> None:
    flow = from_array(X - 9000.5).pipe(*operators)
    whole = flow.to_array(out_dtype="int16")
    assert whole.dtype == np.int16
    expected = np.clip(np.rint(flow.to_array()), -32768, 32767).astype(np.int16)
    # The flow's own output is rounded to float32 first, which may tip a value over the edge between two integers.
    assert np.abs(whole.astype(np.int32) - expected).max() <= 1
    assert np.count_nonzero(whole != expected) <= len(whole) // 100
    for options in ({"chunk": 77}, {"threads": 1}, {"executor": "serial"}):
        with flow.chunks(out_dtype="int16", **options) as chunks:  # type: ignore[arg-type]
            assert np.concatenate([chunk.array.copy() for chunk in chunks]).tobytes() == whole.tobytes()
    assert flow.to_array(out_dtype=">f8").dtype.isnative


def test_options_are_checked_before_any_work() -> None:
    touched: list[Any] = []
    flow = from_array(X).pipe(Map(lambda x: touched.append(x) or x))
    for options, kind in (
        ({"threads": 0}, ValueError),
        ({"chunk": 0}, ValueError),
        ({"memory": "much"}, ValueError),
        ({"executor": "warp"}, ValueError),
        ({"out_dtype": "S3"}, SchemaError),
        ({"out_dtype": "bool"}, SchemaError),
    ):
        for way in (flow.run, flow.to_array, flow.chunks):
            with pytest.raises(kind):
                way(**options)  # type: ignore[operator]
    assert touched == []


def test_nothing_runs_before_it_is_asked_for() -> None:
    def fail(x: np.ndarray) -> np.ndarray:
        raise AssertionError("ran")

    with no_leaks():
        flow = from_array(X).pipe(Map(fail))
        chunks = flow.chunks(threads=4)
        assert repr(flow)
        chunks.close()


def test_empty_recordings_flow_too(tmp_path: Path) -> None:
    for operators in FLOWS.values():
        for rec in (from_array(X[:0]), from_iter([X[:0]]), from_array(X)[5:5]):
            flow = rec.pipe(*operators)
            assert flow.to_array().shape == (0,)
            with flow.chunks() as chunks:
                assert sum(len(chunk) for chunk in chunks) == 0


def test_an_operator_that_plans_differently_once_it_knows_the_length_is_refused() -> None:
    class Fickle(Scale):
        def plan(self, inp: Spec) -> Plan:
            plan = super().plan(inp)
            return Plan(plan.inp, plan.out, grid=7 if inp.n else 5, detail=plan.detail)

    with pytest.raises(SchemaError, match="Fickle plans differently"):
        from_iter([X]).pipe(Fickle(2.0)).to_array()


@pytest.mark.parametrize("operators", FLOWS.values(), ids=FLOWS)
@pytest.mark.parametrize("from_stream", [False, True], ids=["source", "stream"])
def test_a_shared_budget_is_whole_again_however_a_run_ends(operators: Any, from_stream: bool) -> None:
    budget = Budget("16MB")

    def chunks(*more: Any) -> Chunks:
        rec = from_iter([X]) if from_stream else from_array(X)
        return rec.pipe(*operators, *more).chunks(memory=budget, chunk=100)

    for chunk in chunks():  # to the end
        del chunk
    assert budget.used == 0

    abandoned = chunks()
    next(abandoned)
    assert budget.used > 0
    del abandoned
    assert budget.used == 0

    for chunk in chunks():  # left by break
        del chunk
        break
    assert budget.used == 0

    failing = chunks(Map(lambda x: 1 // 0, block=7))
    held: list[BaseException] = []
    try:
        list(failing)
    except ZeroDivisionError as error:
        held.append(error)
    assert held
    held.clear()  # the traceback held the frames, and those their buffers
    gc.collect()
    assert budget.used == 0
    del failing

    closed = chunks()
    kept = next(closed)
    part = kept.array[1:2]
    closed.close()
    del kept
    assert 0 < budget.used < 100_000
    del part
    assert budget.used == 0


@pytest.fixture
def often() -> Iterator[None]:
    """Have Python's threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("operators", [(Scale(2.0),), (CumulativeSum(),)], ids=["windowed", "stateful"])
def test_threads_that_share_a_small_budget_run_or_are_refused(operators: Any, within: Callable[..., Any]) -> None:
    flow = from_array(X[:3000]).pipe(*operators)
    with pytest.raises(BudgetTooSmall) as caught:
        flow.run(memory=1)
    budget = Budget(5 * caught.value.needed)
    ended: list[str] = []
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        for _ in range(40):
            try:
                assert flow.run(memory=budget, threads=2).n_samples == 3000
            except BaseException as error:  # noqa: BLE001 - counted below
                ended.append(type(error).__name__)
            else:
                ended.append("success")

    def all_at_once() -> None:
        threads = [threading.Thread(target=run, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    within(60, all_at_once)
    assert len(ended) == 160
    assert "success" in ended
    assert set(ended) <= {"success", "BudgetTooSmall"}
    gc.collect()
    assert budget.used == 0
    assert budget.peak <= budget.size


@pytest.mark.parametrize("from_stream", [False, True], ids=["source", "stream"])
def test_a_flow_with_state_leaves_most_of_a_shared_budget_to_others(from_stream: bool) -> None:
    budget = Budget("64MB")
    x = np.zeros(4_000_000, np.float32)
    rec = from_iter([x]) if from_stream else from_array(x)
    with rec.pipe(Scale(2.0), CumulativeSum()).chunks(memory=budget, threads=2) as chunks:
        for chunk in chunks:
            del chunk
            assert budget.left > 32_000_000
        assert from_array(X).pipe(CumulativeSum()).to_array(memory=budget).shape == X.shape
    assert budget.used == 0
    assert budget.peak < 32_000_000


class Failing(DoubleSum):
    """Fails on the way back, where a sample is 700."""

    def backward(self, plan: Any, trace: Any, state: Any, window: Any, out: Any, channels: Any) -> Any:
        fail_at_700(window.array)
        return super().backward(plan, trace, state, window, out, channels)


def fail_at_700(x: np.ndarray) -> np.ndarray:
    if (x == 700).any():
        raise ZeroDivisionError
    return x


@pytest.mark.parametrize(
    ("where", "operators"),
    [
        ("Map, samples [700, 750)", (Map(fail_at_700, block=50),)),
        ("Map, samples [700, 750)", (CumulativeSum(), Map(fail_at_700, block=50))),
        ("Failing, samples [700, 750)", (Failing(50),)),
        ("Map, samples [950, 1000)", (DoubleSum(50), Map(fail_at_700, block=1))),
    ],
)
def test_a_note_names_the_samples_of_the_whole_recording(where: str, operators: Any) -> None:
    x = np.zeros(1000)
    x[700] = 700
    flow = from_array(x, segments=[0, 500]).pipe(*operators)
    with pytest.raises(ZeroDivisionError) as caught:
        flow.to_array(threads=1, chunk=50)
    assert caught.value.__notes__ == [f"in stage {where}"]


def test_nothing_is_written_after_abort(monkeypatch: pytest.MonkeyPatch, within: Callable[..., Any]) -> None:
    monkeypatch.setattr("headrace.core.ring.JOIN_TIMEOUT_S", 0.01)
    inside, gate, late = threading.Event(), threading.Event(), threading.Event()
    calls = []

    class Sink(DiscardSink):
        def write(self, chunk: Any) -> None:
            calls.append("write")

        def abort(self) -> None:
            calls.append("abort")

    def fn(x: np.ndarray) -> np.ndarray:
        if x[0] == 0:
            inside.set()
            gate.wait(20)
            late.set()
            return x
        inside.wait(20)
        raise ZeroDivisionError

    before = set(threading.enumerate())
    flow = from_array(np.arange(200.0)).pipe(Map(fn, block=100))
    with pytest.raises(ZeroDivisionError):
        within(20, lambda: flow.run(Sink(), threads=2, chunk=100))
    gate.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(20)
    assert late.is_set()
    assert calls == ["abort"]
