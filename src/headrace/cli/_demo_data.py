"""The recording of the demo: what an electrode array might have seen, with events whose places are known."""

from __future__ import annotations

import csv
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from headrace.core.arrays import Array

__all__ = ["BAND_HZ", "FS", "N_CHANNELS", "SCALE_UV", "TRAIN_PERIOD", "Event", "Scene", "band_pass_taps"]

FS, N_CHANNELS, SCALE_UV = 30_000, 16, 0.195
BAND_HZ = (300.0, 6000.0)
TRAIN_PERIOD = 300  # samples: 10 ms
_BLOCK = 1 << 18
_BURST = 72  # samples: 2.4 ms
_SEPARATION = 600
_CHUNK = 300_000  # samples: 10 s
_TRAIN_CHANNEL, _TRAIN_AMPLITUDE = 13, 900.0
_TRAIN_STARTS, _TRAIN_LASTS = 2.5, 3.4  # in chunks, so that it crosses three of their borders


class Event(NamedTuple):
    """A burst in the recording, or a train of them so close that they are one event.

    Attributes
    ----------
    place : int
        Sample of the (first) burst's trough.
    channel : int
        Where it is strongest.
    amplitude : float
        In stored units.
    n_bursts : int
        More than 1: so many bursts, `TRAIN_PERIOD` apart.
    """

    place: int
    channel: int
    amplitude: float
    n_bursts: int = 1

    @property
    def last(self) -> int:
        """Sample of the last burst's trough."""
        return self.place + (self.n_bursts - 1) * TRAIN_PERIOD

    @property
    def start(self) -> int:
        """First sample that is not 0 without noise."""
        return self.place - _BURST // 2

    @property
    def end(self) -> int:
        """First sample after it."""
        return self.last + _BURST // 2


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

    @property
    def chunk(self) -> int:
        """Samples that programs take at once to find the events: 10 s, or less of a short recording."""
        return min(_CHUNK, max(1, self.n_samples // 12))

    @staticmethod
    def of_size(nbytes: int) -> Scene:
        """Give the recording of about so many bytes."""
        return Scene(max(2 * FS // 10, nbytes // (2 * N_CHANNELS)))

    def events(self) -> list[Event]:
        """Give the events in order.

        Most are single bursts at random places, two or three a second; some lie across multiples of 10^6, 2^20 and
        `chunk`, where programs that work in chunks have their borders. One is a train of bursts on one channel alone,
        which goes on over several chunks.
        """
        rng = np.random.default_rng(self.seed)
        usable = max(0, self.n_samples - 2 * _SEPARATION)
        places = rng.integers(_SEPARATION, _SEPARATION + max(1, usable), max(3, self.n_samples * 5 // (2 * FS)))
        borders = [np.arange(step, self.n_samples - _SEPARATION, step) for step in (1_000_000, 1 << 20, self.chunk)]
        places = np.sort(np.concatenate([places, *borders]))
        if usable == 0:
            return []
        places = places[np.diff(places, prepend=-_SEPARATION) >= _SEPARATION]
        channels = rng.integers(0, N_CHANNELS, len(places))
        amplitudes = rng.uniform(450, 900, len(places))
        train = self._train()
        # bursts reach their neighbours: while the train lasts, all others keep away from its channel
        during = (places > train.start - _SEPARATION) & (places < train.end + _SEPARATION)
        channels[during] = channels[during] % (N_CHANNELS // 2)
        bursts = map(Event, places.tolist(), channels.tolist(), amplitudes.tolist())
        return sorted([*bursts, train])

    def _train(self) -> Event:
        start, length = int(_TRAIN_STARTS * self.chunk), int(_TRAIN_LASTS * self.chunk)
        return Event(start, _TRAIN_CHANNEL, _TRAIN_AMPLITUDE, 1 + length // TRAIN_PERIOD)

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
            writer.writerow(["start", "end", "channel", "time_s", "amplitude_uv"])
            writer.writerows(
                [e.start, e.end, e.channel, f"{e.start / FS:.6f}", f"{e.amplitude * SCALE_UV:.1f}"] for e in events
            )
        with recording.open("wb") as file, ThreadPoolExecutor(1) as pool:
            writing: Future[int] | None = None
            for start, block in self._blocks(events):  # made while the one before is being written
                if writing is not None:
                    writing.result()
                writing = pool.submit(file.write, memoryview(block).cast("B"))
                progress(start + len(block))
            if writing is not None:
                writing.result()
        return len(events)

    def _blocks(self, events: list[Event]) -> Any:
        rng = np.random.default_rng([self.seed, 1])
        # one block of noise serves again and again, each time turned to another place: drawing 10^9 random
        # numbers would take longer than everything that is to be shown
        noise = (60 * rng.standard_normal((_BLOCK, N_CHANNELS), np.float32)).astype(np.int16)
        wander_gain = rng.uniform(0.5, 1.2, N_CHANNELS).astype(np.float32)
        hum_gain = rng.uniform(0.5, 1.2, N_CHANNELS).astype(np.float32)
        fade = min(FS // 5, self.n_samples // 2)
        # used again and again: fresh memory is slow, and one block is being written while the next is made
        both = np.empty((2, _BLOCK, N_CHANNELS), np.int16)
        summed, scratch = np.empty((2, _BLOCK, N_CHANNELS), np.float32)
        for start in range(0, self.n_samples, _BLOCK):
            size = min(_BLOCK, self.n_samples - start)
            slow, block = summed[:size], both[start // _BLOCK % 2, :size]
            seconds = np.arange(start, start + size) / FS
            wander = 3500 * np.sin(2 * np.pi * 0.31 * seconds) + 1500 * np.sin(2 * np.pi * 1.7 * seconds)
            hum = 600 * np.sin(2 * np.pi * 50 * seconds)
            # not as a product of matrices: BLAS's threads get in each other's way at two columns
            np.multiply(wander.astype(np.float32)[:, None], wander_gain, out=slow)
            np.multiply(hum.astype(np.float32)[:, None], hum_gain, out=scratch[:size])
            slow += scratch[:size]
            left = self.n_samples - np.arange(start, start + size)
            if left[-1] < fade:  # or cutting them off would be a step, and an event of its own on every channel
                slow *= (0.5 - 0.5 * np.cos(np.pi * np.minimum(left / fade, 1)))[:, None]
            np.copyto(block, slow, casting="unsafe")
            turn = int(rng.integers(_BLOCK))
            head = min(size, _BLOCK - turn)
            block[:head] += noise[turn : turn + head]
            block[head:] += noise[: size - head]
            self._add_events(block, start, events)
            yield start, block

    def _add_events(self, block: Array, start: int, events: list[Event]) -> None:
        stop, wave = start + len(block), burst()
        distance = np.abs(np.arange(N_CHANNELS)[:, None] - np.arange(N_CHANNELS)) / 1.5
        for event in events[_first(events, start - _BURST) :]:
            if event.start >= stop:
                break
            lo, hi = max(event.start, start), min(event.end, stop)
            if lo < hi and event.n_bursts == 1:
                shape = event.amplitude * np.outer(
                    wave[lo - event.start : hi - event.start], np.exp(-distance[event.channel])
                )
                block[lo - start : hi - start] += np.rint(shape).astype(np.int16)
        for event in (event for event in events if event.n_bursts > 1):
            lo, hi = max(event.start, start), min(event.end, stop)
            if lo < hi:
                period = np.zeros(TRAIN_PERIOD, np.int16)
                period[:_BURST] = np.rint(event.amplitude * wave)
                block[lo - start : hi - start, event.channel] += period[
                    (np.arange(lo, hi) - event.start) % TRAIN_PERIOD
                ]


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


def _first(events: list[Event], place: int) -> int:
    """Find the first event that is not before `place`."""
    import bisect

    return bisect.bisect_left(events, place, key=lambda event: event.place)
