"""The journal as a file: what it begins with, its records, and what lies beside it under which name.

docs/formats/journal.md specifies the bytes.
"""

from __future__ import annotations

import glob
import os
import re
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import xxhash

from headrace.core.packing import unpack
from headrace.core.recordfile import RecordFile
from headrace.core.tempfiles import NamedFile
from headrace.errors import FormatError, HeadraceError

__all__ = [
    "FILE",
    "begin_records",
    "damaged",
    "journal_path",
    "kept_name",
    "read_record",
    "records_of",
    "remove_leftovers",
]

FILE = "file:"
"""What the names of records begin with that tell of a file beside the journal: path, device, inode, size."""

_VERSION = 1
_MAGIC = b"headrace-journal"
_START = struct.Struct("<16sII")  # magic, version, zero
_OTHER = re.compile(r"[^A-Za-z0-9]+")


def remove_leftovers(resumable: Path) -> None:
    """Remove the journal that belongs to a part file, and what it tells of; the part file is locked, or gone."""
    for path in _leftovers(resumable):
        with suppress(OSError):  # not ours to remove: what comes after will tell, if it matters
            path.unlink(missing_ok=True)


def _leftovers(resumable: Path) -> list[Path]:
    """List a journal, and the files that it tells of, as far as it can be read."""
    path = journal_path(resumable)
    found = [path.with_name(f"{path.name}.new")]
    found += path.parent.glob(glob.escape(kept_name(resumable, "")) + "*")
    with suppress(HeadraceError, OSError):
        file = NamedFile.reopen(path, "the journal")
        records = None if file is None else records_of(file)
        if file is not None and records is not None:
            size = file.identity.size
            next(records.scan(size), None)
            for place in records.scan(size):
                name, state = read_record(records, place)
                told = Path(state[0]) if name.startswith(FILE) else None
                if told is not None and told.name == kept_name(resumable, name[len(FILE) :]):  # of no other name
                    found.append(told)
    return [*found, path]


def read_record(records: RecordFile, place: tuple[int, int]) -> tuple[str, Any]:
    """Read a record: the name it was kept under, and the state."""
    record = unpack(records.read(*place))
    if isinstance(record, tuple) and len(record) == 2 and isinstance(record[0], str):
        name, state = record
        if not name.startswith(FILE) or [type(fact) for fact in state] == [str, int, int, int]:
            return name, state
    raise FormatError("a journal holds a record that none of ours is")


def journal_path(resumable: Path) -> Path:
    """Name the journal that belongs to a part file."""
    return resumable.with_suffix(".journal")


def kept_name(resumable: Path, name: str) -> str:
    """Name a file beside the journal, or in a folder where files of other outputs lie."""
    whole = xxhash.xxh3_64_hexdigest(os.fsencode(resumable))
    return f"{resumable.stem}.{whole}.kept{'' if not name else '-' + _OTHER.sub('-', name)}"


def begin_records(file: NamedFile, header: bytes) -> RecordFile:
    """Write what a journal begins with."""
    file.write(memoryview(_START.pack(_MAGIC, _VERSION, 0)), 0)
    records = RecordFile(file, _START.size, str(file.path))
    records.append([header])
    return records


def records_of(file: NamedFile) -> RecordFile | None:
    """Give the records of a journal; ``None`` if it was cut off before the first.

    Raises
    ------
    FormatError
        If it is no journal, or one of a newer version.
    """
    if file.identity.size < _START.size:
        return None
    start = bytearray(_START.size)
    file.read(memoryview(start), 0)
    magic, version, zero = _START.unpack(start)
    if magic != _MAGIC or version < 1 or zero:
        raise damaged(file.path, "it does not begin as a journal does")
    if version > _VERSION:
        raise FormatError(
            f"{file.path} is a journal of version {version}, written by a newer headrace; this one reads version "
            f"{_VERSION}: continue with that, or delete it, or run without resume, to start afresh"
        )
    return RecordFile(file, _START.size, str(file.path))


def damaged(path: Path, what: str) -> FormatError:
    """Make the error of a journal that cannot be believed."""
    return FormatError(f"{path} is damaged: {what}; delete it, or run without resume, to start afresh")
