"""The recording of the demo: what an electrode array might have seen, with events whose places are known."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from headrace.core.arrays import Array

__all__ = ["BAND_HZ", "FS", "N_CHANNELS", "SCALE_UV", "Scene", "band_pass_taps"]

FS, N_CHANNELS, SCALE_UV = 30_000, 16, 0.195
BAND_HZ = (300.0, 6000.0)
_BLOCK = 1 << 18
_BURST = 72  # samples: 2.4 ms
_SEPARATION = 600


@dataclass(frozen=True)
class Scene:
    """A recording that can be made again: baseline wander, mains hum, noise, and short bursts.

    Attributes
    ----------
    n_samples : int
        Length.
    seed : int
        Of everything random in it.
    """

    n_samples: int
    seed: int = 20240607

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return 2 * N_CHANNELS

    def events(self) -> list[tuple[int, int, float]]:
        """Give sample, channel and amplitude (stored units) of each burst.

        Most are at random places, two or three a second; some lie across multiples of 10^6 and 2^20, where programs
        that work in chunks like to have their borders.
        """
        rng = np.random.default_rng(self.seed)
        usable = max(0, self.n_samples - 2 * _SEPARATION)
        places = rng.integers(_SEPARATION, _SEPARATION + max(1, usable), max(3, self.n_samples * 5 // (2 * FS)))
        borders = [np.arange(step, self.n_samples - _SEPARATION, step) for step in (1_000_000, 1 << 20)]
        places = np.sort(np.concatenate([places, *borders]))
        if usable == 0:
            return []
        places = places[np.diff(places, prepend=-_SEPARATION) >= _SEPARATION]
        channels = rng.integers(0, N_CHANNELS, len(places))
        amplitudes = rng.uniform(450, 900, len(places))
        return list(zip(places.tolist(), channels.tolist(), amplitudes.tolist(), strict=True))

    def write(self, recording: Path, truth: Path, progress: Callable[[int], Any]) -> int:
        """Write the recording as raw int16, sample after sample, and the events as CSV.

        Parameters
        ----------
        recording, truth : Path
            Files to write.
        progress : callable
            Told the samples written so far.

        Returns
        -------
        int
            Number of events.
        """
        events = self.events()
        with truth.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["sample", "time_s", "channel", "amplitude_uv"])
            writer.writerows([s, f"{s / FS:.6f}", c, f"{a * SCALE_UV:.1f}"] for s, c, a in events)
        with recording.open("wb") as file:
            for start, block in self._blocks(events):
                file.write(memoryview(block).cast("B"))
                progress(start + len(block))
        return len(events)

    def _blocks(self, events: list[tuple[int, int, float]]) -> Any:
        rng = np.random.default_rng([self.seed, 1])
        # one block of noise serves again and again, each time turned to another place: drawing 10^9 random
        # numbers would take longer than everything that is to be shown
        noise = (60 * rng.standard_normal((_BLOCK, N_CHANNELS), np.float32)).astype(np.int16)
        wander_gain = rng.uniform(0.5, 1.2, N_CHANNELS).astype(np.float32)
        hum_gain = rng.uniform(0.5, 1.2, N_CHANNELS).astype(np.float32)
        for start in range(0, self.n_samples, _BLOCK):
            size = min(_BLOCK, self.n_samples - start)
            seconds = np.arange(start, start + size) / FS
            wander = 3500 * np.sin(2 * np.pi * 0.31 * seconds) + 1500 * np.sin(2 * np.pi * 1.7 * seconds)
            hum = 600 * np.sin(2 * np.pi * 50 * seconds)
            slow = np.stack([wander, hum], axis=1).astype(np.float32) @ np.stack([wander_gain, hum_gain])
            block = slow.astype(np.int16)
            turn = int(rng.integers(_BLOCK))
            head = min(size, _BLOCK - turn)
            block[:head] += noise[turn : turn + head]
            block[head:] += noise[: size - head]
            self._add_events(block, start, events)
            yield start, block

    def _add_events(self, block: Array, start: int, events: list[tuple[int, int, float]]) -> None:
        wave = burst()
        distance = np.abs(np.arange(N_CHANNELS)[:, None] - np.arange(N_CHANNELS)) / 1.5
        for place, channel, amplitude in events[_first(events, start - _BURST) :]:
            left = place - _BURST // 2
            if left >= start + len(block):
                break
            lo, hi = max(left, start), min(left + _BURST, start + len(block))
            if lo < hi:
                shape = amplitude * np.outer(wave[lo - left : hi - left], np.exp(-distance[channel]))
                block[lo - start : hi - start] += np.rint(shape).astype(np.int16)


def burst() -> Array:
    """Give the shape of one event: 2.4 ms at 1.5 kHz, inside the pass band, its trough in the middle."""
    t = (np.arange(_BURST) - _BURST // 2) / FS
    wave: Array = -np.cos(2 * np.pi * 1500 * t) * np.hanning(_BURST + 1)[:-1]
    return wave


def band_pass_taps(n_taps: int = 1023, band_hz: tuple[float, float] = BAND_HZ, fs: float = FS) -> Array:
    """Design a band-pass by windowing: what ``scipy.signal.firwin(n_taps, band_hz, pass_zero=False, fs=fs)`` gives.

    Parameters
    ----------
    n_taps : int
        Length, odd.
    band_hz : (float, float)
        Edges of the band, hertz.
    fs : float
        Samples per second, hertz.

    Returns
    -------
    ndarray of float64, shape (n_taps,)
        Hamming window, gain 1 in the middle of the band.
    """
    low, high = (2 * edge / fs for edge in band_hz)
    m = np.arange(n_taps) - (n_taps - 1) / 2
    taps = (high * np.sinc(high * m) - low * np.sinc(low * m)) * np.hamming(n_taps)
    centre = (low + high) / 2
    scaled: Array = taps / np.sum(taps * np.cos(np.pi * m * centre))
    return scaled


def _first(events: list[tuple[int, int, float]], place: int) -> int:
    """Find the first event that is not before `place`."""
    import bisect

    return bisect.bisect_left(events, place, key=lambda event: event[0])
