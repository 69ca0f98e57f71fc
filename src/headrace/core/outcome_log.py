"""The outcomes of finished blocks, written down so that a continued run takes them through the fold again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.core.blockwise import Outcome, pack_result, unpack_result
from headrace.core.packing import pack, unpack
from headrace.core.recordfile import RecordFile
from headrace.core.span import Span
from headrace.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headrace.core.blockwise import BlockFunction
    from headrace.core.journal import Journal
    from headrace.core.operator import State

__all__ = ["OutcomeLog"]

_NAME = "outcomes"


class OutcomeLog:
    """A file of outcomes, beside the journal that says how much of it counts.

    A fold may hold any amount of state, in memory and in files. What it was given is simpler to keep, and about as
    large as the table: that is written anew, from what is kept here and from the blocks that are left.

    Parameters
    ----------
    function : BlockFunction
        Gives the results.
    journal : Journal
        Of the run; active.
    tmp : str or None
        Folder for temporary files, this one too if it is given.

    Attributes
    ----------
    done : int
        Samples of the flow whose blocks are all there.
    engine : State
        What the engine wants to go on from there.
    """

    def __init__(self, function: BlockFunction[Any], journal: Journal, tmp: str | None) -> None:
        self._function, self._journal, self._tmp = function, journal, tmp
        self._file = journal.file(_NAME, "the outcomes so far", tmp)
        self._records = RecordFile(self._file, 0, "the file of outcomes so far")
        end, done, engine = journal.last(_NAME) or (0, 0, None)
        self._end: int = end
        self.done: int = done
        self.engine: State = engine

    def replay(self) -> Iterator[Outcome[Any]]:
        """Give the outcomes of the run before, in order; to be taken to its end before `add`.

        Raises
        ------
        FormatError
            If the file is damaged.
        """
        places = self._records.scan(self._end)
        for place in places:
            parts = _Parts(self._records, place, places)
            result = unpack_result(self._function, parts, self._tmp)
            offset, start, stop, last, first, behind = parts.end()
            yield Outcome(offset, Span(start, stop), last, range(first, behind), result)
        if self._records.end != self._end:
            raise _damaged("ends early")

    def add(self, outcome: Outcome[Any]) -> None:
        """Write an outcome.

        Raises
        ------
        SchemaError
            If its result is neither arrays, numbers and text nor packed by the function.
        OutputError
            If the folder does not take it.
        """
        for part in pack_result(self._function, outcome.result):
            self._records.append(pack((_PART, part)))
        span, channels = outcome.span, outcome.channels
        end = (outcome.offset, span.start, span.stop, outcome.last, channels.start, channels.stop)
        self._records.append(pack((_END, end)))

    def keep(self, done: int, engine: Callable[[], State]) -> None:
        """Claim what was added, up to a sample of the flow; `engine` gives what the engine needs to go on."""
        self._journal.keep(_NAME, lambda: (self._records.end, done, engine()))

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        self._file.close()


_PART, _END = "part", "end"


class _Parts:
    """The parts of one result, which the record of its block ends."""

    def __init__(self, records: RecordFile, first: tuple[int, int], places: Iterator[tuple[int, int]]) -> None:
        self._records, self._places = records, places
        self._record = self._read(first)

    def __iter__(self) -> _Parts:
        return self

    def __next__(self) -> State:
        kind, value = self._record
        if kind == _END:
            raise StopIteration
        place = next(self._places, None)
        if place is None:
            raise _damaged("ends inside a block")
        self._record = self._read(place)
        return value

    def end(self) -> tuple[int, int, int, bool, int, int]:
        """Give what the record at the end tells of the block."""
        for _ in self:
            pass
        facts: tuple[int, int, int, bool, int, int] = self._record[1]
        return facts

    def _read(self, place: tuple[int, int]) -> tuple[str, Any]:
        record: tuple[str, Any] = unpack(self._records.read(*place))
        return record


def _damaged(what: str) -> FormatError:
    return FormatError(
        f"the file of outcomes that the journal tells of {what}: delete the journal, or run without resume, to start "
        "afresh"
    )
