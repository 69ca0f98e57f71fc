"""Staging buffers, against a GPU that is simulated: it copies as late as it may, and only then are buffers free."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core import registry
from headrace.signals import Fir, Map, from_array, from_iter

if TYPE_CHECKING:
    from collections.abc import Callable

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'headrace[torch]'")
bridge = pytest.importorskip("headrace.bridges.torch")


class Lazy:
    """The order of a GPU that does nothing before somebody waits for it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Any, Any]] = []
        self._done = 0

    def entered(self) -> Any:
        return nullcontext()

    def copy(self, target: Any, source: Any) -> None:
        self._waiting.append((target, source))

    def mark(self, old: Any = None) -> int:
        return self._done + len(self._waiting)

    def wait(self, mark: int) -> None:
        while self._done < mark:
            target, source = self._waiting.pop(0)
            target.copy_(source)
            self._done += 1

    def hand_over(self, mark: int, tensor: Any) -> None:
        self.wait(mark)


class Lane(bridge.TorchLane):
    def call(self, fn: Callable[[Any], Any], array: np.ndarray) -> Any:
        def in_order(tensor: Any) -> Any:
            self._order.wait(self._order.mark())
            return fn(tensor)

        return super().call(in_order, array)


class Hasty(Lane):
    """Fills a buffer again before the device has emptied it."""

    def _free_slot(self) -> Any:
        for slot in self._slots:
            slot.busy = 0
        return super()._free_slot()


class Careless(Lane):
    """Hands tensors over before the samples are there."""

    def take(self, sent: Any) -> Any:
        return sent.tensor


@dataclass(frozen=True)
class Simulated(bridge.TorchDevice):
    """The processor as if it were a GPU, with staging buffers of a few bytes."""

    lanes: Any = Lane

    @property
    def in_memory(self) -> bool:
        return False

    @property
    def lane_bytes(self) -> int:
        return 2 * 48

    def lane(self) -> Any:
        return self.lanes(torch, torch.device("cpu"), Lazy(), pinned=False, slot_bytes=48)

    def _check_name(self, torch: Any) -> None: ...


@pytest.fixture(autouse=True)
def simulation(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(registry, "_registry", registry._Registry())

    def use(lanes: Any) -> None:
        registry.register("device", "simulated", lambda name: Simulated(name, lanes))

    use(Lane)
    return use


@st.composite
def signals_of_any_kind(draw: st.DrawFn) -> np.ndarray:
    n = draw(st.integers(0, 300))
    shape = (n,) if draw(st.booleans()) else (n, draw(st.integers(1, 5)))
    dtype = draw(st.sampled_from(["uint8", "int16", "float32", "float64", "complex128"]))
    values = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).integers(1, 100, shape)
    return values.astype(dtype)


WAYS = st.fixed_dictionaries(
    {"chunk": st.one_of(st.none(), st.integers(1, 400)), "threads": st.integers(1, 3), "memory": st.just("64MB")}
)


def on_the_device(x: np.ndarray, options: dict[str, Any]) -> np.ndarray:
    flow = from_array(x).pipe(Fir([1.0, 1.0])) if x.dtype.kind == "f" else from_array(x).pipe()
    with flow.iter(device="simulated", **options) as chunks:
        parts = [chunk.tensor.numpy() for chunk in chunks]
    found = np.concatenate([np.empty((0, *x.shape[1:]), x.dtype), *parts])
    assert np.array_equal(found, flow.to_array())
    return found


def there_and_back(x: np.ndarray, block: int, halo: int, options: dict[str, Any]) -> None:
    flow = from_array(x).pipe(Map(lambda t: t + t.flip(0), block=block, halo=halo, device="simulated"))
    host = from_array(x).pipe(Map(lambda a: a + a[::-1], block=block, halo=halo))
    assert np.array_equal(flow.to_array(**options), host.to_array())


@given(x=signals_of_any_kind(), options=WAYS)
def test_tensors_hold_what_chunks_hold_however_late_a_device_copies(x: np.ndarray, options: dict[str, Any]) -> None:
    on_the_device(x, options)


@given(x=signals_of_any_kind(), block=st.integers(1, 200), halo=st.integers(0, 50), options=WAYS)
def test_a_function_on_a_device_gives_what_it_gives_without(
    x: np.ndarray, block: int, halo: int, options: dict[str, Any]
) -> None:
    there_and_back(x, block, halo, options)


@pytest.mark.parametrize("mutant", [Hasty, Careless])
def test_a_lane_that_does_not_wait_would_be_caught(mutant: type[Lane], simulation: Any) -> None:
    simulation(mutant)

    @settings(settings.get_profile("mutant"))
    @given(x=signals_of_any_kind(), options=WAYS)
    def run(x: np.ndarray, options: dict[str, Any]) -> None:
        on_the_device(x, options)

    with pytest.raises(AssertionError):
        run()


def test_a_function_whose_result_is_taken_too_early_would_be_caught(simulation: Any) -> None:
    simulation(Hasty)

    @settings(settings.get_profile("mutant"))
    @given(x=signals_of_any_kind(), options=WAYS)
    def run(x: np.ndarray, options: dict[str, Any]) -> None:
        there_and_back(x, 100, 0, options)

    with pytest.raises(AssertionError):
        run()


@pytest.mark.parametrize("live", [False, True])
def test_the_next_chunk_is_on_its_way_while_one_is_worked_on_unless_it_would_have_to_be_waited_for(live: bool) -> None:
    sent = []

    class Counted(Lane):
        def send(self, array: np.ndarray) -> Any:
            sent.append(array[0])
            return super().send(array)

    registry.register("device", "simulated", lambda name: Simulated(name, Counted))
    x = np.repeat(np.arange(4, dtype=np.float32), 10)
    rec = from_iter(x.reshape(4, 10)) if live else from_array(x)
    with rec.pipe().iter(device="simulated", chunk=10) as chunks:
        seen = [(chunk.tensor[0].item(), list(sent)) for chunk in chunks]
    ahead = [[0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3]]
    assert seen == list(enumerate([[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]] if live else ahead))
