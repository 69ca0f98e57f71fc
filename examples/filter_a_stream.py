"""Filter data that comes once, in pieces of any length, and use the result as it comes.

    python examples/filter_a_stream.py

The pieces could come from a socket, a sensor or a decoder. The filter's output does not depend on where one piece
ends and the next begins.
"""

from collections.abc import Iterator

import numpy as np

from headrace import signals


def pieces() -> Iterator[np.ndarray]:
    """A sine wave that arrives in pieces of random length, as data from a network does."""
    rng = np.random.default_rng(0)
    place = 0
    while place < 40_000:
        size = int(rng.integers(1, 3000))
        yield np.sin(2 * np.pi * 5 * np.arange(place, place + size) / 1000).astype(np.float32)
        place += size


def main() -> None:
    stream = signals.from_iter(pieces(), fs=1000)
    loudest, total = 0.0, 0
    with stream.pipe(signals.Scale(2.0), signals.Fir(np.ones(11) / 11)).chunks(chunk=4096) as chunks:
        for chunk in chunks:
            loudest = max(loudest, float(np.abs(chunk.array).max()))
            total += len(chunk)
    whole = np.concatenate(list(pieces()))
    print(f"{total:,} of {len(whole):,} samples came through, the loudest {loudest:.3f}")


if __name__ == "__main__":
    main()
