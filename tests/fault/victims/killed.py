"""Fork children that write a resumable output, and kill each at some moment; the last one finishes it.

The parent holds no thread when it forks, so each child is as good as a fresh interpreter, without its start-up time.
Some are killed before the n-th change to any of the files, after it, or in the middle of a write, which hits every
phase; the others at a random time. With a fault put in on purpose (argv[4]) some output, of flows with argv[5] in
their name, must have other bytes.
"""

import os
import random
import select
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from headrace import _native
from headrace.core import cascade, outcome_log, prepare, rowstore, run_journal
from headrace.core.unbroken import Unbroken
from headrace.signals import (
    Fft,
    Fir,
    Map,
    MatchedFilter,
    MedianFilter,
    Resample,
    Scale,
    SosFilt,
    SosFiltFilt,
    Spectrogram,
    Threshold,
    concat,
)
from headrace.signals import open as open_recording
from headrace.signals.fft import bluestein, four_step
from headrace.testing import CumulativeSum, DoubleSum, WindowSums

# Narrow regions, which soon take the place of what is done with, as those of long signals do.
for module, rows in ((four_step, four_step._SecondPass), (bluestein, bluestein._Product)):
    module.AHEAD = rows.ahead = 3  # type: ignore[attr-defined]
    module.side_for = lambda *_: 16  # type: ignore[attr-defined]

folder, rounds, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
dice = random.Random(seed)
source, out, spare = folder / "x.i16", folder / "out", folder / "tmp"
out.mkdir()
spare.mkdir()
np.random.default_rng(seed).integers(-900, 900, 80_000, np.int16).tofile(source)
SOS = [[0.2, 0.4, 0.2, 1, -0.3, 0.1], [1, -2, 1, 1, -1.2, 0.5]]
ONES = np.ones(30) / 30
TEMPLATE = np.sin(np.arange(20.0))[np.newaxis]
FLOWS: dict[str, Any] = {
    "windowed": lambda rec: rec.pipe(Fir(ONES), Map(lambda x: x * 2.5, block=999)),
    "another rate": lambda rec: rec.pipe(Resample(3, 2)),
    "stateful": lambda rec: rec.pipe(SosFilt(SOS)),
    "stateful in a row": lambda rec: rec.pipe(Fir(ONES), SosFilt(SOS), Fir(np.ones(101)), CumulativeSum()),
    "two-way": lambda rec: rec.pipe(DoubleSum(512), Scale(1 / 7)),
    "zero-phase": lambda rec: rec.pipe(SosFiltFilt(SOS), Scale(1 / 7)),
    "two-way, then windowed": lambda rec: rec.pipe(DoubleSum(512), Fir(ONES)),
    "two-way, then stateful": lambda rec: rec.pipe(DoubleSum(512), CumulativeSum()),
    "two-way twice": lambda rec: rec.pipe(DoubleSum(512), DoubleSum(256), Fir(ONES)),
    "transform": lambda rec: rec[:, 0].pipe(Fft(300_000)),
    "short transform": lambda rec: rec[:, 0].pipe(Fir(ONES), Fft(20_000), Scale(0.5)),
    "transform of a prime length": lambda rec: rec[:, 0].pipe(Fft(100_003), Scale(0.5)),
    "transform of a filtered signal": lambda rec: rec[:, 1].pipe(SosFilt(SOS), Fft(300_000), Map(abs, dtype="float64")),
    "running median": lambda rec: rec.pipe(MedianFilter(99)),
    "short-time spectra": lambda rec: rec.pipe(Spectrogram(64, 32)),
    "power spectrum": lambda rec: rec.psd(nperseg=64, average="median"),
    "templates": lambda rec: rec.detect(MatchedFilter(TEMPLATE, 0.4)),
    "events": lambda rec: rec.pipe(Fir(ONES)).detect(Threshold(1.0, block=3000, merge_gap=3)),
    "events of a stateful row": lambda rec: rec.pipe(SosFilt(SOS), Fir(ONES)).detect(Threshold(1.0, block=3000)),
    "features": lambda rec: rec.pipe(Scale(2)).features("rms", "peak", length=700, hop=300),
    "windows of a stateful row": lambda rec: rec.pipe(CumulativeSum()).tabulate(WindowSums(1500, 700)),
    "windows of a two-way row": lambda rec: rec.pipe(DoubleSum(512)).tabulate(WindowSums(1500, 700)),
}
TABLES = {
    "power spectrum",
    "templates",
    "events",
    "events of a stateful row",
    "features",
    "windows of a stateful row",
    "windows of a two-way row",
}
WIDE = {"power spectrum", "templates"}
WHOLE = {"transform", "short transform", "transform of a prime length", "transform of a filtered signal"}


def flow_of(name: str, gaps: bool) -> Any:
    rec = open_recording(source, dtype="int16", n_channels=4, fs=1000)
    cut = gaps and name not in WHOLE
    return FLOWS[name](concat([rec[:7000], rec[7000:9001], rec[9001:]], contiguous=False) if cut else rec)


def claim_more() -> None:
    """Count as done what is not: the piece behind."""
    add = Unbroken.add

    def more(self: Any, start: int, then: int, value: Any) -> Any:
        yield from add(self, start, then, value)
        self.at += (then - start) // 2

    Unbroken.add = more  # type: ignore[method-assign]


def forget_state() -> None:
    """Go on from the state of the start."""
    restore = cascade._Feed.restore

    def forgetful(self: Any, position: int, kept: Any) -> None:
        restore(self, position, (kept[0], self._state, kept[2]))

    cascade._Feed.restore = forgetful  # type: ignore[method-assign]


def skip_rows() -> None:
    """Lose rows of states on their way to the file."""
    rowstore.RowStore.__setitem__ = lambda *_: None  # type: ignore[method-assign, assignment]


def lose_outcomes() -> None:
    """Claim a block before its outcome is written."""
    add = outcome_log.OutcomeLog.add
    outcome_log.OutcomeLog.add = lambda self, outcome: outcome.span.start % 9000 and add(self, outcome)  # type: ignore


def claim_seldom() -> None:
    """Let regions take the place of others that no claim has done with."""
    claim = prepare.Preparation._claim

    def seldom(self: Any, passes: int, units: int, *, now: bool) -> Any:
        return claim(self, passes, units, now=now) if units % 80 == 0 else {}

    prepare.Preparation._claim = seldom  # type: ignore[method-assign]


FAULTS = {fault.__name__: fault for fault in (claim_more, claim_seldom, forget_state, skip_rows, lose_outcomes)}
fault = FAULTS[sys.argv[4]] if len(sys.argv) > 4 else None
if fault is not None:
    FLOWS = {name: flow for name, flow in FLOWS.items() if sys.argv[5] in name}


def options_of(name: str) -> dict[str, Any]:
    """Choose what must not matter."""
    chosen: dict[str, Any] = {
        "memory": dice.choice(["20MB" if name in WIDE else "8MB", "24MB", "64MB"]),
        "threads": dice.randrange(1, 4),
        "executor": dice.choice(["threads", "threads", "serial"]),
    }
    if dice.random() < 0.5:
        chosen["tmp"] = spare
    if name not in TABLES:
        if name not in WHOLE:
            chosen["out_dtype"] = "int16"
        if dice.random() < 0.7:
            chosen["chunk"] = dice.choice([997, 2048, 5000])
    return chosen


def die_at(number: int, torn: float) -> None:
    """See that this process ends at its n-th change to any file: before it, after it, or in the middle of a write."""
    left = number

    def dying(change: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                if torn and change is pwrite:
                    pwrite(args[0], args[1][: int(torn * len(args[1]))], args[2])
                elif torn == 1:
                    change(*args, **options)
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*args, **options)

        return call

    pwrite, write_rows = os.pwrite, _native.write_rows

    def dying_rows(fd: int, offset: int, stride: int, rows: Any) -> int:
        nonlocal left
        left -= 1
        if left == 0:
            write_rows(fd, offset, stride, rows[: round(torn * len(rows))])
            os.kill(os.getpid(), signal.SIGKILL)
        return write_rows(fd, offset, stride, rows)

    _native.write_rows = dying_rows
    for name in ("pwrite", "unlink", "link", "replace", "ftruncate", "posix_fallocate"):
        setattr(os, name, dying(getattr(os, name)))


def child(name: str, gaps: bool, options: dict[str, Any], kill: tuple[int, float] | None, tell: int) -> None:
    code = 1
    try:
        run_journal._EVERY_S = run_journal._COST = 0
        if fault is not None:
            fault()
        if dice.random() < 0.3:
            run_journal._COMPACT_BYTES, run_journal._COMPACT_FACTOR = 1000, 2
        if kill is not None:
            die_at(*kill)
        published = (out / "y.npy").exists()  # by a run that was killed on its last steps
        report = flow_of(name, gaps).to_file(out / "y.npy", resume=True, force=published, **options)
        os.write(tell, b"resumed" if report.n_resumed else b"whole")
        code = 0
    except BaseException:  # noqa: BLE001 - shown, and told by the exit code
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def run(name: str, gaps: bool, kill: tuple[int, float] | None, after_s: float | None) -> str:
    """Run a child; say how it ended."""
    options = options_of(name)
    dice.random()
    listen, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        child(name, gaps, options, kill, tell)
    os.close(tell)
    if after_s is not None and not select.select([listen], [], [], after_s)[0]:
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    said = os.read(listen, 100).decode()
    os.close(listen)
    if status not in (0, signal.SIGKILL):
        raise SystemExit(f"{name}, gaps={gaps}, {options}, {kill}: status {status}")
    return said or "killed"


def hidden() -> list[str]:
    return sorted(path.name for place in (out, spare) for path in place.iterdir() if path.name != "y.npy")


def whole(name: str, gaps: bool) -> tuple[bytes, float]:
    """Give what an uninterrupted run writes, and the seconds it takes."""
    begun = time.perf_counter()
    flow_of(name, gaps).to_file(
        folder / "want.npy", force=True, **({} if name in TABLES | WHOLE else {"out_dtype": "int16"})
    )
    return (folder / "want.npy").read_bytes(), time.perf_counter() - begun


seen: Counter[str] = Counter()
writes: dict[tuple[str, bool], int] = {}
known: dict[tuple[str, bool], tuple[bytes, float]] = {}
number = 0
while seen["killed"] < rounds:
    name, gaps = list(FLOWS)[number % len(FLOWS)], number // len(FLOWS) % 2 == 1
    number += 1
    wanted, seconds = known.setdefault((name, gaps), known.get((name, gaps)) or whole(name, gaps))
    at = dice.randrange(1, 4 + writes.get((name, gaps), 40))
    while True:
        timed = dice.random() < 0.25
        kill = None if timed else (at, dice.choice([0.0, 0.5, 1.0]))
        ended = run(name, gaps, kill, dice.uniform(0, 2 * seconds + 0.01) if timed else None)
        seen[ended] += 1
        if ended != "killed":
            break
        if (out / "y.npy").exists() and (out / "y.npy").read_bytes() != wanted:
            raise SystemExit(f"{name}, gaps={gaps}: published other bytes, {kill}")
        at = dice.randrange(1, 2 * at + 10)
    writes[name, gaps] = max(at, writes.get((name, gaps), 0)) if ended == "resumed" else at
    if (out / "y.npy").read_bytes() != wanted:
        raise SystemExit(f"{name}, gaps={gaps}: other bytes, after {seen}")
    if hidden():
        raise SystemExit(f"{name}, gaps={gaps}: left behind {hidden()}")
    (out / "y.npy").unlink()
if seen["resumed"] < (seen["resumed"] + seen["whole"]) // 5:
    raise SystemExit(f"too few were resumed: {seen}")
sys.stdout.write(f"ok {seen['killed']} killed, {seen['resumed']} resumed\n")
