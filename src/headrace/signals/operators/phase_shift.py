"""Delays of a fraction of a sample, one for each channel."""

from __future__ import annotations

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
from headrace.signals.per_channel import check_count, finite_numbers

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.core.chunk import Chunk

__all__ = ["PhaseShift"]


class PhaseShift:
    """Delay each channel by its own number of samples, whole or not.

    Parameters
    ----------
    shifts : float or sequence of float
        Samples by which a channel comes later, one number or one for each channel; negative ones bring it forward.
        A channel that was sampled `s` of a sample period after the others, as the multiplexed converters of a
        Neuropixels probe do, is put right by ``shifts=s``: the sign of SpikeInterface's ``inter_sample_shift``.
    taps : int
        Length of the interpolation filter, even. More are exact closer to the Nyquist frequency, and slower.

    Raises
    ------
    SchemaError
        If the shifts are not finite, beyond a million samples, or not as many as channels, `taps` is odd or below 8,
        or the stream is complex.

    Notes
    -----
    The answer is the convolution, in float64, of each channel with the taps that `impulse_response` gives: a sinc under
    a Kaiser window of beta 12, as many taps on either side of the delayed place; the sum of the taps is 1. A tone comes
    out as the ideal delay would give it to within 1e-5 of its amplitude at frequencies up to ``1 - 8 / taps`` of the
    Nyquist frequency (0.875 with 64 taps), and to within 1e-3 up to ``1 - 6.5 / taps``; at the Nyquist frequency itself
    a delay of half a sample gives 0. Samples outside the signal are zero. A whole shift copies. NaN and infinity reach
    every sample that a tap reaches them from. float32 and integers of up to 16 bits give float32, else float64, rounded
    once. An FFT over chunks with margins, the usual way, has an answer that depends on the chunks.

    References
    ----------
    T. I. Laakso, V. Valimaki, M. Karjalainen and U. K. Laine, "Splitting the unit delay", *IEEE Signal Processing
    Magazine* 13 (1996).

    Examples
    --------
    >>> import numpy as np, headrace
    >>> t = np.arange(200)[:, np.newaxis] + [0, 0.25]  # the second channel is sampled a quarter later
    >>> rec = headrace.signals.from_array(np.sin(0.3 * t), fs=1)
    >>> aligned = rec.pipe(headrace.signals.PhaseShift([0, 0.25])).to_array()
    >>> np.allclose(aligned[50:150, 0], aligned[50:150, 1], atol=1e-4)
    True
    """

    def __init__(self, shifts: Any, *, taps: int = 64) -> None:
        self.shifts = finite_numbers("shifts", shifts)
        self.taps = whole_number("taps", taps, least=8)
        if self.taps % 2:
            raise SchemaError(f"taps= is even, as many on either side of the place between two samples: got {taps}")
        if np.abs(self.shifts).max() > _FARTHEST:
            raise SchemaError(
                f"shifts= are at most {_FARTHEST:,} samples: got {self.shifts[np.abs(self.shifts).argmax()]:g}"
            )
        self.shifts.flags.writeable = False
        self._wide = False

    def impulse_response(self) -> tuple[Array, Array]:
        """Give the filter of each shift.

        Returns
        -------
        responses : ndarray, shape (k, taps) float64
            One row for each of the `k` shifts.
        lags : ndarray, shape (k,) int64
            Samples by which the first tap delays: ``y[i] = sum(responses[c, j] * x[i - lags[c] - j])``.
        """
        half = self.taps // 2
        whole = np.floor(self.shifts)
        part = self.shifts - whole
        place = np.arange(self.taps) - (half - 1) - part[:, np.newaxis]  # of each tap, from the delayed sample
        responses = np.sinc(place) * np.i0(_BETA * np.sqrt(np.maximum(0.0, 1 - (place / half) ** 2)))
        responses[part == 0] = np.arange(self.taps) == half - 1
        responses /= responses.sum(axis=1, keepdims=True)
        return responses, whole.astype(np.int64) - (half - 1)

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        if inp.dtype.kind == "c":
            raise SchemaError(f"PhaseShift takes real samples: got {inp.dtype}")
        channels = inp.n_channels
        check_count("shifts", self.shifts, channels)
        responses, lags = self.impulse_response()
        halo = Halo(max(0, int(lags.max()) + self.taps - 1), max(0, -int(lags.min())))
        if len(lags) != channels:
            responses, lags = np.repeat(responses, channels, axis=0), np.repeat(lags, channels)
        copied = 4 * (_BATCH + halo.left + halo.right) * channels if inp.dtype == np.float16 else 0
        narrow = float_dtype(inp.dtype)
        return Plan(
            inp,
            replace(inp, dtype=widest(narrow) if self._wide else narrow),
            halo=halo,
            batch=_BATCH,
            workspace=_native.delay_workspace(channels, self.taps) + copied,
            shared=responses.nbytes + lags.nbytes,
            detail=(responses, lags),
        )

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        responses, lags = plan.detail
        array = np.ascontiguousarray(window.array)
        array = array.view(np.uint8) if array.dtype.kind == "b" else array
        if array.dtype != np.float16:
            _native.delay(array, window.start, out.array, out.start, responses, lags)
            return
        for span in out.span.split(_BATCH):
            part = window.narrow(plan.demand(span))
            wide = part.array.astype(np.float32)
            _native.delay(wide, part.start, out.array[span.within(out.span)], span.start, responses, lags)

    def widened(self) -> PhaseShift:
        """See `headrace.core.operator.Widens`."""
        wide = copy(self)
        wide._wide = True
        return wide

    def __repr__(self) -> str:
        taps = "" if self.taps == _TAPS else f", taps={self.taps}"
        if len(self.shifts) <= _SHOWN:
            return f"PhaseShift({self.shifts.tolist()}{taps})"
        return f"PhaseShift({len(self.shifts)} shifts {fingerprint(self.shifts)}{taps})"


_TAPS = 64
_BETA = 12.0
_FARTHEST = 1_000_000
_SHOWN = 4
_BATCH = 1024  # outputs: as many as make the halo cheap
