"""Power spectra of a recording, one a second, computed on a GPU where there is one.

    python examples/spectra_on_the_gpu.py

The filter runs in threads on the processor; its output comes to the device as tensors, through pinned memory, while the
device works on the chunk before.
"""

import numpy as np
import torch

from headrace import signals


def main() -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    fs, seconds = 1000, 60
    t = np.arange(seconds * fs) / fs
    tone = np.sin(2 * np.pi * (100 + 2 * t) * t)  # a chirp: after t seconds it is at 100 + 4 t hertz
    noise = np.random.default_rng(0).standard_normal((seconds * fs, 4))
    rec = signals.from_array((tone[:, None] + noise).astype(np.float32), fs=fs)
    flow = rec.pipe(signals.Fir(signals.firwin(255, 60, pass_zero=False, fs=fs)))

    window = torch.hann_window(fs, device=device)[:, None]
    peaks = []
    with flow.iter(device=device, chunk=fs, memory="32MB") as chunks:
        for chunk in chunks:
            power = torch.fft.rfft(chunk.tensor * window, dim=0).abs().square()
            peaks.append(power.mean(dim=1).argmax())
    hertz = torch.stack(peaks).cpu().numpy()
    print(f"{len(hertz)} spectra of {flow.spec.n_channels} channels on {device}")
    print(f"the tone rose from {hertz[0]} Hz to {hertz[-1]} Hz")


if __name__ == "__main__":
    main()
