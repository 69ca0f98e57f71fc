"""Where a row of operators that is fed in order is: from here another process can go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.core.cascade import Cascade
    from headrace.core.operator import State

__all__ = ["Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """A place between two pieces of input.

    Attributes
    ----------
    segment : int
        Number of the segment.
    position : int
        Sample of the segment, of what enters the row, from which input is needed again.
    given : int
        Samples of output given so far, of all segments.
    stages : tuple of State
        What each stage has, from `headrace.core.cascade.Cascade.kept`; empty at the start of a segment.
    """

    segment: int = 0
    position: int = 0
    given: int = 0
    stages: tuple[State, ...] = ()

    @classmethod
    def inside(cls, segment: int, given: int, cascade: Cascade) -> Place:
        """Give the place that a row has reached."""
        position, stages = cascade.kept()
        return cls(segment, position, given, stages)

    def apart(self) -> Place:
        """Copy what is carried, which is lent."""
        stages = [(*rest, carry and (carry[0], carry[1].copy())) for *rest, carry in self.stages]
        return Place(self.segment, self.position, self.given, tuple(stages))

    def packed(self) -> State:
        """Give it as a state of a journal, of which `of` makes it again."""
        return self.segment, self.position, self.given, self.stages

    @classmethod
    def of(cls, state: State | None) -> Place:
        """Make it of what `packed` gave; the very start of ``None``."""
        return cls() if state is None else cls(*state)
