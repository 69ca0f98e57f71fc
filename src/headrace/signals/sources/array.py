"""A recording that is already in memory."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.arrays import native, sample_dtype
from headrace.core.operator import Spec
from headrace.core.span import Span
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.core.arrays import Array
    from headrace.core.source import RowReader

__all__ = ["ArraySource", "segments_from_starts"]


class ArraySource:
    """Samples of an array, which stays the caller's and must not change during a run.

    Parameters
    ----------
    array : ndarray, shape (n,) or (n, channels)
        Any real or complex dtype and byte order; not copied.
    fs : float or None
        Samples per second, hertz.
    segments : sequence of int, optional
        First sample of each segment; operators never cross from one into the next.
    """

    scratch_bytes = 0
    paths: tuple[str, ...] = ()

    def __init__(self, array: Array, fs: float | None = None, segments: Sequence[int] | None = None) -> None:
        if array.ndim not in (1, 2):
            raise SchemaError(f"a recording has shape (n,) or (n, channels): got {array.shape}")
        if 0 in array.shape[1:]:
            raise SchemaError(f"a recording has at least one channel: got shape {array.shape}")
        dtype = native(sample_dtype(array.dtype))
        self._array = array
        as_read = array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned
        self.resident = array if as_read else None
        self.spec = Spec(len(array), array.shape[1:], dtype, fs)
        self.segments = segments_from_starts(len(array), segments)

    def read(self, span: Span, out: Array) -> None:
        """See `Source.read`."""
        np.copyto(out, self._array[span.start : span.stop], casting="equiv")

    def row_reader(self) -> RowReader | None:
        """See `Source`: for one channel."""
        return self._read_rows if self.spec.n_channels == 1 else None

    def _read_rows(self, start: int, apart: int, rows: Array) -> None:
        if rows.size:
            flat = self._array[:, 0] if self._array.ndim > 1 else self._array
            flat = flat[start : start + (len(rows) - 1) * apart + rows.shape[1]]
            step = flat.strides[0]
            rows[...] = np.lib.stride_tricks.as_strided(flat, rows.shape, (apart * step, step))

    def select(self, channels: list[int]) -> ArraySource:
        """View some of the channels."""
        return ArraySource(self._array[:, channels], self.spec.fs, [s.start for s in self.segments])

    def verify(self) -> None:
        """See `Source.verify`."""

    def close(self) -> None:
        """See `Source.close`."""

    def __repr__(self) -> str:
        return f"<array {self._array.dtype} {self._array.shape}>"


def segments_from_starts(n: int, starts: Sequence[int] | None) -> tuple[Span, ...]:
    """Turn the first samples of segments into spans that cover ``[0, n)``.

    Raises
    ------
    SchemaError
        If they do not begin with 0, do not rise, or lie outside.
    """
    if starts is None or n == 0:
        return (Span(0, n),)
    edges = [*starts, n]
    if edges[0] != 0 or any(a >= b for a, b in itertools.pairwise(edges)):
        raise SchemaError(f"segment starts begin with 0, rise, and stay below {n}: got {list(starts)[:10]}")
    return tuple(Span(a, b) for a, b in itertools.pairwise(edges))
