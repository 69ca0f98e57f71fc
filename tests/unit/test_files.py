from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from headrace.core.files import FileReader, regular_file
from headrace.core.span import Span
from headrace.errors import FormatError, SourceChanged, SourceIOError
from headrace.testing.faults import regrow, rewrite, truncate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.bin"
    path.write_bytes(bytes(range(256)) * 64)
    return path


def test_a_read_fills_the_buffer_from_the_place_asked_for(path: Path) -> None:
    buffer = bytearray(10)
    with FileReader(path) as reader:
        assert reader.size == 256 * 64
        reader.read_into(memoryview(buffer), 250)
        reader.read_into(memoryview(bytearray()), 250)
        reader.verify()
    assert buffer == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3])


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda p: truncate(p, 100), "was truncated from 16384 to 100 bytes"),
        (lambda p: truncate(p, 20_000), "grew from 16384 to 20000 bytes"),
        (lambda p: regrow(p, 100), "rewritten"),
        (lambda p: rewrite(p, 0, b"x"), "rewritten"),
    ],
    ids=["truncated", "grown", "regrown", "rewritten"],
)
def test_a_file_that_changed_is_said_with_path_offset_and_span(path: Path, damage: object, what: str) -> None:
    with FileReader(path) as reader:
        damage(path)  # type: ignore[operator]
        with pytest.raises(SourceChanged, match=what) as caught:
            reader.read_into(memoryview(bytearray(64)), 64, Span(8, 16))
        error = caught.value
        assert (error.path, error.span) == (str(path), (8, 16))
        assert error.offset is not None
        assert 64 <= error.offset <= 128
        assert "[8, 16)" in str(error)
        with pytest.raises(SourceChanged):
            reader.verify()


def test_a_read_past_the_end_is_never_a_short_read(path: Path) -> None:
    with FileReader(path) as reader, pytest.raises(SourceChanged, match="ended at byte 16384"):
        reader.read_into(memoryview(bytearray(64)), 16384 - 10)


def test_an_error_of_the_storage_carries_errno_path_offset_and_span(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int, buffers: object, offset: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with FileReader(path) as reader:
        monkeypatch.setattr(os, "preadv", fail)
        with pytest.raises(SourceIOError, match="check the storage") as caught:
            reader.read_into(memoryview(bytearray(64)), 128, Span(1, 2))
    error = caught.value
    assert (error.path, error.offset, error.span, error.errno) == (str(path), 128, (1, 2), errno.EIO)
    assert isinstance(error.__cause__, OSError)
    assert isinstance(error, OSError)


def test_reads_that_come_in_pieces_are_put_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.preadv

    def little(fd: int, buffers: list[memoryview], offset: int) -> int:
        return real(fd, [buffers[0][:7]], offset)

    monkeypatch.setattr(os, "preadv", little)
    buffer = bytearray(50)
    with FileReader(path) as reader:
        reader.read_into(memoryview(buffer), 5)
    assert buffer == bytes(range(5, 55))


def test_a_closed_reader_says_so_and_may_be_closed_again(path: Path) -> None:
    reader = FileReader(path)
    reader.close()
    reader.close()
    for use in (lambda: reader.read_into(memoryview(bytearray(1)), 0), reader.verify, reader.fileno):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_what_is_no_regular_file_is_said_to_be_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        regular_file(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError):
        regular_file(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FormatError, match="from_iter"):
        regular_file(tmp_path / "pipe")
