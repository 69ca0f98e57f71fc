"""Arrow at the border: rows and samples as a stream that pyarrow, Polars, pandas, DuckDB and others take as it is.

The Arrow PyCapsule interface, by an exporter of our own (``native/src/arrow_export.cpp``): no library is imported.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace import _native
from headrace.core.arrow_columns import row_columns, rows_field, sample_columns, samples_field
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from headrace.core.arrays import Array, DType
    from headrace.core.arrow_columns import Column, Field
    from headrace.core.chunk import Chunk
    from headrace.core.operator import Spec

__all__ = ["ArrowStream", "arrow_chunks", "arrow_stream"]


class ArrowStream:
    """Rows or samples for any library that takes the Arrow C stream; made by `arrow_stream` and `SampleFlow.to_arrow`.

    Parameters
    ----------
    field : tuple
        What flows: see `Field` of ``arrow_columns.py``.
    begin : callable
        ``begin()`` gives an iterator of batches; called when a consumer asks for the first. If it has a `close`, that
        is called when the consumer lets go of the stream.
    tell : callable
        ``tell(batch)`` gives its columns: see `Column` there.

    Notes
    -----
    ``pyarrow.RecordBatchReader.from_stream(stream)``, ``polars.DataFrame(stream)``, ``pandas.DataFrame.from_arrow``,
    ``duckdb.sql("FROM stream")``, ``nanoarrow.ArrayStream(stream)``. Batches are made as the consumer asks for them, in
    its threads, one at a time. Their buffers stay valid for as long as the consumer holds them, also when the stream is
    gone. An error ends the stream and reaches the consumer with its type and message.

    References
    ----------
    https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html
    """

    def __init__(self, field: Field, begin: Callable[[], Iterator[Any]], tell: Callable[[Any], Column]) -> None:
        self._field, self._begin, self._tell = field, begin, tell

    def __arrow_c_schema__(self) -> Any:
        return _native.arrow_schema(self._field)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        del requested_schema  # the interface leaves it to the producer to look at it; consumers cast
        pull = _Pull(self._begin, self._tell)
        return _native.arrow_stream(self._field, pull.take, pull.close)

    def __repr__(self) -> str:
        names = ", ".join(f"{column[0]}: {_type_words(column)}" for column in self._field[3])
        return f"ArrowStream({names})"


class _Pull:
    """One taking of a stream: begins with the first batch, ends when the consumer releases it."""

    def __init__(self, begin: Callable[[], Iterator[Any]], tell: Callable[[Any], Column]) -> None:
        self._begin, self._tell = begin, tell
        self._lock = threading.Lock()  # the interface leaves it open which threads ask
        self._iterator: Iterator[Any] | None = None

    def take(self) -> Column | None:
        with self._lock:
            if self._iterator is None:
                self._iterator = self._begin()
            try:
                item = next(self._iterator)
            except StopIteration:
                return None
            return self._tell(item)

    def close(self) -> None:
        with self._lock:
            iterator, self._iterator = self._iterator, None
            close = getattr(iterator, "close", None)
            if close is not None:
                close()


def arrow_stream(
    dtype: DType | Any, rows: Iterable[Array], *, metadata: Mapping[str, str] | None = None
) -> ArrowStream:
    """Make an Arrow stream of rows; no Arrow library is needed.

    Parameters
    ----------
    dtype : structured dtype-like
        Of the rows. Fields are bool, int8 to int64, uint8 to uint64, float16 to float64, text or bytes of a fixed
        width (``"U8"``, ``"S8"``: utf8 and binary in Arrow), or a subarray of numbers (a fixed-size list).
    rows : iterable of ndarray, shape (k,)
        Taken one by one, as the consumer asks for them; each is a record batch.
    metadata : mapping of str to str, optional
        For the schema.

    Returns
    -------
    ArrowStream
        An iterator can be taken once, a list or another collection as often as one likes.

    Raises
    ------
    SchemaError
        If the dtype is not structured or Arrow has no type for a field.

    Notes
    -----
    Columns are copied out of the rows, which may be overwritten. Nothing is null: NaN stays NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from headrace.core.arrow import arrow_stream
    >>> rows = np.array([(0, 0.5), (7, -1.0)], [("start", "i8"), ("peak", "f4")])
    >>> arrow_stream(rows.dtype, [rows])
    ArrowStream(start: int64, peak: float32)
    """
    wanted = np.dtype(dtype)
    field = rows_field(wanted, metadata)
    taken = False

    def begin() -> Iterator[Array]:
        nonlocal taken
        iterator = iter(rows)
        if iterator is rows and taken:
            raise SchemaError("these rows came from an iterator and were taken already: make another stream of them")
        taken = True
        return iterator

    def tell(part: Array) -> Column:
        if part.dtype != wanted:
            raise SchemaError(f"rows of dtype {part.dtype} in a stream of {wanted}: convert them with astype")
        return row_columns(part)

    return ArrowStream(field, begin, tell)


def arrow_chunks(
    spec: Spec, begin: Callable[[], Iterator[Chunk]], *, copy: bool = False, metadata: Mapping[str, str] | None = None
) -> ArrowStream:
    """Make an Arrow stream of chunks, without a copy unless one is asked for; see `SampleFlow.to_arrow`."""
    known = {} if spec.fs is None else {"fs": repr(float(spec.fs))}

    def tell(chunk: Chunk) -> Column:
        return sample_columns(chunk.array.copy() if copy else chunk.array)

    return ArrowStream(samples_field(spec.dtype, spec.shape, known | dict(metadata or {})), begin, tell)


_WORDS = {
    "b": "bool", "c": "int8", "C": "uint8", "s": "int16", "S": "uint16", "i": "int32", "I": "uint32", "l": "int64",
    "L": "uint64", "e": "float16", "f": "float32", "g": "float64", "u": "utf8", "z": "binary",
}  # fmt: skip


def _type_words(field: Field) -> str:
    _, form, _, children = field
    return f"{_type_words(children[0])}[{form[3:]}]" if children else _WORDS[form]
