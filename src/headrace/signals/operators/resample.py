"""Other sampling rates, by rational factors."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace import _native
from headrace.core.arrays import float_dtype, widest
from headrace.core.checks import whole_number
from headrace.core.operator import Plan, Spec
from headrace.core.span import Halo
from headrace.errors import SchemaError
from headrace.signals.fingerprint import fingerprint
from headrace.signals.real_numbers import real_channels, real_numbers, real_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.arrays import Array
    from headrace.core.chunk import Chunk

__all__ = ["Decimate", "Resample"]

_HIGHEST = 100_000  # of up and down
_HALF = 10  # periods of the lower rate that the default filters reach to either side
_BETA = 5.0  # of their Kaiser window
_LANES = 8
_INPUTS = 1024  # samples that make a halo cheap
_PIECE = 4096  # samples that are widened at once, where no kernel reads them as they are


class Resample:
    """Change the sampling rate by the factor ``up / down``.

    Parameters
    ----------
    up, down : int
        At least 1; common factors are taken out, and then neither is above 100,000.
    taps : array-like of float, shape (k,), optional
        The low-pass filter, at `up` times the rate of the input, with a gain of 1: `scipy.signal.resample_poly`'s
        ``window=`` as an array. Default: as there, ``20 * max(up, down) + 1`` taps of a sinc under a Kaiser window of
        beta 5, whose cutoff is the lower of the two Nyquist frequencies.

    Raises
    ------
    SchemaError
        If the factors are not whole numbers from 1, or too high, or the taps are not a finite row of numbers.

    Notes
    -----
    The answer is that of ``scipy.signal.resample_poly(x, up, down, axis=0)`` in float64: as long as the signal,
    rounded up to whole samples, with output sample 0 at input sample 0, and zeros beyond both ends. float32 and
    integers up to 16 bits give float32, wider ones float64, rounded once. The rate of the flow changes with it.
    With ``up == down`` samples pass as they are. NaN and infinity reach the samples that a tap reaches them from;
    SciPy, which fills its filter up with zeros, may spread them a little further.

    Only the outputs that are kept are computed, each from the taps of its phase, in float64 and in an order of its
    own, so that no chunk length can change a byte.

    References
    ----------
    R. E. Crochiere and L. R. Rabiner, *Multirate Digital Signal Processing* (1983), section 3.3 (polyphase filters).

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.cos(0.01 * np.arange(48_000)), fs=48_000)
    >>> flow = rec.pipe(headrace.signals.Resample(147, 160))
    >>> flow.fs, flow.n_samples
    (44100.0, 44100)
    """

    def __init__(self, up: int, down: int, *, taps: Any = None) -> None:
        up, down = whole_number("up", up, least=1), whole_number("down", down, least=1)
        common = math.gcd(up, down)
        self.up, self.down = up // common, down // common
        if max(self.up, self.down) > _HIGHEST:
            raise SchemaError(
                f"up= and down= are at most {_HIGHEST:,} without common factors: got {self.up} and {self.down}; "
                "a factor close by has smaller ones (see fractions.Fraction.limit_denominator)"
            )
        self._own = taps is not None
        self.taps = _low_pass(self.up, self.down) if taps is None else _checked(taps)
        self.taps.flags.writeable = False
        self._phases = _polyphase(self.taps * self.up, self.up)
        self._wide = False

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        up, down = self.up, self.down
        halo = self._halo
        reach = halo.left + halo.right
        widened = (self._piece * down // up + 1 + reach) * inp.n_channels if inp.dtype == np.float16 else 0
        few = _LANES * up if real_channels(inp) < _LANES else 1
        narrow = float_dtype(inp.dtype)
        return Plan(
            inp,
            replace(
                inp,
                n=None if inp.n is None else -(-inp.n * up // down),
                dtype=widest(narrow) if self._wide else narrow,
                fs=None if inp.fs is None else inp.fs * up / down,
                bits=None,
            ),
            halo=halo,
            up=up,
            down=down,
            batch=max(few, max(_INPUTS, 4 * reach) * up // down, 1),
            workspace=_native.resample_workspace(len(self.taps), up, down) + 4 * widened,
            shared=self._phases.nbytes,
        )

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        if self._copies:
            out.array[...] = window.array
            return
        step = self._piece if window.array.dtype == np.float16 else max(1, len(out))
        for span in out.span.split(step):
            part = window.narrow(plan.demand(span))
            _native.resample(
                real_numbers(part.array),
                part.start,
                real_view(out.array[span.within(out.span)]),
                span.start,
                self._phases,
                len(self.taps),
                self.down,
                self._delay,
            )

    def widened(self) -> Resample:
        """See `headrace.core.operator.Widens`."""
        wide = copy(self)
        wide._wide = True
        return wide

    @property
    def _copies(self) -> bool:
        return self.up == self.down

    @property
    def _delay(self) -> int:
        """The tap that meets the input sample at which an output lies."""
        return (len(self.taps) - 1) // 2

    @property
    def _halo(self) -> Halo:
        if self._copies:
            return Halo()
        before, after = self._delay // self.up, -(-self._delay // self.up)
        return Halo(self._phases.shape[1] - 1 - before, after)

    @property
    def _piece(self) -> int:
        """Outputs that some thousand inputs give."""
        return max(1, _PIECE * self.up // self.down)

    def __repr__(self) -> str:
        if not self._own:
            return f"Resample({self.up}, {self.down})"
        return f"Resample({self.up}, {self.down}, {len(self.taps)} taps {fingerprint(self.taps)})"


class Decimate(Resample):
    """Keep one sample of each `q`, after a low-pass filter.

    Parameters
    ----------
    q : int
        At least 1, at most 100,000.

    Raises
    ------
    SchemaError
        If `q` is not that.

    Notes
    -----
    The answer is that of ``scipy.signal.decimate(x, q, ftype="fir", axis=0)`` in float64: ``20 * q + 1`` taps of a
    sinc under a Hamming window, without delay. All else is as in `Resample`.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.ones(1000, "f4"), fs=30_000)
    >>> headrace.signals.Decimate(30)
    Decimate(30)
    >>> rec.pipe(headrace.signals.Decimate(30)).to_array().shape
    (34,)
    """

    def __init__(self, q: int) -> None:
        q = whole_number("q", q, least=1)
        if q > _HIGHEST:
            raise SchemaError(f"q= is at most {_HIGHEST:,}: got {q}; decimate twice")
        super().__init__(1, q, taps=_windowed_sinc(q, lambda place: 0.54 + 0.46 * np.cos(np.pi * place)))

    def __repr__(self) -> str:
        return f"Decimate({self.down})"


def _low_pass(up: int, down: int) -> Array:
    """Give the default filter of `scipy.signal.resample_poly`."""
    return _windowed_sinc(max(up, down), lambda place: np.i0(_BETA * np.sqrt(1 - place**2)))


def _windowed_sinc(rate: int, window: Callable[[Array], Array]) -> Array:
    """Give a low-pass filter with a cutoff at 1 / rate of the Nyquist frequency and a gain of 1.

    `window` is a function of the place, -1 at the first tap and 1 at the last.
    """
    half = _HALF * rate
    number = np.arange(-half, half + 1)
    taps = np.sinc(number / rate) * window(number / half)
    found: Array = taps / taps.sum()
    return found


def _polyphase(taps: Array, up: int) -> Array:
    """Lay out taps by phase: row p has ``taps[p::up]``, (up, columns)."""
    columns = -(-len(taps) // up)
    phases = np.zeros(columns * up)
    phases[: len(taps)] = taps
    return np.ascontiguousarray(phases.reshape(columns, up).T)


def _checked(taps: Any) -> Array:
    try:
        values = np.array(taps, np.float64)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"taps= are a row of real numbers: got {type(taps).__name__}") from error
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise SchemaError(f"taps= are a row of at least one finite number, shape (k,): got shape {values.shape}")
    return values
