"""What a user's function reported: read, checked, and cut to its block."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace import _native
from headrace.errors import SchemaError
from headrace.signals.events.pieces import OPEN_LEFT, OPEN_RIGHT, PIECE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.core.arrays import Array
    from headrace.core.span import Span

__all__ = ["Reported"]

_FIELDS = ("start", "end", "channel", "amplitude", "peak")
_WANTED = (
    "(start, end), (start, end, channel) or (start, end, channel, amplitude, peak), or a structured array of these"
)


@dataclass(frozen=True, slots=True)
class Reported:
    """Events as a function reported them.

    Attributes
    ----------
    start, end, channel : ndarray, shape (k,) int64
        Samples of the flow, half-open, and channels.
    amplitude : ndarray or None
        Shape (k,) float64, if reported.
    peak : ndarray or None
        Shape (k,) int64, if reported.
    """

    start: Array
    end: Array
    channel: Array
    amplitude: Array | None
    peak: Array | None

    @classmethod
    def read(cls, found: Any) -> Reported:
        """Understand what a function returned.

        Raises
        ------
        SchemaError
            If it is nothing of the kind.
        """
        names = getattr(getattr(found, "dtype", None), "names", None)
        if names is not None:
            return cls._of_columns({name: np.atleast_1d(found[name]) for name in _FIELDS if name in names}, names)
        try:
            rows = [tuple(row) for row in found]
        except TypeError as error:
            raise SchemaError(f"it returned {_shown(found)}; expected an iterable of events: {_WANTED}") from error
        lengths = {len(row) for row in rows} or {2}
        if len(lengths) > 1 or not lengths <= {2, 3, 5}:
            odd = next(row for row in rows if len(row) not in (2, 3, 5) or len(row) != len(rows[0]))
            raise SchemaError(f"it returned the event {_shown(odd)}; expected all to be {_WANTED}")
        width = lengths.pop()
        columns = {name: [row[i] for row in rows] for i, name in enumerate(_FIELDS[:width])}
        return cls._of_columns(columns, _FIELDS)

    @classmethod
    def _of_columns(cls, columns: dict[str, Any], names: Sequence[str]) -> Reported:
        if "start" not in columns or "end" not in columns or ("amplitude" in columns) != ("peak" in columns):
            raise SchemaError(f"it returned an array with the fields {', '.join(names)}; expected {_WANTED}")
        start = _integers("start", columns["start"])
        return cls(
            start,
            _integers("end", columns["end"]),
            _integers("channel", columns["channel"]) if "channel" in columns else np.zeros(len(start), np.int64),
            _reals(columns["amplitude"]) if "amplitude" in columns else None,
            _integers("peak", columns["peak"]) if "peak" in columns else None,
        )

    def check(self, window: Span, n_channels: int) -> None:
        """Raise `SchemaError` for the first event that cannot be one of these samples."""
        start, end = self.start, self.end
        self._refuse(start >= end, "starts at or after its end; expected start < end")
        outside = (start < window.start) | (end > window.stop)
        self._refuse(outside, f"lies outside the samples {window} that it was given (did you add start?)")
        self._refuse((self.channel < 0) | (self.channel >= n_channels), f"is of none of the {n_channels} channels")
        if self.peak is not None:
            self._refuse((self.peak < start) | (self.peak >= end), "has its peak outside itself")
        order = np.argsort(self.channel, kind="stable")
        before, after = order[:-1], order[1:]
        together = self.channel[before] == self.channel[after]
        late, overlaps = np.zeros(len(start), bool), np.zeros(len(start), bool)
        late[after] = together & (start[after] < start[before])
        overlaps[after] = together & (start[after] < end[before])
        self._refuse(late, "starts before the one reported before it in its channel; return sorted(events)")
        self._refuse(overlaps, "overlaps the one before it in its channel; merge such events in the function")

    def pieces(self, window: Array, first: int, block: Span, *, open_edges: bool) -> Array:
        """Cut the events to a block.

        Parameters
        ----------
        window : ndarray, shape (m,) or (m, channels)
            The samples that the function was given.
        first : int
            Sample of the flow at which they start.
        block : Span
            In samples of the flow.
        open_edges : bool
            See `detector`.

        Returns
        -------
        ndarray, shape (k,) of PIECE
            Channel by channel.
        """
        inside = np.flatnonzero((self.end > block.start) & (self.start < block.stop))
        inside = inside[np.argsort(self.channel[inside], kind="stable")]
        start, end = self.start[inside], self.end[inside]
        rows = np.zeros(len(inside), PIECE)
        rows["start"], rows["end"] = np.maximum(start, block.start), np.minimum(end, block.stop)
        rows["channel"] = self.channel[inside]
        blind_left = open_edges and first == block.start
        blind_right = open_edges and first + len(window) == block.stop
        rows["flags"] |= np.where((start < block.start) | (blind_left & (start == block.start)), OPEN_LEFT, 0).astype(
            "u4"
        )
        rows["flags"] |= np.where((end > block.stop) | (blind_right & (end == block.stop)), OPEN_RIGHT, 0).astype("u4")
        if self.amplitude is not None and self.peak is not None:
            rows["amplitude"], rows["peak"] = self.amplitude[inside], self.peak[inside]
            rows["distance"] = np.abs(rows["amplitude"])
            beyond = (rows["peak"] < rows["start"]) | (rows["peak"] >= rows["end"])  # in another block's piece
        else:
            beyond = np.ones(len(rows), bool)
        if beyond.any():
            cut = rows[beyond]
            _measure(cut, window[block.start - first : block.stop - first], block.start)
            if self.amplitude is not None:
                cut["distance"] = np.nan  # counts only where no piece with a reported peak is joined
            rows[beyond] = cut
        return rows

    def _refuse(self, wrong: Array, what: str) -> None:
        if wrong.any():
            number = int(np.argmax(wrong))
            event = (int(self.start[number]), int(self.end[number]), int(self.channel[number]))
            raise SchemaError(f"event {number}, (start, end, channel) = {event}, {what}")


def _measure(rows: Array, samples: Array, first: int) -> None:
    """Fill in amplitude and peak: the sample farthest from the median of the block."""
    rows["peak"], rows["amplitude"], rows["distance"] = rows["start"], np.nan, np.nan
    if samples.dtype.kind in "cb":
        return
    flat = samples.reshape(len(samples), -1)
    wide = np.ascontiguousarray(flat, np.float32 if flat.dtype == np.float16 else flat.dtype)
    medians = np.empty(flat.shape[1])
    _native.medians(wide, medians)
    for row in rows:
        values = flat[row["start"] - first : row["end"] - first, row["channel"]].astype(np.float64)
        distances = np.abs(values - medians[row["channel"]])
        if np.isnan(distances).all():
            continue
        best = int(np.nanargmax(distances))
        row["peak"], row["amplitude"], row["distance"] = row["start"] + best, values[best], distances[best]


def _integers(name: str, values: Any) -> Array:
    array = np.asarray(values)
    if array.dtype.kind in "iu" and array.dtype != np.uint64 and array.ndim == 1:
        return array.astype(np.int64)
    try:
        return np.array([operator.index(value) for value in values], np.int64)
    except (TypeError, OverflowError) as error:
        raise SchemaError(f"it returned events whose {name} is no whole number of 64 bits: {error}") from error


def _reals(values: Any) -> Array:
    try:
        return np.array([float(value) for value in values], np.float64)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"it returned events whose amplitude is no number: {error}") from error


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
