"""Short-time Fourier transforms: `scipy.signal.ShortTimeFFT`, of recordings of any length."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from headrace.core.arrays import float_dtype, widest
from headrace.core.checks import whole_number
from headrace.core.operator import Plan, Spec
from headrace.core.span import Halo, Span
from headrace.errors import SchemaError
from headrace.signals.spectra.frame_grid import FrameGrid
from headrace.signals.spectra.settings import (
    checked_choice,
    checked_overlap,
    checked_points,
    checked_trend,
    frequencies,
)
from headrace.signals.spectra.transform import FrameTransform, stretch
from headrace.signals.spectra.window import Window, window_name, window_values

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType
    from headrace.core.chunk import Chunk

__all__ = ["Scaling", "Spectrogram", "Stft", "scale_factor"]

Scaling = Literal["magnitude", "psd"] | None
"""What the window is scaled to: nothing, the amplitude of a tone, or the root of a power density."""


class Stft:
    """Transform overlapping frames of the signal: its spectrum, from moment to moment.

    Parameters
    ----------
    nperseg : int
        Samples in a frame, at least 1.
    noverlap : int, optional
        Samples that a frame shares with the next, fewer than `nperseg`; default half of it.
    window : str, tuple, float or array-like, shape (nperseg,)
        Times each frame: a name as `scipy.signal.get_window` takes it (periodic, as it is for spectra), or real values.
    mfft : int, optional
        Points of a transform, at least `nperseg` and by default as many: frames are filled up with zeros.
    detrend : {False, "constant", "linear"}
        What is taken out of each frame first: nothing, its mean, or its line of least squares. At the ends of the
        signal that is of a frame filled up with zeros.
    scaling : {None, "magnitude", "psd"}
        ``"magnitude"`` divides by the sum of the window, so that a tone has its amplitude; ``"psd"`` scales so that the
        squared magnitude is a power density, units squared per hertz. One-sided, each has half of what a real tone has.

    Raises
    ------
    SchemaError
        If a number or a word is none of these; when it is used, if the signal is shorter than half a frame, or has no
        rate and `scaling` is ``"psd"``.
    MissingExtra
        If SciPy is needed for the window and not installed.

    Notes
    -----
    The answer is that of ``scipy.signal.ShortTimeFFT.from_window(window, fs, nperseg, noverlap, mfft=mfft,
    scale_to=scaling).stft(x, axis=0)``, done in float64, time first: a sample of the output is the spectrum of one
    frame, shape (freqs,) for one channel and (channels, freqs) for several. Real samples give the ``mfft // 2 + 1``
    frequencies from 0 on, complex ones all `mfft` (``fft_mode="twosided"``). float32 and integers up to 16 bits give
    complex64, rounded once, wider ones complex128. The rate of the flow becomes that of frames, ``fs / hop``.

    Frames lie as SciPy lays them: the middle of frame i is at sample ``(i + first) * hop``, phases count from there,
    and frames reach over both ends of the signal (of each segment), where it counts as 0; `times` and `frequencies` are
    the axes. NaN and infinity spoil the frames that hold them, and no others.

    The transforms are done in float64, so that what lies deep below a strong tone or offset is kept.

    References
    ----------
    K. Gröchenig, *Foundations of Time-Frequency Analysis* (2001), chapters 3 and 5.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.sin(0.2 * np.pi * np.arange(4000)), fs=1000)
    >>> stft = headrace.signals.Stft(100, 50, scaling="magnitude")
    >>> spectra = rec.pipe(stft).to_array()
    >>> spectra.shape, spectra.dtype
    ((81, 51), dtype('complex128'))
    >>> stft.frequencies(1000)[np.abs(spectra[40]).argmax()]
    np.float64(100.0)
    """

    def __init__(
        self,
        nperseg: int,
        noverlap: int | None = None,
        window: Window = "hann",
        *,
        mfft: int | None = None,
        detrend: Any = False,
        scaling: Scaling = None,
    ) -> None:
        self.nperseg = whole_number("nperseg", nperseg, least=1)
        self.noverlap = checked_overlap(self.nperseg, noverlap)
        self.mfft = checked_points("mfft", mfft, self.nperseg)
        self.detrend = checked_trend(detrend)
        self.scaling: Scaling = checked_choice("scaling", scaling, (None, "magnitude", "psd"))
        self._values = window_values(window, self.nperseg)
        self._window = window_name(window)
        self._grid = FrameGrid.of(self._values, self.hop)
        self._wide = False

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return self.nperseg - self.noverlap

    @property
    def first(self) -> int:
        """Number of the first frame: its middle lies at sample ``first * hop``, which is not after the first one."""
        return self._grid.first

    def frequencies(self, fs: float, *, complex_samples: bool = False) -> Array:
        """Give the frequencies of a spectrum, in the order in which it has them.

        Parameters
        ----------
        fs : float
            Samples per second of the signal, hertz.
        complex_samples : bool
            Whether the signal is complex.

        Returns
        -------
        ndarray, shape (freqs,) float64
            Hertz.
        """
        return frequencies(self.mfft, fs, is_complex=complex_samples)

    def times(self, frames: int, fs: float, t0: float = 0.0) -> Array:
        """Give the times of the first frames, those of their middles.

        Parameters
        ----------
        frames : int
            How many.
        fs : float
            Samples per second of the signal, hertz.
        t0 : float
            Time of its first sample, seconds.

        Returns
        -------
        ndarray, shape (frames,) float64
            Seconds.
        """
        return t0 + (np.arange(frames) + self.first) * (self.hop / fs)

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        grid, is_complex = self._grid, inp.dtype.kind == "c"
        if inp.n is not None and 0 < inp.n < grid.least:
            raise SchemaError(
                f"a signal of {inp.n:,} samples is shorter than half a frame of nperseg={self.nperseg:,}: take "
                f"nperseg={2 * inp.n:,} or less"
            )
        transform = FrameTransform(
            self._values * scale_factor(self._values, self.scaling, inp.fs),
            self.hop,
            self.mfft,
            is_complex=is_complex,
            trend=self.detrend,
            centred=True,
        )
        out = Spec(
            None if inp.n is None else grid.count(inp.n) if inp.n else 0,
            (*inp.shape, transform.freqs),
            self._dtype(float_dtype(inp.dtype)),
            None if inp.fs is None else inp.fs / self.hop,
        )
        return Plan(
            inp,
            out,
            grid=transform.group,
            halo=Halo(-grid.start, max(0, grid.start + grid.nperseg - 1)),
            down=self.hop,
            batch=max(1, transform.at_once // transform.group),
            workspace=transform.room_bytes(transform.at_once),
            detail=transform,
        )

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        transform: FrameTransform = plan.detail
        rows = out.array.reshape(len(out), plan.inp.n_channels * transform.freqs)
        room = transform.room(max(1, min(transform.at_once, len(out))))
        with np.errstate(over="ignore", invalid="ignore"):
            for frames in out.span.split(transform.at_once):
                start = frames.start * self.hop + self._grid.start
                samples = Span(start, start + transform.samples(frames.size))
                for channel in range(plan.inp.n_channels):
                    stretch(window, channel, samples, room.line[: samples.size])
                    transform.write(room, frames.size, rows, frames.start - out.start, channel * transform.freqs)

    def _dtype(self, real: DType) -> DType:
        """Give the dtype of spectra, given that of floats that the samples become."""
        return np.result_type(real, np.complex64)

    def _others(self) -> str:
        """Name what is not as by default."""
        given = "" if self.mfft == self.nperseg else f", mfft={self.mfft}"
        given += f", detrend={self.detrend!r}" if self.detrend else ""
        return given + (f", scaling={self.scaling!r}" if self.scaling else "")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.nperseg}, {self.noverlap}, window={self._window}{self._others()})"


class Spectrogram(Stft):
    """Give the power of overlapping frames of the signal at each frequency.

    Parameters
    ----------
    nperseg, noverlap, window, mfft, detrend, scaling
        See `Stft`.

    Raises
    ------
    SchemaError, MissingExtra
        See `Stft`.

    Notes
    -----
    The answer is that of ``scipy.signal.ShortTimeFFT.from_window(...).spectrogram(x, detr=detrend, axis=0)`` in
    float64, the squared magnitude of what `Stft` gives, time first: float32 where that gives complex64, else float64,
    rounded once. All else is as in `Stft`.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.ones((1000, 2), "f4"), fs=1000)
    >>> flow = rec.pipe(headrace.signals.Spectrogram(100, 75, scaling="magnitude"))
    >>> flow.spec.shape, flow.fs, flow.dtype
    ((2, 51), 40.0, dtype('float32'))
    >>> float(flow.to_array()[20, 0, 0].round(6))
    1.0
    """

    def widened(self) -> Spectrogram:
        """See `headrace.core.operator.Widens`."""
        wide = copy(self)
        wide._wide = True
        return wide

    def _dtype(self, real: DType) -> DType:
        found = np.dtype(np.float32 if np.result_type(real, np.complex64) == np.complex64 else np.float64)
        return widest(found) if self._wide else found


def scale_factor(values: Array, scaling: Scaling, fs: float | None) -> float:
    """Give what a window is to be multiplied with.

    Raises
    ------
    SchemaError
        If that is per hertz, and there is no rate.
    """
    if scaling is None:
        return 1.0
    if scaling == "magnitude":
        return float(1 / abs(values.sum()))
    if fs is None:
        raise SchemaError("scaling='psd' is per hertz, and the signal has no rate: give fs= (--fs)")
    return float(1 / np.sqrt(np.sum(values * values) * fs))
