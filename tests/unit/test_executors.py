from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.core import registry
from headrace.core.executors import SerialExecutor, ThreadExecutor, executor_of
from headrace.core.machine import cpu_count
from headrace.signals import Fir, from_array
from headrace.testing import check_executor

if TYPE_CHECKING:
    from collections.abc import Iterator

MADE = {"serial": SerialExecutor, "one": lambda: ThreadExecutor(1), "four": lambda: ThreadExecutor(4)}


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
    assert isinstance(executor_of(None, None), ThreadExecutor)
    assert executor_of("threads", 3).threads == 3
    assert executor_of(None, None).threads == cpu_count()
    assert isinstance(executor_of("serial", 3), SerialExecutor)
    own = ThreadExecutor(2)
    assert executor_of(own, 7) is own


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
