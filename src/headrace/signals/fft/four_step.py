"""The four-step transform: n = first * second, two passes over a temporary file, then its rows in order.

With j = j1 * second + j2 and k = k1 + first * k2 the transform is one of length `first` over j1, a multiplication by
exp(-2 pi i j2 k1 / n), and one of length `second` over j2. The first pass takes columns j2 of the input, the second
rows k1. The result is the matrix (k2, k1), row by row. A real input gives half of the rows k1: the other half are
their conjugates, in reverse. The way back from half a spectrum is the same with half of the columns and a real result.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from headrace import _native
from headrace.core.span import Span
from headrace.signals.fft.engine import Short
from headrace.signals.fft.room import Room
from headrace.signals.fft.roots import LazyRoots
from headrace.signals.fft.tiles import AHEAD, Regions, side_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.core.arrays import Array, DType
    from headrace.core.source import RowReader
    from headrace.core.tempfiles import ScratchFile
    from headrace.signals.fft.lengths import Split
    from headrace.signals.fft.signal import Signal, SignalRows

__all__ = ["FirstPass", "FourStep"]

_STRETCH_BYTES = 64 * 1024  # of the input read at once; longer ones gain nothing
_READ_BYTES = 1024 * 1024  # of the result put together at once


@dataclass(frozen=True)
class FirstPass:
    """Columns of the input, transformed and multiplied by roots of unity, into regions of the temporary file.

    Attributes
    ----------
    signal : SignalRows
        The input.
    split : Split
        Of the length.
    short : Short
        The transform of a column.
    regions : Regions
        Where it goes.
    roots : LazyRoots
        Of unity, of the order of the length.
    number : int
        Of the file.
    """

    signal: SignalRows
    split: Split
    short: Short
    regions: Regions
    roots: LazyRoots
    number: int = 0
    ahead = None

    @property
    def count(self) -> int:
        """See `Pass`: columns."""
        return self.regions.columns

    @property
    def unit(self) -> int:
        """See `Pass`."""
        return self.regions.side

    @property
    def most(self) -> int:
        """See `Pass`."""
        return max(self.unit, _STRETCH_BYTES // self.signal.dtype.itemsize // self.unit * self.unit)

    def room_bytes(self, size: int) -> int:
        """See `Pass`: a slab of the input, some of its columns, and tiles."""
        first, item = self.split.first, self.regions.dtype.itemsize
        slab = Room.size(first * size * self.signal.dtype.itemsize)
        return slab + Room.size(first * self.unit * item) + Room.size(self._tile_values * item)

    def beside_bytes(self, size: int) -> int:
        """See `Pass`."""
        del size
        return self.short.nbytes(self.unit, self.regions.dtype)

    def run(self, task: Span, read: RowReader, files: Sequence[ScratchFile], room: Array) -> None:
        """See `Pass`."""
        first, regions, lent = self.split.first, self.regions, Room(room)
        slab = lent.array((first, task.size), self.signal.dtype)
        self.signal.rows(read, task.start, self.split.second, slab)
        columns_memory = lent.array((first * self.unit,), self._column_dtype)
        tile_memory = lent.array((self._tile_values,), regions.dtype)
        for columns in task.split(self.unit):
            block = columns_memory[: first * columns.size].reshape(first, columns.size)
            block[...] = slab[:, columns.within(task)]
            tiles = tile_memory[: regions.count * columns.size * regions.side]
            tiles = tiles.reshape(regions.count, columns.size, regions.side)
            _native.twiddle_tiles(self.short(block), columns.start, self.roots.table, self.short.inverse, tiles)
            regions.write_columns(files[self.number], columns.start, tiles)

    @property
    def _tile_values(self) -> int:
        return self.regions.count * self.regions.side * self.unit

    @property
    def _column_dtype(self) -> DType:
        """Dtype in which a column is transformed."""
        dtype = self.regions.dtype
        return np.empty(0, dtype).real.dtype if self.short.real_in else dtype


@dataclass(frozen=True)
class _SecondPass:
    """Rows of the temporary file, transformed; what is found takes the place of rows that are done with.

    Attributes
    ----------
    short : Short
        The transform of a row.
    regions, found : Regions
        What is read, and what is written.
    """

    short: Short
    regions: Regions
    found: Regions
    unit = 1
    most = 1
    ahead = AHEAD

    @property
    def count(self) -> int:
        """See `Pass`: regions."""
        return self.regions.count

    def room_bytes(self, size: int) -> int:
        """See `Pass`."""
        return size * self.regions.region_bytes

    def beside_bytes(self, size: int) -> int:
        """See `Pass`."""
        del size
        return self.short.nbytes(self.regions.side, self.regions.dtype)

    def run(self, task: Span, read: RowReader, files: Sequence[ScratchFile], room: Array) -> None:
        """See `Pass`."""
        del read
        regions = self.regions
        for number in range(task.start, task.stop):
            region = Room(room).array((regions.columns, regions.side), regions.dtype)
            regions.read_region(files[0], number, region)
            self.found.write_region(files[0], number, self.short(region))


class FourStep:
    """A transform of a length that has two factors of similar size; see the module's docstring.

    Parameters
    ----------
    signal : Signal
        The input.
    split : Split
        Of the length.
    dtype : dtype
        Complex one in which it is computed.
    inverse : bool
        Whether to transform back.
    """

    def __init__(self, signal: Signal, split: Split, dtype: DType, *, inverse: bool) -> None:
        real_in, real_out = signal.dtype.kind != "c" and not inverse, signal.hermitian
        self._split, self._signal = split, signal
        self._first = Short(split.first, inverse, real_in=real_in)
        self._second = Short(split.second, inverse, real_out=real_out)
        rows = split.first // 2 + 1 if real_in else split.first
        columns = split.second // 2 + 1 if real_out else split.second
        side = side_for(split.second, dtype)
        value = np.empty(0, dtype).real.dtype if real_out else dtype
        read = Regions(rows, columns, side, dtype)
        self._found = Regions(rows, split.second, side, value, read.region_bytes)
        self._regions = Regions(rows, columns, side, dtype, self._found.region_bytes, min(AHEAD, read.count))
        self.files: tuple[int, ...] = (self._regions.nbytes,)
        self._mirrored = real_in
        self.unit = split.first
        self._rows_at_once = max(1, _READ_BYTES // (split.first * value.itemsize))
        self._lent: deque[tuple[Array, ...]] = deque()

    @cached_property
    def passes(self) -> tuple[FirstPass, _SecondPass]:
        """See `Transformation`."""
        roots = LazyRoots(self._split.n)
        first = FirstPass(self._signal, self._split, self._first, self._regions, roots)
        return first, _SecondPass(self._second, self._regions, self._found)

    @property
    def shared_bytes(self) -> int:
        """See `Transformation`."""
        return self.passes[0].roots.nbytes

    @property
    def scratch_bytes(self) -> int:
        """See `Transformation`."""
        return sum(int(np.prod(shape)) for shape in self._scratch_shapes) * self._found.dtype.itemsize

    def rest(self) -> None:
        """See `Transformation`."""
        self._lent.clear()

    def read(self, span: Span, out: Array, files: Sequence[ScratchFile]) -> None:
        """See `Transformation`."""
        width, out = self._split.first, out.reshape(span.size)
        lent = self._lent.pop() if self._lent else tuple(np.empty(s, self._found.dtype) for s in self._scratch_shapes)
        for part in span.split_on(width * self._rows_at_once):
            rows = Span(part.start // width, -(-part.stop // width))
            whole = part.start % width == 0 and part.stop % width == 0 and out.dtype == self._found.dtype
            target = out[part.within(span)]
            if whole:
                self._put(rows, target.reshape(rows.size, width), lent, files)
            else:
                made = lent[2].reshape(-1)[: rows.size * width]
                self._put(rows, made.reshape(rows.size, width), lent, files)
                target[...] = made[part.start - rows.start * width :][: part.size]
        self._lent.append(lent)

    def _put(self, rows: Span, out: Array, lent: tuple[Array, ...], files: Sequence[ScratchFile]) -> None:
        """Put rows of the result together."""
        found = self._found
        shape = (found.count, rows.size, found.side)
        values = found.count * rows.size * found.side
        tiles = lent[0].reshape(-1)[:values].reshape(shape)
        found.read_columns(files[0], rows, tiles)
        mirror = None
        if self._mirrored:
            mirror = lent[1].reshape(-1)[:values].reshape(shape)
            found.read_columns(files[0], Span(found.columns - rows.stop, found.columns - rows.start), mirror)
        _native.rows_of_tiles(tiles, out, found.rows, mirror)

    @property
    def _scratch_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of what a read works in: tiles, those of mirror images, and rows."""
        tiles = (self._found.count, self._rows_at_once, self._found.side)
        return tiles, tiles if self._mirrored else (0,), (self._rows_at_once, self._split.first)
