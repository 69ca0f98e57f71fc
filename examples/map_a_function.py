"""Apply a function of your own to fixed blocks of a recording, then filter what it gives.

    python examples/map_a_function.py

`Map` calls the function on blocks of 1,000 samples counted from the start of the recording, never on the chunks a run
happens to use, so the result is the same however it is run.
"""

import numpy as np

from headrace import signals


def common_reference(x: np.ndarray) -> np.ndarray:
    """Subtract from each sample the median over its channels."""
    return x - np.median(x, axis=1, keepdims=True).astype(x.dtype)


def energy(x: np.ndarray) -> np.ndarray:
    return x * x


def main() -> None:
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((50_000, 1), np.float32)
    x = 0.1 * rng.standard_normal((50_000, 8), np.float32) + shared
    rec = signals.from_array(x, fs=1000)

    flow = rec.pipe(
        signals.Map(common_reference, block=1000),
        signals.Map(energy),
        signals.Fir(np.ones(101) / 101),
    )
    print(flow)
    power = flow.to_array(memory="32MB")
    print(f"mean power before {np.mean(x * x):.2f}, after {power.mean():.3f}, shape {power.shape}")


if __name__ == "__main__":
    main()
