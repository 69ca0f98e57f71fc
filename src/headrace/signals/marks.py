"""Where events lie in a picture: how many touch each of its columns, for any number of events."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.checks import int64_array
from headrace.core.rowflow import RowFlow
from headrace.core.table_reader import table_batches, table_names
from headrace.errors import SchemaError
from headrace.signals.window_places import column, has_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headrace.core.arrays import Array
    from headrace.core.span import Span

__all__ = ["Marks", "event_marks", "event_tables"]

_FIELDS = ("start", "end", "channel")


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Events, column by column.

    Attributes
    ----------
    counts : ndarray of int64, shape (channels, columns)
        Events that touch a column of the picture.
    n_events : int
        Events that show.
    """

    counts: Array
    n_events: int


def event_tables(events: Any) -> Iterator[Array]:
    """Read tables of events, whoever made them, as structured arrays.

    Parameters
    ----------
    events : table, sequence or iterator of tables, RowFlow, str or path-like
        A table is a structured array, a mapping of columns, a data frame or an Arrow table; a path leads to a file of
        one.

    Raises
    ------
    SchemaError
        If one has no columns start and end of integers.
    """
    if isinstance(events, (str, os.PathLike)):
        known = table_names(events)
        missing = [name for name in ("start", "end") if name not in known]
        if missing:
            raise SchemaError(f"{events} has no column {missing[0]}; it has {', '.join(known)[:300]}")
        yield from table_batches(events, [(name, "i8") for name in _FIELDS if name in known])
    elif isinstance(events, (list, tuple, Iterator, RowFlow)):
        for table in events:
            yield _structured(table)
    else:
        yield _structured(events)


def _structured(table: Any) -> Array:
    names = [name for name in _FIELDS if name != "channel" or has_column(table, name)]
    columns = {name: column(table, name) for name in names}
    rows = np.empty(len(columns["start"]), [(name, np.int64) for name in names])
    for name, values in columns.items():
        rows[name] = values
    return rows


def event_marks(events: Iterable[Array], span: Span, channels: Sequence[int], *, columns: int = 600) -> Marks:
    """Count the events in each column of a picture of `span`.

    Parameters
    ----------
    events : iterable of structured ndarray, shape (k,)
        With fields ``start`` and ``end``, samples in the same count as `span`, half-open; and ``channel``, or else an
        event is on all channels. In any order.
    span : Span
        Samples that the picture shows.
    channels : sequence of int
        The channels that it shows, top down.
    columns : int
        Columns to count in, at most one for each sample.

    Returns
    -------
    Marks
        An event shorter than a column marks the whole column.

    Raises
    ------
    SchemaError
        If the events have no ``start`` or ``end``.

    Examples
    --------
    >>> import numpy as np
    >>> from headrace.core.span import Span
    >>> events = np.array([(0, 10, 0), (85, 90, 1)], [("start", "i8"), ("end", "i8"), ("channel", "i8")])
    >>> event_marks([events], Span(0, 100), [0, 1], columns=4).counts
    array([[1, 0, 0, 0],
           [0, 0, 0, 1]])
    """
    columns = max(1, min(columns, span.size))
    known, rows = np.unique(np.asarray(channels, np.int64), return_inverse=True)
    width = columns + 1
    steps = np.zeros(
        (len(known) + 1) * width, np.int64
    )  # up where an event begins, down after it; last row: everywhere
    n_events = 0
    for part in events:
        names = part.dtype.names or ()
        if "start" not in names or "end" not in names:
            raise SchemaError(f"events have fields start and end: got {', '.join(names) or part.dtype}")
        start = np.minimum(int64_array(part["start"]), span.stop)  # so that one more is an int64, too
        end = np.maximum(int64_array(part["end"]), start + 1)
        inside = (end > span.start) & (start < span.stop)
        row = np.full(len(part), len(known))
        if "channel" in names:
            inside &= np.isin(part["channel"], known)
            row = np.searchsorted(known, part["channel"])
        n_events += int(np.count_nonzero(inside))
        base = row[inside] * width
        first = (np.maximum(start[inside], span.start) - span.start) * columns // span.size
        last = (np.minimum(end[inside], span.stop) - 1 - span.start) * columns // span.size
        steps += np.bincount(base + first, minlength=steps.size)
        steps -= np.bincount(base + last + 1, minlength=steps.size)
    counts = np.cumsum(steps.reshape(-1, width), axis=1)[:, :columns]
    return Marks(counts[rows] + counts[-1], n_events)
