"""The temporary file between the passes: regions of rows, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.core.sizes import whole_pages

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType
    from headrace.core.span import Span
    from headrace.core.tempfiles import ScratchFile

__all__ = ["AHEAD", "Regions", "side_for"]

_REGION_BYTES = 8 * 1024 * 1024
_WIDEST, _NARROWEST = 32, 16

AHEAD = 16
"""Regions between a row and its result, which never overwrites what it is made of: a task may run twice."""


def side_for(length: int, dtype: DType) -> int:
    """Give the number of rows in a region: a function of their length, so that a region stays small."""
    return _WIDEST if length * _WIDEST * dtype.itemsize <= _REGION_BYTES else _NARROWEST


@dataclass(frozen=True, slots=True)
class Regions:
    """A matrix, in regions of some rows each, column by column: columns of a region are one stretch of the file.

    Attributes
    ----------
    rows, columns : int
        Of the matrix.
    side : int
        Rows in a region; the last region has as many.
    dtype : dtype
        Of the values.
    least : int
        Bytes of a region, at least.
    shift : int
        Regions that the file has before the first.
    """

    rows: int
    columns: int
    side: int
    dtype: DType
    least: int = 0
    shift: int = 0

    @property
    def count(self) -> int:
        """Regions."""
        return -(-self.rows // self.side)

    @property
    def region_bytes(self) -> int:
        """Bytes of a region, in whole pages."""
        return max(self.least, whole_pages(self.columns * self._column_bytes))

    @property
    def nbytes(self) -> int:
        """Bytes of a file that holds them."""
        return (self.shift + self.count) * self.region_bytes

    def write_columns(self, file: ScratchFile, first: int, tiles: Array) -> None:
        """Write columns of all regions; `tiles` has shape (count, columns, side)."""
        file.write_rows(tiles, self._at(0) + first * self._column_bytes, self.region_bytes)

    def read_columns(self, file: ScratchFile, columns: Span, tiles: Array) -> None:
        """Read columns of the first regions; `tiles` has shape (regions, columns, side)."""
        file.read_rows(tiles, self._at(0) + columns.start * self._column_bytes, self.region_bytes)

    def read_region(self, file: ScratchFile, number: int, region: Array) -> None:
        """Read one region, all of it or some columns from its start; `region` has shape (columns, side)."""
        file.read_rows(region[None], self._at(number), 0)

    def write_region(self, file: ScratchFile, number: int, region: Array) -> None:
        """Write one region; see `read_region`."""
        file.write_rows(region[None], self._at(number), 0)

    def _at(self, number: int) -> int:
        return (self.shift + number) * self.region_bytes

    @property
    def _column_bytes(self) -> int:
        return self.side * self.dtype.itemsize
