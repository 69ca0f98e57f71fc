"""From short-time spectra back to the signal."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Literal

import numpy as np

from headrace.core.arrays import widest
from headrace.core.checks import whole_number
from headrace.core.operator import Plan, Spec
from headrace.core.span import Halo
from headrace.errors import SchemaError
from headrace.signals.spectra.frame_grid import FrameGrid
from headrace.signals.spectra.settings import checked_choice, checked_overlap, checked_points
from headrace.signals.spectra.stft import Scaling, scale_factor
from headrace.signals.spectra.transform import frames_at_once, transform_bytes
from headrace.signals.spectra.window import Window, dual_window, window_name, window_values

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType
    from headrace.core.chunk import Chunk

__all__ = ["Istft"]


class Istft:
    """Make the signal of its short-time spectra: the inverse of `Stft`.

    Parameters
    ----------
    nperseg, noverlap, window, mfft, scaling
        Those of the `Stft` that made the spectra.
    n : int, optional
        Samples to give: those of the signal. Default: all that a frame reaches, which at the end is up to a frame more,
        of zeros, as in SciPy.
    fft_mode : {"onesided", "twosided"}
        Whether the spectra are the lower halves of those of real samples, or whole ones, of complex samples.

    Raises
    ------
    SchemaError
        If a number or a word is none of these, or the window has no dual at this `noverlap`, so that nothing brings the
        signal back; when it is used, if the spectra are not complex, or have another number of frequencies, or there
        are not as many as `n` samples have.
    MissingExtra
        If SciPy is needed for the window and not installed.

    Notes
    -----
    The answer is that of ``scipy.signal.ShortTimeFFT.from_window(...).istft(S, k1=n)`` in float64, on spectra of shape
    (frames, freqs) or (frames, channels, freqs), as `Stft` gives them. complex64 gives float32, complex128 float64;
    two-sided spectra give complex samples. The rate of the flow becomes that of samples again.

    Each frame is transformed back, times the canonical dual window, and added to the others in their order.

    References
    ----------
    D. W. Griffin and J. S. Lim, "Signal estimation from modified short-time Fourier transform", IEEE Transactions on
    Acoustics, Speech, and Signal Processing 32 (1984).

    Examples
    --------
    >>> import numpy as np, headrace
    >>> from headrace.signals import Istft, Stft
    >>> x = np.random.default_rng(0).standard_normal(5000)
    >>> again = headrace.signals.from_array(x, fs=100).pipe(Stft(256, 192), Istft(256, 192, n=5000)).to_array()
    >>> bool(np.abs(again - x).max() < 1e-13)
    True
    """

    any_shape = True

    def __init__(
        self,
        nperseg: int,
        noverlap: int | None = None,
        window: Window = "hann",
        *,
        n: int | None = None,
        mfft: int | None = None,
        scaling: Scaling = None,
        fft_mode: Literal["onesided", "twosided"] = "onesided",
    ) -> None:
        self.nperseg = whole_number("nperseg", nperseg, least=1)
        self.noverlap = checked_overlap(self.nperseg, noverlap)
        self.mfft = checked_points("mfft", mfft, self.nperseg)
        self.n = None if n is None else whole_number("n", n, least=1)
        self.scaling: Scaling = checked_choice("scaling", scaling, (None, "magnitude", "psd"))
        self.fft_mode = checked_choice("fft_mode", fft_mode, ("onesided", "twosided"))
        self._values = window_values(window, self.nperseg)
        self._dual = dual_window(self._values, self.hop)
        self._window = window_name(window)
        self._grid = FrameGrid.of(self._values, self.hop)
        if self.n is not None and self.n < self._grid.least:
            raise SchemaError(
                f"n={self.n:,} is less than half a frame of nperseg={self.nperseg:,}: no signal that short has frames"
            )
        self._wide = False

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return self.nperseg - self.noverlap

    @property
    def freqs(self) -> int:
        """Frequencies of a spectrum."""
        return self.mfft if self.fft_mode == "twosided" else self.mfft // 2 + 1

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        self._check(inp)
        grid, hop = self._grid, self.hop
        fs = None if inp.fs is None else inp.fs * hop
        at_once = frames_at_once(self.mfft)
        # Sample k lies in the frames from k // hop - left to k // hop + right - 1. The one more keeps a stream, whose
        # end is not known, from giving samples beyond `n`.
        left = max(0, (grid.least - 1) // hop + grid.first)
        right = (hop - 1 + grid.middle) // hop - grid.first + 1
        frames = at_once + left + right
        width = 16 if self.fft_mode == "twosided" else 8
        return Plan(
            inp,
            Spec(None if inp.n is None else self._length(inp.n), inp.shape[:-1], self._dtype(inp.dtype), fs),
            halo=Halo(left, right),
            up=hop,
            batch=at_once * hop,
            workspace=frames * (16 * self.freqs + width * (2 * self.mfft + hop))
            + width * self.nperseg
            + transform_bytes(self.mfft),
            detail=(self._dual / scale_factor(self._values, self.scaling, fs), at_once),
        )

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        dual, at_once = plan.detail
        channels = plan.out.n_channels
        target = out.array.reshape(len(out), channels)
        with np.errstate(over="ignore", invalid="ignore"):
            for samples in out.span.split(at_once * self.hop):
                part = window.narrow(plan.demand(samples))
                spectra = part.array.reshape(len(part), channels, self.freqs)
                begin = samples.start - part.start * self.hop - self._grid.start  # place of the first sample
                for channel in range(channels):
                    line = self._overlapped(spectra[:, channel], dual)
                    target[samples.within(out.span), channel] = line[begin : begin + samples.size]

    def widened(self) -> Istft:
        """See `headrace.core.operator.Widens`."""
        wide = copy(self)
        wide._wide = True
        return wide

    def _overlapped(self, spectra: Array, dual: Array) -> Array:
        """Transform spectra back, (frames, freqs), and add the frames up where they lie, each sample's in order."""
        nperseg, hop, turn = self.nperseg, self.hop, self.nperseg // 2
        wide = spectra.astype(np.complex128)
        turned = np.fft.ifft(wide, axis=-1) if self.fft_mode == "twosided" else np.fft.irfft(wide, n=self.mfft, axis=-1)
        frames: Array = np.empty((len(spectra), nperseg), turned.dtype)
        np.multiply(turned[:, : nperseg - turn], dual[turn:], out=frames[:, turn:])
        np.multiply(turned[:, self.mfft - turn :], dual[:turn], out=frames[:, :turn])
        pieces = -(-nperseg // hop)
        line: Array = np.zeros((len(frames) + pieces - 1, hop), turned.dtype)
        for piece in range(pieces - 1, -1, -1):  # the last piece of a frame meets the first of later ones
            some: Array = frames[:, piece * hop : (piece + 1) * hop]
            line[piece : piece + len(frames), : some.shape[1]] += some
        return line.reshape(-1)

    def _check(self, inp: Spec) -> None:
        name = "Istft"
        if inp.dtype.kind != "c" or len(inp.shape) not in (1, 2):
            raise SchemaError(
                f"{name} takes complex spectra, shape (freqs,) or (channels, freqs): got {inp.dtype} {inp.shape}"
            )
        if inp.shape[-1] != self.freqs:
            raise SchemaError(
                f"{name}(mfft={self.mfft}, fft_mode={self.fft_mode!r}) takes spectra of {self.freqs} frequencies: got "
                f"{inp.shape[-1]}; give it the nperseg, mfft and fft_mode that they were made with"
            )

    def _length(self, frames: int) -> int:
        """Count the samples of so many frames.

        Raises
        ------
        SchemaError
            If there are too few.
        """
        grid = self._grid
        if not frames:
            return 0
        if frames < grid.count(grid.least):
            raise SchemaError(
                f"{frames} frame(s) are those of no signal: the shortest, of {grid.least} samples, has "
                f"{grid.count(grid.least)}"
            )
        if self.n is not None and grid.count(self.n) != frames:
            raise SchemaError(
                f"a signal of n={self.n:,} samples has {grid.count(self.n):,} frames, and these are {frames:,}: give "
                "the length of the signal that they were made of, or none"
            )
        return grid.reach(frames) if self.n is None else self.n

    def _dtype(self, spectra: DType) -> DType:
        """Give the dtype of samples, given that of spectra."""
        if self.fft_mode == "twosided":
            return widest(spectra) if self._wide else spectra
        return np.dtype(np.float32 if spectra == np.complex64 and not self._wide else np.float64)

    def __repr__(self) -> str:
        given = "" if self.n is None else f", n={self.n}"
        given += "" if self.mfft == self.nperseg else f", mfft={self.mfft}"
        given += f", scaling={self.scaling!r}" if self.scaling else ""
        given += "" if self.fft_mode == "onesided" else f", fft_mode={self.fft_mode!r}"
        return f"Istft({self.nperseg}, {self.noverlap}, window={self._window}{given})"
