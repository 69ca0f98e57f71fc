"""Second-order sections: what is checked of them, and the kernels that all operators run them with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace import _native
from headrace.core.arrays import float_dtype
from headrace.errors import SchemaError
from headrace.signals.fingerprint import fingerprint
from headrace.signals.real_numbers import real_channels

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType
    from headrace.core.operator import Spec

__all__ = ["Sections", "checked_sos"]

_SLOW = 2.0**-12  # distance of a pole from the unit circle; half of where an offset of 1,000 times the signal shows


class Sections:
    """Checked second-order sections and their kernels, made when they are first needed.

    Parameters
    ----------
    sos : array-like of float, shape (s, 6)
        As `checked_sos` takes them.
    """

    def __init__(self, sos: Any) -> None:
        self.sos = checked_sos(sos)
        self._kernels: dict[bool, _native.SosKernel] = {}

    def __len__(self) -> int:
        return len(self.sos)

    def kernel(self, dtype: DType) -> _native.SosKernel:
        """Give the kernel for samples of a dtype: SciPy's order of operations where that shows, else lanes.

        It shows in float64, and in any dtype where a filter is so slow that rounding adds up: SciPy's own answer is
        then further from the exact one than float32 is wide, so only the same roundings give the same answer.
        """
        exact = float_dtype(dtype) in (np.float64, np.complex128) or self._slowest > 1 - _SLOW
        kernel = self._kernels.get(exact)
        if kernel is None:
            kernel = self._kernels.setdefault(exact, _native.SosKernel(self.sos, exact))
        return kernel

    @property
    def _slowest(self) -> float:
        """Radius of the pole that is nearest to the unit circle."""
        return max(_pole_radius(float(a1), float(a2)) for a1, a2 in self.sos[:, 4:])

    def rest(self, spec: Spec) -> Array:
        """Give the state of a filter that has seen nothing but zeros, (s, 2, real channels) float64."""
        return np.zeros((len(self), 2, real_channels(spec)))

    def settled(self) -> Array:
        """Give the state in which a constant input of 1 has had its full effect, (s, 2) float64.

        The operations, and their order, are those of ``scipy.signal.sosfilt_zi``.
        """
        states = np.empty((len(self), 2))
        scale = 1.0
        for number, row in enumerate(self.sos):
            b, a = row[:3], row[3:]
            system = np.array([[1.0 + a[1], -1.0], [a[2], 1.0]])
            states[number] = scale * np.linalg.solve(system, b[1:] - a[1:] * b[0])
            scale *= np.sum(b) / np.sum(a)
        return states

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kernels": {}}

    def __str__(self) -> str:
        many = "" if len(self) == 1 else "s"
        return f"{len(self)} section{many} {fingerprint(self.sos)}"


def checked_sos(sos: Any) -> Array:
    """Take second-order sections of a stable filter, as float64 of shape (s, 6), read-only.

    Parameters
    ----------
    sos : array-like of float, shape (s, 6)
        Rows b0, b1, b2, 1, a1, a2, as SciPy's filter designs give them with ``output="sos"``.

    Raises
    ------
    SchemaError
        If they are not such rows of finite real numbers, a coefficient a0 is not 1, or a section is unstable: one of
        its poles lies on the unit circle or outside. Names the section, counted from 0.

    Examples
    --------
    >>> checked_sos([[1, 0, 0, 1, -0.5, 0]]).shape
    (1, 6)
    """
    try:
        found = np.asarray(sos)
        values = found.astype(np.float64, casting="same_kind", order="C")
    except (TypeError, ValueError) as error:
        raise SchemaError(
            f"sos is an array of real numbers, shape (sections, 6): got {_described(sos)}; design it with "
            "output='sos', for example scipy.signal.butter(4, [300, 6000], 'bandpass', fs=fs, output='sos')"
        ) from error
    if values.ndim != 2 or values.shape[1] != 6 or len(values) == 0:
        raise SchemaError(
            f"sos has shape (sections, 6), with at least one section: got shape {values.shape}; design it with "
            "output='sos', or convert it with scipy.signal.tf2sos or zpk2sos"
        )
    for number, section in enumerate(values):
        _check_section(number, section)
    values.flags.writeable = False
    return values


def _check_section(number: int, section: Array) -> None:
    if not np.isfinite(section).all():
        raise SchemaError(f"sos is finite: section {number} is {section.tolist()}")
    if section[3] != 1:
        raise SchemaError(
            f"a0, the fourth coefficient, is 1 in every section: in section {number} it is {section[3]:g}; divide the "
            "section by it"
        )
    a1, a2 = float(section[4]), float(section[5])
    # Both poles lie inside the unit circle exactly where |a2| < 1 and |a1| < 1 + a2. Close to it these sums are exact.
    if not (abs(a2) < 1 and (1 - abs(a1)) + a2 > 0):
        raise SchemaError(
            f"section {number} is unstable: it has a pole of radius {_pole_radius(a1, a2):.9g}, and poles of a stable "
            f"filter lie inside the unit circle (a1 = {a1!r}, a2 = {a2!r}); design it with a wider band or a lower "
            "order, and with output='sos' from the start, because a filter that went through b, a has lost its digits"
        )


def _pole_radius(a1: float, a2: float) -> float:
    """Give the larger magnitude of the roots of z**2 + a1 * z + a2."""
    inside = a1 * a1 / 4 - a2
    return math.sqrt(a2) if inside < 0 else abs(a1) / 2 + math.sqrt(inside)


def _described(given: Any) -> str:
    return f"an array of {given.dtype}" if isinstance(given, np.ndarray) else f"{type(given).__name__} {given!r:.60}"
