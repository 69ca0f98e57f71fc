"""Tables read back from files, some rows at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headrace.core import registry
from headrace.core.arrays import byte_view
from headrace.core.files import FileReader
from headrace.core.npy import NpyHeader
from headrace.core.table_csv import csv_batches, csv_names
from headrace.core.table_sinks import table_suffixes
from headrace.core.table_values import check_kind, fitted
from headrace.errors import FormatError, SchemaError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from headrace.core.arrays import Array, DType

__all__ = ["TableReader", "read_table", "table_batches", "table_names"]

_ROWS = 65536


class TableReader(Protocol):
    """Reads a table of one format; found by suffix, under the kind ``"table_reader"``: ``reader(path)``."""

    def names(self) -> list[str]:
        """List the columns."""
        ...

    def batches(self, dtype: DType | None, rows: int) -> Iterator[Array]:
        """Yield rows of `dtype`, a selection of the columns (all, as stored, if ``None``), at most `rows` at once."""
        ...


def table_names(path: str | os.PathLike[str]) -> list[str]:
    """List the columns of a table file; see `table_batches`."""
    return _reader_of(Path(path)).names()


def table_batches(path: str | os.PathLike[str], dtype: DType | Any = None, *, rows: int = _ROWS) -> Iterator[Array]:
    """Read a table file piece by piece.

    Parameters
    ----------
    path : str or path-like
        ``.npy``, ``.csv``; ``.arrow``, ``.feather`` and ``.parquet`` with pyarrow.
    dtype : structured dtype-like, optional
        Which columns to read, by name, and as what: floats are rounded, every other value is kept or refused. Without
        it all columns, as they are stored; a .csv file does not say what they are, and needs it.
    rows : int
        Most rows in a piece.

    Yields
    ------
    ndarray, shape (k,)
        Structured. Of an empty table one piece without rows.

    Raises
    ------
    FormatError
        If the file is damaged, is no table, or holds values that the dtype cannot take: integers out of its range,
        floats beyond its largest, longer text. Says the column, the row from 0, and the value.
    SchemaError
        If a column is not there, or the suffix is unknown.
    MissingExtra
        If the format needs pyarrow and it is not installed.
    """
    place = Path(path)
    reader = _reader_of(place)
    wanted = None if dtype is None else np.dtype(dtype)
    if wanted is not None:
        there = reader.names()
        missing = [name for name in wanted.names or () if name not in there]
        if missing:
            raise SchemaError(f"{path} has no column {missing[0]!r}; it has {', '.join(there)[:500]}")
    return reader.batches(wanted, rows)


def read_table(path: str | os.PathLike[str], dtype: DType | Any = None) -> Array:
    """Read a whole table file into memory; see `table_batches`.

    Examples
    --------
    >>> import numpy as np
    >>> np.save("events.npy", np.array([(3, 7)], [("start", "i8"), ("end", "i8")]))
    >>> read_table("events.npy", [("end", "i4")])
    array([(7,)], dtype=[('end', '<i4')])
    """
    return np.concatenate(list(table_batches(path, dtype)))


def converted(path: object, part: Array, dtype: DType, first: int) -> Array:
    """Select and convert the columns of some rows, of which the first has the number `first`.

    Raises
    ------
    FormatError
        If a column is of another kind, or holds a value that its dtype cannot take.
    """
    out = np.empty(len(part), dtype)
    for name in dtype.names or ():
        check_kind(path, name, part.dtype[name], dtype[name])
        out[name] = fitted(path, name, part[name], dtype[name], first)
    return out


def _reader_of(path: Path) -> TableReader:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _NpyTable(path)
    if suffix == ".csv":
        return _CsvTable(path)
    provider = registry.find("table_reader", suffix) if suffix else None
    if provider is None:
        raise SchemaError(f"{path} is no table that can be read: tables are called {', '.join(table_suffixes())}")
    made: TableReader = provider(path)
    return made


class _NpyTable:
    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        with FileReader(self._path) as file:
            return list(self._header(file).dtype.names or ())

    def batches(self, dtype: DType | None, rows: int) -> Iterator[Array]:
        with FileReader(self._path) as file:
            header = self._header(file)
            stored, count = header.dtype, header.shape[0]
            for first in range(0, max(1, count), rows):
                part = np.empty(min(rows, count - first), stored)
                if part.nbytes:
                    file.read_into(byte_view(part.view(np.uint8)), header.offset + first * stored.itemsize)
                yield part if dtype is None else converted(self._path, part, dtype, first)

    def _header(self, file: FileReader) -> NpyHeader:
        header = NpyHeader.read(file)
        if len(header.shape) != 1 or header.dtype.names is None:
            raise FormatError(f"{self._path} holds shape {header.shape} of {header.dtype}, not rows with named fields")
        return header


class _CsvTable:
    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        return csv_names(self._path)

    def batches(self, dtype: DType | None, rows: int) -> Iterator[Array]:
        if dtype is None:
            raise SchemaError(f"{self._path} does not say what its columns hold: pass dtype=[('start', 'i8'), ...]")
        return csv_batches(self._path, dtype, rows)
