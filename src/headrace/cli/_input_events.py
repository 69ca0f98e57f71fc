"""Events, and other rows, of a part of a recording, counted in samples and channels of the whole input."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.blockwise import pack_result, stage_name, unpack_result
from headrace.core.closeable import Closeable
from headrace.errors import SchemaError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from headrace.core.arrays import Array, DType
    from headrace.core.blockwise import Block, BlockPlan, Fold, Outcome, Tabulates
    from headrace.core.operator import Spec, State

__all__ = ["InputEvents"]


@dataclass(frozen=True, slots=True)
class InputEvents:
    """A detector of events in some channels of a recording, from some sample on.

    Attributes
    ----------
    detector : Tabulates
        Gives rows of `headrace.signals.EVENT`.
    first_sample : int
        Of the flow, counted in the input.
    channels : tuple of int
        Which channels of the input the flow's are; rising, so that the rows stay in order.
    """

    detector: Tabulates[Any]
    first_sample: int
    channels: tuple[int, ...]

    @property
    def stage_name(self) -> str:
        """See `headrace.core.blockwise.stage_name`."""
        return stage_name(self.detector)

    def plan(self, inp: Spec) -> BlockPlan:
        """See `headrace.core.blockwise.BlockFunction.plan`."""
        return self.detector.plan(inp)

    def work(self, plan: BlockPlan, block: Block) -> Any:
        """See `headrace.core.blockwise.BlockFunction.work`."""
        try:
            return self.detector.work(plan, replace(block, offset=block.offset + self.first_sample))
        except SchemaError as error:
            if self.channels != tuple(range(len(self.channels))):
                error.add_note("the channel is counted among those chosen, the sample in the whole input")
            raise

    def pack(self, result: Any) -> Iterable[State]:
        """See `headrace.core.blockwise.Packs.pack`."""
        return pack_result(self.detector, result)

    def unpack(self, parts: Iterator[State], tmp: str | None) -> Any:
        """See `headrace.core.blockwise.Packs.unpack`."""
        return unpack_result(self.detector, parts, tmp)

    def fold(self, spec: Spec, *, t0: float = 0.0, tmp: str | os.PathLike[str] | None = None) -> _InputFold:
        """See `headrace.core.blockwise.Tabulates.fold`."""
        whole = t0 - self.first_sample / spec.fs if spec.fs else t0  # time of the input's first sample
        return _InputFold(self, self.detector.fold(spec, t0=whole, tmp=tmp))


class _InputFold(Closeable):
    """A detector's fold, which is told where in the input the blocks lie and names the input's channels."""

    def __init__(self, events: InputEvents, fold: Fold[Any]) -> None:
        self._fold, self._first = fold, events.first_sample
        self._channels = np.array(events.channels, np.int32)

    @property
    def dtype(self) -> DType:
        return self._fold.dtype

    def add(self, outcome: Outcome[Any]) -> Iterator[Array]:
        return self._named(self._fold.add(replace(outcome, offset=outcome.offset + self._first)))

    def finish(self) -> Iterator[Array]:
        return self._named(self._fold.finish())

    def close(self) -> None:
        self._fold.close()

    def _named(self, batches: Iterable[Array]) -> Iterator[Array]:
        for found in batches:
            rows = found.copy()
            rows["channel"] = self._channels[rows["channel"]]
            yield rows
