"""Temporary files keep every byte or say why not, and leave nothing in their folder."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from headrace.core.machine import temporary_folder
from headrace.core.rowstore import RowStore
from headrace.core.tempfiles import UnnamedFile
from headrace.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["memory", "file"])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RowStore]:
    store = RowStore(5, (3, 2), np.dtype(np.float64), 0 if request.param == "file" else 1 << 20, str(tmp_path))
    yield store
    store.close()


def test_rows_come_back_as_they_were_set(rows: RowStore) -> None:
    wanted = np.random.default_rng(3).normal(size=(5, 3, 2))
    for number in (4, 0, 2, 1, 3):
        rows[number] = wanted[number]
    for number in range(5):
        np.testing.assert_array_equal(rows[number], wanted[number])


def test_a_file_is_never_seen_in_its_folder(tmp_path: Path) -> None:
    file = UnnamedFile(tmp_path, "a test", reserve=4096)
    assert list(tmp_path.iterdir()) == []
    file.close()
    file.close()


def test_short_writes_and_reads_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, read = os.pwrite, os.preadv
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: write(fd, data[:7], at))
    monkeypatch.setattr(os, "preadv", lambda fd, into, at: read(fd, [into[0][:5]], at))
    wanted = np.arange(100, dtype=np.uint8)
    file = UnnamedFile(tmp_path, "a test")
    file.write(memoryview(wanted), 11)
    found = np.zeros_like(wanted)
    file.read(memoryview(found), 11)
    file.close()
    np.testing.assert_array_equal(found, wanted)


def write_and_read(folder: Path) -> None:
    file = UnnamedFile(folder, "a test", reserve=4096)
    file.write(memoryview(b"abc"), 0)
    file.read(memoryview(bytearray(3)), 0)


@pytest.mark.parametrize("call", ["posix_fallocate", "pwrite", "preadv"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OutputError, match=r"a test .*tmp=") as caught:
        write_and_read(tmp_path)
    assert caught.value.errno == code
    assert caught.value.path == str(tmp_path)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be made") as caught:
        UnnamedFile(tmp_path / "absent", "a test")
    assert caught.value.errno == errno.ENOENT


def test_a_file_that_lost_its_end(tmp_path: Path) -> None:
    file = UnnamedFile(tmp_path, "a test")
    file.write(memoryview(b"abc"), 0)
    with pytest.raises(OutputError, match="lost its end"):
        file.read(memoryview(bytearray(4)), 0)


def test_the_folder_is_the_one_chosen_else_tmpdir_else_var_tmp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/somewhere")
    assert temporary_folder("/here") == "/here"
    assert temporary_folder() == "/somewhere"
    monkeypatch.delenv("TMPDIR")
    assert temporary_folder() == "/var/tmp"
