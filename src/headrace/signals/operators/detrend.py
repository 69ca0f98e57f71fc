"""Offsets and straight lines are taken out of fixed blocks."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from headrace.core.arrays import float_dtype, widest
from headrace.core.operator import Plan, Spec
from headrace.errors import SchemaError
from headrace.signals.positions import checked_length, parse_length

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.core.chunk import Chunk

__all__ = ["Detrend"]

Trend = Literal["constant", "linear"]
_VALUES = 1 << 17  # worked on at once: as many as a cache holds, unless one channel of a block is more


class Detrend:
    """Subtract from each block of each channel its mean, or the straight line that fits it best.

    Parameters
    ----------
    type : {"linear", "constant"}
        The least-squares line, or the mean.
    block : int or str
        Samples in a block, or a time such as ``"1s"``: they are ``[0, block), [block, 2 * block), ...``,
        and the last may be short.

    Raises
    ------
    SchemaError
        If the type is neither, `block` is neither a whole number of at least 1 nor a time, or the stream is complex.

    Notes
    -----
    The answer is that of ``scipy.signal.detrend(x[a:b], axis=0, type=type)`` for each block, done in float64 and
    rounded once: to float32 for float32 and integers of up to 16 bits, else to float64. A block has to be whole in
    memory; for one trend over a whole recording pass its length. A line through one sample is its value. A NaN
    makes its channel NaN for the block. The signal may jump where blocks meet: against slow drift a high-pass filter is
    the better tool.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.array([1.0, 2, 3, 5, 5, 5]), fs=1)
    >>> rec.pipe(headrace.signals.Detrend("constant", block=3)).to_array()
    array([-1.,  0.,  1.,  0.,  0.,  0.])
    """

    def __init__(self, type: Trend = "linear", *, block: int | str) -> None:
        if type not in get_args(Trend):
            raise SchemaError(f"type= is 'linear' or 'constant': got {type!r}")
        self.type: Trend = type
        self.block = checked_length("block", block)
        self._wide = False

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        if inp.dtype.kind == "c":
            raise SchemaError(f"Detrend takes real samples: got {inp.dtype}")
        narrow, block = float_dtype(inp.dtype), parse_length("block", self.block, inp.fs)
        return Plan(
            inp,
            replace(inp, dtype=widest(narrow) if self._wide else narrow),
            grid=block,
            workspace=8 * block * (2 * _channels_at_once(inp.n_channels, block) + 1),
        )

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        step = _channels_at_once(plan.inp.n_channels, plan.grid)
        samples = window.array.reshape(out.span.size, plan.inp.n_channels)
        target = out.array.reshape(samples.shape)
        for block in out.span.split(plan.grid):
            place = block.within(out.span)
            for first in range(0, samples.shape[1], step):
                channels = slice(first, first + step)
                rows = np.array(samples[place, channels].T, np.float64, order="C")
                self._flatten(rows)
                np.copyto(target[place, channels].T, rows, casting="same_kind")

    def _flatten(self, rows: Array) -> None:
        """Work in place on shape (channels, n) float64."""
        n = rows.shape[1]
        with np.errstate(invalid="ignore"):  # infinities less infinities
            rows -= rows.mean(axis=1, keepdims=True)
            if self.type == "linear" and n > 1:
                time = np.arange(n) - (n - 1) / 2
                slope = (rows * time).sum(axis=1, keepdims=True) / (n * (n * n - 1) / 12)
                rows -= slope * time

    def widened(self) -> Detrend:
        """See `headrace.core.operator.Widens`."""
        wide = copy(self)
        wide._wide = True
        return wide

    def __repr__(self) -> str:
        return f"Detrend({self.type!r}, block={self.block!r})"


def _channels_at_once(n_channels: int, block: int) -> int:
    return max(1, min(n_channels, _VALUES // block))
