"""Conformance suite for operators: the whole-array answer, and the same bytes however the flow is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace import signals
from headrace.core.operator import Transform, TwoWay
from headrace.errors import BudgetTooSmall
from headrace.testing.executors import RepeatingExecutor
from headrace.testing.sources import from_reads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headrace.core.arrays import Array
    from headrace.core.flow import SampleFlow
    from headrace.core.operator import Operator

__all__ = ["check_operator", "relative_error", "smallest_budget"]

_PRIMES = (7, 97, 1009, 65537)
_SINGLE_STEPS = 500  # chunks of one sample are for outputs up to this long: they cost a task each
_ROOM = "4GB"
_CLOSE = {"f": {4: 3e-7, 8: 1e-14}, "c": {8: 3e-7, 16: 1e-14}}


def check_operator(
    operator: Operator,
    x: Array,
    reference: Array | Callable[[Array], Array],
    *,
    fs: float | None = None,
    tolerance: float | None = None,
    seed: int = 0,
) -> None:
    """Check that an operator gives the whole-array answer, and the same bytes however its flow is run.

    Parameters
    ----------
    operator : Operator
        Of any kind; two-way ones and transforms are not run on streams, which come once, and transforms not on several
        segments.
    x : ndarray, shape (n,) or (n, channels)
        What to run it on. A few thousand samples find more than a few; 32 channels or more let several threads at a
        two-way operator at once.
    reference : ndarray or callable
        The answer for all of `x`, or a function from an array to its answer; with a function, runs over several
        segments are checked too.
    fs : float, optional
        Samples per second, hertz.
    tolerance : float, optional
        Relative L2 error allowed; default 3e-7 for 32-bit floats, 1e-14 for 64-bit ones, none for integers.
    seed : int
        Of the random pieces that a stream comes in.

    Raises
    ------
    AssertionError
        With the way of running, and the numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from headrace.testing import CumulativeSum
    >>> check_operator(CumulativeSum(), np.arange(50.0), np.cumsum)
    """
    flow, reading = signals.from_array(x, fs).pipe(operator), from_reads(x, fs).pipe(operator)
    whole = flow.to_array(memory=_ROOM)
    _check_answer(whole, reference(x) if callable(reference) else reference, tolerance)
    for number, options in enumerate(_ways(reading, len(whole))):
        in_place = number % 3 == 0
        how = f"with {options}{'' if in_place else ', read as from a file'}"
        _check_same(_collect(flow if in_place else reading, options), whole, how)
    rng = np.random.default_rng(seed)
    for _ in range(0 if isinstance(operator, (TwoWay, Transform)) else 3):
        stream = signals.from_iter(_pieces(x, rng), fs).pipe(operator)
        _check_same(stream.to_array(memory=_ROOM), whole, "from an iterator")
    if callable(reference) and len(x) > 3 and not isinstance(operator, Transform):
        _check_segments(operator, x, fs, rng)


def relative_error(found: Array, expected: Array) -> float:
    """Give the relative L2 distance of two arrays, infinite where NaN or infinities are not in the same places.

    Parameters
    ----------
    found, expected : ndarray
        Of one shape, any dtype.

    Returns
    -------
    float
        ``norm(found - expected) / norm(expected)`` over the finite values; 0 for two equal arrays.
    """
    if found.shape != expected.shape:
        return float("inf")
    kind = np.complex128 if "c" in (found.dtype.kind, expected.dtype.kind) else np.float64
    a, b = found.astype(kind).ravel(), expected.astype(kind).ravel()
    odd = ~(np.isfinite(a) & np.isfinite(b))
    if not np.array_equal(a[odd], b[odd], equal_nan=True):
        return float("inf")
    size = float(np.linalg.norm(b[~odd]))
    distance = float(np.linalg.norm(a[~odd] - b[~odd]))
    return distance if size == 0 else distance / size


def smallest_budget(flow: SampleFlow, **options: Any) -> int:
    """Give the smallest `memory` with which iterating over a flow works, as its own error says, bytes."""
    try:
        with flow.chunks(memory=1, **options) as chunks:
            next(chunks, None)
    except BudgetTooSmall as error:
        return error.needed
    return 1


def _ways(flow: SampleFlow, n_out: int) -> Iterator[dict[str, Any]]:
    """Give ways of running a flow that must not matter."""
    for chunk in (1, *_PRIMES) if n_out <= _SINGLE_STEPS else _PRIMES:
        for threads in (1, 2, 3, 4):
            yield {"chunk": chunk, "threads": threads, "memory": _ROOM}
    yield {"executor": "serial", "memory": _ROOM}
    yield {"executor": RepeatingExecutor(), "memory": _ROOM}
    smallest = smallest_budget(flow)
    for factor in (1, 2, 5):
        yield {"memory": smallest * factor, "threads": 1 + factor % 3}


def _collect(flow: SampleFlow, options: dict[str, Any]) -> Array:
    empty = np.empty((0, *flow.spec.shape), flow.dtype)
    with flow.chunks(**options) as chunks:
        return np.concatenate([empty, *(chunk.array.copy() for chunk in chunks)])


def _pieces(x: Array, rng: np.random.Generator) -> list[Array]:
    edges = np.sort(rng.integers(0, len(x) + 1, rng.integers(0, 12)))
    return np.split(x, edges)


def _check_segments(operator: Operator, x: Array, fs: float | None, rng: np.random.Generator) -> None:
    starts = [0, *(int(s) for s in np.unique(rng.integers(1, len(x), 4)))]
    together = from_reads(x, fs, segments=starts).pipe(operator).to_array(memory=_ROOM)
    parts = [signals.from_array(part, fs).pipe(operator).to_array(memory=_ROOM) for part in np.split(x, starts[1:])]
    _check_same(together, np.concatenate(parts), f"with segments that start at {starts}")


def _check_answer(found: Array, expected: Array, tolerance: float | None) -> None:
    if found.shape != expected.shape:
        raise AssertionError(f"the answer has shape {found.shape}, expected {expected.shape}")
    limit = _CLOSE.get(found.dtype.kind, {}).get(found.dtype.itemsize, 0.0) if tolerance is None else tolerance
    error = relative_error(found, expected)
    if not error <= limit:
        wrong = np.abs(found.astype(complex) - expected).reshape(len(found), -1).max(axis=1)
        raise AssertionError(
            f"the answer is off by {error:.3g} (relative L2), more than {limit:.3g}; most at sample {wrong.argmax()}"
        )


def _check_same(found: Array, expected: Array, how: str) -> None:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise AssertionError(
            f"{how}: got {found.dtype} of shape {found.shape}, expected {expected.dtype} of shape {expected.shape}"
        )
    if found.tobytes() != expected.tobytes():
        differs = np.flatnonzero((found != expected).reshape(len(found), -1).any(axis=1))
        raise AssertionError(f"{how}: {len(differs)} samples have other bytes, the first of them {differs[:1]}")
