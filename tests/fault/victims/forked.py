"""Fork again and again while threads run flows; in each child, use what the parent had in hand."""

import gc
import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np

from headrace import BufferPool
from headrace.core.budget import Budget
from headrace.errors import ForkedError
from headrace.signals import Fir, from_array
from headrace.signals import open as open_recording

folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
sys.setswitchinterval(1e-5)  # many switches in the middle of things
x = np.arange(60_000, dtype=np.float32)
np.save(folder / "x.npy", x)
rec = open_recording(folder / "x.npy")
shared, pool = Budget("64MB"), BufferPool("4MB")
stop = threading.Event()


def busy() -> None:
    while not stop.is_set():
        rec[:20_000].pipe(Fir(np.ones(5))).run(memory=shared, threads=2, chunk=3000)
        pool.get((100,), "float32")
        np.asarray(rec[:100])


def child(chunks: object, how: int) -> None:
    signal.alarm(10)  # the default action ends a child that hangs
    try:
        next(chunks)  # type: ignore[call-overload]
    except ForkedError:
        pass
    else:
        os._exit(3)
    for use in (
        lambda: np.asarray(rec[5:50]),
        lambda: pool.get((100,), "float32"),
        lambda: rec[:9000].pipe(Fir(np.ones(5))).to_array(memory=shared),
    ):
        try:
            use()
        except ForkedError:
            continue
    found = from_array(x[:9000]).pipe(Fir(np.ones(5))).to_array(threads=2, chunk=500)
    if abs(float(found[100]) - 500.0) > 1e-3:
        os._exit(4)
    del chunks
    gc.collect()
    if how:
        os._exit(0)


threads = [threading.Thread(target=busy, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
for number in range(rounds):
    chunks = rec.pipe(Fir(np.ones(5))).chunks(chunk=1000, threads=2)
    next(chunks)
    pid = os.fork()
    if pid == 0:
        child(chunks, number % 2)
        sys.exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise SystemExit(f"round {number}: the child ended with {code} (-14: it hung)")
    chunks.close()
stop.set()
for thread in threads:
    thread.join()
sys.stdout.write(f"ok {rounds}\n")
