"""Second-order sections: what is refused, hard filters and signals, and what the kernel's binding checks."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import numpy as np
import pytest
from scipy import signal

from headrace import _native
from headrace.core.operator import Spec
from headrace.errors import SchemaError
from headrace.signals import SosFilt, SosFiltFilt, from_array
from headrace.signals.sos import checked_sos
from headrace.testing import check_operator, relative_error

BAND = signal.butter(4, [0.02, 0.4], "bandpass", output="sos")
HARD = {
    "1 Hz highpass": signal.butter(2, 1, "highpass", fs=30_000, output="sos"),
    "1 to 2 Hz": signal.butter(4, [1, 2], "bandpass", fs=30_000, output="sos"),
    "elliptic": signal.ellip(6, 0.1, 80, 0.01, output="sos"),
    "notch": np.concatenate(signal.iirnotch(50, 500, fs=30_000)).reshape(1, 6),
}


def whole_array(x: np.ndarray, sos: np.ndarray = BAND) -> np.ndarray:
    found: np.ndarray = signal.sosfilt(sos, x.astype(np.complex128 if x.dtype.kind == "c" else np.float64), axis=0)
    return found


@pytest.mark.parametrize("dtype", ["int8", "int64", "float16", "float32", "float64", "complex64", "complex128", "?"])
@pytest.mark.parametrize("shape", [(2500,), (300, 3), (700, 9)])
def test_the_filter_conforms_for_every_dtype(dtype: str, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    check_operator(SosFilt(BAND), (rng.standard_normal(shape) * 50).astype(dtype), whole_array)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_the_shortest_signals_are_filtered(n: int, rng: np.random.Generator) -> None:
    for dtype in ("float32", "float64"):
        x = rng.standard_normal((n, 2)).astype(dtype)
        found = from_array(x).pipe(SosFilt(BAND)).to_array()
        assert (found.shape, found.dtype) == (x.shape, x.dtype)
        assert np.allclose(found, whole_array(x) if n else x, rtol=1e-6, atol=0)


REFUSED = [
    ([], r"shape \(0,\)"),
    (np.empty((0, 6)), r"shape \(0, 6\)"),
    (BAND[0], r"shape \(6,\)"),
    (BAND[:, :5], r"shape \(4, 5\)"),
    ([[1, 0, 0, 2, 0, 0]], "section 0 it is 2; divide"),
    ([[1, 0, 0, 1, 0, 0], [1, 0, np.nan, 1, 0, 0]], "finite: section 1 is"),
    ([[1, 0, 0, 1, 0, 0], [1, 0, 0, 1, -2.5, 1]], "section 1 is unstable: it has a pole of radius 2, "),
    ([[1, 0, 0, 1, -1, 0]], "pole of radius 1, "),
    ([[1, 0, 0, 1, 0, 1]], "pole of radius 1, "),
    ([[1, 0, 0, 1, 0, 1.21]], r"pole of radius 1\.1, "),
    (BAND.astype(complex), "real numbers"),
    ("butter", "real numbers"),
    ([[None] * 6], "real numbers"),
]


@pytest.mark.parametrize(("sos", "what"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_stable_filter_in_sections_is_refused(sos: Any, what: str) -> None:
    with pytest.raises(SchemaError, match=what):
        SosFilt(sos)


def test_a_pole_just_inside_the_unit_circle_is_stable() -> None:
    for radius in (0.5, 0.999999, 1 - 1e-12, np.nextafter(1.0, 0.0)):
        assert checked_sos([[1, 0, 0, 1, -radius, 0]]).shape == (1, 6)
        assert checked_sos([[1, 0, 0, 1, -2 * radius * np.cos(1.0), radius**2]]).shape == (1, 6)


def test_the_sections_are_the_callers_no_longer() -> None:
    sos = BAND.copy()
    operator = SosFilt(sos)
    sos[:] = 0
    assert np.array_equal(operator.sos, BAND)
    assert not operator.sos.flags.writeable


def test_two_filters_of_as_many_sections_do_not_print_alike() -> None:
    assert repr(SosFilt(BAND)).startswith("SosFilt(4 sections #")
    assert repr(SosFilt(BAND)) != repr(SosFilt(BAND[::-1]))


def test_a_filter_travels_by_pickle(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3000, 2)).astype("float32")
    operator = SosFilt(BAND)
    expected = from_array(x).pipe(operator).to_array()
    found = from_array(x).pipe(pickle.loads(pickle.dumps(operator))).to_array()
    assert found.tobytes() == expected.tobytes()


def test_what_is_rounded_to_integers_next_comes_in_float64(rng: np.random.Generator) -> None:
    x = (rng.standard_normal((5000, 2)) * 3000).astype("int16")
    found = from_array(x).pipe(SosFilt(BAND)).to_array(out_dtype="int16")
    assert np.array_equal(found, np.rint(whole_array(x)).astype("int16"))
    assert SosFilt(BAND).widened().plan(Spec(5000, (2,), x.dtype)).out.dtype == np.float64


@pytest.mark.parametrize("channels", [1, 8])
@pytest.mark.parametrize("name", HARD)
def test_narrow_filters_keep_their_digits(name: str, channels: int, rng: np.random.Generator) -> None:
    x = rng.standard_normal((60_000, channels)) * 100 + 10_000  # a big offset, of which a highpass leaves nothing
    x[20_000:50_000] = 10_000  # and a long silence
    for dtype in ("int16", "float32"):
        given = np.round(x).astype(dtype)
        found = from_array(given).pipe(SosFilt(HARD[name])).to_array()
        assert relative_error(found, whole_array(given, HARD[name])) <= 3e-7


@pytest.mark.parametrize("channels", [1, 3, 8])
def test_what_is_left_in_a_long_silence_is_what_scipy_leaves_or_nothing(channels: int) -> None:
    x = np.zeros((300_000, channels), "float32")
    x[:100] = 1e30
    found = from_array(x).pipe(SosFilt(BAND).widened()).to_array()
    assert np.abs(found - whole_array(x)).max() <= 1e-13 * np.abs(found).max()
    assert np.abs(found[-1]).max() == 0


class TestBinding:
    """What `_native.SosKernel` refuses, and that its bytes depend on no instruction set and no other thread."""

    KERNEL = _native.SosKernel(BAND)

    def state(self, channels: int = 1) -> np.ndarray:
        return np.zeros((4, 2, channels))

    @pytest.mark.parametrize(
        ("x", "state", "out", "error", "what"),
        [
            (np.zeros(4, "c8"), (4, 2, 1), np.zeros(4), ValueError, "twice as many channels"),
            (np.zeros(4), (4, 2), np.zeros(4), ValueError, r"state must have shape \(4, 2, 1\), not \(4, 2\)"),
            (np.zeros((4, 3)), (4, 2, 1), np.zeros((4, 3)), ValueError, r"\(4, 2, 3\), not \(4, 2, 1\)"),
            (np.zeros(4), (4, 2, 1), np.zeros(3), ValueError, "out has 3"),
            (np.zeros(4), (4, 2, 1), np.zeros(4, "i2"), TypeError, "float32 or float64"),
            (np.zeros((2, 2, 2)), (4, 2, 1), np.zeros(4), ValueError, "1 or 2 dimensions"),
            (np.zeros(8)[::2], (4, 2, 1), np.zeros(4), ValueError, "contiguous"),
            ([0.0], (4, 2, 1), np.zeros(1), TypeError, "array"),
        ],
        ids=range(8),
    )
    def test_arrays_that_do_not_fit_are_refused(
        self, x: Any, state: tuple[int, ...], out: np.ndarray, error: type[Exception], what: str
    ) -> None:
        with pytest.raises(error, match=what):
            self.KERNEL.forward(x, np.zeros(state), out)

    def test_a_state_that_cannot_be_written_is_refused(self) -> None:
        state = self.state()
        state.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            self.KERNEL.backward(np.zeros(4), state, None)
        with pytest.raises(TypeError, match="float64"):
            self.KERNEL.forward(np.zeros(4), np.zeros((4, 2, 1), "f4"), None)  # type: ignore[arg-type]

    def test_starts_are_one_for_each_cell(self) -> None:
        x = np.zeros(self.KERNEL.cell + 1)
        with pytest.raises(ValueError, match=r"starts must have shape \(2, 4, 2, 1\), not \(1, 4, 2, 1\)"):
            self.KERNEL.survey(x, self.state(), np.zeros((1, 4, 2, 1)))
        with pytest.raises((TypeError, ValueError)):
            self.KERNEL.both(x, np.zeros((2, 4, 2, 1)), self.state(), None)  # type: ignore[arg-type]

    @pytest.mark.parametrize("sos", [np.zeros((1, 5)), np.zeros(6), np.zeros((0, 6)), 2 * np.eye(6)[3:4]], ids=range(4))
    def test_what_is_no_row_of_sections_is_refused(self, sos: np.ndarray) -> None:
        with pytest.raises(ValueError, match="sos"):
            _native.SosKernel(sos)

    def test_only_the_state_may_be_asked_for(self, rng: np.random.Generator) -> None:
        x = rng.standard_normal((3000, 2)).astype("f4")
        with_output, without = self.state(2), self.state(2)
        self.KERNEL.forward(x, with_output, np.empty_like(x))
        self.KERNEL.forward(x, without, None)
        assert with_output.tobytes() == without.tobytes()
        assert with_output.any()

    def test_every_instruction_set_gives_the_same_bytes(self, rng: np.random.Generator) -> None:
        before, found = _native.isa(), set()
        x = {channels: (rng.standard_normal((2500, channels)) * 1000).astype("i2") for channels in (1, 5, 10)}
        try:
            for name in _native.available_isas():
                _native.set_isa(name)
                parts = []
                for channels, samples in x.items():
                    out, state = np.empty(samples.shape, "f4"), self.state(channels)
                    self.KERNEL.forward(samples, state, out)
                    parts += [out.tobytes(), state.tobytes()]
                found.add(b"".join(parts))
        finally:
            _native.set_isa(before)
        assert len(found) == 1

    def test_threads_may_share_a_kernel(self, rng: np.random.Generator) -> None:
        x = rng.standard_normal((40_000, 3)).astype("f4")
        outs = [np.empty_like(x) for _ in range(4)]
        threads = [threading.Thread(target=self.KERNEL.forward, args=(x, self.state(3), out)) for out in outs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({out.tobytes() for out in outs}) == 1
        assert relative_error(outs[0], whole_array(x)) <= 3e-7


@pytest.mark.parametrize("channels", [1, 8])
@pytest.mark.parametrize("operator", [SosFilt, SosFiltFilt])
@pytest.mark.parametrize("cut", [1e-5, [1e-5, 1e-3], [1e-4, 2e-4], 1e-3])
def test_slow_filters_keep_the_promise_of_float32_on_a_large_offset(
    operator: type[SosFilt | SosFiltFilt], cut: float | list[float], channels: int, rng: np.random.Generator
) -> None:
    sos = signal.butter(4, cut, "bandpass" if isinstance(cut, list) else "highpass", output="sos")
    x = (rng.standard_normal((200_000, channels)) * 10 + 1e4).astype(np.float32)
    reference = signal.sosfilt if operator is SosFilt else signal.sosfiltfilt
    expected = reference(sos, x.astype(np.float64), axis=0)
    found = from_array(x).pipe(operator(sos)).to_array()
    assert np.linalg.norm(found - expected) <= 3e-7 * np.linalg.norm(expected)
