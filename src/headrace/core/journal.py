"""The journal of a run: what is done, beside the output in the making, so that a killed run can be continued.

An engine takes part by a few lines. It asks for what an earlier run kept under a name of its own, and goes on from
there; and whenever what it has done so far is consistent, and written, it offers the state again::

    kept = means.journal.last("output") or {"done": 0}
    for part in the_rest_after(kept["done"]):
        ...                                    # work, and write: the write has returned
        means.journal.keep("output", lambda: {"done": part.stop})

The state is asked for only when a record is due, about twice a second. It is made of arrays, numbers, text, tuples,
lists and dicts (packing.py). What is too big for it goes into a file of `Journal.file`, which a continued
run finds again with all that was written before the last record. Without resume the same calls do nothing, and `file`
gives a file that no folder shows.

The order is what makes it safe: first the bytes are written, then the record that claims them. A record that a kill cut
off claims nothing. Work that was done after the last record is done again, and gives the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from headrace.core.machine import temporary_folder
from headrace.core.tempfiles import UnnamedFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.operator import State
    from headrace.core.tempfiles import ScratchFile

__all__ = ["NO_JOURNAL", "Journal", "NoJournal"]


class Journal(Protocol):
    """What an engine sees of a journal.

    Attributes
    ----------
    active : bool
        Whether anything is kept.
    due : bool
        Whether `keep` would write now: for states that must be got ready beforehand.
    """

    @property
    def active(self) -> bool: ...  # noqa: D102 - documented above, as all attributes are
    @property
    def due(self) -> bool: ...  # noqa: D102

    def last(self, name: str) -> Any:
        """Give what was kept last under a name, by the run that is continued; ``None`` if nothing was."""
        ...

    def keep(self, name: str, state: Callable[[], State], *, now: bool = False) -> None:
        """Write a state down if a record is due, or `now`; all that it claims must have been written before.

        Raises
        ------
        OutputError
            If the folder does not take it.
        """
        ...

    def file(self, name: str, purpose: str, folder: str | None, *, reserve: int = 0) -> ScratchFile:
        """Open a file for what is too big for a state; in `folder`, else beside the journal, else the system's.

        A continued run gets the file of the run before it. It stays until the run has succeeded; closing it is the
        caller's part.

        Raises
        ------
        OutputError
            If it cannot be made, or there is no room for what is to be reserved.
        JournalMismatch
            If the file of the run before is gone, or is another one.
        """
        ...

    def folder(self, chosen: str | None) -> str:
        """Say where `file` puts its files: in `chosen`, else beside the journal, else where the system has them."""
        ...

    def within(self, name: str) -> Journal:
        """Give the same journal with names of its own, for an engine inside an engine."""
        ...


class NoJournal:
    """Keeps nothing; see `Journal`."""

    active = due = False

    def last(self, name: str) -> Any:
        """See `Journal.last`."""
        del name
        return None

    def keep(self, name: str, state: Callable[[], State], *, now: bool = False) -> None:
        """See `Journal.keep`."""

    def file(self, name: str, purpose: str, folder: str | None, *, reserve: int = 0) -> ScratchFile:
        """See `Journal.file`."""
        del name
        return UnnamedFile(folder, purpose, reserve=reserve)

    def folder(self, chosen: str | None) -> str:
        """See `Journal.folder`."""
        return temporary_folder(chosen)

    def within(self, name: str) -> Journal:
        """See `Journal.within`."""
        del name
        return self

    def open(self) -> None:
        """Do nothing; see `RunJournal.open`."""

    def leave(self, error: BaseException) -> None:
        """Do nothing; see `RunJournal.leave`."""

    def done(self) -> None:
        """Do nothing; see `RunJournal.done`."""


NO_JOURNAL = NoJournal()
"""What runs have that do not resume."""
