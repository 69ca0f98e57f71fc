"""Medians over any number of segments, in constant memory: their values wait in a temporary file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.core.arrays import byte_view
from headrace.core.tempfiles import UnnamedFile

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from headrace.core.arrays import Array

__all__ = ["ColumnMedians", "median_bias", "median_bytes"]

_SELECTED_BYTES = 8 << 20  # of values that medians are taken of at once
_TILE_BYTES = 1 << 20  # of values that are written at once
_BITS = 16  # of a number's 64 that one pass over a column too long for memory finds


def median_bytes(row_bytes: int) -> int:
    """Give the memory that `ColumnMedians` takes, for rows of so many bytes."""
    return _SELECTED_BYTES + 2 * max(_TILE_BYTES, row_bytes) + (8 << _BITS)


class ColumnMedians:
    """Exact medians of the columns of a table that is given row by row.

    Parameters
    ----------
    columns : int
        Values in a row.
    tmp : str, path-like or None
        Folder of the temporary file, which is begun when there are too many rows for memory; ``None`` for the system's.
    memory : int
        Bytes of values that medians are taken of at once; for tests.

    Raises
    ------
    OutputError
        From `add`, if the folder does not take the file.

    Notes
    -----
    The file holds tiles of so many rows, transposed, so that a column is read in large pieces. Of a column that is
    longer than `memory`, the middle values are found 16 bits at a time, by counting.
    """

    def __init__(
        self, columns: int, tmp: str | os.PathLike[str] | None = None, *, memory: int = _SELECTED_BYTES
    ) -> None:
        self._columns, self._tmp, self._memory = columns, tmp, memory
        self._rows = max(1, min(_TILE_BYTES, memory) // (8 * columns))  # of a tile
        self._tile = np.empty((columns, self._rows))
        self._filled = self._tiles = 0
        self._file: UnnamedFile | None = None

    @property
    def count(self) -> int:
        """Rows that were given."""
        return self._tiles * self._rows + self._filled

    def add(self, rows: Array) -> None:
        """Take rows, shape (k, columns) float64."""
        while len(rows):
            if self._filled == self._rows:
                self._write()
            some = min(len(rows), self._rows - self._filled)
            self._tile[:, self._filled : self._filled + some] = rows[:some].T
            self._filled += some
            rows = rows[some:]

    def medians(self) -> Array:
        """Give the median of each column, (columns,) float64: as `numpy.median` has it, NaN where there is a NaN."""
        found = np.full(self._columns, np.nan)
        if not self.count:
            return found
        together = self._memory // (8 * self.count)
        if not together:
            for column in range(self._columns):
                found[column] = self._selected(column)
            return found
        for first in range(0, self._columns, together):
            last = min(self._columns, first + together)
            values = np.empty((last - first, self.count))
            place = 0
            for part in self._parts(first, last):
                values[:, place : place + part.shape[1]] = part
                place += part.shape[1]
            found[first:last] = np.median(values, axis=1, overwrite_input=True)
        return found

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        if self._file is not None:
            self._file.close()

    def _write(self) -> None:
        if self._file is None:
            self._file = UnnamedFile(self._tmp, "a temporary file of spectra")
        self._file.write(byte_view(self._tile), self._tiles * self._tile.nbytes)
        self._tiles += 1
        self._filled = 0

    def _parts(self, first: int, last: int) -> Iterator[Array]:
        """Give some columns, a tile at a time: (columns, k)."""
        part = np.empty((last - first, self._rows))
        for tile in range(self._tiles if self._file is not None else 0):
            self._file.read(byte_view(part), tile * self._tile.nbytes + first * self._rows * 8)  # type: ignore[union-attr]
            yield part
        yield self._tile[first:last, : self._filled]

    def _selected(self, column: int) -> float:
        """Find the median of one column in passes over it."""
        lower, upper = (self.count - 1) // 2, self.count // 2
        for part in self._parts(column, column + 1):
            if np.isnan(part).any():
                return float("nan")
        middle = self._ranked(column, lower)
        return middle if lower == upper else (middle + self._ranked(column, upper)) / 2

    def _ranked(self, column: int, rank: int) -> float:
        """Find the value of a rank, 0 the smallest, from its highest bits down."""
        known = np.uint64(0)
        for shift in range(64 - _BITS, -1, -_BITS):
            counts = np.zeros(1 << _BITS, np.int64)
            for part in self._parts(column, column + 1):
                keys = _ordered(part[0])
                if shift + _BITS < 64:
                    keys = keys[keys >> np.uint64(shift + _BITS) == known]
                digits = (keys >> np.uint64(shift)) & np.uint64((1 << _BITS) - 1)
                counts += np.bincount(digits.astype(np.intp), minlength=1 << _BITS)
            upto = np.cumsum(counts)
            digit = int(np.searchsorted(upto, rank, side="right"))
            rank -= int(upto[digit] - counts[digit])
            known = (known << np.uint64(_BITS)) | np.uint64(digit)
        return _unordered(known)


_SIGN = np.uint64(1 << 63)


def _ordered(values: Array) -> Array:
    """Turn numbers into integers in the same order."""
    bits = np.ascontiguousarray(values).view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _unordered(key: np.uint64) -> float:
    """Turn one back."""
    bits = key & ~_SIGN if key & _SIGN else ~key
    return float(np.array([bits], np.uint64).view(np.float64)[0])


def median_bias(count: int) -> float:
    """Give the median of so many periodograms of noise, over their mean.

    References
    ----------
    B. Allen, W. G. Anderson, P. R. Brady, D. A. Brown and J. D. E. Creighton, "FINDCHIRP: an algorithm for detection of
    gravitational waves from inspiraling compact binaries", Physical Review D 85 (2012), appendix B.
    """
    pairs, bias = (count - 1) // 2, 1.0
    for first in range(1, pairs + 1, 65_536):
        even = 2.0 * np.arange(first, min(first + 65_536, pairs + 1))
        bias += float(np.sum(1 / (even + 1) - 1 / even))
    return bias
