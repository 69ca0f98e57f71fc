"""Sinks: where a flow's output goes. Raw and .npy files, an array, or nowhere."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from headrace.core import registry
from headrace.core.arrays import byte_view
from headrace.core.budget import Reservation
from headrace.core.npy import HEADER_BYTES, npy_header
from headrace.core.publish import PartFile
from headrace.core.sizes import format_bytes
from headrace.errors import BudgetTooSmall, SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.arrays import Array
    from headrace.core.budget import Budget
    from headrace.core.chunk import Chunk
    from headrace.core.operator import Spec

__all__ = ["ArraySink", "DiscardSink", "Gate", "NpySink", "RawSink", "Sink", "file_sink"]

_RAW = re.compile(r"|\.(bin|dat|raw|pcm|iq|(i|u|f|c|s|ci|cf|int|uint|float|complex)(8|16|24|32|64|128)(le|be)?)")


@runtime_checkable
class Sink(Protocol):
    """Takes the chunks of one flow.

    Life: `open`, then `write` any number of times, then `commit`; or `abort` at any point. A sink that writes a file
    has it as attribute `path`, so that a flow can refuse to write over its own input.
    """

    def open(self, spec: Spec) -> None:
        """Get ready for ``spec.n`` samples (``None``: not known, chunks then come in order); reserve space."""
        ...

    def write(self, chunk: Chunk) -> None:
        """Take one chunk. Called from any thread, in any order, at most once for each sample."""
        ...

    def commit(self, n: int) -> None:
        """Finish: all `n` samples were written."""
        ...

    def abort(self) -> None:
        """Leave nothing behind. May be called twice, and after `commit`.

        Calls of `write` that began before may still be under way, in threads that did not end in time (a disk that
        hangs): what they write must reach nothing that is not this sink's.
        """
        ...


class Gate:
    """The way to a sink's `write`, until it is shut: a task that outlives its run then writes no more.

    Parameters
    ----------
    sink : Sink
        What is behind it.
    """

    def __init__(self, sink: Sink) -> None:
        self._write: Callable[[Chunk], None] = sink.write

    def write(self, chunk: Chunk) -> None:
        """See `Sink.write`; does nothing once the gate is shut."""
        self._write(chunk)

    def shut(self) -> None:
        """Let nothing more through."""
        self._write = _nowhere


def _nowhere(chunk: Chunk) -> None:
    del chunk


class DiscardSink:
    """Takes everything and keeps nothing: for measuring, and for flows run for their side effects."""

    def open(self, spec: Spec) -> None:
        """See `Sink.open`."""

    def write(self, chunk: Chunk) -> None:
        """See `Sink.write`."""

    def commit(self, n: int) -> None:
        """See `Sink.commit`."""

    def abort(self) -> None:
        """See `Sink.abort`."""


class RawSink:
    """A file of samples in C order and native byte order, with no header.

    Parameters
    ----------
    path : str or path-like
        The output.
    job, force, durable, resume
        See `PartFile`.
    """

    _header_bytes = 0

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        job: str = "",
        force: bool = False,
        durable: bool = False,
        resume: bool = False,
    ) -> None:
        self._part = PartFile(path, job=job, force=force, durable=durable, resume=resume)
        self._spec: Spec | None = None
        self.path = os.fspath(path)

    def open(self, spec: Spec) -> None:
        """See `Sink.open`."""
        self._spec = spec
        self._part.open(None if spec.n is None else self._header_bytes + spec.n * self._sample_bytes)

    def write(self, chunk: Chunk) -> None:
        """See `Sink.write`."""
        if len(chunk):
            data = np.ascontiguousarray(chunk.array)
            self._part.write(byte_view(data), self._header_bytes + chunk.start * self._sample_bytes)

    def commit(self, n: int) -> None:
        """See `Sink.commit`."""
        self._part.commit(self._header_bytes + n * self._sample_bytes)

    def abort(self) -> None:
        """See `Sink.abort`."""
        self._part.abort()

    @property
    def part(self) -> PartFile:
        """The output in the making."""
        return self._part

    @property
    def _sample_bytes(self) -> int:
        if self._spec is None:
            raise ValueError("a sink is opened before it is written")
        return self._spec.sample_bytes


class NpySink(RawSink):
    """A .npy file of shape ``(n,)`` or ``(n, channels)``; see `RawSink` for parameters."""

    _header_bytes = HEADER_BYTES

    def commit(self, n: int) -> None:
        """See `Sink.commit`."""
        if self._spec is None:
            raise ValueError("a sink is opened before it is written")
        self._part.write(memoryview(npy_header((n, *self._spec.shape), self._spec.dtype)), 0)
        super().commit(n)


class ArraySink:
    """One array in memory, refused if the budget cannot hold it.

    Parameters
    ----------
    budget : Budget
        What the array is charged to; the caller keeps the array, and its bytes stay reserved until `release`.
    beside : int
        Bytes that the run needs beside it.
    """

    def __init__(self, budget: Budget, beside: int = 0) -> None:
        self._budget, self._beside = budget, beside
        self._taken = Reservation(budget)
        self._spec: Spec | None = None
        self._array: Array | None = None
        self._parts: list[Array] = []

    def open(self, spec: Spec) -> None:
        """See `Sink.open`."""
        self._spec = spec
        if spec.n is None:
            self._beside = 0  # pieces are reserved as they come, when the run has its share already
        else:
            self._reserve(spec.n * spec.sample_bytes)
            self._array = np.empty((spec.n, *spec.shape), spec.dtype)

    def write(self, chunk: Chunk) -> None:
        """See `Sink.write`."""
        if self._array is not None:
            self._array[chunk.start : chunk.stop] = chunk.array
        else:  # of unknown length: kept in pieces, twice the size while they are joined
            self._reserve(2 * chunk.array.nbytes)
            self._parts.append(chunk.array.copy())

    def commit(self, n: int) -> None:
        """See `Sink.commit`."""
        if self._array is None and self._spec is not None:
            empty = np.empty((0, *self._spec.shape), self._spec.dtype)
            self._array = np.concatenate([empty, *self._parts])[:n]
            self._parts.clear()

    def abort(self) -> None:
        """See `Sink.abort`."""
        self._taken.release()
        self._parts.clear()

    release = abort

    @property
    def array(self) -> Array:
        """The samples, once committed."""
        if self._array is None:
            raise ValueError("nothing was committed to this sink")
        return self._array

    def _reserve(self, count: int) -> None:
        needed = self._budget.used + count + self._beside
        if needed > self._budget.size or not self._taken.try_grow(count):
            run = f" and the run {format_bytes(self._beside)} beside it" if self._beside else ""
            raise BudgetTooSmall(
                f"the result in memory needs {format_bytes(count)}{run}; {format_bytes(self._budget.left)} of the "
                f"budget's {format_bytes(self._budget.size)} are left: raise memory= above {format_bytes(needed)}, "
                "or write it with to_file(path)",
                needed=needed,
                available=self._budget.left,
            )


def file_sink(path: str | os.PathLike[str], **options: Any) -> Sink:
    """Choose the sink for a path by its suffix: ``.npy``, a registered one, or raw samples.

    Raises
    ------
    SchemaError
        If the suffix is none of these: raw samples under the name of another format would be read by nothing.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".npy":
        return NpySink(path, **options)
    provider = registry.find("sink", suffix) if suffix else None
    if provider is None:
        if not _RAW.fullmatch(suffix):
            known = ", ".join([".npy", *registry.names("sink")])
            raise SchemaError(
                f"{path} has the unknown suffix {suffix}: samples are written to {known}, and as raw bytes to .bin, "
                ".dat, .raw, a suffix such as .i16 or .float32, or none"
            )
        return RawSink(path, **options)
    made: Sink = provider(path, **options)
    return made
