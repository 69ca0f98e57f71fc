"""Events that look like templates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace import _native
from headrace.core.blockwise import BlockPlan
from headrace.core.checks import finite_number, whole_number
from headrace.core.span import Halo
from headrace.errors import SchemaError
from headrace.signals.events.matches import MATCH, MatchRows
from headrace.signals.fingerprint import fingerprint
from headrace.signals.real_numbers import real_numbers

if TYPE_CHECKING:
    import os

    from headrace.core.arrays import Array
    from headrace.core.blockwise import Block
    from headrace.core.operator import Spec

__all__ = ["MatchedFilter"]

_BLOCK = 16_384  # places that a block has at least
_ARRAYS = 12  # of so many float64 that work makes
_PRECISION = 1e12  # of a correlation: less than is computed, so that equal windows have equal ones
_VALUES = 1 << 17  # worked on at once: as many as a core's own cache holds, unless one channel is more
_TABLE_BYTES = 32  # of a kernel, for each sample of its transform


@dataclass(frozen=True, slots=True)
class _Detail:
    """What `MatchedFilter` finds again in its plan."""

    kernels: tuple[tuple[_native.FirKernel, ...], ...]  # of each template, for each of its channels


class MatchedFilter:
    """Find where a signal looks like one of several templates: normalised cross-correlation.

    Parameters
    ----------
    templates : array-like of real numbers, shape (w,), (k, w) or (k, w, channels)
        Templates of w samples, w at least 2. Those of two dimensions are looked for in each channel by itself, those of
        three in all channels at once, which must be as many as the flow has.
    threshold : float
        The least correlation of an event, above 0, at most 1.
    distance : int, optional
        Of events nearer to each other than this one stays; default w.

    Raises
    ------
    SchemaError
        If the templates are none of these, or one of them is flat; if `threshold` or `distance` is none of these; and
        when it is used, if the samples are complex, or the channels are not as many as the templates'.

    Notes
    -----
    The correlation at sample s is that of the window ``[s, s + w)`` with a template, both with their mean taken out and
    with unit energy: ``sum(x * t) / sqrt(sum(x**2) * sum(t**2))``, in [-1, 1], as `cv2.matchTemplate` has it for
    TM_CCOEFF_NORMED. With several channels the means are each channel's own, and the sums go over all of them, so that
    the offset of a channel does not matter and its scale does. A flat window, and one that holds a NaN or an infinity,
    has correlation 0. Windows lie wholly inside their segment.

    Of the templates, the one that correlates best counts at each place, the first of equals. A place is an event if its
    correlation is at least `threshold`, above that of all places less than `distance` samples before it, and not below
    that of any place less than `distance` samples after it: so of equals the first stays. This rule looks no further
    than `distance`; it is not that of `scipy.signal.find_peaks`, where a peak that was dropped drops none itself and
    one that stays far away may decide here.

    Rows are `headrace.signals.MATCH`: an event table with the columns `template` and `correlation`, in order of (start,
    channel). Correlations are computed in float64, on cells that count from sample 0 of each segment, and rounded to 12
    places, so that a place has the same one whichever block looks at it, equal windows have equal ones, and each event
    comes out once. An offset a million times the spread of a window costs six of some fourteen digits: take it out
    before.

    References
    ----------
    J. P. Lewis, *Fast normalized cross-correlation* (1995). G. L. Turin, *An introduction to matched filters* (1960).

    Examples
    --------
    >>> import numpy as np, headrace
    >>> x = np.zeros(1000)
    >>> x[300:304], x[700:704] = [1, 3, 2, 1], [-2, 2, 0, -2]
    >>> rec = headrace.signals.from_array(x, fs=1000)
    >>> rows = rec.detect(headrace.signals.MatchedFilter([[0.0, 2, 1, 0], [3, 2, 1, 0]], 0.99)).to_array()
    >>> rows[["start", "end", "template"]].tolist(), rows["correlation"]
    ([(300, 304, 0), (700, 704, 0)], array([1., 1.]))
    """

    def __init__(self, templates: Any, threshold: float, *, distance: int | None = None) -> None:
        self.templates = _checked(templates)
        self.templates.flags.writeable = False
        self.threshold = finite_number("threshold", threshold, positive=True)
        if self.threshold > 1:
            raise SchemaError(f"threshold= is a correlation, above 0 and at most 1: got {threshold!r}")
        self.distance = self.length if distance is None else whole_number("distance", distance, least=1)
        self._kernels: tuple[tuple[_native.FirKernel, ...], ...] | None = None

    @property
    def length(self) -> int:
        """Samples of a template."""
        return int(self.templates.shape[1])

    def plan(self, inp: Spec) -> BlockPlan:
        """See `headrace.core.blockwise.BlockFunction.plan`."""
        if inp.dtype.kind == "c":
            raise SchemaError(f"MatchedFilter takes real samples: got {inp.dtype}")
        apart = self.templates.ndim == 2
        if not apart and self.templates.shape[2] != inp.n_channels:
            raise SchemaError(
                f"the templates have {self.templates.shape[2]} channel(s) and the flow has {inp.n_channels}: choose "
                "channels of the recording, or give templates of shape (k, w), which are looked for in each of them"
            )
        kernels = self._transformed()
        cell = kernels[0][0].cell
        reach = (
            -(-(self.distance - 1) // cell) * cell
        )  # whole cells, which are computed alike wherever they are asked for
        block = -(-max(_BLOCK, 4 * (self.length + self.distance)) // cell) * cell
        halo = Halo(reach, reach + self.length - 1)
        longest = block + halo.left + halo.right
        rows = (block // self.distance + 1) * inp.n_channels * MATCH.itemsize
        tables = _TABLE_BYTES * kernels[0][0].fft_length * sum(map(len, kernels))
        return BlockPlan(
            inp,
            block,
            halo,
            workspace=16 * longest,  # samples as float64, and for templates of all channels each by itself
            overhead=8 * _ARRAYS * max(_VALUES, longest)
            + kernels[0][0].workspace_bytes(inp.n_channels if apart else 1)
            + _native.running_std_workspace(self.length),
            result=rows,
            fold=3 * rows + tables,
            channels_apart=apart,
            detail=_Detail(kernels),
        )

    def work(self, plan: BlockPlan, block: Block) -> Array:
        """Give the matches that begin in a block; see `headrace.core.blockwise.BlockFunction.work`."""
        window, detail, length = block.window, plan.detail, self.length
        places = window.stop - length + 1  # first place whose window does not end inside
        first = max(0, block.span.start - self.distance + 1)
        last = min(block.span.stop + self.distance - 1, places)
        if block.span.start >= places:
            return np.empty(0, MATCH)
        cell = detail.kernels[0][0].cell
        begin, end = first // cell * cell, min(-(-last // cell) * cell, places)
        x = window.array.reshape(len(window), -1)
        x = real_numbers(x.astype(np.float64) if x.dtype.kind in "iu" and x.dtype.itemsize == 8 else x)
        apart = self.templates.ndim == 2
        at_once = max(1, _VALUES // len(x)) if apart else x.shape[1]
        found = []
        for start in range(0, x.shape[1], at_once):
            some = np.ascontiguousarray(x[:, start : start + at_once])
            find = self._best if apart else self._best_of_all
            best, which = find(detail, some, window.start, begin, end)
            best, which = best[first - begin : last - begin], which[first - begin : last - begin]
            place, channel = _highest(best, self.threshold, self.distance)
            inside = (place + first >= block.span.start) & (place + first < block.span.stop)
            place, channel = place[inside], channel[inside]
            highest, template = best[place, channel], which[place, channel]
            found.append(self._rows(block, x, place + first, channel + start, template, highest))
        return np.concatenate(found)

    def fold(self, spec: Spec, *, t0: float = 0.0, tmp: str | os.PathLike[str] | None = None) -> MatchRows:  # noqa: ARG002 - the protocol's
        """Make what puts the blocks' matches in order; as `Threshold.fold`."""
        return MatchRows(spec, t0=t0)

    def _transformed(self) -> tuple[tuple[_native.FirKernel, ...], ...]:
        if self._kernels is None:
            columns = self.templates.reshape(*self.templates.shape[:2], -1)
            taps = columns - columns.mean(axis=1, keepdims=True)
            taps /= np.sqrt(np.sum(taps**2, axis=(1, 2), keepdims=True))
            taps = np.ascontiguousarray(taps[:, ::-1].transpose(0, 2, 1))
            self._kernels = tuple(tuple(_native.FirKernel(row) for row in each) for each in taps)
        return self._kernels

    def _best(self, detail: _Detail, x: Array, start: int, begin: int, end: int) -> tuple[Array, Array]:
        """Give the highest correlation at each place of each channel, and whose it is."""
        best = _Best(self._spread(x, start, begin, end))
        products = np.empty((end - begin, x.shape[1]))
        for kernel, *_ in detail.kernels:
            kernel.apply(x, start, self.length - 1, products, begin)
            best.add(products)
        return best.found()

    def _best_of_all(self, detail: _Detail, x: Array, start: int, begin: int, end: int) -> tuple[Array, Array]:
        """Give the same for templates of all channels, as one channel."""
        columns = [np.ascontiguousarray(column) for column in x.T]
        energy = np.sqrt(np.sum([self._spread(column, start, begin, end) ** 2 for column in columns], axis=0))
        best = _Best(energy[:, np.newaxis])
        products, part = np.empty((end - begin, 1)), np.empty(end - begin)
        for kernels in detail.kernels:
            products[...] = 0
            for kernel, column in zip(kernels, columns, strict=True):
                kernel.apply(column, start, self.length - 1, part, begin)
                products[:, 0] += part
            best.add(products)
        return best.found()

    def _spread(self, x: Array, start: int, begin: int, end: int) -> Array:
        """Give the root of the energy of the windows that begin at [begin, end), without their means."""
        deviation = np.empty((end - begin, *x.shape[1:]))
        middle, n = begin + self.length // 2, start + len(x)
        _native.running_std(x, start, deviation, middle, n, self.length, "nearest", 0.0)
        deviation *= np.sqrt(self.length)
        return deviation

    def _rows(self, block: Block, x: Array, place: Array, channel: Array, template: Array, best: Array) -> Array:
        columns = self.templates.reshape(*self.templates.shape[:2], -1)
        away = np.abs(columns - columns.mean(axis=1, keepdims=True))
        farthest = away.reshape(len(away), -1).argmax(axis=1)
        peak, strongest = np.divmod(farthest, columns.shape[2])
        own = channel if self.templates.ndim == 2 else strongest[template]
        rows = np.empty(len(place), MATCH)
        rows["start"] = place + block.offset
        rows["end"] = rows["start"] + self.length
        rows["channel"] = own + block.channels.start
        rows["peak"] = rows["start"] + peak[template]
        rows["amplitude"] = x[place + peak[template] - block.window.start, own]
        rows["time_s"] = np.nan
        rows["template"], rows["correlation"] = template, best
        return rows

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kernels": None}

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.templates.shape))
        distance = "" if self.distance == self.length else f", distance={self.distance}"
        return f"MatchedFilter({shape} {fingerprint(self.templates)}, {self.threshold:g}{distance})"


def _checked(templates: Any) -> Array:
    try:
        values = np.array(templates)
        if values.dtype.kind == "c":
            raise TypeError
        values = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise SchemaError("templates= are real numbers, of shape (w,), (k, w) or (k, w, channels)") from error
    if values.ndim == 1:
        values = values[np.newaxis]
    if values.ndim not in (2, 3) or not values.size or values.shape[1] < 2 or not np.isfinite(values).all():
        raise SchemaError(
            f"templates= are finite, of shape (w,), (k, w) or (k, w, channels) with w of at least 2: got {values.shape}"
        )
    flat = np.flatnonzero(np.ptp(values, axis=1).reshape(len(values), -1).max(axis=1) == 0)
    if len(flat):
        raise SchemaError(f"template {flat[0]} is flat: it correlates with nothing")
    return values


class _Best:
    """The highest of several correlations at each place, the first of equals; `energy` is that of the windows."""

    def __init__(self, energy: Array) -> None:
        self._unknown = ~((energy > 0) & (energy < np.inf))
        with np.errstate(divide="ignore", invalid="ignore"):
            self._factor = _PRECISION / energy
        self._any_unknown = bool(self._unknown.any())
        self._highest = np.full(energy.shape, -np.inf)
        self._which = np.zeros(energy.shape, np.int32)
        self._count = 0

    def add(self, products: Array) -> None:
        """Take the products of the next template with the windows, which are changed."""
        with np.errstate(invalid="ignore"):
            products *= self._factor
        if self._any_unknown:
            products[self._unknown] = 0
        np.rint(products, out=products)
        if self._count:
            np.copyto(self._which, self._count, where=products > self._highest)
        np.maximum(self._highest, products, out=self._highest)
        self._count += 1

    def found(self) -> tuple[Array, Array]:
        """Give the correlations, and which template each is of."""
        np.clip(self._highest, -_PRECISION, _PRECISION, out=self._highest)
        self._highest /= _PRECISION
        return self._highest, self._which


def _highest(best: Array, threshold: float, distance: int) -> tuple[Array, Array]:
    """Give the places, and channels, that are higher than those before and not lower than those after them."""
    if not len(best) or best.max() < threshold:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    reach = distance - 1
    stays = best >= threshold
    if reach:
        beyond = np.full((reach, best.shape[1]), -np.inf)
        highest = _highest_of(np.concatenate([beyond, best, beyond]), reach)
        stays &= best > highest[: len(best)]
        stays &= best >= highest[reach + 1 :]
    place, channel = np.nonzero(stays)
    return place, channel


def _highest_of(x: Array, count: int) -> Array:
    """Give the maximum of `count` samples from each on, by doubling."""
    width = 1
    while 2 * width <= count:
        x = np.maximum(x[:-width], x[width:])
        width *= 2
    rest = count - width
    return np.maximum(x[: len(x) - rest], x[rest:]) if rest else x
