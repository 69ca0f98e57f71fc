"""Spectra are SciPy's of the whole array in float64, there and back is the signal, and bytes depend on nothing else."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.signal
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.signal import ShortTimeFFT

from headrace.core.span import Halo
from headrace.errors import SchemaError
from headrace.signals import Coherence, Csd, Istft, Spectrogram, Stft, Welch, from_array, from_iter
from headrace.signals.spectra import averages, medians, segments, transform
from headrace.signals.spectra.segments import SegmentSpectra
from headrace.testing import relative_error
from headrace.testing.operators import smallest_budget
from headrace.testing.strategies import cuts, run_options, signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headrace.core.operator import Plan, Spec

FS = 50.0
DTYPES = ("int8", "int16", "int32", "float32", "float64", "complex64", "complex128")
SIGNALS = signals(dtypes=DTYPES, max_length=3000, max_channels=3)


@pytest.fixture(autouse=True, scope="module")
def small_cells() -> Iterator[None]:
    """Cut cells, blocks and batches of frames so small that short signals have several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transform, "_VALUES", 300)
        patch.setattr(segments, "_CELL", 64)
        patch.setattr(segments, "_CELLS", 4)
        patch.setattr(segments, "_KEPT_BYTES", 10_000)
        patch.setattr(medians, "_TILE_BYTES", 2000)
        yield


@dataclass(frozen=True)
class Frames:
    nperseg: int
    noverlap: int
    window: Any
    points: int


@st.composite
def frames(draw: st.DrawFn) -> Frames:
    nperseg = draw(st.one_of(st.integers(1, 12), st.integers(1, 90)))
    noverlap = draw(st.integers(0, nperseg - 1))
    seed = draw(st.integers(0, 2**32 - 1))
    own = np.random.default_rng(seed).random(nperseg) + 0.1
    window = draw(st.sampled_from(["hann", "boxcar", "hamming", own]))
    return Frames(nperseg, noverlap, window, nperseg + draw(st.integers(0, 6)))


def wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def scipys(x: np.ndarray, asked: Frames, scaling: Any = None) -> ShortTimeFFT:
    mode: Any = "twosided" if x.dtype.kind == "c" else "onesided"
    values = asked.window
    if isinstance(values, str):
        values = scipy.signal.get_window(values, asked.nperseg)
    hop = asked.nperseg - asked.noverlap
    return ShortTimeFFT(values, hop, FS, fft_mode=mode, mfft=asked.points, scale_to=scaling)


def limit(dtype: np.dtype) -> float:
    return 3e-7 if dtype in (np.float32, np.complex64) else 1e-14


def collect(flow: Any, **options: Any) -> np.ndarray:
    empty = np.empty((0, *flow.spec.shape), flow.dtype)
    with flow.chunks(**options) as chunks:
        return np.concatenate([empty, *(chunk.array.copy() for chunk in chunks)])


def check_stft(x: np.ndarray, asked: Frames, data: st.DataObject, scaling: Any = None) -> None:
    assume(len(x) >= asked.nperseg)
    stft = Stft(asked.nperseg, asked.noverlap, asked.window, mfft=asked.points, scaling=scaling)
    found_by = scipys(x, asked, scaling)
    expected = found_by.stft(wide(x).reshape(len(x), -1), axis=0).transpose(2, 1, 0)
    expected = expected.reshape(len(expected), *x.shape[1:], -1)
    flow = from_array(x, fs=FS).pipe(stft)
    found = collect(flow, **data.draw(run_options(len(expected))))
    assert found.shape == expected.shape
    assert relative_error(found, expected) <= limit(found.dtype)
    power = from_array(x, fs=FS).pipe(
        Spectrogram(asked.nperseg, asked.noverlap, asked.window, mfft=asked.points, scaling=scaling)
    )
    found = collect(power, **data.draw(run_options(len(expected))))
    assert relative_error(found, np.abs(expected) ** 2) <= limit(found.dtype)


@given(SIGNALS, frames(), st.sampled_from([None, "magnitude", "psd"]), st.data())
def test_any_signal_and_any_frames_give_the_spectra_of_the_whole_array(
    x: np.ndarray, asked: Frames, scaling: Any, data: st.DataObject
) -> None:
    check_stft(x, asked, data, scaling)


def check_round_trip(x: np.ndarray, asked: Frames, data: st.DataObject) -> None:
    assume(len(x) >= asked.nperseg)
    mode: Any = "twosided" if x.dtype.kind == "c" else "onesided"
    n = data.draw(st.sampled_from([None, len(x)]))
    try:
        back = Istft(asked.nperseg, asked.noverlap, asked.window, n=n, mfft=asked.points, fft_mode=mode)
    except SchemaError:
        assert not scipys(x, asked).invertible
        return
    there = Stft(asked.nperseg, asked.noverlap, asked.window, mfft=asked.points)
    flow = from_array(x, fs=FS).pipe(there, back)
    found = collect(flow, **data.draw(run_options(flow.n_samples, smallest_budget(flow))))
    dual = scipys(x, asked).dual_win
    gain = max(1.0, float(np.abs(dual).max() * np.abs(there._values).max() * asked.nperseg))  # of roundings
    assert relative_error(found[: len(x)], wide(x)) <= gain * limit(found.dtype)
    assert not len(found[len(x) :]) or np.abs(found[len(x) :]).max() <= gain * 1e-6 * np.abs(wide(x)).max()
    whole = collect(flow, executor="serial", memory="1GB")
    assert found.tobytes() == whole.tobytes()
    pieces = np.split(x, data.draw(cuts(len(x))))
    assert from_iter(pieces, FS).pipe(there, back).to_array(memory="1GB").tobytes() == whole.tobytes()


@given(SIGNALS, frames(), st.data())
def test_there_and_back_is_the_signal_and_the_same_bytes_always(
    x: np.ndarray, asked: Frames, data: st.DataObject
) -> None:
    check_round_trip(x, asked, data)


@given(SIGNALS, frames(), st.data())
def test_the_bytes_of_spectra_depend_on_nothing_but_signal_and_frames(
    x: np.ndarray, asked: Frames, data: st.DataObject
) -> None:
    assume(not 0 < len(x) < asked.nperseg)
    flow = from_array(x, fs=FS).pipe(Stft(asked.nperseg, asked.noverlap, asked.window, mfft=asked.points))
    whole = collect(flow, threads=1, executor="serial", memory="1GB")
    smallest = smallest_budget(flow)
    for _ in range(2):
        assert collect(flow, **data.draw(run_options(len(whole), smallest))).tobytes() == whole.tobytes()
    pieces = np.split(x, data.draw(cuts(len(x))))
    assert from_iter(pieces, FS).pipe(*flow.operators).to_array(memory="1GB").tobytes() == whole.tobytes()


def check_averages(x: np.ndarray, asked: Frames, settings_: dict[str, Any], data: st.DataObject) -> None:
    assume(len(x) >= asked.nperseg)
    x = x.reshape(len(x), -1)
    recording, n_channels = from_array(x, fs=FS), x.shape[1]
    exact = wide(x)
    more = {**settings_, "nfft": asked.points}
    options = data.draw(run_options(len(x), 64_000_000))
    expected = scipy.signal.welch(exact, FS, asked.window, asked.nperseg, asked.noverlap, axis=0, **more)[1]
    welch = Welch(asked.nperseg, asked.noverlap, asked.window, **more)
    rows = recording.pipe().tabulate(welch).to_array(**options)
    power = rows[rows.dtype.names[-1]].reshape(-1, n_channels)
    scale = float(np.abs(expected).max(initial=0))  # of what detrending leaves there may be roundings alone
    close = 1e-13 * max(scale, 1e-10 * float(np.abs(exact).max(initial=0)) ** 2)
    assert np.abs(power - expected).max(initial=0) <= close
    a, b = (data.draw(st.integers(0, n_channels - 1)) for _ in range(2))
    one, other = exact[:, a], exact[:, b].copy()
    expected = scipy.signal.csd(one, other, FS, asked.window, asked.nperseg, asked.noverlap, **more)[1]
    rows = recording.pipe().tabulate(Csd(a, b, asked.nperseg, asked.noverlap, asked.window, **more)).to_array(**options)
    assert np.abs(rows["csd_real"] + 1j * rows["csd_imag"] - expected).max(initial=0) <= 10 * close


AVERAGED = st.fixed_dictionaries(
    {
        "detrend": st.sampled_from(["constant", False]),
        "scaling": st.sampled_from(["density", "spectrum"]),
        "average": st.sampled_from(["mean", "median"]),
        "return_onesided": st.booleans(),
    }
)


@given(SIGNALS, frames(), AVERAGED, st.data())
def test_averaged_spectra_are_scipys_however_they_are_made(
    x: np.ndarray, asked: Frames, settings_: dict[str, Any], data: st.DataObject
) -> None:
    check_averages(x, asked, settings_, data)


@given(signals(dtypes=("int16", "float32", "complex64"), max_length=5000, max_channels=3), frames(), st.data())
def test_the_rows_of_averages_depend_on_nothing_but_signal_and_settings(
    x: np.ndarray, asked: Frames, data: st.DataObject
) -> None:
    assume(len(x) >= asked.nperseg)
    average = data.draw(st.sampled_from(["mean", "median"]))
    function: Any = data.draw(
        st.sampled_from(
            [
                Welch(asked.nperseg, asked.noverlap, asked.window, average=average),
                Csd(0, 0, asked.nperseg, asked.noverlap, asked.window, average=average),
                Coherence(0, 0, asked.nperseg, asked.noverlap, asked.window),
            ]
        )
    )
    flow = from_array(x, fs=FS).pipe()
    whole = flow.tabulate(function).to_array(executor="serial", memory="1GB").tobytes()
    for _ in range(2):
        options = data.draw(run_options(len(x), 64_000_000))
        assert flow.tabulate(function).to_array(**options).tobytes() == whole
    pieces = from_iter(np.split(x, data.draw(cuts(len(x)))), FS).pipe()
    assert pieces.tabulate(function).to_array(memory="1GB").tobytes() == whole


def planned(kind: Any, change: Callable[[Plan], Plan]) -> Callable[[pytest.MonkeyPatch], None]:
    whole = kind.plan

    def plan(self: Any, inp: Spec) -> Plan:
        return change(whole(self, inp))

    return lambda patch: patch.setattr(kind, "plan", plan)


def shorter(left: int, right: int) -> Callable[[Plan], Plan]:
    return lambda plan: dataclasses.replace(
        plan, halo=Halo(max(0, plan.halo.left - left), max(0, plan.halo.right - right))
    )


def short_blocks(patch: pytest.MonkeyPatch) -> None:
    whole = SegmentSpectra.plan
    patch.setattr(SegmentSpectra, "plan", lambda self, inp: dataclasses.replace(whole(self, inp), halo=Halo()))


def last_sums_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(averages.Mean, "add", lambda self, values, _: self._sum.__iadd__(values[-1:].sum(axis=0)))


MUTANTS = {
    "spectra: halo short on the left": (check_stft, planned(Stft, shorter(1, 0))),
    "spectra: halo short on the right": (check_stft, planned(Stft, shorter(0, 1))),
    "inverse: halo short on the left and right": (check_round_trip, planned(Istft, shorter(1, 2))),
    "averages: blocks without a halo": (check_averages, short_blocks),
    "averages: cells lost": (check_averages, last_sums_alone),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    check, break_it = MUTANTS[name]
    break_it(monkeypatch)

    @settings.get_profile("mutant")
    @given(signals(dtypes=("float64",), max_length=20_000), frames(), st.data())
    def prop(x: np.ndarray, asked: Frames, data: st.DataObject) -> None:
        if check is check_averages:
            check_averages(x, asked, {"detrend": False}, data)
        else:
            check(x, asked, data)  # type: ignore[operator]

    with pytest.raises((AssertionError, ValueError)):
        prop()
