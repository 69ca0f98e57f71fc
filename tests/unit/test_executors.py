from __future__ import annotations

import gc
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.core import registry
from headrace.core.executors import SerialExecutor, ThreadExecutor, executor_of
from headrace.core.machine import cpu_count
from headrace.errors import Cancelled, HeadraceError
from headrace.signals import Fir, Map, Scale, Threshold, from_array
from headrace.testing import CumulativeSum, DoubleSum, RepeatingExecutor, WindowSums, check_executor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MADE = {
    "serial": SerialExecutor,
    "one": lambda: ThreadExecutor(1),
    "four": lambda: ThreadExecutor(4),
    "twice": RepeatingExecutor,
}


class Connection(SerialExecutor):
    """Counts how many are open."""

    made = open = 0

    def __init__(self) -> None:
        super().__init__()
        Connection.made += 1
        Connection.open += 1
        self._open = True

    def close(self) -> None:
        super().close()
        Connection.open -= self._open
        self._open = False

    @classmethod
    def registered(cls, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setattr(registry, "_registry", registry._Registry())
        monkeypatch.setattr(cls, "made", 0)
        monkeypatch.setattr(cls, "open", 0)

        def make(name: str, threads: int | None) -> Connection:
            return cls()

        registry.register("executor", "conn", make)
        return make


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_the_executors_of_the_house_pass_the_suite(make: Any) -> None:
    check_executor(make)


class Backwards(SerialExecutor):
    """Gives results in the wrong order."""

    def map(self, fn: Any, items: Any, **_: Any) -> Iterator[Any]:
        return iter([fn(item) for item in items][::-1])


class Forgetful(SerialExecutor):
    """Loses a result."""

    def as_completed(self, fn: Any, items: Any, **_: Any) -> Iterator[Any]:
        return iter([fn(item) for item in items][1:])


class Silent(SerialExecutor):
    """Swallows errors."""

    def map(self, fn: Any, items: Any, **_: Any) -> Iterator[Any]:
        for item in items:
            try:
                yield fn(item)
            except Exception:  # noqa: BLE001 - the defect that the suite must find
                continue


class Endless(SerialExecutor):
    """Does not cancel."""

    def cancel(self) -> None:
        pass

    close = cancel


@pytest.mark.parametrize("make", [Backwards, Forgetful, Silent, Endless])
def test_the_suite_finds_a_defect(make: Any) -> None:
    with pytest.raises(AssertionError):
        check_executor(make)


def test_names_stand_for_executors() -> None:
    for name, threads, kind, count in [
        (None, None, ThreadExecutor, cpu_count()),
        ("threads", 3, ThreadExecutor, 3),
        ("serial", 3, SerialExecutor, 1),
    ]:
        with executor_of(name, threads)() as found:
            assert (type(found), found.threads) == (kind, count)


def test_what_was_made_for_a_run_ends_with_it_and_the_users_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Connection.registered(monkeypatch)("conn", 1)
    with executor_of(own, 7)() as found:
        assert found is own
    assert Connection.open == 1
    with executor_of("conn", 1)() as found:
        assert Connection.open == 2
    found.close()
    assert Connection.open == 1


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown executor 'warp': known are .*serial.*threads"):
        executor_of("warp", None)
    for threads in (0, -1):
        with pytest.raises(ValueError, match="at least 1"):
            executor_of(None, threads)
        with pytest.raises(ValueError, match="at least 1"):
            ThreadExecutor(threads)


def test_a_registered_executor_runs_a_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registry", registry._Registry())
    asked = []

    def make(name: str, threads: int | None) -> SerialExecutor:
        asked.append((name, threads))
        return SerialExecutor()

    registry.register("executor", "engine", make)
    x = np.arange(50.0)
    flow = from_array(x).pipe(Fir([1.0, 2.0]))
    found = flow.to_array(executor="engine://host:1", threads=2)
    assert found.tobytes() == flow.to_array().tobytes()
    assert asked == [("engine://host:1", 2)]


def broken(x: np.ndarray) -> np.ndarray:
    raise ZeroDivisionError


def partly(made: Any) -> None:
    with made as pieces:
        next(pieces)


SAMPLES = from_array(np.zeros(1000), 1000).pipe(Scale(2.0))
TABLE = SAMPLES.tabulate(WindowSums(10))
FAILING = from_array(np.zeros(1000), 1000).pipe(Map(broken))
WAYS: dict[str, tuple[Any, int]] = {  # and how many executors each makes
    "run": (lambda new, old: SAMPLES.run(executor="conn"), 1),
    "to_array": (lambda new, old: SAMPLES.to_array(executor="conn"), 1),
    "to_file": (lambda new, old: SAMPLES.to_file(new, executor="conn"), 1),
    "all chunks": (lambda new, old: list(SAMPLES.chunks(executor="conn")), 1),
    "a chunk": (lambda new, old: partly(SAMPLES.chunks(executor="conn", chunk=10)), 1),
    "a chunk, and nobody closes": (lambda new, old: next(SAMPLES.chunks(executor="conn", chunk=10)), 1),
    "rows": (lambda new, old: list(TABLE.batches(executor="conn")), 1),
    "a row": (lambda new, old: partly(TABLE.batches(executor="conn")), 1),
    "rows to_file": (lambda new, old: TABLE.to_file(new, executor="conn"), 1),
    "rows to_array": (lambda new, old: TABLE.to_array(executor="conn"), 1),
    "a failing run": (lambda new, old: FAILING.run(executor="conn"), 1),
    "failing chunks": (lambda new, old: next(FAILING.chunks(executor="conn")), 1),
    "failing rows": (lambda new, old: FAILING.tabulate(WindowSums(10)).run(executor="conn"), 1),
    "too little memory": (lambda new, old: next(SAMPLES.chunks(executor="conn", memory=1)), 1),
    "chunks never taken": (lambda new, old: SAMPLES.chunks(executor="conn").close(), 0),
    "rows never taken": (lambda new, old: TABLE.batches(executor="conn").close(), 0),
    "a stream never taken": (lambda new, old: SAMPLES.to_arrow(executor="conn"), 0),
    "a stream of rows never taken": (lambda new, old: TABLE.to_arrow(executor="conn"), 0),
    "an existing output": (lambda new, old: SAMPLES.to_file(old, executor="conn"), 0),
    "an existing table": (lambda new, old: TABLE.to_file(old, executor="conn"), 0),
    "a bad suffix": (lambda new, old: TABLE.to_file(new.with_suffix(".zzz"), executor="conn"), 0),
    "a bad out_dtype": (lambda new, old: SAMPLES.run(executor="conn", out_dtype="bool"), 0),
    "a bad tmp": (lambda new, old: SAMPLES.run(executor="conn", tmp=new / "nowhere"), 0),
    "a bad memory": (lambda new, old: SAMPLES.run(executor="conn", memory="much"), 0),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_executor_is_made_when_a_run_begins_and_closed_with_it(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Connection.registered(monkeypatch)
    (tmp_path / "old.npy").touch()
    do, count = WAYS[way]
    with suppress(HeadraceError, ZeroDivisionError, FileNotFoundError, ValueError):
        do(tmp_path / "new.npy", tmp_path / "old.npy")
    gc.collect()
    assert (Connection.made, Connection.open) == (count, 0)


@pytest.mark.parametrize("how", ["to_array", "chunks"])
def test_flows_that_share_an_executor_do_not_end_each_other(how: str) -> None:
    x = np.arange(20_000, dtype=np.float32)
    expected = from_array(x).pipe(Fir([1.0])).to_array()
    with ThreadExecutor(2) as shared:
        first = from_array(x).pipe(Fir([1.0])).chunks(executor=shared, chunk=100)
        parts = [next(first).array.copy()]
        other = from_array(x[:1000]).pipe(Fir([1.0]))
        if how == "to_array":
            other.to_array(executor=shared)
        else:
            with other.chunks(executor=shared, chunk=100) as second:
                next(second)
        parts += [chunk.array.copy() for chunk in first]
    assert np.concatenate(parts).tobytes() == expected.tobytes()


@pytest.mark.parametrize("how", ["chunks", "run"])
def test_a_shared_executor_gives_a_run_no_more_threads_than_it_asks_for(how: str) -> None:
    lock = threading.Lock()
    at_once = [0, 0]

    def fn(x: np.ndarray) -> np.ndarray:
        with lock:
            at_once[0] += 1
            at_once[1] = max(at_once)
        time.sleep(0.001)
        with lock:
            at_once[0] -= 1
        return x

    flow = from_array(np.arange(4000.0)).pipe(Map(fn, block=100))
    with ThreadExecutor(4) as shared:
        for threads in (2, 1):
            at_once[:] = 0, 0
            if how == "run":
                report = flow.run(executor=shared, threads=threads, chunk=100)
            else:
                with flow.chunks(executor=shared, threads=threads, chunk=100) as chunks:
                    assert sum(len(chunk) for chunk in chunks) == 4000
                report = chunks.report
            assert report.threads == threads
            assert 1 <= at_once[1] <= threads
        assert flow.run(executor=shared, threads=9, chunk=100).threads == 4


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
@pytest.mark.parametrize("end", ["cancel", "close"])
def test_results_that_are_still_wanted_are_said_to_be_cancelled(make: Any, end: str) -> None:
    executor = make()
    for order in (executor.map, executor.as_completed):
        work = order(abs, range(100))
        next(work)
        getattr(executor, end)()
        with pytest.raises(Cancelled):
            list(work)
        work.close()
    flow = from_array(np.arange(4000.0)).pipe(Fir([1.0]))
    chunks = flow.chunks(executor=executor, chunk=10)
    taken = len(next(chunks))
    getattr(executor, end)()
    with pytest.raises(Cancelled):
        taken += sum(len(chunk) for chunk in chunks)
    assert taken < 4000
    chunks.close()
    executor.close()


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_a_run_that_is_cancelled_writes_nothing(make: Any, tmp_path: Path) -> None:
    flow = from_array(np.arange(4000.0)).pipe(Fir([1.0]))
    with make() as executor, pytest.raises(Cancelled):
        flow.to_file(tmp_path / "y.npy", executor=executor, chunk=100, progress=lambda *_: executor.cancel())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_work_that_was_finished_is_not_cancelled_afterwards(make: Any) -> None:
    executor = make()
    work = executor.map(abs, range(5))
    assert list(work) == [0, 1, 2, 3, 4]
    executor.cancel()
    assert list(work) == []


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
@pytest.mark.parametrize("order", ["map", "as_completed"])
def test_a_task_that_raises_stop_iteration_does_not_end_the_results(make: Any, order: str) -> None:
    def fn(item: int) -> int:
        if item == 3:
            raise StopIteration("of the user")
        return item

    with make() as executor:
        work = getattr(executor, order)(fn, range(50))
        with pytest.raises(RuntimeError, match="StopIteration") as caught:
            list(work)
        assert isinstance(caught.value.__cause__, StopIteration)
        work.close()


@pytest.mark.parametrize(
    "operators", [(Fir(np.ones(5)),), (CumulativeSum(),), (DoubleSum(),), (DoubleSum(), Fir([1.0]))]
)
def test_tasks_may_run_twice(operators: Any) -> None:
    flow = from_array(np.arange(500.0)).pipe(*operators)
    expected = flow.to_array()
    assert np.array_equal(flow.to_array(executor=RepeatingExecutor()), expected)
    found = [chunk.array.copy() for chunk in flow.chunks(executor=RepeatingExecutor(), chunk=100)]
    assert np.array_equal(np.concatenate(found), expected)


@pytest.mark.parametrize("operators", [(), (CumulativeSum(),), (DoubleSum(),)])
def test_tasks_of_tables_may_run_twice(operators: Any) -> None:
    table = from_array(np.arange(500.0), 1000).pipe(*operators).detect(Threshold(1.0, block=100))
    assert np.array_equal(table.to_array(executor=RepeatingExecutor()), table.to_array())
