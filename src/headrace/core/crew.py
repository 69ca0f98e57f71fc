"""A few threads that do one thing together, over and over: each a part of it, and the caller one part too."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from headrace.core.closeable import Closeable
from headrace.core.ring import start

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Crew"]

_Part = TypeVar("_Part")
_Out = TypeVar("_Out")


class Crew(Closeable, Generic[_Part]):
    """Runs a function for several parts at once, the first of them in the caller's thread.

    Parameters
    ----------
    parts : sequence
        What the function is called with; one thread is started for each but the first, by the first `run`.

    Notes
    -----
    For one thread at a time. Cheaper than a `Ring` where the same parts come again and again, and each must be over
    before the next begins.
    """

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._parts = tuple(parts)
        self._jobs: SimpleQueue[Any] = SimpleQueue()
        self._done: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._under_way = 0

    def run(self, fn: Callable[[_Part], _Out]) -> list[_Out]:
        """Give ``fn(part)`` for all parts; the first error of any, once all have ended."""
        if len(self._threads) < len(self._parts) - 1:
            self._start()
        results: list[Any] = [None] * len(self._parts)
        for number, part in enumerate(self._parts[1:], start=1):
            self._under_way += 1
            self._jobs.put((number, fn, part))
        results[0] = fn(self._parts[0])
        failed: BaseException | None = None
        while self._under_way:
            number, results[number], error = self._done.get()
            self._under_way -= 1
            failed = failed or error
        if failed is not None:
            raise failed
        return results

    def close(self) -> None:
        """Wait for what is under way, and end the threads. May be called twice."""
        for _ in self._threads:
            self._jobs.put(None)
        while self._under_way and self._threads:
            self._done.get()
            self._under_way -= 1
        self._threads.clear()

    def _start(self) -> None:
        for number in range(len(self._threads), len(self._parts) - 1):
            name = f"headrace-crew-{number}"
            thread = threading.Thread(target=_work, args=(self._jobs, self._done), name=name, daemon=True)
            self._threads.append(thread)
            start(thread)

    def __del__(self) -> None:
        if hasattr(self, "_under_way"):
            self.close()


def _work(jobs: SimpleQueue[Any], done: SimpleQueue[Any]) -> None:
    """Do jobs until told to go."""
    while (job := jobs.get()) is not None:
        number, fn, part = job
        try:
            done.put((number, fn(part), None))
        except BaseException as error:  # noqa: BLE001 - handed to the caller of `run`
            done.put((number, None, error))
        del job, fn
