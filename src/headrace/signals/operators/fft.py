"""Discrete Fourier transforms of a whole signal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.arrays import DType, float_dtype
from headrace.core.checks import whole_number
from headrace.core.operator import Plan, Spec
from headrace.errors import SchemaError
from headrace.signals.fft.bluestein import Bluestein
from headrace.signals.fft.four_step import FourStep
from headrace.signals.fft.lengths import LONGEST, ONE_PIECE, SMALL_PRIME, largest_prime, split_of
from headrace.signals.fft.one_piece import OnePiece
from headrace.signals.fft.signal import Signal

if TYPE_CHECKING:
    from headrace.core.transform import Transformation

__all__ = ["Fft", "Ifft"]


class Fft:
    """Transform a whole signal of any length: its discrete Fourier transform, exact, in passes over temporary files.

    Parameters
    ----------
    n : int, optional
        Length of the transform: the signal is cut, or continued by zeros. Default: all of it.

    Raises
    ------
    SchemaError
        If `n` is not a whole number from 1 to 2**49; when it is planned, for signals of no samples or of several
        channels.

    Notes
    -----
    The answer is that of ``scipy.fft.rfft(x, n)`` of a real channel, ``n // 2 + 1`` values, and of
    ``scipy.fft.fft(x, n)`` of a complex one. float32, complex64 and integers up to 16 bits give complex64, wider ones
    complex128. Output sample k is the frequency ``k * fs / n``.

    The length alone decides how it is done, so that no budget or number of threads changes a byte. Up to 65,536
    samples: in one piece. Lengths with two factors of similar size: the four-step algorithm, in a temporary file as
    large as the result and sixteen regions of it more; where they have prime factors above 11, in float64 inside.
    Other lengths, primes among them: Bluestein's algorithm, in float64 on the same passes, which is exact too and takes
    temporary files of about 64 bytes a sample. What comes before the transform is written to a temporary file first,
    unless the samples lie in a file, of one channel, as they are. ``tmp=`` names the folder.

    References
    ----------
    D. H. Bailey, *FFTs in external or hierarchical memory*, J. Supercomputing 4 (1990) 23 (the four-step algorithm).
    R. C. Singleton, *A method for computing the fast Fourier transform with auxiliary memory and limited high-speed
    storage*, IEEE Trans. Audio Electroacoust. 15 (1967) 91.
    L. I. Bluestein, *A linear filtering approach to the computation of discrete Fourier transform*, IEEE Trans. Audio
    Electroacoust. 18 (1970) 451.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.cos(2 * np.pi * 5 * np.arange(100) / 100), fs=100)
    >>> spectrum = rec.pipe(headrace.signals.Fft()).to_array()
    >>> len(spectrum), int(np.argmax(np.abs(spectrum)))
    (51, 5)
    """

    def __init__(self, n: int | None = None) -> None:
        self.n = _length(n)

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        _one_channel(self, inp)
        n = inp.n if self.n is None else self.n
        if n == 0:
            raise SchemaError("Fft takes at least one sample: the signal has none; n= continues it by zeros")
        work = _complex(float_dtype(inp.dtype))
        n_out = None if n is None or inp.n is None else n if inp.dtype.kind == "c" else n // 2 + 1
        return Plan(inp, replace(inp, n=n_out, dtype=work, fs=None, bits=None))

    def transform(self, plan: Plan) -> Transformation:
        """See `headrace.core.operator.Transform.transform`."""
        there = plan.inp.n or 0
        n = there if self.n is None else self.n
        job = _Job(Signal(n, there, plan.inp.dtype), plan.out.dtype, plan.out.dtype, plan.out.n or 0, inverse=False)
        return job.transformation()

    def __repr__(self) -> str:
        return f"Fft({'' if self.n is None else f'n={self.n}'})"


class Ifft:
    """Transform a whole spectrum back; see `Fft`.

    Parameters
    ----------
    n : int, optional
        Length of the result. Default: as many as there are samples, or with `real`, twice that less two.
    real : bool
        Whether the samples are the first ``n // 2 + 1`` of the spectrum of a real signal, as `Fft` gives them; the
        result is then real.

    Raises
    ------
    SchemaError
        As by `Fft`.

    Notes
    -----
    The answer is that of ``scipy.fft.ifft(x, n)``, or with `real` of ``scipy.fft.irfft(x, n)``: the spectrum is cut, or
    continued by zeros, and where it must be real its imaginary part is not looked at. A real signal of odd length
    is only found again if `n` is given. Method and dtypes are those of `Fft`; the rate of the result is not known.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> x = np.random.default_rng(0).standard_normal(1001).astype("float32")
    >>> rec = headrace.signals.from_array(x, fs=100)
    >>> both = rec.pipe(headrace.signals.Fft(), headrace.signals.Ifft(n=1001, real=True))
    >>> bool(np.allclose(both.to_array(), x, atol=1e-5))
    True
    """

    def __init__(self, n: int | None = None, *, real: bool = False) -> None:
        self.n, self.real = _length(n), real

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        _one_channel(self, inp)
        n = self._length(inp.n)
        if n is not None and n < 1:
            raise SchemaError(f"Ifft gives at least one sample: the spectrum has {inp.n}, which makes {n}; give n=")
        dtype = _complex(float_dtype(inp.dtype))
        if self.real:
            dtype = np.empty(0, dtype).real.dtype
        return Plan(inp, replace(inp, n=n if inp.n is not None else None, dtype=dtype, fs=None, bits=None))

    def transform(self, plan: Plan) -> Transformation:
        """See `headrace.core.operator.Transform.transform`."""
        there, n = plan.inp.n or 0, plan.out.n or 0
        signal = Signal(n, there, plan.inp.dtype, hermitian=self.real)
        return _Job(signal, _complex(plan.out.dtype), plan.out.dtype, n, inverse=True).transformation()

    def _length(self, there: int | None) -> int | None:
        if self.n is not None or there is None:
            return self.n
        return 2 * (there - 1) if self.real else there

    def __repr__(self) -> str:
        given = [] if self.n is None else [f"n={self.n}"]
        return f"Ifft({', '.join([*given, 'real=True'] if self.real else given)})"


@dataclass(frozen=True, slots=True)
class _Job:
    """One transform, however it is done.

    Attributes
    ----------
    signal : Signal
        The input.
    work : dtype
        Complex one that is wide enough for the result.
    out : dtype
        Of the result.
    n_out : int
        Values of it.
    inverse : bool
        Whether to transform back.
    """

    signal: Signal
    work: DType
    out: DType
    n_out: int
    inverse: bool

    def transformation(self) -> Transformation:
        """Choose the algorithm, by the length alone."""
        n = self.signal.n
        if n <= ONE_PIECE:
            return OnePiece(self.signal, self.out, self.n_out, self.inverse)
        split = split_of(n)
        if split is None:
            return Bluestein(self.signal, self.out, inverse=self.inverse)
        wide = np.dtype(np.complex128) if largest_prime(n) > SMALL_PRIME else self.work
        return FourStep(self.signal, split, wide, inverse=self.inverse)


def _length(n: int | None) -> int | None:
    if n is None:
        return None
    n = whole_number("n", n, least=1)
    if n > LONGEST:
        raise SchemaError(f"n= is at most 2**49: got {n}")
    return n


def _one_channel(operator: Fft | Ifft, inp: Spec) -> None:
    if inp.n_channels != 1 or len(inp.shape) > 1:
        raise SchemaError(
            f"{operator!r} transforms one channel, and this signal has {inp.n_channels}: choose one with "
            "recording[:, 3] (--channels 3)"
        )


def _complex(dtype: DType) -> DType:
    """Give the complex dtype of the same precision."""
    return np.dtype(np.complex64 if dtype in (np.float32, np.complex64) else np.complex128)
