"""A user's function on fixed blocks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from headrace.core.arrays import native, sample_dtype
from headrace.core.checks import whole_number
from headrace.core.device import find_device
from headrace.core.operator import Plan, Spec
from headrace.core.span import Halo
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.arrays import Array, DType
    from headrace.core.chunk import Chunk
    from headrace.core.device import Device, Lane

__all__ = ["Map"]


@dataclass(frozen=True)
class Map:
    """Apply a function to fixed blocks of samples.

    Parameters
    ----------
    fn : callable
        ``fn(x)`` takes an array of shape ``(m,)`` or ``(m, channels)``, of spectra of channels
        ``(m, channels, freqs)``, and returns one of the same shape. It is called on the blocks
        ``[0, block), [block, 2 * block), ...`` of the stream, never on chunks, so its result cannot depend on how the
        flow is run.
    block : int
        Samples per block; the last may be short.
    halo : int or (int, int)
        Samples of context added left and right of a block, less where the signal ends. `fn` returns them too; they
        are cut off.
    dtype : dtype-like, optional
        Of the result; default that of the input.
    device : str, optional
        Where `fn` works: it gets a ``torch.Tensor`` on this device, ``"cuda"``, ``"cuda:1"`` or ``"cpu"``, and returns
        one; see the notes.

    Raises
    ------
    SchemaError
        If `block`, `halo` or `dtype` is none, or no device has such a name.
    MissingExtra
        From ``pipe``: if a device is given, and PyTorch is not installed.
    NoSuchDevice
        From ``pipe``: if this machine has no such device.

    Notes
    -----
    `fn` must be pure: it is called from several threads at once, in any order, and more than once for a block that
    a later operator needs for its own halo. It may keep the GIL, but then threads do not help. The array it gets is
    its own, to change or to keep. What it raises reaches the caller with its type, and a note of the block.

    With a device, each thread has its blocks copied there and back through staging buffers, pinned for a GPU, and calls
    `fn` on a CUDA stream of its own and without gradients. The staging counts in `memory`; what `fn` takes on a GPU
    does not. The output's bytes are as repeatable as what `fn` gives for a block, whatever the chunks and threads.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.arange(6.0), fs=1)
    >>> demeaned = rec.pipe(headrace.signals.Map(lambda x: x - x.mean(), block=3))
    >>> demeaned.to_array()
    array([-1.,  0.,  1., -1.,  0.,  1.])
    """

    any_shape: ClassVar[bool] = True

    fn: Callable[[Array], Array]
    block: int = 65536
    halo: int | tuple[int, int] = 0
    dtype: Any = None
    device: str | None = None
    _halo: Halo = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not callable(self.fn):
            raise SchemaError(f"Map takes a function: got {self.fn!r}")
        object.__setattr__(self, "block", whole_number("block", self.block, least=1))
        object.__setattr__(self, "_halo", Halo.of(self.halo))

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        dtype = inp.dtype if self.dtype is None else native(sample_dtype(self.dtype))
        window = (self.block + self._halo.left + self._halo.right) * inp.n_channels * dtype.itemsize
        device = None if self.device is None else find_device(self.device)
        if device is not None:
            device.check(inp.dtype)
        return Plan(
            inp,
            replace(inp, dtype=dtype),
            grid=self.block,
            halo=self._halo,
            workspace=(3 * window if device is None or device.in_memory else 0) + (device.lane_bytes if device else 0),
            detail=device,
        )

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        device: Device | None = plan.detail
        lane = None if device is None else device.lane()
        for block in out.span.split(self.block):
            context = plan.demand(block)
            given, wanted = window.narrow(context), out.narrow(block)
            if device is None or lane is None:
                wanted.array[...] = self._call(given, plan)[block.within(context)]
            else:
                self._call_on(device, lane, given, wanted, plan)

    def _call(self, context: Chunk, plan: Plan) -> Array:
        given = context.array.copy()  # the function's own: it may change it, and keep it
        result = np.asarray(self.fn(given))
        self._check(result.shape, result.dtype, context, plan)
        return result

    def _call_on(self, device: Device, lane: Lane, context: Chunk, out: Chunk, plan: Plan) -> None:
        result = lane.call(self.fn, context.array)
        self._check(*device.kind(result), context, plan)
        lane.fetch(result[out.span.within(context.span)], out.array)

    def _check(self, shape: tuple[int, ...], dtype: DType, context: Chunk, plan: Plan) -> None:
        """Refuse a result that does not fit."""
        if shape != context.array.shape:
            raise SchemaError(
                f"{_name(self.fn)} returned shape {shape} for samples {context.span}; expected {context.array.shape}, "
                "the shape it was given, halo included"
            )
        rule: Literal["same_kind", "safe"] = "same_kind" if plan.out.dtype.kind in "fc" else "safe"  # integers wrap
        if not np.can_cast(dtype, plan.out.dtype, rule):
            raise SchemaError(
                f"{_name(self.fn)} returned {dtype}, which {plan.out.dtype}, the declared dtype, cannot hold: "
                f"pass dtype={str(dtype)!r} to Map, or convert in the function"
            )

    def __repr__(self) -> str:
        halo = f", halo={self.halo}" if self.halo else ""
        dtype = f", dtype={np.dtype(self.dtype)}" if self.dtype is not None else ""
        device = f", device={str(self.device)!r}" if self.device is not None else ""
        return f"Map({_name(self.fn)}, block={self.block}{halo}{dtype}{device})"


def _name(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__name__", None) or type(fn).__name__
