"""Rows that wait until nothing earlier can come: in memory up to a bound, then sorted in temporary files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.core.closeable import Closeable
from headrace.signals.events.row_file import RowFile

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from headrace.core.arrays import Array, DType

__all__ = ["WaitingRows"]

_FAN_IN = 8  # files merged into one when there are so many


class WaitingRows(Closeable):
    """A sorted heap of rows with fields `start` and `channel`, of any size, in bounded memory.

    Parameters
    ----------
    dtype : dtype
        Structured, with `start` and `channel`.
    most : int
        Rows kept in memory, and rows given out at once at most. Beyond that they go to files, which have no name in
        any folder from the moment they are made.
    tmp : path-like, optional
        Folder of those files; default the system's for temporary files.
    """

    def __init__(self, dtype: DType, *, most: int = 65_536, tmp: str | os.PathLike[str] | None = None) -> None:
        self._dtype, self._most, self._tmp = dtype, most, tmp
        self._recent: list[Array] = []
        self._count = 0
        self._first: int | None = None  # of those in memory
        self._levels: list[list[_Run]] = []

    def add(self, rows: Array) -> None:
        """Take rows, shape (k,), in any order.

        Raises
        ------
        OutputError
            If they must go to a file, and cannot.
        """
        for start in range(0, len(rows), self._most):
            part = rows[start : start + self._most]
            if self._count + len(part) > self._most:
                self._spill()
            self._recent.append(part)
            self._count += len(part)
            first = int(part["start"].min())
            self._first = first if self._first is None else min(first, self._first)

    def take(self, before: int | None = None) -> Iterator[Array]:
        """Give out the rows that start before that sample (all of them without), sorted by start, then channel.

        Each array holds at most `most` rows. Take all of them before anything else is added.
        """
        runs = [run for level in self._levels for run in level]
        firsts = [run.first for run in runs] + ([] if self._first is None else [self._first])
        if not firsts or (before is not None and min(firsts) >= before):
            return
        memory = _Sorted(self._sorted())
        self._keep(memory.rows[:0])
        yield from _merged([*runs, memory], before, self._most) if runs else [memory.below(before)]
        self._keep(memory.rows)
        for level in self._levels:
            for run in [run for run in level if run.empty]:
                run.close()
                level.remove(run)

    def close(self) -> None:
        """Drop everything. May be called twice."""
        levels, self._levels = self._levels, []
        self._recent, self._count, self._first = [], 0, None
        for level in levels:
            for run in level:
                run.close()

    def _sorted(self) -> Array:
        return _in_order(self._recent or [np.empty(0, self._dtype)])

    def _keep(self, rows: Array) -> None:
        self._recent, self._count = [rows] if len(rows) else [], len(rows)
        self._first = int(rows["start"][0]) if len(rows) else None

    def _spill(self) -> None:
        if self._count == 0:
            return
        self._push(0, iter([self._sorted()]))
        self._keep(np.empty(0, self._dtype))

    def _push(self, level: int, arrays: Iterator[Array]) -> None:
        """Write a file of this level; when there are many of one level, they become one of the next."""
        while len(self._levels) <= level:
            self._levels.append([])
        run = _Run(self._dtype, self._tmp)
        try:
            for rows in arrays:
                run.append(rows)
        except BaseException:
            run.close()
            raise
        self._levels[level].append(run)
        runs = self._levels[level]
        if len(runs) < _FAN_IN:
            return
        self._push(level + 1, _merged(runs, None, self._most))
        for run in runs:
            run.close()
        runs.clear()


class _Sorted:
    """Sorted rows in memory, taken from the front."""

    def __init__(self, rows: Array) -> None:
        self.rows = rows
        self.more = False  # whether others follow that are not in `rows`

    def fill(self, count: int) -> None:
        """See to it that there are rows, as far as any are left."""

    def below(self, limit: int | None) -> Array:
        """Take the rows that start before that."""
        cut = len(self.rows) if limit is None else int(np.searchsorted(self.rows["start"], limit))
        taken, self.rows = self.rows[:cut], self.rows[cut:]
        return taken


class _Run(_Sorted):
    """Sorted rows in a file that has no name."""

    def __init__(self, dtype: DType, folder: str | os.PathLike[str] | None) -> None:
        super().__init__(np.empty(0, dtype))
        self.first = 0
        self._read = 0  # rows
        self._file = RowFile(dtype, folder)

    @property
    def empty(self) -> bool:
        """Whether all rows were taken."""
        return not len(self.rows) and self._read == len(self._file)

    def append(self, rows: Array) -> None:
        """Write rows that come after all there are."""
        if not len(rows):
            return
        if not len(self._file):
            self.first = int(rows["start"][0])
        self._file.append(rows)
        self.more = True

    def fill(self, count: int) -> None:
        """Read so many rows, and more while all of them start at one sample."""
        while self.more and (len(self.rows) < count or self.rows["start"][0] == self.rows["start"][-1]):
            found = self._file.read(self._read, max(64, count - len(self.rows)))
            self._read += len(found)
            self.more = self._read < len(self._file)
            self.rows = _chained([self.rows, found])

    def below(self, limit: int | None) -> Array:
        """Take the rows that start before that."""
        taken = super().below(limit)
        if len(self.rows):
            self.first = int(self.rows["start"][0])
        return taken

    def close(self) -> None:
        """Give the space back."""
        self._file.close()


def _chained(parts: Sequence[Array]) -> Array:
    rows = np.empty(sum(map(len, parts)), parts[0].dtype)
    as_bytes = np.dtype((np.void, rows.dtype.itemsize))  # not field by field
    np.concatenate([part.view(as_bytes) for part in parts], out=rows.view(as_bytes))
    return rows


def _in_order(parts: Sequence[Array]) -> Array:
    rows = parts[0] if len(parts) == 1 else _chained(parts)
    start = rows["start"]
    return rows if np.all(start[1:] > start[:-1]) else rows.take(np.lexsort((rows["channel"], start)))


def _merged(sources: Sequence[_Sorted], before: int | None, most: int) -> Iterator[Array]:
    """Merge sorted rows, as far as they start before that, at most `most` rows at a time."""
    each = max(1, most // max(1, len(sources)))
    while True:
        for source in sources:
            source.fill(each)
        # What a source has not read yet starts at or after its last row: below that of all sources nothing is missing.
        limits = [int(source.rows["start"][-1]) for source in sources if source.more]
        limit = min([*limits, *([] if before is None else [before])], default=None)
        rows = _in_order([source.below(limit) for source in sources])
        if not len(rows):
            return
        for start in range(0, len(rows), most):
            yield rows[start : start + most]
