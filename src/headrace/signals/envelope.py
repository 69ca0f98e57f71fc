"""Smallest and largest value in each of a few hundred stretches of a recording: all that a picture can show of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Unpack

import numpy as np

from headrace.errors import SchemaError
from headrace.signals.flow import Flow

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.core.chunk import Chunk
    from headrace.core.operator import Spec
    from headrace.core.report import RunReport
    from headrace.core.run import RunKeywords
    from headrace.signals.recording import Recording

__all__ = ["Envelope", "envelope", "measure"]

_GROUP = 4096  # values reduced side by side


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


def envelope(recording: Recording | Flow, width: int = 1200, **options: Unpack[RunKeywords]) -> Envelope:
    """Compute the envelope of a recording in one pass, in constant memory.

    Parameters
    ----------
    recording : Recording or Flow
        Of known length and real numbers.
    width : int
        Stretches to divide it into; a shorter recording gets one for each sample.
    **options
        Of the pass, such as `memory` and `threads`: see `Flow`. The result counts beside them.

    Returns
    -------
    Envelope
        Exact: it does not depend on how the recording was read.

    Raises
    ------
    SchemaError
        If the recording is a stream, complex, or empty, or `width` is not positive.
    BudgetTooSmall, SourceChanged, SourceIOError
        See `Flow.run`.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.array([0.0, 5, 1, 2, -3, 2]), fs=1)
    >>> found = envelope(rec, width=2)
    >>> found.low.ravel(), found.high.ravel()
    (array([ 0., -3.]), array([5., 2.]))
    """
    return measure(recording, width, **options)[0]


def measure(recording: Recording | Flow, width: int, **options: Unpack[RunKeywords]) -> tuple[Envelope, RunReport]:
    """Compute the envelope, and say what that cost; see `envelope`."""
    if width < 1:
        raise SchemaError(f"width= is at least 1: got {width}")
    flow = recording if isinstance(recording, Flow) else recording.pipe()
    lengths, spec = flow.segment_lengths(), flow.spec
    n = sum(length or 0 for length in lengths)
    if None in lengths:
        raise SchemaError("a stream has no length to draw along: write it to a file first, rec.pipe().to_file(path)")
    if n == 0:
        raise SchemaError("the recording has no samples: choose another start= or stop=")
    if spec.dtype.kind == "c":
        raise SchemaError(f"{spec.dtype} samples have no smallest value: take the part or the magnitude to look at")
    count = min(width, n)
    edges = np.arange(count + 1, dtype=np.int64) * n // count
    shape = (count, spec.n_channels)
    found = Envelope(edges, np.full(shape, np.nan), np.full(shape, np.nan))
    report = flow.run(_EnvelopeSink(found), **options)
    return found, report


class _EnvelopeSink:
    """Takes chunks into an envelope, each in the thread that read it."""

    def __init__(self, found: Envelope) -> None:
        self._found = found
        self._lock = threading.Lock()

    def open(self, spec: Spec) -> None:
        """See `Sink.open`."""

    def write(self, chunk: Chunk) -> None:
        """Take one chunk in: the stretches it covers wholly, and its part of those at its borders."""
        if not len(chunk):
            return
        found = self._found
        first = int(np.searchsorted(found.edges, chunk.start, "right")) - 1
        last = int(np.searchsorted(found.edges, chunk.stop, "left"))
        starts = np.maximum(found.edges[first:last], chunk.start) - chunk.start
        values = chunk.array.reshape(len(chunk), -1)
        if values.dtype.kind == "b":
            values = values.view(np.uint8)
        low, high = _reduced(np.fmin, values, starts), _reduced(np.fmax, values, starts)
        bins = slice(first, last)
        with self._lock:  # fmin and fmax pass over NaN, which is also what untouched stretches hold
            found.low[bins] = np.fmin(found.low[bins], low)
            found.high[bins] = np.fmax(found.high[bins], high)

    def commit(self, n: int) -> None:
        """See `Sink.commit`."""

    def abort(self) -> None:
        """See `Sink.abort`."""


def _reduced(reduce: np.ufunc, values: Array, starts: Array) -> Array:
    """Reduce stretches of rows, shape (rows, channels), that begin at `starts`."""
    rows, channels = values.shape
    group = _GROUP // channels
    if channels == 1 or group < 2 or rows < 2 * group * len(starts):
        found: Array = reduce.reduceat(values, starts, axis=0)
        return found
    # Long stretches: rows side by side first, so that the inner loop is long though there are few channels.
    out = np.empty((len(starts), channels), values.dtype)
    for place, (start, stop) in enumerate(pairwise([*starts.tolist(), rows])):
        whole = start + (stop - start) // group * group
        parts = [reduce.reduce(values[whole:stop], axis=0)] if whole < stop else []
        if whole > start:
            wide = reduce.reduce(values[start:whole].reshape(-1, group * channels), axis=0)
            parts.append(reduce.reduce(wide.reshape(group, channels), axis=0))
        reduce.reduce(parts, axis=0, out=out[place])
    return out
