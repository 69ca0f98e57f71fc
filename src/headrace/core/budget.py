"""The byte budget: how much a run may add to the process."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from headrace.core.forks import renew_lock_in_child
from headrace.core.sizes import format_bytes, parse_bytes
from headrace.errors import BudgetTooSmall

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DEFAULT_MEMORY", "Budget"]

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
        self._used = self._peak = 0
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
        return self._used

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
            if self._used + count > self._size:
                return False
            self._used += count
            self._peak = max(self._peak, self._used)
            return True

    def reserve(self, count: int, purpose: str = "a buffer") -> None:
        """Reserve `count` bytes.

        Raises
        ------
        BudgetTooSmall
            If they do not fit beside what is reserved already.
        """
        if not self.try_reserve(count):
            raise BudgetTooSmall(
                f"{purpose} needs {format_bytes(count)}; of the budget of {format_bytes(self._size)} "
                f"{format_bytes(self.left)} are left: raise memory=",
                needed=self._used + count,
                available=self.left,
            )

    def release(self, count: int) -> None:
        """Give `count` reserved bytes back."""
        with self._lock:
            if count > self._used:
                raise ValueError(f"{count} bytes given back of {self._used} reserved")
            self._used -= count

    def _await_returns(self, pool: _Settles) -> None:
        """Ask a closed pool for its late returns before every answer, until all of its buffers are back."""
        with self._lock:
            self._owing.append(pool)

    def _settle(self) -> None:
        for pool in list(self._owing):
            if pool.settle():
                with self._lock, suppress(ValueError):  # another thread was here first
                    self._owing.remove(pool)

    @contextmanager
    def reserved(self, count: int, purpose: str = "a buffer") -> Iterator[None]:
        """Hold `count` bytes inside a ``with`` block."""
        self.reserve(count, purpose)
        try:
            yield
        finally:
            self.release(count)

    def __repr__(self) -> str:
        return f"Budget({format_bytes(self._size)}, used {format_bytes(self._used)})"
