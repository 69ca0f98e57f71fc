"""A pool of recycled buffers whose memory goes back when its last view dies.

How a return is noticed: the array handed out is built on a `_Lease` object through the
``__array_interface__`` protocol, so every view of it (slices, memoryviews, DLPack capsules, tensors) keeps the
lease alive. A weak reference watches the lease; its callback is ``deque.append`` itself, a C function that takes no
lock and runs no bytecode, because it may run in any thread, in the middle of a garbage collection, while this
very pool is locked. The pool drains the deque the next time it is asked for anything.
"""

from __future__ import annotations

import mmap
import sys
import threading
import weakref
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from headrace.core.budget import Budget
from headrace.core.forks import Origin
from headrace.core.sizes import format_bytes
from headrace.errors import BufferInUse, RingStarved

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from headrace.core.arrays import Array, DType

__all__ = ["BufferPool", "PoolStats", "page_buffer"]

_Class = tuple[tuple[int, ...], str]  # what a buffer can be reused for: (shape, dtype)


class _Memory(Protocol):
    """What an allocator returns: something with a writable buffer, freed when nothing refers to it."""

    def __buffer__(self, flags: int, /) -> memoryview: ...


def page_buffer(nbytes: int) -> _Memory:
    """Allocate zeroed, page-aligned private memory, given back to the system as soon as it is dropped.

    Parameters
    ----------
    nbytes : int
        Size, at least 1.

    Notes
    -----
    Not ``malloc``: a freed block of a C heap often stays with the process, and a budget that is kept must
    see it go.
    """
    return mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


@dataclass(frozen=True, slots=True)
class PoolStats:
    """What a pool has done so far.

    Attributes
    ----------
    lent : int
        Buffers out at this moment.
    free : int
        Buffers waiting to be reused.
    allocated : int
        Buffers ever allocated. Much above `lent` + `free` means the classes (shape, dtype) keep changing.
    reused : int
        Requests served from a returned buffer. A low value means buffers are held longer than they should be.
    nbytes : int
        Bytes held now, lent and free.
    peak_nbytes : int
        The most bytes ever held.
    """

    lent: int
    free: int
    allocated: int
    reused: int
    nbytes: int
    peak_nbytes: int


class _Block:
    """One allocation, made for one class; lent, returned and lent again."""

    __slots__ = ("interface", "key", "memory", "nbytes")

    def __init__(self, memory: Any, key: _Class, nbytes: int) -> None:
        self.memory, self.key, self.nbytes = memory, key, nbytes
        address = np.frombuffer(memory, np.uint8).__array_interface__["data"][0]
        self.interface = {"version": 3, "shape": key[0], "typestr": key[1], "data": (address, False)}


class _Lease:
    """Owns one block while any view of it lives."""

    __slots__ = ("__array_interface__", "__weakref__", "block", "pool")

    def __init__(self, pool: BufferPool, block: _Block) -> None:
        self.pool = pool  # the pool outlives its buffers, so that their bytes are always given back
        self.block = block
        self.__array_interface__ = block.interface


class _Return(weakref.ref[_Lease]):
    """Watches a lease; appended to the pool's deque when the last view is gone."""

    __slots__ = ("array", "block")

    block: _Block
    array: weakref.ref[Array]


class BufferPool:
    """Aligned buffers under a byte budget, reused by (shape, dtype).

    Parameters
    ----------
    memory : int, str or Budget, optional
        Most bytes to hold, lent and free together; shared when it is a `Budget`. Default 64 MB.
    allocate : callable, optional
        ``allocate(nbytes)`` returns an object with a writable buffer of at least `nbytes` bytes, freed when it is
        dropped; the hook for pinned or huge-page memory. Default: page-aligned private memory.

    Notes
    -----
    Safe from any thread, with or without the GIL. A buffer returns when the last array, slice, memoryview or
    tensor over it is gone. Contents are not cleared between uses.

    Examples
    --------
    >>> pool = BufferPool("1MB")
    >>> with pool.loan((1000,), "float32") as a:
    ...     a[:] = 1.0
    >>> del a
    >>> b = pool.get((1000,), "float32")
    >>> pool.stats.allocated, pool.stats.reused
    (1, 1)
    """

    def __init__(
        self,
        memory: int | str | Budget | None = None,
        *,
        allocate: Callable[[int], _Memory] = page_buffer,
    ) -> None:
        self._budget = Budget.of(memory)
        self._allocate = allocate
        self._lock = threading.Lock()
        self._returned: deque[weakref.ref[_Lease]] = deque()
        self._lent: set[_Return] = set()
        self._free: defaultdict[_Class, list[_Block]] = defaultdict(list)
        self._allocated = self._reused = self._nbytes = self._peak = 0
        self._closed = False
        self._origin = Origin()

    def get(self, shape: int | tuple[int, ...], dtype: Any) -> Array:
        """Lend a buffer until its last view dies, or until it is `put` back.

        Parameters
        ----------
        shape : int or tuple of int
            Shape of the array.
        dtype : dtype-like
            Its dtype.

        Returns
        -------
        ndarray
            C-contiguous, writable, page-aligned by default; contents undefined.

        Raises
        ------
        RingStarved
            If the budget is spent on buffers that are out.
        ValueError
            If the pool is closed.
        """
        self._origin.require("this buffer pool")
        key: _Class = ((shape,) if isinstance(shape, int) else tuple(shape), np.dtype(dtype).str)
        with self._lock:
            if self._closed:
                raise ValueError("this pool is closed")
            self._drain()
            lease = _Lease(self, self._take(key))
            watch = _Return(lease, self._returned.append)
            watch.block = lease.block
            array: Array = np.asarray(lease)
            watch.array = weakref.ref(array)
            self._lent.add(watch)
        return array

    def put(self, array: Array) -> None:
        """Give a buffer back now, before its last reference is gone.

        Parameters
        ----------
        array : ndarray
            Exactly what `get` returned; it must not be touched afterwards.

        Raises
        ------
        BufferInUse
            If a slice, memoryview or tensor over it is alive; it then returns when that dies.
        ValueError
            If it is not out on loan from this pool.
        """
        with self._lock:
            self._drain()
            watch = next((w for w in self._lent if w.array() is array), None)
            if watch is None:
                raise ValueError("put() takes an array that get() of this pool returned and that is still out")
            views = _references(array) - _BASELINE
            if views > 0:
                raise BufferInUse(
                    f"{views} more reference(s) to this buffer are alive (a slice, a memoryview, a second name); "
                    "drop them first, or just let them die: the buffer returns by itself"
                )
            self._lent.discard(watch)
            self._keep(watch)

    def loan(self, shape: int | tuple[int, ...], dtype: Any) -> Loan:
        """Lend a buffer to a ``with`` block; see `get` for parameters and errors.

        Views that outlive the block stay valid: the buffer returns when the last of them dies.
        """
        return Loan(self, shape, dtype)

    @property
    def stats(self) -> PoolStats:
        """Counters, up to date."""
        with self._lock:
            self._drain()
            free = sum(map(len, self._free.values()))
            return PoolStats(len(self._lent), free, self._allocated, self._reused, self._nbytes, self._peak)

    @property
    def budget(self) -> Budget:
        """The budget that this pool draws on."""
        return self._budget

    def close(self) -> None:
        """Drop the free buffers; those still out are freed when their last view dies. May be called twice."""
        if not self._origin.here:
            return  # the lock may be held by a thread that only the parent has
        with self._lock:
            first, self._closed = not self._closed, True
            self._drain()
            for key in list(self._free):
                self._evict(key)
            owes = bool(self._lent)
        if first and owes:
            self._budget._await_returns(self)  # the other half of this pool, in budget.py

    def settle(self) -> bool:
        """Take note of returns after `close`; say whether every buffer is back."""
        if not self._origin.here:
            return True
        with self._lock:
            self._drain()
            return not self._lent

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Below: called with the lock held.

    def _drain(self) -> None:
        while self._returned:
            watch = self._returned.popleft()
            if isinstance(watch, _Return) and watch in self._lent:
                self._lent.discard(watch)
                self._keep(watch)

    def _keep(self, watch: _Return) -> None:
        if self._closed:
            self._forget(watch.block.nbytes)
        else:
            self._free[watch.block.key].append(watch.block)

    def _take(self, key: _Class) -> _Block:
        free = self._free.get(key)
        if free:
            self._reused += 1
            return free.pop()
        nbytes = _padded(key)
        if not self._budget.try_reserve(nbytes):
            for other in list(self._free):  # other classes give way before the caller is refused
                self._evict(other)
            if not self._budget.try_reserve(nbytes):
                raise RingStarved(
                    f"a buffer of {format_bytes(nbytes)} does not fit: {len(self._lent)} buffers are held and the "
                    f"budget of {format_bytes(self._budget.size)} has {format_bytes(self._budget.left)} left; "
                    "drop chunks you no longer need, or raise memory=",
                    held=len(self._lent),
                )
        try:
            memory = self._allocate(nbytes)
        except BaseException:
            self._budget.release(nbytes)
            raise
        self._allocated += 1
        self._nbytes += nbytes
        self._peak = max(self._peak, self._nbytes)
        return _Block(memory, key, nbytes)

    def _evict(self, key: _Class) -> None:
        for block in self._free.pop(key):
            self._forget(block.nbytes)

    def _forget(self, nbytes: int) -> None:
        self._nbytes -= nbytes
        self._budget.release(nbytes)


class Loan:
    """A buffer for the length of a ``with`` block; made by `BufferPool.loan`."""

    __slots__ = ("_array", "_pool", "_request")

    def __init__(self, pool: BufferPool, shape: int | tuple[int, ...], dtype: DType | str) -> None:
        self._pool, self._request, self._array = pool, (shape, dtype), None

    _array: Array | None

    def __enter__(self) -> Array:
        self._array = self._pool.get(*self._request)
        return self._array

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._array = None


def _padded(key: _Class) -> int:
    """Bytes a buffer really takes: whole pages."""
    shape, dtype = key
    nbytes = np.dtype(dtype).itemsize
    for length in shape:
        if length < 0:
            raise ValueError(f"a shape has no negative lengths: got {shape}")
        nbytes *= length
    return max(1, -(-nbytes // mmap.PAGESIZE)) * mmap.PAGESIZE


def _references(array: Array) -> int:
    return sys.getrefcount(array)


def _calibrate() -> int:
    """Count the references that `put` itself sees on an array that has one holder and no view.

    Interpreters differ (3.14 lends references to callees), so the count is taken the way `put` takes it, from a
    holder that owns its reference.
    """

    class Probe:
        array = np.empty(0)

        def put(self, array: Array) -> int:
            return _references(array)

    probe = Probe()
    return probe.put(probe.array)


_BASELINE = _calibrate()
