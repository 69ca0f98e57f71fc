"""Reference operators: the smallest one that carries state, and the smallest one that changes the rate.

They are what the suites and the properties run beside the real ones, and what to copy when writing your own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.operator import Plan, Spec
from headrace.core.span import Halo
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType
    from headrace.core.chunk import Chunk

__all__ = ["BlockMean", "CumulativeSum"]


@dataclass(frozen=True)
class CumulativeSum:
    """Add up samples from the first one on: the smallest stateful operator.

    Notes
    -----
    ``np.cumsum(x, axis=0)`` in float64 (complex128 for complex samples), bit for bit: the sums are taken one after the
    other, and the state is the last of them. It starts at minus zero, the number that changes no other when added.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> headrace.signals.from_array(np.ones(4)).pipe(CumulativeSum()).to_array()
    array([1., 2., 3., 4.])
    """

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        return Plan(inp, replace(inp, dtype=_wide(inp.dtype)))

    def start(self, plan: Plan) -> Array:
        """See `headrace.core.operator.Stateful.start`."""
        return np.negative(np.zeros(plan.inp.shape, plan.out.dtype))

    def step(self, plan: Plan, state: Array, window: Chunk, out: Chunk) -> Array:
        """See `headrace.core.operator.Stateful.step`."""
        row = np.concatenate([state[np.newaxis], window.array.astype(plan.out.dtype)])
        out.array[...] = np.cumsum(row, axis=0)[1:]
        return out.array[-1].copy() if len(out) else state


@dataclass(frozen=True)
class BlockMean:
    """Mean of each `k` samples: the smallest operator that changes the rate.

    Parameters
    ----------
    k : int
        Samples in a block. Output sample i is the mean of input samples ``[i * k, (i + 1) * k)``; a last block that is
        cut short by the end of the signal is the mean of what it has.

    Notes
    -----
    The sum of a block is taken in float64 from its first sample to its last, whatever is asked for at once; so the
    bytes do not depend on the window.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> headrace.signals.from_array(np.arange(5.0), fs=10).pipe(BlockMean(2)).to_array()
    array([0.5, 2.5, 4. ])
    """

    k: int

    def __post_init__(self) -> None:
        if self.k < 1:
            raise SchemaError(f"k= is at least 1 sample: got {self.k}")

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        n = None if inp.n is None else -(-inp.n // self.k)
        out = Spec(n, inp.shape, _wide(inp.dtype), None if inp.fs is None else inp.fs / self.k)
        return Plan(inp, out, halo=Halo(0, self.k - 1), down=self.k)

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        whole = len(window) // self.k
        blocks = window.array[: whole * self.k].reshape((whole, self.k, *plan.inp.shape))
        out.array[:whole] = self._mean(blocks)
        if whole < len(out):
            out.array[whole] = self._mean(window.array[np.newaxis, whole * self.k :])[0]

    def _mean(self, blocks: Array) -> Array:
        total = blocks[:, 0].astype(_wide(blocks.dtype))
        for place in range(1, blocks.shape[1]):
            total += blocks[:, place]
        mean: Array = total / blocks.shape[1]
        return mean


def _wide(dtype: DType) -> DType:
    return np.dtype(np.complex128 if dtype.kind == "c" else np.float64)
