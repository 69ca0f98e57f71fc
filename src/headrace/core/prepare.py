"""What happens before a transform is read: its input is made ready, and its passes run.

The memory of the passes, and that of whoever reads afterwards, are not needed at the same time: one reservation serves
both.
"""

from __future__ import annotations

import shutil
import time
from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.budget import Budget, Reservation
from headrace.core.buffers import BufferPool
from headrace.core.schedule import too_small
from headrace.core.sinks import Gate
from headrace.core.sizes import format_bytes, whole_pages
from headrace.core.span import Span
from headrace.errors import OutputError

if TYPE_CHECKING:
    from headrace.core.engine import Engine, Means, SinkEngine
    from headrace.core.spool import Spool
    from headrace.core.transform import Pass, TransformSource

__all__ = ["Feed", "Preparation"]


class Feed:
    """A flow, and the spool that it fills.

    Parameters
    ----------
    engine : SinkEngine
        Writes the flow.
    spool : Spool
        Takes it.
    """

    def __init__(self, engine: SinkEngine, spool: Spool) -> None:
        self.engine, self.spool = engine, spool

    def close(self) -> None:
        """Let go of both. May be called twice."""
        self.engine.close()
        self.spool.close()


class Preparation:
    """The passes of a transform, and what comes before them.

    Parameters
    ----------
    source : TransformSource
        What is prepared; closed with this.
    means : Means
        Executor, meter and threads.
    feed : Feed, optional
        Fills the spool that the transform reads.
    """

    def __init__(self, source: TransformSource, means: Means, feed: Feed | None = None) -> None:
        self._source, self._means, self._feed = source, means, feed
        self._held: Reservation | None = None

    def smallest_with(self, inner: Engine) -> int:
        """Bytes of the smallest budget that this, and then `inner`, can run in."""
        fed = self._feed.engine.smallest if self._feed else 0
        return self._shared + max(
            fed, inner.smallest, *(_cost(each, each.unit, 1) for each in self._source.work.passes)
        )

    def begin(self, budget: Budget, inner: Engine) -> None:
        """Reserve for the passes, and for `inner` after them.

        Raises
        ------
        BudgetTooSmall
            If there is too little; ``needed`` is the smallest budget that works.
        OutputError
            If there is no room for the temporary files.
        """
        smallest, wanted = self.smallest_with(inner), self._wanted(inner)
        held = self._held = Reservation(budget)
        while not held.nbytes:
            count = min(budget.left, wanted)
            if count < smallest:
                raise too_small(budget, smallest, self._source.unit)
            held.try_grow(count)
        self._check_room()
        if self._feed:
            self._feed.engine.begin(Budget(self._available))
        inner.begin(Budget(self._available))  # takes nothing of it before the passes are over
        self._means.meter.memory_bytes = held.nbytes

    def run(self) -> None:
        """Fill the spool, and run the passes; those that are left, where a run is continued."""
        source, means, journal = self._source, self._means, self._means.journal
        passes = source.work.passes
        total = len(passes) + 1 + bool(self._feed)
        kept = journal.last(_NAME) or {"passes": -1, "units": 0}  # those done; -1 before the spool is full
        if not source.work.files and kept["passes"] >= 0:  # what they had left was in memory
            kept = {"passes": 0, "units": 0}
        if self._feed:
            self._feed.spool.open(self._feed.spool.spec)
            if kept["passes"] < 0:
                self._claim(-1, 0, now=True)
                self._fill(self._feed, total)
        else:
            means.meter.bytes_in += (source.source.spec.n or 0) * _stored(source)
        source.make_files(means.tmp, journal)
        if kept["passes"] < 0:
            kept = self._claim(0, 0, now=True)
        for number, each in enumerate(passes):
            if number >= kept["passes"]:
                begin = kept["units"] if number == kept["passes"] else 0
                self._run(each, f"pass {number + total - len(passes)} of {total}", number, begin)
                source.verify()
                self._claim(number + 1, 0, now=True)
        if self._feed:
            self._feed.spool.close()
        means.meter.phase = ""

    def close(self) -> None:
        """Give everything back. May be called twice."""
        self._source.close()
        if self._feed:
            self._feed.close()
        if self._held is not None:
            self._held.release()

    @property
    def _shared(self) -> int:
        return self._source.work.shared_bytes

    @property
    def _available(self) -> int:
        return (self._held.nbytes if self._held else 0) - self._shared

    def _wanted(self, inner: Engine) -> int:
        """Give the bytes beyond which more would not help."""
        threads = self._means.threads
        tasks = (_cost(each, min(each.most, _share(each, threads)), threads) for each in self._source.work.passes)
        least = max(inner.smallest, self._feed.engine.smallest if self._feed else 0)
        return self._shared + max(*tasks, threads * least + _MARGIN)

    def _fill(self, feed: Feed, total: int) -> None:
        """Write the input where rows of it can be read."""
        spool, meter = feed.spool, self._means.meter
        done, gate = 0, Gate(spool)
        try:
            with closing(feed.engine.deliver(gate)) as work:
                for count in work:
                    done += count
                    meter.phase = f"pass 1 of {total}: {100 * done // max(1, spool.spec.n or 1)} %"
                    self._means.tell()
        except BaseException:
            gate.shut()
            raise
        finally:
            feed.engine.close()
            feed.spool.rest()

    def _claim(self, passes: int, units: int, *, now: bool) -> dict[str, int]:
        """Journal how far it is."""
        done = {"passes": passes, "units": units}
        self._means.journal.keep(_NAME, lambda: done, now=now)
        return done

    def _run(self, each: Pass, phase: str, number: int, begin: int) -> None:
        source, means = self._source, self._means
        threads, size = self._schedule(each)
        room = whole_pages(each.room_bytes(size))
        pool = BufferPool(max(1, threads * room))
        rooms = deque(pool.get((room,), np.uint8) for _ in range(threads))

        def work(task: Span) -> tuple[int, float]:
            before, lent = time.perf_counter(), rooms.pop()
            try:
                each.run(task, source.reader, source.files, lent)
            except Exception as error:
                error.add_note(f"in {phase} of stage {source.name}")
                raise
            finally:
                rooms.append(lent)
            return task.size, time.perf_counter() - before

        done = begin
        try:
            with closing(
                means.executor.map(work, Span(begin, each.count).split(size), depth=threads + 1, workers=threads)
            ) as results:
                for count, seconds in results:
                    done += count
                    # What is `ahead` of the last claim may take the place of what units after that are made of.
                    self._claim(number, done, now=each.ahead is not None)
                    means.meter.add({source.name: seconds}, threads=threads)
                    means.meter.phase = f"{phase}: {100 * done // each.count} %"
                    means.tell()
        finally:
            rooms.clear()
            pool.close()

    def _schedule(self, each: Pass) -> tuple[int, int]:
        """Choose threads and units per task: as many threads as have room, then as many units."""
        threads = self._means.threads
        if each.ahead is not None:
            threads = min(threads, each.ahead // each.unit - 1)
        while threads > 1 and _cost(each, each.unit, threads) > self._available:
            threads -= 1
        low, high = 1, -(-min(each.most, _share(each, threads)) // each.unit)
        while low < high:  # the most units that fit
            middle = (low + high + 1) // 2
            fits = _cost(each, middle * each.unit, threads) <= self._available
            low, high = (middle, high) if fits else (low, middle - 1)
        return threads, low * each.unit

    def _check_room(self) -> None:
        """Raise `OutputError` if the folder for temporary files plainly has too little room."""
        journal, tmp = self._means.journal, self._means.tmp
        if journal.last(_NAME) is not None:
            return  # a run that is continued has some of them already; reserving the others will tell
        files = sum(self._source.work.files)
        needed = self._means.claimed + files + (self._feed.spool.nbytes if self._feed else 0)
        folder = journal.folder(tmp)
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise OutputError(
                f"{folder}: {self._source.name} takes {format_bytes(needed)} of temporary files, and "
                f"{format_bytes(free)} are free there: make room, or name another folder with tmp= (--tmp)",
                path=folder,
            )


_NAME = "passes"  # in the journal
_MARGIN = 16 * 1024 * 1024  # beyond its smallest, for whoever reads: chunks of the usual length


def _cost(each: Pass, size: int, threads: int) -> int:
    return threads * (whole_pages(each.room_bytes(size)) + each.beside_bytes(size))


def _share(each: Pass, threads: int) -> int:
    """Give the units of a task where each thread gets some."""
    return max(each.unit, -(-each.count // (2 * threads * each.unit)) * each.unit)


def _stored(source: TransformSource) -> int:
    found: int = getattr(source.source, "stored_sample_bytes", source.source.spec.sample_bytes)
    return found
