"""A few threads that do one thing together, over and over: each a part of it, and the caller one part too."""

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
    """Runs a function for several parts at once, the first of them in the caller's thread.

    Parameters
    ----------
    parts : sequence
        What the function is called with; one thread is started for each but the first, by the first `run`.

    Notes
    -----
    For one thread at a time. Cheaper than a `Ring` where the same parts come again and again, and each must be over
    before the next begins. After an error, or Ctrl-C, parts may still be at work until `close`.
    """

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._parts = tuple(parts)
        self._jobs: SimpleQueue[Any] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def run(self, fn: Callable[[_Part], _Out]) -> list[_Out]:
        """Give ``fn(part)`` for all parts, or raise the error of one: of the first part at once, else of another."""
        if len(self._threads) < len(self._parts) - 1:
            self._start()
        done: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()  # of this call: an interrupted one's
        for number, part in enumerate(self._parts[1:], start=1):  # results go where nobody looks for them
            self._jobs.put((done, number, fn, part))
        results: list[Any] = [None] * len(self._parts)
        results[0] = fn(self._parts[0])
        failed: BaseException | None = None
        for _ in self._parts[1:]:
            number, results[number], error = done.get()
            failed = failed or error
        if failed is not None:
            raise failed
        return results

    def close(self) -> None:
        """End the threads, and wait for what is under way. May be called twice."""
        for _ in self._threads:
            self._jobs.put(None)
        deadline = time.monotonic() + JOIN_TIMEOUT_S
        while self._threads:
            with suppress(RuntimeError):  # its start was interrupted
                self._threads[-1].join(max(0.0, deadline - time.monotonic()))
            self._threads.pop()

    def _start(self) -> None:
        for number in range(len(self._threads), len(self._parts) - 1):
            name = f"headrace-crew-{number}"
            thread = threading.Thread(target=_work, args=(self._jobs,), name=name, daemon=True)
            self._threads.append(thread)
            start(thread)

    def __del__(self) -> None:
        if hasattr(self, "_threads"):
            self.close()


def _work(jobs: SimpleQueue[Any]) -> None:
    """Do jobs until told to go."""
    while (job := jobs.get()) is not None:
        done, number, fn, part = job
        try:
            done.put((number, fn(part), None))
        except BaseException as error:  # noqa: BLE001 - handed to the caller of `run`
            done.put((number, None, error))
        del job, done, fn
