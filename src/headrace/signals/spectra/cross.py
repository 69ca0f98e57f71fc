"""How channels go together: cross spectra and coherence, `scipy.signal.csd` and `scipy.signal.coherence`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from headrace.core.checks import whole_number
from headrace.errors import SchemaError
from headrace.signals.spectra.segments import Average, SegmentSpectra, Series
from headrace.signals.spectra.welch import averages_of, density_factor, whole_spectrum

if TYPE_CHECKING:
    import os

    from headrace.core.arrays import Array, DType
    from headrace.core.operator import Spec
    from headrace.signals.spectra.averages import AverageRows
    from headrace.signals.spectra.window import Window

__all__ = ["Coherence", "Csd"]

_PAIR = (("frequency_hz", np.float64), ("channel_a", np.int32), ("channel_b", np.int32))


class Csd(SegmentSpectra):
    """Estimate the cross power spectrum of pairs of channels, by Welch's method, as a table.

    Parameters
    ----------
    a, b : int or sequence of int
        Channels of each pair, from 0; one goes with all of several.
    nperseg, noverlap, window, detrend, nfft, scaling, average, return_onesided
        See `Welch`.

    Raises
    ------
    SchemaError, MissingExtra
        See `Welch`; when it is used, if there is no such channel.

    Notes
    -----
    The answer is that of ``scipy.signal.csd(x[:, a], x[:, b], fs, window, nperseg, ...)`` in float64: the average of
    conj(A) * B. A table has no complex numbers, so rows have ``frequency_hz``, ``channel_a``, ``channel_b``,
    ``csd_real`` and ``csd_imag`` (for ``scaling="spectrum"`` too), in order of (frequency, pair). Its phase is negative
    where b lags behind a. All else is as in `Welch`; medians are taken of the two parts, each by itself.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> a = np.random.default_rng(0).standard_normal(100_000)
    >>> rec = headrace.signals.from_array(np.stack([a, np.roll(a, 1)], axis=1), fs=1000)
    >>> rows = rec.pipe().tabulate(headrace.signals.Csd(0, 1)).to_array()
    >>> csd = rows["csd_real"] + 1j * rows["csd_imag"]
    >>> float(rows["frequency_hz"][32]), float(np.angle(csd[32]).round(1))  # 1 ms, an eighth of a period
    (125.0, -0.8)
    """

    def __init__(  # noqa: PLR0913 - SciPy's
        self,
        a: Any,
        b: Any,
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
        super().__init__(
            nperseg,
            noverlap,
            window,
            detrend=detrend,
            nfft=nfft,
            scaling=scaling,
            average=average,
            return_onesided=return_onesided,
        )
        self.pairs = _pairs(a, b)

    @property
    def columns(self) -> DType:
        """Structured dtype of the rows."""
        return np.dtype([*_PAIR, ("csd_real", np.float64), ("csd_imag", np.float64)])

    def fold(self, spec: Spec, *, t0: float = 0.0, tmp: str | os.PathLike[str] | None = None) -> AverageRows:  # noqa: ARG002 - the protocol's
        """See `headrace.core.blockwise.Tabulates.fold`."""

        def rows(averages: Array) -> Array:
            found, hertz = whole_spectrum(self, spec, _complex(averages) * density_factor(self, spec))
            table = _table(self.columns, hertz, self.pairs)
            table["csd_real"], table["csd_imag"] = found.real.T, found.imag.T
            return table.reshape(-1)

        return averages_of(self, spec, tmp, rows, self.columns)

    def _series(self, inp: Spec) -> Series:
        return Series((), _checked(self.pairs, inp.n_channels))

    def __repr__(self) -> str:
        return f"Csd({_spoken(self.pairs)}, {self._given()})"


class Coherence(SegmentSpectra):
    """Estimate how far one channel follows from another at each frequency, from 0 to 1, as a table.

    Parameters
    ----------
    a, b : int or sequence of int
        Channels of each pair, from 0; one goes with all of several.
    nperseg, noverlap, window, detrend, nfft
        See `Welch`.

    Raises
    ------
    SchemaError, MissingExtra
        See `Csd`.

    Notes
    -----
    The answer is that of ``scipy.signal.coherence(x[:, a], x[:, b], fs, window, nperseg, ...)`` in float64: the
    squared magnitude of the cross spectrum over both power spectra, means over segments. Of one segment it is 1,
    whatever the signals; NaN where a channel has no power. Rows have ``frequency_hz``, ``channel_a``, ``channel_b`` and
    ``coherence``, in order of (frequency, pair). All else is as in `Welch`.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> a, noise = np.random.default_rng(0).standard_normal((2, 100_000))
    >>> rec = headrace.signals.from_array(np.stack([a, a + noise], axis=1), fs=1000)
    >>> rows = rec.pipe().tabulate(headrace.signals.Coherence(0, 1)).to_array()
    >>> float(rows["coherence"].mean().round(1))
    0.5
    """

    def __init__(
        self,
        a: Any,
        b: Any,
        nperseg: int | None = None,
        noverlap: int | None = None,
        window: Window = "hann",
        *,
        detrend: Any = "constant",
        nfft: int | None = None,
    ) -> None:
        super().__init__(nperseg, noverlap, window, detrend=detrend, nfft=nfft)
        self.pairs = _pairs(a, b)

    @property
    def columns(self) -> DType:
        """Structured dtype of the rows."""
        return np.dtype([*_PAIR, ("coherence", np.float64)])

    def fold(self, spec: Spec, *, t0: float = 0.0, tmp: str | os.PathLike[str] | None = None) -> AverageRows:  # noqa: ARG002 - the protocol's
        """See `headrace.core.blockwise.Tabulates.fold`."""
        channels = _channels(self.pairs)
        first, second = (np.searchsorted(channels, side) for side in zip(*self.pairs, strict=True))

        def rows(averages: Array) -> Array:
            powers, crosses = averages[: len(channels)], _complex(averages[len(channels) :])
            found = np.abs(crosses) ** 2 / powers[first] / powers[second]
            _, hertz = whole_spectrum(self, spec, found)
            if spec.dtype.kind != "c":
                hertz = hertz[: found.shape[1]]
            table = _table(self.columns, hertz, self.pairs)
            table["coherence"] = found.T
            return table.reshape(-1)

        return averages_of(self, spec, tmp, rows, self.columns)

    def _series(self, inp: Spec) -> Series:
        return Series(_channels(self.pairs), _checked(self.pairs, inp.n_channels))

    def __repr__(self) -> str:
        return f"Coherence({_spoken(self.pairs)}, {self._given()})"


def _pairs(a: Any, b: Any) -> tuple[tuple[int, int], ...]:
    sides = [np.atleast_1d(np.asarray(side, object)) for side in (a, b)]
    try:
        first, second = np.broadcast_arrays(*sides)
    except ValueError as error:
        raise SchemaError(f"a= and b= are as many channels, or one and several: got {a!r} and {b!r}") from error
    if first.ndim != 1 or not len(first):
        raise SchemaError(f"a= and b= are channels, or rows of them: got {a!r} and {b!r}")
    return tuple(
        (whole_number("a", one, least=0), whole_number("b", other, least=0))
        for one, other in zip(first, second, strict=True)
    )


def _checked(pairs: tuple[tuple[int, int], ...], n_channels: int) -> tuple[tuple[int, int], ...]:
    beyond = [channel for pair in pairs for channel in pair if channel >= n_channels]
    if beyond:
        raise SchemaError(f"there is no channel {beyond[0]} in a signal of {n_channels}: they count from 0")
    return pairs


def _channels(pairs: tuple[tuple[int, int], ...]) -> list[int]:
    """List the channels of some pairs, once each, rising."""
    return sorted({channel for pair in pairs for channel in pair})


def _complex(parts: Array) -> Array:
    """Join real and imaginary parts, which take turns row by row."""
    found: Array = parts[0::2] + 1j * parts[1::2]
    return found


def _table(columns: DType, hertz: Array, pairs: tuple[tuple[int, int], ...]) -> Array:
    table = np.empty((len(hertz), len(pairs)), columns)
    table["frequency_hz"] = hertz[:, np.newaxis]
    table["channel_a"], table["channel_b"] = np.array(pairs).T
    return table


def _spoken(pairs: tuple[tuple[int, int], ...]) -> str:
    a, b = zip(*pairs, strict=True)
    return f"{a[0]}, {b[0]}" if len(pairs) == 1 else f"{list(a)}, {list(b)}"
