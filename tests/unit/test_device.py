"""Tensors on devices. On a GPU where there is one; everywhere else on the processor, and on a GPU that is simulated."""

from __future__ import annotations

import gc
import sys
import threading
from collections import defaultdict, deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace import Budget
from headrace.core.device import find_device
from headrace.errors import BudgetTooSmall, Cancelled, HeadraceError, MissingExtra, NoSuchDevice, SchemaError
from headrace.signals import Fir, Map, Scale, SosFiltFilt, butter, from_array, from_iter
from headrace.signals import open as open_recording
from headrace.testing import CumulativeSum, no_leaks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from headrace.signals import Flow

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'headrace[torch]'")
bridge = pytest.importorskip("headrace.bridges.torch")

X = np.arange(60_000, dtype=np.float32).reshape(-1, 4)
DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
          "float16", "float32", "float64", "complex64", "complex128"]  # fmt: skip


def why_no_gpu() -> str:
    try:
        find_device("cuda")
    except NoSuchDevice as error:
        return f"needs a GPU: {error}"
    return ""


WHY_NO_GPU = why_no_gpu()
DEVICES = ["cpu"] if WHY_NO_GPU else ["cpu", "cuda"]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def collected(flow: Flow, **options: Any) -> np.ndarray:
    """Put a flow's tensors together, having checked that they are the next ones."""
    parts, done = [], 0
    with flow.iter(**options) as chunks:
        for chunk in chunks:
            assert (chunk.start, len(chunk), chunk.stop) == (done, len(chunk.tensor), done + len(chunk))
            done = chunk.stop
            parts.append(chunk.tensor)
    return np.concatenate([part.cpu().numpy() for part in parts]) if parts else np.empty((0, *flow.spec.shape))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_arrives_as_it_is(device: str, dtype: str, rng: np.random.Generator) -> None:
    x = rng.integers(0, 256, 1000 * 16, np.uint8).view(dtype) if dtype != "bool" else rng.random(1000) < 0.5
    found = collected(from_array(x).pipe(), device=device, chunk=77)
    assert found.dtype == x.dtype
    assert found.tobytes() == x.tobytes()


@pytest.mark.parametrize(
    "operators",
    [(), (Fir(np.ones(99)),), (CumulativeSum(),), (SosFiltFilt(butter(2, 0.2)), Scale(2.0))],
    ids=["nothing", "filter", "state", "zero phase"],
)
def test_tensors_hold_what_chunks_hold(device: str, operators: tuple[Any, ...]) -> None:
    flow = from_array(X, 1000).pipe(*operators)
    expected = flow.to_array()
    for options in ({"chunk": len(X)}, {"chunk": 1000, "threads": 1}, {"chunk": 777, "executor": "serial"}, {}):
        assert np.array_equal(collected(flow, device=device, memory="64MB", **options), expected)


def test_a_chunk_many_times_larger_than_the_staging_buffers_arrives_whole(device: str) -> None:
    x = np.arange(3_000_001, dtype=np.int32)
    assert np.array_equal(collected(from_array(x).pipe(), device=device, chunk=len(x)), x)


def test_a_file_of_the_other_byte_order_and_a_stream_arrive_too(device: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X.astype(">f4"))
    assert np.array_equal(collected(open_recording(tmp_path / "x.npy").pipe(), device=device, chunk=999), X)
    assert np.array_equal(collected(from_iter(np.split(X, 5), 1000).pipe(), device=device), X)


def test_an_empty_flow_gives_no_chunk(device: str) -> None:
    with from_array(np.empty((0, 3), np.float32)).pipe().iter(device=device) as chunks:
        assert list(chunks) == []


def test_tensors_are_the_callers_to_keep_and_to_change(device: str) -> None:
    x = X.copy()
    with from_array(x).pipe().iter(device=device, chunk=500, memory="2MB") as chunks:
        kept = [chunk.tensor.mul_(2) for chunk in chunks]  # all of them, where `memory` holds a few
    assert np.array_equal(torch.cat(kept).cpu().numpy(), 2 * X)
    assert np.array_equal(x, X)


def test_other_libraries_take_a_chunk_by_dlpack(device: str) -> None:
    chunk = next(from_array(X).pipe().iter(device=device, chunk=len(X)))
    again = torch.from_dlpack(chunk)
    assert again.data_ptr() == chunk.tensor.data_ptr()
    assert chunk.__dlpack_device__() == chunk.tensor.__dlpack_device__()
    if device == "cpu":
        assert np.array_equal(np.from_dlpack(chunk), X)
    assert repr(chunk) == f"DeviceChunk([0, 15000), torch.float32 (15000, 4) on {chunk.tensor.device})"


def test_a_loop_that_is_left_leaves_nothing(device: str) -> None:
    budget = Budget("16MB")
    flow = from_array(X).pipe(Fir(np.ones(9)))
    with no_leaks():
        chunks = flow.iter(device=device, chunk=100, memory=budget)
        for chunk in chunks:
            if chunk.stop > 2000:
                break
        assert budget.used > 1 << 20  # the staging buffers count
        chunks.close()
        chunks.close()
        with pytest.raises(Cancelled):
            next(chunks)
        abandoned = flow.iter(device=device, chunk=100, memory=budget)
        next(abandoned)
        del abandoned, chunk
        gc.collect()
    assert budget.used == 0


def test_an_iteration_that_is_over_stays_over(device: str) -> None:
    budget = Budget("16MB")
    chunks = from_array(X).pipe().iter(device=device, memory=budget)
    assert sum(len(chunk) for chunk in chunks) == len(X)
    assert list(chunks) == []
    chunks.close()
    assert list(chunks) == []
    assert budget.used == 0
    assert chunks.report.n_samples == len(X)


def test_an_error_on_the_way_reaches_the_next_call_and_leaves_nothing(device: str) -> None:
    def fn(block: np.ndarray) -> np.ndarray:
        if block[0] >= 500:
            raise ZeroDivisionError("mine")
        return block

    budget = Budget("16MB")
    flow = from_array(np.arange(1000.0)).pipe(Map(fn, block=10))
    with no_leaks():
        chunks = flow.iter(device=device, chunk=10, memory=budget, threads=2)
        with pytest.raises(ZeroDivisionError, match="mine"):
            for _ in chunks:
                pass
        assert budget.used == 0
        with pytest.raises(Cancelled):
            next(chunks)
        del chunks


def test_ctrl_c_at_any_line_gives_everything_back(interrupted: Callable[..., bool]) -> None:
    flow, budget = from_array(X).pipe(), Budget("16MB")

    def iterate() -> None:
        for _ in flow.iter(device="cpu", chunk=5000, memory=budget, executor="serial"):
            pass

    number = 1
    while interrupted(iterate, number, "device_chunks.py"):
        gc.collect()
        assert budget.used == 0, f"at line {number}"
        number += 1
    assert number > 20


def test_the_budget_an_error_names_is_enough(device: str) -> None:
    flow = from_array(X).pipe(Fir(np.ones(200)))
    for options in ({}, {"chunk": 3000}):
        for tight in (1, 1 << 20, (1 << 20) + 5000):
            with pytest.raises(BudgetTooSmall) as caught, flow.iter(device=device, memory=tight, **options) as chunks:
                next(chunks)
            needed = caught.value.needed
            if tight > 1 << 20:
                assert np.array_equal(collected(flow, device=device, memory=needed, **options), flow.to_array())


@pytest.mark.parametrize("options", [{"chunk": 1000}, {"chunk": 12_345, "threads": 3}, {"executor": "serial"}, {}])
@pytest.mark.parametrize("halo", [0, 7, (0, 300)])
def test_a_function_of_tensors_gives_what_it_gives_block_by_block(device: str, options: Any, halo: Any) -> None:
    flow = from_array(X).pipe(Map(lambda x: x.diff(dim=0, prepend=x[:1]), block=999, halo=halo, device=device))
    host = from_array(X).pipe(Map(lambda x: np.diff(x, axis=0, prepend=x[:1]), block=999, halo=halo))
    assert np.array_equal(flow.to_array(**options), host.to_array())


def test_a_function_of_tensors_may_change_keep_and_convert(device: str) -> None:
    kept = []

    def fn(block: Any) -> Any:
        kept.append(block)
        block.mul_(2)
        return torch.view_as_complex(torch.stack([block, block], -1)).conj()

    x = np.arange(100_000, dtype=np.float64)
    found = from_array(x).pipe(Map(fn, block=30_000, dtype="complex128", device=device)).to_array(threads=1)
    assert np.array_equal(found, 2 * x - 2j * x)
    assert np.array_equal(torch.cat(kept).cpu().numpy(), 2 * x)


def test_a_result_of_another_dtype_is_cast_as_without_a_device(device: str) -> None:
    x = np.linspace(-5, 5, 200_001, dtype=np.float32)
    flow = from_array(x).pipe(Map(lambda block: block.double() / 3, device=device, block=200_000))
    assert np.array_equal(flow.to_array(), (x.astype(np.float64) / 3).astype(np.float32))


def test_no_gradients_are_kept(device: str) -> None:
    weight = torch.ones(4, requires_grad=True, device=device)
    seen = []

    def fn(block: Any) -> Any:
        result = block * weight
        seen.append(result.requires_grad)
        return result

    assert np.array_equal(from_array(X).pipe(Map(fn, device=device)).to_array(), X)
    assert seen == [False]
    lane, out = find_device(device).lane(), np.empty(4, np.float32)
    lane.fetch(weight * 2, out)
    assert np.array_equal(out, np.full(4, 2))
    assert not any(slot.tensor.requires_grad for slot in lane._slots)  # type: ignore[attr-defined]


def test_tensors_and_arrays_may_lie_in_memory_as_they_like(device: str) -> None:
    flow = from_array(X).pipe(Map(lambda block: (block.T + 1).contiguous().T, device=device, halo=3, block=1000))
    assert np.array_equal(flow.to_array(), X + 1)
    lane, out = find_device(device).lane(), np.empty((3, len(X)), np.float32)
    lane.fetch(lane.call(torch.t, X.T[::-1]).T[1:], out)
    assert np.array_equal(out, X.T[::-1][1:])


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (lambda block: block[1:], "returned shape (14999, 4) for samples [0, 15000); expected (15000, 4)"),
        (lambda block: block.sum(), "returned shape ()"),
        (lambda block: block.numpy(force=True), "expected a torch.Tensor, as was given: got ndarray"),
        (lambda block: None, "expected a torch.Tensor, as was given: got NoneType"),
        (lambda block: block.to(torch.complex64), "returned complex64, which float32, the declared dtype, cannot hold"),
        (lambda block: block.bfloat16(), "NumPy has no torch.bfloat16: convert it"),
    ],
)
def test_a_result_that_does_not_fit_says_what_was_expected(device: str, fn: Any, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        from_array(X).pipe(Map(fn, device=device)).to_array()
    assert message in str(caught.value)
    assert any("in stage Map, samples [0, 15000)" in note for note in caught.value.__notes__)


def test_what_a_function_of_tensors_raises_keeps_its_type(device: str) -> None:
    with pytest.raises(RuntimeError, match="must match the size") as caught:
        from_array(X).pipe(Map(lambda block: block + torch.ones(3, device=device), device=device)).to_array()
    assert not isinstance(caught.value, HeadraceError)


def test_the_staging_of_every_thread_is_declared() -> None:
    spec = from_array(X).source.spec
    plain, on_cpu = (Map(np.abs, block=100, device=name).plan(spec).workspace for name in (None, "cpu"))
    assert on_cpu - plain == find_device("cpu").lane_bytes == 1 << 20


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "cuda:", "cpu:-1", "", 0, None])
def test_a_name_that_no_device_has_says_which_there_are(name: Any) -> None:
    with pytest.raises(SchemaError, match="'cpu', 'cuda', and the likes of 'cuda:1'"):
        from_array(X).pipe().iter(device=name)
    if name is not None:
        with pytest.raises(SchemaError, match="'cpu', 'cuda', and the likes of 'cuda:1'"):
            from_array(X).pipe(Map(np.abs, device=name))


def test_a_device_may_be_named_by_torch_too() -> None:
    assert find_device(torch.device("cpu")) == find_device("cpu")
    assert repr(Map(np.abs, device=torch.device("cpu"))) == "Map(absolute, block=65536, device='cpu')"


def test_a_device_beyond_the_last_says_how_many_there_are() -> None:
    with pytest.raises(NoSuchDevice, match="there are 1, counted from 0") as caught:
        find_device("cpu:1")
    assert caught.value.device == "cpu:1"


@pytest.mark.parametrize(
    ("built", "count", "name", "message"),
    [
        (False, 0, "cuda", "PyTorch 2.99 was built without CUDA: install a build that has it"),
        (True, 0, "cuda", "PyTorch 2.99 finds no GPU that it can use: nvidia-smi shows"),
        (True, 2, "cuda:2", "there are 2, counted from 0: pass one of them, or 'cuda' alone"),
    ],
)
def test_a_gpu_that_is_not_there_says_why(
    monkeypatch: pytest.MonkeyPatch, built: bool, count: int, name: str, message: str
) -> None:
    cuda = SimpleNamespace(is_available=lambda: count > 0, device_count=lambda: count)
    backends = SimpleNamespace(cuda=SimpleNamespace(is_built=lambda: built))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(__version__="2.99", cuda=cuda, backends=backends))
    with pytest.raises(NoSuchDevice) as caught:
        find_device(name)
    assert message in str(caught.value)
    assert isinstance(caught.value, RuntimeError)


@pytest.mark.parametrize(("initialized", "expected"), [(True, "cuda:1"), (False, "cuda:0")])
def test_the_current_gpu_is_that_of_the_thread_that_makes_the_flow(
    monkeypatch: pytest.MonkeyPatch, initialized: bool, expected: str
) -> None:
    cuda = SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 2,
        is_initialized=lambda: initialized,
        current_device=lambda: 1 if initialized else pytest.fail("this would initialize CUDA"),
    )
    backends = SimpleNamespace(cuda=SimpleNamespace(is_built=lambda: True))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda, backends=backends))
    assert find_device("cuda").name == expected
    assert find_device("cuda:1").name == "cuda:1"


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for run in (
        lambda: from_array(X).pipe().iter(device="cuda"),
        lambda: from_array(X).pipe(Map(np.abs, device="cpu")),
    ):
        with pytest.raises(MissingExtra, match=r"pip install 'headrace\[torch\]'") as caught:
            run()
        assert caught.value.extra == "torch"


def test_a_dtype_that_torch_does_not_have_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(array: np.ndarray) -> Any:
        raise TypeError(f"can't convert {array.dtype}")

    monkeypatch.setattr(torch, "from_numpy", refuse)
    with pytest.raises(SchemaError, match="PyTorch has no float32"):
        from_array(X).pipe().iter(device="cpu")
    with pytest.raises(SchemaError, match="PyTorch has no float32"):
        from_array(X).pipe(Map(np.abs, device="cpu"))


def test_a_tensor_is_handed_over_by_an_event_and_kept_for_the_stream_that_gets_it() -> None:
    said: list[Any] = []

    def told(name: str) -> Callable[..., Any]:
        return lambda *args, **kw: said.append((name, *args, *kw.values()))

    event = SimpleNamespace(record=told("record"), synchronize=told("the host waits"))
    current = SimpleNamespace(wait_event=told("the stream waits"))
    cuda = SimpleNamespace(Stream=lambda _: "side", Event=lambda blocking: event, current_stream=lambda _: current)
    tensor = SimpleNamespace(device="cuda:0", record_stream=told("kept for"), copy_=told("copy"))
    order = bridge._CudaStream(cuda, "cuda:0")
    order.copy(tensor, "pinned")
    mark = order.mark()
    order.hand_over(mark, tensor)
    assert order.mark(mark) is event
    assert said == [
        ("copy", "pinned", True), ("record", "side"), ("the stream waits", event), ("kept for", current),
        ("record", "side"),
    ]  # fmt: skip


def test_streams_are_used_again_and_never_by_two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_idle_streams", defaultdict(deque))
    made: list[str] = []

    def stream(device: str) -> str:
        made.append(f"{device}, stream {len(made)}")
        return made[-1]

    def order(device: str) -> Any:
        return bridge._CudaStream(SimpleNamespace(Stream=stream), device)

    first, second, elsewhere = order("cuda:0"), order("cuda:0"), order("cuda:1")
    assert len({first._stream, second._stream, elsewhere._stream}) == 3
    freed = second._stream
    del second
    assert order("cuda:0")._stream == freed
    assert len(made) == 3


# --- on a GPU only


@pytest.fixture
def gpu() -> str:
    if WHY_NO_GPU:
        pytest.skip(WHY_NO_GPU)
    return "cuda"


def test_staging_buffers_are_pinned(gpu: str) -> None:
    lane = find_device(gpu).lane()
    assert all(slot.tensor.is_pinned() for slot in lane._slots)  # type: ignore[attr-defined]


def test_work_that_lags_behind_on_the_gpu_never_sees_another_chunk(gpu: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((400_000, 8)).astype(np.float32)
    busy = torch.randn(2000, 2000, device=gpu)
    sums = []
    with from_array(x).pipe().iter(device=gpu, chunk=5000) as chunks:
        for chunk in chunks:
            for _ in range(5):  # the host runs ahead of the GPU
                busy = (busy @ busy).tanh()
            sums.append(chunk.tensor.double().sum(0))
            del chunk
    expected = x.reshape(-1, 5000, 8).astype(np.float64).sum(1)
    assert np.allclose(torch.stack(sums).cpu().numpy(), expected, rtol=0, atol=1e-9)


def test_the_callers_own_stream_waits_as_well(gpu: str) -> None:
    own = torch.cuda.Stream()
    with torch.cuda.stream(own), from_array(X).pipe().iter(device=gpu, chunk=100) as chunks:
        total = sum(chunk.tensor.double().sum() for chunk in chunks)
    own.synchronize()
    assert float(total) == float(X.astype(np.float64).sum())


def test_memory_of_the_gpu_is_let_go(gpu: str) -> None:
    before = torch.cuda.memory_allocated()
    with from_array(X).pipe().iter(device=gpu, chunk=1000) as chunks:
        next(chunks)
        next(chunks)
        held = torch.cuda.memory_allocated() - before
    gc.collect()
    torch.cuda.synchronize()
    assert held <= 4 * 16_384
    assert torch.cuda.memory_allocated() == before


def test_a_function_runs_on_a_stream_of_each_thread(gpu: str) -> None:
    streams = set()

    def fn(block: Any) -> Any:
        streams.add((threading.get_ident(), torch.cuda.current_stream().cuda_stream))
        return block + 1

    flow = from_array(X).pipe(Map(fn, block=100, device=gpu))
    assert np.array_equal(flow.to_array(chunk=100, threads=4), X + 1)
    assert torch.cuda.default_stream().cuda_stream not in {stream for _, stream in streams}
