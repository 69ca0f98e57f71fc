"""Short transforms, whose input and result fit into memory many times over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.arrays import widest
from headrace.signals.fft.engine import import_scipy
from headrace.signals.fft.lengths import SMALL_PRIME, largest_prime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.core.arrays import Array, DType
    from headrace.core.source import RowReader
    from headrace.core.span import Span
    from headrace.core.tempfiles import ScratchFile
    from headrace.signals.fft.signal import Signal

__all__ = ["OnePiece"]


@dataclass
class OnePiece:
    """A transform of all samples at once, in float64; its own only pass.

    Attributes
    ----------
    signal : Signal
        The input.
    out : dtype
        Of the result; real for the way back from half a spectrum.
    n_out : int
        Results to give.
    inverse : bool
        Whether to transform back.
    """

    signal: Signal
    out: DType
    n_out: int
    inverse: bool
    files: tuple[int, ...] = ()
    count: int = 1
    unit: int = 1
    most: int = 1
    ahead: int | None = None
    scratch_bytes: int = 0
    _found: Array = field(default_factory=lambda: np.empty(0))

    @property
    def passes(self) -> tuple[OnePiece]:
        """See `Transformation`."""
        return (self,)

    @property
    def shared_bytes(self) -> int:
        """See `Transformation`: the result."""
        return self.n_out * self.out.itemsize

    def room_bytes(self, size: int) -> int:
        """See `Pass`."""
        return size * self.signal.n * self.signal.dtype.itemsize

    def beside_bytes(self, size: int) -> int:
        """See `Pass`."""
        inside = 4 if largest_prime(self.signal.n) <= SMALL_PRIME else 12  # SciPy's tables and rows; a convolution's
        return size * (2 + inside) * self.signal.n * 16

    def run(self, task: Span, read: RowReader, files: Sequence[ScratchFile], room: Array) -> None:
        """See `Pass`."""
        del task, files
        fft = import_scipy()
        n = self.signal.n
        x = room[: n * self.signal.dtype.itemsize].view(self.signal.dtype)
        self.signal.rows(read, 0, n, x[None])
        wide = x.astype(widest(x.dtype))
        if self.signal.hermitian:
            found = fft.irfft(wide[: n // 2 + 1], n, workers=1)
        elif self.inverse:
            found = fft.ifft(wide, overwrite_x=True, workers=1)
        else:
            found = (fft.fft if x.dtype.kind == "c" else fft.rfft)(wide, workers=1)
        self._found = found.astype(self.out)

    def rest(self) -> None:
        """See `Transformation`: the result stays."""

    def read(self, span: Span, out: Array, files: Sequence[ScratchFile]) -> None:
        """See `Transformation`."""
        del files
        out.reshape(span.size)[...] = self._found[span.start : span.stop]
