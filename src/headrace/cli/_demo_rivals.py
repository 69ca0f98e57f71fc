"""What the demo compares headrace with, each run in a process of its own: ``python -m headrace.cli._demo_rivals``.

Speaks JSON lines on stdout: ``{"done": 0.4}`` on the way, and at the end what the job took.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.core.report import peak_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headrace.core.arrays import Array

__all__ = ["main"]


def plain(recording: str, taps_path: str, out: str, n_samples: int, n_channels: int) -> Callable[[], None]:
    """Load everything, filter everything, save everything: as one would write it first."""
    import numpy as np
    from scipy.signal import oaconvolve

    def job() -> None:
        x = np.fromfile(recording, np.int16, count=n_samples * n_channels).reshape(-1, n_channels)
        taps = np.load(taps_path).astype(np.float32)
        y = oaconvolve(x.astype(np.float32), taps[:, None], mode="same", axes=0)
        np.save(out, y)

    return job


def loop(recording: str, taps_path: str, out: str, n_samples: int, n_channels: int) -> Callable[[], None]:
    """Map both files and go through them chunk by chunk, with the overlap that the filter needs."""
    import numpy as np
    from scipy.signal import oaconvolve

    def job() -> None:
        x = np.memmap(recording, np.int16, "r", shape=(n_samples, n_channels))
        y = np.lib.format.open_memmap(out, "w+", np.float32, (n_samples, n_channels))
        taps = np.load(taps_path).astype(np.float32)
        left, chunk = len(taps) // 2, 1_000_000
        for start in range(0, n_samples, chunk):
            stop = min(start + chunk, n_samples)
            lo, hi = max(0, start - left), min(n_samples, stop + left)
            part = oaconvolve(x[lo:hi].astype(np.float32), taps[:, None], mode="same", axes=0)
            y[start:stop] = part[start - lo : stop - lo]
            _tell({"done": stop / n_samples})

    return job


def detect(filtered: str, settings: str, out: str, n_samples: int, n_channels: int) -> Callable[[], None]:
    """Map the filtered recording and go through it chunk by chunk, with a threshold from each."""
    import numpy as np

    k, gap, chunk = (int(word) for word in settings.split(","))

    def job() -> None:
        with Path(filtered).open("rb") as file:
            np.lib.format.read_magic(file)
            np.lib.format.read_array_header_1_0(file)
            offset = file.tell()
        x = np.memmap(filtered, np.float32, "r", offset, (n_samples, n_channels))
        with Path(out).open("w", encoding="utf-8") as table:
            table.write("start,end,channel,amplitude\n")
            for start in range(0, n_samples, chunk):
                part = np.array(x[start : start + chunk])
                part -= np.median(part, axis=0)
                size = np.abs(part)
                beyond = size > k * np.median(size, axis=0) / 0.6745
                for channel in range(n_channels):
                    for first, last in _runs(beyond[:, channel], gap):
                        peak = first + size[first:last, channel].argmax()
                        table.write(f"{start + first},{start + last},{channel},{part[peak, channel]}\n")
                _tell({"done": min(start + chunk, n_samples) / n_samples})

    return job


def spectrum(recording: str, channel: str, out: str, n_samples: int, n_channels: int) -> Callable[[], None]:
    """Read one channel, transform it, save the spectrum."""
    import numpy as np
    from scipy.fft import rfft

    def job() -> None:
        x = np.memmap(recording, np.int16, "r", shape=(n_samples, n_channels))[:, int(channel)].astype(np.float32)
        _tell({"done": 0.3})
        np.save(out, rfft(x))

    return job


def _runs(beyond: Array, gap: int) -> Iterator[tuple[int, int]]:
    """Give first and last (exclusive) of each run of True; runs at most `gap` apart are one."""
    import numpy as np

    edges = np.flatnonzero(np.diff(beyond, prepend=False, append=False))
    firsts, lasts = edges[::2], edges[1::2]
    apart = firsts[1:] - lasts[:-1] > gap
    yield from zip(
        firsts[np.append(True, apart)[: len(firsts)]], lasts[np.append(apart, True)[: len(lasts)]], strict=True
    )


def main(name: str, *arguments: str) -> None:
    """Run one rival and print what it took."""
    source, settings, out, n_samples, n_channels = arguments
    make, itemsize = {"plain": (plain, 2), "loop": (loop, 2), "detect": (detect, 4), "spectrum": (spectrum, 2)}[name]
    job = make(source, settings, out, int(n_samples), int(n_channels))
    watch = _Watch()
    began, cpu = time.perf_counter(), time.process_time()
    job()
    channels = 1 if name == "spectrum" else int(n_channels)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    anon, file = watch.close()
    _tell(
        {
            "n_samples": int(n_samples),
            "seconds": seconds,
            "mb_per_s": int(n_samples) * channels * itemsize / seconds / 1e6,
            "cpu_seconds": cpu_seconds,
            "peak_rss_bytes": {"total": peak_memory(), "anon": anon, "file": file},
        }
    )


class _Watch:
    """Looks at this process's memory twenty times a second, as headrace's own report does."""

    def __init__(self) -> None:
        self._peaks = {"RssAnon": 0, "RssFile": 0}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._look()
        while not self._stop.wait(0.05):
            self._look()
        self._look()

    def _look(self) -> None:
        path = Path("/proc/self/status")
        for line in path.read_text("ascii", "replace").splitlines() if path.exists() else ():
            name, _, value = line.partition(":")
            if name in self._peaks:
                self._peaks[name] = max(self._peaks[name], int(value.split()[0]) * 1024)

    def close(self) -> tuple[int, int]:
        """Stop, and give the most anonymous and file-mapped bytes seen."""
        self._stop.set()
        self._thread.join()
        return self._peaks["RssAnon"], self._peaks["RssFile"]


def _tell(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (ImportError, MemoryError, OSError) as error:  # a rival that cannot run is a result
        _tell({"error": f"{type(error).__name__}: {error}".rstrip(": ")})
    except KeyboardInterrupt:
        sys.exit(130)
