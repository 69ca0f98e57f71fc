from __future__ import annotations

import errno
import os
import pickle
from contextlib import suppress
from pathlib import Path

import pytest

from headrace.core.files import FileReader, regular_file
from headrace.core.span import Span
from headrace.errors import FormatError, SourceChanged, SourceIOError
from headrace.testing.faults import regrow, rewrite, truncate


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


def descriptors_of(path: Path) -> int:
    """Count this process's descriptors of a file."""
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that listed them is gone
            found += link.readlink() == path
    return found


def test_a_reader_that_rests_holds_no_descriptor_and_wakes_by_itself(path: Path) -> None:
    buffer = bytearray(4)
    with FileReader(path) as reader:
        for wake in (lambda: reader.read_into(memoryview(buffer), 8), reader.verify, reader.fileno):
            assert descriptors_of(path) == 1
            reader.rest()
            reader.rest()
            assert descriptors_of(path) == 0
            wake()  # type: ignore[operator]
        reader.rest()
    assert buffer == bytes([8, 9, 10, 11])
    assert descriptors_of(path) == 0


def test_a_reader_does_not_rest_in_the_middle_of_a_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.preadv

    def tired(fd: int, buffers: list[memoryview], offset: int) -> int:
        reader.rest()
        return real(fd, [buffers[0][:9]], offset)

    monkeypatch.setattr(os, "preadv", tired)
    buffer = bytearray(40)
    with FileReader(path) as reader:
        reader.read_into(memoryview(buffer), 1)
        assert descriptors_of(path) == 1
    assert buffer == bytes(range(1, 41))


def test_a_closed_reader_has_nothing_to_rest_from(path: Path) -> None:
    for before in (FileReader.rest, FileReader.verify):
        reader = FileReader(path)
        before(reader)
        reader.close()
        reader.rest()
        assert descriptors_of(path) == 0
        with pytest.raises(ValueError, match="closed"):
            reader.read_into(memoryview(bytearray(1)), 0)
        assert descriptors_of(path) == 0


def test_a_file_that_was_replaced_while_its_reader_rested_is_not_read(path: Path) -> None:
    with FileReader(path) as reader:
        reader.rest()
        (path.parent / "new").write_bytes(path.read_bytes())
        (path.parent / "new").replace(path)
        for use in (lambda: reader.read_into(memoryview(bytearray(1)), 0), reader.verify, reader.fileno):
            with pytest.raises(SourceChanged, match="was replaced by another file") as caught:
                use()  # type: ignore[operator]
            assert caught.value.path == str(path)
        assert descriptors_of(path) == 0


def test_a_file_that_is_gone_when_its_reader_wakes_is_said(path: Path) -> None:
    with FileReader(path) as reader:
        reader.rest()
        path.unlink()
        with pytest.raises(SourceIOError, match="cannot be opened again") as caught:
            reader.verify()
    assert (caught.value.path, caught.value.errno) == (str(path), errno.ENOENT)


def test_a_reader_of_a_relative_path_wakes_in_another_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with FileReader(path.name) as reader:
        reader.rest()
        (path.parent / "elsewhere").mkdir()
        monkeypatch.chdir(path.parent / "elsewhere")
        buffer = bytearray(2)
        reader.read_into(memoryview(buffer), 3)
    assert buffer == bytes([3, 4])


def test_a_pickled_reader_opens_the_file_at_its_first_read_and_only_the_same_one(path: Path) -> None:
    buffer = bytearray(4)
    with FileReader(path) as reader:
        copy, other = pickle.loads(pickle.dumps([reader, reader.identity])), pickle.loads(pickle.dumps(reader))
    with copy[0] as again:
        before = len(list(Path("/proc/self/fd").iterdir()))
        again.read_into(memoryview(buffer), 1)
        assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
    assert buffer == bytes([1, 2, 3, 4])
    rewrite(path, 0, b"x")
    with other, pytest.raises(SourceChanged, match="rewritten"):
        other.read_into(memoryview(buffer), 1)


def test_a_closed_reader_is_not_pickled(path: Path) -> None:
    reader = FileReader(path)
    reader.close()
    with pytest.raises(ValueError, match="is closed"):
        pickle.dumps(reader)
