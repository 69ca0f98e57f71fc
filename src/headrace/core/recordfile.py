"""A file of checked records, appended one after the other: what a kill cuts off is noticed, and so is damage."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import xxhash

from headrace.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headrace.core.tempfiles import ScratchFile

__all__ = ["RecordFile"]

_HEAD = struct.Struct("<QQQ")  # bytes of the payload, a check of that number, a check of the payload
_PIECE = 1 << 18  # bytes read, or put together, at once


class RecordFile:
    """Records in a file.

    Parameters
    ----------
    file : ScratchFile
        What holds them; stays the caller's.
    start : int
        Byte at which they begin.
    name : str
        Of the file, for messages.

    Attributes
    ----------
    end : int
        Byte at which the next record goes.

    Notes
    -----
    A record is its length, a check of the length, a check of its bytes (xxh3, 64 bits), and its bytes. A process that
    is killed while it appends leaves the beginning of a record; whatever else does not check is damage.
    """

    def __init__(self, file: ScratchFile, start: int, name: str) -> None:
        self._file, self._name = file, name
        self.end = start

    def append(self, parts: Sequence[bytes | bytearray | memoryview]) -> tuple[int, int]:
        """Write a record; give where its bytes begin, and how many they are.

        Raises
        ------
        OutputError
            If the folder does not take it; `end` is then where it was.
        """
        check, size = xxhash.xxh3_64(), 0
        for part in parts:
            check.update(part)
            size += len(part)
        head = _HEAD.pack(size, _length_check(size), check.intdigest())
        at = self.end
        pieces: list[bytes | bytearray | memoryview] = [b"".join([head, *parts])] if size <= _PIECE else [head, *parts]
        for piece in pieces:
            self._file.write(memoryview(piece), at)
            at += len(piece)
        self.end = at
        return at - size, size

    def take(self, other: RecordFile, place: tuple[int, int]) -> tuple[int, int]:
        """Append a record of another file; see `append`."""
        first, size = place
        begin, count = first - _HEAD.size, size + _HEAD.size
        buffer = memoryview(bytearray(min(count, _PIECE)))
        for done in range(0, count, _PIECE):
            part = buffer[: min(_PIECE, count - done)]
            other._file.read(part, begin + done)
            self._file.write(part, self.end + done)
        self.end += count
        return self.end - size, size

    def scan(self, stop: int) -> Iterator[tuple[int, int]]:
        """Give where the bytes of each record begin, and how many they are; `end` is then behind the last.

        Parameters
        ----------
        stop : int
            Size of the file, or where else the records end.

        Raises
        ------
        FormatError
            If a record is damaged. One that is cut off at `stop` is none.
        """
        while self.end + _HEAD.size <= stop:
            head = bytearray(_HEAD.size)
            self._file.read(memoryview(head), self.end)
            size, length_check, check = _HEAD.unpack(head)
            if _length_check(size) != length_check:
                raise self._damaged()
            first = self.end + _HEAD.size
            if first + size > stop:
                return
            if self._check(first, size) != check:
                raise self._damaged()
            self.end = first + size
            yield first, size

    def read(self, first: int, size: int) -> bytearray:
        """Give the bytes of a record that `append` or `scan` told of."""
        data = bytearray(size)
        self._file.read(memoryview(data), first)
        return data

    def _check(self, first: int, size: int) -> int:
        check, buffer = xxhash.xxh3_64(), memoryview(bytearray(min(size, _PIECE)))
        for at in range(0, size, _PIECE):
            part = buffer[: min(_PIECE, size - at)]
            self._file.read(part, first + at)
            check.update(part)
        return check.intdigest()

    def _damaged(self) -> FormatError:
        return FormatError(
            f"{self._name} is damaged: the record at byte {self.end} does not check; delete it, or run without "
            "resume, to start afresh"
        )


def _length_check(size: int) -> int:
    return xxhash.xxh3_64_intdigest(struct.pack("<Q", size))
