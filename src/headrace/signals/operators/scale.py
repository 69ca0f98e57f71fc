"""Gain and offset."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace import _native
from headrace.core.arrays import float_dtype, widest
from headrace.core.operator import Plan, Spec
from headrace.signals.per_channel import finite_numbers, spread

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.core.chunk import Chunk

__all__ = ["Scale"]


@dataclass(frozen=True, eq=False)
class Scale:
    """Multiply by a gain and add an offset.

    Parameters
    ----------
    gain : float or sequence of float
        One number, or one for each channel.
    offset : float or sequence of float
        Added after the gain, in output units.

    Raises
    ------
    SchemaError
        If neither is finite, or there are not as many as channels.

    Notes
    -----
    ``y = x * gain + offset`` in float64, rounded once to the output: float32 for integers up to 16 bits, float64 for
    wider ones, else the input's own dtype. A complex stream takes real gain and offset.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.array([1, 2, 3], np.int16), fs=100)
    >>> rec.pipe(headrace.signals.Scale(0.5, offset=1)).to_array()
    array([1.5, 2. , 2.5], dtype=float32)
    """

    gain: Any = 1.0
    offset: Any = 0.0
    _gain: Array = field(init=False, repr=False)
    _offset: Array = field(init=False, repr=False)
    _wide: bool = field(init=False, repr=False, default=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_gain", finite_numbers("gain", self.gain))
        object.__setattr__(self, "_offset", finite_numbers("offset", self.offset))

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        detail = spread(("gain", "offset"), self._gain, self._offset, inp.n_channels)
        dtype = float_dtype(inp.dtype)
        return Plan(inp, replace(inp, dtype=widest(dtype) if self._wide else dtype), detail=detail)

    def widened(self) -> Scale:
        """See `headrace.core.operator.Widens`."""
        wide = replace(self)
        object.__setattr__(wide, "_wide", True)
        return wide

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        array = window.array
        if array.dtype == np.float16 or array.dtype.kind == "b":
            np.copyto(out.array, array, casting="unsafe")
            array = out.array
        _native.affine(np.ascontiguousarray(array), out.array, *plan.detail)

    def __repr__(self) -> str:
        offset = f", offset={self.offset!r}" if np.any(np.asarray(self.offset)) else ""
        return f"Scale({self.gain!r}{offset})"
