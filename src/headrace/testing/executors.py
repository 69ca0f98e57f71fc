"""Conformance suite for executors."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeVar

from headrace.core.executors import Executor, SerialExecutor
from headrace.errors import Cancelled
from headrace.testing.faults import no_leaks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from headrace.core.executors import Work

__all__ = ["RepeatingExecutor", "check_executor"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")

_ITEMS = 200
_BAD = 17


class _DeliberateError(Exception):
    """Raised by a task of the suite; a type of its own, so that nothing else is taken for it."""


def check_executor(make: Callable[[], Executor]) -> None:
    """Check that what `make` makes is an `Executor`.

    Parameters
    ----------
    make : callable
        ``make()`` gives a fresh one; called once for each check.

    Raises
    ------
    AssertionError
        With the first thing that is not as the protocol says.

    Notes
    -----
    The functions that are run are this module's, so that an engine may send them to another process by name.

    Examples
    --------
    >>> from headrace.core.executors import SerialExecutor
    >>> check_executor(SerialExecutor)
    """
    with no_leaks():
        for check in (_check_description, _check_map, _check_completed, _check_scan, _check_error, _check_abandoned):
            executor = make()
            try:
                check(executor)
            finally:
                executor.close()
            executor.close()
        _check_cancel(make)


class RepeatingExecutor(SerialExecutor):
    """Runs each function twice for each item, as an engine does that lost a result, in the calling thread.

    Examples
    --------
    >>> list(RepeatingExecutor().map(print, [1]))
    1
    1
    [None]
    """

    def map(
        self,
        fn: Callable[[_In], _Out],
        items: Iterable[_In],
        *,
        depth: int | None = None,
        workers: int | None = None,
    ) -> Work[_Out]:
        """See `headrace.core.executors.Executor.map`."""

        def twice(item: _In) -> _Out:
            fn(item)
            return fn(item)

        return super().map(twice, items, depth=depth, workers=workers)


def _square(item: int) -> int:
    return item * item


def _fails(item: int) -> int:
    if item == _BAD:
        raise _DeliberateError(f"item {item}")
    return item


def _fold(state: int, item: int) -> tuple[int, int]:
    state = 3 * state + item
    return state, state


def _check_description(executor: Executor) -> None:
    if not isinstance(executor, Executor):
        raise AssertionError(f"{executor!r} lacks a member of the Executor protocol")  # noqa: TRY004 - a check failed
    if executor.threads < 1:
        raise AssertionError(f"threads is {executor.threads}, expected at least 1")


def _check_map(executor: Executor) -> None:
    for depth, workers in ((None, None), (1, 1), (3, 2), (1000, 1000)):
        found = list(executor.map(_square, range(_ITEMS), depth=depth, workers=workers))
        if found != [_square(item) for item in range(_ITEMS)]:
            raise AssertionError(
                f"map with depth={depth}, workers={workers} gave {found[:10]}... out of order or number"
            )
    if list(executor.map(_square, ())) != []:
        raise AssertionError("map of nothing gave something")


def _check_completed(executor: Executor) -> None:
    found = sorted(executor.as_completed(_square, range(_ITEMS)))
    if found != [_square(item) for item in range(_ITEMS)]:
        raise AssertionError(f"as_completed gave {len(found)} results of {_ITEMS}, or others")


def _check_scan(executor: Executor) -> None:
    found = list(executor.scan(_square, _fold, range(_ITEMS), 1))
    expected = functools.reduce(lambda outs, item: [*outs, _fold(outs[-1], _square(item))[1]], range(_ITEMS), [1])[1:]
    if found != expected:
        raise AssertionError(f"scan gave {found[:3]}..., the fold is {expected[:3]}...")


def _check_error(executor: Executor) -> None:
    for run in (executor.map, executor.as_completed):
        taken = 0
        try:
            for _ in run(_fails, range(_ITEMS), depth=4):
                taken += 1
        except _DeliberateError as error:
            if str(_BAD) not in str(error):
                raise AssertionError(f"the error of a task arrived as {error!r}") from error
        else:
            raise AssertionError(f"a task failed, and {taken} results arrived as if nothing had happened")
        if taken > _ITEMS - 1:
            raise AssertionError(f"{taken} results arrived before the error of item {_BAD}")


def _check_abandoned(executor: Executor) -> None:
    for _ in range(5):
        work = executor.map(_square, range(_ITEMS), depth=2)
        if next(work) != 0:
            raise AssertionError("the first result of map is not that of the first item")
        del work  # `no_leaks` around this check sees what it leaves


def _check_cancel(make: Callable[[], Executor]) -> None:
    for end in ("cancel", "close"):
        executor = make()
        work = executor.map(_square, range(_ITEMS), depth=2)
        next(work)
        getattr(executor, end)()
        try:
            for _ in work:
                pass
        except Cancelled:
            continue
        finally:
            executor.close()
        raise AssertionError(
            f"after {end}() an iterator ended as if all its results had been taken: expected Cancelled"
        )
