"""Locks and objects across fork.

A child has one thread, and locks in whatever state the parent's other threads had them at that moment, perhaps held
by threads that do not exist in the child. What is safe to use there gets its lock anew; what is not says so.

Locks are plain `threading.RLock` objects, entered by ``with``: of all ways to take a lock in Python, only this cannot
be interrupted by Ctrl-C between taking it and being bound to release it. They are reentrant because a garbage
collection inside a critical section may end a run that gives its bytes back through the same lock.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

from headrace.errors import ForkedError

__all__ = ["Origin", "renew_lock_in_child"]


class _Locked(Protocol):
    _lock: threading.RLock


_LOCKED: weakref.WeakSet[_Locked] = weakref.WeakSet()


def renew_lock_in_child(owner: _Locked) -> None:
    """See to it that ``owner._lock`` is a new, free lock in every forked child.

    Only for state that is consistent between any two bytecodes of its critical sections, or that the child does not
    rely on: a section that was under way in the parent is not finished in the child.
    """
    _LOCKED.add(owner)


def _renew_locks() -> None:
    for owner in list(_LOCKED):
        owner._lock = threading.RLock()


os.register_at_fork(after_in_child=_renew_locks)


class Origin:
    """The process in which an object was made."""

    __slots__ = ("_pid",)

    def __init__(self) -> None:
        self._pid = os.getpid()

    @property
    def here(self) -> bool:
        """Whether this still is that process."""
        return os.getpid() == self._pid

    def require(self, what: str) -> None:
        """Raise `ForkedError` in a forked child."""
        if not self.here:
            raise ForkedError(f"{what} belongs to the parent process: make a new one in the child")
