"""Windows of short transforms: SciPy's, by name, and the duals that undo them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SchemaError
from headrace.signals.fingerprint import fingerprint
from headrace.signals.window_words import sendable_window

if TYPE_CHECKING:
    from headrace.core.arrays import Array

__all__ = ["Window", "dual_window", "window_name", "window_values"]

Window = Any
"""What ``window=`` takes: a name, a name with parameters, a Kaiser window's beta, or the values."""

_COSINES = {
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 1.0 - 0.54),
    "blackman": (0.42, 0.50, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}
"""Windows that are sums of cosines, by their coefficients (Harris 1978, Nuttall 1981)."""


def window_values(window: Window, nperseg: int) -> Array:
    """Give the values of a window.

    Parameters
    ----------
    window : str, tuple, float or array-like of float, shape (nperseg,)
        As `scipy.signal.get_window` takes it, and then periodic; or the values.
    nperseg : int
        Their number.

    Returns
    -------
    ndarray, shape (nperseg,) float64
        ``scipy.signal.get_window(window, nperseg)``, to the last bit; read-only.

    Raises
    ------
    SchemaError
        If SciPy knows no such window, in its own words, or the values are not `nperseg` finite real numbers, or all 0.
    MissingExtra
        If SciPy is needed for it and not installed.

    Notes
    -----
    Sums of cosines (boxcar, hann, hamming, blackman, nuttall, blackmanharris, flattop) are computed here, others by
    SciPy in a child process; see `headrace.signals.butter`.

    Examples
    --------
    >>> window_values("hann", 4)
    array([0. , 0.5, 1. , 0.5])
    """
    if isinstance(window, str) and window in _COSINES:
        values = _cosine_sum(_COSINES[window], nperseg)
    elif isinstance(window, (str, tuple, float, int)):
        from headrace.signals.scipy_process import scipy_signal  # with json and subprocess

        values = scipy_signal("get_window", (("Nx", nperseg), ("window", sendable_window(window))))[0].copy()
    else:
        values = _given(window, nperseg)
    if not values.any():
        raise SchemaError(f"window={window_name(window)} is 0 everywhere, so that nothing would be seen through it")
    values.flags.writeable = False
    return values


def dual_window(values: Array, hop: int) -> Array:
    """Give the canonical dual of a window: what makes overlap-add undo the transform.

    Parameters
    ----------
    values : ndarray, shape (nperseg,) float64
        The window.
    hop : int
        Samples from one frame to the next.

    Raises
    ------
    SchemaError
        If there is none: some sample lies under no frame, or where all that reach it are 0.

    References
    ----------
    K. Gröchenig, *Foundations of Time-Frequency Analysis* (2001), section 5.2.
    """
    if hop > len(values):
        raise SchemaError(
            f"frames of {len(values)} samples that are {hop} apart leave samples out, so nothing undoes them: take a "
            f"larger noverlap="
        )
    squares = values * values
    weight = squares.copy()
    for shift in range(hop, len(values), hop):
        weight[shift:] += squares[:-shift]
        weight[:-shift] += squares[shift:]
    if not np.all(weight >= np.finfo(np.float64).resolution * weight.max()):
        raise SchemaError(
            f"this window of {len(values)} samples is 0, or nearly, wherever it reaches some samples at a hop of "
            f"{hop}, so nothing undoes it: take a larger noverlap=, or another window="
        )
    found: Array = values / weight
    found.flags.writeable = False
    return found


def _cosine_sum(weights: tuple[float, ...], count: int) -> Array:
    """Add cosines up in SciPy's order, so that the last bit is the same."""
    if count == 1:
        return np.ones(1)
    angle = np.linspace(-np.pi, np.pi, count + 1)
    values = np.zeros(count + 1)
    for number, weight in enumerate(weights):
        values += weight * np.cos(number * angle)
    return values[:-1].copy()


def _given(window: Any, nperseg: int) -> Array:
    try:
        found = np.asarray(window)
        values = found.astype(np.float64, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise SchemaError(f"window= is a name or a row of real numbers: got {type(window).__name__}") from error
    if values.shape != (nperseg,):
        raise SchemaError(f"window= has shape {values.shape}, and nperseg={nperseg}: give as many values, in one row")
    if not np.isfinite(values).all():
        raise SchemaError(f"window= holds finite numbers: value {int(np.argmin(np.isfinite(values)))} is not")
    return values


def window_name(window: Window) -> str:
    """Give a window's name for messages and reprs; of values, a fingerprint."""
    known = isinstance(window, (str, tuple, float, int))
    return repr(window) if known else fingerprint(np.ascontiguousarray(window, np.float64))
