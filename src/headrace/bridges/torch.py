"""Devices as PyTorch knows them: samples to tensors and back, through pinned memory on a stream of its own."""

from __future__ import annotations

from collections import defaultdict, deque
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headrace.errors import MissingExtra, NoSuchDevice, SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headrace.core.arrays import Array, DType

__all__ = ["TorchDevice"]

_SLOTS = 2  # one is filled by this thread while the device empties the other
_SLOT_BYTES = (
    1 << 19
)  # a power of two, to which torch rounds pinned memory up; large against what a copy costs to begin


class _Order(Protocol):
    """An order in which a device works, and marks in it."""

    def entered(self) -> AbstractContextManager[object]:
        """Have this thread's work on the device go into this order."""
        ...

    def copy(self, target: Any, source: Any) -> None:
        """Copy between tensors, one on the host: in this order, perhaps later."""
        ...

    def mark(self, old: Any = None) -> Any:
        """Mark this place in the order, with a mark that is no longer needed if there is one."""
        ...

    def wait(self, mark: Any) -> None:
        """Return when the device has come to a mark."""
        ...

    def hand_over(self, mark: Any, tensor: Any) -> None:
        """Have this thread's own order wait for a mark, and keep the tensor's memory until it is done with it."""
        ...


class _AtOnce:
    """The order of the processor: each thing is done when it is said."""

    def entered(self) -> AbstractContextManager[object]:
        return nullcontext()

    def copy(self, target: Any, source: Any) -> None:
        target.copy_(source)

    def mark(self, old: Any = None) -> None: ...

    def wait(self, mark: Any) -> None: ...

    def hand_over(self, mark: Any, tensor: Any) -> None: ...


_idle_streams: defaultdict[Any, deque[Any]] = defaultdict(deque)
"""By device. Used again, because torch keeps the freed memory of each stream for that stream."""


class _CudaStream:
    """A stream of its own, beside that on which the caller works."""

    def __init__(self, cuda: Any, device: Any) -> None:
        self._cuda = cuda
        self._idle = _idle_streams[device]
        try:
            self._stream = self._idle.pop()
        except IndexError:
            self._stream = cuda.Stream(device)

    def entered(self) -> AbstractContextManager[object]:
        context: AbstractContextManager[object] = self._cuda.stream(self._stream)
        return context

    def copy(self, target: Any, source: Any) -> None:
        target.copy_(source, non_blocking=True)

    def mark(self, old: Any = None) -> Any:
        event = old or self._cuda.Event(blocking=True)  # a thread that waits leaves the processor to those that work
        event.record(self._stream)
        return event

    def wait(self, mark: Any) -> None:
        mark.synchronize()

    def hand_over(self, mark: Any, tensor: Any) -> None:
        current = self._cuda.current_stream(tensor.device)
        current.wait_event(mark)
        tensor.record_stream(current)

    def __del__(self) -> None:
        if hasattr(self, "_stream"):
            self._idle.append(self._stream)


@dataclass
class _Slot:
    """A staging buffer, seen by torch and by NumPy, and the mark after which it is free."""

    tensor: Any
    host: Array
    busy: Any = None


@dataclass(frozen=True)
class _Sent:
    tensor: Any
    arrived: Any


class TorchLane:
    """See `headrace.core.device.Lane`.

    Parameters
    ----------
    torch : module
        PyTorch.
    device : torch.device
        Where tensors are made.
    order : _Order
        In which the device does what this lane says.
    pinned : bool
        Whether the staging buffers are pinned, which copies that go on by themselves need.
    slot_bytes : int
        Size of a staging buffer, a multiple of 16.

    Notes
    -----
    A lane may be dropped at any moment: torch gives neither pinned memory nor that of a tensor to anybody else before
    the copies that it knows of are over.
    """

    def __init__(self, torch: Any, device: Any, order: _Order, *, pinned: bool, slot_bytes: int = _SLOT_BYTES) -> None:
        self._torch, self._device, self._order, self._slot_bytes = torch, device, order, slot_bytes
        with order.entered():
            buffers = [torch.empty(slot_bytes, dtype=torch.uint8, pin_memory=pinned) for _ in range(_SLOTS)]
        self._slots = [_Slot(buffer, buffer.numpy()) for buffer in buffers]
        self._turn = 0

    def send(self, array: Array) -> _Sent:
        """See `headrace.core.device.Lane.send`."""
        order = self._order
        flat = array.reshape(-1).view(np.uint8)
        with order.entered():
            tensor = self._torch.empty(array.shape, dtype=_torch_dtype(self._torch, array.dtype), device=self._device)
            target = self._bytes(tensor)
            for part in self._parts(flat.size):
                slot = self._free_slot()
                count = part.stop - part.start
                slot.host[:count] = flat[part]
                order.copy(target[part], slot.tensor[:count])
                slot.busy = order.mark(slot.busy)
            return _Sent(tensor, order.mark())

    def take(self, sent: _Sent) -> Any:
        """See `headrace.core.device.Lane.take`."""
        self._order.hand_over(sent.arrived, sent.tensor)
        return sent.tensor

    def call(self, fn: Callable[[Any], Any], array: Array) -> Any:
        """See `headrace.core.device.Lane.call`."""
        with self._order.entered(), self._torch.no_grad():
            return fn(self.send(array).tensor)

    def fetch(self, tensor: Any, out: Array) -> None:
        """See `headrace.core.device.Lane.fetch`."""
        order, under_way = self._order, deque[tuple[_Slot, slice]]()
        with order.entered():
            own = tensor.to(self._device).resolve_conj().resolve_neg()
            dtype, source, target = _numpy_dtype(own), self._bytes(own), out.reshape(-1)

            def land(slot: _Slot, part: slice) -> None:
                order.wait(slot.busy)
                values = slot.host[: part.stop - part.start].view(dtype)
                target[part.start // dtype.itemsize : part.stop // dtype.itemsize] = values

            for part in self._parts(own.numel() * own.element_size()):
                if len(under_way) == _SLOTS:
                    land(*under_way.popleft())
                slot = self._free_slot()
                order.copy(slot.tensor[: part.stop - part.start], source[part])
                slot.busy = order.mark(slot.busy)
                under_way.append((slot, part))
            for each in under_way:
                land(*each)

    def _bytes(self, tensor: Any) -> Any:
        return tensor.reshape(-1).view(self._torch.uint8)

    def _parts(self, nbytes: int) -> Iterator[slice]:
        """Cut bytes into pieces that a staging buffer holds."""
        for start in range(0, nbytes, self._slot_bytes):
            yield slice(start, min(start + self._slot_bytes, nbytes))

    def _free_slot(self) -> _Slot:
        """Take turns; wait until the device is done with what the buffer held."""
        slot = self._slots[self._turn]
        self._turn = (self._turn + 1) % _SLOTS
        if slot.busy is not None:
            self._order.wait(slot.busy)
        return slot


@dataclass(frozen=True)
class TorchDevice:
    """A device by PyTorch's name for it; see `headrace.core.device.Device`.

    Parameters
    ----------
    name : str
        ``"cpu"``, ``"cuda:1"``, or ``"cuda"``, which becomes the calling thread's current device.

    Raises
    ------
    MissingExtra
        If PyTorch is not installed.
    NoSuchDevice
        If this build of it, or this machine, has no such device.
    """

    name: str

    def __post_init__(self) -> None:
        self._check_name(self._torch)
        if self.name == "cuda":  # said here, because worker threads have a current device of their own
            cuda = self._torch.cuda
            number = cuda.current_device() if cuda.is_initialized() else 0
            object.__setattr__(self, "name", f"cuda:{number}")

    @property
    def _torch(self) -> Any:
        try:
            return import_module("torch")
        except ImportError as error:
            raise MissingExtra(
                f"device={self.name!r} needs PyTorch: pip install 'headrace[torch]'", extra="torch"
            ) from error

    @property
    def lane_bytes(self) -> int:
        """See `headrace.core.device.Device`."""
        return _SLOTS * _SLOT_BYTES

    @property
    def asynchronous(self) -> bool:
        """See `headrace.core.device.Device`."""
        return not self.in_memory

    @property
    def in_memory(self) -> bool:
        """See `headrace.core.device.Device`."""
        return self.name.startswith("cpu")

    def check(self, dtype: DType) -> None:
        """See `headrace.core.device.Device.check`."""
        _torch_dtype(self._torch, dtype)

    def kind(self, tensor: object) -> tuple[tuple[int, ...], DType]:
        """See `headrace.core.device.Device.kind`."""
        if not isinstance(tensor, self._torch.Tensor):
            raise SchemaError(f"expected a torch.Tensor, as was given: got {type(tensor).__name__}")
        return tuple(tensor.shape), _numpy_dtype(tensor)

    def lane(self) -> TorchLane:
        """See `headrace.core.device.Device.lane`."""
        torch = self._torch
        device = torch.device(self.name)
        if self.in_memory:
            return TorchLane(torch, device, _AtOnce(), pinned=False)
        return TorchLane(torch, device, _CudaStream(torch.cuda, device), pinned=True)

    def _check_name(self, torch: Any) -> None:
        kind, colon, number = self.name.partition(":")
        if kind not in ("cpu", "cuda") or (colon and not (number.isascii() and number.isdecimal())):
            raise SchemaError(f"no device is called {self.name!r}: there are 'cpu', 'cuda', and the likes of 'cuda:1'")
        count = 1
        if kind == "cuda":
            if not torch.backends.cuda.is_built():
                raise self._missing(
                    f"PyTorch {torch.__version__} was built without CUDA: install a build that has it "
                    "(https://pytorch.org/get-started/locally), or pass device='cpu'"
                )
            count = torch.cuda.device_count() if torch.cuda.is_available() else 0
            if not count:
                raise self._missing(
                    f"PyTorch {torch.__version__} finds no GPU that it can use: nvidia-smi shows whether the driver "
                    "does, and CUDA_VISIBLE_DEVICES may hide it; or pass device='cpu'"
                )
        if colon and int(number) >= count:
            raise self._missing(f"there are {count}, counted from 0: pass one of them, or {kind!r} alone")

    def _missing(self, why: str) -> NoSuchDevice:
        return NoSuchDevice(f"device={self.name!r}: {why}", device=self.name)


def _torch_dtype(torch: Any, dtype: DType) -> Any:
    try:
        return torch.from_numpy(np.empty(0, dtype)).dtype
    except TypeError as error:
        raise SchemaError(f"PyTorch has no {dtype}: choose what to deliver with out_dtype=, or Scale first") from error


def _numpy_dtype(tensor: Any) -> DType:
    try:
        found: DType = tensor.new_empty(0, device="cpu").numpy().dtype
    except TypeError as error:
        raise SchemaError(f"NumPy has no {tensor.dtype}: convert it, for example with tensor.float()") from error
    return found
