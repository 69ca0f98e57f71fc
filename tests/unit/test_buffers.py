from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace import Budget, BufferPool
from headrace.core.leases import page_buffer
from headrace.errors import BufferInUse, RingStarved

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = 4096
VIEWS: dict[str, Callable[[np.ndarray], Any]] = {
    "slice": lambda a: a[10:20],
    "slice of a slice": lambda a: a[10:200][::2],
    "reshaped": lambda a: a.reshape(10, -1),
    "other dtype": lambda a: a.view(np.uint8),
    "memoryview": memoryview,
    "memoryview of a slice": lambda a: memoryview(a[5:9]),
    "frombuffer": lambda a: np.frombuffer(a, np.uint8),
    "frombuffer of a memoryview": lambda a: np.frombuffer(memoryview(a)[4:], np.float32),
    "chain": lambda a: np.frombuffer(memoryview(np.frombuffer(memoryview(a).cast("B"), np.uint8)[8:]), np.uint8)[1:],
    "dlpack": np.from_dlpack,
    "asarray of a memoryview": lambda a: np.asarray(memoryview(a)),
    "broadcast": lambda a: np.broadcast_to(a, (3, 1000)),
}


@pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS)
def test_a_view_of_any_kind_keeps_its_buffer_out_of_the_pool(make: Callable[[np.ndarray], Any]) -> None:
    pool = BufferPool("1MB")
    array = pool.get(1000, np.float32)
    array[:] = 7
    view = make(array)
    before = bytes(np.ascontiguousarray(view))
    del array
    other = pool.get(1000, np.float32)
    other[:] = 9
    assert bytes(np.ascontiguousarray(view)) == before
    assert pool.stats.lent == 2
    del view
    assert pool.stats.lent == 1
    again = pool.get(1000, np.float32)
    assert pool.stats.reused == 1
    assert again[0] == 7


@pytest.mark.parametrize("kind", ["slice", "memoryview", "dlpack", "frombuffer"])
def test_putting_back_a_buffer_with_a_view_is_refused(kind: str) -> None:
    pool = BufferPool("1MB")
    array = pool.get(1000, np.float32)
    view = VIEWS[kind](array)
    with pytest.raises(BufferInUse, match="1 more reference"):
        pool.put(array)
    del view
    pool.put(array)
    assert (pool.stats.lent, pool.stats.free) == (0, 1)


def test_only_what_is_out_on_loan_can_be_put_back() -> None:
    pool, other = BufferPool("1MB"), BufferPool("1MB")
    array = pool.get(10, np.int8)
    for wrong in (np.zeros(10, np.int8), other.get(10, np.int8), array[:]):
        with pytest.raises(ValueError, match="still out"):
            pool.put(wrong)
    del wrong
    pool.put(array)
    with pytest.raises(ValueError, match="still out"):
        pool.put(array)


def test_buffers_are_aligned_writable_and_of_the_shape_asked_for() -> None:
    pool = BufferPool("1MB")
    for shape, dtype in ((7, "int16"), ((3, 5), "complex64"), ((0,), "float32"), ((2, 0, 4), "float64"), ((), "u1")):
        array = pool.get(shape, dtype)
        assert array.shape == ((shape,) if isinstance(shape, int) else shape)
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.ctypes.data % PAGE == 0 or array.size == 0


def test_a_full_budget_is_said_with_the_number_held_and_recovers() -> None:
    pool = BufferPool(2 * PAGE)
    held = [pool.get(PAGE, np.uint8) for _ in range(2)]
    with pytest.raises(RingStarved, match="2 buffers are held") as caught:
        pool.get(PAGE, np.uint8)
    assert caught.value.held == 2
    assert isinstance(caught.value, BufferError)
    held.pop()
    assert pool.get(PAGE, np.uint8).shape == (PAGE,)


def test_free_buffers_of_other_classes_give_way() -> None:
    pool = BufferPool(4 * PAGE)
    pool.get(4 * PAGE, np.uint8)
    assert pool.stats.free == 1
    array = pool.get(PAGE // 8, np.float64)
    assert array.nbytes == PAGE
    assert (pool.stats.free, pool.stats.nbytes) == (0, PAGE)


def test_two_pools_share_one_budget() -> None:
    budget = Budget(2 * PAGE)
    first, second = BufferPool(budget), BufferPool(budget)
    kept = first.get(PAGE, np.uint8)
    also = second.get(PAGE, np.uint8)
    with pytest.raises(RingStarved):
        second.get(PAGE, np.uint8)
    del kept
    first.close()
    assert budget.used == PAGE
    more = second.get(PAGE, np.uint8)
    assert also is not more


def test_the_allocator_hook_gives_the_memory() -> None:
    asked = []

    def allocate(nbytes: int) -> Any:
        asked.append(nbytes)
        return bytearray(nbytes)

    pool = BufferPool("1MB", allocate=allocate)
    pool.get(100, np.float32)[:] = 1
    assert asked == [PAGE]


def test_an_allocator_that_fails_costs_no_budget() -> None:
    def allocate(nbytes: int) -> Any:
        raise MemoryError("no pinned memory left")

    pool = BufferPool("1MB", allocate=allocate)
    with pytest.raises(MemoryError, match="pinned"):
        pool.get(100, np.float32)
    assert pool.budget.used == 0
    assert pool.stats.lent == 0


def test_a_shape_that_makes_no_sense_costs_no_budget() -> None:
    pool = BufferPool("1MB")
    with pytest.raises(ValueError, match="negative"):
        pool.get((3, -1), np.float32)
    with pytest.raises(TypeError):
        pool.get(3, "no dtype")
    assert pool.budget.used == 0


def test_a_loan_returns_at_the_end_of_its_block_and_views_outlive_it() -> None:
    pool = BufferPool("1MB")
    with pool.loan(10, np.float32) as array:
        array[:] = 3
        assert pool.stats.lent == 1
        view = array[2:4]
    del array
    assert pool.stats.lent == 1
    assert view[0] == 3
    del view
    assert pool.stats.lent == 0
    with pytest.raises(ZeroDivisionError), pool.loan(10, np.float32):
        raise ZeroDivisionError
    assert pool.stats.reused == 1


def test_a_closed_pool_lends_nothing_and_frees_what_comes_back() -> None:
    pool = BufferPool("1MB")
    array = pool.get(10, np.float32)
    pool.close()
    pool.close()
    with pytest.raises(ValueError, match="closed"):
        pool.get(10, np.float32)
    array[:] = 1
    assert pool.budget.used == PAGE
    del array
    assert pool.stats.lent == 0
    assert pool.budget.used == 0


def test_a_buffer_in_a_reference_cycle_returns_with_the_garbage_collection() -> None:
    pool = BufferPool("1MB")
    cycle: list[Any] = [pool.get(10, np.float32)]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert pool.stats.lent == 0


def test_garbage_collections_inside_the_pool_do_not_lock_it_up(within: Callable[..., Any]) -> None:
    pool = BufferPool("8MB")

    def churn() -> None:
        for _ in range(3000):
            try:
                cycle: list[Any] = [pool.get(10, np.float32)]
            except RingStarved:
                gc.collect()
                continue
            cycle.append(cycle)

    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        within(30, churn)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert pool.stats.lent == 0


def test_threads_that_hammer_a_pool_never_share_a_buffer(count: Callable[[int, int], int]) -> None:
    pool = BufferPool(64 * PAGE)
    wrong = []

    def hammer(mark: int) -> None:
        for turn in range(count(800, 50_000)):
            try:
                array = pool.get((100 + turn % 3,), np.int32)
            except RingStarved:
                continue
            array[:] = mark
            view = array[5:]
            del array
            if not (view == mark).all():
                wrong.append(mark)

    threads = [threading.Thread(target=hammer, args=(mark,)) for mark in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    stats = pool.stats
    assert stats.lent == 0
    assert stats.nbytes == pool.budget.used <= 64 * PAGE


def test_page_buffers_are_zero_and_given_back_to_the_system() -> None:
    memory = page_buffer(3 * PAGE)
    assert bytes(memoryview(memory)) == bytes(3 * PAGE)


@pytest.mark.parametrize("prepaid", [0, 3 * PAGE])
@pytest.mark.parametrize("last", ["pool", "buffer"])
def test_a_pool_that_is_dropped_without_close_owes_nothing(prepaid: int, last: str) -> None:
    budget = Budget(10 * PAGE)
    pool = BufferPool(budget)
    assert pool.try_prepay(prepaid, beside=PAGE)
    assert budget.used == prepaid + PAGE
    pool.get(2 * PAGE, np.uint8)  # back at once, and free
    held = pool.get(PAGE, np.uint8)
    assert budget.used >= PAGE
    if last == "pool":
        del held
        del pool
    else:
        del pool
        held[:] = 7
        assert budget.used >= PAGE
        del held
    assert budget.used == 0


def test_what_a_pool_bears_for_its_owner_is_never_lent() -> None:
    budget = Budget(4 * PAGE)
    pool = BufferPool(budget)
    assert not pool.try_prepay(2 * PAGE, beside=3 * PAGE)
    assert budget.used == 0
    assert pool.try_prepay(2 * PAGE, beside=PAGE)
    held = [pool.get(PAGE, np.uint8) for _ in range(3)]
    with pytest.raises(RingStarved):
        pool.get(PAGE, np.uint8)
    pool.close()
    assert budget.used == 3 * PAGE
    held.clear()
    assert budget.used == 0


def test_what_comes_back_after_close_reaches_the_budget_without_anybody_asking_the_pool() -> None:
    budget = Budget(10 * PAGE)
    with BufferPool(budget) as pool:
        held = [pool.get(PAGE, np.uint8) for _ in range(3)]
    assert budget.used == 3 * PAGE
    for left in (2, 1, 0):
        held.pop()
        assert budget.used == left * PAGE
    assert budget.try_reserve(10 * PAGE)
