"""What short-time transforms and averaged spectra are asked for, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from headrace.core.checks import whole_number
from headrace.errors import SchemaError
from headrace.signals.spectra.transform import Trend

if TYPE_CHECKING:
    from headrace.core.arrays import Array

__all__ = ["checked_choice", "checked_overlap", "checked_points", "checked_trend", "frequencies"]


def checked_overlap(nperseg: int, noverlap: Any) -> int:
    """Take the samples that neighbouring frames share: half of a frame, rounded down, unless told.

    Raises
    ------
    SchemaError
        If they are not fewer than a frame has.
    """
    overlap = nperseg // 2 if noverlap is None else whole_number("noverlap", noverlap, least=0)
    if overlap >= nperseg:
        raise SchemaError(
            f"noverlap={overlap} is not less than nperseg={nperseg}, so that frames would never go on: take at most "
            f"{nperseg - 1}"
        )
    return overlap


def checked_points(name: str, points: Any, nperseg: int) -> int:
    """Take the points of a transform, at least those of a frame and by default as many.

    Raises
    ------
    SchemaError
        If they are fewer.
    """
    if points is None:
        return nperseg
    found = whole_number(name, points, least=1)
    if found < nperseg:
        raise SchemaError(f"{name}={found} is less than nperseg={nperseg}: frames are filled up with zeros, never cut")
    return found


def checked_trend(detrend: Any) -> Trend:
    """Take what is to be taken out of each frame.

    Raises
    ------
    SchemaError
        If it is something else.
    """
    for known in get_args(Trend):
        if (detrend is None and known is False) or (type(detrend) is type(known) and detrend == known):
            return known  # type: ignore[no-any-return]
    raise SchemaError(f"detrend= is 'constant', 'linear' or False: got {detrend!r}")


def checked_choice(name: str, value: Any, choices: tuple[str | None, ...]) -> Any:
    """Take one of some words.

    Raises
    ------
    SchemaError
        If it is none of them.
    """
    if value not in choices:
        raise SchemaError(f"{name}= is one of {', '.join(map(repr, choices))}: got {value!r}")
    return value


def frequencies(points: int, fs: float, *, is_complex: bool) -> Array:
    """Give the frequencies of a transform, hertz: as `numpy.fft.rfftfreq` and `fftfreq` have them."""
    step = 1.0 / fs
    return np.fft.fftfreq(points, step) if is_complex else np.fft.rfftfreq(points, step)
