"""`Notch` is `scipy.signal.iirnotch` for each multiple and `sosfilt` of the whole array, however the flow is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.signals import Notch, from_array
from headrace.signals.operators import notch as notch_module
from headrace.testing import relative_error
from headrace.testing.operators import smallest_budget
from headrace.testing.strategies import run_options, signals

if TYPE_CHECKING:
    from collections.abc import Callable

FS = 1000.0
SIGNALS = signals(dtypes=("int16", "int32", "float32", "float64"), max_length=9000, max_channels=17)


@st.composite
def notches(draw: st.DrawFn) -> Notch:
    harmonics = draw(st.integers(1, 3))
    return Notch(draw(st.floats(5, 499 / harmonics)), draw(st.floats(2, 50)), harmonics=harmonics)


def by_scipy(x: np.ndarray, notch: Notch) -> np.ndarray:
    sos = [np.concatenate(scipy.signal.iirnotch(k * notch.freq, notch.q, FS)) for k in range(1, notch.harmonics + 1)]
    wide = x.astype(np.float64)
    return scipy.signal.sosfilt(np.stack(sos), wide, axis=0) if len(x) else wide


def check_answer(x: np.ndarray, notch: Notch, data: st.DataObject) -> None:
    flow = from_array(x, FS).pipe(notch)
    options = data.draw(run_options(len(x), smallest_budget(flow)))
    with flow.chunks(**options) as chunks:
        found = np.concatenate([np.empty((0, *x.shape[1:]), flow.dtype), *(chunk.array.copy() for chunk in chunks)])
    assert relative_error(found, by_scipy(x, notch)) <= (3e-7 if found.dtype == np.float32 else 0)


@given(SIGNALS, notches(), st.data())
def test_any_signal_any_notch_and_any_way_of_running_give_scipys_answer(
    x: np.ndarray, notch: Notch, data: st.DataObject
) -> None:
    check_answer(x, notch, data)


def forgets(step: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda *args: np.zeros_like(step(*args))


MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "the state is not carried": (Notch, "step", forgets(Notch.step)),
    "a multiple is as wide as the first": (
        notch_module, "iirnotch", lambda w0, q, fs, design=notch_module.iirnotch: design(w0, q * 1.001, fs=fs),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(*MUTANTS[name])

    @settings.get_profile("mutant")
    @given(SIGNALS, notches(), st.data())
    def prop(x: np.ndarray, notch: Notch, data: st.DataObject) -> None:
        check_answer(x, notch, data)

    with pytest.raises(AssertionError):
        prop()
