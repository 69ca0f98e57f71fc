"""Finite impulse response filters."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from headrace import _native
from headrace.core.arrays import float_dtype, widest
from headrace.core.operator import Plan, Spec
from headrace.core.span import Halo
from headrace.errors import SchemaError
from headrace.signals.fingerprint import fingerprint

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType
    from headrace.core.chunk import Chunk

__all__ = ["Fir"]

Mode = Literal["same", "full", "valid"]


class Fir:
    """Filter with a finite impulse response.

    Parameters
    ----------
    taps : array-like of float or complex, shape (k,)
        The impulse response, finite, k >= 1. Applied to each channel.
    mode : {"same", "full", "valid"}
        Which part of the convolution to give, as in `scipy.signal.oaconvolve`: as long as the input and centred, all
        n + k - 1 samples, or only those that touch no edge.

    Raises
    ------
    SchemaError
        If the taps are not a finite, non-empty row of numbers, or the mode is none of the three.

    Notes
    -----
    The answer is that of ``scipy.signal.oaconvolve(x, taps[:, None], mode, axes=0)`` done in float64; float32 in gives
    float32 out, integers up to 16 bits too, wider ones float64. NaN and infinity reach exactly the samples that direct
    evaluation of the sum gives them to, and no others. Overlap-save in blocks of a fixed FFT length that depends on k
    alone, in float64, so that a strong offset or a deep stop band costs no digits.

    References
    ----------
    A. V. Oppenheim and R. W. Schafer, *Discrete-Time Signal Processing*, 3rd ed., section 8.7.3 (overlap-save).

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.array([0.0, 0, 1, 0, 0]), fs=1)
    >>> rec.pipe(headrace.signals.Fir([0.25, 0.5, 0.25])).to_array().round(3)
    array([0.  , 0.25, 0.5 , 0.25, 0.  ])
    """

    def __init__(self, taps: Any, mode: Mode = "same") -> None:
        if mode not in get_args(Mode):
            raise SchemaError(f"mode= is 'same', 'full' or 'valid': got {mode!r}")
        self.taps = _checked(taps)
        self.mode: Mode = mode
        self._wide = False
        self._kernels: dict[bool, _native.FirKernel] = {}

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        count = len(self.taps)
        complex_input = inp.dtype.kind == "c"
        kernel = self._kernel(complex_input or self.taps.dtype.kind == "c")
        shift, n_out = self._extent(inp.n, count)
        batch = max(1, kernel.lanes // inp.n_channels)
        widened = self._widened(inp.dtype)
        copied = 0 if widened is None else widened.itemsize * (kernel.cell * batch + count) * inp.n_channels
        narrow = self._out_dtype(inp.dtype)
        out = replace(inp, n=n_out, dtype=widest(narrow) if self._wide else narrow)
        return Plan(
            inp,
            out,
            grid=kernel.cell,
            halo=Halo(count - 1 - shift, shift),
            batch=batch,
            shared=_TABLE_BYTES * kernel.fft_length,
            workspace=kernel.workspace_bytes(inp.n_channels) + copied,
            detail=(kernel, shift, widened),
        )

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        kernel, shift, widened = plan.detail
        if widened is None:
            array = np.ascontiguousarray(window.array)
            array = array.view(np.uint8) if array.dtype.kind == "b" else array
            kernel.apply(array, window.start, shift, out.array, out.start)
            return
        for cells in out.span.split(plan.grid * plan.batch):
            part = window.narrow(plan.demand(cells))
            wide = part.array.astype(widened)
            kernel.apply(wide, part.start, shift, out.array[cells.within(out.span)], cells.start)

    def widened(self) -> Fir:
        """See `headrace.core.operator.Widens`."""
        wide = copy(self)  # shares the kernels
        wide._wide = True
        return wide

    def _kernel(self, is_complex: bool) -> _native.FirKernel:
        """Transform the taps once for each kind of input."""
        kernel = self._kernels.get(is_complex)
        if kernel is None:
            kernel = self._kernels.setdefault(is_complex, _native.FirKernel(self.taps, is_complex))
        return kernel

    def _extent(self, n: int | None, count: int) -> tuple[int, int | None]:
        """Give the place of output 0 in the full convolution, and the number of outputs."""
        if n is None:
            return {"full": 0, "same": (count - 1) // 2, "valid": count - 1}[self.mode], None
        if n == 0:
            return 0, 0
        if self.mode == "full":
            return 0, n + count - 1
        if self.mode == "same":
            return (count - 1) // 2, n
        return min(n, count) - 1, max(n, count) - min(n, count) + 1

    def _widened(self, dtype: DType) -> DType | None:
        """Give the dtype that samples must be widened to, where the kernel cannot load them itself."""
        if self.taps.dtype.kind == "c" and dtype.kind != "c":
            return self._out_dtype(dtype)
        return float_dtype(dtype) if dtype == np.float16 or (dtype.kind in "iu" and dtype.itemsize == 8) else None

    def _out_dtype(self, dtype: DType) -> DType:
        found = float_dtype(dtype)
        if self.taps.dtype.kind == "c" and found.kind == "f":
            return np.dtype(np.complex64 if found == np.float32 else np.complex128)
        return found

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kernels": {}}

    def __copy__(self) -> Fir:
        twin = object.__new__(Fir)
        twin.__dict__.update(self.__dict__)
        return twin

    def __repr__(self) -> str:
        return f"Fir({len(self.taps)} taps {fingerprint(self.taps)}, mode={self.mode!r})"


_TABLE_BYTES = 32  # per point of the FFT: the taps' spectrum, and the twiddle factors of all passes


def _checked(taps: Any) -> Array:
    try:
        values = np.asarray(taps)
        wide = values.astype(np.complex128 if values.dtype.kind == "c" else np.float64)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"taps are a row of numbers: got {type(taps).__name__}") from error
    if wide.ndim != 1 or wide.size == 0:
        raise SchemaError(f"taps are a row of at least one number, shape (k,): got shape {wide.shape}")
    if not np.isfinite(wide).all():
        raise SchemaError(
            f"taps are finite: number {int(np.argmin(np.isfinite(wide)))} is {wide[~np.isfinite(wide)][0]}"
        )
    wide = np.ascontiguousarray(wide)
    wide.flags.writeable = False
    return wide
