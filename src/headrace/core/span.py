"""Spans: half-open ranges of samples, and the arithmetic of halos and grids on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.core.checks import whole_number
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Halo", "Span"]


@dataclass(frozen=True, slots=True)
class Halo:
    """Samples that an operator needs left and right of those it answers for.

    Attributes
    ----------
    left, right : int
        Samples; never negative.
    """

    left: int = 0
    right: int = 0

    def __post_init__(self) -> None:
        if self.left < 0 or self.right < 0:
            raise ValueError(f"a halo is never negative: got left={self.left}, right={self.right}")

    @classmethod
    def of(cls, samples: Any) -> Halo:
        """Take what a user gives as ``halo=``: one number of samples for both sides, or (left, right).

        Raises
        ------
        SchemaError
            If it is neither.
        """
        sides = samples if isinstance(samples, (tuple, list)) else (samples, samples)
        if len(sides) != 2:
            raise SchemaError(f"halo= is one number of samples, or two, left and right: got {samples!r}")
        return cls(*(whole_number("halo", side, least=0) for side in sides))


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range ``[start, stop)`` of sample indices.

    Examples
    --------
    >>> Span(10, 20).widen(Halo(3, 5)).clip(Span(0, 22))
    Span(start=7, stop=22)
    """

    start: int
    stop: int

    def __post_init__(self) -> None:
        if self.stop < self.start:
            raise ValueError(f"a span ends at or after its start: got [{self.start}, {self.stop})")

    @property
    def size(self) -> int:
        """Number of samples."""
        return self.stop - self.start

    def shift(self, by: int) -> Span:
        """Move both ends by `by` samples."""
        return Span(self.start + by, self.stop + by)

    def widen(self, halo: Halo) -> Span:
        """Add a halo; the result may reach below zero or past the end (see `clip`)."""
        return Span(self.start - halo.left, self.stop + halo.right)

    def clip(self, limits: Span) -> Span:
        """Keep what lies inside `limits`; an empty span at the nearer limit if nothing does."""
        start = min(max(self.start, limits.start), limits.stop)
        return Span(start, max(start, min(self.stop, limits.stop)))

    def align(self, grid: int) -> Span:
        """Grow to whole cells of `grid` samples, counted from sample 0."""
        return Span(self.start // grid * grid, -(-self.stop // grid) * grid)

    def within(self, outer: Span) -> slice:
        """Slice that picks this span out of an array holding `outer`."""
        if self.start < outer.start or self.stop > outer.stop:
            raise ValueError(f"{self} does not lie inside {outer}")
        return slice(self.start - outer.start, self.stop - outer.start)

    def split(self, step: int) -> Iterator[Span]:
        """Cut into consecutive spans of `step` samples; the last may be short."""
        for start in range(self.start, self.stop, step):
            yield Span(start, min(start + step, self.stop))

    def split_on(self, grid: int) -> Iterator[Span]:
        """Cut at the multiples of `grid`, counted from sample 0."""
        start = self.start
        while start < self.stop:
            stop = min(start // grid * grid + grid, self.stop)
            yield Span(start, stop)
            start = stop

    def __str__(self) -> str:
        return f"[{self.start}, {self.stop})"
