"""A pool of recycled buffers whose memory goes back when its last view dies (`headrace.core.leases` says how)."""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.budget import Budget, Reservation
from headrace.core.closeable import Closeable
from headrace.core.forks import Origin
from headrace.core.leases import BASELINE, Block, Kind, Lease, Memory, Return, padded, page_buffer, references
from headrace.core.sizes import format_bytes
from headrace.errors import BufferInUse, RingStarved

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from headrace.core.arrays import Array, DType

__all__ = ["BufferPool", "PoolStats"]


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


class BufferPool(Closeable):
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
        allocate: Callable[[int], Memory] = page_buffer,
    ) -> None:
        self._budget = Budget.of(memory)
        self._account = Reservation(self._budget)
        self._prepaid = self._beside = 0
        self._allocate = allocate
        self._lock = threading.RLock()
        self._returned: deque[weakref.ref[Lease]] = deque()
        self._lent: set[Return] = set()
        self._free: defaultdict[Kind, list[Block]] = defaultdict(list)
        self._allocated = self._reused = self._nbytes = self._peak = 0
        self._closed = False
        self._origin = Origin()

    def try_prepay(self, count: int, *, beside: int = 0) -> bool:
        """Reserve bytes for later, if they fit; say whether they did.

        Parameters
        ----------
        count : int
            Bytes that the pool lends before it draws on the rest of its budget.
        beside : int
            Bytes that it bears for its owner, and never lends.

        Notes
        -----
        Called once, before anything is lent. `close` gives back what is not lent.
        """
        if not self._account.try_grow(count + beside):
            return False
        self._prepaid, self._beside = count, beside
        return True

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
        key: Kind = ((shape,) if isinstance(shape, int) else tuple(shape), np.dtype(dtype).str)
        with self._lock:
            if self._closed:
                raise ValueError("this pool is closed")
            self._drain()
            lease = Lease(self, self._take(key))
            watch = Return(lease, self._returned.append)
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
        self._origin.require("this buffer pool")
        with self._lock:
            self._drain()
            watch = next((w for w in self._lent if w.array() is array), None)
            if watch is None:
                raise ValueError("put() takes an array that get() of this pool returned and that is still out")
            views = references(array) - BASELINE
            if views > 0:
                raise BufferInUse(
                    f"{views} more reference(s) to this buffer are alive (a slice, a memoryview, a second name); "
                    "drop them first, or just let them die: the buffer returns by itself"
                )
            self._lent.discard(watch)
            self._keep(watch)

    def lent(self, array: Array) -> bool:
        """Say whether `array` is exactly what `get` returned, and still out."""
        with self._lock:
            return any(watch.array() is array for watch in self._lent)

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
            self._closed = True
            self._drain()
            self._free.clear()
            self._nbytes = sum(watch.block.nbytes for watch in self._lent)  # Ctrl-C may have cut the counting short
            self._settle_account()
            owes = bool(self._lent)
        if owes:
            self._budget._await_returns(self)  # the other half of this pool, in budget.py

    def settle(self) -> bool:
        """Take note of returns after `close`; say whether every buffer is back."""
        if not self._origin.here:
            return True
        with self._lock:
            self._drain()
            return not self._lent

    # Below: called with the lock held.

    def _drain(self) -> None:
        while self._returned:
            watch = self._returned[0]  # goes when it is seen to: Ctrl-C may come before
            if isinstance(watch, Return) and watch in self._lent:
                self._lent.discard(watch)
                self._keep(watch)
            if self._returned and self._returned[0] is watch:
                self._returned.popleft()

    def _keep(self, watch: Return) -> None:
        if self._closed:
            self._forget(watch.block.nbytes)
        else:
            self._free[watch.block.key].append(watch.block)

    def _take(self, key: Kind) -> Block:
        free = self._free.get(key)
        if free:
            self._reused += 1
            return free.pop()
        nbytes = padded(key)
        if not self._charge(nbytes):
            for other in list(self._free):  # other classes give way before the caller is refused
                self._evict(other)
            if not self._charge(nbytes):
                raise RingStarved(
                    f"a buffer of {format_bytes(nbytes)} does not fit: {len(self._lent)} buffers are held and the "
                    f"budget of {format_bytes(self._budget.size)} has {format_bytes(self._budget.left)} left; "
                    "drop chunks you no longer need, or raise memory=",
                    held=len(self._lent),
                )
        try:
            memory = self._allocate(nbytes)
        except BaseException:
            self._settle_account()
            raise
        self._allocated += 1
        self._nbytes += nbytes
        self._peak = max(self._peak, self._nbytes)
        return Block(memory, key, nbytes)

    def _evict(self, key: Kind) -> None:
        for block in self._free.pop(key):
            self._forget(block.nbytes)

    def _forget(self, nbytes: int) -> None:
        self._nbytes -= nbytes
        self._settle_account()

    def _charge(self, nbytes: int) -> bool:
        """Have the budget bear `nbytes` more; say whether it can."""
        more = self._nbytes + nbytes + self._beside - self._account.nbytes
        return more <= 0 or self._account.try_grow(more)

    def _settle_account(self) -> None:
        """Give back what the budget bears beyond what is held, or prepaid while the pool is open."""
        due = self._nbytes if self._closed else max(self._prepaid, self._nbytes) + self._beside
        self._account.nbytes = min(self._account.nbytes, due)

    def __del__(self) -> None:
        if hasattr(self, "_origin"):
            self.close()


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
