"""Fourier transforms of any length give the whole-array answer of `scipy.fft` in float64, and the same bytes always."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace import _native
from headrace.signals import Fft, Ifft, Scale, from_array
from headrace.signals.fft import lengths
from headrace.signals.operators import fft as operators
from headrace.testing import from_reads, relative_error
from headrace.testing.operators import smallest_budget

DTYPES = ("int16", "int32", "float32", "float64", "complex64", "complex128")
FEW = settings.default.max_examples // 3  # of what runs a transform several times
LIMITS = {"complex64": 3e-7, "complex128": 1e-14, "float32": 3e-7, "float64": 1e-14}


@st.composite
def any_length(draw: st.DrawFn) -> int:
    """Draw lengths around powers of two, smooth ones, primes, products of two primes, and any."""
    least = 1 << 16
    power = 1 << draw(st.integers(16, 18))
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return power + draw(st.sampled_from([-1, 0, 1]))
    if kind == 1:
        return draw(st.sampled_from(lengths._smooth(least, 6 * least)))
    if kind == 2:
        return draw(st.sampled_from([65_539, 99_991, 131_071, 131_101, 199_999]))
    if kind == 3:
        primes = st.sampled_from([2, 3, 5, 7, 11, 13, 251, 257, 307, 401, 1009, 4001])
        return draw(st.integers(least, 3 * least)) // 257 * draw(primes) % (3 * least) + 1
    return draw(st.one_of(st.integers(1, 200), st.integers(1, 3 * least)))


def signal(n: int, dtype: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = rng.standard_normal(n) * 1000 + rng.choice([0.0, 5000.0])
    return (made + 1j * rng.standard_normal(n)).astype(dtype) if dtype[0] == "c" else made.astype(dtype)


def wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def expected(operator: Fft | Ifft, x: np.ndarray) -> np.ndarray:
    n = operator.n
    if isinstance(operator, Fft):
        found = scipy.fft.fft(wide(x), n) if x.dtype.kind == "c" else scipy.fft.rfft(wide(x), n)
    else:
        found = scipy.fft.irfft(wide(x), n) if operator.real else scipy.fft.ifft(wide(x), n)
    made: np.ndarray = found
    return made


@st.composite
def transforms(draw: st.DrawFn) -> Fft | Ifft:
    n = draw(st.one_of(st.none(), any_length()))
    return draw(st.sampled_from([Fft(n), Ifft(n), Ifft(n, real=True)]))


CASES = st.tuples(transforms(), any_length().filter(lambda n: n > 1), st.sampled_from(DTYPES), st.integers(0, 2**32))


def check_answer(operator: Fft | Ifft, x: np.ndarray, threads: int) -> None:
    found = from_array(x).pipe(operator).to_array(threads=threads, memory="1GB")
    answer = expected(operator, x)
    assert found.shape == answer.shape
    assert relative_error(found, answer) <= LIMITS[str(found.dtype)]


@given(CASES, st.integers(1, 4))
def test_any_length_and_any_dtype_give_the_whole_array_answer(case: Any, threads: int) -> None:
    operator, n, dtype, seed = case
    check_answer(operator, signal(n, dtype, seed), threads)


@settings(max_examples=FEW)
@given(CASES, st.integers(1, 4), st.sampled_from([None, 997, 65_537]), st.floats(1, 4), st.booleans())
def test_the_bytes_depend_on_nothing_but_the_signal(
    case: Any, threads: int, chunk: int | None, room: float, plain: bool
) -> None:
    operator, n, dtype, seed = case
    x = signal(n, dtype, seed)
    whole = from_array(x).pipe(operator).to_array(threads=1, executor="serial", memory="1GB")
    flow = (from_array if plain else from_reads)(x).pipe(operator)
    memory = "1GB" if chunk else int(smallest_budget(flow) * room)
    with flow.chunks(threads=threads, memory=memory, chunk=chunk) as chunks:
        found = np.concatenate([each.array.copy() for each in chunks])
    assert found.tobytes() == whole.tobytes()


@settings(max_examples=FEW)
@given(any_length(), st.sampled_from(DTYPES), st.integers(0, 2**32))
def test_there_and_back_is_the_signal(n: int, dtype: str, seed: int) -> None:
    x = signal(n, dtype, seed)
    back = Ifft(n, real=x.dtype.kind != "c")
    found = from_array(x).pipe(Fft(), Scale(1.0), back).to_array(memory="1GB")
    assert relative_error(found, wide(x)) <= 2 * LIMITS[str(found.dtype)]


def wrong_twiddle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take each block of columns for the first."""
    right = _native.twiddle_tiles
    monkeypatch.setattr(_native, "twiddle_tiles", lambda x, column, *rest: right(x, 0 * column, *rest))


def wrong_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the mirror image of the other rows."""
    right = _native.rows_of_tiles

    def wrong(tiles: Any, out: Any, kept: int, mirror: Any) -> None:
        right(tiles, out, kept, None if mirror is None else mirror[:, ::-1].copy())

    monkeypatch.setattr(_native, "rows_of_tiles", wrong)


def padded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transform a longer signal in place of one of an awkward length."""
    right = operators.Bluestein

    def wrong(signal: Any, *rest: Any, **options: Any) -> Any:
        return right(dataclasses.replace(signal, n=signal.n + 1), *rest, **options)

    monkeypatch.setattr(operators, "Bluestein", wrong)


@pytest.mark.parametrize("mutate", [wrong_twiddle, wrong_mirror, padded], ids=lambda each: str(each.__name__))
def test_a_mutant_is_found(mutate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)

    @settings.get_profile("mutant")
    @given(CASES)
    def prop(case: Any) -> None:
        operator, n, dtype, seed = case
        check_answer(operator, signal(n, dtype, seed), 2)

    with pytest.raises(AssertionError):
        prop()
