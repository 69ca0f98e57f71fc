"""Fork children that filter a file to a file, and send each a signal at a random moment.

The parent holds no thread when it forks, so each child is as good as a fresh interpreter, without its start-up time.
It ends as an interpreter does: by itself, through all exit handlers.
"""

import faulthandler
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

import numpy as np

from headrace.core.push import PushEngine  # noqa: F401 - loaded before the fork, so that each child starts at once
from headrace.signals import EVENT, Fir, Map, Scale, SosFiltFilt, Threshold
from headrace.signals import open as open_recording
from headrace.testing import CumulativeSum

sent = getattr(signal, f"SIG{sys.argv[1]}")
folder, rounds, seed = Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
dice = random.Random(seed)
source, out = folder / "x.i16", folder / "out"
out.mkdir()
np.random.default_rng(seed).integers(-9, 9, 4_000_000, np.int16).tofile(source)
SIZE = 128 + 4_000_000 * 4
SOS = [[0.2, 0.4, 0.2, 1, -0.3, 0.1], [1, -2, 1, 1, -1.2, 0.5]]
FLOWS = (
    ("threads", 1, (Fir(np.ones(200)),)),
    ("serial", 1, (Scale(2.0), Fir(np.ones(200)))),
    ("threads", 1, (Map(lambda x: x * 2.0, dtype="float32"), Fir(np.ones(50)))),
    ("threads", 1, (Fir(np.ones(99)), CumulativeSum(), Map(lambda x: x, dtype="float32"))),
    ("threads", 1, (SosFiltFilt(SOS), Scale(2.0))),
    ("threads", 1, (SosFiltFilt(SOS), Fir(np.ones(9)))),
    ("threads", 64, (SosFiltFilt(SOS * 3),)),  # enough channels for both threads to filter some
    ("threads", 1, (Fir(np.ones(9)), Threshold(2.0, block=50_000))),
)


def finds_events(number: int) -> bool:
    return isinstance(FLOWS[number % len(FLOWS)][-1][-1], Threshold)


def whole(number: int) -> bool:
    """Whether a published output is all there."""
    if finds_events(number):
        return bool(np.load(out / "y.npy").dtype == EVENT)
    return (out / "y.npy").stat().st_size >= SIZE


def child(ready: int, number: int) -> None:
    executor, channels, operators = FLOWS[number % len(FLOWS)]
    with open_recording(source, dtype="int16", n_channels=channels) as rec:
        if finds_events(number):
            table = rec.pipe(*operators[:-1]).detect(operators[-1])
            os.write(ready, b"!")
            table.to_file(out / "y.npy", executor=executor, threads=2, memory="16MB")
            return
        flow = rec.pipe(*operators)
        os.write(ready, b"!")
        flow.to_file(out / "y.npy", executor=executor, threads=2, memory="16MB")


def end(pid: int, deadline: float) -> int | None:
    """Wait for a child; None if it hangs."""
    handle = os.pidfd_open(pid)
    try:
        ended, _, _ = select.select([handle], [], [], deadline)
    finally:
        os.close(handle)
    if not ended:
        os.kill(pid, signal.SIGUSR1)  # show where it hangs
        time.sleep(0.2)
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    return os.waitstatus_to_exitcode(status) if ended else None


codes: dict[int, int] = {}
slowest = 0.0
for number in range(rounds):
    receive, ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        faulthandler.register(signal.SIGUSR1, all_threads=True)
        child(ready, number)
        sys.exit(0)
    os.read(receive, 1)
    os.close(receive)
    os.close(ready)
    # The first milliseconds are where threads start and files are created.
    time.sleep(dice.uniform(0, 0.02) if dice.random() < 0.6 else dice.uniform(0, 0.3))
    before = time.monotonic()
    os.kill(pid, sent)
    code = end(pid, 2.0)
    slowest = max(slowest, time.monotonic() - before)
    left = sorted(item.name for item in out.iterdir())
    if code is None:
        raise SystemExit(f"round {number}: hung for 2 s after the signal\n{(folder / 'stderr').read_text()[-3000:]}")
    codes[code] = codes.get(code, 0) + 1
    allowed = (0, -sent, 130)
    if code not in allowed:
        raise SystemExit(f"round {number}: ended with {code}\n{(folder / 'stderr').read_text()[-3000:]}")
    if "y.npy" in left and not whole(number):
        raise SystemExit(f"round {number}: a cut output was published")
    parts = [name for name in left if name.endswith(".part")]
    if sent != signal.SIGKILL and parts:
        raise SystemExit(f"round {number}: left {parts} behind, exit code {code}")
    (out / "y.npy").unlink(missing_ok=True)
    if sent == signal.SIGKILL:
        with open_recording(source, dtype="int16") as rec:
            rec[:1000].pipe(Scale(2.0)).to_file(out / "y.npy")
        left = [item.name for item in out.iterdir()]
        if left != ["y.npy"]:
            raise SystemExit(f"round {number}: the next run left {left}")
        (out / "y.npy").unlink()
sys.stdout.write(f"ok {codes} slowest {slowest:.3f} s\n")
