"""Tables as Arrow IPC files (.arrow, .feather) and Parquet files, written and read with pyarrow."""

from __future__ import annotations

import io
from abc import abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.arrow import arrow_stream
from headrace.core.table_file import TableFile
from headrace.core.table_reader import converted
from headrace.errors import FormatError, MissingExtra

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from headrace.core.arrays import Array, DType
    from headrace.core.publish import PartFile

__all__ = ["ArrowTableReader", "ArrowTableSink", "ParquetTableReader", "ParquetTableSink"]

_GROUP_ROWS = 65536


def _pyarrow(module: str, path: str | os.PathLike[str]) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtra(
            f"{path} needs pyarrow: pip install 'headrace[arrow]', or write and read .csv or .npy", extra="arrow"
        ) from error


class _Tail(io.RawIOBase):
    """The end of a table file as pyarrow wants it: a Python file."""

    def __init__(self, part: PartFile) -> None:
        super().__init__()
        self._part: PartFile | None = part
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        if self._part is not None:
            self._part.write(view, self._position)
        self._position += len(view)
        return len(view)

    def drop(self) -> None:
        """Write nothing more: pyarrow's writers add an end to the file when they are collected."""
        self._part = None


class _PyarrowSink(TableFile):
    """Rows in record batches or row groups of a fixed number of rows, whatever the pieces they come in."""

    slice_rows = _GROUP_ROWS

    def __init__(self, path: str | os.PathLike[str], **options: Any) -> None:
        self._arrow = _pyarrow("pyarrow", path)
        super().__init__(path, **options)
        self._writer: Any = None
        self._tail: _Tail | None = None
        self._group: Array | None = None
        self._filled = 0

    def _check(self, dtype: DType) -> None:
        arrow_stream(dtype, ())

    def _begin(self, dtype: DType) -> None:
        self._tail = _Tail(self._part)
        self._writer = self._open_writer(self._tail, self._arrow.schema(arrow_stream(dtype, ())))
        self._group, self._filled = np.empty(_GROUP_ROWS, dtype), 0

    def _take(self, rows: Array) -> None:
        group = self._group
        while group is not None and len(rows):
            count = min(len(rows), len(group) - self._filled)
            group[self._filled : self._filled + count] = rows[:count]
            self._filled += count
            rows = rows[count:]
            if self._filled == len(group):
                self._flush(group)

    def _end(self, dtype: DType) -> None:  # noqa: ARG002 - the writer knows it
        if self._group is not None and self._filled:
            self._flush(self._group)
        self._writer.close()
        self._position = 0 if self._tail is None else self._tail.tell()
        self._let_go()

    def abort(self) -> None:
        """See `TableSink.abort`."""
        super().abort()
        self._let_go()

    def _flush(self, group: Array) -> None:
        stream = arrow_stream(group.dtype, [group[: self._filled]])
        self._writer.write_batch(self._arrow.RecordBatchReader.from_stream(stream).read_next_batch())
        self._filled = 0

    def _let_go(self) -> None:
        if self._tail is not None:
            self._tail.drop()
        self._writer = self._tail = self._group = None

    @abstractmethod
    def _open_writer(self, file: _Tail, schema: Any) -> Any:
        """Make pyarrow's writer."""


class ArrowTableSink(_PyarrowSink):
    """An Arrow IPC file (.arrow, .feather), not compressed, so that it can be mapped; see `TableFile`."""

    def _open_writer(self, file: _Tail, schema: Any) -> Any:
        return _pyarrow("pyarrow.ipc", self.path).new_file(file, schema)


class ParquetTableSink(_PyarrowSink):
    """A Parquet file, in row groups of 65,536 rows; see `TableFile`."""

    def _open_writer(self, file: _Tail, schema: Any) -> Any:
        return _pyarrow("pyarrow.parquet", self.path).ParquetWriter(file, schema)


class _PyarrowReader:
    """Reads what the sinks wrote, and what others did if their columns are numbers, bools or text without nulls."""

    def __init__(self, path: Path) -> None:
        self._arrow = _pyarrow("pyarrow", path)
        self._path = path

    def names(self) -> list[str]:
        """See `TableReader.names`."""
        with self._opened() as file:
            return list(self._source(file)[0].names)

    def batches(self, dtype: DType | None, rows: int) -> Iterator[Array]:
        """See `TableReader.batches`."""
        with self._opened() as file:
            schema, read = self._source(file)
            names = list(schema.names if dtype is None else dtype.names or ())
            batches = read(names, rows)
            batch = self._guarded(lambda: next(batches, None)) or self._arrow.RecordBatch.from_pylist([], schema=schema)
            done = 0
            while batch is not None:
                for first in range(0, max(1, batch.num_rows), rows):
                    part = self._rows(batch.slice(first, rows), names)
                    yield part if dtype is None else converted(self._path, part, dtype, done + first)
                done += batch.num_rows
                batch = self._guarded(lambda: next(batches, None))

    def _opened(self) -> Any:
        if not self._path.is_file():
            raise FileNotFoundError(2, "no such file", str(self._path))
        return self._arrow.OSFile(str(self._path))

    def _rows(self, batch: Any, names: list[str]) -> Array:
        """Copy a record batch into rows."""
        columns = self._guarded(lambda: [self._values(batch.column(name), name) for name in names])
        fields = [(name, values.dtype, values.shape[1:]) for name, values in zip(names, columns, strict=True)]
        out = np.empty(batch.num_rows, fields)
        for name, values in zip(names, columns, strict=True):
            out[name] = values
        return out

    def _values(self, column: Any, name: str) -> Array:
        types, kind = self._arrow.types, column.type
        if column.null_count and not types.is_floating(kind):
            raise FormatError(f"column {name!r} of {self._path} has nulls, which rows of {kind} cannot have")
        if types.is_fixed_size_list(kind):
            inner = self._values(column.flatten(), name)
            return inner.reshape(len(column), kind.list_size, *inner.shape[1:])
        text, raw = types.is_string(kind) or types.is_large_string(kind), types.is_binary(kind)
        if not (text or raw or types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
            raise FormatError(
                f"column {name!r} of {self._path} holds {kind}: rows take numbers, bools, text, fixed lists"
            )
        values: Array = column.to_numpy(zero_copy_only=False)
        return values.astype("U" if text else "S") if text or raw else values

    def _guarded(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except FormatError:
            raise
        except (self._arrow.ArrowException, OSError, ValueError) as error:
            raise FormatError(f"{self._path} cannot be read as {self._path.suffix}: {error}") from error

    def _source(self, file: Any) -> tuple[Any, Callable[[list[str], int], Iterator[Any]]]:
        """Give the schema, and what reads the named columns, about so many rows at once."""
        found: tuple[Any, Callable[[list[str], int], Iterator[Any]]] = self._guarded(lambda: self._parse(file))
        return found

    @abstractmethod
    def _parse(self, file: Any) -> tuple[Any, Callable[[list[str], int], Iterator[Any]]]:
        """See `_source`."""


class ArrowTableReader(_PyarrowReader):
    """Reads Arrow IPC files, record batch by record batch."""

    def _parse(self, file: Any) -> tuple[Any, Callable[[list[str], int], Iterator[Any]]]:
        reader = _pyarrow("pyarrow.ipc", self._path).open_file(file)
        return reader.schema, lambda names, _: (
            reader.get_batch(number).select(names) for number in range(reader.num_record_batches)
        )


class ParquetTableReader(_PyarrowReader):
    """Reads Parquet files, a part of a row group at a time."""

    def _parse(self, file: Any) -> tuple[Any, Callable[[list[str], int], Iterator[Any]]]:
        parquet = _pyarrow("pyarrow.parquet", self._path).ParquetFile(file)
        return parquet.schema_arrow, lambda names, rows: parquet.iter_batches(batch_size=rows, columns=names)
