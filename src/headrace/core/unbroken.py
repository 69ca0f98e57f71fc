"""What is done without a gap, where pieces are done in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Unbroken"]

_Value = TypeVar("_Value")


class Unbroken(Generic[_Value]):
    """A row of pieces, done from one end on.

    Parameters
    ----------
    at : int
        Where the first piece begins.

    Attributes
    ----------
    at : int
        Where the first piece begins that is not done.

    Examples
    --------
    >>> row = Unbroken(0)
    >>> list(row.add(5, 9, "second")), list(row.add(0, 5, "first")), row.at
    ([], ['first', 'second'], 9)
    """

    def __init__(self, at: int) -> None:
        self.at = at
        self._ahead: dict[int, tuple[int, _Value]] = {}

    def add(self, start: int, then: int, value: _Value) -> Iterator[_Value]:
        """Take a piece that is done, and where the next one begins; give the values that joined the row, in order."""
        self._ahead[start] = then, value
        while self.at in self._ahead:
            self.at, joined = self._ahead.pop(self.at)
            yield joined
