"""Features as functions of windows: float64, shape (k, length), one number for each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headrace.core.arrays import Array

__all__ = ["NAMED", "Feature", "Named", "UserFeature", "as_feature"]


class Feature(Protocol):
    """A feature, as `Features` takes it."""

    @property
    def name(self) -> str:
        """Name of its column."""
        ...

    def measure(self, length: int, fs: float | None) -> Callable[[Array], Array]:
        """Make the function of windows of `length` samples, at `fs` samples per second.

        Raises
        ------
        SchemaError
            If it cannot be told from such windows.
        """
        ...


def _rms(x: Array) -> Array:
    found: Array = np.sqrt(np.mean(x * x, axis=-1))
    return found


def _peak(x: Array) -> Array:
    found: Array = np.max(np.abs(x), axis=-1)
    return found


def _zero_crossings(x: Array) -> Array:
    below = x < 0
    found: Array = np.count_nonzero(below[:, 1:] != below[:, :-1], axis=-1)
    return found


def _line_length(x: Array) -> Array:
    found: Array = np.sum(np.abs(np.diff(x, axis=-1)), axis=-1)
    return found


NAMED: Mapping[str, Callable[[Array], Array]] = {
    "rms": _rms,
    "mean": lambda x: np.mean(x, axis=-1),
    "std": lambda x: np.std(x, axis=-1),
    "peak": _peak,
    "ptp": lambda x: np.ptp(x, axis=-1),
    "zero_crossings": _zero_crossings,
    "line_length": _line_length,
}
"""Features known by name."""


@dataclass(frozen=True)
class Named:
    """A feature known by name."""

    name: str

    def measure(self, length: int, fs: float | None) -> Callable[[Array], Array]:  # noqa: ARG002 - the protocol's
        """See `Feature.measure`."""
        return NAMED[self.name]

    def __repr__(self) -> str:
        return repr(self.name)


@dataclass(frozen=True)
class UserFeature:
    """A user's function under a name."""

    name: str
    fn: Callable[[Array], Any]

    def measure(self, length: int, fs: float | None) -> Callable[[Array], Array]:  # noqa: ARG002 - the protocol's
        """See `Feature.measure`."""
        return self._call

    def _call(self, x: Array) -> Array:
        found = np.asarray(self.fn(x))
        if found.shape != x.shape[:1]:
            raise SchemaError(
                f"feature {self.name!r} returned shape {found.shape} for windows of shape {x.shape}; expected "
                f"{x.shape[:1]}, one number for each window: reduce the last axis"
            )
        if found.dtype.kind not in "biuf":
            raise SchemaError(f"feature {self.name!r} returned {found.dtype}; a column of a table holds real numbers")
        return found

    def __repr__(self) -> str:
        called = getattr(self.fn, "__qualname__", None) or repr(self.fn)
        return f"({self.name!r}, {called})"


def as_feature(what: Any) -> Feature:
    """Make a feature of what a user gave: a name, ``(name, fn)``, or a feature.

    Raises
    ------
    SchemaError
        If it is none of these.
    """
    if isinstance(what, str):
        if what not in NAMED:
            raise SchemaError(
                f"no feature is called {what!r}; there are {', '.join(NAMED)}; BandPower(lo, hi), and (name, function)"
            )
        return Named(what)
    if isinstance(what, tuple) and len(what) == 2 and isinstance(what[0], str) and callable(what[1]):
        return UserFeature(*what)
    if isinstance(what, type) or not (hasattr(what, "name") and hasattr(what, "measure")):
        raise SchemaError(f"a feature is a name, (name, function) or BandPower(lo, hi): got {what!r}")
    feature: Feature = what
    return feature
