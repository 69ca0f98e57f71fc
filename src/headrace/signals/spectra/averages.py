"""Averages over segments, made of what blocks gave, and the rows of their table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from headrace.errors import SchemaError
from headrace.signals.spectra.medians import ColumnMedians, median_bias

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from headrace.core.arrays import Array, DType
    from headrace.core.blockwise import Outcome

__all__ = ["AverageRows", "Mean", "Median"]

_ROWS = 4096  # handed over at once


class _Averager(Protocol):
    def add(self, values: Array, count: int) -> None: ...
    def average(self, count: int) -> Array: ...
    def close(self) -> None: ...


class Mean:
    """The mean, added up cell by cell in their order with what rounding loses kept beside (Neumaier).

    Parameters
    ----------
    shape : tuple of int
        Of the values of a segment.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._sum, self._lost = np.zeros(shape), np.zeros(shape)

    def add(self, values: Array, count: int) -> None:  # noqa: ARG002 - the median's
        """Take sums over some segments, (cells, *shape)."""
        with np.errstate(invalid="ignore", over="ignore"):
            for cell in values:
                total = self._sum + cell
                part = total - self._sum
                self._lost += (self._sum - (total - part)) + (cell - part)
                self._sum = total

    def average(self, count: int) -> Array:
        """Give the mean over so many segments."""
        lost = np.where(np.isfinite(self._lost), self._lost, 0.0)  # of an infinite sum nothing is lost
        found: Array = (self._sum + lost) / count
        return found

    def close(self) -> None:
        """Hold nothing."""


class Median:
    """The median, over the mean that noise has with it.

    Parameters
    ----------
    shape : tuple of int
        Of the values of a segment.
    tmp : str, path-like or None
        Folder for a temporary file.
    """

    def __init__(self, shape: tuple[int, ...], tmp: str | os.PathLike[str] | None) -> None:
        self._shape = shape
        self._columns = ColumnMedians(int(np.prod(shape)), tmp)

    def add(self, values: Array, count: int) -> None:
        """Take the values of some segments, (count, *shape)."""
        self._columns.add(values.reshape(count, int(np.prod(self._shape))))

    def average(self, count: int) -> Array:
        """Give the median over so many segments, without bias."""
        found: Array = self._columns.medians().reshape(self._shape)
        return found / median_bias(count)

    def close(self) -> None:
        """Let go of the file."""
        self._columns.close()


class AverageRows:
    """Averages what blocks gave, and makes rows at the end; see `headrace.core.blockwise.Fold`.

    Parameters
    ----------
    averager : Mean or Median
        Takes the values of segments.
    n_channels : int
        Channels of the flow.
    rows : callable
        ``rows(averages)`` gives all rows, (k,), of a structured dtype.
    dtype : dtype
        Of the rows.
    needed : str
        What to say where there was no whole segment.
    """

    def __init__(
        self, averager: _Averager, n_channels: int, rows: Callable[[Array], Array], dtype: DType, needed: str
    ) -> None:
        self.dtype = dtype
        self._averager, self._n_channels, self._make, self._needed = averager, n_channels, rows, needed
        self._groups: list[Array] = []
        self._count = self._samples = 0

    def add(self, outcome: Outcome[tuple[Array, int]]) -> Iterator[Array]:
        """Take the values of a block; give nothing before the end."""
        values, count = outcome.result
        self._groups.append(values)
        if outcome.channels.stop == self._n_channels:
            whole = self._groups[0] if len(self._groups) == 1 else np.concatenate(self._groups, axis=1)
            self._groups = []
            self._averager.add(whole, count)
            self._count += count
            self._samples += outcome.span.size
        yield from ()

    def finish(self) -> Iterator[Array]:
        """Give the rows; none where there were no samples.

        Raises
        ------
        SchemaError
            If there were some, and no whole segment of them.
        """
        if not self._samples:
            return
        if not self._count:
            raise SchemaError(f"{self._samples:,} samples have no whole segment {self._needed}")
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            rows = self._make(self._averager.average(self._count))
        for first in range(0, len(rows), _ROWS):
            yield rows[first : first + _ROWS]

    def close(self) -> None:
        """See `headrace.core.blockwise.Fold.close`."""
        self._groups = []
        self._averager.close()
