"""Conformance suite for sources, and arrays that are read as files are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.core.ring import Ring
from headrace.core.source import Source
from headrace.core.span import Span
from headrace.signals.recording import Recording
from headrace.signals.sources import ArraySource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headrace.core.arrays import Array

__all__ = ["check_source", "from_reads"]

_SPANS = 40
_THREADS = 4


def from_reads(array: Array, fs: float | None = None, *, segments: Sequence[int] | None = None) -> Recording:
    """Make a recording of an array that is read, as a file is, and never looked at where it lies.

    Parameters
    ----------
    array, fs, segments
        As in `headrace.signals.from_array`.
    """
    source = ArraySource(np.asarray(array), fs, segments)
    source.resident = None
    return Recording(source)


def check_source(make: Callable[[], Source], expected: Array, *, seed: int = 0) -> None:
    """Check that what `make` makes is a `Source` of the samples `expected`.

    Parameters
    ----------
    make : callable
        ``make()`` opens the source anew; called several times.
    expected : ndarray, shape (n,) or (n, channels)
        All samples, in the dtype that the source delivers.
    seed : int
        Of the random spans.

    Raises
    ------
    AssertionError
        With the first thing that is not as the protocol says.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> x = np.arange(100.0)
    >>> check_source(lambda: headrace.signals.from_array(x).source, x)
    """
    spans = list(_spans(len(expected), seed))
    source = make()
    try:
        _check_description(source, expected)
        for span in spans:
            _check_read(source, span, expected)
        with Ring(lambda span: _check_read(source, span, expected), spans, threads=_THREADS, depth=_THREADS) as reads:
            for _ in reads:
                pass
        source.verify()
    finally:
        source.close()
    source.close()
    again = make()
    _check_read(again, Span(0, len(expected)), expected)
    again.close()


def _check_description(source: Source, expected: Array) -> None:
    if not isinstance(source, Source):
        raise AssertionError(f"{source!r} lacks a member of the Source protocol")  # noqa: TRY004 - a check failed
    spec = source.spec
    if spec.n != len(expected):
        raise AssertionError(f"spec.n is {spec.n}, expected {len(expected)}")
    if spec.shape != expected.shape[1:]:
        raise AssertionError(f"spec.shape is {spec.shape}, expected {expected.shape[1:]}")
    if spec.dtype != expected.dtype or not spec.dtype.isnative:
        raise AssertionError(f"spec.dtype is {spec.dtype!r}, expected {expected.dtype!r} in native byte order")
    if not isinstance(source.scratch_bytes, int) or source.scratch_bytes < 0:
        raise AssertionError(f"scratch_bytes is {source.scratch_bytes!r}, expected bytes, 0 or more")
    if not all(isinstance(path, str) for path in source.paths):
        raise AssertionError(f"paths is {source.paths!r}, expected a tuple of str")
    resident = getattr(source, "resident", None)
    if resident is not None and (
        (resident.shape, resident.dtype) != (expected.shape, spec.dtype)
        or not resident.flags.c_contiguous
        or resident.tobytes() != np.ascontiguousarray(expected).tobytes()
    ):
        raise AssertionError("resident is not all the samples, contiguous and in the dtype of spec")
    place = 0
    for segment in source.segments:
        if segment.start != place:
            raise AssertionError(f"a segment starts at {segment.start}, the one before it ends at {place}")
        place = segment.stop
    if place != len(expected) or not source.segments:
        raise AssertionError(f"the segments {source.segments} do not cover [0, {len(expected)})")


def _check_read(source: Source, span: Span, expected: Array) -> None:
    wanted = np.ascontiguousarray(expected[span.start : span.stop])
    for turn in ("first", "second"):
        # A pattern of bits no sample is likely to have shows what a read leaves unfilled.
        out = np.full(wanted.nbytes, 0xA5, np.uint8).view(wanted.dtype).reshape(wanted.shape)
        source.read(span, out)
        if out.tobytes() != wanted.tobytes():
            differs = np.flatnonzero((out != wanted).reshape(len(out), -1).any(axis=1))
            first = span.start + int(differs[0]) if len(differs) else span.start
            raise AssertionError(
                f"the {turn} read of {span} differs from what was expected in {len(differs)} samples, first in sample "
                f"{first}: got {out[first - span.start]!r}, expected {wanted[first - span.start]!r}"
            )


def _spans(n: int, seed: int) -> Iterator[Span]:
    """Give empty, single, full and random spans."""
    yield from (Span(0, n), Span(0, 0), Span(n, n), Span(n // 2, n // 2))
    if n:
        yield from (Span(0, 1), Span(n - 1, n), Span(n // 2, n // 2 + 1), Span(n // 3, n))
    rng = np.random.default_rng(seed)
    for _ in range(_SPANS):
        start, stop = sorted(int(edge) for edge in rng.integers(0, n + 1, 2))
        yield Span(start, stop)
