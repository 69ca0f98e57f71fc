"""The ring: work goes out to threads, results come back in order, and never more than `depth` are under way.

Rules that make it safe to abandon at any moment:

* Threads are daemons and hold only the shared `_State`, never the `Ring`; when the ring is closed, collected or the
  interpreter ends, the state's stop flag ends them.
* The first error of any thread is raised by the consumer's next call, whatever is still under way.
* Nothing waits without the means to be woken: threads wait for work, the consumer for results, a stop wakes both.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from headrace.core.closeable import Closeable
from headrace.core.forks import Origin
from headrace.errors import Cancelled, RingStarved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["JOIN_TIMEOUT_S", "Ring", "no_false_end", "start"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")

_LAST_STEPS_S = 0.5  # what a thread that has left our code may take to disappear
JOIN_TIMEOUT_S = 2.0
"""How long to wait for tasks in work: a thread stuck in a dead network mount must not hold up Ctrl-C for ever."""


class _State:
    """What threads and consumer share, all of it guarded by one lock.

    The lock is reentrant because a garbage collection inside a critical section may end the ring, which takes it.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.work = threading.Condition(self.lock)  # threads wait here for something to do
        # The consumer waits here, outside the lock, for a word that something has happened. Not a condition: Ctrl-C
        # inside its wait may find the lock released, and then comes out as a RuntimeError.
        self.news: SimpleQueue[None] = SimpleQueue()
        self.todo: deque[tuple[int, Any]] = deque()
        self.done: dict[int, Any] = {}
        self.error: BaseException | None = None
        self.stopping = False
        self.inside = 0  # threads in `_work`
        self.idle_s = self.waited_s = 0.0  # threads without work, consumer without a result

    def stop(self) -> None:
        with self.lock:
            self.stopping = True
            self.todo.clear()
            self.work.notify_all()
        self.news.put(None)


def no_false_end(error: BaseException) -> BaseException:
    """Replace a task's StopIteration, which an iterator over results would pass on as their end (see PEP 479)."""
    if not isinstance(error, StopIteration):
        return error
    replaced = RuntimeError("a task raised StopIteration")
    replaced.__cause__ = error
    for note in getattr(error, "__notes__", ()):
        replaced.add_note(note)
    return replaced


def start(thread: threading.Thread) -> None:
    """Start a thread; Ctrl-C while it comes to life stays a KeyboardInterrupt."""
    try:
        thread.start()
    except RuntimeError as error:
        # Inside the wait for the thread's first step it may find a lock of the standard library released.
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise


def _stop(state: _State, origin: Origin) -> None:
    """End the threads of a ring that nobody holds any more."""
    if origin.here:
        state.stop()


def _run(state: _State, fn: Callable[[Any], Any]) -> None:
    """Count a thread in and out; its body."""
    with state.lock:
        state.inside += 1
    _work(state, fn)
    with state.lock:
        state.inside -= 1
    state.news.put(None)


def _work(state: _State, fn: Callable[[Any], Any]) -> None:
    """Run tasks until told to stop."""
    while True:
        with state.lock:
            while not state.todo and not state.stopping:
                since = time.perf_counter()
                state.work.wait()
                state.idle_s += time.perf_counter() - since
            if state.stopping:
                return
            ticket, item = state.todo.popleft()
        try:
            result = fn(item)
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, whatever it is
            with state.lock:
                state.error = state.error or no_false_end(error)
            state.stop()
            return
        del item  # buffers that only it held are free before the consumer hears of the result
        with state.lock:
            state.done[ticket] = result
            del result  # a parked thread must not keep a buffer alive
        state.news.put(None)


class Ring(Closeable, Generic[_In, _Out]):
    """Results of ``fn(item)`` over an iterable, computed by threads.

    Parameters
    ----------
    fn : callable
        Run by the threads.
    items : iterable
        Pulled by the consumer, at most `depth` ahead of what it has taken. Pulling may raise `RingStarved` to
        say "not now"; it is asked again later.
    threads : int
        Number of threads, at least 1; started by the first call of ``next``.
    depth : int
        Most items under way: waiting, in work, or done and not taken.
    ordered : bool
        Hand results over in the order of their items, or as they complete.

    Notes
    -----
    One consumer. An iterator: ``next`` waits for the next result. `close` ends the threads; so does losing the last
    reference, and leaving a ``with`` block.
    """

    def __init__(
        self,
        fn: Callable[[_In], _Out],
        items: Iterable[_In],
        *,
        threads: int,
        depth: int,
        ordered: bool = True,
    ) -> None:
        if threads < 1 or depth < 1:
            raise ValueError(f"a ring has at least one thread and one place: got {threads} and {depth}")
        self._fn, self._items = fn, iter(items)
        self._threads_wanted, self._depth, self._ordered = threads, depth, ordered
        self._issued = self._taken = 0
        self._exhausted = self._finished = self._closed = False
        self._state = _State()
        self._threads: list[threading.Thread] = []
        self._origin = Origin()
        finalizer = weakref.finalize(self, _stop, self._state, self._origin)
        finalizer.atexit = False  # `_stop_all` below also joins
        _LIVE.add(self)

    def __iter__(self) -> Iterator[_Out]:
        return self

    def __next__(self) -> _Out:
        self._origin.require("this iterator, with its threads,")
        state = self._state
        while True:
            self._issue()
            with state.lock:
                if state.error is not None or state.stopping or self._issued == self._taken:
                    break  # outside the lock, because threads need it to end
                ticket = self._taken if self._ordered else next(iter(state.done), None)
                if ticket in state.done:
                    self._taken += 1
                    result: _Out = state.done.pop(ticket)
                    return result
            since = time.perf_counter()
            state.news.get()
            state.waited_s += time.perf_counter() - since
        finished = self._exhausted and self._issued == self._taken and not state.stopping
        if state.error is None:
            self.close()  # with an error, raising it at once comes before waiting for the tasks still in work
        error, state.error = state.error, None  # a second reference would keep the traceback's buffers alive
        if error is None:
            if finished or self._finished:
                self._finished = True
                raise StopIteration
            raise Cancelled("this work was closed or cancelled before all of its results were taken")
        try:
            raise error
        finally:
            del error

    def _issue(self) -> None:
        """Pull items until `depth` are under way, and see that there are threads to work on them."""
        while not self._exhausted and not self._state.stopping and self._issued - self._taken < self._depth:
            try:
                item = next(self._items)
            except StopIteration:
                self._exhausted = True
                return
            except RingStarved:
                if self._issued > self._taken:
                    return  # results are on their way; ask again after handing one over
                raise
            with self._state.lock:
                self._state.todo.append((self._issued, item))
                self._state.work.notify()
            del item  # the next is pulled, and may need a buffer, while this one may be done with
            self._issued += 1
            if len(self._threads) < min(self._threads_wanted, self._issued):
                self._start_thread()

    def _start_thread(self) -> None:
        thread = threading.Thread(
            target=_run,
            args=(self._state, self._fn),
            name=f"headrace-ring-{len(self._threads)}",
            daemon=True,
        )
        self._threads.append(thread)
        start(thread)

    @property
    def stalls(self) -> dict[str, float]:
        """Seconds waited so far: ``threads`` for work (added over them), ``consumer`` for results."""
        return {"threads": self._state.idle_s, "consumer": self._state.waited_s}

    @property
    def closed(self) -> bool:
        """Whether `close` has been through."""
        return self._closed

    def close(self) -> None:
        """Stop the threads and wait for the tasks in work; results not taken are dropped. May be called twice."""
        if not self._origin.here:
            return  # the threads, and the state of their locks, are the parent's
        state = self._state
        state.stop()
        deadline = time.monotonic() + JOIN_TIMEOUT_S
        # Not Thread.join: a thread whose start was interrupted by Ctrl-C may never have come to life.
        while state.inside and (left := deadline - time.monotonic()) > 0:
            with suppress(Empty):
                state.news.get(timeout=left)
        gone = state.inside == 0
        state.news.put(None)  # a consumer in another thread may still wait for the word that was read here
        for thread in self._threads:
            if gone and thread.ident is not None:
                with suppress(RuntimeError):  # its start was interrupted
                    thread.join(_LAST_STEPS_S)
        self._threads.clear()
        state.done.clear()
        self._closed = True


_LIVE: weakref.WeakSet[Ring[Any, Any]] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """End every ring before the interpreter goes: a thread in native code must not wake up without one."""
    for ring in list(_LIVE):
        ring.close()
