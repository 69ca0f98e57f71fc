"""Rows as comma-separated text (RFC 4180) and back: numbers keep every bit, NaN is an empty field."""

from __future__ import annotations

import csv
from functools import partial
from itertools import islice
from math import isinf
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.table_values import fitted, unfit
from headrace.errors import FormatError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from headrace.core.arrays import Array, DType

__all__ = ["check_csv", "csv_batches", "csv_header", "csv_lines", "csv_names"]

_KINDS = "biufUS"
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_TOO_LARGE = 2**53  # from here on, a float may be the nearest one of another integer


def check_csv(dtype: DType) -> None:
    """Refuse rows that have no form in text.

    Raises
    ------
    SchemaError
        For a field that is not a number, a bool or text; a subarray, for example.
    """
    for name in dtype.names or ():
        if dtype[name].kind not in _KINDS or dtype[name].subdtype is not None:
            raise SchemaError(
                f"field {name!r} of dtype {dtype[name]} has no place in a .csv file, which holds numbers, bools and "
                "text: write .npy, .arrow or .parquet"
            )


def csv_header(dtype: DType) -> bytes:
    """Write the line of names."""
    return (",".join(_quoted(list(dtype.names or ()))) + "\n").encode()


def csv_lines(rows: Array) -> bytes:
    """Write rows, shape (k,): floats in the fewest digits that give the same number back."""
    columns = [_texts(rows[name], name) for name in rows.dtype.names or ()]
    if len(columns) == 1:  # many readers pass over an empty line
        columns = [[text or '""' for text in columns[0]]]
    return "".join([f"{line}\n" for line in map(",".join, zip(*columns, strict=True))]).encode()


def _texts(values: Array, name: str) -> list[str]:
    kind = values.dtype.kind
    if kind == "b":
        return ["true" if value else "false" for value in values.tolist()]
    if kind in "iu":
        return list(map(str, values.tolist()))
    if kind == "f":
        texts = list(map(repr, values.tolist())) if values.itemsize == 8 else list(map(str, values))
        for place in np.flatnonzero(np.isnan(values)).tolist():
            texts[place] = ""
        return texts
    try:
        words = values.tolist() if kind == "U" else [word.decode() for word in values.tolist()]
        "".join(words).encode()
    except UnicodeError as error:
        raise SchemaError(f"field {name!r} holds text that is not Unicode, which .csv cannot hold: {error}") from error
    return _quoted(words)


def _quoted(words: list[str]) -> list[str]:
    special = ('"', ",", "\n", "\r")
    return ['"' + word.replace('"', '""') + '"' if any(mark in word for mark in special) else word for word in words]


def csv_names(path: Path) -> list[str]:
    """Read the line of names.

    Raises
    ------
    FormatError
        If the file is no text, or empty.
    """
    with path.open(encoding="utf-8", newline="") as file:
        for names in _lines(path, csv.reader(file)):
            return names
    raise FormatError(f"{path} is empty: a .csv table begins with a line of names")


def csv_batches(path: Path, dtype: DType, rows: int) -> Iterator[Array]:
    """Read the fields of `dtype`, which are a selection of the file's columns, by at most `rows` at a time.

    Raises
    ------
    FormatError
        If a line has another number of columns than the first, or a value is not of its field's dtype.
    SchemaError
        If a field has a dtype that text does not hold.
    """
    check_csv(dtype)
    names = csv_names(path)
    places = [(name, names.index(name)) for name in dtype.names or ()]
    first = 0
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        lines = _lines(path, reader)
        next(lines)
        found = list(islice(lines, rows))
        if not found:
            yield np.empty(0, dtype)
        while found:
            last = reader.line_num
            if any(len(line) != len(names) for line in found):
                odd = next(line for line in found if len(line) != len(names))
                raise FormatError(
                    f"{path} has a line of {len(odd)} columns where its first line names {len(names)}, in the "
                    f"{len(found)} rows up to line {last}: {','.join(odd)[:80]!r}"
                )
            part = np.empty(len(found), dtype)
            for name, place in places:
                part[name] = _column(path, name, [line[place] for line in found], dtype[name], first)
            yield part
            first += len(found)
            found = list(islice(lines, rows))


def _lines(path: Path, reader: Any) -> Iterator[list[str]]:
    try:
        for line in reader:
            if line:
                yield line
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(
            f"{path} is no comma-separated text in UTF-8, near line {reader.line_num}: {error}"
        ) from error


def _column(path: Path, name: str, texts: list[str], dtype: DType, first: int) -> Array:
    """Read the values of a column, of which the first stands in the row `first`."""
    read = _reader(dtype)
    values = []
    for row, text in enumerate(texts, start=first):
        try:
            values.append(read(text))
        except (ValueError, KeyError) as error:
            raise unfit(path, name, row, text, dtype) from error
    return fitted(path, name, np.array(values, dtype if dtype.kind in "biu" else None), dtype, first)


def _reader(dtype: DType) -> Callable[[str], Any]:
    """Give the function from text to a value."""
    if dtype.kind == "b":
        return lambda text: _TRUTH[text.lower()]
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return partial(_whole, within=range(int(limits.min), int(limits.max) + 1))
    if dtype.kind == "f":
        return _real
    return str if dtype.kind == "U" else str.encode


def _whole(text: str, within: range) -> int:
    """Read an integer, also from a tool that writes 7.0."""
    try:
        value = int(text)
    except ValueError:
        real = _real(text)
        if not real.is_integer() or abs(real) >= _TOO_LARGE:
            raise
        value = int(real)
    if value not in within or "_" in text:
        raise ValueError(text)
    return value


def _real(text: str) -> float:
    """Read a float; nothing is NaN."""
    value = float(text or "nan")
    if "_" in text or (isinf(value) and "inf" not in text.lower()):
        raise ValueError(text)
    return value
