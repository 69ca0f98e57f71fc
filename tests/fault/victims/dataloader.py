"""Read one open recording, and run flows on it, in the workers of a torch DataLoader; print what arrived.

python dataloader.py {fork,spawn,forkserver} RECORDING ROUNDS
"""

import multiprocessing
import sys

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from headrace.signals import Fir, Recording
from headrace.signals import open as open_recording

WINDOW = 500


class Windows(Dataset[torch.Tensor]):
    """Windows of a recording, filtered: what a user writes first."""

    def __init__(self, rec: Recording) -> None:
        self.rec = rec

    def __len__(self) -> int:
        assert self.rec.n_samples is not None
        return self.rec.n_samples // WINDOW

    def __getitem__(self, index: int) -> torch.Tensor:
        window = self.rec[index * WINDOW : (index + 1) * WINDOW]
        return torch.from_numpy(window.pipe(Fir(np.ones(5))).to_array(threads=2, chunk=100))


def main() -> None:
    method, path, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    multiprocessing.set_forkserver_preload(["torch"])
    with open_recording(path) as rec:
        for number in range(rounds):
            busy = rec.pipe(Fir(np.ones(5))).chunks(chunk=200, threads=2)  # threads at work while workers start
            next(busy)
            loader = DataLoader(
                Windows(rec), batch_size=2, num_workers=2, multiprocessing_context=method, timeout=60, shuffle=False
            )
            batches = iter(loader)
            if number % 2:  # left in the middle
                next(batches)
                del batches
                busy.close()
                continue
            total = sum(float(batch.double().sum()) for batch in batches)
            busy.close()
            sys.stdout.write(f"{total!r}\n")
    sys.stdout.write("ok\n")


if __name__ == "__main__":
    main()
