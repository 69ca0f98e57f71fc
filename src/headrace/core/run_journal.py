"""The journal of a run that resumes: found again and checked, or begun; its records; the files that belong to it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.core.job import differences, job_of
from headrace.core.journal_file import (
    FILE,
    begin_records,
    damaged,
    journal_path,
    kept_name,
    read_record,
    records_of,
    remove_leftovers,
)
from headrace.core.packing import pack
from headrace.core.tempfiles import NamedFile
from headrace.errors import JournalMismatch, SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headrace.core.journal import Journal
    from headrace.core.operator import State
    from headrace.core.publish import PartFile
    from headrace.core.recordfile import RecordFile
    from headrace.core.source import Source, StreamSource
    from headrace.core.tempfiles import ScratchFile

__all__ = ["RunJournal", "journal_of"]

_PURPOSE = "the journal"
_EVERY_S = 0.5
_COST = 20  # times what the last record took must pass before the next
_COMPACT_BYTES = 4 << 20  # rewritten beyond that, and beyond so many times what still counts:
_COMPACT_FACTOR = 4


class RunJournal:
    """The journal of one run; see `Journal` for what engines do with it.

    Parameters
    ----------
    part : PartFile
        The output in the making, one that resumes. Its lock is the journal's too.
    job : mapping
        What the run does, from `headrace.core.job.job_of`.

    Notes
    -----
    Life: `open` once the part file is, then the engines' part, then `done`, or `leave` after an error. One thread.
    """

    active = True

    def __init__(self, part: PartFile, job: Mapping[str, Any]) -> None:
        self._part, self._job = part, job
        self._path = journal_path(part.resumable)
        self._file: NamedFile | None = None
        self._records: RecordFile | None = None
        self._places: dict[str, tuple[int, int]] = {}  # of each name's last record in the file
        self._written = time.monotonic()
        self._cost_s = 0.0

    # --- the run's part

    def open(self) -> None:
        """Find out whether there is a run to continue, or begin a journal.

        Raises
        ------
        JournalMismatch
            If there is one, of another job: other input, other operators or options, another version.
        FormatError
            If its journal is damaged.
        OutputError
            If it cannot be read, or a new one not be written.
        """
        if self._part.reopened and self._continue():
            return
        remove_leftovers(self._part.resumable)
        self._file = NamedFile.create(self._path, _PURPOSE)
        self._records = begin_records(self._file, self._header())

    def leave(self, error: BaseException) -> None:
        """Keep all for the next run, and note that on the error; where nothing was kept yet, leave nothing."""
        if any(not name.startswith(FILE) for name in self._places):
            error.add_note("what was done so far is kept: run the same again with resume=True (--resume) to go on")
            self._close()
        elif self._file is not None:
            self.done()
            self._part.discard()
        elif not self._part.reopened:  # else refused: what is there belongs to the run before
            self._part.discard()

    def done(self) -> None:
        """Leave nothing behind: the output is complete."""
        self._close()
        remove_leftovers(self._part.resumable)

    # --- the engines' part

    @property
    def due(self) -> bool:
        """See `Journal`."""
        return time.monotonic() - self._written >= max(_EVERY_S, _COST * self._cost_s)

    def last(self, name: str) -> Any:
        """See `Journal.last`."""
        place = self._places.get(name)
        return None if place is None or self._records is None else read_record(self._records, place)[1]

    def keep(self, name: str, state: Callable[[], State], *, now: bool = False) -> None:
        """See `Journal.keep`."""
        if not (now or self.due) or self._records is None:
            return
        begun = time.monotonic()
        self._places[name] = self._records.append(pack((name, state())))
        if self._records.end > _COMPACT_BYTES:
            alive = sum(size for _, size in self._places.values())
            if self._records.end > _COMPACT_FACTOR * alive:
                self._compact(self._records)
        if not now:
            self._written = time.monotonic()
            self._cost_s = self._written - begun

    def file(self, name: str, purpose: str, folder: str | None, *, reserve: int = 0) -> ScratchFile:
        """See `Journal.file`."""
        known = self.last(FILE + name)
        if known is not None and known[2]:
            return self._known_file(known, purpose)
        path = Path(self.folder(folder)).absolute() / kept_name(self._part.resumable, name)
        for left in {path, Path(known[0]) if known else path}:
            left.unlink(missing_ok=True)
        self.keep(FILE + name, lambda: (str(path), 0, 0, 0), now=True)  # before there is what a kill would leave
        file = NamedFile.create(path, purpose)
        try:
            file.reserve(reserve)
            found = file.identity
            self.keep(FILE + name, lambda: (str(path), found.device, found.inode, found.size), now=True)
        except BaseException:
            file.remove()
            raise
        return file

    def folder(self, chosen: str | None) -> str:
        """See `Journal.folder`."""
        return str(self._path.parent) if chosen is None else chosen

    def within(self, name: str) -> Journal:
        """See `Journal.within`."""
        return _Within(self, f"{name}/")

    # --- inside

    def _continue(self) -> bool:
        """Read the journal of the run before, if there is one that claims anything."""
        file = NamedFile.reopen(self._path, _PURPOSE)
        if file is None:
            return False
        try:
            records = records_of(file)
            header = next(records.scan(file.identity.size), None) if records is not None else None
            if records is None or header is None:
                file.close()
                return False  # cut off before anything was done
            self._check(records.read(*header))
            for place in records.scan(file.identity.size):
                self._places[read_record(records, place)[0]] = place
            file.truncate(records.end)  # what a kill cut off
        except BaseException:
            file.close()
            raise
        self._file, self._records = file, records
        return True

    def _check(self, data: bytearray) -> None:
        """Refuse a journal of another job, or of another part file."""
        try:
            header = json.loads(bytes(data))
            found = differences(header["job"], self._job)
            then = [header["part"][name] for name in ("device", "inode", "size")]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise damaged(self._path, "it does not say whose journal it is") from error
        if found:
            raise JournalMismatch(
                f"{self._part.path}: a killed run left a journal, {self._path}, of another job: {'; '.join(found)}. "
                "Run again as then to continue it; delete the journal, or run without resume, to start afresh",
                path=str(self._path),
                differences=tuple(found),
            )
        now, name = self._part.found, self._part.resumable.name
        if then[:2] != [now.device, now.inode]:
            raise self._lost(f"the part file {name} is not the one that it was kept for")
        if now.size < then[2]:
            raise self._lost(f"the part file {name} was cut from {then[2]} to {now.size} bytes")

    def _lost(self, what: str) -> JournalMismatch:
        return JournalMismatch(
            f"{self._part.path}: the journal {self._path} cannot be continued: {what}; delete the journal, or run "
            "without resume, to start afresh",
            path=str(self._path),
            differences=(what,),
        )

    def _known_file(self, known: State, purpose: str) -> ScratchFile:
        path, device, inode, size = known
        file = NamedFile.reopen(Path(path), purpose)
        if file is None:
            raise self._lost(f"{purpose}, {path}, is gone")
        now = file.identity
        if (now.device, now.inode) != (device, inode) or now.size < size:
            file.close()
            raise self._lost(f"{purpose}, {path}, was replaced or cut")
        return file

    def _header(self) -> bytes:
        part = self._part.identity
        facts = {"device": part.device, "inode": part.inode, "size": part.size}
        return json.dumps({"job": self._job, "part": facts}).encode()

    def _compact(self, records: RecordFile) -> None:
        """Write what still counts into a new file, and put that in place of this one."""
        file = NamedFile.create(self._path.with_name(f"{self._path.name}.new"), _PURPOSE)
        try:
            fresh = begin_records(file, self._header())
            places = {name: fresh.take(records, place) for name, place in self._places.items()}
            file.rename(self._path)
        except BaseException:
            file.remove()
            raise
        old, self._file, self._records, self._places = self._file, file, fresh, places
        if old is not None:
            old.close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()


class _Within:
    """A journal with a prefix to its names."""

    active = True

    def __init__(self, journal: RunJournal, prefix: str) -> None:
        self._journal, self._prefix = journal, prefix

    @property
    def due(self) -> bool:
        return self._journal.due

    def last(self, name: str) -> Any:
        return self._journal.last(self._prefix + name)

    def keep(self, name: str, state: Callable[[], State], *, now: bool = False) -> None:
        self._journal.keep(self._prefix + name, state, now=now)

    def file(self, name: str, purpose: str, folder: str | None, *, reserve: int = 0) -> ScratchFile:
        return self._journal.file(self._prefix + name, purpose, folder, reserve=reserve)

    def folder(self, chosen: str | None) -> str:
        return self._journal.folder(chosen)

    def within(self, name: str) -> Journal:
        return _Within(self._journal, f"{self._prefix}{name}/")


def journal_of(
    sink: Any, source: Source | StreamSource, stages: Sequence[Any], output: Mapping[str, Any]
) -> RunJournal:
    """Make the journal of a run into a file; nothing is opened yet.

    Parameters
    ----------
    sink : Sink or TableSink
        The file's.
    source, stages, output
        See `headrace.core.job.job_of`.

    Raises
    ------
    SchemaError
        If the source comes once, or the sink has no part file to be reopened, as one of a plug-in may be.
    """
    part = getattr(sink, "part", None)
    if part is None:
        raise SchemaError(f"{type(sink).__name__} writes a format that cannot be resumed: run without resume")
    return RunJournal(part, job_of(source, stages, {"format": type(sink).__name__, **output}))
