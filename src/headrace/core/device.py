"""Devices: where chunks go as tensors, through staging memory that is pinned where the device has a use for it.

The core knows no tensor library. A *device* is made by a provider (`headrace.core.registry`, kind ``"device"``), which
`headrace.bridges.torch` is for ``"cuda"`` and ``"cpu"``. It opens *lanes*: each is an order of work on the device and a
few staging buffers of fixed size, through which samples travel piece by piece, however long a chunk is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from headrace.core import registry
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.arrays import Array, DType
    from headrace.core.span import Span

__all__ = ["Device", "DeviceChunk", "Lane", "find_device"]


@dataclass(frozen=True, slots=True, eq=False)
class DeviceChunk:
    """Samples ``[start, stop)`` of a stream, on a device.

    Attributes
    ----------
    span : Span
        Which samples, counted from the start of the stream.
    tensor : torch.Tensor, shape (span.size, ...)
        Their values. The caller's own, to keep and to change: its memory is not counted in ``memory=``.

    Notes
    -----
    Other libraries take the tensor, or the chunk itself, by DLPack: ``cupy.from_dlpack(chunk)``.
    """

    span: Span
    tensor: Any

    @property
    def start(self) -> int:
        """Index of the first sample."""
        return self.span.start

    @property
    def stop(self) -> int:
        """Index one past the last sample."""
        return self.span.stop

    def __len__(self) -> int:
        return self.span.size

    def __dlpack__(self, **options: Any) -> Any:
        return self.tensor.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        kind, number = self.tensor.__dlpack_device__()
        return kind, number

    def __repr__(self) -> str:
        return f"DeviceChunk({self.span}, {self.tensor.dtype} {tuple(self.tensor.shape)} on {self.tensor.device})"


class Lane(Protocol):
    """One order of work on a device, and the staging buffers that it goes through; used by one thread at a time."""

    def send(self, array: Array) -> Any:
        """Begin to copy samples to the device; `array` may change once this returns.

        Returns
        -------
        Any
            For `take`.
        """
        ...

    def take(self, sent: Any) -> Any:
        """Give the tensor of what was sent; what the caller's thread does on the device from now on comes after it."""
        ...

    def call(self, fn: Callable[[Any], Any], array: Array) -> Any:
        """Give ``fn(tensor)`` of a tensor of these samples; `fn` works in the lane's order."""
        ...

    def fetch(self, tensor: Any, out: Array) -> None:
        """Copy a tensor's values, from any device, into an array of its shape; a difference of dtype is cast."""
        ...


class Device(Protocol):
    """A place for tensors, and how samples get there and back.

    Attributes
    ----------
    name : str
        As asked for, such as ``"cuda:1"``.
    lane_bytes : int
        Of this process's memory that an open lane takes.
    asynchronous : bool
        Whether copies go on by themselves while the caller works, so that it pays to send a chunk ahead.
    in_memory : bool
        Whether its tensors lie in this process's memory.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - documented above
    @property
    def lane_bytes(self) -> int: ...  # noqa: D102
    @property
    def asynchronous(self) -> bool: ...  # noqa: D102
    @property
    def in_memory(self) -> bool: ...  # noqa: D102

    def check(self, dtype: DType) -> None:
        """Raise `SchemaError` if the device has no tensors of a dtype."""
        ...

    def kind(self, tensor: object) -> tuple[tuple[int, ...], DType]:
        """Give shape and dtype of what a user's function returned.

        Raises
        ------
        SchemaError
            If it is not a tensor, or of a dtype that NumPy does not have.
        """
        ...

    def lane(self) -> Lane:
        """Open a lane; it is closed by being dropped, and what is still under way is finished first."""
        ...


def find_device(name: object) -> Device:
    """Give the device of a name such as ``"cuda"``, ``"cuda:1"`` or ``"cpu"``, loading the library that serves it.

    Parameters
    ----------
    name : str
        Kind of device, and with a colon which one; or an object that prints so, such as a ``torch.device``.

    Raises
    ------
    SchemaError
        If there is no provider for such a device.
    MissingExtra
        If the library is not installed.
    NoSuchDevice
        If this machine, or the library's build, has no such device.
    """
    kind = str(name).partition(":")[0]
    provider = registry.find("device", kind)
    if provider is None:
        known = ", ".join(repr(each) for each in registry.names("device")) or "none in this installation"
        raise SchemaError(f"no device is called {str(name)!r}: there are {known}, and the likes of 'cuda:1'")
    device: Device = provider(str(name))
    return device
