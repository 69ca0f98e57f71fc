"""Filter a file in a spawned worker; print the sum."""

import multiprocessing
import sys

import numpy as np

from headrace.signals import Fir
from headrace.signals import open as open_recording


def work(path: str) -> float:
    with open_recording(path) as rec:
        return float(rec.pipe(Fir(np.ones(9))).to_array(threads=2).astype(np.float64).sum())


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        sys.stdout.write(f"{pool.apply(work, (sys.argv[1],))!r}\n")
