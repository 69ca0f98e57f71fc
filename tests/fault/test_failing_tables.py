"""Whatever goes wrong with a table, it is absent or whole, and nothing else is left in its folder."""

from __future__ import annotations

import errno
import gc
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.core.arrow import arrow_stream
from headrace.core.table_reader import read_table
from headrace.core.table_sinks import table_sink
from headrace.errors import OutputError
from headrace.signals import Scale, from_array
from headrace.testing import no_leaks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = np.zeros(70_000, [("start", "i8"), ("peak", "f4")])
ROWS["start"] = np.arange(len(ROWS))
SUFFIXES = [".csv", ".npy", ".arrow", ".parquet"]


def sink_for(folder: Path, suffix: str, **options: bool) -> Any:
    if suffix in (".arrow", ".parquet"):
        pytest.importorskip("pyarrow")
    return table_sink(folder / f"events{suffix}", **options)


def write(sink: Any) -> None:
    sink.open(ROWS.dtype)
    for part in np.array_split(ROWS, 3):
        sink.write(part)
    sink.commit()


@pytest.mark.parametrize("force", [False, True], ids=["new", "replaced"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_fills_up_at_any_write_leaves_the_output_absent_or_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, force: bool
) -> None:
    real, state = os.pwrite, {"left": 0}

    def pwrite(fd: int, data: Any, offset: int) -> int:
        if state["left"] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        state["left"] -= 1
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    path = tmp_path / f"events{suffix}"
    failures = successes = 0
    for allowed in [0, 1, 2, 3, 7, 100]:
        if force:
            path.write_bytes(b"an older table")
        state["left"] = allowed
        sink = sink_for(tmp_path, suffix, force=force)
        caught: OutputError | None = None
        try:
            write(sink)
        except OutputError as error:
            caught = error
        if caught is not None:
            failures += 1
            assert (caught.errno, caught.path) == (errno.ENOSPC, str(path))
            sink.abort()
            sink.abort()
            assert [item.name for item in tmp_path.iterdir()] == ([path.name] if force else [])
            assert not force or path.read_bytes() == b"an older table"
        else:
            successes += 1
            assert len(read_table(path, ROWS.dtype)) == len(ROWS)
            path.unlink()
    assert failures >= 3
    assert successes >= 1


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("how", ["abort", "walk away", "twice"])
def test_a_table_given_up_leaves_nothing(tmp_path: Path, suffix: str, how: str) -> None:
    with no_leaks(tmp_path):
        sink = sink_for(tmp_path, suffix)
        sink.open(ROWS.dtype)
        sink.write(ROWS)
        if how != "walk away":
            sink.abort()
        if how == "twice":
            sink.abort()
        del sink
        gc.collect()
    assert list(tmp_path.iterdir()) == []


def grown(work: Callable[[], None], rounds: int) -> int:
    """Count the bytes by which this process grows over some rounds, once warm."""

    def resident() -> int:
        gc.collect()
        with open("/proc/self/statm") as file:  # noqa: PTH123 - a number of the kernel's
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for _ in range(rounds // 4):
        work()
    before = resident()
    for _ in range(rounds):
        work()
    return resident() - before


@pytest.mark.parametrize("how", ["read", "leave after one batch", "never take", "fail", "samples"])
def test_streams_leave_no_memory_behind(how: str, count: Callable[[int, int], int]) -> None:
    pa = pytest.importorskip("pyarrow")
    rows = np.zeros(20_000, [("n", "i8"), ("word", "U8")])
    rows["word"] = "abcdefgh"
    x = np.zeros((20_000, 2), np.float32)

    def failing() -> Any:
        yield rows
        raise OSError(5, "gone")

    def work() -> None:
        if how == "never take":
            arrow_stream(rows.dtype, [rows]).__arrow_c_stream__()
        elif how == "samples":
            for batch in pa.RecordBatchReader.from_stream(from_array(x).pipe(Scale(2.0)).to_arrow(threads=1)):
                del batch
        elif how == "fail":
            with pytest.raises(OSError, match="gone"):
                pa.RecordBatchReader.from_stream(arrow_stream(rows.dtype, failing())).read_all()
        else:
            reader = pa.RecordBatchReader.from_stream(arrow_stream(rows.dtype, [rows, rows]))
            reader.read_next_batch() if how.startswith("leave") else reader.read_all()

    # A round handles 160 kB to 1 MB. Allocators settle for a while: a loss in every round counts, a few MB do not.
    assert grown(work, count(100, 3000)) < 8_000_000
