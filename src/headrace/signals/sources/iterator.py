"""A recording that comes once, in arrays of any length."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.arrays import native, sample_dtype
from headrace.core.operator import Spec
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from headrace.core.arrays import Array

__all__ = ["IterSource"]


class IterSource:
    """Samples of an iterable of arrays.

    Parameters
    ----------
    iterable : iterable of ndarray, each of shape (any,) or (any, channels)
        All of one dtype and number of channels. An iterator serves one run; an iterable that can be iterated again
        (a list, an object with ``__iter__``) serves any number.
    fs : float or None
        Samples per second, hertz.

    Notes
    -----
    The first array is taken when the dtype is first asked for, which building a flow does.
    """

    def __init__(self, iterable: Iterable[Array], fs: float | None = None) -> None:
        self._iterable, self._fs = iterable, fs
        self._first: Array | None = None
        self._rest: Iterator[Array] | None = None
        self._spec: Spec | None = None

    @property
    def spec(self) -> Spec:
        """See `StreamSource`."""
        if self._spec is None:
            self._peek()
        if self._spec is None:
            raise SchemaError("the iterator gave no array, so nothing says what its samples are")
        return self._spec

    def __iter__(self) -> Iterator[Array]:
        spec = self.spec
        if self._rest is None or self._first is None:
            again = iter(self._iterable)
            if again is self._iterable:
                raise SchemaError("this iterator was consumed by an earlier run: make a new one for each run")
            arrays = again
        else:
            arrays = chain((self._first,), self._rest)
            self._first = self._rest = None
        for array in arrays:
            found = np.asarray(array)
            swapped = native(found.dtype) == spec.dtype
            yield found.astype(spec.dtype, copy=False) if swapped else found

    def _peek(self) -> None:
        self._rest = iter(self._iterable)
        try:
            first = next(self._rest)
        except StopIteration:
            return
        self._first = np.asarray(first)
        if self._first.ndim not in (1, 2):
            raise SchemaError(f"arrays of a stream have shape (any,) or (any, channels): got {self._first.shape}")
        if 0 in self._first.shape[1:]:
            raise SchemaError(f"a stream has at least one channel: its first array has shape {self._first.shape}")
        dtype = native(sample_dtype(self._first.dtype))
        self._spec = Spec(None, self._first.shape[1:], dtype, self._fs)

    def __repr__(self) -> str:
        return f"<iterator of {type(self._iterable).__name__}>"
