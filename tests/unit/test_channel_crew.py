from __future__ import annotations

import threading
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.core.channel_crew import ChannelCrew, Results
from headrace.core.operator import Spec
from headrace.core.report import Meter
from headrace.testing import no_leaks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.core.arrays import Array

CHANNELS = 72


def spec(channels: int) -> Spec:
    return Spec(np.dtype("f4"), (channels,), 1000)


def step(number: int, channels: slice | None, state: Array) -> tuple[Array, Array]:
    """What depends on the order of the cells, and on the channel."""
    after = (3 * state + number + np.arange(CHANNELS)[channels or slice(None)]) % 1009
    return after, state


@pytest.mark.parametrize("threads", [1, 2, 3, 64])
def test_each_group_carries_its_own_state_from_cell_to_cell(threads: int) -> None:
    entered = np.arange(CHANNELS)[np.newaxis] * 7 % 11
    expected, state = [], entered
    for number in range(40):
        if number % 16 == 0:
            state = entered + number
        state, before = step(number, None, state)
        expected.append((state, before))

    def begun(crew: ChannelCrew) -> Iterator[tuple[int, Results]]:
        for number in range(40):
            yield number, crew.begin(partial(step, number), entered + number if number % 16 == 0 else None)

    with no_leaks(), ChannelCrew(threads, spec(CHANNELS), "step", Meter()) as crew:
        for number, results in crew.lagging(begun(crew)):
            for found, wanted in zip(results(), expected[number], strict=True):
                np.testing.assert_array_equal(found, wanted)
    assert number == 39


def test_the_caller_goes_on_while_the_others_are_a_few_cells_behind() -> None:
    gate, numbers = threading.Event(), count()

    def wait(channels: slice | None, state: Array) -> tuple[Array]:
        if channels is not None and channels.start:
            assert gate.wait(15)
        return (state,)

    with no_leaks(), ChannelCrew(2, spec(CHANNELS), "wait", Meter()) as crew:
        begun = ((next(numbers), crew.begin(wait, np.zeros((1, CHANNELS)))) for _ in range(10))
        (first, results), *_ = [next(crew.lagging(begun))]
        assert (first, next(numbers)) == (0, 1 + ChannelCrew.behind(spec(CHANNELS), 2))
        gate.set()
        assert results()[0].shape == (1, CHANNELS)


def test_one_thread_and_few_channels_are_never_behind() -> None:
    assert ChannelCrew.behind(spec(CHANNELS), 1) == 0
    assert ChannelCrew.behind(spec(16), 8) == 0
    assert ChannelCrew.behind(Spec(np.dtype("f4"), (), 1000), 8) == 0


@pytest.mark.parametrize("bad", range(4))
def test_an_error_in_any_group_is_raised_for_its_cell(bad: int) -> None:
    def fail(number: int, channels: slice | None, state: Array) -> tuple[Any, ...]:
        if number == 3 and channels is not None and channels.start == 16 * bad:
            raise ZeroDivisionError
        return (state,)

    done = []

    def run(crew: ChannelCrew) -> None:
        begun = ((n, crew.begin(partial(fail, n), np.zeros((1, 64)))) for n in range(10))
        for number, results in crew.lagging(begun):
            results()
            done.append(number)

    with no_leaks(), ChannelCrew(4, spec(64), "fail", Meter()) as crew, pytest.raises(ZeroDivisionError):
        run(crew)
    assert done == [0, 1, 2][: len(done)]
    assert bad == 0 or len(done) == 3
