"""The short transforms that long ones are made of: SciPy's, in one thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import MissingExtra

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType

__all__ = ["Short", "import_scipy", "short_bytes"]


@dataclass(frozen=True, slots=True)
class Short:
    """Transforms of one length along the first axis.

    Attributes
    ----------
    n : int
        The length.
    inverse : bool
        Whether to transform back, which divides by the length.
    real_in, real_out : bool
        Whether the samples, or the results, are real; the other side is then the half ``n // 2 + 1`` of a spectrum.
    """

    n: int
    inverse: bool = False
    real_in: bool = False
    real_out: bool = False

    def __call__(self, x: Array) -> Array:
        """Transform; complex samples are overwritten where that saves memory."""
        fft = import_scipy()
        if self.real_in:
            found = fft.rfft(x, self.n, axis=0, workers=1)
        elif self.real_out:
            found = fft.irfft(x, self.n, axis=0, workers=1)
        else:
            found = (fft.ifft if self.inverse else fft.fft)(x, self.n, axis=0, overwrite_x=True, workers=1)
        made: Array = np.ascontiguousarray(found)
        return made

    def nbytes(self, columns: int, dtype: DType) -> int:
        """Bytes that a call for so many columns takes at most, of complex `dtype`, beside its argument."""
        made = columns * (self.n // 2 + 1) if self.real_in or self.real_out else 0
        return (made + short_bytes(self.n)) * dtype.itemsize


def short_bytes(n: int) -> int:
    """Values of tables, and of rows that are worked on at once, of transforms of one length in one thread."""
    return 16 * n


def import_scipy() -> Any:
    """Import ``scipy.fft``.

    Raises
    ------
    MissingExtra
        If SciPy is not installed.
    """
    try:
        from scipy import fft
    except ImportError as error:
        raise MissingExtra(
            "Fourier transforms need SciPy, which is not installed: pip install 'headrace[signals]'", extra="signals"
        ) from error
    return fft
