"""Power spectra by Welch's method: `scipy.signal.welch`, of recordings of any length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.signals.spectra.averages import AverageRows, Mean, Median
from headrace.signals.spectra.segments import SegmentSpectra, Series
from headrace.signals.spectra.settings import frequencies

if TYPE_CHECKING:
    import os

    from headrace.core.arrays import Array, DType
    from headrace.core.operator import Spec

__all__ = ["Welch", "averages_of", "density_factor", "whole_spectrum"]


class Welch(SegmentSpectra):
    """Estimate how power is spread over frequencies: the average over overlapping segments, as a table.

    Parameters
    ----------
    nperseg : int, optional
        Samples in a segment; default 256, or as many as `window` has values.
    noverlap : int, optional
        Samples that a segment shares with the next, fewer than `nperseg`; default half of it.
    window : str, tuple, float or array-like, shape (nperseg,)
        Times each segment: a name as `scipy.signal.get_window` takes it, or real values.
    detrend : {"constant", "linear", False}
        What is taken out of each segment first: its mean, its line of least squares, or nothing.
    nfft : int, optional
        Points of a transform, at least `nperseg` and by default as many: segments are filled up with zeros.
    scaling : {"density", "spectrum"}
        A power density, units squared per hertz, or the power, units squared, that a tone has in its bin.
    average : {"mean", "median"}
        Over the segments. The median, over its bias for noise, is not moved by a few loud segments.
    return_onesided : bool
        Whether real samples give the frequencies from 0 on alone, with the power of their mirror images; complex
        samples give all.

    Raises
    ------
    SchemaError
        If a number or a word is none of these; when it is used, if the signal has no rate or no whole segment.
    MissingExtra
        If SciPy is needed for the window and not installed.

    Warns
    -----
    UserWarning
        When it is used on a recording shorter than `nperseg`: then all of it is one segment, as in SciPy.

    Notes
    -----
    The answer is that of ``scipy.signal.welch(x, fs, window, nperseg, ..., axis=0)`` in float64. Rows have
    ``frequency_hz``, ``channel`` and a float64 column ``psd``, or ``power`` for ``scaling="spectrum"``, in order of
    (frequency, channel) with the frequencies in SciPy's order: ``rows["psd"].reshape(-1, n_channels)`` is its array.

    In a recording with gaps no segment crosses one. Sums are taken in float64, in cells of a fixed number of segments
    that are added up in their order with what rounding loses kept beside, so that any number of segments costs no
    digits. For the median the spectra of all segments wait in a temporary file (`tmp`), 8 bytes for each frequency of
    each; it is exact.

    References
    ----------
    P. D. Welch, "The use of the fast Fourier transform for the estimation of power spectra", IEEE Transactions on Audio
    and Electroacoustics 15 (1967).

    Examples
    --------
    >>> import numpy as np, headrace
    >>> tone = np.sqrt(2) * np.sin(2 * np.pi * 125 * np.arange(10_000) / 1000)
    >>> rows = headrace.signals.from_array(tone, fs=1000).psd(scaling="spectrum").to_array()
    >>> row = rows[rows["power"].argmax()]
    >>> float(row["frequency_hz"]), float(row["power"].round(9))
    (125.0, 1.0)
    """

    @property
    def columns(self) -> DType:
        """Structured dtype of the rows."""
        value = "psd" if self.scaling == "density" else "power"
        return np.dtype([("frequency_hz", np.float64), ("channel", np.int32), (value, np.float64)])

    def fold(self, spec: Spec, *, t0: float = 0.0, tmp: str | os.PathLike[str] | None = None) -> AverageRows:  # noqa: ARG002 - the protocol's
        """See `headrace.core.blockwise.Tabulates.fold`."""

        def rows(powers: Array) -> Array:
            found, hertz = whole_spectrum(self, spec, powers * density_factor(self, spec))
            table = np.empty((len(hertz), len(found)), self.columns)
            table["frequency_hz"] = hertz[:, np.newaxis]
            table["channel"] = np.arange(len(found))
            table[self.columns.names[-1]] = found.T  # type: ignore[index]
            return table.reshape(-1)

        return averages_of(self, spec, tmp, rows, self.columns)

    def _series(self, inp: Spec) -> Series:  # noqa: ARG002 - the same for all
        return Series(None)

    def __repr__(self) -> str:
        return f"Welch({self._given()})"


def averages_of(
    function: SegmentSpectra, spec: Spec, tmp: str | os.PathLike[str] | None, rows: object, columns: DType
) -> AverageRows:
    """Begin the averages over the segments of a signal, of which `rows` makes a table."""
    detail = function.plan(spec).detail
    shape = (detail.series.rows(spec.n_channels), detail.transform.freqs)
    averager = Mean(shape) if function.average == "mean" else Median(shape, tmp)
    needed = f"of nperseg={function.nperseg:,}: take fewer"
    return AverageRows(averager, spec.n_channels, rows, columns, needed)  # type: ignore[arg-type]


def density_factor(function: SegmentSpectra, spec: Spec) -> float:
    """Give what the squared magnitude of a spectrum times the window is to be multiplied with."""
    window, fs = function._values, spec.fs or 1.0
    if function.scaling == "spectrum":
        return float(1 / window.sum() ** 2)
    return float(1 / (fs * np.sum(window * window)))


def whole_spectrum(function: SegmentSpectra, spec: Spec, values: Array) -> tuple[Array, Array]:
    """Give values for the frequencies that are asked for, (rows, freqs), real or complex, and these in hertz."""
    is_complex, points, fs = spec.dtype.kind == "c", function.nfft, spec.fs or 1.0
    if not is_complex and function.return_onesided:
        values = values.copy()
        values[:, 1 : (points + 1) // 2] *= 2  # all but those without a mirror image
        return values, frequencies(points, fs, is_complex=False)
    if not is_complex:
        values = np.concatenate([values, np.conj(values[:, (points - 1) // 2 : 0 : -1])], axis=1)
    return values, frequencies(points, fs, is_complex=True)
