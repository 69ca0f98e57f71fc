from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace import _native
from headrace.core.executors import ThreadExecutor
from headrace.core.ring import Ring
from headrace.errors import Cancelled, RingStarved
from headrace.signals import Map, from_array
from headrace.testing import no_leaks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("depth", [1, 3, 50])
def test_results_come_in_the_order_of_their_items(threads: int, depth: int) -> None:
    with no_leaks(), Ring(lambda item: item * 2, range(100), threads=threads, depth=depth) as ring:
        assert list(ring) == list(range(0, 200, 2))
        assert list(ring) == []


def test_unordered_results_are_complete_and_the_first_done_comes_first(within: Callable[..., Any]) -> None:
    gate = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            gate.wait()
        return item

    ring = Ring(work, range(10), threads=2, depth=3, ordered=False)
    first = within(20, lambda: [next(ring) for _ in range(9)])
    assert first == list(range(1, 10))
    gate.set()
    assert within(20, lambda: list(ring)) == [0]


def test_items_are_pulled_at_most_depth_ahead_and_only_when_asked() -> None:
    pulled = []

    def items() -> Iterator[int]:
        for item in range(50):
            pulled.append(item)
            yield item

    ring = Ring(lambda item: item, items(), threads=2, depth=4)
    assert pulled == []
    for taken in range(50):
        assert next(ring) == taken
        assert len(pulled) <= taken + 4
    ring.close()


def test_two_tasks_are_in_work_at_the_same_time(within: Callable[..., Any]) -> None:
    meeting = threading.Barrier(2)
    ring = Ring(lambda _: meeting.wait(20), range(4), threads=2, depth=2)
    assert within(30, lambda: sorted(ring)) == [0, 0, 1, 1]


def test_two_blocks_of_one_flow_are_in_work_at_the_same_time(within: Callable[..., Any]) -> None:
    meeting = threading.Barrier(2)

    def fn(x: np.ndarray) -> np.ndarray:
        meeting.wait(20)
        return x

    flow = from_array(np.zeros(40)).pipe(Map(fn, block=10))
    assert len(within(30, lambda: flow.to_array(threads=2, chunk=10))) == 40


def test_the_filter_kernel_lets_other_threads_run() -> None:
    kernel = _native.FirKernel(np.ones(4001))
    x, out = np.zeros(2_000_000, np.float32), np.zeros(2_000_000, np.float32)
    turns, done = [0], threading.Event()

    def count() -> None:
        while not done.is_set():
            turns[0] += 1

    counter = threading.Thread(target=count)
    counter.start()
    try:
        while not turns[0]:
            pass
        before = turns[0]
        kernel.apply(x, 0, 2000, out, 0)
        during = turns[0] - before
    finally:
        done.set()
        counter.join()
    # Had the kernel kept the GIL, the counter could move only around the call: a switch interval or two.
    assert during > 10_000


def test_the_first_error_reaches_the_next_call_with_its_type(within: Callable[..., Any]) -> None:
    stuck = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            stuck.wait()
        if item == 1:
            stuck.set()
            raise ZeroDivisionError("of item 1")
        return item

    with no_leaks():
        ring = Ring(work, range(100), threads=2, depth=4)
        with pytest.raises(ZeroDivisionError, match="of item 1"):
            within(20, lambda: list(ring))
        with pytest.raises(Cancelled):
            next(ring)


def test_an_error_of_the_items_reaches_the_caller() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError("of the items")

    with Ring(lambda item: item, items(), threads=2, depth=1) as ring:
        assert next(ring) == 1
        with pytest.raises(ZeroDivisionError):
            next(ring)


def test_a_starved_ring_hands_over_what_it_has_then_says_so_then_goes_on() -> None:
    class Items:
        def __init__(self) -> None:
            self.n, self.starving = 0, False

        def __iter__(self) -> Items:
            return self

        def __next__(self) -> int:
            if self.starving:
                raise RingStarved("not now", held=3)
            if self.n == 10:
                raise StopIteration
            self.n += 1
            return self.n

    items = Items()
    with Ring(lambda item: item, items, threads=2, depth=3) as ring:
        assert next(ring) == 1
        items.starving = True
        assert [next(ring), next(ring)] == [2, 3]
        with pytest.raises(RingStarved):
            next(ring)
        items.starving = False
        assert list(ring) == list(range(4, 11))


def test_an_abandoned_ring_leaves_no_thread() -> None:
    with no_leaks():
        for _ in range(20):
            next(Ring(lambda item: item, range(100), threads=3, depth=5))


def test_a_closed_ring_may_be_closed_again_and_never_looks_finished() -> None:
    ring = Ring(lambda item: item, range(100), threads=2, depth=2)
    next(ring)
    ring.close()
    ring.close()
    with pytest.raises(Cancelled):
        next(ring)
    never = Ring(lambda item: item, range(100), threads=2, depth=2)
    never.close()


def test_closing_from_another_thread_wakes_the_waiting_consumer(within: Callable[..., Any]) -> None:
    inside, gate = threading.Event(), threading.Event()

    def work(item: int) -> int:
        inside.set()
        gate.wait(1)
        return item

    ring = Ring(work, range(100), threads=2, depth=3)

    def closer() -> None:
        inside.wait()
        ring.close()

    thread = threading.Thread(target=closer)
    thread.start()
    with pytest.raises(Cancelled):
        within(20, lambda: list(ring))
    thread.join()


def test_parked_threads_hold_no_result_and_no_item() -> None:
    import weakref

    class Thing:
        pass

    seen = []

    def work(item: Thing) -> Thing:
        seen.append(weakref.ref(item))
        return item

    ring = Ring(work, iter([Thing(), Thing(), Thing()]), threads=2, depth=3)
    for _ in range(3):
        next(ring)
    with pytest.raises(StopIteration):
        next(ring)
    assert [ref() for ref in seen] == [None] * 3


def test_a_ring_without_threads_or_places_is_refused() -> None:
    for threads, depth in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least one"):
            Ring(lambda item: item, (), threads=threads, depth=depth)


def test_a_forked_child_is_told_to_make_its_own(run_victim: Callable[..., Any]) -> None:
    code = (
        "import os, signal\n"
        "from headrace.core.ring import Ring\n"
        "from headrace.errors import ForkedError\n"
        "ring = Ring(lambda item: item, range(100), threads=2, depth=2)\n"
        "next(ring)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    signal.alarm(5)\n"
        "    try:\n"
        "        next(ring)\n"
        "    except ForkedError as error:\n"
        "        ring.close()\n"
        "        os._exit(7 if 'child' in str(error) else 8)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), len(list(ring)))\n"
    )
    assert run_victim(code).stdout.split() == ["7", "99"]


def test_an_interpreter_ends_with_rings_at_work(run_victim: Callable[..., Any]) -> None:
    code = (
        "import numpy as np, headrace\n"
        "rec = headrace.signals.from_array(np.zeros(3_000_000, np.float32))\n"
        "chunks = rec.pipe(headrace.signals.Fir(np.ones(999))).chunks(threads=3, chunk=20_000)\n"
        "next(chunks)\n"
    )
    done = run_victim(code, timeout=30)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("ordered", [True, False])
def test_an_item_is_let_go_of_before_its_result_is_heard_of(ordered: bool) -> None:
    import weakref

    class Thing:
        pass

    living: list[weakref.ref[Thing]] = []

    def items() -> Iterator[Thing]:
        for _ in range(300):
            assert sum(ref() is not None for ref in living) <= 1  # one at most in work, none in our hands
            thing = Thing()
            living.append(weakref.ref(thing))
            yield thing
            del thing

    def work(item: Thing) -> None:
        del item

    for result in Ring(work, items(), threads=2, depth=2, ordered=ordered):
        assert result is None


def test_a_ring_that_waited_in_vain_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.core.ring.JOIN_TIMEOUT_S", 0.01)
    gate, waits = threading.Event(), []
    executor = ThreadExecutor(2)
    ring = executor.map(lambda item: gate.wait(20) if item else item, range(3), depth=3)
    assert next(ring) == 0
    ring.close()
    monkeypatch.setattr(Ring, "close", waits.append)
    executor.close()
    gate.set()
    assert waits == []
