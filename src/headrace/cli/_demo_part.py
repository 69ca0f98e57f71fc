"""How much of the recording a rival is given, and why not all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.cli._demo_data import FS
from headrace.core.machine import limits, memory_available
from headrace.core.sizes import format_bytes

if TYPE_CHECKING:
    from headrace.cli._demo_data import Scene

__all__ = ["ENOUGH", "Part", "part_of"]

ENOUGH = 400_000_000
"""Bytes of recording that say how fast a slow rival is; more would only make the demo long."""


@dataclass(frozen=True, slots=True)
class Part:
    """The beginning of a recording.

    Attributes
    ----------
    n_samples : int
        Its length.
    nbytes : int
        The same in bytes of recording.
    why : str
        Why it is not all of it; empty if it is.
    """

    n_samples: int
    nbytes: int
    why: str

    @property
    def words(self) -> str:
        """How much, for a table."""
        return f"first {format_bytes(self.nbytes)}" if self.why else "all"


def part_of(scene: Scene, *, memory: int = 0, mapped: int = 0, most: int | None = None) -> Part:
    """Choose how much a rival does.

    Parameters
    ----------
    scene : Scene
        The recording.
    memory, mapped : int
        Bytes of memory, and of mappings, that the rival takes for each byte of recording.
    most : int, optional
        Bytes that are enough, where all of it would take too long.
    """
    rooms = {"to keep the demo short": most}
    if memory:
        rooms["as memory is short here"] = 9 * memory_available() // 10 // memory
    if mapped and (space := limits().address_space) is not None:
        rooms["as address space is short here"] = space // 2 // mapped
    why, room = min(((w, r) for w, r in rooms.items() if r is not None), key=lambda item: item[1], default=("", 0))
    n = max(FS, room // scene.frame_bytes)
    if not why or n >= scene.n_samples:
        return Part(scene.n_samples, scene.n_samples * scene.frame_bytes, "")
    return Part(n, n * scene.frame_bytes, why)
