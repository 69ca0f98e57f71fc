"""Roots of unity that are evaluated when they are first needed, and whose size is known before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from headrace import _native

__all__ = ["LazyRoots"]


@dataclass(frozen=True)
class LazyRoots:
    """Roots of unity of one order.

    Attributes
    ----------
    order : int
        Of them.
    """

    order: int

    @cached_property
    def table(self) -> _native.Roots:
        """The roots."""
        return _native.Roots(self.order)

    @property
    def nbytes(self) -> int:
        """Bytes of the table, which it has two parts of; see ``native/src/roots.cpp``."""
        shift = (self.order.bit_length() + 1) // 2
        return 16 * ((1 << shift) + (self.order >> shift) + 1)
