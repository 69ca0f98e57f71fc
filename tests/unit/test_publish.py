from __future__ import annotations

import errno
import gc
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.core.publish import PartFile, refuse_input_as_output
from headrace.errors import OutputError, OutputExists
from headrace.signals import Map, from_array
from headrace.testing import no_leaks
from headrace.testing.faults import part_files

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "y.bin"


def publish(path: Path, data: bytes = b"new", **options: Any) -> None:
    part = PartFile(path, job="test", **options)
    part.open(len(data))
    part.write(memoryview(data), 0)
    part.commit()


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("force", [False, True])
def test_an_output_appears_whole_at_the_end_and_not_before(out: Path, durable: bool, force: bool) -> None:
    with no_leaks():
        part = PartFile(out, job="test", durable=durable, force=force)
        assert part_files(out.parent) == []
        part.open(6)
        part.write(memoryview(b"def"), 3)
        part.write(memoryview(b"abc"), 0)
        assert not out.exists()
        assert len(part_files(out.parent)) == 1
        part.commit()
        part.abort()
        part.abort()
    assert out.read_bytes() == b"abcdef"
    assert part_files(out.parent) == []


def test_the_part_file_is_named_after_output_and_job(out: Path) -> None:
    names = []
    for job in ("one", "one", "another"):
        part = PartFile(out, job=job)
        part.open(None)
        names += part_files(out.parent)
        part.abort()
    assert names[0] == names[1] != names[2]
    assert all(name.startswith(".y.bin.") and name.endswith(".part") for name in names)


def test_an_output_of_unknown_length_is_cut_to_what_it_got(out: Path) -> None:
    part = PartFile(out, job="test")
    part.open(None)
    part.write(memoryview(b"abcdef"), 0)
    part.commit(4)
    assert out.read_bytes() == b"abcd"


def test_an_existing_output_is_refused_and_stays(out: Path) -> None:
    out.write_bytes(b"old")
    with pytest.raises(OutputExists, match="force=True") as caught:
        PartFile(out, job="test")
    assert isinstance(caught.value, FileExistsError)
    assert caught.value.path == str(out)
    publish(out, force=True)
    assert out.read_bytes() == b"new"


def test_an_output_that_appeared_meanwhile_is_not_replaced(out: Path) -> None:
    part = PartFile(out, job="test")
    part.open(3)
    part.write(memoryview(b"new"), 0)
    out.write_bytes(b"of somebody else")
    with pytest.raises(OutputExists):
        part.commit()
    assert out.read_bytes() == b"of somebody else"
    assert part_files(out.parent) == []


def test_a_folder_in_place_of_the_output_or_none_to_hold_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder") as caught:
        PartFile(tmp_path, job="test")
    assert caught.value.errno == errno.EISDIR
    with pytest.raises(OutputError, match="create it first") as caught:
        PartFile(tmp_path / "nowhere" / "y", job="test")
    assert caught.value.errno == errno.ENOENT


def test_the_part_file_of_a_killed_run_is_swept_and_others_are_not(out: Path) -> None:
    (out.parent / ".y.bin.0123456789ab.part").write_bytes(b"orphan")
    (out.parent / ".y.bin.other.0123456789ab.part").write_bytes(b"of y.bin.other")
    (out.parent / ".z.bin.0123456789ab.part").write_bytes(b"of another output")
    (out.parent / "y.bin.part").write_bytes(b"the user's own")
    publish(out)
    assert sorted(item.name for item in out.parent.iterdir()) == [
        ".y.bin.other.0123456789ab.part",
        ".z.bin.0123456789ab.part",
        "y.bin",
        "y.bin.part",
    ]


def test_names_with_pattern_letters_sweep_their_own_orphans_only(tmp_path: Path) -> None:
    path = tmp_path / "y[1]*.bin"
    (tmp_path / ".y[1]*.bin.0123456789ab.part").write_bytes(b"orphan")
    (tmp_path / ".y1x.bin.0123456789ab.part").write_bytes(b"of another output")
    publish(path)
    assert part_files(tmp_path) == [".y1x.bin.0123456789ab.part"]


def test_two_runs_of_one_output_do_not_disturb_each_other(out: Path) -> None:
    first = PartFile(out, job="test", force=True)
    first.open(3)
    with pytest.raises(OutputExists, match="another run is writing"):
        PartFile(out, job="test", force=True).open(3)
    second = PartFile(out, job="other options", force=True)
    second.open(3)
    second.write(memoryview(b"two"), 0)
    first.write(memoryview(b"one"), 0)
    first.commit()
    assert out.read_bytes() == b"one"
    second.commit()
    assert out.read_bytes() == b"two"
    assert part_files(out.parent) == []


def test_a_sweep_spares_a_part_file_that_took_the_name_of_the_one_it_found(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = PartFile(out, job="same"), PartFile(out, job="same")
    old.open(None)
    real_open = os.open

    def open_late(path: Any, flags: int, *rest: Any) -> int:
        fd = real_open(path, flags, *rest)
        if Path(path).suffix == ".part":  # the sweep has found the old one: now it ends, and the new one begins
            monkeypatch.undo()
            old.abort()
            new.open(None)
            new.write(memoryview(b"new"), 0)
        return fd

    monkeypatch.setattr(os, "open", open_late)
    PartFile(out, job="another")._sweep()
    assert len(part_files(out.parent)) == 1
    new.commit()
    assert out.read_bytes() == b"new"


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_that_cannot_be_flushed_is_said_with_the_output_in_place(
    out: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    real_fsync = os.fsync

    def failing(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real_fsync(fd)

    monkeypatch.setattr(os, "fsync", failing)
    with (
        no_leaks(),
        pytest.raises(OutputError, match=r"is there and complete, but may not survive a power cut") as caught,
    ):
        publish(out, durable=True, force=force)
    assert caught.value.errno == errno.EIO
    assert out.read_bytes() == b"new"
    assert part_files(out.parent) == []


def test_a_lost_part_file_object_leaves_nothing(out: Path) -> None:
    part = PartFile(out, job="test")
    part.open(3)
    del part
    gc.collect()
    assert list(out.parent.iterdir()) == []


def test_a_forked_child_does_not_touch_the_part_file_of_its_parent(out: Path, run_victim: Callable[..., Any]) -> None:
    code = (
        "import gc, os, sys\n"
        "from headrace.core.publish import PartFile\n"
        "for how in ('drop', 'abort'):\n"
        "    part = PartFile(sys.argv[1], job='test', force=True)\n"
        "    part.open(3)\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        if how == 'abort':\n"
        "            part.abort()\n"
        "        del part\n"
        "        gc.collect()\n"
        "        os._exit(0)\n"
        "    print(os.waitpid(pid, 0)[1], len(os.listdir(os.path.dirname(sys.argv[1]))))\n"
        "    part.write(memoryview(b'new'), 0)\n"
        "    part.commit()\n"
    )
    folder = out.parent / "out"
    folder.mkdir()
    done = run_victim(code, folder / "y.bin")
    assert done.stdout.split() == ["0", "1", "0", "2"]
    assert (folder / "y.bin").read_bytes() == b"new"


def test_a_folder_that_may_not_be_written_is_said(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    part = PartFile(out, job="test")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match="cannot be created in") as caught:
        part.open(3)
    assert caught.value.errno == errno.EACCES


def test_a_planted_link_is_never_followed(out: Path) -> None:
    part = PartFile(out, job="test")
    part.open(None)
    (name,) = part_files(out.parent)
    part.abort()
    victim = out.parent / "precious"
    victim.write_bytes(b"precious")
    (out.parent / name).symlink_to(victim)
    with pytest.raises(OutputError):
        PartFile(out, job="test").open(3)
    assert victim.read_bytes() == b"precious"


def test_the_input_is_never_the_output_under_whatever_name(tmp_path: Path) -> None:
    path, link, hard = tmp_path / "x", tmp_path / "link", tmp_path / "hard"
    path.write_bytes(b"1")
    link.symlink_to(path)
    hard.hardlink_to(path)
    for name in (path, link, hard, tmp_path / "." / "x"):
        with pytest.raises(OutputError, match="is the input"):
            refuse_input_as_output(name, (str(path),))
    refuse_input_as_output(tmp_path / "y", (str(path),))


def test_a_change_of_the_working_folder_does_not_move_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meant, elsewhere = tmp_path / "meant", tmp_path / "elsewhere"
    meant.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(meant)

    def wander(x: np.ndarray) -> np.ndarray:
        os.chdir(elsewhere)
        return x

    flow = from_array(np.arange(100.0)).pipe(Map(wander, block=10))
    for name in ("y.npy", "../meant/z.npy"):
        monkeypatch.chdir(meant)
        flow.to_file(name)
    assert sorted(item.name for item in meant.iterdir()) == ["y.npy", "z.npy"]
    assert list(elsewhere.iterdir()) == []
    monkeypatch.chdir(meant)
    part = PartFile("v.bin", job="test")
    os.chdir(elsewhere)
    part.open(3)
    os.chdir(tmp_path)
    part.abort()
    assert [*elsewhere.iterdir(), *part_files(meant), *part_files(tmp_path)] == []


@pytest.mark.parametrize("force", [False, True])
def test_a_link_to_nothing_stays_and_its_target_appears(tmp_path: Path, force: bool) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "data").mkdir()
    link = tmp_path / "links" / "y.bin"
    link.symlink_to("../data/real.bin")
    publish(link, force=force)
    assert link.readlink() == Path("../data/real.bin")
    assert (tmp_path / "data" / "real.bin").read_bytes() == b"new"
    assert [item.name for folder in ("links", "data") for item in (tmp_path / folder).iterdir()] == [
        "y.bin",
        "real.bin",
    ]


def test_a_link_to_a_file_stays_and_its_target_is_replaced_with_force_only(tmp_path: Path) -> None:
    target, link = tmp_path / "real.bin", tmp_path / "y.bin"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with pytest.raises(OutputExists):
        publish(link)
    assert target.read_bytes() == b"old"
    publish(link, force=True)
    assert link.is_symlink()
    assert not target.is_symlink()
    assert target.read_bytes() == link.read_bytes() == b"new"
    assert part_files(tmp_path) == []


@pytest.mark.parametrize("suffix", [".bin", ".npy"])
def test_a_name_that_is_too_long_is_said_and_the_longest_works(tmp_path: Path, suffix: str) -> None:
    flow = from_array(np.arange(10.0)).pipe()
    for force in (False, True):
        with pytest.raises(OutputError) as caught:
            flow.to_file(tmp_path / ("y" * 296 + suffix), force=force)
        assert caught.value.errno == errno.ENAMETOOLONG
        assert list(tmp_path.iterdir()) == []
    longest = tmp_path / ("y" * 251 + suffix)
    flow.to_file(longest)
    assert list(tmp_path.iterdir()) == [longest]


@pytest.mark.parametrize("force", [False, True])
def test_a_device_or_pipe_is_never_replaced(tmp_path: Path, force: bool) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("/dev/null")
    for path in (Path("/dev/null"), pipe, link):
        with pytest.raises(OutputError, match="device, pipe or socket") as caught:
            PartFile(path, job="test", force=force)
        assert caught.value.errno == errno.EINVAL
    assert Path("/dev/null").is_char_device()
    assert pipe.is_fifo()
