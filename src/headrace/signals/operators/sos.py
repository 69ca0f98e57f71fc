"""Infinite impulse response filters in second-order sections."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headrace.core.arrays import float_dtype, widest
from headrace.core.operator import Plan, Spec
from headrace.signals.real_numbers import real_channels, real_numbers, real_view
from headrace.signals.sos import Sections

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.core.chunk import Chunk

__all__ = ["SosFilt"]


class SosFilt:
    """Filter with an infinite impulse response, given as second-order sections.

    Parameters
    ----------
    sos : array-like of float, shape (s, 6)
        Rows b0, b1, b2, 1, a1, a2, as SciPy's filter designs give them with ``output="sos"``. Applied to each channel,
        from rest: what came before the first sample counts as zero.

    Raises
    ------
    SchemaError
        If `sos` is no such array of finite numbers, or a section is unstable.

    Notes
    -----
    The answer is that of ``scipy.signal.sosfilt(sos, x, axis=0)`` done in float64; float32 in gives float32 out,
    integers up to 16 bits too, wider ones float64. float64 output is bit-equal to SciPy's on x86-64: the operations
    and their order are the same. float32 output comes from float64 arithmetic and state on a fixed grid: eight
    channels side by side, or, of fewer channels, eight blocks of each, whose start states are found first. Where a
    pole lies within 2**-12 of the unit circle (a high-pass of 1 Hz at 30 kHz), the operations are SciPy's there too:
    of an offset many times the signal, each order of operations leaves another rest. A complex stream is filtered as
    two real ones. NaN and infinity stay for ever, as in SciPy. Each segment starts from rest.

    The state, float64 (s, 2, channels) with a complex channel counted twice, is carried in order, so one stream uses
    one thread for this operator. States of magnitude below 1e-301 become zero where float32 comes out: the decay of
    a filter in silence does not become slow. On float64 streams it does, as in SciPy.

    References
    ----------
    A. V. Oppenheim and R. W. Schafer, *Discrete-Time Signal Processing*, 3rd ed., section 6.3 (cascade form).

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.array([1.0, 0, 0, 0]), fs=1)
    >>> rec.pipe(headrace.signals.SosFilt([[1, 0, 0, 1, -0.5, 0]])).to_array()
    array([1.   , 0.5  , 0.25 , 0.125])
    """

    def __init__(self, sos: Any) -> None:
        self._sections = Sections(sos)
        self._wide = False

    @property
    def sos(self) -> Array:
        """The sections, (s, 6) float64, read-only."""
        return self._sections.sos

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        kernel, channels = self._sections.kernel(inp.dtype), real_channels(inp)
        narrow = float_dtype(inp.dtype)
        grid = kernel.grid(channels)
        batch = max(1, _BATCH // (grid * max(1, channels)))
        copied = 4 * inp.n_channels * grid * batch if inp.dtype.itemsize == 2 and inp.dtype.kind == "f" else 0
        return Plan(
            inp,
            replace(inp, dtype=widest(narrow) if self._wide else narrow),
            grid=grid,
            batch=batch,
            workspace=kernel.workspace_bytes(channels) + 2 * _NUMBER * 2 * len(self._sections) * channels + copied,
            shared=_TABLE_BYTES * len(self._sections),
            detail=kernel,
        )

    def start(self, plan: Plan) -> Array:
        """See `headrace.core.operator.Stateful.start`."""
        return self._sections.rest(plan.inp)

    def step(self, plan: Plan, state: Array, window: Chunk, out: Chunk) -> Array:
        """See `headrace.core.operator.Stateful.step`."""
        carried = state.copy()
        for cells in out.span.split(plan.grid * plan.batch):
            part = cells.within(out.span)
            plan.detail.forward(real_numbers(window.array[part]), carried, real_view(out.array[part]))
        return carried

    def widened(self) -> SosFilt:
        """See `headrace.core.operator.Widens`."""
        wide = copy(self)  # shares the kernels
        wide._wide = True
        return wide

    def __repr__(self) -> str:
        return f"SosFilt({self._sections})"


_BATCH = 1 << 16  # numbers filtered in one call: enough that what a call costs by itself does not show
_NUMBER = 8  # bytes of a state, of which a step holds two of each: the one it was given and the one it returns
_TABLE_BYTES = 40 * 256  # of a kernel, for each section: its response to an impulse, which is most, and its powers
