"""Fitting a run into its budget: how long its chunks are, and how many threads work on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.core.sizes import format_bytes
from headrace.errors import BudgetTooSmall

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.budget import Budget

__all__ = ["Demand", "Schedule", "fit", "least_samples", "lengths", "reserve_fitting", "smallest", "too_small"]

_TARGET_BYTES = 2 * 1024 * 1024  # per chunk: large against the cost of handing it over, small against a shared cache
_LEAST_BYTES = 16 * 1024  # per chunk: some pages
_TASKS_PER_THREAD = 4  # short inputs are cut so that each thread gets some


@dataclass(frozen=True, slots=True)
class Demand:
    """What a run needs to know of itself to be fitted.

    Attributes
    ----------
    n_out : int or None
        Output samples in all.
    least : int
        Output samples of the shortest chunk worth making, of which shorter ones than `unit` are multiples.
    unit : int
        Output samples that are efficient to ask for in multiples of; at least `least`.
    sample_bytes : int
        Bytes of the largest sample on the way, source and output included.
    cost : callable
        ``cost(threads, samples)``: bytes of a run with that many threads and output samples per chunk.
    """

    n_out: int | None
    least: int
    unit: int
    sample_bytes: int
    cost: Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a run is cut.

    Attributes
    ----------
    threads : int
        Threads that work.
    samples : int
        Output samples per chunk; the last may be short.
    nbytes : int
        Bytes it will take.
    """

    threads: int
    samples: int
    nbytes: int


def smallest(demand: Demand, chunk: int | None = None) -> int:
    """Give the bytes of the smallest run: one thread, and chunks of the least length or the one the user insists on."""
    return demand.cost(1, demand.least if chunk is None else chunk)


def fit(
    demand: Demand, budget: Budget, threads: int, *, chunk: int | None = None, beside: int = 0, hint: str = ""
) -> Schedule:
    """Choose chunk length and threads so that a run fits into what is left of a budget.

    Shorter chunks come first, down to the unit. Where that does not help, threads and the length below the unit give
    way together: what is made of a unit is then as good as lost, so half a unit is worth half the threads.

    Parameters
    ----------
    demand : Demand
        Of the run.
    budget : Budget
        What it may take from; nothing is reserved.
    threads : int
        The most threads to use.
    chunk : int, optional
        Output samples per chunk, if the user insists.
    beside : int
        Bytes to leave for others.
    hint : str
        What else the user can do, for the error.

    Raises
    ------
    BudgetTooSmall
        If not even one thread with the smallest chunk fits; ``needed`` is the smallest budget that works.
    """
    available = budget.left - beside
    for count, samples in _candidates(demand, threads, chunk):
        nbytes = demand.cost(count, samples)
        if nbytes <= available:
            return Schedule(count, samples, nbytes)
    least = demand.least if chunk is None else chunk
    raise too_small(budget, beside + smallest(demand, chunk), least, beside=beside, hint=hint)


def too_small(budget: Budget, smallest: int, samples: int, *, beside: int = 0, hint: str = "") -> BudgetTooSmall:
    """Make the error of a run that takes `smallest` bytes even with one thread and chunks of so many samples."""
    needed = budget.used + smallest
    in_use = f", of which {format_bytes(budget.used + beside)} are spoken for," if budget.used + beside else ""
    return BudgetTooSmall(
        f"a budget of {format_bytes(budget.size)}{in_use} is too small for this flow: the smallest that works, with "
        f"one thread and chunks of {samples:,} samples, is memory={needed} (--memory {needed}){hint and '; ' + hint}",
        needed=needed,
        available=budget.left,
    )


def reserve_fitting(choose: Callable[[], Schedule], take: Callable[[Schedule], bool]) -> Schedule:
    """Fit and reserve as one step, though others may take from the same budget between the two."""
    while True:
        schedule = choose()
        if take(schedule):
            return schedule


def lengths(first: int, unit: int, least: int) -> tuple[list[int], list[int]]:
    """Halve a length down to the least: give those of at least a unit, multiples of it, and those below it."""
    long = [unit * (first // unit >> shift) for shift in range((first // unit).bit_length())]
    short = [least * (unit // least >> shift) for shift in range((unit // least).bit_length())]
    return long, [length for length in short if length < unit]


def _candidates(demand: Demand, threads: int, chunk: int | None) -> list[tuple[int, int]]:
    """List threads and chunk lengths, the best first."""
    counts = range(threads, 0, -1)
    if chunk is not None:
        return [(count, chunk) for count in counts]
    long, short = lengths(_first_choice(demand, threads), demand.unit, demand.least)
    some = [(count, samples) for count in counts for samples in (demand.unit, *short)]
    return [*((threads, samples) for samples in long), *sorted(some, key=lambda each: (-each[0] * each[1], each[0]))]


def _first_choice(demand: Demand, threads: int) -> int:
    """Aim at the target size, in whole units, with some tasks for each thread."""
    samples = max(1, _TARGET_BYTES // max(1, demand.sample_bytes))
    if demand.n_out is not None:
        samples = min(samples, -(-demand.n_out // (threads * _TASKS_PER_THREAD)))
    return max(demand.unit, samples // demand.unit * demand.unit)


def least_samples(sample_bytes: int, cell: int = 1) -> int:
    """Give the samples of the shortest chunk worth its fixed cost, in whole cells."""
    return max(1, _LEAST_BYTES // max(1, sample_bytes) // cell) * cell
