"""Baselines: the median of each block."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from headrace import _native
from headrace.core.arrays import float_dtype, widest
from headrace.core.operator import Plan, Spec
from headrace.errors import SchemaError
from headrace.signals.positions import checked_length, parse_length
from headrace.signals.real_numbers import real_numbers

if TYPE_CHECKING:
    from headrace.core.chunk import Chunk

__all__ = ["BlockMedian"]


@dataclass(frozen=True)
class BlockMedian:
    """Subtract from each block of each channel its median.

    Parameters
    ----------
    block : int or str
        Samples in a block, or a time such as ``"1s"``: they are ``[0, block), [block, 2 * block), ...``,
        and the last may be short.
    subtract : bool
        Whether to give the samples less their block's median, or the median itself at every sample.

    Raises
    ------
    SchemaError
        If `block` is neither a whole number of at least 1 nor a time, or the stream is complex.

    Notes
    -----
    The median is that of ``np.median(x[a:b], axis=0)`` done in float64: exact, and half the sum of the middle two for
    an even number. Rounded once, after the subtraction: to float32 for float32 and integers of up to 16 bits, else to
    float64. A NaN makes its channel NaN for the block. The blocks are those of a detector with the same `block`. A
    block has to be whole in memory.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.array([1.0, 2, 9, 5, 6, 6]), fs=1)
    >>> rec.pipe(headrace.signals.BlockMedian(3)).to_array()
    array([-1.,  0.,  7., -1.,  0.,  0.])
    """

    block: int | str
    subtract: bool = True
    _wide: bool = field(init=False, repr=False, default=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "block", checked_length("block", self.block))
        object.__setattr__(self, "subtract", bool(self.subtract))

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        if inp.dtype.kind == "c":
            raise SchemaError(f"BlockMedian takes real samples: got {inp.dtype}")
        narrow, block = float_dtype(inp.dtype), parse_length("block", self.block, inp.fs)
        # Of the kernel: a tile of channels, and scratch; a copy of samples that it does not read.
        copied = 4 * inp.n_channels if inp.dtype == np.float16 else 0
        tile = min(_TILE, inp.n_channels) * inp.dtype.itemsize
        return Plan(
            inp,
            replace(inp, dtype=widest(narrow) if self._wide else narrow),
            grid=block,
            workspace=(tile + _SCRATCH + copied) * block + _FIXED,
        )

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        middle = np.empty(out.array.shape[1:])
        for block in out.span.split(plan.grid):
            x, target = real_numbers(window.narrow(block).array), out.array[block.within(out.span)]
            _native.medians(x, middle.reshape(-1))
            if self.subtract:
                with np.errstate(invalid="ignore"):  # an infinite median
                    np.subtract(x, middle, out=target, dtype=np.float64, casting="unsafe")
            else:
                target[...] = middle

    def widened(self) -> BlockMedian:
        """See `headrace.core.operator.Widens`."""
        wide = replace(self)
        object.__setattr__(wide, "_wide", True)
        return wide


# See medians_workspace_bytes of the native core.
_TILE = 16  # channels copied out of their rows together
_SCRATCH, _FIXED = 16, 1 << 16
