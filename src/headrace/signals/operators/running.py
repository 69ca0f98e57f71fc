"""Running measures of spread."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from headrace import _native
from headrace.core.arrays import float_dtype, widest
from headrace.core.checks import finite_number
from headrace.core.operator import Plan, Spec
from headrace.errors import SchemaError
from headrace.signals.real_numbers import real_numbers
from headrace.signals.running_window import Mode, RunningWindow, batch

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType
    from headrace.core.chunk import Chunk

__all__ = ["RunningMad", "RunningStd"]

_UPPER_QUARTILE = 0.6744897501960817  # of the normal distribution, as scipy.stats.norm.ppf(0.75) has it


class RunningStd:
    """Give the standard deviation of the window around each sample.

    Parameters
    ----------
    size : int or str
        Samples in a window, or a time such as ``"100ms"``: ``[i - size // 2, i - size // 2 + size)`` around sample i.
    mode : {"reflect", "mirror", "nearest", "constant"}
        What windows hold beyond the ends of the signal; see `MedianFilter`.
    cval : float
        The constant.

    Raises
    ------
    SchemaError
        If `size` is neither a whole number from 1 to 2**30 nor a time, or `mode` or `cval` is none of these; and when
        it is used, if the samples are complex or cannot have the value `cval`.

    Notes
    -----
    The answer is ``numpy.std`` (ddof 0) of each window, ``sliding_window_view(padded, size, axis=0).std(axis=-1)``,
    done in float64; `padded` is the signal with ``size // 2`` samples before and ``(size - 1) // 2`` after it, by
    `numpy.pad` with the mode "symmetric", "reflect", "edge" or "constant". float32 and integers up to 16 bits give
    float32, wider ones float64. A window with a NaN or an infinity gives NaN, and so do float64 samples whose squares
    are infinite. A window of equal samples gives exactly 0.

    A window is the end of one stretch of `size` samples and the beginning of the next, whose sums are added, never
    subtracted, and carry the errors of each addition: a strong offset or a spike that has passed costs no digits. Time
    for a sample does not depend on `size`; memory grows with it.

    References
    ----------
    T. Ogita, S. M. Rump and S. Oishi, *Accurate sum and dot product* (2005). M. van Herk, *A fast algorithm for local
    minimum and maximum filters* (1992): windows as the ends and beginnings of stretches.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.array([1.0, 1, 1, 3, 1, 3]), fs=1)
    >>> rec.pipe(headrace.signals.RunningStd(2)).to_array()
    array([0., 0., 0., 1., 1., 1.])
    """

    def __init__(self, size: int | str, *, mode: Mode = "reflect", cval: float = 0.0) -> None:
        self.window = RunningWindow(size, mode, cval)
        self._wide = False

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        size = self.window.length(inp, "RunningStd")
        return _plan(inp, size, _native.running_std_workspace(size), wide=self._wide)

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        widened = _widened(window.array.dtype)
        for part, target in self.window.pieces(plan, window, out, whole=widened is None):
            x = _read(part.array, widened)
            arguments = self.window.arguments(plan, plan.detail)
            _native.running_std(x, part.start, target.array, target.start, *arguments)

    def widened(self) -> RunningStd:
        """See `headrace.core.operator.Widens`."""
        wide = copy(self)
        wide._wide = True
        return wide

    def __repr__(self) -> str:
        return f"RunningStd({self.window})"


class RunningMad:
    """Give the median absolute deviation of the window around each sample: a noise that events hardly change.

    Parameters
    ----------
    size : int or str
        Samples in a window, or a time such as ``"100ms"``: ``[i - size // 2, i - size // 2 + size)`` around sample i.
    scale : float or {"normal"}
        What it is divided by; "normal" is 0.6745, so that for normal noise it is the standard deviation.
    mode : {"reflect", "mirror", "nearest", "constant"}
        What windows hold beyond the ends of the signal; see `MedianFilter`.
    cval : float
        The constant.

    Raises
    ------
    SchemaError
        If `size` is neither a whole number from 1 to 2**30 nor a time, or `scale`, `mode` or `cval` is none of these;
        and when it is used, if the samples are complex or cannot have the value `cval`.

    Notes
    -----
    The answer is ``scipy.stats.median_abs_deviation(windows, axis=-1, scale=scale)`` of
    ``windows = sliding_window_view(padded, size, axis=0)`` (see `RunningStd`), done in float64: the median of the
    distances from the median, both exact, and of an even number half the sum of the middle two. float32 and integers up
    to 16 bits give float32, wider ones float64. A window with a NaN gives NaN, and so does an infinite median.

    The window is kept as in `MedianFilter`. The samples that are not farther from the median than the result are
    neighbours in its order; the ends of that stretch move a few places with each sample. Where the median jumps between
    two clusters of values from one sample to the next they move further, by half a window at worst.

    References
    ----------
    P. J. Rousseeuw and C. Croux, *Alternatives to the median absolute deviation* (1993): the MAD as a robust scale.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.array([1.0, 2, 99, 3, 5]), fs=1)
    >>> rec.pipe(headrace.signals.RunningMad(5)).to_array()
    array([1., 1., 2., 2., 2.])
    """

    def __init__(
        self, size: int | str, *, scale: float | Literal["normal"] = 1.0, mode: Mode = "reflect", cval: float = 0.0
    ) -> None:
        if isinstance(scale, str) and scale != "normal":
            raise SchemaError(f"scale= is a positive number or 'normal': got {scale!r}")
        self.scale = _UPPER_QUARTILE if isinstance(scale, str) else finite_number("scale", scale, positive=True)
        self.window = RunningWindow(size, mode, cval)
        self._wide = False

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        size = self.window.length(inp, "RunningMad")
        worked = np.empty(0, _widened(inp.dtype) or (np.uint8 if inp.dtype.kind == "b" else inp.dtype))
        workspace = _native.running_ranks_workspace(worked, size, inp.n_channels)
        return _plan(inp, size, workspace, wide=self._wide)

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        widened = _widened(window.array.dtype)
        for part, target in self.window.pieces(plan, window, out, whole=widened is None):
            x = _read(part.array, widened)
            arguments = self.window.arguments(plan, plan.detail)
            _native.running_mad(x, part.start, target.array, target.start, *arguments, self.scale)

    def widened(self) -> RunningMad:
        """See `headrace.core.operator.Widens`."""
        wide = copy(self)
        wide._wide = True
        return wide

    def __repr__(self) -> str:
        scale = "" if self.scale == 1 else ", scale='normal'" if self.scale == _UPPER_QUARTILE else f", {self.scale=}"
        return f"RunningMad({self.window}{scale.replace('self.', '')})"


def _plan(inp: Spec, size: int, workspace: int, *, wide: bool) -> Plan:
    narrow, widened = float_dtype(inp.dtype), _widened(inp.dtype)
    copied = 0 if widened is None else RunningWindow.piece_bytes(size, inp.n_channels, widened.itemsize)
    return Plan(
        inp,
        replace(inp, dtype=widest(narrow) if wide else narrow, bits=None),
        halo=RunningWindow.halo(size),
        batch=batch(size, inp.n_channels),
        workspace=workspace + copied,
        detail=size,
    )


def _widened(dtype: DType) -> DType | None:
    """Give the dtype that samples must be widened to, where the kernels do not read them."""
    return float_dtype(dtype) if dtype == np.float16 or (dtype.kind in "iu" and dtype.itemsize == 8) else None


def _read(array: Array, widened: DType | None) -> Array:
    return real_numbers(array) if widened is None else array.astype(widened, order="C")
