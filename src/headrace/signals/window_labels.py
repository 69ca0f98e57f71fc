"""Labels of windows: given as an array, as a column of events, or computed by a function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headrace.errors import SchemaError
from headrace.signals.window_places import column

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headrace.core.arrays import Array, DType

__all__ = ["WindowLabels", "labels_of"]


class WindowLabels(Protocol):
    """Labels of windows.

    Attributes
    ----------
    dtype : dtype
        Of the labels.
    shape : tuple of int
        Of one label.
    """

    dtype: DType
    shape: tuple[int, ...]

    def take(self, indices: Array, recording: Array, start: Array) -> Array:
        """Give the labels of windows: their numbers, recordings and first samples, (k,) each."""
        ...


class _Given:
    """One for each window."""

    def __init__(self, values: Array) -> None:
        self._values, self.dtype, self.shape = values, values.dtype, values.shape[1:]

    def take(self, indices: Array, recording: Array, start: Array) -> Array:  # noqa: ARG002 - the protocol's
        return self._values[indices]


class _Computed:
    """Those of a function, like the first of them."""

    def __init__(self, fn: Callable[[int, int], Any], first: tuple[int, int] | None) -> None:
        self._fn = fn
        example = np.zeros((), np.float64) if first is None else np.asarray(fn(*first))
        self.dtype, self.shape = example.dtype, example.shape
        if self.dtype.kind not in "biufc":
            raise SchemaError(f"labels= returned {self.dtype} for {first}: numbers, or arrays of numbers, are expected")

    def take(self, indices: Array, recording: Array, start: Array) -> Array:  # noqa: ARG002 - the protocol's
        labels = np.empty((len(start), *self.shape), self.dtype)
        for row, place in enumerate(zip(recording.tolist(), start.tolist(), strict=True)):
            label = np.asarray(self._fn(*place))
            if label.shape != self.shape or not np.can_cast(label.dtype, self.dtype, "same_kind"):
                raise SchemaError(
                    f"labels= returned {label.dtype} of shape {label.shape} for {place}; the first label was "
                    f"{self.dtype} of shape {self.shape}: let it return one dtype, such as float(...)"
                )
            labels[row] = label
        return labels


def labels_of(
    labels: Any, tables: Sequence[Any], chosen: Array | None, count: int, first: tuple[int, int] | None
) -> WindowLabels | None:
    """Make labels of what a user gave.

    Parameters
    ----------
    labels : array-like, str, callable or None
        See `headrace.signals.windows`.
    tables : sequence of table
        The events, if there are any.
    chosen : ndarray, shape (k,), or None
        Which of them have windows; ``None`` without events.
    count : int
        Events, or windows without events: as many labels are expected.
    first : (int, int) or None
        Recording and first sample of the first window.

    Raises
    ------
    SchemaError
        If they do not fit.
    """
    if labels is None:
        return None
    if callable(labels):
        return _Computed(labels, first)
    if isinstance(labels, str):
        if chosen is None:
            raise SchemaError(f"labels={labels!r} names a column of events: give events=")
        values = np.concatenate([column(table, labels, whole=False) for table in tables])
    else:
        values = np.array(labels)
    if values.dtype.kind == "O" or values.ndim == 0 or len(values) != count:
        what = "window" if chosen is None else "event given"
        raise SchemaError(
            f"labels= takes one for each {what}, {count:,} in all: got {values.dtype} of shape {values.shape}"
        )
    return _Given(values if chosen is None else values[chosen])
