"""Whether a filtered recording is right: against direct convolution in float64."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace import signals
from headrace.cli._demo_child import Cost, Failure
from headrace.cli._demo_data import N_CHANNELS, SCALE_UV

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.core.arrays import Array

__all__ = ["Accuracy", "accuracy"]

_STRETCH = 1024
_MAX_BORDERS = 16
_PROMISE = 3e-7  # relative L2 of float32 output: the exactness contract


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far a result is from the float64 answer, over all places looked at.

    Attributes
    ----------
    relative : float
        Norm of the difference over the norm of the answer.
    largest_uv : float
        Largest difference, microvolts.
    places : int
        Stretches compared.
    """

    relative: float
    largest_uv: float
    places: int

    @property
    def good(self) -> bool:
        """Whether the exactness contract is kept."""
        return self.relative <= _PROMISE

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return asdict(self)


def accuracy(recording: Path, taps: Path, result: Path, cost: Cost | Failure) -> Accuracy | None:
    """Compare a result with direct convolution, at both ends and at the borders of chunks.

    Parameters
    ----------
    recording, taps, result : Path
        Raw int16 input, ``.npy`` taps, ``.npy`` output of mode "same".
    cost : Cost or Failure
        What making it took; says how much of the recording it did, and in what chunks if it knows.

    Returns
    -------
    Accuracy or None
        ``None`` if there is no result.
    """
    if isinstance(cost, Failure):
        return None
    h = np.load(taps, allow_pickle=False)
    distance = answer = largest = 0.0
    spans = _places(cost.n_samples, cost.chunk_samples or 1_000_000)
    with (
        signals.open(recording, dtype="int16", n_channels=N_CHANNELS, stop=cost.n_samples) as x,
        signals.open(result) as y,
    ):
        for start, stop in spans:
            wanted = _direct(x, h, start, stop)
            difference = np.asarray(y[start:stop]) - wanted
            distance += float(np.sum(difference**2))
            answer += float(np.sum(wanted**2))
            largest = max(largest, float(np.abs(difference).max()))
    return Accuracy((distance / answer) ** 0.5 if answer else 0.0, largest * SCALE_UV, len(spans))


def _places(n: int, chunk: int) -> list[tuple[int, int]]:
    """Choose stretches: both ends, and around borders of chunks, spread over the recording."""
    borders = np.arange(chunk, n, chunk)
    if len(borders) > _MAX_BORDERS:
        borders = borders[np.linspace(0, len(borders) - 1, _MAX_BORDERS).astype(int)]
    centres = [0, *borders.tolist(), n]
    spans = [(max(0, c - _STRETCH // 2), min(n, c + _STRETCH // 2)) for c in centres]
    return [(start, stop) for start, stop in spans if start < stop]


def _direct(x: signals.Recording, taps: Array, start: int, stop: int) -> Array:
    """Sum the convolution of mode "same" at ``[start, stop)`` in float64."""
    after = (len(taps) - 1) // 2
    before = len(taps) - 1 - after
    lo, hi = start - before, stop + after
    window = np.zeros((hi - lo, N_CHANNELS))
    window[max(0, -lo) : min(hi, len(x)) - lo] = np.asarray(x[max(0, lo) : min(hi, len(x))])
    return np.stack([np.convolve(column, taps, "valid") for column in window.T], axis=1)
