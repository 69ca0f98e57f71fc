"""The unit of transport: a span of samples and the array that holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.core.span import Span

__all__ = ["Chunk"]


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Samples ``[start, stop)`` of a stream.

    Attributes
    ----------
    span : Span
        Which samples, counted from the start of the stream.
    array : ndarray, shape (span.size, ...)
        Their values. Valid for as long as it, or any view of it, is held; its buffer is recycled after that.
    """

    span: Span
    array: Array

    @property
    def start(self) -> int:
        """Index of the first sample."""
        return self.span.start

    @property
    def stop(self) -> int:
        """Index one past the last sample."""
        return self.span.stop

    def __len__(self) -> int:
        return self.span.size

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Hand the samples to NumPy, without a copy unless one is asked for or the dtype differs."""
        return np.array(self.array, dtype=dtype, copy=copy)

    def narrow(self, span: Span) -> Chunk:
        """View the samples of `span`, which must lie inside this chunk."""
        return self if span == self.span else Chunk(span, self.array[span.within(self.span)])

    def locked(self) -> Chunk:
        """View the samples so that they cannot be written."""
        array = self.array.view()
        array.flags.writeable = False
        return Chunk(self.span, array)

    def __repr__(self) -> str:
        return f"Chunk({self.span}, {self.array.dtype} {self.array.shape})"
