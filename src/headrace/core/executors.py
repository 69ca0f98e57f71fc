"""Executors: who runs the work of a flow.

`SerialExecutor` and `ThreadExecutor` are here; engines such as Dask join through `headrace.core.registry` (kind
``"executor"``). All give the same results in the same order, so a flow's output cannot depend on which one ran it.
"""

from __future__ import annotations

import weakref
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from headrace.core.closeable import Closeable
from headrace.core.machine import cpu_count
from headrace.core.ring import Ring, no_false_end
from headrace.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from contextlib import AbstractContextManager

__all__ = ["Closing", "Executor", "SerialExecutor", "ThreadExecutor", "Work", "executor_of"]

_In = TypeVar("_In")
_Mid = TypeVar("_Mid")
_Out = TypeVar("_Out")
_State = TypeVar("_State")
_Result_co = TypeVar("_Result_co", covariant=True)


class Closing(Protocol[_Result_co]):
    """An iterator that can be closed, which ends the work behind it and waits for what is under way."""

    def __iter__(self) -> Iterator[_Result_co]: ...

    def __next__(self) -> _Result_co: ...

    def close(self) -> None:
        """End the work. May be called twice."""
        ...


class Work(Closing[_Result_co], Protocol[_Result_co]):
    """Results on their way from an executor.

    Attributes
    ----------
    stalls : dict of str to float
        Seconds spent waiting so far: ``threads`` for work, ``consumer`` for results.
    """

    @property
    def stalls(self) -> dict[str, float]: ...  # noqa: D102 - documented above


@runtime_checkable
class Executor(Protocol):
    """Runs pure functions over items.

    Functions may run more than once for one item (an engine retries), so what they write must be idempotent, and they
    leave the item as it was. `headrace.testing.check_executor` is the conformance suite.

    Attributes
    ----------
    threads : int
        Tasks that run at the same time.
    """

    @property
    def threads(self) -> int: ...  # noqa: D102 - documented above

    def map(
        self,
        fn: Callable[[_In], _Out],
        items: Iterable[_In],
        *,
        depth: int | None = None,
        workers: int | None = None,
    ) -> Work[_Out]:
        """Yield ``fn(item)`` in the order of `items`.

        At most `depth` items are under way and at most `workers` in work; ``None`` leaves both to the executor.
        """
        ...

    def as_completed(
        self,
        fn: Callable[[_In], _Out],
        items: Iterable[_In],
        *,
        depth: int | None = None,
        workers: int | None = None,
    ) -> Work[_Out]:
        """Yield ``fn(item)`` as they complete; see `map`."""
        ...

    def scan(
        self,
        prepare: Callable[[_In], _Mid],
        step: Callable[[_State, _Mid], tuple[_State, _Out]],
        items: Iterable[_In],
        state: _State,
        *,
        depth: int | None = None,
        workers: int | None = None,
    ) -> Generator[_Out]:
        """Chain a state through the items in order: ``state, out = step(state, prepare(item))``; yield each out.

        `prepare` runs concurrently, `step` one at a time.
        """
        ...

    def cancel(self) -> None:
        """Drop what has not started and end the iterators given out."""
        ...

    def close(self) -> None:
        """Cancel, and let go of threads and connections. May be called twice."""
        ...


class _Scan:
    """`scan` in terms of `map`, shared by the executors of one process."""

    def map(
        self,
        fn: Callable[[_In], _Out],
        items: Iterable[_In],
        *,
        depth: int | None = None,
        workers: int | None = None,
    ) -> Work[_Out]:
        raise NotImplementedError

    def scan(
        self,
        prepare: Callable[[_In], _Mid],
        step: Callable[[_State, _Mid], tuple[_State, _Out]],
        items: Iterable[_In],
        state: _State,
        *,
        depth: int | None = None,
        workers: int | None = None,
    ) -> Generator[_Out]:
        """See `Executor.scan`."""
        with closing(self.map(prepare, items, depth=depth, workers=workers)) as work:
            for prepared in work:
                state, out = step(state, prepared)
                yield out


class _InTurn:
    """``map`` of one thread. A class, because a generator would not survive `RingStarved` from its items."""

    def __init__(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> None:
        self._fn, self._items = fn, iter(items)
        self._ended = self._cancelled = False
        self.stalls: dict[str, float] = {}

    def __iter__(self) -> _InTurn:
        return self

    def __next__(self) -> Any:
        if self._cancelled and not self._ended:
            raise Cancelled("this work was closed or cancelled before all of its results were taken")
        try:
            item = next(self._items)
        except StopIteration:
            self._ended = True
            raise
        try:
            return self._fn(item)
        except StopIteration as error:
            raise no_false_end(error) from error

    def close(self) -> None:
        self._cancelled = True


class SerialExecutor(Closeable, _Scan):
    """Runs everything in the calling thread, one item at a time."""

    threads = 1

    def __init__(self) -> None:
        self._given: weakref.WeakSet[_InTurn] = weakref.WeakSet()

    def map(
        self,
        fn: Callable[[_In], _Out],
        items: Iterable[_In],
        *,
        depth: int | None = None,
        workers: int | None = None,
    ) -> Work[_Out]:
        """See `Executor.map`; `depth` and `workers` have no meaning here."""
        del depth, workers
        work = _InTurn(fn, items)
        self._given.add(work)
        return work

    def as_completed(
        self,
        fn: Callable[[_In], _Out],
        items: Iterable[_In],
        *,
        depth: int | None = None,
        workers: int | None = None,
    ) -> Work[_Out]:
        """See `Executor.as_completed`."""
        return self.map(fn, items, depth=depth, workers=workers)

    def cancel(self) -> None:
        """See `Executor.cancel`."""
        for work in list(self._given):
            work.close()

    def close(self) -> None:
        """See `Executor.close`."""
        self.cancel()


class ThreadExecutor(Closeable, _Scan):
    """Runs work on threads of this process; kernels release the GIL, so they really run at once.

    Parameters
    ----------
    threads : int, optional
        Default: the process's CPU affinity, capped by its cgroup.

    Notes
    -----
    Threads start with the first item and end with the iterator; an abandoned iterator leaves none behind.
    """

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise ValueError(f"threads= is at least 1: got {threads}")
        self.threads = cpu_count() if threads is None else threads
        self._rings: weakref.WeakSet[Ring[Any, Any]] = weakref.WeakSet()  # an abandoned iterator must end

    def map(
        self,
        fn: Callable[[_In], _Out],
        items: Iterable[_In],
        *,
        depth: int | None = None,
        workers: int | None = None,
    ) -> Work[_Out]:
        """See `Executor.map`."""
        return self._ring(fn, items, depth, workers, ordered=True)

    def as_completed(
        self,
        fn: Callable[[_In], _Out],
        items: Iterable[_In],
        *,
        depth: int | None = None,
        workers: int | None = None,
    ) -> Work[_Out]:
        """See `Executor.as_completed`."""
        return self._ring(fn, items, depth, workers, ordered=False)

    def _ring(
        self,
        fn: Callable[[_In], _Out],
        items: Iterable[_In],
        depth: int | None,
        workers: int | None,
        *,
        ordered: bool,
    ) -> Ring[_In, _Out]:
        threads = min(self.threads, workers or self.threads)
        ring = Ring(fn, items, threads=threads, depth=depth or threads + 1, ordered=ordered)
        self._rings.add(ring)
        return ring

    def cancel(self) -> None:
        """See `Executor.cancel`."""
        for ring in list(self._rings):
            if not ring.closed:  # a task that outlasted one wait is not waited for again
                ring.close()

    def close(self) -> None:
        """See `Executor.close`."""
        self.cancel()


def executor_of(executor: Executor | str | None, threads: int | None) -> Callable[[], AbstractContextManager[Executor]]:
    """Check which executor a run asks for; nothing is made yet.

    Parameters
    ----------
    executor : Executor, str or None
        ``None`` and ``"threads"`` mean threads, ``"serial"`` the calling thread; other names are looked up in the
        registry.
    threads : int or None
        Number of threads; ``None`` for the default.

    Returns
    -------
    callable
        Gives a context: an executor that was named is made when it is called and closed with the context; one that is
        the user's own stays open.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    from headrace.core import registry

    if executor is not None and not isinstance(executor, str):
        return lambda: nullcontext(executor)
    if threads is not None and threads < 1:
        raise ValueError(f"threads= is at least 1: got {threads}")
    if executor in (None, "threads"):
        return lambda: closing(ThreadExecutor(threads))
    if executor == "serial":
        return lambda: closing(SerialExecutor())
    scheme = executor.partition("://")[0]
    factory = registry.find("executor", scheme)
    if factory is None:
        known = ", ".join(sorted({"serial", "threads", *registry.names("executor")}))
        raise ValueError(f"unknown executor {executor!r}: known are {known}")
    return lambda: closing(factory(executor, threads))
