"""The ring against a model: order, bound, starvation, errors and close, in any order of calls."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from headrace.core.ring import Ring
from headrace.errors import Cancelled, RingStarved


class RingMachine(RuleBasedStateMachine):
    """What a ring does, beside a list that says what it should do."""

    @initialize(
        threads=st.integers(1, 4),
        depth=st.integers(1, 6),
        n=st.integers(0, 30),
        bad=st.one_of(st.none(), st.integers(0, 30)),
        ordered=st.booleans(),
    )
    def start(self, threads: int, depth: int, n: int, bad: int | None, ordered: bool) -> None:
        self.before = set(threading.enumerate())
        self.depth, self.n, self.bad, self.ordered = depth, n, bad, ordered
        self.pulled = self.taken = self.most = 0
        self.starving = self.over = False
        self.seen: set[int] = set()
        self.ring = Ring(self.work, self, threads=threads, depth=depth, ordered=ordered)

    def __iter__(self) -> RingMachine:
        return self

    def __next__(self) -> int:
        if self.starving:
            raise RingStarved("not now", held=0)
        if self.pulled == self.n:
            raise StopIteration
        self.pulled += 1
        self.most = max(self.most, self.pulled - self.taken)
        return self.pulled - 1

    def work(self, item: int) -> int:
        if item == self.bad:
            raise ZeroDivisionError(item)
        return item * item

    @rule()
    def take(self) -> None:
        try:
            result = next(self.ring)
        except StopIteration:
            assert self.taken == self.n
            self.over = True
        except Cancelled:
            assert self.over  # by an error or a close, never as if it were the end
        except RingStarved:
            assert self.starving
            assert self.pulled == self.taken  # nothing was left to hand over
        except ZeroDivisionError:
            assert not self.over
            self.over = True
        else:
            assert not self.over
            if self.ordered:
                assert result == self.taken**2
            assert result not in self.seen
            self.seen.add(result)
            self.taken += 1

    @rule(starving=st.booleans())
    def starve(self, starving: bool) -> None:
        self.starving = starving

    @precondition(lambda self: self.taken > 3)
    @rule()
    def close(self) -> None:
        self.ring.close()
        self.over = True

    @invariant()
    def never_more_than_depth_under_way(self) -> None:
        assert getattr(self, "most", 0) <= getattr(self, "depth", 0)

    def teardown(self) -> None:
        if hasattr(self, "ring"):
            del self.ring  # abandoned, not closed
            for thread in set(threading.enumerate()) - self.before:
                thread.join(5)
                assert not thread.is_alive()


TestRing = RingMachine.TestCase
TestRing.settings = settings(max_examples=max(40, settings.default.max_examples // 5))


def test_a_ring_that_hands_over_out_of_order_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    issue = Ring._issue

    def latest_first(self: Any) -> None:
        issue(self)
        with self._state.lock:  # what is under way, in the wrong order
            done = self._state.done
            for ticket, result in zip(list(done), list(done.values())[::-1], strict=True):
                done[ticket] = result

    monkeypatch.setattr(Ring, "_issue", latest_first)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(RingMachine, settings=settings(TestRing.settings, database=None))
