"""Second-order sections: what a filter must be, and the states that it begins in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.arrays import float_dtype
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType

__all__ = ["checked_sos", "keeps_order", "step_state"]


def checked_sos(sos: Any) -> Array:
    """Check second-order sections, and give them as float64, shape (sections, 6), read-only.

    Raises
    ------
    SchemaError
        If they are no finite rows of b0, b1, b2, 1, a1, a2, or a section is not stable.
    """
    try:
        rows = np.array(sos, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise SchemaError(f"sos is rows of six numbers: got {type(sos).__name__}") from error
    if rows.ndim != 2 or rows.shape[0] == 0 or rows.shape[1] != 6:
        raise SchemaError(
            f"sos is rows of b0, b1, b2, a0, a1, a2, shape (sections, 6): got shape {rows.shape}; "
            'design it with output="sos"'
        )
    if not np.isfinite(rows).all():
        raise SchemaError(f"sos is finite: section {int(np.argmin(np.isfinite(rows).all(axis=1)))} is not")
    if not (rows[:, 3] == 1).all():
        bad = int(np.argmax(rows[:, 3] != 1))
        raise SchemaError(f"a0 = sos[:, 3] is 1: that of section {bad} is {rows[bad, 3]:g}; divide the section by it")
    for number, (a1, a2) in enumerate(rows[:, 4:]):
        radius = float(np.abs(np.roots([1.0, a1, a2])).max(initial=0.0))
        if not (abs(a2) < 1 and abs(a1) < 1 + a2):  # the triangle of stable second-order sections
            raise SchemaError(
                f"section {number} of sos is unstable: it has a pole at radius {radius:.6g}, and 1 is too much; "
                "design the filter with fewer sections or a wider band"
            )
    rows.flags.writeable = False
    return rows


def keeps_order(dtype: DType) -> bool:
    """Say whether samples of this dtype are filtered in SciPy's order of operations: those that give float64."""
    return float_dtype(dtype).itemsize == (16 if dtype.kind == "c" else 8)


def step_state(sos: Array) -> Array:
    """Give the state of each section in which a constant input of 1 has had its full effect, shape (sections, 2).

    The operations, and their order, are those of ``scipy.signal.sosfilt_zi``.
    """
    states = np.empty((len(sos), 2))
    scale = 1.0
    for number, row in enumerate(sos):
        b, a = row[:3], row[3:]
        system = np.array([[1.0 + a[1], -1.0], [a[2], 1.0]])
        states[number] = scale * np.linalg.solve(system, b[1:] - a[1:] * b[0])
        scale *= np.sum(b) / np.sum(a)
    return states
