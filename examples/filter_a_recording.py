"""Filter a recording that does not fit into its budget, and see that the answer is the whole-array one.

    python examples/filter_a_recording.py

Makes a recording of 20 s of 16 channels, low-passes it from file to file in 8 MB, and compares a stretch with NumPy.
"""

import tempfile
from pathlib import Path

import numpy as np

from headrace import signals

FS = 20_000


def main() -> None:
    taps = np.hanning(201) / np.hanning(201).sum()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "recording.bin", Path(folder) / "smooth.npy"
        noise = np.random.default_rng(0).integers(-1000, 1000, (20 * FS, 16), np.int16)
        noise.tofile(source)

        with signals.open(source, dtype="int16", n_channels=16, fs=FS, scale=0.195, units="uV") as rec:
            print(rec)
            report = rec.pipe(signals.Fir(taps)).to_file(target, memory="8MB")
        print(f"{report.n_samples:,} samples in chunks of {report.chunk_samples:,}, limited by {report.bottleneck}")

        smooth = np.load(target, mmap_mode="r")
        expected = np.convolve(noise[:5000, 3] * 0.195, taps, "same")[:4000]
        print(f"largest error on channel 3: {np.abs(smooth[:4000, 3] - expected).max():.0e} uV")


if __name__ == "__main__":
    main()
