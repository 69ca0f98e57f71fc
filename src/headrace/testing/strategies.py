"""Hypothesis strategies for signals, taps, and the ways of running a flow.

Hypothesis is imported when a strategy is made: it is needed to test, not to use headrace. Samples come from a
seeded generator and not element by element, so that long signals cost nothing to draw. So do most lengths:
hypothesis prefers short things and repeats itself, and what is wrong with chunks shows only in long signals of
ever new lengths. A failure still shrinks, to the shortest signal that shows it if that is one of a few samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import MissingExtra

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from headrace.core.arrays import Array

__all__ = ["cuts", "run_options", "signals", "taps"]

DTYPES = ("int8", "int16", "int32", "float32", "float64", "complex64")
"""Dtypes that `signals` draws from, unless told otherwise."""


def signals(
    *, dtypes: tuple[str, ...] = DTYPES, max_length: int = 20_000, max_channels: int = 5
) -> SearchStrategy[Array]:
    """Draw signals of shape ``(n,)`` or ``(n, channels)``, from empty ones on.

    Parameters
    ----------
    dtypes : tuple of str
        Dtypes to draw from.
    max_length : int
        Most samples.
    max_channels : int
        Most channels.
    """
    st = _hypothesis()
    shapes = st.tuples(_counts(0, 40, max_length), st.one_of(st.none(), st.integers(1, max_channels)))
    drawn: SearchStrategy[Array] = st.builds(_signal, shapes, st.sampled_from(dtypes), st.integers(0, 2**32 - 1))
    return drawn


def taps(*, max_count: int = 600, complex_too: bool = False) -> SearchStrategy[Array]:
    """Draw impulse responses, (k,) float64, or complex128 now and then with `complex_too`."""
    st = _hypothesis()
    counts = _counts(1, 8, max_count)
    kinds = ("float64", "complex128") if complex_too else ("float64",)
    drawn: SearchStrategy[Array] = st.builds(
        lambda count, kind, seed: _signal((count, None), kind, seed),
        counts,
        st.sampled_from(kinds),
        st.integers(0, 2**32 - 1),
    )
    return drawn


def run_options(
    n_out: int | None = None, smallest: int = 2_000_000, grid: int = 1009
) -> SearchStrategy[dict[str, Any]]:
    """Draw keyword arguments for `SampleFlow.chunks` that must not change a byte of the output.

    Parameters
    ----------
    n_out : int, optional
        Output samples, so that tiny chunks are drawn for short outputs only.
    smallest : int
        The smallest budget with which the flow works, bytes; half of the runs get little more than that.
    grid : int
        Output samples in a cell of the last operator: chunks that end where cells do are drawn too, because what is
        wrong with the edge of a cell shows only there.
    """
    st = _hypothesis()
    tiny = [1, 2, 3] if n_out is not None and n_out <= 300 else []
    small = [7, 13, 31] if n_out is not None and n_out <= 4000 else []
    chunks = st.sampled_from([None, grid, 2 * grid, *tiny, *small, 97, 509, 1009, 4099, 65537])
    roomy = st.fixed_dictionaries(
        {
            "chunk": chunks,
            "threads": st.integers(1, 4),
            "executor": st.sampled_from([None, "threads", "serial"]),
            "memory": st.just("1GB"),
        }
    )
    tight = st.fixed_dictionaries(
        {
            "threads": st.integers(1, 4),
            "executor": st.sampled_from([None, "serial"]),
            "memory": st.integers(smallest, 3 * smallest),
        }
    )
    drawn: SearchStrategy[dict[str, Any]] = st.one_of(roomy, tight)
    return drawn


def cuts(n: int, *, most: int = 8) -> SearchStrategy[list[int]]:
    """Draw places at which to cut ``[0, n)``, in order, perhaps several times at one place."""
    st = _hypothesis()
    drawn: SearchStrategy[list[int]] = st.lists(st.integers(0, n), max_size=most).map(sorted)
    return drawn


def _counts(least: int, few: int, most: int) -> SearchStrategy[int]:
    """Draw numbers: one in four is small, the others are spread evenly, over all numbers or over all magnitudes."""
    st = _hypothesis()

    def spread(seed: int) -> int:
        rng = np.random.default_rng(seed)
        even, magnitude = rng.integers(least, most + 1), int(np.exp(rng.uniform(0, np.log(most + 1))))
        return int(even if rng.random() < 0.5 else max(least, magnitude))

    seeds = st.integers(0, 2**64 - 1).map(spread)
    drawn: SearchStrategy[int] = st.one_of(st.integers(least, min(few, most)), seeds, seeds, seeds)
    return drawn


def _signal(shape: tuple[int, int | None], dtype: str, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    full = shape[:1] if shape[1] is None else shape
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        made: Array = rng.integers(limits.min, limits.max, full, kind, endpoint=True)  # type: ignore[arg-type]
        return made
    made = rng.standard_normal(full)  # type: ignore[arg-type]
    if kind.kind == "c":
        made = made + 1j * rng.standard_normal(full)  # type: ignore[arg-type]
    return made.astype(kind)


def _hypothesis() -> Any:
    try:
        from hypothesis import strategies
    except ImportError as error:
        raise MissingExtra("strategies need hypothesis: pip install hypothesis", extra="dev") from error
    return strategies
