from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from headrace import Budget
from headrace.core.budget import Reservation
from headrace.errors import BudgetTooSmall

if TYPE_CHECKING:
    from collections.abc import Callable


def test_what_does_not_fit_is_refused_with_the_numbers() -> None:
    budget = Budget("1MB")
    budget.reserve(600_000)
    with pytest.raises(BudgetTooSmall, match="1 MB") as caught:
        budget.reserve(500_000, "a big thing")
    assert (caught.value.needed, caught.value.available) == (1_100_000, 400_000)
    assert "a big thing" in str(caught.value)
    assert isinstance(caught.value, MemoryError)
    assert budget.used == 600_000


def test_a_block_gives_back_what_it_held_whatever_happens() -> None:
    budget = Budget(100)
    left = []

    def fail() -> None:
        left.append(budget.left)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), budget.reserved(60):
        fail()
    assert left == [40]
    assert (budget.used, budget.peak) == (0, 60)


def test_more_cannot_be_given_back_than_was_taken() -> None:
    budget = Budget(100)
    budget.reserve(10)
    with pytest.raises(ValueError, match="11 bytes given back of 10"):
        budget.release(11)


def test_a_budget_is_taken_as_given_and_a_size_makes_one() -> None:
    budget = Budget(5)
    assert Budget.of(budget) is budget
    assert Budget.of("2MB").size == 2_000_000
    assert Budget.of(None).size == 64_000_000
    assert "2 MB" in repr(Budget("2MB"))


def test_threads_never_reserve_more_than_there_is() -> None:
    budget = Budget(10)
    most = []

    def hammer() -> None:
        for _ in range(2000):
            if budget.try_reserve(3):
                most.append(budget.used)
                budget.release(3)

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.used == 0
    assert max(most) <= 9


def test_bytes_can_be_given_back_while_this_thread_holds_the_lock(within: Callable[..., Any]) -> None:
    budget = Budget(100)
    budget.reserve(10)

    def collect() -> None:  # as a garbage collection in the middle of `reserve` does
        with budget._lock:
            budget.release(10)

    within(10, collect)
    assert budget.used == 0


def test_a_reservation_is_given_back_once_however_often_it_is_released() -> None:
    budget = Budget(100)
    taken = Reservation(budget)
    assert taken.try_grow(60)
    assert not taken.try_grow(60)
    with pytest.raises(BudgetTooSmall) as caught:
        taken.grow(41, "a table")
    assert (caught.value.needed, caught.value.available) == (101, 40)
    budget.reserve(5)
    assert (budget.used, budget.peak) == (65, 65)
    taken.nbytes = 20
    assert budget.left == 75
    for _ in range(2):
        taken.release()
        assert budget.used == 5


def test_a_reservation_that_nobody_holds_any_more_is_none() -> None:
    budget = Budget(100)
    taken = [Reservation(budget) for _ in range(3)]
    for each in taken:
        each.grow(30)
    assert budget.used == 90
    del taken, each
    assert budget.used == 0
