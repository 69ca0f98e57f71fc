"""A goal of a benchmark: a figure made of its result, and the limit that the figure is held to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Goal:
    """One goal; `least` or `most` is its limit."""

    text: str
    measure: Callable[[dict[str, Any]], float]
    least: float | None
    most: float | None
    unit: str

    def judged(self, cases: dict[str, Any]) -> dict[str, Any]:
        """Measure and judge, given ``{case name: result}``; None where a case that it speaks of has no figures."""
        measured = met = None
        try:
            measured = float(self.measure(cases))
        except (KeyError, ZeroDivisionError):
            pass
        else:
            met = (self.least is None or measured >= self.least) and (self.most is None or measured <= self.most)
        limits = {"least": self.least, "most": self.most, "unit": self.unit}
        return {"goal": self.text, "measured": measured, "met": met, **limits}


def verdict(goal: dict[str, Any]) -> str:
    """Say in a line what was measured, and whether that is the goal."""
    met = {True: "met", False: "not met", None: "not judged"}[goal["met"]]
    figure = "" if goal["measured"] is None else f"{goal['measured']:.3g}{goal['unit'] and ' ' + goal['unit']}, "
    return f"{goal['goal']}: {figure}{met}"
