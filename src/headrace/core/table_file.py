"""What all sinks that write rows into a file share: appended in slices, published by rename."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from headrace.core.publish import PartFile
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType

__all__ = ["TableFile"]


class TableFile(ABC):
    """A table written into a file from front to back; keeps the protocol of `headrace.core.tables.TableSink`.

    Parameters
    ----------
    path : str or path-like
        The output.
    job, force, durable, resume
        See `PartFile`; the table is written from its beginning all the same.

    Notes
    -----
    A format says what is written at the beginning (`_begin`), for a slice of rows (`_take`) and at the end (`_end`);
    each writes with `_append`. Rows are handed to `_take` by at most `slice_rows`, so that memory is bounded.
    """

    slice_rows = 2048  # as text, Python objects of a hundred bytes for each value

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
        self._dtype: DType | None = None
        self._position = 0
        self.path = os.fspath(path)
        self.n_rows = 0

    def open(self, dtype: DType) -> None:
        """See `TableSink.open`."""
        if dtype.names is None:
            raise SchemaError(f"rows have a structured dtype, such as [('start', 'i8'), ('end', 'i8')]: got {dtype}")
        self._check(dtype)
        self._part.open(None)
        self._dtype, self._position, self.n_rows = dtype, 0, 0
        try:
            self._begin(dtype)
        except BaseException:
            self.abort()
            raise

    def write(self, rows: Array) -> None:
        """See `TableSink.write`."""
        if rows.dtype != self._opened:
            raise SchemaError(f"rows of dtype {rows.dtype} for a table of {self._dtype}: convert them with astype")
        for first in range(0, len(rows), self.slice_rows):
            self._take(rows[first : first + self.slice_rows])
        self.n_rows += len(rows)

    def commit(self) -> None:
        """See `TableSink.commit`."""
        try:
            self._end(self._opened)
            self._part.commit(self._position)
        except BaseException:
            self.abort()
            raise
        self._dtype = None

    def abort(self) -> None:
        """See `TableSink.abort`."""
        self._dtype = None
        self._part.abort()

    @property
    def part(self) -> PartFile:
        """The output in the making."""
        return self._part

    @property
    def _opened(self) -> DType:
        if self._dtype is None:
            raise ValueError(f"the table {self.path} is not open: open it before rows are written, and only once")
        return self._dtype

    def _append(self, data: bytes | memoryview) -> None:
        self._part.write(memoryview(data), self._position)
        self._position += memoryview(data).nbytes

    def _check(self, dtype: DType) -> None:  # noqa: B027 - most formats take any rows
        """Refuse rows that the format cannot hold, before anything is created."""

    @abstractmethod
    def _begin(self, dtype: DType) -> None:
        """Write what comes before the rows."""

    @abstractmethod
    def _take(self, rows: Array) -> None:
        """Write some rows, at least one."""

    @abstractmethod
    def _end(self, dtype: DType) -> None:
        """Write what comes after the rows."""
