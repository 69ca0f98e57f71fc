"""A few threads that do one thing together, over and over: each its own part of it, and the caller one part too."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from headrace.core.closeable import Closeable
from headrace.core.ring import JOIN_TIMEOUT_S, start

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Crew"]

_Part = TypeVar("_Part")
_Out = TypeVar("_Out")


class Crew(Closeable, Generic[_Part]):
    """Runs functions for several parts at once, the first of them in the caller's thread.

    Parameters
    ----------
    parts : sequence
        What the functions are called with; one thread is started for each but the first, by the first `begin`.

    Notes
    -----
    For one thread at a time. Cheaper than a `Ring` where the same parts come again and again: a part is always worked
    on by the same thread, one function after the other, and what is begun before the last is over hides the time that
    it takes to wake a thread. After an error, or Ctrl-C, parts may still be at work until `close`, which drops what has
    not begun. Where several parts fail, which error is raised depends on which comes first.
    """

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._first, *self._others = parts
        self._closed = threading.Event()
        self._threads: list[tuple[threading.Thread, SimpleQueue[Any]]] = []

    def begin(self, fn: Callable[[_Part], _Out]) -> Callable[[], list[_Out]]:
        """Begin ``fn(part)`` for all parts, and do the first, whose error is raised at once.

        Returns
        -------
        callable
            Waits for the other parts, once, and gives the results in the order of the parts, or raises the error of
            one.
        """
        if len(self._threads) < len(self._others):
            self._start()
        # A queue of this call: the results of one that was interrupted go where nobody looks for them.
        done: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
        count = len(self._others)
        for number, (part, (_, jobs)) in enumerate(zip(self._others, self._threads, strict=True), start=1):
            jobs.put((done, number, fn, part))
        first = fn(self._first)

        def results() -> list[_Out]:
            found: list[Any] = [first, *[None] * count]
            failed: BaseException | None = None
            for _ in range(count):
                number, found[number], error = done.get()
                failed = failed or error
            if failed is not None:
                raise failed
            return found

        return results

    def close(self) -> None:
        """End the threads, and wait for what is under way. May be called twice."""
        self._closed.set()
        for _, jobs in self._threads:
            jobs.put(None)
        deadline = time.monotonic() + JOIN_TIMEOUT_S
        while self._threads:
            with suppress(RuntimeError):  # its start was interrupted
                self._threads[-1][0].join(max(0.0, deadline - time.monotonic()))
            self._threads.pop()

    def _start(self) -> None:
        if not self._threads:
            self._closed = threading.Event()  # those of before may still look at theirs
        for number in range(len(self._threads), len(self._others)):
            jobs: SimpleQueue[Any] = SimpleQueue()
            name = f"headrace-crew-{number}"
            thread = threading.Thread(target=_work, args=(jobs, self._closed), name=name, daemon=True)
            self._threads.append((thread, jobs))
            start(thread)

    def __del__(self) -> None:
        if hasattr(self, "_threads"):
            self.close()


def _work(jobs: SimpleQueue[Any], closed: threading.Event) -> None:
    """Do jobs until told to go."""
    while (job := jobs.get()) is not None and not closed.is_set():
        done, number, fn, part = job
        try:
            done.put((number, fn(part), None))
        except BaseException as error:  # noqa: BLE001 - handed to the caller of `begin`
            done.put((number, None, error))
        del job, done, fn
