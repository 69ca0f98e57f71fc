"""Write outputs that do not fit, in the folder argv[1], argv[2] times; argv[3], if given, limits the size of files."""

import resource
import sys
from pathlib import Path

import numpy as np

from headrace.errors import OutputError
from headrace.signals import Scale, from_array, from_iter

folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
if len(sys.argv) > 3:
    limit = int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
old = b"an older output"
big = np.arange(2_000_000, dtype=np.float32)
refused = 0
for number in range(rounds):
    path = folder / f"y{number}.npy"
    force = number % 2 == 0
    if force:
        path.write_bytes(old)
    # A known length is refused when space is reserved, an unknown one when a write fails.
    rec = from_array(big) if number % 3 else from_iter(np.split(big, 8))
    try:
        rec.pipe(Scale(2.0)).to_file(path, force=force, threads=1 + number % 3)
    except OutputError as error:
        refused += error.errno in (27, 28) and str(path) in str(error)
    left = sorted(item.name for item in folder.iterdir())
    if left != ([path.name] if force else []) or (force and path.read_bytes() != old):
        raise SystemExit(f"round {number}: found {left}")
    path.unlink(missing_ok=True)
sys.stdout.write(f"refused {refused}\n")
