"""The pool as a state machine: no two live buffers overlap, nothing is lost, the budget is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from headrace.core.budget import Budget
from headrace.core.buffers import BufferPool
from headrace.errors import BufferInUse, RingStarved

CLASSES = [((16,), "float32"), ((3, 5), "int16"), ((4096,), "uint8"), ((1000, 2), "float64"), ((0,), "float32")]
BUDGET = 40 * 4096


class PoolMachine(RuleBasedStateMachine):
    """Two pools on one budget; each live buffer holds a number of its own, checked after every step."""

    buffers = Bundle("buffers")
    views = Bundle("views")

    @initialize()
    def start(self) -> None:
        self.budget = Budget(BUDGET)
        self.pools = [BufferPool(self.budget), BufferPool(self.budget)]
        self.tag = 0
        self.live: dict[int, list[Any]] = {}  # tag: [pool, array or None, views]

    def fill(self, array: Any) -> int:
        self.tag += 1
        array[...] = self.tag % 120
        return self.tag

    @rule(target=buffers, pool=st.integers(0, 1), kind=st.sampled_from(CLASSES))
    def get(self, pool: int, kind: tuple[tuple[int, ...], str]) -> int:
        try:
            array = self.pools[pool].get(*kind)
        except RingStarved:
            assert self.budget.left < 4 * 4096 + 4096  # the largest class: four pages
            return 0
        assert array.shape == kind[0]
        assert array.dtype == kind[1]
        assert array.ctypes.data % 4096 == 0 or array.size == 0
        tag = self.fill(array)
        self.live[tag] = [self.pools[pool], array, []]
        return tag

    @rule(target=views, tag=buffers)
    def view(self, tag: int) -> tuple[int, int]:
        entry = self.live.get(tag)
        if entry is None or entry[1] is None:
            return (0, 0)
        made = [lambda a: a[1:], memoryview, lambda a: np.frombuffer(memoryview(a).cast("B"), np.uint8)]
        entry[2].append(made[len(entry[2]) % 3](entry[1]) if entry[1].size else entry[1][:])
        return (tag, len(entry[2]) - 1)

    @rule(tag=consumes(buffers))
    def drop(self, tag: int) -> None:
        if tag in self.live:
            self.live[tag][1] = None
            self.forget(tag)

    @rule(view=consumes(views))
    def drop_view(self, view: tuple[int, int]) -> None:
        tag, place = view
        if tag in self.live:
            self.live[tag][2][place] = None
            self.forget(tag)

    @rule(tag=buffers)
    def put(self, tag: int) -> None:
        entry = self.live.get(tag)
        if entry is None or entry[1] is None:
            return
        pool, array, views = entry
        entry[1] = None
        try:
            pool.put(array)
        except BufferInUse:
            assert any(view is not None for view in views)
            entry[1] = array
        else:
            assert not any(view is not None for view in views)
            del array
            self.forget(tag)

    def forget(self, tag: int) -> None:
        _, array, views = self.live[tag]
        if array is None and not any(view is not None for view in views):
            del self.live[tag]

    @invariant()
    def contents_are_untouched(self) -> None:
        for tag, (_, array, views) in getattr(self, "live", {}).items():
            value = tag % 120
            if array is not None:
                assert (array == value).all()
            elif any(view is not None for view in views):
                kept = next(np.asarray(view) for view in views if view is not None)
                assert kept.dtype == np.uint8 or (kept == value).all()

    @invariant()
    def counters_add_up(self) -> None:
        if not hasattr(self, "pools"):
            return
        stats = [pool.stats for pool in self.pools]
        for pool, found in zip(self.pools, stats, strict=True):
            assert found.lent == sum(1 for entry in self.live.values() if entry[0] is pool)
            assert found.peak_nbytes >= found.nbytes
        assert self.budget.used == sum(found.nbytes for found in stats) <= BUDGET

    def teardown(self) -> None:
        if hasattr(self, "pools"):
            self.live.clear()
            for pool in self.pools:
                pool.close()
            assert self.budget.used == 0


TestPool = PoolMachine.TestCase
TestPool.settings = settings(max_examples=max(30, settings.default.max_examples // 10))
