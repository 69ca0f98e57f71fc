"""The kernel of short-time spectra: direct transforms, and the same bytes on every ISA and for any number of frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headrace import _native

POINTS = [16, 32, 64, 128, 512, 4096, 16384]


def direct(line: np.ndarray, window: np.ndarray, hop: int, frames: int, points: int, turn: int) -> np.ndarray:
    taken = np.stack([line[i * hop : i * hop + len(window)] * window for i in range(frames)])
    padded = np.zeros((frames, points))
    padded[:, : len(window) - turn] = taken[:, turn:]
    padded[:, points - turn :] = taken[:, :turn]
    return np.fft.rfft(padded, axis=-1)


@pytest.mark.parametrize("points", POINTS)
def test_spectra_powers_and_their_sums_are_those_of_direct_transforms(rng: np.random.Generator, points: int) -> None:
    for count in {points, points - 3, points // 2 + 1, 1}:
        for frames in (1, 2, 7, 17):
            hop, turn = max(1, count // 3), int(rng.integers(0, count))
            window, line = rng.random(count), rng.standard_normal((frames - 1) * hop + count)
            expected = direct(line, window, hop, frames, points, turn)
            kernel = _native.FrameKernel(window, points, turn)
            found = np.empty((frames, points // 2 + 1), complex)
            kernel.spectra(line, hop, frames, found)
            assert np.linalg.norm(found - expected) <= 2e-15 * np.linalg.norm(expected)
            narrow = np.zeros((frames + 3, points // 2 + 9), np.complex64)
            kernel.spectra(line, hop, frames, narrow, 2, 5)
            assert np.array_equal(narrow[2:-1, 5 : points // 2 + 6], found.astype(np.complex64))
            narrow[2:-1, 5 : points // 2 + 6] = 0
            assert not narrow.any()
            power = np.empty(found.shape)
            kernel.spectra(line, hop, frames, power)
            assert np.array_equal(power, found.real**2 + found.imag**2)
            exact = np.sum(np.abs(expected) ** 2, axis=0)
            sums = exact.copy()
            kernel.power_sums(line, hop, frames, sums)
            assert np.linalg.norm(sums - 2 * exact) <= 1e-14 * np.linalg.norm(exact)


@pytest.mark.parametrize("points", [16, 128, 1024])
def test_every_isa_gives_the_same_bytes(rng: np.random.Generator, points: int) -> None:
    line, window = rng.standard_normal(30 * points), np.hanning(points)
    answers = set()
    before = _native.isa()
    try:
        for isa in _native.available_isas():
            _native.set_isa(isa)
            kernel = _native.FrameKernel(window, points, points // 2)
            found, sums = np.empty((37, points // 2 + 1), np.complex64), np.zeros(points // 2 + 1)
            kernel.spectra(line, points // 2, 37, found)
            kernel.power_sums(line, points // 2, 37, sums)
            answers.add(found.tobytes() + sums.tobytes())
    finally:
        _native.set_isa(before)
    assert len(answers) == 1


def test_a_pair_does_not_depend_on_the_others(rng: np.random.Generator) -> None:
    line, kernel = rng.standard_normal(5000), _native.FrameKernel(np.hanning(64), 64)
    together, alone = np.empty((40, 33), complex), np.empty((2, 33), complex)
    kernel.spectra(line, 20, 40, together)
    for frame in range(0, 40, 2):
        kernel.spectra(line[20 * frame :], 20, 2, alone)
        assert alone.tobytes() == together[frame : frame + 2].tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_frame(rng: np.random.Generator, value: float) -> None:
    line, kernel = rng.standard_normal(64 * 21), _native.FrameKernel(np.ones(64), 64)
    whole, found = np.empty((21, 33), complex), np.empty((21, 33), complex)
    kernel.spectra(line, 64, 21, whole)
    for frame in (3, 10, 20):
        line[64 * frame + 5] = value
    kernel.spectra(line, 64, 21, found)
    bad = np.isnan(found.real).all(axis=1) & np.isnan(found.imag).all(axis=1)
    assert np.array_equal(np.flatnonzero(bad), [3, 10, 20])
    assert np.allclose(found[~bad], whole[~bad], rtol=1e-13, atol=1e-13)


LINE, OUT = np.zeros(64), np.zeros((3, 9), complex)


@pytest.mark.parametrize(
    ("make", "kind", "what"),
    [
        (lambda: _native.FrameKernel(np.ones(8), 24), ValueError, "power of two from 16 to 16384, not 24"),
        (lambda: _native.FrameKernel(np.ones(8), 8), ValueError, "not 8"),
        (lambda: _native.FrameKernel(np.ones(8), 32768), ValueError, "not 32768"),
        (lambda: _native.FrameKernel(np.ones(17), 16), ValueError, "17 values for 16 points"),
        (lambda: _native.FrameKernel(np.ones(0), 16), ValueError, "0 values"),
        (lambda: _native.FrameKernel(np.ones(8), 16, 8), ValueError, "turn is the number of a sample"),
        (lambda: _native.FrameKernel(np.ones(8, "f4"), 16), TypeError, "window"),
        (
            lambda: _native.FrameKernel(np.ones(16), 16).spectra(LINE, 30, 3, OUT),
            ValueError,
            "64 samples, and 3 frames",
        ),
        (lambda: _native.FrameKernel(np.ones(16), 16).spectra(LINE, 0, 3, OUT), ValueError, "hop and frames"),
        (lambda: _native.FrameKernel(np.ones(16), 16).spectra(LINE, 8, 3, OUT, 1), ValueError, "frames and freq"),
        (lambda: _native.FrameKernel(np.ones(16), 16).spectra(LINE, 8, 3, OUT, 0, 1), ValueError, "lie inside"),
        (lambda: _native.FrameKernel(np.ones(16), 16).spectra(LINE, 8, -1, OUT), ValueError, "inside out"),
        (
            lambda: _native.FrameKernel(np.ones(16), 16).spectra(LINE, 8, 3, np.zeros((3, 9), "i4")),
            ValueError,
            "float32",
        ),
        (lambda: _native.FrameKernel(np.ones(16), 16).power_sums(LINE, 8, 3, np.zeros(8)), ValueError, "8 frequencies"),
        (lambda: _native.FrameKernel(np.ones(16), 16).power_sums(LINE, 8, 3, np.zeros(9, "f4")), TypeError, "float64"),
    ],
)
def test_what_is_refused(make: Any, kind: type[Exception], what: str) -> None:
    with pytest.raises(kind, match=what):
        make()
