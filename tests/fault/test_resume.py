"""A killed run goes on with the bytes of one that was left alone, or says why it does not."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import headrace
from headrace.core import journal_file, run_journal
from headrace.core.files import FileReader
from headrace.core.packing import pack
from headrace.core.publish import PartFile
from headrace.core.recordfile import RecordFile
from headrace.core.tempfiles import NamedFile
from headrace.errors import FormatError, JournalMismatch, OutputError, OutputExists, SchemaError
from headrace.signals import Fir, Map, Scale, from_array, from_iter
from headrace.signals import open as open_recording
from headrace.testing import BlockMean, CumulativeSum, DoubleSum, WindowSums
from headrace.testing.faults import rewrite

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from headrace.core.flow import SampleFlow
    from headrace.core.rowflow import RowFlow

VICTIMS = Path(__file__).parent / "victims"
FLOWS: dict[str, Callable[[Any], SampleFlow | RowFlow]] = {
    "windowed": lambda rec: rec.pipe(Fir(np.ones(30))),
    "another rate": lambda rec: rec.pipe(BlockMean(2)),
    "stateful": lambda rec: rec.pipe(Scale(2), CumulativeSum(), Fir(np.ones(30))),
    "two-way": lambda rec: rec.pipe(DoubleSum(128)),
    "two-way, then windowed": lambda rec: rec.pipe(DoubleSum(128), Fir(np.ones(30))),
    "rows": lambda rec: rec.pipe(Scale(2)).tabulate(WindowSums(400, 100)),
    "rows of a stateful row": lambda rec: rec.pipe(CumulativeSum(), Scale(2)).tabulate(WindowSums(400, 100)),
}
OPTIONS: dict[str, Any] = {"memory": "8MB", "threads": 1, "chunk": 300}


class Stop(Exception):
    """Ends a run, as a disk that fails does."""


@pytest.fixture(autouse=True)
def _write_every_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_journal, "_EVERY_S", 0)
    monkeypatch.setattr(run_journal, "_COST", 0)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "x.f64"
    np.random.default_rng(4).normal(size=20_000).tofile(path)
    return path


def opened(path: Path, **options: Any) -> Any:
    return open_recording(path, **({"dtype": "float64", "n_channels": 2} | options))


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def stop(flow: SampleFlow | RowFlow, out: Path, *, share: float = 0.5, **options: Any) -> str:
    """Begin a run that ends with an error after a share of its records; give the notes that the error has."""
    chosen = OPTIONS | options
    records, most = 0, 10**9

    def counted(value: Any) -> Any:
        nonlocal records
        records += 1
        if records > most:
            raise Stop
        return pack(value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_journal, "pack", counted)
        flow.to_file(out.with_name(f"all-{out.name}"), resume=True, force=True, **chosen)
        records, most = 0, int(share * records)
        with pytest.raises(Stop) as caught:
            flow.to_file(out, resume=True, **chosen)
    return " ".join(getattr(caught.value, "__notes__", []))


def wanted(flow: SampleFlow | RowFlow, folder: Path, **options: Any) -> bytes:
    flow.to_file(folder / "want.npy", force=True, **options)
    return (folder / "want.npy").read_bytes()


def test_killed_at_any_moment_of_any_kind_of_run_it_goes_on_to_the_same_bytes(
    tmp_path: Path, count: Callable[[int, int], int], dice: random.Random, run_victim: Callable[..., Any]
) -> None:
    seed = dice.randrange(2**31)
    done = run_victim(VICTIMS / "killed.py", tmp_path, count(50, 1000), seed, timeout=1500)
    assert done.stdout.startswith("ok "), done.stdout


FAULTS = {
    "claim_more": "windowed",
    "claim_seldom": "transform of a prime",
    "forget_state": "stateful",
    "skip_rows": "two-way",
    "lose_outcomes": "events",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_put_in_on_purpose_is_found(
    tmp_path: Path, dice: random.Random, run_victim: Callable[..., Any], fault: str
) -> None:
    seed = dice.randrange(2**31)
    done = run_victim(VICTIMS / "killed.py", tmp_path, 2000, seed, fault, FAULTS[fault], check=False)
    assert done.returncode == 1
    assert "other bytes" in done.stderr or "Error: " in done.stderr  # a run may also notice that something is amiss


@pytest.mark.parametrize("name", FLOWS)
def test_after_an_error_it_goes_on_where_it_was_and_reads_no_more_than_is_left(
    tmp_path: Path, source: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out" / "y.npy"
    out.parent.mkdir()
    reads, read_into = [0], FileReader.read_into

    def counted(self: FileReader, buffer: memoryview, offset: int, span: Any = None) -> None:
        reads[0] += len(buffer)
        read_into(self, buffer, offset, span)

    monkeypatch.setattr(FileReader, "read_into", counted)
    flow = FLOWS[name](opened(source))
    expected = wanted(flow, tmp_path, **OPTIONS)
    whole, reads[0] = reads[0], 0
    note = stop(flow, out)
    first, reads[0] = reads[0] - whole, 0
    assert "--resume" in note
    assert not out.exists()
    assert any(name.endswith(".journal") for name in hidden(out.parent))
    FLOWS[name](opened(source)).to_file(out, resume=True, **OPTIONS)
    assert out.read_bytes() == expected
    assert 0.2 * whole < first < whole
    assert reads[0] < whole - 0.6 * first
    assert hidden(out.parent) == []


def test_the_report_tells_what_was_done_before_and_counts_clipped_values_once(tmp_path: Path, source: Path) -> None:
    flow = opened(source).pipe(Scale(40_000.0))
    whole = flow.to_file(tmp_path / "want.npy", out_dtype="int16")
    stop(flow, tmp_path / "y.npy", out_dtype="int16", chunk=700)
    report = flow.to_file(tmp_path / "y.npy", out_dtype="int16", resume=True, chunk=999)
    assert whole.clipped > 1000
    assert (report.clipped, report.n_samples) == (whole.clipped, whole.n_samples)
    assert 0 < report.n_resumed < report.n_samples
    assert f"({report.n_resumed:,} of them done before)" in str(report)
    assert (tmp_path / "y.npy").read_bytes() == (tmp_path / "want.npy").read_bytes()


def test_without_a_kill_nothing_differs_and_nothing_is_left(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "y.npy"
    for flow in (make(opened(source)) for make in FLOWS.values()):
        report = flow.to_file(out, resume=True, force=True, tmp=tmp_path)
        assert report.n_resumed == 0
        assert out.read_bytes() == wanted(flow, tmp_path)
        assert hidden(tmp_path) == []


def test_an_error_before_anything_was_kept_leaves_nothing(tmp_path: Path, source: Path) -> None:
    def broken(x: Any) -> Any:
        raise Stop

    with pytest.raises(Stop) as caught:
        opened(source).pipe(Map(broken)).to_file(tmp_path / "y.npy", resume=True)
    assert "resume" not in " ".join(caught.value.__notes__)
    assert hidden(tmp_path) == []


# Of another job


def changed(source: Path, what: str) -> None:
    if what == "was rewritten":
        rewrite(source, 100, b"12345678")
    elif what == "grew":
        with source.open("ab") as file:
            file.write(bytes(16))
    elif what == "was truncated":
        os.truncate(source, 16 * 1000)
    else:
        shutil.copy(source, source.with_suffix(".new"))
        source.with_suffix(".new").replace(source)


@pytest.mark.parametrize("what", ["was rewritten", "grew", "was truncated", "was replaced by another file"])
def test_another_input_is_named(tmp_path: Path, source: Path, what: str) -> None:
    out = tmp_path / "y.npy"
    stop(opened(source).pipe(Scale(2)), out)
    changed(source, what)
    with pytest.raises(JournalMismatch, match=rf"the input .*x\.f64 {what}") as caught:
        opened(source).pipe(Scale(2)).to_file(out, resume=True)
    assert len(caught.value.differences) == 1
    assert "run without resume" in str(caught.value)
    assert Path(caught.value.path).exists()


def test_what_was_opened_counts_and_not_what_has_its_name_now(tmp_path: Path, source: Path) -> None:
    rec = opened(source)
    changed(source, "was replaced by another file")
    stop(rec.pipe(Scale(2)), tmp_path / "y.npy")
    with pytest.raises(JournalMismatch, match="was replaced by another file"):
        opened(source).pipe(Scale(2)).to_file(tmp_path / "y.npy", resume=True)


FACTOR = 2.0


@pytest.mark.parametrize(
    ("other", "options", "words"),
    [
        (lambda rec: rec.pipe(Fir(np.ones(4))), {}, r"operators: Scale\(2\) then, Fir\(4 taps #\w+, mode='same'\) now"),
        (lambda rec: rec.pipe(Scale(2), Scale(1)), {}, r"operators: Scale\(2\) then, Scale\(2\), Scale\(1\) now"),
        (lambda rec: rec.pipe(Scale(2)), {"out_dtype": "float32"}, "out_dtype float64 then, float32 now"),
        (lambda rec: rec[10:].pipe(Scale(2)), {}, r"input: <.*x\.f64> then, <.*x\.f64>\[10, 10000\) now"),
        (lambda rec: rec[:, [1, 0]].pipe(Scale(2)), {}, r"input: <.*x\.f64> then, <.*x\.f64 channels \[1, 0\]> now"),
        (lambda rec: rec.pipe(Scale(2)).tabulate(WindowSums(9)), {}, "format NpySink then, NpyTableSink now"),
    ],
)
def test_another_job_is_named(tmp_path: Path, source: Path, other: Any, options: Any, words: str) -> None:
    stop(opened(source).pipe(Scale(2)), tmp_path / "y.npy")
    with pytest.raises(JournalMismatch, match=words):
        other(opened(source)).to_file(tmp_path / "y.npy", resume=True, **options)


def test_another_way_of_reading_is_named(tmp_path: Path, source: Path) -> None:
    stop(opened(source, fs=1000).pipe(Scale(2)), tmp_path / "y.npy")
    with pytest.raises(JournalMismatch, match=r"the input <.*> is read in another way"):
        opened(source, fs=1001).pipe(Scale(2)).to_file(tmp_path / "y.npy", resume=True)


def test_an_array_is_known_by_its_samples(tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=10_000)
    stop(from_array(x).pipe(Scale(2)), tmp_path / "y.npy")
    other = x.copy()
    other[-1] += 1e-9
    with pytest.raises(JournalMismatch, match=r"the input <array float64 \(10000,\)> holds other samples"):
        from_array(other).pipe(Scale(2)).to_file(tmp_path / "y.npy", resume=True)
    report = from_array(x.copy()).pipe(Scale(2)).to_file(tmp_path / "y.npy", resume=True)
    assert report.n_resumed > 0
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), 2 * x)


@pytest.mark.parametrize(
    "other",
    [lambda x: x * 2.5, lambda x: x * FACTOR, lambda x, by=3.0: x * by, lambda x: x + FACTOR],
    ids=["constant", "global", "default", "operation"],
)
def test_another_function_under_the_same_name_is_named(tmp_path: Path, source: Path, other: Any) -> None:
    stop(opened(source).pipe(Map(lambda x: x * 2.0)), tmp_path / "y.npy")
    with pytest.raises(JournalMismatch, match=r"Map\(<lambda>, block=65536\) with other numbers, or of other code"):
        opened(source).pipe(Map(other)).to_file(tmp_path / "y.npy", resume=True)


def test_another_version_is_named(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop(opened(source).pipe(Scale(2)), tmp_path / "y.npy")
    monkeypatch.setattr(headrace, "__version__", "99.0.0")
    with pytest.raises(JournalMismatch, match=r"headrace [\d.]+ then, 99\.0\.0 now"):
        opened(source).pipe(Scale(2)).to_file(tmp_path / "y.npy", resume=True)


def test_a_newer_journal_is_refused_by_its_version(tmp_path: Path, source: Path) -> None:
    stop(opened(source).pipe(Scale(2)), tmp_path / "y.npy")
    (journal,) = tmp_path.glob(".*.journal")
    data = bytearray(journal.read_bytes())
    data[16] = 2
    journal.write_bytes(data)
    with pytest.raises(FormatError, match="of version 2, written by a newer headrace; this one reads version 1"):
        opened(source).pipe(Scale(2)).to_file(tmp_path / "y.npy", resume=True)


def test_a_refused_journal_stays_and_a_run_without_resume_sweeps_all(tmp_path: Path, source: Path) -> None:
    spare = tmp_path / "spare"
    spare.mkdir()
    flow = opened(source).pipe(DoubleSum(128))
    stop(flow, tmp_path / "y.npy", tmp=spare)
    before = hidden(tmp_path)
    assert len(before) == 2
    assert len(list(spare.iterdir())) == 1
    with pytest.raises(JournalMismatch):
        opened(source).pipe(Scale(2)).to_file(tmp_path / "y.npy", resume=True)
    assert hidden(tmp_path) == before
    opened(source).pipe(Scale(2)).to_file(tmp_path / "y.npy")
    assert [*hidden(tmp_path), *spare.iterdir()] == []


def test_a_stream_is_refused_with_the_reason(tmp_path: Path) -> None:
    flow = from_iter([np.zeros(9)]).pipe(Scale(2))
    with pytest.raises(SchemaError, match="comes once, and cannot be read again after a kill"):
        flow.to_file(tmp_path / "y.npy", resume=True)
    assert list(tmp_path.iterdir()) == []


# The part file


def test_two_runs_do_not_resume_one_output(tmp_path: Path, source: Path) -> None:
    flow = opened(source).pipe(Scale(2))
    stop(flow, tmp_path / "y.npy")
    before = hidden(tmp_path)
    other = PartFile(tmp_path / "y.npy", job="", resume=True)
    other.open(10)
    with pytest.raises(OutputExists, match="another run is writing"):
        flow.to_file(tmp_path / "y.npy", resume=True)
    assert hidden(tmp_path) == before
    other.abort()
    assert flow.to_file(tmp_path / "y.npy", resume=True).n_resumed > 0


def test_a_part_file_that_is_cut_or_replaced_is_refused(tmp_path: Path, source: Path) -> None:
    flow = opened(source).pipe(Scale(2))
    stop(flow, tmp_path / "y.npy")
    (part,) = tmp_path.glob(".*.part")
    size = part.stat().st_size
    os.truncate(part, size - 1)
    with pytest.raises(JournalMismatch, match=rf"was cut from {size} to {size - 1} bytes"):
        flow.to_file(tmp_path / "y.npy", resume=True)
    part.rename(tmp_path / "old")
    part.write_bytes(bytes(size))
    with pytest.raises(JournalMismatch, match="is not the one that it was kept for"):
        flow.to_file(tmp_path / "y.npy", resume=True)


def test_without_its_part_file_a_journal_means_nothing(tmp_path: Path, source: Path) -> None:
    flow = opened(source).pipe(Scale(2))
    stop(flow, tmp_path / "y.npy")
    (part,) = tmp_path.glob(".*.part")
    part.unlink()
    assert flow.to_file(tmp_path / "y.npy", resume=True).n_resumed == 0
    assert (tmp_path / "y.npy").read_bytes() == wanted(flow, tmp_path)
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("how", ["gone", "cut", "replaced"])
def test_a_file_of_states_that_is_not_what_it_was_is_refused(tmp_path: Path, source: Path, how: str) -> None:
    flow = opened(source).pipe(DoubleSum(128))
    stop(flow, tmp_path / "y.npy")
    (states,) = tmp_path.glob(".*kept-traces")
    if how == "cut":
        os.truncate(states, states.stat().st_size - 1)
    else:
        data = states.read_bytes()
        states.rename(tmp_path / "old")
        if how == "replaced":
            states.write_bytes(data)
    with pytest.raises(JournalMismatch, match="is gone" if how == "gone" else "was replaced or cut"):
        flow.to_file(tmp_path / "y.npy", resume=True)


def test_what_is_published_already_is_never_written_to(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the two steps of publishing leaves a part file that is the output."""
    flow = opened(source).pipe(Scale(2))
    stop(flow, tmp_path / "y.npy")
    (part,) = tmp_path.glob(".*.part")
    os.link(part, tmp_path / "y.npy")
    before = (tmp_path / "y.npy").read_bytes()
    seen: list[bool] = []
    write = PartFile.write

    def watched(self: PartFile, data: memoryview, offset: int) -> None:
        seen.append((tmp_path / "y.npy").read_bytes() == before)
        write(self, data, offset)

    monkeypatch.setattr(PartFile, "write", watched)
    report = flow.to_file(tmp_path / "y.npy", resume=True, force=True)
    assert report.n_resumed == 0
    assert len(seen) > 1
    assert all(seen)
    assert hidden(tmp_path) == []


# Damage


@pytest.mark.parametrize("name", ["windowed", "two-way", "rows"])
def test_a_journal_with_any_byte_flipped_is_refused_or_gives_the_same_bytes(
    tmp_path: Path, source: Path, name: str, count: Callable[[int, int], int], dice: random.Random
) -> None:
    flow = FLOWS[name](opened(source))
    expected = wanted(flow, tmp_path)
    stop(flow, tmp_path / "y.npy", share=0.2)
    (journal,) = tmp_path.glob(".*.journal")
    data, part = journal.read_bytes(), next(tmp_path.glob(".*.part"))
    refused = 0
    for place in sorted(dice.sample(range(len(data)), min(len(data), count(120, 10**6)))):
        flipped = bytearray(data)
        flipped[place] ^= 1 << dice.randrange(8)
        journal.write_bytes(flipped)
        kept = part.read_bytes()
        with pytest.raises((FormatError, JournalMismatch)) as caught:
            flow.to_file(tmp_path / "y.npy", resume=True, **OPTIONS)
        refused += "delete" in str(caught.value)
        assert part.read_bytes() == kept
    assert refused > 50
    journal.write_bytes(data)
    flow.to_file(tmp_path / "y.npy", resume=True, **OPTIONS)
    assert (tmp_path / "y.npy").read_bytes() == expected


class Scene:
    """What a killed run left, to be put back as it was, inodes included."""

    def __init__(self, folder: Path, away: Path) -> None:
        self._folder, self._away = folder, away
        self._bytes = {name: (folder / name).read_bytes() for name in hidden(folder)}
        for name in self._bytes:
            if ".kept" in name:
                os.link(folder / name, away / name)  # the one of a part file would say that it is published

    def put_back(self) -> None:
        for name, data in self._bytes.items():
            place = self._folder / name
            if name.endswith(".part"):
                (self._folder / "y.npy").rename(place)
            elif ".kept" in name and not place.exists():
                os.link(self._away / name, place)
            with place.open("r+b" if place.exists() else "wb") as file:
                file.write(data)
                file.truncate()


@pytest.mark.parametrize("name", ["windowed", "two-way", "rows"])
def test_a_journal_cut_anywhere_goes_on_from_what_is_whole(
    tmp_path: Path, source: Path, name: str, count: Callable[[int, int], int], dice: random.Random
) -> None:
    flow = FLOWS[name](opened(source))
    expected = wanted(flow, tmp_path)
    stop(flow, tmp_path / "y.npy", share=0.8)
    (journal,) = tmp_path.glob(".*.journal")
    (tmp_path / "away").mkdir()
    scene, size = Scene(tmp_path, tmp_path / "away"), journal.stat().st_size
    resumed = set()
    for length in sorted(dice.sample(range(size), min(size, count(25, 10**6)))):
        os.truncate(journal, length)
        resumed.add(flow.to_file(tmp_path / "y.npy", resume=True, **OPTIONS).n_resumed)
        assert (tmp_path / "y.npy").read_bytes() == expected
        scene.put_back()
    assert len(resumed) > 3


def test_a_disk_that_is_full_for_the_journal_ends_the_run_which_then_goes_on(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = opened(source).pipe(CumulativeSum())
    left, write = 6, NamedFile.write

    def full(self: NamedFile, data: memoryview, offset: int) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            write(self, data[: len(data) // 2], offset)
            raise self._failed("did not take", OSError(errno.ENOSPC, "No space left on device"))
        write(self, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(NamedFile, "write", full)
        with pytest.raises(OutputError, match="the journal did not take: No space left") as caught:
            flow.to_file(tmp_path / "y.npy", resume=True, **OPTIONS)
    assert caught.value.errno == errno.ENOSPC
    assert "--resume" in " ".join(caught.value.__notes__)
    assert flow.to_file(tmp_path / "y.npy", resume=True).n_resumed > 0
    assert (tmp_path / "y.npy").read_bytes() == wanted(flow, tmp_path)


def test_a_journal_stays_small(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_journal, "_COMPACT_BYTES", 4000)
    ends: list[int] = []
    append = RecordFile.append

    def watched(self: RecordFile, parts: Any) -> tuple[int, int]:
        place = append(self, parts)
        ends.append(self.end)
        return place

    monkeypatch.setattr(RecordFile, "append", watched)
    opened(source).pipe(CumulativeSum(), Scale(2)).to_file(tmp_path / "y.npy", resume=True, memory="8MB", chunk=50)
    assert len(ends) > 150
    assert max(ends) < 8000


def test_a_state_that_no_journal_can_hold_is_refused(tmp_path: Path, source: Path) -> None:
    class Odd(CumulativeSum):
        def step(self, plan: Any, state: Any, window: Any, out: Any) -> Any:
            return {1, super().step(plan, state and next(iter(state)), window, out)}

    with pytest.raises(SchemaError, match=r"so that a journal can hold it: got builtins\.set"):
        opened(source, n_channels=1).pipe(Odd()).to_file(tmp_path / "y.npy", resume=True, **OPTIONS)


def test_leftovers_never_name_files_of_others(tmp_path: Path, source: Path) -> None:
    """A journal is data: what it claims to have kept is removed only under the name that we would have given it."""
    flow = opened(source).pipe(DoubleSum(128))
    stop(flow, tmp_path / "y.npy")
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (path,) = tmp_path.glob(".*.journal")
    file = NamedFile.reopen(path, "the journal")
    assert file is not None
    records = journal_file.records_of(file)
    assert records is not None
    list(records.scan(path.stat().st_size))
    records.append(pack(("file:traces", (str(precious), 1, 2, 3))))
    file.close()
    opened(source).pipe(Scale(2)).to_file(tmp_path / "y.npy")
    assert precious.read_text() == "mine"
    assert hidden(tmp_path) == []
