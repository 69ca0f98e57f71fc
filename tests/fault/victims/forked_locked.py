"""Fork while another thread is inside headrace's critical sections, made long by holding their locks."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from headrace import BufferPool
from headrace.core.budget import Budget
from headrace.core.files import FileReader
from headrace.core.ring import Ring
from headrace.errors import ForkedError

path = Path(sys.argv[1]) / "x.bin"
path.write_bytes(bytes(4096))
reader, budget, pool = FileReader(path), Budget("1MB"), BufferPool("1MB")
ring = Ring(lambda item: item, range(100), threads=2, depth=2)
next(ring)


def read() -> None:
    reader.read_into(memoryview(bytearray(16)), 0)


def drop() -> None:
    global ring
    ring = None


def locks(thing: Any) -> list[Any]:
    """Give whatever locks an object has, however it names them."""
    held = [getattr(thing, name, None) for name in ("_lock", "changed")]
    state = getattr(thing, "_state", None)
    return [lock for lock in held if lock is not None] + (locks(state) if state is not None else [])


USES = {
    "a read": (reader, read),
    "a reservation": (budget, lambda: budget.try_reserve(1)),
    "a loan": (pool, lambda: pool.get((10,), np.uint8)),
    "an iteration": (ring, lambda: next(ring)),
    "an abandoned ring": (ring, drop),
}
for what, (thing, use) in USES.items():
    entered, leave = threading.Event(), threading.Event()

    def hold(thing: Any = thing, entered: threading.Event = entered, leave: threading.Event = leave) -> None:
        for lock in locks(thing):
            lock.__enter__()
        entered.set()
        leave.wait()
        for lock in locks(thing):
            lock.__exit__(None, None, None)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait()
    pid = os.fork()
    if pid == 0:
        signal.alarm(3)
        try:
            del thing
            USES.clear()
            use()
        except ForkedError:
            pass
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    leave.set()
    holder.join()
    if code:
        sys.stdout.write(f"{what} in a forked child ended with {code} (-14: it hung)\n")
sys.stdout.write("ok\n")
