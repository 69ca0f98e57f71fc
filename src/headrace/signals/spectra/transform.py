"""Frames of a line of samples, transformed many at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from headrace import _native

if TYPE_CHECKING:
    from headrace.core.arrays import Array
    from headrace.core.chunk import Chunk
    from headrace.core.span import Span

__all__ = ["FrameRoom", "FrameTransform", "Trend", "frames_at_once", "stretch", "transform_bytes"]

Trend = Literal["constant", "linear", False]
"""What is taken out of each frame before the window: its mean, its line, or nothing."""

_VALUES = 65536  # of frames transformed at once: they and their spectra stay in a core's own cache
_LEAST, _MOST = 16, 16_384  # points of the kernel's transforms
_TABLE_BYTES = 96  # per point, of twiddle factors and scratch of one transform, of a prime length at most


def frames_at_once(points: int) -> int:
    """Give the frames of so many points that are efficient to transform together."""
    return max(1, _VALUES // points)


def transform_bytes(points: int) -> int:
    """Give the bytes that a transform takes beside what goes in and comes out."""
    return _TABLE_BYTES * points


def stretch(window: Chunk, channel: int, span: Span, out: Array) -> Array:
    """Copy some samples of one channel into `out`, (span.size,), with zeros for those that the window lacks."""
    have = span.clip(window.span)
    if not have.size:
        out[...] = 0
        return out
    before, after = have.start - span.start, have.stop - span.start
    out[:before] = 0
    out[before:after] = window.array.reshape(len(window), -1)[have.within(window.span), channel]
    out[after:] = 0
    return out


@dataclass(frozen=True, slots=True, eq=False)
class FrameRoom:
    """Memory to transform some frames in, again and again.

    Attributes
    ----------
    line : ndarray, shape (samples,)
        For the samples of the frames.
    frames : ndarray, shape (frames, nperseg)
        The frames, which overlap: a view of `line`.
    flat : ndarray, shape (frames, nperseg), or None
        For frames without their means or lines.
    padded : ndarray, shape (frames, points), or None
        For frames under the window, where no kernel does that.
    spectra : ndarray, shape (frames, freqs) complex128
        For what comes out.
    """

    line: Array
    frames: Array
    flat: Array | None
    padded: Array | None
    spectra: Array


class FrameTransform:
    """The spectra of frames of a line of samples.

    Parameters
    ----------
    window : ndarray, shape (nperseg,) float64
        Times each frame.
    hop : int
        Samples from one frame to the next.
    points : int
        Of a transform, at least `nperseg`: frames are filled up with zeros.
    is_complex : bool
        Whether samples are complex; spectra of real ones are one-sided.
    trend : Trend
        What is taken out first.
    centred : bool
        Whether phases count from the middle of a frame, ``nperseg // 2``, instead of from its start.

    Notes
    -----
    In float64. Real frames of a power of two of points, 16 to 16,384, go two by two through a kernel of ours, others
    one by one through NumPy's transforms. So the bytes of a spectrum do not depend on how many are computed at once, as
    long as they come in groups of `group`, counted from the first.
    """

    def __init__(
        self, window: Array, hop: int, points: int, *, is_complex: bool, trend: Trend, centred: bool = False
    ) -> None:
        self.hop, self.points = hop, points
        self.nperseg = len(window)
        self.dtype = np.dtype(np.complex128 if is_complex else np.float64)
        self.freqs = points if is_complex else points // 2 + 1
        self._window, self._trend = window, trend
        self._turn = self.nperseg // 2 if centred else 0
        self._ramp = np.arange(self.nperseg) - (self.nperseg - 1) / 2
        self._ramp_power = float(np.sum(self._ramp * self._ramp)) or 1.0
        fast = not is_complex and _LEAST <= points <= _MOST and points & (points - 1) == 0
        self._kernel = _native.FrameKernel(window, points, self._turn) if fast else None

    @property
    def group(self) -> int:
        """Frames that are transformed together."""
        return 1 if self._kernel is None else 2

    @property
    def at_once(self) -> int:
        """Frames that are efficient to transform in one call; whole groups."""
        return max(self.group, frames_at_once(self.points) // self.group * self.group)

    def samples(self, frames: int) -> int:
        """Count the samples that so many frames span."""
        return (frames - 1) * self.hop + self.nperseg

    def room(self, frames: int) -> FrameRoom:
        """Make room for so many frames."""
        line = np.empty(self.samples(frames), self.dtype)
        return FrameRoom(
            line=line,
            frames=sliding_window_view(line, self.nperseg)[:: self.hop],
            flat=np.empty((frames, self.nperseg), self.dtype) if self._trend else None,
            padded=np.empty((frames, self.points), self.dtype) if self._kernel is None else None,
            spectra=np.empty((frames, self.freqs), np.complex128),
        )

    def room_bytes(self, frames: int) -> int:
        """Give the bytes of `room`, and of what a transform takes beside it."""
        values = self.samples(frames) + (frames * self.nperseg if self._trend else 0)
        values += frames * self.points if self._kernel is None else 0
        beside = transform_bytes(self.points) if self._kernel is None else self._kernel.workspace_bytes()
        return self.dtype.itemsize * values + 16 * frames * self.freqs + beside

    def spectra(self, room: FrameRoom, frames: int) -> Array:
        """Transform the first frames of ``room.line``: (frames, freqs) complex128, part of ``room.spectra``."""
        if self._kernel is not None:
            self._kernel.spectra(*self._line(room, frames), frames, room.spectra)
            return room.spectra[:frames]
        taken = room.frames[:frames]
        if room.flat is not None:
            taken = self._without_trend(taken, room.flat[:frames])
        return self._by_numpy(taken, room)

    def write(self, room: FrameRoom, frames: int, out: Array, first: int, column: int) -> None:
        """Write the spectra of the first frames to ``out[first:, column:]``, (rows, columns); their power, if real."""
        if self._kernel is not None:
            self._kernel.spectra(*self._line(room, frames), frames, out, first, column)
            return
        target, spectra = out[first : first + frames, column : column + self.freqs], self.spectra(room, frames)
        if out.dtype.kind == "c":
            target[...] = spectra
            return
        parts = spectra.view(np.float64).reshape(*spectra.shape, 2)
        np.multiply(parts, parts, out=parts)
        np.add(parts[..., 0], parts[..., 1], out=target, casting="same_kind")

    def add_powers(self, room: FrameRoom, frames: int, sums: Array) -> None:
        """Add the power of the first frames, summed over them, to `sums`, (freqs,) float64."""
        if self._kernel is not None:
            self._kernel.power_sums(*self._line(room, frames), frames, sums)
            return
        parts = self.spectra(room, frames).view(np.float64)
        np.multiply(parts, parts, out=parts)
        sums += np.add.reduce(parts, axis=0).reshape(-1, 2).sum(axis=1)

    def _line(self, room: FrameRoom, frames: int) -> tuple[Array, int]:
        """Give the samples that the kernel takes, and the distance of frames in them."""
        if room.flat is None:
            return room.line, self.hop
        return self._without_trend(room.frames[:frames], room.flat[:frames]).reshape(-1), self.nperseg

    def _by_numpy(self, taken: Array, room: FrameRoom) -> Array:
        whole, turn, window = room.padded, self._turn, self._window
        if whole is None:
            raise ValueError("this room is that of a kernel")
        padded, spectra = whole[: len(taken)], room.spectra[: len(taken)]
        np.multiply(taken[:, turn:], window[turn:], out=padded[:, : self.nperseg - turn])
        if self.points > self.nperseg:
            padded[:, self.nperseg - turn : self.points - turn] = 0
        if turn:
            np.multiply(taken[:, :turn], window[:turn], out=padded[:, self.points - turn :])
        if self.dtype.kind == "c":
            np.fft.fft(padded, axis=-1, out=spectra)
        else:
            np.fft.rfft(padded, axis=-1, out=spectra)
        return spectra

    def _without_trend(self, frames: Array, flat: Array) -> Array:
        """Take the mean, or the line of least squares, out of each frame, into `flat`."""
        mean = np.add.reduce(frames, axis=-1, keepdims=True) / self.nperseg
        if self._trend == "linear":
            np.multiply(frames, self._ramp, out=flat)
            slope = np.add.reduce(flat, axis=-1, keepdims=True) / self._ramp_power
            np.multiply(slope, self._ramp, out=flat)
            flat += mean
            np.subtract(frames, flat, out=flat)
        else:
            np.subtract(frames, mean, out=flat)
        return flat
