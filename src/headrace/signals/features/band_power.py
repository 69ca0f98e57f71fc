"""The power in a band of frequencies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headrace.errors import MissingExtra, SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.arrays import Array

__all__ = ["BandPower"]


@dataclass(frozen=True)
class BandPower:
    """Power of a window between two frequencies, for `Features`.

    Parameters
    ----------
    lo, hi : float
        The band [lo, hi), hertz; without `hi` it reaches to the Nyquist frequency, which is then included.
    label : str, optional
        Name of the column; default ``band_power_lo_hi``.

    Raises
    ------
    SchemaError
        If the band is empty or negative; when it is used, if the signal has no rate, the band reaches beyond the
        Nyquist frequency, or lies between two bins of a window's spectrum.
    MissingExtra
        When it is used, if SciPy is not installed.

    Notes
    -----
    The sum over the bins in [lo, hi) of ``scipy.signal.periodogram(window, fs, "hann")``, times the width of a bin,
    fs / length: the squared units of the signal. Bin k lies at k * fs / length, rounded once, so that a bin on the edge
    of a band is told right (SciPy's own frequencies may be a rounding beside it). As there, the window's mean is taken
    away first, the Hann window is the periodic one, and the spectrum is one-sided. Computed in float64 with
    ``scipy.fft``.

    References
    ----------
    P. D. Welch, "The use of the fast Fourier transform for the estimation of power spectra", IEEE Transactions on Audio
    and Electroacoustics 15 (1967): this is its method for a single segment.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> tone = np.sqrt(2) * np.sin(2 * np.pi * 10 * np.arange(1000) / 100)
    >>> rec = headrace.signals.from_array(tone, fs=100)
    >>> rec.features(BandPower(8, 12), length="1s").to_array()["band_power_8_12"][:3].round(6)
    array([1., 1., 1.])
    """

    lo: float
    hi: float | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        top = np.inf if self.hi is None else self.hi
        try:
            fits = 0 <= self.lo < top
        except TypeError as error:
            raise SchemaError(f"a band is two frequencies in hertz: got {self.lo!r}, {self.hi!r}") from error
        if not fits:
            raise SchemaError(f"a band is 0 <= lo < hi, in hertz: got lo={self.lo}, hi={self.hi}")

    @property
    def name(self) -> str:
        """Name of the column."""
        if self.label is not None:
            return self.label
        top = "nyquist" if self.hi is None else f"{self.hi:g}"
        return f"band_power_{self.lo:g}_{top}"

    def measure(self, length: int, fs: float | None) -> Callable[[Array], Array]:
        """Make the function of windows of `length` samples at `fs` samples per second: (k, length) to (k,)."""
        if not fs:
            raise SchemaError(f"{self!r} is in hertz, and the recording has no rate: give fs= (--fs)")
        top = fs / 2 if self.hi is None else self.hi
        if top > fs / 2 or self.lo > fs / 2:
            raise SchemaError(f"{self!r} reaches beyond {fs / 2:g} Hz, half the rate of {fs:g} Hz: take a lower band")
        bins = np.arange(length // 2 + 1) * fs / length  # a product first: 13 * 1000 / 65 is 200
        first, last = np.searchsorted(bins, [self.lo, np.inf if self.hi is None else self.hi])
        if first == last:
            raise SchemaError(
                f"{self!r} lies between two bins of the spectrum, which are {fs / length:g} Hz apart in a window of "
                f"{length:,} samples: take a wider band or longer windows"
            )
        return _Measure(length, fs, int(first), int(last))


class _Measure:
    """The band power of windows of one length."""

    def __init__(self, length: int, fs: float, first: int, last: int) -> None:
        self._rfft = _scipy_rfft()
        self._hann = 0.5 - 0.5 * np.cos(2 * np.pi / length * np.arange(length)) if length > 1 else np.ones(1)
        self._bins = slice(first, last)
        weights = np.full(length // 2 + 1, 2.0)
        weights[0] = 1.0  # the two bins without a mirror image
        if length % 2 == 0:
            weights[-1] = 1.0
        density = weights / (fs * np.sum(self._hann**2))
        self._weights = density[self._bins] * (fs / length)

    def __call__(self, x: Array) -> Array:
        spectrum = self._rfft((x - np.mean(x, axis=-1, keepdims=True)) * self._hann)[:, self._bins]
        power: Array = np.sum((spectrum.real**2 + spectrum.imag**2) * self._weights, axis=-1)
        return power


def _scipy_rfft() -> Callable[[Array], Array]:
    try:
        from scipy.fft import rfft
    except ImportError as error:
        raise MissingExtra(
            "BandPower needs SciPy, which is not installed: pip install 'headrace[signals]'", extra="signals"
        ) from error
    found: Callable[[Array], Array] = rfft
    return found
