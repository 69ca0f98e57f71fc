"""Truncate a file between opening it and viewing it, many times; a SIGBUS would end this process."""

import random
import sys
from pathlib import Path

from headrace.errors import SourceChanged
from headrace.signals import open as open_recording

path, rounds, dice = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
contents = path.read_bytes()
refused = 0
for _ in range(rounds):
    path.write_bytes(contents)
    with open_recording(path, dtype="float32", n_channels=2) as rec:
        before = rec.view(0, 10)
        if dice.random() < 0.5:
            with path.open("r+b") as file:
                file.truncate(dice.randrange(len(contents)))
        else:
            path.unlink()
            path.write_bytes(contents[: dice.randrange(1, len(contents))])
        try:
            float(rec.view().sum())
        except SourceChanged:
            refused += 1
        del before
sys.stdout.write(f"refused {refused}\n")
