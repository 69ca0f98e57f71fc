"""Smallest and largest value in each of a few hundred stretches of a recording: all that a picture can show of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headrace.errors import SchemaError

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.core.chunk import Chunk
    from headrace.signals.recording import Recording

__all__ = ["Envelope", "envelope"]


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """Extremes of a recording, stretch by stretch.

    Attributes
    ----------
    edges : ndarray of int64, shape (bins + 1,)
        Stretch i holds the samples ``[edges[i], edges[i + 1])``, at least one.
    low, high : ndarray of float64, shape (bins, channels)
        Smallest and largest value; NaN where a stretch holds nothing but NaN.
    """

    edges: Array
    low: Array
    high: Array


def envelope(recording: Recording, width: int = 1200, *, memory: int | str | None = None) -> Envelope:
    """Compute the envelope of a recording in one pass, in constant memory.

    Parameters
    ----------
    recording : Recording
        Of known length and real numbers.
    width : int
        Stretches to divide it into; a shorter recording gets one for each sample.
    memory : int or str, optional
        Budget of the pass, 64 MB by default.

    Returns
    -------
    Envelope
        Exact: it does not depend on how the recording was read.

    Raises
    ------
    SchemaError
        If the recording is a stream, complex, or empty, or `width` is not positive.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.array([0.0, 5, 1, 2, -3, 2]), fs=1)
    >>> found = envelope(rec, width=2)
    >>> found.low.ravel(), found.high.ravel()
    (array([ 0., -3.]), array([5., 2.]))
    """
    if width < 1:
        raise SchemaError(f"width= is at least 1: got {width}")
    if recording.n_samples is None:
        raise SchemaError("a stream has no length to draw along: write it to a file first, rec.pipe().to_file(path)")
    if recording.n_samples == 0:
        raise SchemaError("the recording has no samples: choose another start= or stop=")
    if recording.dtype.kind == "c":
        raise SchemaError(
            f"{recording.dtype} samples have no smallest value: take the part or the magnitude to look at"
        )
    count = min(width, recording.n_samples)
    edges = np.arange(count + 1, dtype=np.int64) * recording.n_samples // count
    shape = (count, recording.n_channels)
    found = Envelope(edges, np.full(shape, np.nan), np.full(shape, np.nan))
    with recording.pipe().chunks(memory=memory) as chunks:
        for chunk in chunks:
            _merge(found, chunk)
    return found


def _merge(found: Envelope, chunk: Chunk) -> None:
    """Take one chunk in: the stretches it covers wholly, and its part of those at its borders."""
    first = int(np.searchsorted(found.edges, chunk.start, "right")) - 1
    last = int(np.searchsorted(found.edges, chunk.stop, "left"))
    starts = np.maximum(found.edges[first:last], chunk.start) - chunk.start
    values = chunk.array.reshape(len(chunk), -1)
    if values.dtype.kind == "b":
        values = values.view(np.uint8)
    bins = slice(first, last)
    # fmin and fmax pass over NaN, which is also what untouched stretches hold
    found.low[bins] = np.fmin(found.low[bins], np.fmin.reduceat(values, starts, axis=0))
    found.high[bins] = np.fmax(found.high[bins], np.fmax.reduceat(values, starts, axis=0))
