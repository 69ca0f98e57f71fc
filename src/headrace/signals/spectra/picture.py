"""Spectrograms of recordings of any length, reduced to the columns of a picture as they are computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from headrace.core.checks import whole_number
from headrace.core.rowflow import RowFlow
from headrace.errors import SchemaError
from headrace.signals.flow import Flow
from headrace.signals.spectra.segments import SegmentSpectra, Series
from headrace.signals.spectra.welch import density_factor, whole_spectrum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.core.arrays import Array, DType
    from headrace.core.blockwise import Outcome
    from headrace.core.operator import Spec
    from headrace.core.report import RunReport
    from headrace.core.run import RunKeywords
    from headrace.signals.recording import Recording

__all__ = ["MOST_CHANNELS", "PowerPicture", "measure_power"]

MOST_CHANNELS = 12
"""Channels that one picture has room for."""

_ROWS = 600  # of all channels together; finer frequencies are averaged
_SHORTEST, _LONGEST = 64, 4096  # samples of a segment, where they are not given


@dataclass(frozen=True, slots=True, eq=False)
class PowerPicture:
    """Mean power density, column by column.

    Attributes
    ----------
    power : ndarray of float64, shape (channels, rows, columns)
        Units squared per hertz; row 0 is that of the lowest frequencies. NaN where there is NaN.
    top_hz : float
        Upper edge of the last row; the first begins at 0.
    duration_s : float
        From the left edge of the first column to the right edge of the last.
    nperseg : int
        Samples of a segment.
    """

    power: Array
    top_hz: float
    duration_s: float
    nperseg: int


def measure_power(
    recording: Recording | Flow, columns: int, *, nperseg: int | None = None, **options: Unpack[RunKeywords]
) -> tuple[PowerPicture, RunReport]:
    """Compute the spectrogram of a recording in one pass, as means over the columns of a picture.

    Parameters
    ----------
    recording : Recording or Flow
        Of known length and rate, of real numbers, and of at most `MOST_CHANNELS` channels.
    columns : int
        The most to divide it into.
    nperseg : int, optional
        Samples of a segment; default: as fine along the time as along the frequencies, within limits.
    **options
        Of the pass: see `Flow`. The result counts beside them.

    Returns
    -------
    PowerPicture
        Of Hann windows, without their means; it depends on nothing but the recording, `columns` and `nperseg`.
    RunReport
        What it cost.

    Raises
    ------
    SchemaError
        If the recording is a stream, complex, empty, shorter than a segment, has no rate, or too many channels.
    """
    flow = recording if isinstance(recording, Flow) else recording.pipe()
    n, fs = _drawable(flow)
    if nperseg is None:
        nperseg = min(max(_SHORTEST, 2 ** round(math.log2(math.sqrt(2 * n)))), _LONGEST, n)
    longest = max(length or 0 for length in flow.segment_lengths())
    nperseg = min(whole_number("nperseg", nperseg, least=1), longest)  # of a short recording, one segment of all of it
    function = _ColumnSpectra(nperseg, n, columns)
    rows = RowFlow(flow, function).batches(**options)
    with rows:
        found = [row for batch in rows for row in batch["power"]]
    if not found:
        raise SchemaError(f"the recording has no whole segment of nperseg={nperseg:,} samples: take fewer")
    power = np.moveaxis(np.array(found), 0, -1)
    return PowerPicture(power, fs / 2, n / fs, nperseg), rows.report


def _drawable(flow: Flow) -> tuple[int, float]:
    """Give length and rate of what can be drawn."""
    spec, lengths = flow.spec, flow.segment_lengths()
    n = sum(length or 0 for length in lengths)
    if None in lengths:
        raise SchemaError("a stream has no length to draw along: write it to a file first, rec.pipe().to_file(path)")
    if spec.fs is None:
        raise SchemaError("a spectrogram is in hertz, and the recording has no rate: give fs= (--fs)")
    if spec.dtype.kind == "c":
        raise SchemaError(f"{spec.dtype} samples are not drawn: take the real part or the magnitude to look at")
    if not n:
        raise SchemaError("the recording has no samples: choose another start= or stop=")
    if spec.n_channels > MOST_CHANNELS:
        raise SchemaError(
            f"one picture has room for the spectrograms of {MOST_CHANNELS} channels, and these are {spec.n_channels}: "
            "choose some with channels= (--channels 0-3)"
        )
    return n, spec.fs


class _ColumnSpectra(SegmentSpectra):
    """Power densities, averaged over the segments of each column and over neighbouring frequencies."""

    def __init__(self, nperseg: int, n: int, columns: int) -> None:
        hop = min(-(-nperseg // 2), max(1, -(-n // columns)))
        super().__init__(nperseg, nperseg - hop)
        self._segments = max(1, -(-max(0, n - self.noverlap) // (hop * columns)))  # of a column

    def fold(self, spec: Spec, *, t0: float = 0.0, tmp: object = None) -> _Columns:  # noqa: ARG002 - the protocol's
        """See `headrace.core.blockwise.Tabulates.fold`."""
        detail = self.plan(spec).detail
        cells = -(-self._segments // detail.cell)
        return _Columns(self, spec, detail.cell, cells, max(1, min(detail.transform.freqs, _ROWS // spec.n_channels)))

    def _cell(self, at_once: int) -> int:
        return min(super()._cell(at_once), self._segments)

    def _series(self, inp: Spec) -> Series:  # noqa: ARG002 - the same for all
        return Series(None)


class _Columns:
    """Adds cells up to columns, in their order; see `headrace.core.blockwise.Fold`."""

    def __init__(self, function: _ColumnSpectra, spec: Spec, cell: int, cells: int, rows: int) -> None:
        self._function, self._spec, self._cell, self._cells = function, spec, cell, cells
        freqs = function.nfft // 2 + 1
        self._starts = np.arange(rows, dtype=np.int64) * freqs // rows
        self._widths = np.diff(np.append(self._starts, freqs))
        self.dtype: DType = np.dtype([("power", np.float64, (spec.n_channels, rows))])
        self._sum = np.zeros((spec.n_channels, freqs))
        self._count = self._taken = 0  # segments, and cells, in the sum
        self._groups: list[Array] = []

    def add(self, outcome: Outcome[tuple[Array, int]]) -> Iterator[Array]:
        """Take the sums of a block's cells; give the columns that they complete."""
        values, count = outcome.result
        self._groups.append(values)
        if outcome.channels.stop < self._spec.n_channels:
            return
        whole, self._groups = np.concatenate(self._groups, axis=1), []
        for place, sums in enumerate(whole):
            self._sum += sums
            self._count += min(self._cell, count - place * self._cell)
            self._taken += 1
            if self._taken == self._cells:
                yield self._row()

    def finish(self) -> Iterator[Array]:
        """Give the last column, which may have fewer segments."""
        if self._taken:
            yield self._row()

    def close(self) -> None:
        """Hold nothing."""
        self._groups = []

    def _row(self) -> Array:
        power = self._sum * (density_factor(self._function, self._spec) / self._count)
        power, _ = whole_spectrum(self._function, self._spec, power)
        row: Any = np.zeros(1, self.dtype)
        row["power"] = np.add.reduceat(power, self._starts, axis=1) / self._widths
        self._sum[...], self._count, self._taken = 0, 0, 0
        return row  # type: ignore[no-any-return]
