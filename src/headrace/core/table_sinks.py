"""Files for rows: .csv and .npy, and the choice among all formats by suffix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core import registry
from headrace.core.arrays import byte_view
from headrace.core.npy import table_header
from headrace.core.table_csv import check_csv, csv_header, csv_lines
from headrace.core.table_file import TableFile
from headrace.errors import SchemaError

if TYPE_CHECKING:
    import os

    from headrace.core.arrays import Array, DType
    from headrace.core.tables import TableSink

__all__ = ["CsvTableSink", "NpyTableSink", "table_sink", "table_suffixes"]


class CsvTableSink(TableFile):
    """A .csv file: a line of names, then a line for each row; see `TableFile` for parameters.

    Floats have the fewest digits that give the same number back, NaN is an empty field, bools are true and false.
    """

    def _check(self, dtype: DType) -> None:
        check_csv(dtype)

    def _begin(self, dtype: DType) -> None:
        self._append(csv_header(dtype))

    def _take(self, rows: Array) -> None:
        self._append(csv_lines(rows))

    def _end(self, dtype: DType) -> None:
        """Nothing comes after the rows."""


class NpyTableSink(TableFile):
    """A .npy file of shape ``(rows,)`` and a structured dtype, without padding; see `TableFile` for parameters."""

    slice_rows = 65536

    def _check(self, dtype: DType) -> None:
        if dtype.hasobject:
            raise SchemaError(f"rows hold Python objects, which .npy files of ours never do: {dtype}")
        table_header(0, _packed(dtype))

    def _begin(self, dtype: DType) -> None:
        self._append(table_header(0, _packed(dtype)))  # the number of rows is filled in at the end

    def _take(self, rows: Array) -> None:
        packed = _packed(rows.dtype)
        self._append(byte_view(np.ascontiguousarray(rows.astype(packed, copy=False)).view(np.uint8)))

    def _end(self, dtype: DType) -> None:
        self._part.write(memoryview(table_header(self.n_rows, _packed(dtype))), 0)


def table_sink(path: str | os.PathLike[str], **options: Any) -> TableSink:
    """Choose the file format of a table by the suffix of its path.

    Parameters
    ----------
    path : str or path-like
        ``.csv`` and ``.npy``; ``.arrow``, ``.feather`` (both Arrow IPC files) and ``.parquet`` with pyarrow installed;
        others as registered under the kind ``"table"``.
    **options
        ``job``, ``force``, ``durable`` and ``resume`` of `headrace.core.publish.PartFile`.

    Returns
    -------
    TableSink
        Nothing is created before its `open`; the table appears complete or not at all.

    Raises
    ------
    SchemaError
        If no format is known for the suffix; names those that are.
    MissingExtra
        If the format needs a package that is not installed.
    OutputExists, OutputError
        See `headrace.core.publish.PartFile`.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from headrace.core.table_sinks import table_sink
    >>> rows = np.array([(0, 0.5), (7, np.nan)], [("start", "i8"), ("peak", "f4")])
    >>> sink = table_sink("events.csv")
    >>> sink.open(rows.dtype)
    >>> sink.write(rows)
    >>> sink.commit()
    >>> Path("events.csv").read_text().splitlines()
    ['start,peak', '0,0.5', '7,']
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".csv":
        return CsvTableSink(path, **options)
    if suffix == ".npy":
        return NpyTableSink(path, **options)
    provider = registry.find("table", suffix) if suffix else None
    if provider is None:
        said = f"the unknown suffix {suffix}" if suffix else "no suffix"
        raise SchemaError(
            f"{path} has {said}, by which the format of a table is chosen: name it {', '.join(table_suffixes())}"
        )
    made: TableSink = provider(path, **options)
    return made


def table_suffixes() -> list[str]:
    """List the suffixes that `table_sink` knows, sorted."""
    return sorted({".csv", ".npy", *registry.names("table")})


def _packed(dtype: DType) -> DType:
    """Give the same fields without padding between them."""
    names = dtype.names or ()
    found: DType = np.dtype([(name, dtype[name]) for name in names])
    return found
