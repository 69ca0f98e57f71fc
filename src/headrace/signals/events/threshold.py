"""Events beyond a multiple of the noise."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from headrace import _native
from headrace.core.blockwise import Block, BlockPlan
from headrace.core.checks import whole_number
from headrace.core.span import Halo
from headrace.errors import SchemaError
from headrace.signals.events.fold import EventFold
from headrace.signals.events.pieces import IN_MEMORY, PIECE, PacksPieces, Pieces
from headrace.signals.events.row_file import RowFile
from headrace.signals.positions import checked_length, parse_length

if TYPE_CHECKING:
    import os

    from headrace.core.arrays import DType
    from headrace.core.operator import Spec

__all__ = ["Threshold"]

Noise = Literal["mad", "std"]
Polarity = Literal["both", "pos", "neg"]
Nan = Literal["raise", "ignore", "gap"]

_BLOCK = 1_000_000
_WINDOWED_BLOCK = 65_536  # samples judged at once with `window`; their windows make no difference between blocks


@dataclass(frozen=True, repr=False)
class Threshold(PacksPieces):
    """Find runs of samples beyond median +- k times the noise.

    Parameters
    ----------
    k : float
        How many times the noise; finite, not negative. With 0, every sample that is not the median is beyond.
    noise : {"mad", "std"}
        The median absolute deviation from the median, divided by 0.6745 so that for normal noise it is the standard
        deviation; or the standard deviation (ddof 0).
    polarity : {"both", "pos", "neg"}
        Whether samples above the upper threshold, below the lower one, or both are beyond.
    block : int or str, optional
        Samples, or a time such as ``"10s"``, whose median and noise count for each of them; default 1,000,000.
        Blocks count from sample 0 of each segment; the last may be short.
    window : int or str, optional
        In place of blocks, likewise: sample i is judged by the `window` samples
        ``[i - window // 2, i - window // 2 + window)``, less where the segment ends.
    merge_gap : int
        Runs of one channel become one event where at most so many samples lie between them.
    min_length : int
        Events shorter than this, after merging, are dropped.
    nan : {"raise", "ignore", "gap"}
        What NaN does: raise an error; be as if it were not there (it neither ends an event nor begins one, but counts
        in lengths and gaps); or end events as the end of a segment does, so that none is merged across it. Neither
        median nor noise ever includes it.

    Raises
    ------
    SchemaError
        If a parameter is none of these, or both `block` and `window` are given; and when the flow is complex or bool.

    Notes
    -----
    An event is a maximal run of samples of one channel that are strictly beyond the thresholds of their own block, or
    window, in float64. A run goes on across blocks, and from one side of the median to the other. Events never cross
    a gap between segments. Infinities take part as float64 has it: an infinite sample is beyond finite thresholds;
    where the median or the noise is infinite or undefined nothing is beyond. A constant block has no events.

    Median and MAD are exactly ``numpy.median(x)`` and ``scipy.stats.median_abs_deviation(x, scale="normal")`` of the
    block in float64; the standard deviation is that of `numpy.std` within 1e-15 of it.

    Memory does not grow with the number of events: where a block has more than some thousands, they go through a
    temporary file, 48 bytes for each. With `window` the work for a sample grows
    with the window, for ``noise="std"`` in proportion.

    References
    ----------
    P. J. Rousseeuw and C. Croux, *Alternatives to the median absolute deviation* (1993): the MAD as a robust scale.

    Examples
    --------
    >>> import headrace
    >>> headrace.signals.Threshold(4.5, polarity="neg", merge_gap=30)
    Threshold(4.5, polarity='neg', merge_gap=30)
    """

    k: float
    _: KW_ONLY
    noise: Noise = "mad"
    polarity: Polarity = "both"
    block: int | str | None = None
    window: int | str | None = None
    merge_gap: int = 0
    min_length: int = 1
    nan: Nan = "raise"

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", _multiple(self.k))
        for name, kind in (("noise", Noise), ("polarity", Polarity), ("nan", Nan)):
            if getattr(self, name) not in get_args(kind):
                raise SchemaError(f"{name}= is one of {', '.join(get_args(kind))}: got {getattr(self, name)!r}")
        if self.block is not None and self.window is not None:
            raise SchemaError(f"give block= or window=, not both: got block={self.block} and window={self.window}")
        for name in ("block", "window"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, checked_length(name, getattr(self, name)))
        for name, least in (("merge_gap", 0), ("min_length", 1)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least=least))

    def plan(self, inp: Spec) -> BlockPlan:
        """See `headrace.core.blockwise.BlockFunction.plan`."""
        _check_dtype(inp.dtype)
        window = 0 if self.window is None else parse_length("window", self.window, inp.fs)
        kernel = _native.ThresholdKernel(self.k, self.noise, self.polarity, self.nan, window)
        if window:
            block, halo = max(_WINDOWED_BLOCK, window), Halo(window // 2, (window - 1) // 2)
        else:
            block, halo = parse_length("block", self.block or _BLOCK, inp.fs), Halo()
        dtype = _worked_dtype(inp.dtype)
        longest = block + halo.left + halo.right
        needed = max(kernel.workspace_bytes(np.empty(0, dtype), longest, n) for n in (1, min(2, inp.n_channels)))
        widened = longest * dtype.itemsize if dtype != inp.dtype else 0
        return BlockPlan(
            inp,
            block,
            halo,
            workspace=needed + widened,
            result=Pieces.nbytes(inp.n_channels),
            fold=EventFold.nbytes(inp.n_channels),
            channels_apart=True,
            detail=kernel,
        )

    def work(self, plan: BlockPlan, block: Block) -> Pieces:
        """See `headrace.core.blockwise.BlockFunction.work`."""
        array = block.window.array
        wide = np.ascontiguousarray(array, _worked_dtype(array.dtype))
        span = block.span.shift(block.offset)
        start = block.offset + block.window.start
        many = RowFile(PIECE, block.tmp)
        rows, states, sample, channel = plan.detail.find(wide, start, span.start, span.stop, IN_MEMORY, many.append)
        if sample >= 0:
            raise SchemaError(
                f"sample {sample} of channel {block.channels.start + channel} is NaN: pass nan='gap' (--nan gap) to "
                "end events there, or nan='ignore' (--nan ignore) to act as if it were missing"
            )
        return Pieces(rows.view(PIECE), states, many)

    def fold(self, spec: Spec, *, t0: float = 0.0, tmp: str | os.PathLike[str] | None = None) -> EventFold:
        """Make what joins the blocks' pieces into events.

        Parameters
        ----------
        spec : Spec
            Of the flow.
        t0 : float
            Time of the flow's first sample, seconds.
        tmp : path-like, optional
            Folder for events that wait for an earlier one to end; default the system's.
        """
        return EventFold(spec, t0=t0, tmp=tmp, merge_gap=self.merge_gap, min_length=self.min_length)

    def __repr__(self) -> str:
        changed = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) != f.default]
        return f"Threshold({', '.join([f'{self.k!r}', *changed[1:]])})"


def _multiple(k: Any) -> float:
    try:
        number = float(k)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"k is how many times the noise a sample must be beyond: got {k!r}") from error
    if not math.isfinite(number) or number < 0:
        raise SchemaError(f"k is finite and not negative: got {number:g}")
    return number


def _check_dtype(dtype: DType) -> None:
    if dtype.kind == "c":
        raise SchemaError(
            f"Threshold needs real samples, and these are {dtype}: take a part or the magnitude first, "
            "for example with Map(np.abs, dtype='float32')"
        )
    if dtype.kind == "b":
        raise SchemaError(
            "Threshold needs numbers, and these are bool, of which the median says nothing: use detector(fn) for "
            "runs of True, or Scale() to make them 0.0 and 1.0"
        )


def _worked_dtype(dtype: DType) -> DType:
    found: DType = np.dtype(np.float32) if dtype == np.float16 else dtype
    return found
