"""The byte budget: how much a run may add to the process."""

from __future__ import annotations

import threading
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from headrace.core.forks import renew_lock_in_child
from headrace.core.sizes import format_bytes, parse_bytes
from headrace.errors import BudgetTooSmall

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DEFAULT_MEMORY", "Budget", "Reservation"]

DEFAULT_MEMORY = "64MB"
"""Budget of a run that names none."""


class _Settles(Protocol):
    """What owes bytes to a budget, and gives them back when it is asked."""

    def settle(self) -> bool:
        """Release what can be released; say whether nothing is owed any more."""
        ...


class Budget:
    """Bytes that one run, or several nested runs together, may hold.

    Parameters
    ----------
    size : int or str
        The limit: bytes, or text such as ``"64MB"`` (10^6) or ``"64MiB"`` (2^20).

    Notes
    -----
    Safe from any thread. Pass one `Budget` to several flows to make them share it.

    Examples
    --------
    >>> budget = Budget("1MB")
    >>> with budget.reserved(600_000):
    ...     budget.left
    400000
    """

    def __init__(self, size: int | str = DEFAULT_MEMORY) -> None:
        self._size = parse_bytes(size)
        self._loose = self._peak = 0
        self._held: list[weakref.ref[Reservation]] = []
        self._owing: list[_Settles] = []
        self._lock = threading.RLock()
        renew_lock_in_child(self)

    @classmethod
    def of(cls, memory: int | str | Budget | None) -> Budget:
        """Take a budget as given, or make one of a size; ``None`` is the documented default, 64 MB."""
        if isinstance(memory, Budget):
            return memory
        return cls(DEFAULT_MEMORY if memory is None else memory)

    @property
    def size(self) -> int:
        """The limit, bytes."""
        return self._size

    @property
    def used(self) -> int:
        """Bytes reserved now."""
        self._settle()
        return self._total()

    @property
    def peak(self) -> int:
        """The most bytes ever reserved at once."""
        return self._peak

    @property
    def left(self) -> int:
        """Bytes that can still be reserved."""
        return self._size - self.used

    def try_reserve(self, count: int) -> bool:
        """Reserve `count` bytes if they fit; say whether they did."""
        self._settle()
        with self._lock:
            if not self._fits(count):
                return False
            self._loose += count
            return True

    def reserve(self, count: int, purpose: str = "a buffer") -> None:
        """Reserve `count` bytes.

        Raises
        ------
        BudgetTooSmall
            If they do not fit beside what is reserved already.
        """
        if not self.try_reserve(count):
            raise self._refusal(count, purpose)

    def release(self, count: int) -> None:
        """Give `count` bytes back that `reserve` or `try_reserve` took."""
        with self._lock:
            if count > self._loose:
                raise ValueError(f"{count} bytes given back of {self._loose} reserved")
            self._loose -= count

    def _total(self) -> int:
        with self._lock:
            return self._loose + sum(held.nbytes for ref in self._held if (held := ref()) is not None)

    def _fits(self, count: int) -> bool:
        """Say whether so many bytes more fit; called with the lock held, by who takes them then."""
        total = self._total() + count
        if total > self._size:
            return False
        self._peak = max(self._peak, total)
        return True

    def _refusal(self, count: int, purpose: str) -> BudgetTooSmall:
        used = self.used
        return BudgetTooSmall(
            f"{purpose} needs {format_bytes(count)}; of the budget of {format_bytes(self._size)} "
            f"{format_bytes(self._size - used)} are left: raise memory=",
            needed=used + count,
            available=self._size - used,
        )

    def _enter(self, reservation: Reservation) -> None:
        with self._lock:
            living = [ref for ref in self._held if ref() is not None]
            self._held = [*living, weakref.ref(reservation)]

    def _grow(self, reservation: Reservation, count: int) -> bool:
        self._settle()
        with self._lock:
            if not self._fits(count):
                return False
            reservation.nbytes += count  # the one step that takes them, which Ctrl-C cannot split
            return True

    def _await_returns(self, pool: _Settles) -> None:
        """Ask a closed pool for its late returns before every answer, until all of its buffers are back."""
        with self._lock:
            if pool not in self._owing:
                self._owing.append(pool)

    def _settle(self) -> None:
        for pool in list(self._owing):
            if pool.settle():
                with self._lock, suppress(ValueError):  # another thread was here first
                    self._owing.remove(pool)

    @contextmanager
    def reserved(self, count: int, purpose: str = "a buffer") -> Iterator[None]:
        """Hold `count` bytes inside a ``with`` block."""
        taken = Reservation(self)
        try:
            taken.grow(count, purpose)
            yield
        finally:
            taken.release()

    def __repr__(self) -> str:
        return f"Budget({format_bytes(self._size)}, used {format_bytes(self._total())})"


class Reservation:
    """Bytes of a budget that one holder has: none at first, none after `release`, and none once it is collected.

    Parameters
    ----------
    budget : Budget
        What the bytes are taken from.

    Attributes
    ----------
    nbytes : int
        Bytes held. May be set to less, which gives the rest back.

    Notes
    -----
    Made before the bytes are taken, and kept where they are given back: Ctrl-C at any moment then loses none of them.

    Examples
    --------
    >>> budget = Budget(100)
    >>> taken = Reservation(budget)
    >>> taken.try_grow(60), taken.try_grow(60), budget.left
    (True, False, 40)
    >>> taken.release()
    >>> budget.left
    100
    """

    __slots__ = ("__weakref__", "_budget", "nbytes")

    def __init__(self, budget: Budget) -> None:
        self._budget, self.nbytes = budget, 0
        budget._enter(self)

    def try_grow(self, count: int) -> bool:
        """Take `count` bytes more if they fit; say whether they did."""
        return self._budget._grow(self, count)

    def grow(self, count: int, purpose: str = "a buffer") -> None:
        """Take `count` bytes more.

        Raises
        ------
        BudgetTooSmall
            If they do not fit beside what is reserved already.
        """
        if not self.try_grow(count):
            raise self._budget._refusal(count, purpose)

    def release(self) -> None:
        """Give all of them back. May be called twice."""
        self.nbytes = 0
