"""Leases: how a pool learns that the last view of a buffer is gone.

The array handed out is built on a `Lease` object through the ``__array_interface__`` protocol, so every view of it
(slices, memoryviews, DLPack capsules, tensors) keeps the lease alive. A weak reference watches the lease; its callback
is ``deque.append`` itself, a C function that takes no lock and runs no bytecode, because it may run in any thread, in
the middle of a garbage collection, while the pool is locked. The pool drains the deque the next time it is asked for
anything.
"""

from __future__ import annotations

import mmap
import sys
import weakref
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from headrace.core.sizes import whole_pages

if TYPE_CHECKING:
    from headrace.core.arrays import Array

__all__ = ["BASELINE", "Block", "Kind", "Lease", "Memory", "Return", "padded", "page_buffer", "references"]

Kind: TypeAlias = tuple[tuple[int, ...], str]
"""What a buffer can be reused for, as (shape, dtype)."""


class Memory(Protocol):
    """What an allocator returns: something with a writable buffer, freed when nothing refers to it."""

    def __buffer__(self, flags: int, /) -> memoryview: ...


def page_buffer(nbytes: int) -> Memory:
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


class Block:
    """One allocation, made for one class; lent, returned and lent again."""

    __slots__ = ("interface", "key", "memory", "nbytes")

    def __init__(self, memory: Any, key: Kind, nbytes: int) -> None:
        self.memory, self.key, self.nbytes = memory, key, nbytes
        address = np.frombuffer(memory, np.uint8).__array_interface__["data"][0]
        self.interface = {"version": 3, "shape": key[0], "typestr": key[1], "data": (address, False)}


class Lease:
    """Owns one block while any view of it lives."""

    __slots__ = ("__array_interface__", "__weakref__", "block", "pool")

    def __init__(self, pool: object, block: Block) -> None:
        self.pool = pool  # the pool outlives its buffers, so that their bytes are always given back
        self.block = block
        self.__array_interface__ = block.interface


class Return(weakref.ref[Lease]):
    """Watches a lease; appended to the pool's deque when the last view is gone."""

    __slots__ = ("array", "block")
    __hash__ = object.__hash__  # a reference proper has neither once its object is gone
    __eq__ = object.__eq__

    block: Block
    array: weakref.ref[Array]


def padded(key: Kind) -> int:
    """Bytes a buffer really takes: whole pages."""
    shape, dtype = key
    nbytes = np.dtype(dtype).itemsize
    for length in shape:
        if length < 0:
            raise ValueError(f"a shape has no negative lengths: got {shape}")
        nbytes *= length
    return max(mmap.PAGESIZE, whole_pages(nbytes))


def references(array: Array) -> int:
    """Count the references to an array, the callers' own included: compare with `BASELINE`."""
    return sys.getrefcount(array)


def _calibrate() -> int:
    """Count the references that `put` itself sees on an array that has one holder and no view.

    Interpreters differ (3.14 lends references to callees), so the count is taken the way `put` takes it, from a
    holder that owns its reference.
    """

    class Probe:
        array = np.empty(0)

        def put(self, array: Array) -> int:
            return references(array)

    probe = Probe()
    return probe.put(probe.array)


BASELINE = _calibrate()
