"""Reference operators: the smallest of each kind, the smallest that changes the rate, and the smallest table.

They are what the suites and the properties run beside the real ones, and what to copy when writing your own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.arrays import byte_view
from headrace.core.blockwise import BlockPlan
from headrace.core.operator import Plan, Spec
from headrace.core.span import Halo
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headrace.core.arrays import Array, DType
    from headrace.core.blockwise import Block, Outcome
    from headrace.core.chunk import Chunk
    from headrace.core.source import RowReader
    from headrace.core.span import Span
    from headrace.core.tempfiles import ScratchFile
    from headrace.core.transform import Transformation

__all__ = ["BlockMean", "CumulativeSum", "DoubleSum", "Reversal", "WindowSums"]


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


@dataclass(frozen=True)
class DoubleSum:
    """Add up samples from the first one on, then the sums from the last one back: the smallest two-way operator.

    Parameters
    ----------
    cell : int
        Samples per cell; changes nothing but where the states lie.

    Notes
    -----
    ``s = np.cumsum(x - x[0])``, then ``np.cumsum((s - x[-1])[::-1])[::-1]``, along axis 0 in float64: the ends of the
    signal are seen by both passes.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> headrace.signals.from_array(np.array([0.0, 1, 1, 0])).pipe(DoubleSum()).to_array()
    array([5., 5., 4., 2.])
    """

    cell: int = 64

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        return Plan(inp, replace(inp, dtype=np.dtype(np.float64)), grid=self.cell)

    def edge(self, plan: Plan) -> int:  # noqa: ARG002 - the protocol's
        """See `headrace.core.operator.TwoWay.edge`."""
        return 1

    def table_bytes(self, plan: Plan) -> tuple[int, int]:
        """See `headrace.core.operator.TwoWay.table_bytes`."""
        return 2 * 8 * plan.inp.n_channels, 2 * 8 * plan.inp.n_channels

    def enter(self, plan: Plan, head: Chunk) -> Array:  # noqa: ARG002 - the protocol's
        """See `headrace.core.operator.TwoWay.enter`."""
        first = head.array[0].astype(np.float64)
        return np.stack([np.zeros_like(first), first])

    def forward(
        self,
        plan: Plan,  # noqa: ARG002 - the protocol's
        state: Array,
        window: Chunk,
        channels: slice | None,
    ) -> tuple[Array, Array]:
        """See `headrace.core.operator.TwoWay.forward`."""
        return np.stack([self._sums(state, window, channels)[-1], state[1]]), state

    def turn(self, plan: Plan, state: Array, tail: Chunk) -> Array:  # noqa: ARG002 - the protocol's
        """See `headrace.core.operator.TwoWay.turn`."""
        last = tail.array[-1].astype(np.float64)
        return np.stack([np.zeros_like(last), last + 0 * state[0]])

    def backward(
        self,
        plan: Plan,  # noqa: ARG002 - the protocol's
        trace: Array,
        state: Array,
        window: Chunk,
        out: Chunk,
        channels: slice | None,
    ) -> Array:
        """See `headrace.core.operator.TwoWay.backward`."""
        sums = self._sums(trace, window, channels) - state[1]
        target = out.array if channels is None else out.array[:, channels]
        target[...] = np.cumsum(sums[::-1], axis=0)[::-1] + state[0]
        return np.stack([target[0], state[1]])

    @staticmethod
    def _sums(state: Array, window: Chunk, channels: slice | None) -> Array:
        x = window.array if channels is None else window.array[:, channels]
        sums: Array = np.cumsum(x - state[1], axis=0, dtype=np.float64) + state[0]
        return sums


@dataclass(frozen=True)
class Reversal:
    """Give the samples of one channel from the last to the first: the smallest transform.

    Parameters
    ----------
    block : int
        Samples that a task works on at least.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> headrace.signals.from_array(np.arange(4)).pipe(Reversal()).to_array()
    array([3, 2, 1, 0])
    """

    block: int = 1000

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        if inp.n_channels != 1:
            raise SchemaError(f"Reversal takes one channel: got {inp.n_channels}")
        return Plan(inp, inp)

    def transform(self, plan: Plan) -> Transformation:
        """See `headrace.core.operator.Transform.transform`."""
        return _Reversed(plan.inp.n or 0, self.block, plan.inp.dtype)


@dataclass(frozen=True)
class _Reversed:
    """One pass, over blocks, each of which is written where it belongs."""

    count: int
    unit: int
    dtype: DType
    ahead = None
    shared_bytes = scratch_bytes = 0

    @property
    def files(self) -> tuple[int, ...]:
        return (self.count * self.dtype.itemsize,)

    @property
    def passes(self) -> tuple[_Reversed]:
        return (self,)

    @property
    def most(self) -> int:
        return 16 * self.unit

    def room_bytes(self, size: int) -> int:
        return size * self.dtype.itemsize

    def beside_bytes(self, size: int) -> int:
        return size * self.dtype.itemsize

    def run(self, task: Span, read: RowReader, files: Sequence[ScratchFile], room: Array) -> None:
        x = room[: task.size * self.dtype.itemsize].view(self.dtype)
        read(task.start, task.size, x[np.newaxis])
        files[0].write(byte_view(x[::-1].copy()), (self.count - task.stop) * self.dtype.itemsize)

    def rest(self) -> None: ...

    def read(self, span: Span, out: Array, files: Sequence[ScratchFile]) -> None:
        files[0].read(byte_view(out), span.start * self.dtype.itemsize)


@dataclass(frozen=True)
class WindowSums:
    """Sum each block with its halo, each channel by itself: the smallest function that makes a table.

    Parameters
    ----------
    block : int
        Samples per block.
    halo : int
        Samples of context on either side that are summed as well.

    Notes
    -----
    Rows of ``start``, ``end`` (the block), ``channel``, ``low``, ``high`` (the window), ``total`` (a float64 sum), and
    ``last``: whether the segment ends with the block.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> headrace.signals.from_array(np.ones(5)).pipe().tabulate(WindowSums(2, 1)).to_array()["total"]
    array([3., 4., 2.])
    """

    block: int
    halo: int = 0

    def plan(self, inp: Spec) -> BlockPlan:
        """See `headrace.core.blockwise.BlockFunction.plan`."""
        return BlockPlan(inp, self.block, Halo(self.halo, self.halo), channels_apart=True)

    def work(self, plan: BlockPlan, block: Block) -> Array:  # noqa: ARG002 - the protocol's
        """See `headrace.core.blockwise.BlockFunction.work`."""
        window = block.window.array.reshape(len(block.window), -1).astype(np.float64)
        block.window.array[...] = 0  # the function's own
        rows = np.zeros(len(block.channels), _SUMS)
        rows["start"], rows["end"] = block.span.start + block.offset, block.span.stop + block.offset
        rows["low"], rows["high"] = block.window.start + block.offset, block.window.stop + block.offset
        rows["channel"], rows["last"] = block.channels, block.last
        rows["total"] = [math.fsum(column) for column in window.T]
        return rows

    def fold(self, spec: Spec, *, t0: float = 0.0, tmp: object = None) -> _Rows:  # noqa: ARG002 - the protocol's
        """See `headrace.core.blockwise.Tabulates.fold`."""
        return _Rows()


_SUMS = np.dtype(
    [("start", "i8"), ("end", "i8"), ("channel", "i4"), ("low", "i8"), ("high", "i8"), ("total", "f8"), ("last", "?")]
)


class _Rows:
    """The results are rows already."""

    dtype = _SUMS

    def add(self, outcome: Outcome[Array]) -> Iterator[Array]:
        yield outcome.result

    def finish(self) -> Iterator[Array]:
        yield from ()

    def close(self) -> None:
        pass
