"""The input of a transform: as many samples as it takes, in rows, cut short or continued by zeros or by symmetry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType
    from headrace.core.source import RowReader

__all__ = ["Signal", "SignalRows"]


class SignalRows(Protocol):
    """What the first pass of a transform takes.

    Attributes
    ----------
    dtype : dtype
        Of the samples.
    """

    @property
    def dtype(self) -> DType: ...  # noqa: D102 - documented above

    def rows(self, read: RowReader, start: int, apart: int, out: Array) -> None:
        """Fill each ``out[i]``, C-contiguous and of dtype `dtype`, with the samples from ``start + i * apart``."""
        ...


@dataclass(frozen=True, slots=True)
class Signal:
    """Samples ``[0, n)`` as a transform sees them.

    Attributes
    ----------
    n : int
        Samples that it takes.
    there : int
        Samples that the input has of them, or of the half that determines them; those beyond are zero.
    dtype : dtype
        Of the input.
    hermitian : bool
        Whether the input is the half ``[0, n // 2]`` of a spectrum, whose rest is its conjugate mirror image.
    """

    n: int
    there: int
    dtype: DType
    hermitian: bool = False

    def rows(self, read: RowReader, start: int, apart: int, out: Array) -> None:
        """Fill each ``out[i]`` with the samples from ``start + i * apart``, zeros where there are none.

        `out` is C-contiguous, of dtype `dtype`; rows do not overlap.
        """
        width = out.shape[1]
        half = self.n // 2 + 1 if self.hermitian else self.n
        done = 0
        while done < len(out):
            first = start + done * apart
            if first + width <= min(half, self.there):  # rows of the input itself
                count = min(len(out) - done, (min(half, self.there) - width - first) // apart + 1)
                read(first, apart, out[done : done + count])
            elif half <= first and first + width <= self.n:
                count = min(len(out) - done, (self.n - width - first) // apart + 1, _ROWS)
                self._mirrored(read, first, apart, out[done : done + count])
            elif first >= (self.n if self.hermitian else min(self.n, self.there)):
                out[done:] = 0  # nor is there anything in the rows after it
                return
            else:
                count = 1
                self._mixed(read, first, out[done])
            done += count

    def _mirrored(self, read: RowReader, start: int, apart: int, out: Array) -> None:
        """Rows of the half that is not there."""
        last = start + (len(out) - 1) * apart
        there = np.empty_like(out)
        Signal(self.n, self.there, self.dtype).rows(read, self.n - last - out.shape[1] + 1, apart, there)
        turned = there[::-1, ::-1]
        out[...] = np.conjugate(turned) if self.dtype.kind == "c" else turned

    def _mixed(self, read: RowReader, first: int, out: Array) -> None:
        """One row, of samples that are there, their mirror images, and zeros."""
        half = self.n // 2 + 1 if self.hermitian else self.n
        there = min(max(0, min(half, self.there) - first), len(out))
        if there:
            read(first, there, out[None, :there])
        out[there:] = 0
        begin, end = max(first, half), min(first + len(out), self.n)
        if self.hermitian and begin < end:
            self._mirrored(read, begin, 1, out[None, begin - first : end - first])


_ROWS = 64  # that are mirrored at a time
