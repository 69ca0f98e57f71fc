"""Pictures of spectra: columns that are means of Welch's powers, whatever the chunks; axes, units, colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.signal

from headrace.errors import SchemaError
from headrace.signals import from_array, from_iter
from headrace.signals.spectra.picture import measure_power
from headrace.testing import relative_error


def test_a_column_is_the_mean_over_its_segments(rng: np.random.Generator) -> None:
    x = rng.standard_normal((100_000, 2))
    found, report = measure_power(from_array(x, fs=1000.0), 10, nperseg=128)
    assert found.power.shape == (2, 65, 10)
    assert (found.top_hz, found.duration_s, report.n_samples) == (500.0, 100.0, 100_000)
    segments = -(-((100_000 - 64) // 64) // 10)
    for column in (0, 4):
        part = x[column * segments * 64 :][: segments * 64 + 64]
        expected = scipy.signal.welch(part, 1000.0, "hann", 128, axis=0)[1].T
        assert relative_error(found.power[:, :, column], expected) < 1e-13


def test_fine_frequencies_are_averaged(rng: np.random.Generator) -> None:
    x = rng.standard_normal((40_000, 3))
    found, _ = measure_power(from_array(x, fs=100.0), 1, nperseg=4000)
    expected = scipy.signal.welch(x, 100.0, "hann", 4000, axis=0)[1].T
    starts = np.arange(200) * 2001 // 200
    means = [expected[:, a:b].mean(axis=1) for a, b in zip(starts, [*starts[1:], 2001], strict=True)]
    assert relative_error(found.power[:, :, 0], np.stack(means, axis=1)) < 1e-13


@pytest.mark.parametrize("n", [70, 999, 50_000])
def test_a_picture_does_not_depend_on_how_the_recording_is_read(rng: np.random.Generator, n: int) -> None:
    recording = from_array(rng.standard_normal((n, 2)).astype(np.float32), fs=100.0)
    whole = measure_power(recording, 300, executor="serial", memory="1GB")[0].power
    assert whole.shape[2] <= 300
    for options in ({"threads": 3}, {"chunk": 7}, {"memory": "24MB"}):
        found = measure_power(recording, 300, **options)[0].power  # type: ignore[arg-type]
        assert found.tobytes() == whole.tobytes()


def test_a_picture_has_axes_with_units(rng: np.random.Generator) -> None:
    recording = from_array(
        rng.standard_normal((90_000, 2)), fs=10_000.0, units="uV", channel_names=["tip", "7"], t0=2.0
    )
    figure = recording.plot_spectrogram()
    upper, lower, bar = figure.axes
    assert (upper.get_title("left"), lower.get_title("left")) == ("tip", "channel 7")
    assert lower.get_xlabel() == "time (s)"
    assert figure.get_supylabel() == "frequency (kHz)"
    assert bar.get_ylabel() == "power density (dB re 1 uV²/Hz)"
    assert upper.images[0].get_extent() == [2.0, 11.0, 0, 5.0]
    long = from_array(np.zeros(10_000), fs=0.5).pipe().plot_spectrogram()
    assert long.axes[0].get_xlabel() == "time (h)"


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: from_array(np.zeros(99)), "the recording has no rate"),
        (lambda: from_array(np.zeros(0), fs=1.0), "no samples"),
        (lambda: from_array(np.zeros(9, complex), fs=1.0), "complex128 samples are not drawn"),
        (lambda: from_array(np.zeros((99, 13)), fs=1.0), "12 channels, and these are 13"),
        (lambda: from_iter([np.zeros(99)], 1.0), "a stream has no length"),
    ],
)
def test_what_cannot_be_drawn(make: Any, what: str) -> None:
    with pytest.raises(SchemaError, match=what):
        make().plot_spectrogram()
