"""Baselines: the median of each block."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.arrays import float_dtype, widest
from headrace.core.checks import whole_number
from headrace.core.operator import Plan, Spec
from headrace.errors import SchemaError
from headrace.signals.channel_rows import channel_rows, channels_at_once

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.core.chunk import Chunk

__all__ = ["BlockMedian"]


@dataclass(frozen=True)
class BlockMedian:
    """Subtract from each block of each channel its median.

    Parameters
    ----------
    block : int
        Samples in a block: they are ``[0, block), [block, 2 * block), ...``, and the last may be short.
    subtract : bool
        Whether to give the samples less their block's median, or the median itself at every sample.

    Raises
    ------
    SchemaError
        If `block` is not a whole number of at least 1, or the stream is complex.

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

    block: int
    subtract: bool = True
    _wide: bool = field(init=False, repr=False, default=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "block", whole_number("block", self.block, least=1))
        object.__setattr__(self, "subtract", bool(self.subtract))

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        if inp.dtype.kind == "c":
            raise SchemaError(f"BlockMedian takes real samples: got {inp.dtype}")
        narrow = float_dtype(inp.dtype)
        per_value = 2 * inp.dtype.itemsize + 8 + 1  # the channels, their copy for the partition, float64, a mask
        return Plan(
            inp,
            replace(inp, dtype=widest(narrow) if self._wide else narrow),
            grid=self.block,
            workspace=per_value * self.block * channels_at_once(self.block, inp.n_channels),
        )

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        dtype = np.dtype(np.uint8) if plan.inp.dtype.kind == "b" else plan.inp.dtype
        for block in out.span.split(self.block):
            place = block.within(out.span)
            for rows, target in channel_rows(window.narrow(block).array, out.array[place], dtype, self.block):
                middle = _medians(rows)
                if self.subtract:
                    with np.errstate(invalid="ignore"):  # an infinite median
                        np.subtract(rows, middle, out=target, dtype=np.float64, casting="unsafe")
                else:
                    target[...] = middle

    def widened(self) -> BlockMedian:
        """See `headrace.core.operator.Widens`."""
        wide = replace(self)
        object.__setattr__(wide, "_wide", True)
        return wide


def _medians(rows: Array) -> Array:
    """Give the median along axis 1, shape (k, 1) float64, NaN where a NaN is."""
    n = rows.shape[1]
    ranks = sorted({(n - 1) // 2, n // 2})
    undefined = np.isnan(rows).any(axis=1) if rows.dtype.kind == "f" else np.zeros(len(rows), bool)
    middle = np.partition(rows, ranks, axis=1)[:, ranks].astype(np.float64)
    with np.errstate(invalid="ignore"):  # one infinity of either sign
        found: Array = middle.sum(axis=1, keepdims=True) / len(ranks)
    found[undefined] = np.nan
    return found
