"""Spectra of segments of a signal, for averages over them: the block function that all of those share."""

from __future__ import annotations

import warnings
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from headrace.core.blockwise import BlockPlan
from headrace.core.checks import whole_number
from headrace.core.span import Halo, Span
from headrace.errors import SchemaError
from headrace.signals.spectra.settings import checked_choice, checked_overlap, checked_points, checked_trend
from headrace.signals.spectra.transform import FrameTransform, stretch
from headrace.signals.spectra.window import Window, window_name, window_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from headrace.core.arrays import Array
    from headrace.core.blockwise import Block
    from headrace.core.operator import Spec
    from headrace.signals.spectra.transform import FrameRoom

__all__ = ["Average", "SegmentSpectra", "Series"]

Average = Literal["mean", "median"]

_CELL = 8192  # samples that the segments of a cell, which are added up at once, begin in at least
_CELLS = 16  # in a block of one channel; of more, fewer, so that its window stays small
_KEPT_BYTES = 1 << 20  # of the values of a block
_DEFAULT = 256  # samples of a segment


@dataclass(frozen=True, slots=True)
class Series:
    """What is computed of each segment.

    Attributes
    ----------
    powers : sequence of int, or None
        Channels whose power is; ``None`` for those of the block, each by itself.
    crosses : sequence of (int, int)
        Pairs (a, b) of channels whose product conj(A) * B is, as real and imaginary part.
    """

    powers: Sequence[int] | None
    crosses: Sequence[tuple[int, int]] = ()

    def rows(self, n_channels: int) -> int:
        """Count the rows of values."""
        return (n_channels if self.powers is None else len(self.powers)) + 2 * len(self.crosses)

    def mixed(self) -> list[int]:
        """List the channels that meet others, once each."""
        return sorted({channel for pair in self.crosses for channel in pair})


@dataclass(frozen=True, slots=True)
class _Detail:
    """What `SegmentSpectra` finds again in its plan: segments at once, and added up before they are handed over."""

    transform: FrameTransform
    series: Series
    at_once: int
    cell: int


class SegmentSpectra:
    """Powers, and products with other channels, of the spectra of overlapping segments, summed or one by one.

    The segments are those of `scipy.signal.welch`: from sample 0 on, `hop` apart, as many as fit; in a recording with
    gaps, in each part of it.

    Parameters
    ----------
    nperseg, noverlap, window, detrend, nfft, scaling, average, return_onesided
        See `headrace.signals.Welch`.

    Attributes
    ----------
    nperseg, noverlap, nfft : int
        As given or by default.
    """

    def __init__(  # noqa: PLR0913 - SciPy's
        self,
        nperseg: int | None = None,
        noverlap: int | None = None,
        window: Window = "hann",
        *,
        detrend: Any = "constant",
        nfft: int | None = None,
        scaling: Literal["density", "spectrum"] = "density",
        average: Average = "mean",
        return_onesided: bool = True,
    ) -> None:
        self._named = isinstance(window, (str, tuple, float, int))
        if nperseg is None:
            nperseg = _DEFAULT if self._named else len(np.atleast_1d(window))
        self.detrend = checked_trend(detrend)
        self.scaling = checked_choice("scaling", scaling, ("density", "spectrum"))
        self.average: Average = checked_choice("average", average, ("mean", "median"))
        self.return_onesided = bool(return_onesided)
        self._asked = (noverlap, nfft, window)
        self._set_length(whole_number("nperseg", nperseg, least=1))

    def _set_length(self, nperseg: int) -> None:
        noverlap, nfft, window = self._asked
        self.nperseg = nperseg
        self.noverlap = checked_overlap(nperseg, noverlap)
        self.nfft = checked_points("nfft", nfft, nperseg)
        self._values = window_values(window, nperseg)
        self._window = window_name(window)

    @property
    def hop(self) -> int:
        """Samples from one segment to the next."""
        return self.nperseg - self.noverlap

    def fitted(self, lengths: Sequence[int | None]) -> Self:
        """See `headrace.core.blockwise.Fits`: a signal shorter than a segment is one segment, as in SciPy."""
        known = [length for length in lengths if length is not None]
        longest = max(known, default=0)
        if len(known) < len(lengths) or not 0 < longest < self.nperseg:
            return self
        said = f"{type(self).__name__}: nperseg={self.nperseg:,} is longer than the {longest:,} samples there are"
        if len(known) > 1 or not self._named:
            where = " in the longest part" if len(known) > 1 else " and window= has as many values"
            raise SchemaError(f"{said}{where}: take nperseg={longest} or less")
        warnings.warn(f"{said}, so nperseg={longest:,} is taken", UserWarning, stacklevel=4)
        shorter = copy(self)
        shorter._set_length(longest)
        return shorter

    def plan(self, inp: Spec) -> BlockPlan:
        """See `headrace.core.blockwise.BlockFunction.plan`."""
        name = type(self).__name__
        if inp.fs is None:
            raise SchemaError(f"{name} is in hertz, and the signal has no rate: give fs= (--fs)")
        series = self._series(inp)
        transform = FrameTransform(
            self._values, self.hop, self.nfft, is_complex=inp.dtype.kind == "c", trend=self.detrend
        )
        at_once, row_bytes = transform.at_once, 8 * series.rows(inp.n_channels) * transform.freqs
        cell = 1 if self.average == "median" else self._cell(at_once)
        cells = _CELLS * _CELL // (inp.n_channels * cell * self.hop)
        segments = cell * max(1, min(cells, _KEPT_BYTES // row_bytes))
        mixed = 16 * len(series.mixed()) * at_once * transform.freqs
        result = -(-segments // cell) * row_bytes
        return BlockPlan(
            inp,
            block=segments * self.hop,
            halo=Halo(0, self.noverlap),
            overhead=transform.room_bytes(at_once) + 2 * mixed + 32 * at_once * transform.freqs,
            result=result,
            fold=2 * result + self._fold_bytes(row_bytes),
            channels_apart=series.powers is None,
            detail=_Detail(transform, series, at_once, cell),
        )

    def work(self, plan: BlockPlan, block: Block) -> tuple[Array, int]:
        """Give the sums over the segments that begin in a block: (cells, rows, freqs) float64; and their number.

        For a median a cell is one segment.
        """
        detail: _Detail = plan.detail
        transform, series = detail.transform, detail.series
        begun = min(block.span.size, max(0, len(block.window) - self.nperseg + 1))  # places a segment may begin at
        count = -(-begun // self.hop)
        cells = -(-count // detail.cell)
        sums = np.zeros((cells, series.rows(len(block.channels)), transform.freqs))
        room = transform.room(max(1, min(detail.at_once, count)))
        with np.errstate(over="ignore", invalid="ignore"):
            for first, some in _batches(count, detail.cell, detail.at_once):
                start = block.span.start + first * self.hop
                span = Span(start, start + transform.samples(some))
                if detail.cell == 1:
                    self._each(detail, block, span, room, sums[first : first + some])
                else:
                    self._sum(detail, block, span, room, sums[first // detail.cell], some)
        return sums, count

    def _sum(self, detail: _Detail, block: Block, span: Span, room: FrameRoom, sums: Array, some: int) -> None:
        """Add the rows of some segments, which lie in `span`, to `sums`, (rows, freqs)."""
        transform, series = detail.transform, detail.series
        powers, kept = self._powers(series, block), self._mixed(detail, block, span, room, some)
        for row, channel in enumerate(powers):
            if channel in kept:
                sums[row] += np.add.reduce(kept[channel].real ** 2 + kept[channel].imag ** 2, axis=0)
            else:
                stretch(block.window, channel, span, room.line[: span.size])
                transform.add_powers(room, some, sums[row])
        for row, (a, b) in zip(range(len(powers), len(sums), 2), series.crosses, strict=True):
            total = np.add.reduce(np.conj(kept[a]) * kept[b], axis=0)
            sums[row] += total.real
            sums[row + 1] += total.imag

    def _each(self, detail: _Detail, block: Block, span: Span, room: FrameRoom, values: Array) -> None:
        """Fill in the rows of each of some segments, which lie in `span`: (segments, rows, freqs)."""
        transform, series = detail.transform, detail.series
        powers, kept = self._powers(series, block), self._mixed(detail, block, span, room, len(values))
        flat = values.reshape(len(values), -1)
        for row, channel in enumerate(powers):
            stretch(block.window, channel, span, room.line[: span.size])
            transform.write(room, len(values), flat, 0, row * transform.freqs)
        for row, (a, b) in zip(range(len(powers), values.shape[1], 2), series.crosses, strict=True):
            product = np.conj(kept[a]) * kept[b]
            values[:, row], values[:, row + 1] = product.real, product.imag

    @staticmethod
    def _powers(series: Series, block: Block) -> Sequence[int]:
        """List the channels of the window whose power is wanted."""
        return range(len(block.channels)) if series.powers is None else series.powers

    @staticmethod
    def _mixed(detail: _Detail, block: Block, span: Span, room: FrameRoom, some: int) -> dict[int, Array]:
        """Transform the channels that meet others."""
        kept = {}
        for channel in detail.series.mixed():
            stretch(block.window, channel, span, room.line[: span.size])
            kept[channel] = detail.transform.spectra(room, some).copy()
        return kept

    def _cell(self, at_once: int) -> int:
        """Count the segments that are added up before they are handed over."""
        return at_once * -(-_CELL // (at_once * self.hop))

    def _series(self, inp: Spec) -> Series:
        """Say what is computed of each segment of such a signal."""
        raise NotImplementedError

    def _fold_bytes(self, row_bytes: int) -> int:
        """Give the bytes that averaging takes, for so many bytes of values of one segment."""
        from headrace.signals.spectra.medians import median_bytes

        return 8 * row_bytes if self.average == "mean" else 4 * row_bytes + median_bytes(row_bytes)

    def _given(self) -> str:
        """Name the settings."""
        given = f"nperseg={self.nperseg}, noverlap={self.noverlap}, window={self._window}"
        given += "" if self.detrend == "constant" else f", detrend={self.detrend!r}"
        given += "" if self.nfft == self.nperseg else f", nfft={self.nfft}"
        given += "" if self.scaling == "density" else f", scaling={self.scaling!r}"
        given += "" if self.average == "mean" else f", average={self.average!r}"
        return given + ("" if self.return_onesided else ", return_onesided=False")


def _batches(count: int, cell: int, at_once: int) -> Iterator[tuple[int, int]]:
    """Cut segments into what is transformed in one call, none across the border of a cell: first, and how many."""
    step = count if cell == 1 else cell
    for start in range(0, count, max(1, step)):
        stop = min(start + step, count)
        for first in range(start, stop, at_once):
            yield first, min(at_once, stop - first)
