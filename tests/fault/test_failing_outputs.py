"""Whatever goes wrong with an output, it is absent or whole, and nothing else is left in its folder."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.errors import OutputError
from headrace.signals import Scale, from_array
from headrace.testing.faults import part_files

if TYPE_CHECKING:
    from collections.abc import Callable

VICTIMS = Path(__file__).parent / "victims"
X = np.arange(4000, dtype=np.float32)
CALLS = ("open", "posix_fallocate", "pwrite", "ftruncate", "fsync", "link", "unlink", "replace", "rename")


class FailAt:
    """Count the calls that touch a folder, and fail the n-th of one kind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.folder = str(folder)
        self.name, self.at, self.code = "", -1, 0
        self.counts: dict[str, int] = {}
        for name in CALLS:
            monkeypatch.setattr(os, name, self.wrap(name, getattr(os, name)))

    def wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(first: Any, *args: Any, **options: Any) -> Any:
            path = Path(f"/proc/self/fd/{first}").readlink() if isinstance(first, int) else os.fspath(first)
            if str(path).startswith(self.folder):
                number = self.counts[name] = self.counts.get(name, 0) + 1
                if (name, number) == (self.name, self.at):
                    raise OSError(self.code, os.strerror(self.code))
            return real(first, *args, **options)

        return call

    def arm(self, name: str, at: int, code: int) -> None:
        self.name, self.at, self.code = name, at, code
        self.counts.clear()


def write(path: Path, *, force: bool) -> None:
    from_array(X).pipe(Scale(2.0)).to_file(path, force=force, durable=True, chunk=500, threads=2)


@pytest.mark.parametrize("force", [False, True], ids=["new", "replaced"])
@pytest.mark.parametrize("orphan", [False, True], ids=["clean folder", "orphan there"])
def test_any_one_failing_call_leaves_the_output_absent_or_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool, orphan: bool
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    path, old, new = folder / "y.f32", b"old", (X * 2).tobytes()
    faults = FailAt(monkeypatch, folder)

    def prepare() -> None:
        for item in folder.iterdir():
            item.unlink()
        if force:
            path.write_bytes(old)
        if orphan:
            (folder / f".{path.name}.0123456789ab.part").write_bytes(b"of a killed run")

    prepare()
    faults.arm("", 0, 0)
    write(path, force=force)
    calls = dict(faults.counts)
    assert calls["pwrite"] >= 8
    for name, total in calls.items():
        for at in range(1, total + 1):
            for code in (errno.EIO, errno.ENOSPC, errno.EINTR):
                faults.arm("", 0, 0)
                prepare()
                faults.arm(name, at, code)
                what = f"{name} number {at} failed with {errno.errorcode[code]}"
                error = None
                try:
                    write(path, force=force)
                except OutputError as raised:
                    error = raised
                found = path.read_bytes() if path.exists() else None
                if error is None:
                    assert found == new, what
                else:
                    assert (error.path, error.errno) == (str(path), code), what
                    assert str(path) in str(error), what
                    # The folder is opened and synced after the rename; whatever else fails, fails before.
                    late = (new,) if name in ("fsync", "open") else ()
                    assert found in (old if force else None, *late), what
                faults.arm("", 0, 0)
                write(path, force=True)
                assert path.read_bytes() == new
                assert part_files(folder) == [], what


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to inject errors into system calls")
def test_errors_of_the_kernel_itself_are_said_or_overcome(tmp_path: Path, victim_env: dict[str, str]) -> None:
    probe = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"strace may not trace here: {probe.stderr.decode()[:100]}")
    path = tmp_path / "y.f32"
    code = (
        "import sys, numpy, headrace\n"
        "from headrace.errors import OutputError\n"
        "rec = headrace.signals.from_array(numpy.arange(4000, dtype='float32'))\n"
        "try:\n"
        "    rec.pipe(headrace.signals.Scale(2.0)).to_file(sys.argv[1], chunk=500, threads=2)\n"
        "except OutputError as error:\n"
        "    print(error.errno)\n"
    )
    names: list[str] = []
    rec = from_array(X)
    rec.pipe(Scale(2.0)).to_file(path, progress=lambda *_: names.extend(part_files(tmp_path)))
    path.unlink()
    part = tmp_path / names[0]
    interrupted = [(call, "EINTR", when) for call in ("pwrite64", "fallocate") for when in (1, 2)]
    failing = [("pwrite64", "EIO", 3), ("fallocate", "ENOSPC", 1), ("link,linkat", "EIO", 1)]
    for call, code_name, when in (*failing, *interrupted):
        path.unlink(missing_ok=True)
        trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(part), "-e", f"trace={call}"]
        done = subprocess.run(
            [*trace, "-e", f"inject={call}:error={code_name}:when={when}", sys.executable, "-c", code, str(path)],
            env=victim_env,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        # A file system without hard links: renamed instead. A call that a signal cut short: made again.
        if call.startswith("link") or code_name == "EINTR":
            assert done.stdout == ""
            assert path.read_bytes() == (X * 2).tobytes()
        else:
            assert done.stdout.split() == [str(getattr(errno, code_name))]
            assert not path.exists()
        assert part_files(tmp_path) == []


def test_a_full_file_system_is_said_before_the_work_and_leaves_the_old_output(
    tmp_path: Path, count: Callable[[int, int], int], run_victim: Callable[..., Any]
) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a small file system of one's own takes root and unshare")
    probe = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", str(tmp_path)], capture_output=True, check=False
    )
    if probe.returncode:
        pytest.skip(f"no private mounts here: {probe.stderr.decode()[:100]}")
    mount = f'mount -t tmpfs -o size=4m none {tmp_path} && exec "$@"'
    rounds = count(50, 1000)
    done = run_victim(VICTIMS / "full_disk.py", tmp_path, rounds, prefix=("unshare", "-m", "sh", "-c", mount, "sh"))
    assert done.stdout.split() == ["refused", str(rounds)]


def test_a_file_size_limit_is_an_output_error_and_leaves_the_old_output(
    tmp_path: Path, count: Callable[[int, int], int], run_victim: Callable[..., Any]
) -> None:
    rounds = count(50, 1000)
    done = run_victim(VICTIMS / "full_disk.py", tmp_path, rounds, 1_000_000)
    assert done.stdout.split() == ["refused", str(rounds)]


def test_a_killed_run_leaves_no_output_and_the_next_run_sweeps_its_part_file(
    tmp_path: Path, count: Callable[[int, int], int], run_victim: Callable[..., Any], dice: Any
) -> None:
    done = run_victim(VICTIMS / "interrupted.py", "KILL", tmp_path, count(20, 300), dice.randrange(2**31))
    assert done.stdout.startswith("ok "), done.stdout
