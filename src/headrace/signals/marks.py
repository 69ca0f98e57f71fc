"""Where events lie in a picture: how many touch each of its columns, for any number of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.checks import int64_array
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headrace.core.arrays import Array
    from headrace.core.span import Span

__all__ = ["Marks", "event_marks"]


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
