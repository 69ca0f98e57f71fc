"""Windows of one flow, computed by position: each as if the whole flow had been run and sliced."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from headrace.core.buffers import BufferPool
from headrace.core.chunk import Chunk
from headrace.core.operator import Windowed
from headrace.core.sections import Bench, Sections
from headrace.core.source import Source
from headrace.core.span import Span
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.core.arrays import Array
    from headrace.core.flow import SampleFlow
    from headrace.core.operator import Spec

__all__ = ["WindowReader"]

_RUN_BYTES = 1024 * 1024  # of neighbouring windows computed at once


class WindowReader:
    """Reads windows of a flow from any thread.

    Parameters
    ----------
    flow : SampleFlow
        Over a source that is read by position, with operators that answer windows.
    length : int
        Samples in a window.

    Raises
    ------
    SchemaError
        If it is a stream, or an operator has to go over all of the signal.

    Notes
    -----
    Each thread that reads takes buffers that another is done with, or makes its own. Pickled, it carries source,
    operators and length.
    """

    def __init__(self, flow: SampleFlow, length: int) -> None:
        source = flow.source
        if not isinstance(source, Source):
            raise SchemaError(
                "windows are read by position, and this signal comes once, as a stream: write it to a file with "
                "to_file(path), and open that"
            )
        windowed = [operator for operator in flow.operators if isinstance(operator, Windowed)]
        for operator in flow.operators:
            if not isinstance(operator, Windowed):
                raise SchemaError(
                    f"windows are computed by position, and {operator!r} has to go over all of the signal: write the "
                    "flow to a file with to_file(path), and open that"
                )
        self._state = source, windowed, length
        self._prepare()

    def _prepare(self) -> None:
        source, windowed, self._length = self._state
        self._sections = sections = Sections(source, windowed)
        self._run = max(self._length, _RUN_BYTES // max(1, sections.widest)) if windowed else self._length
        self._sizes = [*sections.bench_sizes(self._run, aligned=False), self._run * sections.spec.sample_bytes]
        if not windowed:
            self._sizes[-1] = 0
        self._benches: deque[tuple[BufferPool, Bench]] = deque()

    @property
    def spec(self) -> Spec:
        """What the flow gives; of no particular length."""
        return self._sections.spec

    @property
    def segments(self) -> list[tuple[int, int]]:
        """First sample and number of samples of each segment."""
        return [(item.offset, item.chain.n_out) for item in self._sections.items]

    @property
    def scratch_bytes(self) -> int:
        """Bytes that one call of `read` uses beyond its arguments."""
        sections = self._sections
        return Bench.nbytes(self._sizes) + sections.thread_bytes + sections.shared_bytes

    def read(self, segment: int, starts: Array, out: Array, rows: Array) -> None:
        """Fill some rows of `out`.

        Parameters
        ----------
        segment : int
            Number of the segment.
        starts : ndarray, shape (k,), int64
            First samples, counted from the start of the segment; rising. The windows lie inside.
        out : ndarray, shape (any, length, ...)
            C-contiguous.
        rows : ndarray, shape (k,), int64
            Where each window belongs.

        Raises
        ------
        SourceChanged, SourceIOError
            If the source is no longer what was opened, or failed.
        """
        section, length = self._sections.items[segment], self._length
        pool, bench = self._bench()
        clock: dict[str, float] = {}
        for first, last in self._runs(starts, max((s.plan.grid for s in section.chain.stages), default=0)):
            begin = int(starts[first])
            if last - first == 1:
                self._sections.fill(section, Chunk(Span(begin, begin + length), out[rows[first]]), bench, clock)
                continue
            span = Span(begin, int(starts[last - 1]) + length)
            run = bench.view(-1, (span.size, *self.spec.shape), self.spec.dtype)
            self._sections.fill(section, Chunk(span, run), bench, clock)
            for place in range(first, last):
                out[rows[place]] = run[starts[place] - begin :][:length]
        self._benches.append((pool, bench))

    def _runs(self, starts: Array, cell: int) -> Iterator[tuple[int, int]]:
        """Put windows together that need one cell of an operator, so that it is not computed for each of them."""
        first = 0
        for place in range(1, len(starts) + 1):
            if place < len(starts) and cell:
                shared = starts[place] // cell <= (starts[place - 1] + self._length - 1) // cell
                if shared and starts[place] + self._length - starts[first] <= self._run:
                    continue
            yield first, place
            first = place

    def _bench(self) -> tuple[BufferPool, Bench]:
        try:
            return self._benches.pop()
        except IndexError:
            pool = BufferPool(max(1, Bench.nbytes(self._sizes)))
            return pool, Bench(pool, self._sizes)

    def __getstate__(self) -> dict[str, object]:
        return {"_state": self._state}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._prepare()
