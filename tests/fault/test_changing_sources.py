"""A source that shrinks, vanishes, changes or fails during a run: a typed error, never a wrong sample.

The expected samples are in the test's memory, the victim has only the file.
"""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.core.flow import SampleFlow
from headrace.errors import SourceChanged, SourceIOError
from headrace.signals import Fir, Recording, Scale
from headrace.signals import open as open_recording
from headrace.testing.faults import TriggeredSource, part_files, regrow, rewrite, truncate

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

CHUNK, CHUNKS = 500, 60
N = CHUNK * CHUNKS
THREADS = 2
VICTIMS = Path(__file__).parent / "victims"


@pytest.fixture
def samples(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(1, 2, (N, 2)).astype(np.float32)  # never zero, so that a hole shows


@pytest.fixture
def source(tmp_path: Path, samples: np.ndarray) -> Path:
    path = tmp_path / "in" / "x.bin"
    path.parent.mkdir()
    samples.tofile(path)
    return path


def opened(path: Path) -> Recording:
    return open_recording(path, dtype="float32", n_channels=2)


def restore(path: Path, samples: np.ndarray) -> None:
    path.unlink(missing_ok=True)
    samples.tofile(path)


def damage(path: Path, dice: random.Random, samples: np.ndarray, kind: str) -> None:
    size = path.stat().st_size
    if kind == "truncate":
        truncate(path, dice.randrange(size))
    elif kind == "truncate inside the last page":
        truncate(path, size - dice.randrange(1, 4))
    elif kind == "truncate and regrow":
        regrow(path, dice.randrange(size))
    else:
        rewrite(path, dice.randrange(size - 8), b"\0" * 8)


KINDS = ("truncate", "truncate inside the last page", "truncate and regrow", "rewrite in place")


@pytest.mark.parametrize("kind", KINDS)
def test_iteration_ends_with_source_changed_and_no_chunk_is_wrong(
    source: Path,
    samples: np.ndarray,
    dice: random.Random,
    count: Callable[[int, int], int],
    kind: str,
) -> None:
    for _ in range(count(34, 700)):
        restore(source, samples)
        at = dice.randrange(CHUNKS)
        last = -1
        changed = None
        with opened(source) as rec, rec.pipe().chunks(chunk=CHUNK, threads=THREADS, memory="8MB") as chunks:
            try:
                for last, chunk in enumerate(chunks):
                    assert chunk.array.tobytes() == samples[chunk.start : chunk.stop].tobytes()
                    del chunk
                    if last == at:
                        damage(source, dice, samples, kind)
            except SourceChanged as error:
                changed = error
        if changed is None:
            assert at >= CHUNKS - THREADS - 3, "what was read ahead of the damage was not all there was"
            assert last == CHUNKS - 1
        else:
            assert last - at <= THREADS + 2, "more chunks came than were under way"
            assert changed.path == str(source)
            assert "open it again" in str(changed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_never_made_of_a_source_that_changed(
    source: Path,
    samples: np.ndarray,
    tmp_path: Path,
    dice: random.Random,
    count: Callable[[int, int], int],
    kind: str,
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for _ in range(count(34, 700)):
        restore(source, samples)
        with opened(source) as rec:
            faulty = TriggeredSource(rec.source, dice.randrange(CHUNKS), lambda: damage(source, dice, samples, kind))
            with pytest.raises(SourceChanged):
                SampleFlow(faulty, (Scale(2.0),)).to_file(out / "y.npy", chunk=CHUNK, threads=THREADS)
        assert list(out.iterdir()) == []


def test_a_view_of_a_file_that_shrank_is_refused_and_never_kills(
    source: Path, count: Callable[[int, int], int], dice: random.Random, run_victim: Callable[..., Any]
) -> None:
    rounds = count(34, 700)
    done = run_victim(VICTIMS / "shrinking_view.py", source, rounds, dice.randrange(2**31))
    assert done.stdout.split() == ["refused", str(rounds)]


def test_a_file_replaced_by_rename_goes_on_as_it_was(source: Path, samples: np.ndarray) -> None:
    with opened(source) as rec, rec.pipe().chunks(chunk=CHUNK, threads=THREADS) as chunks:
        parts = [next(chunks).array.copy()]
        (source.parent / "new").write_bytes(bytes(source.stat().st_size))
        (source.parent / "new").rename(source)
        parts += [chunk.array.copy() for chunk in chunks]
        assert np.concatenate(parts).tobytes() == samples.tobytes()


@pytest.mark.parametrize("threads", [1, 3])
def test_a_failing_read_reaches_the_caller_as_it_is(
    source: Path, tmp_path: Path, dice: random.Random, count: Callable[[int, int], int], threads: int
) -> None:
    for _ in range(count(25, 250)):
        raised = SourceIOError("the disk is gone", path=str(source), offset=4096, errno=errno.EIO)

        def fail(error: SourceIOError = raised) -> None:
            raise error

        with opened(source) as rec:
            flow = SampleFlow(TriggeredSource(rec.source, dice.randrange(CHUNKS), fail), (Fir(np.ones(9)),))
            with pytest.raises(SourceIOError) as caught:
                flow.to_file(tmp_path / "y.npy", chunk=CHUNK, threads=threads)
            assert caught.value is raised
        assert part_files(tmp_path) == []
        assert not (tmp_path / "y.npy").exists()


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to inject errors into system calls")
def test_an_input_error_of_the_kernel_names_path_and_offset(
    source: Path, dice: random.Random, count: Callable[[int, int], int], victim_env: dict[str, str]
) -> None:
    probe = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"strace may not trace here: {probe.stderr.decode()[:100]}")
    code = (
        "import sys, headrace\n"
        "from headrace.errors import SourceIOError\n"
        "rec = headrace.signals.open(sys.argv[1], dtype='float32', n_channels=2)\n"
        "try:\n"
        "    rec.pipe().run(chunk=500, threads=1, executor='serial')\n"
        "except SourceIOError as error:\n"
        "    print(error.errno, error.offset, error.path == sys.argv[1], *error.span)\n"
    )
    for _ in range(count(3, 50)):
        at = dice.randrange(1, CHUNKS + 1)  # beside the one read that looks for a header
        inject = ["-e", "trace=preadv,preadv2", "-e", f"inject=preadv,preadv2:error=EIO:when={at + 1}"]
        done = subprocess.run(
            [
                "strace",
                "-f",
                "-qq",
                "-P",
                str(source),
                *inject,
                "-o",
                "/dev/null",
                sys.executable,
                "-c",
                code,
                str(source),
            ],
            env=victim_env,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        start = (at - 1) * CHUNK
        assert done.stdout.split() == [str(errno.EIO), str(start * 8), "True", str(start), str(start + CHUNK)]
