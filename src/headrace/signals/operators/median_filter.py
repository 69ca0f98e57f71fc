"""Running medians."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headrace import _native
from headrace.core.arrays import float_dtype, widest
from headrace.core.operator import Plan, Spec
from headrace.signals.real_numbers import real_numbers
from headrace.signals.running_window import Mode, RunningWindow, batch

if TYPE_CHECKING:
    from headrace.core.arrays import DType
    from headrace.core.chunk import Chunk

__all__ = ["MedianFilter"]


class MedianFilter:
    """Replace each sample by the median of the window around it.

    Parameters
    ----------
    size : int or str
        Samples in a window, or a time such as ``"100ms"``: sample i gets the median of
        ``[i - size // 2, i - size // 2 + size)``. Of an even number, the upper of the two middle samples.
    mode : {"reflect", "mirror", "nearest", "constant"}
        What windows hold beyond the ends of the signal: ``d c b a | a b c d | d c b a``, ``d c b | a b c d | c b a``,
        ``a a a | a b c d | d d d``, or `cval`.
    cval : float
        A value that the samples can have.
    subtract : bool
        Whether to give the samples less the median of their window: the signal without its baseline.

    Raises
    ------
    SchemaError
        If `size` is neither a whole number from 1 to 2**30 nor a time, or `mode` or `cval` is none of these; and when
        it is used, if the samples are complex or cannot have the value `cval`.

    Notes
    -----
    The answer is that of ``scipy.ndimage.median_filter(x, (size, 1), mode=mode, cval=cval)``, exactly, in the dtype of
    the samples, each channel by itself. A window that holds a NaN gives NaN (what SciPy gives is undefined). A signal
    shorter than the window is prolonged again and again (where SciPy 1.17 may give values that are none of its).
    ``mode="wrap"`` is refused: it needs the other end of the signal. What is left after subtraction is computed in
    float64 and rounded once: to float32 for float32 and integers of up to 16 bits, else to float64.

    Memory grows with `size`, the time for a sample hardly does.

    Method: narrow windows by exchanges of minima and maxima, many windows at once; others by the ranks of the samples
    in a stretch of several windows, found by sorting digit by digit. A window is then a set of ranks, a bit each, whose
    median moves by one place at most when a sample leaves and another one comes.

    References
    ----------
    M. Juhola, J. Katajainen and T. Raita, *Comparison of algorithms for standard median filtering* (1991).

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.array([1, 1, 9, 1, 2, 2], "i2"), fs=1)
    >>> rec.pipe(headrace.signals.MedianFilter(3)).to_array()
    array([1, 1, 1, 2, 2, 2], dtype=int16)
    >>> rec.pipe(headrace.signals.MedianFilter(3, subtract=True)).to_array()
    array([ 0.,  0.,  8., -1.,  0.,  0.], dtype=float32)
    """

    def __init__(self, size: int | str, *, mode: Mode = "reflect", cval: float = 0.0, subtract: bool = False) -> None:
        self.window = RunningWindow(size, mode, cval)
        self.subtract = bool(subtract)
        self._wide = False

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        size, worked = self.window.length(inp, "MedianFilter"), _worked(inp.dtype)
        copied = RunningWindow.piece_bytes(size, inp.n_channels, worked.itemsize)
        narrow = float_dtype(inp.dtype)
        out = replace(inp, dtype=widest(narrow) if self._wide else narrow, bits=None) if self.subtract else inp
        return Plan(
            inp,
            out,
            halo=RunningWindow.halo(size),
            batch=batch(size, inp.n_channels),
            workspace=_native.running_ranks_workspace(np.empty(0, worked), size, inp.n_channels)
            + (0 if self._in_place(inp.dtype) else copied),
            detail=size,
        )

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        in_place = self._in_place(plan.inp.dtype)
        for part, target in self.window.pieces(plan, window, out, whole=in_place):
            x = real_numbers(part.array)
            median = real_numbers(target.array) if in_place else np.empty(target.array.shape, x.dtype)
            _native.running_median(x, part.start, median, target.start, *self.window.arguments(plan, plan.detail))
            if self.subtract:
                samples = x[target.span.within(part.span)]
                with np.errstate(invalid="ignore"):  # an infinite median
                    np.subtract(samples, median, out=target.array, dtype=np.float64, casting="unsafe")
            elif not in_place:
                target.array[...] = median

    def widened(self) -> MedianFilter:
        """See `headrace.core.operator.Widens`."""
        wide = copy(self)
        wide._wide = True
        return wide

    def _in_place(self, dtype: DType) -> bool:
        """Whether the kernel writes what is wanted where it is wanted."""
        return not self.subtract and dtype != np.float16

    def __repr__(self) -> str:
        return f"MedianFilter({self.window}{', subtract=True' if self.subtract else ''})"


def _worked(dtype: DType) -> DType:
    """Give the dtype in which the kernel reads samples."""
    return np.dtype(np.float32 if dtype == np.float16 else np.uint8 if dtype.kind == "b" else dtype)
