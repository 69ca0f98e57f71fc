"""What every job of the demo is given and gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

__all__ = ["Job", "Outcome", "Stage"]

Stage = Callable[[str], Callable[[float], Any]]
"""``stage("words")`` begins a step and gives the function to tell how much of it is done, from 0 to 1."""


@dataclass
class Outcome:
    """What a job did.

    Attributes
    ----------
    facts : dict
        For ``--json``: plain types, documented by their keys.
    shown : list
        What rich prints, in order.
    kept : list of (Path, str)
        Files that stay, and what each is.
    big : list of Path
        Files that go unless ``--keep``.
    ok : bool
        Whether headrace did what it promises.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    shown: list[RenderableType] = field(default_factory=list)
    kept: list[tuple[Path, str]] = field(default_factory=list)
    big: list[Path] = field(default_factory=list)
    ok: bool = True


class Job(Protocol):
    """One job of the demo; listed in ``JOBS`` of `headrace.cli.demo`."""

    name: str

    def run(self, folder: Path, size: int, stage: Stage, outcome: Outcome) -> None:
        """Do it in `folder` on about `size` bytes; fill `outcome` on the way, so that what is big can be removed."""
        ...
