"""Sinks for rows: where a table of unknown length is written, complete or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType

__all__ = ["TableSink"]


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
