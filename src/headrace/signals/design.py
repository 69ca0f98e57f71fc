"""Filters by name: SciPy's names, parameters and coefficients, without its cost in memory."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.checks import finite_number, whole_number
from headrace.errors import SchemaError
from headrace.signals.sos import checked_sos
from headrace.signals.window_words import sendable_window

if TYPE_CHECKING:
    from headrace.core.arrays import Array

__all__ = ["butter", "cheby1", "cheby2", "firwin", "iirnotch"]


def butter(
    N: int,  # noqa: N803 - SciPy's names
    Wn: Any,  # noqa: N803
    btype: str = "lowpass",
    *,
    analog: bool = False,
    output: str = "sos",
    fs: float | None = None,
) -> Array:
    """Design a Butterworth filter: flat in its pass band.

    Parameters
    ----------
    N : int
        Order; a band-pass or band-stop filter has twice as many poles.
    Wn : float or (float, float)
        Edge, or lower and upper edge, where the gain is -3 dB; hertz with `fs`, else in units of half the rate.
    btype : {"lowpass", "highpass", "bandpass", "bandstop"}
        Which side of the edges passes.
    analog, output
        As SciPy has them, with these values alone: sampled signals are filtered, and by second-order sections.
    fs : float, optional
        Samples per second, hertz.

    Returns
    -------
    ndarray, shape (sections, 6) float64
        Second-order sections ``b0 b1 b2 a0 a1 a2``: ``scipy.signal.butter(..., output="sos")``, bit for bit.

    Raises
    ------
    SchemaError
        If an edge does not lie between 0 and half of `fs`, the order is so high for this band that float64 does not
        hold the filter, `analog` or `output` is another than the default, or SciPy refuses the design, in its own
        words.
    MissingExtra
        If SciPy is not installed.

    Notes
    -----
    Designed in a child process, unless this one has imported `scipy.signal` already or can start none (a frozen
    program, a sandbox). Results are kept: asking again for the same filter costs nothing.

    Examples
    --------
    >>> import headrace
    >>> headrace.signals.butter(4, [300, 6000], "bandpass", fs=30_000).shape
    (4, 6)
    """
    _check_form(analog, output)
    return _sections("butter", N, Wn, btype, fs)


def cheby1(
    N: int,  # noqa: N803 - SciPy's names
    rp: float,
    Wn: Any,  # noqa: N803
    btype: str = "lowpass",
    *,
    analog: bool = False,
    output: str = "sos",
    fs: float | None = None,
) -> Array:
    """Design a Chebyshev filter of the first kind: steeper than `butter`, with ripple in its pass band.

    Parameters
    ----------
    N, Wn, btype, analog, output, fs
        See `butter`; an edge is where the gain falls below ``-rp``.
    rp : float
        Ripple allowed in the pass band, decibels.

    Returns
    -------
    ndarray, shape (sections, 6) float64
        ``scipy.signal.cheby1(..., output="sos")``, bit for bit.

    Raises
    ------
    SchemaError, MissingExtra
        See `butter`.

    Examples
    --------
    >>> import headrace
    >>> headrace.signals.cheby1(5, 0.1, 100, "highpass", fs=1000).shape
    (3, 6)
    """
    _check_form(analog, output)
    return _sections("cheby1", N, Wn, btype, fs, rp=finite_number("rp", rp))


def cheby2(
    N: int,  # noqa: N803 - SciPy's names
    rs: float,
    Wn: Any,  # noqa: N803
    btype: str = "lowpass",
    *,
    analog: bool = False,
    output: str = "sos",
    fs: float | None = None,
) -> Array:
    """Design a Chebyshev filter of the second kind: flat in its pass band, with ripple in its stop band.

    Parameters
    ----------
    N, Wn, btype, analog, output, fs
        See `butter`; an edge is where the gain first reaches ``-rs``.
    rs : float
        Attenuation in the stop band, decibels.

    Returns
    -------
    ndarray, shape (sections, 6) float64
        ``scipy.signal.cheby2(..., output="sos")``, bit for bit.

    Raises
    ------
    SchemaError, MissingExtra
        See `butter`.

    Examples
    --------
    >>> import headrace
    >>> headrace.signals.cheby2(4, 60, [40, 60], "bandstop", fs=1000).shape
    (4, 6)
    """
    _check_form(analog, output)
    return _sections("cheby2", N, Wn, btype, fs, rs=finite_number("rs", rs))


def firwin(
    numtaps: int,
    cutoff: Any,
    *,
    width: float | None = None,
    window: Any = "hamming",
    pass_zero: bool | str = True,
    scale: bool = True,
    fs: float | None = None,
) -> Array:
    """Design an impulse response by the window method.

    Parameters
    ----------
    numtaps : int
        Number of taps; odd where half of `fs` passes.
    cutoff : float or sequence of float
        Edges, rising; hertz with `fs`, else in units of half the rate.
    width : float, optional
        Width of the transition, in the unit of `cutoff`; chooses a Kaiser window.
    window : str, float or tuple
        As `scipy.signal.get_window` takes it.
    pass_zero : bool or {"lowpass", "highpass", "bandpass", "bandstop"}
        Whether 0 Hz passes.
    scale : bool
        Whether the gain is exactly 1 in the middle of the first pass band.
    fs : float, optional
        Samples per second, hertz.

    Returns
    -------
    ndarray, shape (numtaps,) float64
        Taps, for `headrace.signals.Fir`: ``scipy.signal.firwin(...)``, bit for bit.

    Raises
    ------
    SchemaError, MissingExtra
        See `butter`.

    Examples
    --------
    >>> import headrace
    >>> headrace.signals.firwin(5, 100, fs=1000).round(3)
    array([0.028, 0.237, 0.469, 0.237, 0.028])
    """
    return _design(
        "firwin",
        fs=fs,
        numtaps=whole_number("numtaps", numtaps, least=1),
        cutoff=_edges("cutoff", cutoff, fs, most=None),
        width=None if width is None else finite_number("width", width),
        window=sendable_window(window),
        pass_zero=pass_zero if isinstance(pass_zero, str) else bool(pass_zero),
        scale=bool(scale),
    )[0]


def iirnotch(w0: float, Q: float, *, fs: float | None = None) -> Array:  # noqa: N803 - SciPy's names
    """Design a filter that takes out one frequency.

    Parameters
    ----------
    w0 : float
        The frequency; hertz with `fs`, else in units of half the rate.
    Q : float
        Quality: `w0` over the width at which the gain is -3 dB.
    fs : float, optional
        Samples per second, hertz.

    Returns
    -------
    ndarray, shape (1, 6) float64
        One second-order section: ``numpy.concatenate(scipy.signal.iirnotch(w0, Q, fs))``, bit for bit.

    Raises
    ------
    SchemaError, MissingExtra
        See `butter`.

    Examples
    --------
    >>> import headrace
    >>> headrace.signals.iirnotch(50, 30, fs=1000).shape
    (1, 6)
    """
    quality = finite_number("Q", Q, positive=True)
    found = _design("iirnotch", fs=2.0 if fs is None else fs, w0=_edges("w0", w0, fs, most=1), Q=quality)
    return np.concatenate(found)[np.newaxis]


def _check_form(analog: bool, output: str) -> None:
    """Refuse what SciPy could give and no operator takes."""
    if analog:
        raise SchemaError("analog=True is a filter for signals in continuous time: leave it out, samples are filtered")
    if output != "sos":
        raise SchemaError(f"output= is 'sos', second-order sections: got {output!r}, which loses digits on the way")


def _sections(name: str, N: int, Wn: Any, btype: str, fs: float | None, **more: float) -> Array:  # noqa: N803
    order, edges = whole_number("N", N, least=1), _edges("Wn", Wn, fs)
    found = _design(name, fs=fs, N=order, Wn=edges, btype=str(btype), output="sos", **more)[0]
    try:
        checked_sos(found)
    except SchemaError as error:
        raise SchemaError(
            f"{name}: the order {order} is too high for the {_band(np.atleast_1d(edges).tolist(), fs)}: float64 cannot "
            "hold such a filter; take a lower order, such as 4, or a wider band"
        ) from error
    return found


def _design(name: str, *, fs: float | None, **keywords: Any) -> tuple[Array, ...]:
    """Give what ``scipy.signal.<name>(fs=fs, **keywords)`` gives, in arrays of the caller's own."""
    asked = {**keywords, "fs": None if fs is None else finite_number("fs", fs, positive=True)}
    from headrace.signals.scipy_process import scipy_signal  # with json and subprocess

    return tuple(array.copy() for array in scipy_signal(name, tuple(sorted(asked.items()))))


def _edges(name: str, value: Any, fs: float | None, most: int | None = 2) -> float | tuple[float, ...]:
    """Check that edges rise and lie between 0 and half the rate; one alone is a number, as SciPy wants it."""
    several = isinstance(value, (list, tuple, np.ndarray)) and np.ndim(value) == 1
    edges = [finite_number(name, edge) for edge in (value if several else [value])]
    if not edges or (most is not None and len(edges) > most):
        count = {None: "at least one frequency", 1: "one frequency", 2: "one frequency, or two"}[most]
        raise SchemaError(f"{name}= is {count}: got {value!r}")
    half, unit = (1.0, "") if fs is None else (finite_number("fs", fs, positive=True) / 2, " Hz")
    what = _band(edges, fs)
    limit = "1, which is half the rate (give fs= for hertz)" if fs is None else f"half of fs={_spoken(fs)} Hz"
    if any(later <= edge for edge, later in pairwise(edges)):
        raise SchemaError(f"{what} does not rise: write the lower edge first")
    if edges[-1] >= half:
        raise SchemaError(f"{what} reaches beyond {limit}: every frequency lies below {_spoken(half)}{unit}")
    if edges[0] <= 0:
        raise SchemaError(f"{what} begins at 0 or below: every frequency lies between 0 and {_spoken(half)}{unit}")
    return tuple(edges) if several and most != 1 else edges[0]


def _band(edges: list[float], fs: float | None) -> str:
    unit = "" if fs is None else " Hz"
    return f"{'edge' if len(edges) == 1 else 'band'} {' to '.join(map(_spoken, edges))}{unit}"


def _spoken(number: float) -> str:
    return f"{number:.10g}"
