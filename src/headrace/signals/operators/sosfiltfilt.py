"""Zero-phase filters: second-order sections forwards, then backwards."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.arrays import float_dtype, widest
from headrace.core.operator import Plan, Spec
from headrace.errors import SchemaError
from headrace.signals.real_numbers import real_channels, real_numbers, real_view
from headrace.signals.sos import Sections

if TYPE_CHECKING:
    from headrace import _native
    from headrace.core.arrays import Array
    from headrace.core.chunk import Chunk

__all__ = ["SosFiltFilt"]

_CELL_VALUES = 262_144  # samples times channels that one call is about, where there are few channels


@dataclass(frozen=True, slots=True)
class _Detail:
    """What a plan decides: the kernel, and how many of its cells make one of the plan's."""

    kernel: _native.SosKernel
    cells: int


class SosFiltFilt:
    """Filter with second-order sections forwards and backwards, which leaves no delay.

    Parameters
    ----------
    sos : array-like of float, shape (sections, 6)
        Rows of b0, b1, b2, a0, a1, a2 with a0 = 1, as `scipy.signal` designs them with ``output="sos"``.

    Raises
    ------
    SchemaError
        If it is not that, or a section is unstable; from a flow, if a segment is not longer than the padding.

    Notes
    -----
    The answer is that of ``scipy.signal.sosfiltfilt(sos, x, axis=0)`` with its default odd padding, done in float64:
    bit for bit for float64 and wide integers, whose result is float64; float32 and integers up to 16 bits give
    float32. Slow filters, with a pole within 2**-12 of the unit circle, do SciPy's operations for these too, as
    `SosFilt` says.

    The signal is gone over twice, and no copy of it is made: the pass forwards keeps the filter's states at the
    starts of cells, and the pass backwards computes each cell forwards again from there. The states go to a
    temporary file where they are many. A file is written while the second pass goes on, from its end to its start;
    other uses take a third pass. A stream, which comes once, is refused.

    References
    ----------
    F. Gustafsson, "Determining the initial states in forward-backward filtering", IEEE Transactions on Signal
    Processing 44 (1996) 988-992.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> average = [[0.5, 0.5, 0.0, 1.0, 0.0, 0.0]]
    >>> rec = headrace.signals.from_array(np.array([0.0, 0, 0, 0, 4, 0, 0, 0, 0]))
    >>> rec.pipe(headrace.signals.SosFiltFilt(average)).to_array()
    array([0., 0., 0., 1., 2., 1., 0., 0., 0.])
    """

    def __init__(self, sos: Any) -> None:
        self._sections = Sections(sos)
        self._wide = False

    @property
    def sos(self) -> Array:
        """The sections, (s, 6) float64, read-only."""
        return self._sections.sos

    @property
    def padlen(self) -> int:
        """Samples by which either end is prolonged."""
        taps = 2 * len(self.sos) + 1
        return 3 * (taps - min(int((self.sos[:, 2] == 0).sum()), int((self.sos[:, 5] == 0).sum())))

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        if inp.n is not None and 0 < inp.n <= self.padlen:
            raise SchemaError(
                f"sosfiltfilt prolongs both ends by {self.padlen} samples, which takes a longer signal: got {inp.n}; "
                "filter it with SosFilt (leave out --zero-phase), or leave the segment out"
            )
        kernel = self._sections.kernel(inp.dtype)
        narrow = float_dtype(inp.dtype)
        out = replace(inp, dtype=widest(narrow) if self._wide else narrow)
        width = real_channels(inp)
        cells = max(1, _CELL_VALUES // (kernel.cell * width))
        grid = kernel.cell * cells
        half = 4 * width if inp.dtype == np.float16 else 0
        copies = grid * half
        return Plan(
            inp,
            out,
            grid=grid,
            workspace=kernel.workspace_bytes(width, True) + copies + 3 * self._row_bytes(width) * cells,
            detail=_Detail(kernel, cells),
        )

    def widened(self) -> SosFiltFilt:
        """See `headrace.core.operator.Widens`."""
        wide = copy(self)  # shares the kernels
        wide._wide = True
        return wide

    def edge(self, plan: Plan) -> int:  # noqa: ARG002 - the protocol's
        """See `headrace.core.operator.TwoWay.edge`."""
        return self.padlen + 1

    def table_bytes(self, plan: Plan) -> tuple[int, int]:
        """See `headrace.core.operator.TwoWay.table_bytes`."""
        row = self._row_bytes(real_channels(plan.inp))
        return plan.detail.cells * row, row

    def enter(self, plan: Plan, head: Chunk) -> Array:
        """See `headrace.core.operator.TwoWay.enter`."""
        x = real_view(head.array.astype(widest(float_dtype(plan.inp.dtype))))
        prolonged = 2 * x[0] - x[self.padlen : 0 : -1]
        state = self._settled(prolonged[0] if len(prolonged) else x[0])
        plan.detail.kernel.forward(np.ascontiguousarray(prolonged), state, None)
        return _as(plan, state)

    def forward(self, plan: Plan, state: Array, window: Chunk, channels: slice | None) -> tuple[Array, Array]:
        """See `headrace.core.operator.TwoWay.forward`."""
        detail: _Detail = plan.detail
        x = real_numbers(window.array)
        state = _floats(state).copy()
        trace = np.zeros((detail.cells, *state.shape))
        detail.kernel.survey(x, state, trace[: -(-len(x) // detail.kernel.cell)], *_range(plan, channels))
        return _as(plan, state), _as(plan, trace)

    def turn(self, plan: Plan, state: Array, tail: Chunk) -> Array:
        """See `headrace.core.operator.TwoWay.turn`."""
        kernel = plan.detail.kernel
        x = real_view(tail.array.astype(widest(float_dtype(plan.inp.dtype))))
        prolonged = np.ascontiguousarray(2 * x[-1] - x[-2 : -(self.padlen + 2) : -1])
        forwards = np.empty_like(prolonged)
        kernel.forward(prolonged, _floats(state).copy(), forwards)
        back = self._settled(forwards[-1])
        kernel.backward(forwards, back, None)
        return _as(plan, back)

    def backward(
        self, plan: Plan, trace: Array, state: Array, window: Chunk, out: Chunk, channels: slice | None
    ) -> Array:
        """See `headrace.core.operator.TwoWay.backward`."""
        detail: _Detail = plan.detail
        x = real_numbers(window.array)
        state = _floats(state).copy()
        starts = np.ascontiguousarray(_floats(trace)[: -(-len(x) // detail.kernel.cell)])
        detail.kernel.both(x, starts, state, real_view(out.array), *_range(plan, channels))
        return _as(plan, state)

    def _settled(self, value: Array) -> Array:
        """Give the state in which a constant input has had its full effect, (sections, 2, channels)."""
        settled: Array = self._sections.settled()[:, :, np.newaxis] * np.atleast_1d(value)
        return settled

    def _row_bytes(self, width: int) -> int:
        return 16 * len(self.sos) * width

    def __repr__(self) -> str:
        return f"SosFiltFilt({self._sections})"


def _floats(state: Array) -> Array:
    """See a state as the kernel does: float64, real."""
    return np.ascontiguousarray(state).view(np.float64)


def _as(plan: Plan, state: Array) -> Array:
    """See a state of the kernel with as many channels as the signal has."""
    return state.view(np.complex128) if plan.inp.dtype.kind == "c" else state


def _range(plan: Plan, channels: slice | None) -> tuple[int, ...]:
    """Give the kernel's `first` and `stop` for some channels; a complex one is two of its."""
    if channels is None:
        return ()
    parts = 2 if plan.inp.dtype.kind == "c" else 1
    return parts * channels.start, parts * channels.stop
