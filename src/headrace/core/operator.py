"""The operator protocol: what an operation on a stream declares, and the pure functions that do it.

An operator is an immutable description, such as a filter's taps. Given what flows in (`Spec`), it declares a
`Plan`: what flows out, on which fixed *grid* its arithmetic runs, and which input samples (*halo*, rate) each output
needs. The engine then calls it with exactly those samples, from any thread, in any order, any number of times.

Four kinds exist, told apart by the method they have:

`Windowed`
    ``apply(plan, window, out)``: output cells are a pure function of a window of input. Runs in parallel.
`Stateful`
    ``step(plan, state, window, out) -> state``: the next state is a pure function of the last. Runs in order.
`TwoWay`
    ``forward`` and ``backward``: over the stream, and back over what that gave. Only the states between cells are kept.
`Transform`
    ``transform(plan)``: every output takes all of the input. Passes over temporary files, then read by position.

Why a grid: floating-point results depend on how sums are grouped. A grid that belongs to the operator, and not
to the chunk or the thread, is what makes the output bytes the same for every chunk size, thread count and budget.
ARCHITECTURE.md shows how zero-phase filters, resampling, the two-pass FFT and detectors fit.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from headrace.core.span import Halo, Span

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType
    from headrace.core.chunk import Chunk
    from headrace.core.transform import Transformation

__all__ = ["Operator", "Plan", "Spec", "State", "Stateful", "Transform", "TwoWay", "Widens", "Windowed"]

State: TypeAlias = Any
"""What a `Stateful` operator carries from one step to the next. Arrays, numbers, strings, tuples and dicts of those,
so that it can be written to a journal or sent to another process."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What flows between two stages.

    Attributes
    ----------
    n : int or None
        Number of samples; ``None`` while it is not known (an iterator, a live stream).
    shape : tuple of int
        Shape of one sample: ``()``, or ``(n_channels,)``; of a frame of spectra ``(n_channels, n_frequencies)``.
    dtype : dtype
        Of the samples.
    fs : float or None
        Samples per second, hertz, where known.
    bits : int or None
        How many bits integers take, where it is known to be fewer than the dtype's.
    """

    n: int | None
    shape: tuple[int, ...]
    dtype: DType
    fs: float | None = None
    bits: int | None = None

    @property
    def n_channels(self) -> int:
        """Values in one sample."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return self.n_channels * self.dtype.itemsize

    def with_n(self, n: int | None) -> Spec:
        """Copy with another number of samples."""
        return replace(self, n=n)

    def __str__(self) -> str:
        channels = f" x {' x '.join(map(str, self.shape))} ch" if self.shape else ""
        rate = f" at {self.fs:g} Hz" if self.fs else ""
        return f"{'?' if self.n is None else f'{self.n:,}'}{channels} {self.dtype}{rate}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What an operator declares for one input.

    Attributes
    ----------
    inp, out : Spec
        What flows in and out. ``out.n`` is ``None`` exactly where ``inp.n`` is.
    grid : int
        Output samples in one cell of the operator's own partition, counted from output sample 0. The engine
        asks for whole cells; only the last may be short.
    halo : Halo
        Input samples needed left and right of those that an output sample maps to.
    up, down : int
        Output sample i maps to input sample ``i * down // up``.
    batch : int
        Cells that are efficient to ask for at once; a hint that changes no byte.
    workspace : int
        Bytes that one call may use beyond its arguments.
    shared : int
        Bytes of tables that all calls share, such as a filter's spectrum.
    detail : Any
        Whatever the operator wants to find again in `apply` or `step`.
    """

    inp: Spec
    out: Spec
    grid: int = 1
    halo: Halo = field(default_factory=Halo)
    up: int = 1
    down: int = 1
    batch: int = 1
    workspace: int = 0
    shared: int = 0
    detail: Any = None

    def demand(self, out: Span) -> Span:
        """Give the input samples that outputs `out` need, clipped to the signal."""
        if out.size == 0:
            start = stop = out.start * self.down // self.up
        else:
            start = out.start * self.down // self.up - self.halo.left
            stop = (out.stop - 1) * self.down // self.up + 1 + self.halo.right
        end = max(0, stop) if self.inp.n is None else self.inp.n
        return Span(start, stop).clip(Span(0, end))

    def supply(self, available: int) -> int:
        """Give the most outputs, in whole cells, that the first `available` input samples determine."""
        reach = available - self.halo.right  # inputs that may be mapped to
        if reach <= 0:
            return 0
        # output i is allowed while i * down // up <= reach - 1, that is i * down < reach * up
        count = (reach * self.up - 1) // self.down + 1
        return count // self.grid * self.grid


@runtime_checkable
class Operator(Protocol):
    """What every operator has; see `Windowed`, `Stateful` and `TwoWay` for the three kinds.

    One that works on samples of any shape, spectra of several channels too, says so by an attribute
    ``any_shape = True``; to others, a flow gives samples of shape ``()`` and ``(n_channels,)`` alone.
    """

    def plan(self, inp: Spec) -> Plan:
        """Declare what happens to a stream of this kind.

        Pure and cheap; called again with ``n`` set when an input of unknown length ends.

        Raises
        ------
        SchemaError
            If the operator cannot work on such a stream: the message says what it got and what it takes.
        """
        ...


@runtime_checkable
class Windowed(Operator, Protocol):
    """An operator whose outputs are a pure function of a window of input."""

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """Fill ``out.array``.

        Parameters
        ----------
        plan : Plan
            What `plan` returned.
        window : Chunk
            Exactly the samples ``plan.demand(out.span)``; what lies outside the signal is missing. Read-only.
        out : Chunk
            Whole cells of the grid (the last cell of the signal may be short), to be filled completely.

        Notes
        -----
        Called from several threads at once, perhaps more than once for one cell, in any order. Both arrays are
        lent, recycled buffers or the user's own samples, and valid during the call only: copy what is to be kept.
        """
        ...


@runtime_checkable
class Widens(Protocol):
    """An operator that can deliver the float64 that it computes in, where its output is rounded to integers next."""

    def widened(self) -> Operator:
        """Give the same operator with float64, or complex128, output."""
        ...


@runtime_checkable
class Stateful(Operator, Protocol):
    """An operator that carries state from cell to cell, in order."""

    def start(self, plan: Plan) -> State:
        """Give the state before the first sample."""
        ...

    def step(self, plan: Plan, state: State, window: Chunk, out: Chunk) -> State:
        """Fill ``out.array`` and return the state after it; `state` itself must not be changed.

        `window` and `out` are as in `Windowed.apply`; calls come in order and without gaps.
        """
        ...


@runtime_checkable
class TwoWay(Operator, Protocol):
    """An operator that runs over a stream forwards, then backwards over what that gave, as zero-phase filters do.

    The rate stays, and there is no halo. States are arrays whose last axis is the channels (if there are any), all of
    one shape and dtype; channels do not depend on each other, and a call may be about some of them only.

    Calls about the same channels come one after the other in the order of the cells. Those about others may run at the
    same time, in other threads and some cells apart, and `enter` and `turn` beside them.
    """

    def edge(self, plan: Plan) -> int:
        """Give the number of samples at either end that `enter` and `turn` want to see."""
        ...

    def table_bytes(self, plan: Plan) -> tuple[int, int]:
        """Give the sizes of what is kept for each cell: the trace that `forward` gives, and a backward state."""
        ...

    def enter(self, plan: Plan, head: Chunk) -> Array:
        """Give the forward state before sample 0; `head` has the first samples."""
        ...

    def forward(self, plan: Plan, state: Array, window: Chunk, channels: slice | None) -> tuple[Array, Array]:
        """Give the forward state after a cell, and the trace that `backward` needs of it.

        The least trace is the state before the cell. All traces have one shape, and channels last, as states have.
        With `channels` the states are those of these channels only, and so must be what is given; `window` has all.
        `state` itself must not be changed.
        """
        ...

    def turn(self, plan: Plan, state: Array, tail: Chunk) -> Array:
        """Give the backward state after the last sample, from the forward state there and the last samples."""
        ...

    def backward(
        self, plan: Plan, trace: Array, state: Array, window: Chunk, out: Chunk, channels: slice | None
    ) -> Array:
        """Fill ``out.array`` with a cell's output, and give the backward state before the cell.

        Parameters
        ----------
        plan : Plan
            What `plan` returned.
        trace : Array
            What `forward` gave for the cell; must not be changed.
        state : Array
            Backward state after the cell; must not be changed.
        window, out : Chunk
            The cell's samples, read-only, and its output; recycled buffers.
        channels : slice or None
            Which channels the states are about, and are to be filled; ``None`` for all.
        """
        ...


@runtime_checkable
class Transform(Operator, Protocol):
    """An operator each of whose outputs takes all of the input, such as a Fourier transform of the whole."""

    def transform(self, plan: Plan) -> Transformation:
        """Make the passes of one run, which begin when the whole input can be read by position."""
        ...
