"""Memory does not grow with the input, and nothing stays behind: threads, descriptors, maps, files."""

from __future__ import annotations

import gc
import json
import mmap
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace import Budget, BufferPool
from headrace.core.sinks import DiscardSink
from headrace.errors import Cancelled
from headrace.signals import Fir, Map, Scale, SosFiltFilt, Threshold, from_array, from_iter
from headrace.signals import open as open_recording
from headrace.testing import no_leaks

if TYPE_CHECKING:
    from collections.abc import Callable

VICTIMS = Path(__file__).parent / "victims"


def sparse(path: Path, nbytes: int) -> Path:
    with path.open("wb") as file:
        file.truncate(nbytes)
    return path


@pytest.mark.parametrize("how", ["copy", "iterate", "filter", "zero-phase", "events", "envelope", "arrow"])
def test_memory_is_the_same_for_ten_times_the_input(
    tmp_path: Path, run_victim: Callable[..., Any], count: Callable[[int, int], int], how: str
) -> None:
    if how == "arrow":
        pytest.importorskip("pyarrow")
    sizes = {"copy": 200, "iterate": 80, "filter": 40, "zero-phase": 30, "events": 30, "envelope": 30, "arrow": 20}
    small = count(sizes[how], 2000) * 1_000_000
    peaks = []
    for size in (small, 10 * small):
        done = run_victim(VICTIMS / "constant_memory.py", sparse(tmp_path / "x", size), how, timeout=300)
        report = json.loads(done.stdout)
        assert report["n_samples"] == size // 32
        peaks.append(report["peak"])
    assert peaks[1] - peaks[0] < 2_000_000, f"peaks {peaks} for {small} bytes and ten times as many"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    np.save(tmp_path / "x.npy", np.arange(40_000, dtype=np.float32).reshape(-1, 2))
    return tmp_path / "x.npy"


def abandon(path: Path) -> None:
    """Open, take three chunks, walk away."""
    rec = open_recording(path)
    chunks = iter(rec.pipe(Fir(np.ones(9)), Scale(2.0)).chunks(chunk=1000, threads=2))
    for _ in range(3):
        next(chunks)


def fail(path: Path) -> None:
    """Raise in the user's function."""

    def fn(x: np.ndarray) -> np.ndarray:
        if x[0, 0] > 9000:
            raise ZeroDivisionError("of the user's own making")
        return x

    with open_recording(path) as rec, pytest.raises(ZeroDivisionError) as caught:
        rec.pipe(Map(fn, block=500)).to_file(path.with_name("y.npy"), chunk=500, threads=3)
    assert any("Map" in note for note in caught.value.__notes__)


def close_early(path: Path) -> None:
    """Close in the middle, and twice; what was taken stays valid."""
    with open_recording(path) as rec:
        chunks = rec.pipe(Fir(np.ones(9))).chunks(chunk=1000, threads=2)
        kept = next(chunks)
        chunks.close()
        chunks.close()
        assert kept.array[0, 0] == 0 + 2 + 4 + 6 + 8
        with pytest.raises(Cancelled):
            next(chunks)


def stream(path: Path) -> None:
    """Walk away from a stream."""
    x = np.load(path)
    next(from_iter(np.split(x, 20)).pipe(Fir(np.ones(9))).chunks(chunk=1000))


def view(path: Path) -> None:
    """Map, and drop the view after the recording."""
    with open_recording(path) as rec:
        seen = rec.view(10, 20)
    assert seen[0, 0] == 20


def both_ways(path: Path) -> None:
    """Walk away between the passes of a zero-phase filter, and from what comes after them."""
    with open_recording(path) as rec:
        flow = rec.pipe(SosFiltFilt([[0.5, 0.5, 0, 1, 0, 0]]))
        next(flow.chunks(threads=2))
        with pytest.raises(ZeroDivisionError):
            flow.to_file(path.with_name("y.npy"), threads=2, progress=lambda *_: 1 / 0)


def events(path: Path) -> None:
    """Walk away from a table, and fail in its sink."""
    with open_recording(path) as rec:
        table = rec.detect(Threshold(0.1, block=500))
        next(table.batches(threads=2))
        with pytest.raises(ZeroDivisionError):
            table.to_file(path.with_name("y.csv"), threads=2, progress=lambda *_: 1 / 0)


LOOPS = [abandon, fail, close_early, stream, view, both_ways, events]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_nothing_stays_behind(recording: Path, count: Callable[[int, int], int], loop: Callable[[Path], None]) -> None:
    loop(recording)
    with no_leaks(recording.parent):
        for _ in range(count(200, 10_000)):
            loop(recording)


def resident() -> int:
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("RssAnon"))


def test_memory_does_not_creep(recording: Path, count: Callable[[int, int], int]) -> None:
    rounds = count(150, 5000)
    for _ in range(100):
        abandon(recording)
    gc.collect()
    before = resident()
    for _ in range(rounds):
        abandon(recording)
    gc.collect()
    # Allocators settle for a while: the slope counts, one mebibyte does not.
    assert resident() - before < 1_000_000 + 1024 * rounds


@pytest.mark.parametrize("operators", [(), (Scale(2.0),), (Fir(np.ones(3)),)], ids=["alone", "same", "windowed"])
def test_a_failed_zero_phase_run_leaves_no_thread_and_charges_what_is_held(operators: Any) -> None:
    class Full(DiscardSink):
        def write(self, chunk: Any) -> None:
            raise OSError(28, "full")

    held = [0]

    def allocate(nbytes: int) -> mmap.mmap:
        memory = mmap.mmap(-1, nbytes)
        held[0] += nbytes
        weakref.finalize(memory, lambda: held.__setitem__(0, held[0] - nbytes))
        return memory

    budget = Budget("64MB")
    flow = from_array(np.zeros((40_000, 64), np.float32)).pipe(SosFiltFilt([[0.5, 0.5, 0, 1, 0, 0]]), *operators)
    before = set(threading.enumerate())
    kept = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BufferPool.__init__.__kwdefaults__, "allocate", allocate)
        try:
            flow.run(Full(), memory=budget, threads=2)
        except OSError as error:
            kept = error  # with its frames, as an interactive session keeps the last one
    assert set(threading.enumerate()) == before
    assert budget.used == held[0]
    del kept
    gc.collect()
    assert budget.used == held[0] == 0
