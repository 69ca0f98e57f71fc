from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from headrace.core.crew import Crew
from headrace.testing import no_leaks

if TYPE_CHECKING:
    from collections.abc import Callable


def test_results_come_in_the_order_of_the_parts_and_the_first_is_the_callers_own() -> None:
    callers = []

    def work(part: int) -> int:
        if part == 0:
            callers.append(threading.current_thread())
        return part * 2

    with no_leaks(), Crew([0, 1, 2]) as crew:
        for _ in range(50):
            assert crew.begin(work)() == [0, 2, 4]
    assert set(callers) == {threading.current_thread()}


def test_the_parts_are_worked_on_at_the_same_time(within: Callable[..., Any]) -> None:
    meeting = threading.Barrier(3)

    def meet() -> list[int]:
        return crew.begin(lambda _: meeting.wait(15))()

    with Crew([0, 1, 2]) as crew:
        assert sorted(within(20, meet)) == [0, 1, 2]


def test_each_part_does_what_was_begun_in_order_while_the_caller_goes_on(within: Callable[..., Any]) -> None:
    gate = threading.Event()
    done: list[tuple[int, int]] = []

    def work(number: int, part: int) -> int:
        if part:
            assert gate.wait(15)
        done.append((part, number))
        return 10 * number + part

    with no_leaks(), Crew([0, 1, 2]) as crew:
        begun = [crew.begin(partial(work, number)) for number in range(5)]
        assert done == [(0, number) for number in range(5)], "the caller waited for the others"
        gate.set()
        found = within(20, lambda: [results() for results in begun])
    assert found == [[10 * number, 10 * number + 1, 10 * number + 2] for number in range(5)]
    for part in range(3):
        assert [number for other, number in done if other == part] == list(range(5))


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_an_error_is_raised_and_the_results_beside_it_are_not_taken_for_the_next(bad: int) -> None:
    def fail(part: int) -> str:
        if part == bad:
            raise ZeroDivisionError
        return "stale"

    with no_leaks(), Crew([0, 1, 2]) as crew:
        with pytest.raises(ZeroDivisionError):
            crew.begin(fail)()
        assert crew.begin(str)() == ["0", "1", "2"]


def test_what_has_not_begun_when_it_closes_is_dropped() -> None:
    gate, done = threading.Event(), []

    def work(number: int, part: int) -> None:
        if part:
            assert gate.wait(15)
            done.append(number)

    with no_leaks():
        crew = Crew([0, 1])
        for number in range(4):
            crew.begin(partial(work, number))
        threading.Timer(0.2, gate.set).start()
        crew.close()
    assert done in ([], [0])


def test_ctrl_c_at_any_line_leaves_a_crew_that_can_be_closed(
    within: Callable[..., Any], interrupted: Callable[..., bool]
) -> None:
    def play(crew: Crew[int]) -> None:
        with crew:
            for _ in range(3):
                assert crew.begin(str)() == ["0", "1", "2"]

    with no_leaks():
        for number in range(1, 1000):
            crew = Crew([0, 1, 2])
            reached = interrupted(partial(play, crew), number, "crew.py")
            within(20, crew.close)
            if not reached:
                break
    assert 50 < number < 999
