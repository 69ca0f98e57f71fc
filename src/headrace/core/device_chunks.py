"""The output of a flow as tensors on a device, chunk by chunk."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from headrace.core.budget import Budget, Reservation
from headrace.core.closeable import Closeable
from headrace.core.device import DeviceChunk
from headrace.errors import Cancelled

if TYPE_CHECKING:
    from headrace.core.device import Device, Lane
    from headrace.core.report import RunReport
    from headrace.core.run import Chunks
    from headrace.core.span import Span

__all__ = ["DeviceChunks"]


class DeviceChunks(Closeable):
    """The output of a flow on a device, in order; made by `headrace.signals.Flow.iter`.

    Parameters
    ----------
    chunks : Chunks
        The output on the host; closed with this iterator.
    device : Device
        Where it goes.
    budget : Budget
        That of `chunks`, which the staging buffers count in.
    ahead : bool
        Whether to send the next chunk before one is handed over.

    Notes
    -----
    The work starts with the first ``next`` and stops with `close`, at the end, on an error, when a ``with`` block is
    left, or when the last reference goes. A chunk is copied from the buffer of the flow into a staging buffer, and from
    there to the device in an order of its own. The host does not wait for that: what it is told to do next on the
    device waits there. A staging buffer is filled again when what it held has arrived.
    """

    def __init__(self, chunks: Chunks, device: Device, budget: Budget, *, ahead: bool = True) -> None:
        self._chunks, self._device = chunks, device
        self._staging = Reservation(budget)
        self._depth = 2 if ahead and device.asynchronous else 1
        self._lane: Lane | None = None
        self._sent: deque[tuple[Span, Any]] = deque()
        self._ended = self._finished = self._closed = False

    def __iter__(self) -> DeviceChunks:
        return self

    def __next__(self) -> DeviceChunk:
        if self._finished:
            raise StopIteration
        if self._closed:
            raise Cancelled("this iteration was closed, or ended by an error, before all chunks were taken")
        try:
            lane = self._lane or self._open()
            self._fill(lane)
            if self._sent:
                span, sent = self._sent.popleft()
                return DeviceChunk(span, lane.take(sent))
        except BaseException:
            self.close()
            raise
        self.close()
        self._finished = True
        raise StopIteration

    def _open(self) -> Lane:
        self._staging.grow(self._device.lane_bytes, f"staging for {self._device.name}")
        self._lane = self._device.lane()
        return self._lane

    def _fill(self, lane: Lane) -> None:
        """Send chunks until enough are under way."""
        while len(self._sent) < self._depth and not self._ended:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._ended = True
            else:
                self._sent.append((chunk.span, lane.send(chunk.array)))

    @property
    def report(self) -> RunReport:
        """What the iteration did and cost so far, chunks that were sent ahead included."""
        return self._chunks.report

    def close(self) -> None:
        """Stop the work; chunks already taken stay valid. May be called twice."""
        self._closed = True
        self._sent.clear()
        self._lane = None
        self._staging.release()
        self._chunks.close()

    def __del__(self) -> None:
        if hasattr(self, "_closed"):
            self.close()
