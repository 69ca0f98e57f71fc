"""Lengths without factors of similar size, primes among them: Bluestein's algorithm, on passes like the four-step's.

With c_j = exp(i pi j^2 / n), X_k = c_k* sum_j (x_j c_j*) c_(k - j): a convolution with a chirp, done by transforms of a
length of at least 2 n - 1 that splits well. Four passes: columns of the signal, and of the chirp; rows, multiplied and
transformed back; columns back. All of it in float64, because what is in between is larger than the result.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from headrace import _native
from headrace.core.arrays import float_dtype
from headrace.core.span import Span
from headrace.signals.fft.engine import Short
from headrace.signals.fft.four_step import FirstPass
from headrace.signals.fft.lengths import convolution_length
from headrace.signals.fft.room import Room
from headrace.signals.fft.roots import LazyRoots
from headrace.signals.fft.tiles import AHEAD, Regions, side_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.core.arrays import Array, DType
    from headrace.core.source import RowReader
    from headrace.core.tempfiles import ScratchFile
    from headrace.signals.fft.lengths import Split
    from headrace.signals.fft.signal import Signal

__all__ = ["Bluestein"]

_WIDE = np.dtype(np.complex128)
_ROWS = 64  # of the input that are multiplied at a time


@dataclass(frozen=True, slots=True)
class _Chirped:
    """The signal times a chirp; see `SignalRows`."""

    signal: Signal
    roots: LazyRoots
    inverse: bool
    dtype: DType = _WIDE

    def rows(self, read: RowReader, start: int, apart: int, out: Array) -> None:
        """See `SignalRows.rows`."""
        signal = self.signal
        raw = np.empty((min(_ROWS, len(out)), out.shape[1]), signal.dtype)
        for part in Span(0, len(out)).split(_ROWS):
            rows, first = raw[: part.size], start + part.start * apart
            signal.rows(read, first, apart, rows)
            samples = rows.astype(float_dtype(signal.dtype), copy=False)
            _native.chirp(samples, out[part.start : part.stop], first, apart, self.roots.table, self.inverse)


@dataclass(frozen=True, slots=True)
class _Chirp:
    """The chirp that the signal is convolved with, of `length` samples, symmetric around 0; see `SignalRows`."""

    length: int
    roots: LazyRoots
    inverse: bool
    dtype: DType = _WIDE

    def rows(self, read: RowReader, start: int, apart: int, out: Array) -> None:
        """See `SignalRows.rows`."""
        del read
        middle, width = self.length // 2, out.shape[1]
        low = min(len(out), max(0, (middle - width - start) // apart + 1))  # rows that end before the middle
        high = min(len(out), max(0, -((start - middle) // apart)))  # the first row that begins after it
        self._fill(out[:low], start, apart)
        for number in range(low, high):
            first = start + number * apart
            cut = middle - first
            row = np.empty((1, width), _WIDE)
            self._fill(row, first - self.length, width)
            out[number] = row[0]
            self._fill(row, first, width)
            out[number, :cut] = row[0, :cut]
        self._fill(out[high:], start + high * apart - self.length, apart)

    def _fill(self, rows: Array, start: int, apart: int) -> None:
        _native.chirp(None, rows, start, apart, self.roots.table, self.inverse)


@dataclass(frozen=True)
class _Product:
    """The pass over rows: both transformed, multiplied, and transformed back.

    Attributes
    ----------
    split : Split
        Of the convolution's length.
    regions, chirp : Regions
        What is read of the first and of the second file.
    product : Regions
        What is written to the first.
    roots : LazyRoots
        Of unity, of the order of that length.
    """

    split: Split
    regions: Regions
    chirp: Regions
    product: Regions
    roots: LazyRoots
    unit = 1
    most = 1
    ahead = AHEAD

    @property
    def count(self) -> int:
        """See `Pass`: regions."""
        return self.regions.count

    def room_bytes(self, size: int) -> int:
        """See `Pass`."""
        return 2 * size * self.regions.region_bytes

    def beside_bytes(self, size: int) -> int:
        """See `Pass`."""
        del size
        return Short(self.split.second).nbytes(self.regions.side, _WIDE)

    def run(self, task: Span, read: RowReader, files: Sequence[ScratchFile], room: Array) -> None:
        """See `Pass`."""
        del read
        regions = self.regions
        forwards, back = Short(self.split.second), Short(self.split.second, inverse=True)
        for number in range(task.start, task.stop):
            lent = Room(room)
            signal, chirp = (lent.array((regions.columns, regions.side), _WIDE) for _ in range(2))
            regions.read_region(files[0], number, signal)
            self.chirp.read_region(files[1], number, chirp)
            product = forwards(signal)
            product *= forwards(chirp)
            # Tiles of one row each: transposed they would be for another region.
            turned = chirp.reshape(*chirp.shape, 1)
            _native.twiddle_tiles(back(product), number * regions.side, self.roots.table, True, turned)
            self.product.write_region(files[0], number, chirp)


@dataclass(frozen=True)
class _BackPass:
    """The last pass: columns of the first file, transformed back into the second."""

    split: Split
    regions: Regions
    most = 4096
    ahead = None

    @property
    def unit(self) -> int:
        """See `Pass`."""
        return self.regions.side

    @property
    def count(self) -> int:
        """See `Pass`: columns."""
        return self.regions.columns

    def room_bytes(self, size: int) -> int:
        """See `Pass`: columns as they lie in the file, and some of them as rows."""
        return Room.size(self.split.first * size * _WIDE.itemsize) + Room.size(self.split.first * self.unit * 16)

    def beside_bytes(self, size: int) -> int:
        """See `Pass`."""
        del size
        return Short(self.split.first, inverse=True).nbytes(self.unit, _WIDE)

    def run(self, task: Span, read: RowReader, files: Sequence[ScratchFile], room: Array) -> None:
        """See `Pass`."""
        del read
        regions, lent = self.regions, Room(room)
        short = Short(self.split.first, inverse=True)
        tiles = lent.array((regions.count, task.size, regions.side), _WIDE)
        regions.read_columns(files[0], task, tiles)
        memory = lent.array((self.split.first * self.unit,), _WIDE)
        for columns in task.split(self.unit):
            part = tiles[:, columns.within(task)]
            block = memory[: self.split.first * columns.size].reshape(regions.count, regions.side, columns.size)
            block[...] = part.transpose(0, 2, 1)
            done = short(block.reshape(self.split.first, columns.size))
            part[...] = done.reshape(block.shape).transpose(0, 2, 1)
        regions.write_columns(files[1], task.start, tiles)


class Bluestein:
    """A transform of any length; see the module's docstring.

    Parameters
    ----------
    signal : Signal
        The input.
    out : dtype
        Of the result; real for the way back from half a spectrum.
    inverse : bool
        Whether to transform back.

    References
    ----------
    L. I. Bluestein, *A linear filtering approach to the computation of discrete Fourier transform*, IEEE Trans. Audio
    Electroacoust. 18 (1970) 451.
    """

    def __init__(self, signal: Signal, out: DType, *, inverse: bool) -> None:
        self._signal, self._out, self._inverse = signal, out, inverse
        self._split = split = convolution_length(signal.n, 32)
        side = side_for(split.second, _WIDE)
        self._found = Regions(split.first, split.second, side, _WIDE)
        self._regions = replace(self._found, shift=min(AHEAD, self._found.count))
        self.files: tuple[int, ...] = (self._regions.nbytes, self._found.nbytes)
        self.unit = side * split.second
        self._lent: deque[tuple[Array, Array]] = deque()

    @cached_property
    def passes(self) -> tuple[FirstPass, FirstPass, _Product, _BackPass]:
        """See `Transformation`."""
        roots, short = LazyRoots(self._split.n), Short(self._split.first)
        chirped = _Chirped(self._signal, self._chirps, self._inverse)
        chirp = _Chirp(self._split.n, self._chirps, not self._inverse)
        return (
            FirstPass(chirped, self._split, short, self._regions, roots),
            FirstPass(chirp, self._split, short, self._found, roots, number=1),
            _Product(self._split, self._regions, self._found, self._found, roots),
            _BackPass(self._split, self._found),
        )

    @cached_property
    def _chirps(self) -> LazyRoots:
        return LazyRoots(2 * self._signal.n)

    @property
    def shared_bytes(self) -> int:
        """See `Transformation`."""
        return self._chirps.nbytes + self.passes[0].roots.nbytes

    @property
    def scratch_bytes(self) -> int:
        """See `Transformation`: a region, and its rows."""
        return 2 * self.unit * _WIDE.itemsize + self.unit * self._out.itemsize

    def rest(self) -> None:
        """See `Transformation`."""
        self._lent.clear()

    def read(self, span: Span, out: Array, files: Sequence[ScratchFile]) -> None:
        """See `Transformation`."""
        regions, split, out = self._found, self._split, out.reshape(span.size)
        region, rows = self._lent.pop() if self._lent else self._scratch()
        scale = 1 / self._signal.n if self._inverse else 1.0
        for part in span.split_on(self.unit):
            number = part.start // self.unit
            regions.read_region(files[1], number, region)
            rows[...] = region.T
            made = region.reshape(-1).view(self._out)[: self.unit].reshape(regions.side, split.second)
            _native.chirp(rows, made, number * self.unit, split.second, self._chirps.table, self._inverse, scale)
            out[part.within(span)] = made.reshape(-1)[part.start - number * self.unit :][: part.size]
        self._lent.append((region, rows))

    def _scratch(self) -> tuple[Array, Array]:
        regions = self._regions
        return np.empty((regions.columns, regions.side), _WIDE), np.empty((regions.side, regions.columns), _WIDE)
