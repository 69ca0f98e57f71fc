"""Where the frames of a short-time transform lie: those of `scipy.signal.ShortTimeFFT`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from headrace.core.arrays import Array

__all__ = ["FrameGrid"]


@dataclass(frozen=True, slots=True)
class FrameGrid:
    """Frames of `nperseg` samples, `hop` apart, that reach over both ends of a signal.

    Frame i, from 0, is slice ``p = first + i`` of SciPy's: its middle, the window's value ``nperseg // 2``, lies at
    sample ``p * hop``.

    Attributes
    ----------
    nperseg, hop : int
        Samples of a frame, and from one to the next.
    first : int
        Number of the first slice, at most 0: SciPy's ``p_min``.
    blind : int
        Zeros that the window begins with: a last frame that would reach the signal with these alone is left out.
    """

    nperseg: int
    hop: int
    first: int
    blind: int

    @classmethod
    def of(cls, window: Array, hop: int) -> FrameGrid:
        """Lay out the frames of a window, shape (nperseg,)."""
        nperseg = len(window)
        seen = np.flatnonzero(window * window)
        blind, trailing = (int(seen[0]), nperseg - 1 - int(seen[-1])) if len(seen) else (nperseg, nperseg)
        middle = nperseg // 2
        # SciPy goes back hop by hop while frames reach sample 0; it stops at once where the window's end is zeros.
        before = 0 if hop + middle <= trailing else (nperseg - middle - 1) // hop
        return cls(nperseg, hop, -before, blind)

    @property
    def middle(self) -> int:
        """Samples of a frame before its middle."""
        return self.nperseg // 2

    @property
    def least(self) -> int:
        """Samples of the shortest signal that has frames: half a frame, rounded up."""
        return self.nperseg - self.middle

    @property
    def start(self) -> int:
        """Sample at which frame 0 begins; before the signal, or at its start."""
        return self.first * self.hop - self.middle

    def count(self, n: int) -> int:
        """Count the frames of a signal of `n` samples, at least `least`."""
        reaching = -(-(n - self.blind + self.middle) // self.hop)
        return max(n // self.hop + 1, reaching) - self.first

    def reach(self, frames: int) -> int:
        """Give the sample at which the last of so many frames ends: SciPy's ``k_max``."""
        return (frames - 1) * self.hop + self.start + self.nperseg
