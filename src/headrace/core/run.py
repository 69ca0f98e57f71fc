"""One run of a flow: how it is to be made, the engine it gets, and its output chunk by chunk."""

from __future__ import annotations

import errno
import gc
import os
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from headrace.core.arrays import delivered_dtype
from headrace.core.budget import Budget
from headrace.core.cast import check_cast
from headrace.core.checks import whole_number
from headrace.core.closeable import Closeable
from headrace.core.engine import Means
from headrace.core.engines import chunk_engine, sink_engine
from headrace.core.executors import executor_of
from headrace.core.journal import NO_JOURNAL
from headrace.core.operator import Operator, Widens
from headrace.core.progress import progress_of
from headrace.core.report import Meter
from headrace.errors import Cancelled, HeadraceError, RingStarved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from headrace.core.arrays import DType
    from headrace.core.chunk import Chunk
    from headrace.core.engine import ChunkEngine, SinkEngine
    from headrace.core.executors import Closing, Executor
    from headrace.core.journal import NoJournal
    from headrace.core.progress import ProgressArgument
    from headrace.core.report import RunReport
    from headrace.core.run_journal import RunJournal
    from headrace.core.source import Source, StreamSource

__all__ = ["Chunks", "RunKeywords", "RunOptions", "check_complete"]


class Row(Protocol):
    """What is run: a source with operators in a row, as `headrace.core.flow.SampleFlow` is."""

    @property
    def source(self) -> Source | StreamSource: ...
    @property
    def operators(self) -> tuple[Operator, ...]: ...
    @property
    def dtype(self) -> DType: ...
    @property
    def n_samples(self) -> int | None: ...


class RunKeywords(TypedDict, total=False):
    """The options that all ways of running a flow share; `headrace.core.flow.SampleFlow` documents them."""

    memory: int | str | Budget | None
    threads: int | None
    executor: Executor | str | None
    progress: ProgressArgument
    chunk: int | None
    out_dtype: Any
    tmp: str | os.PathLike[str] | None


@dataclass(frozen=True)
class RunOptions:
    """How one run is to be made; checked `RunKeywords`.

    Attributes
    ----------
    budget : Budget
        Bytes it may hold.
    executor : callable
        ``with executor() as found``: who works, see `executor_of`. Entered when the run begins, and not before.
    threads : int or None
        The most tasks to run at once, if the user insists.
    progress : ProgressArgument
        What to tell about progress.
    chunk : int or None
        Output samples per chunk, if the user insists.
    dtype : dtype
        Delivered.
    tmp : str or None
        Folder for temporary files.
    journal : NoJournal or RunJournal
        Where what is done is kept.
    """

    budget: Budget
    executor: Callable[[], AbstractContextManager[Executor]]
    threads: int | None
    progress: ProgressArgument
    chunk: int | None
    dtype: DType
    bits: int | None = None
    tmp: str | None = None
    journal: NoJournal | RunJournal = NO_JOURNAL

    @classmethod
    def of(cls, row: Row, options: RunKeywords) -> RunOptions:
        """Check a user's options before any work.

        Raises
        ------
        TypeError
            If there is no such option.
        ValueError, SchemaError
            If one has an impossible value.
        """
        unknown = sorted(set(options) - set(RunKeywords.__annotations__))
        if unknown:
            raise TypeError(f"no such option: {', '.join(unknown)}; there are {', '.join(RunKeywords.__annotations__)}")
        chunk, threads = options.get("chunk"), options.get("threads")
        if chunk is not None:
            chunk = whole_number("chunk", chunk, least=1)
        if threads is not None:
            threads = whole_number("threads", threads, least=1)
        dtype, bits = row.dtype, None
        if options.get("out_dtype") is not None:
            dtype, bits = delivered_dtype(options["out_dtype"])
            check_cast(row.dtype, dtype)
        tmp = options.get("tmp")
        if tmp is not None and not Path(tmp).is_dir():
            raise FileNotFoundError(errno.ENOENT, "tmp= is not a folder", os.fspath(tmp))
        return cls(
            budget=Budget.of(options.get("memory")),
            executor=executor_of(options.get("executor"), threads),
            threads=threads,
            progress=options.get("progress"),
            chunk=chunk,
            dtype=dtype,
            bits=bits,
            tmp=None if tmp is None else os.fspath(tmp),
        )

    def means(self, executor: Executor, meter: Meter, tell: Callable[[], object]) -> Means:
        """Give an engine what it works with."""
        threads = min(executor.threads, self.threads or executor.threads)
        return Means(executor, meter, self.dtype, self.chunk, threads, self.tmp, self.bits, tell, self.journal)

    def chunk_engine(self, row: Row, executor: Executor, meter: Meter, tell: Callable[[], object]) -> ChunkEngine:
        """Choose and make the engine that hands the output over; it has not begun."""
        return chunk_engine(row.source, self._operators(row), self.means(executor, meter, tell))

    def sink_engine(self, row: Row, executor: Executor, meter: Meter, tell: Callable[[], object]) -> SinkEngine:
        """Choose and make the engine that writes the output; it has not begun."""
        return sink_engine(row.source, self._operators(row), self.means(executor, meter, tell))

    def _operators(self, row: Row) -> tuple[Operator, ...]:
        """Give the operators, the last one with float64 output where integers are delivered: rounded once."""
        operators = row.operators
        last: object = operators[-1] if operators else None
        if self.dtype.kind in "iu" and isinstance(last, Widens):
            return (*operators[:-1], last.widened())
        return operators


def check_complete(done: int, total: int | None) -> None:
    """Refuse to call a run complete that is not: no output is ever cut short silently."""
    if total is not None and done != total:
        raise HeadraceError(
            f"a run ended after {done} of {total} samples: this is a fault in headrace, please report it"
        )


class Chunks(Closeable):
    """The output of a flow, chunk by chunk; made by `SampleFlow.chunks` and by iterating over a flow.

    Notes
    -----
    The work starts with the first ``next`` and stops with `close`, at the end, on an error, when a ``with`` block is
    left, or when the last reference goes; no thread is left behind.
    """

    def __init__(self, row: Row, options: RunOptions) -> None:
        self._row, self._options = row, options
        self._meter = Meter()
        self._display = progress_of(options.progress, "chunks")
        self._held = ExitStack()
        self._iterator: Closing[Chunk] | None = None
        self._closed = self._finished = False
        self._total = row.n_samples
        self._handed = 0.0  # when the consumer got its last chunk

    def __iter__(self) -> Chunks:
        return self

    def __next__(self) -> Chunk:
        if self._finished:
            raise StopIteration
        if self._closed:
            raise Cancelled("this iteration was closed, or ended by an error, before all chunks were taken")
        if self._handed:
            self._meter.add({"consumer": time.perf_counter() - self._handed}, threads=1)
            self._handed = 0.0
        try:
            if self._iterator is None:
                self._iterator = self._begin()
            chunk = self._take(self._iterator)
        except RingStarved:
            if self._iterator is None:
                self.close()
            raise  # let go of some chunks, and ask again
        except StopIteration:
            self._complete()
            raise
        except BaseException:
            self.close()
            raise
        meter = self._meter
        meter.n_samples = chunk.stop
        meter.bytes_out += chunk.array.nbytes
        self._display.update(chunk.stop, self._total, meter)
        self._handed = time.perf_counter()
        return chunk

    def _begin(self) -> Closing[Chunk]:
        executor = self._held.enter_context(self._options.executor())
        tell = partial(self._display.update, 0, self._total, self._meter)
        engine = self._held.enter_context(closing(self._options.chunk_engine(self._row, executor, self._meter, tell)))
        engine.begin(self._options.budget)
        return self._held.enter_context(closing(engine.chunks()))

    def _complete(self) -> None:
        """Close at the end, having made sure that it is the end."""
        try:
            check_complete(self._meter.n_samples, self._total)
            self._display.update(self._meter.n_samples, self._total, self._meter, last=True)
        finally:
            self.close()
        self._finished = True

    def _take(self, iterator: Iterator[Chunk]) -> Chunk:
        try:
            return next(iterator)
        except RingStarved:
            gc.collect()  # chunks may be held by nothing but reference cycles
            return next(iterator)

    @property
    def report(self) -> RunReport:
        """What the iteration did and cost so far."""
        return self._meter.report()

    def close(self) -> None:
        """Stop the work; chunks already taken stay valid. May be called twice."""
        self._closed = True
        self._iterator = None
        self._held.close()
        self._display.close()

    def __del__(self) -> None:
        if hasattr(self, "_closed"):
            self.close()
