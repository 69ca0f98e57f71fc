"""Sinks for rows: where a table of unknown length is written, complete or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from headrace.core.budget import Reservation

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType
    from headrace.core.budget import Budget

__all__ = ["ArrayTable", "TableSink"]


class TableSink(Protocol):
    """Takes rows in order: `open`, `write` ..., then `commit` or `abort`."""

    def open(self, dtype: DType) -> None:
        """Begin a table of rows of this structured dtype.

        Raises
        ------
        OutputExists, OutputError
            If it cannot be begun.
        """
        ...

    def write(self, rows: Array) -> None:
        """Append rows, shape (k,)."""
        ...

    def commit(self) -> None:
        """Publish the table."""
        ...

    def abort(self) -> None:
        """Delete what was written. May be called twice, and after `commit`."""
        ...


class ArrayTable:
    """One structured array in memory, refused if the budget cannot hold it.

    Parameters
    ----------
    budget : Budget
        What the rows are charged to, until `abort`.
    """

    def __init__(self, budget: Budget) -> None:
        self._taken = Reservation(budget)
        self._parts: list[Array] = []
        self._dtype: DType | None = None
        self._array: Array | None = None

    def open(self, dtype: DType) -> None:
        """See `TableSink.open`."""
        self._dtype = dtype

    def write(self, rows: Array) -> None:
        """See `TableSink.write`."""
        self._taken.grow(2 * rows.nbytes, "a table in memory")  # in pieces, twice the size while they are joined
        self._parts.append(rows.copy())

    def commit(self) -> None:
        """See `TableSink.commit`."""
        self._array = np.concatenate([np.empty(0, self._dtype), *self._parts])
        self._parts.clear()

    def abort(self) -> None:
        """See `TableSink.abort`; what was committed stays the caller's."""
        self._taken.release()
        self._parts.clear()

    @property
    def array(self) -> Array:
        """The rows, once committed."""
        if self._array is None:
            raise ValueError("nothing was committed to this table")
        return self._array
