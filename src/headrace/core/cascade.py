"""Operators in a row, fed in order: for streams that come once, and for operators that carry state.

Each stage keeps the input that its next cell still needs, and computes a cell as soon as all of it is there. The
windows it passes to operators are the same as those of `headrace.core.chain`, cell for cell, so the bytes are too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.core.chain import Stage, stage_note
from headrace.core.chunk import Chunk
from headrace.core.operator import Stateful
from headrace.core.span import Span
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headrace.core.arrays import Array
    from headrace.core.operator import Operator, Spec, State

__all__ = ["Cascade"]


class Cascade:
    """Operators applied one after the other to chunks that come in order.

    Parameters
    ----------
    inp : Spec
        What comes; ``n`` may be ``None``.
    operators : sequence of Operator
        Windowed or stateful, in order of application.
    allocate : callable
        ``allocate(shape, dtype)`` gives a buffer, as `BufferPool.get` does.
    allocate_out : callable, optional
        The same for what the last operator gives.
    after : Cascade, optional
        Of the segment before, finished.
    """

    def __init__(
        self,
        inp: Spec,
        operators: Sequence[Operator],
        allocate: Callable[..., Array],
        allocate_out: Callable[..., Array] | None = None,
        after: Cascade | None = None,
    ) -> None:
        self.inp = inp
        self._feeds: list[_Feed] = []
        for place, operator in enumerate(operators, start=1):
            last = place == len(operators) and allocate_out is not None
            offset = after.stages[place - 1].beyond() if after else 0
            feed = _Feed(Stage(operator, operator.plan(inp), offset), allocate, allocate_out if last else allocate)
            self._feeds.append(feed)
            inp = feed.stage.plan.out
        self.out = inp

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages, in order."""
        return tuple(feed.stage for feed in self._feeds)

    def kept(self) -> tuple[int, tuple[State, ...]]:
        """Give the input sample from which to go on, and what each stage has beyond the input from there on.

        Between two pieces of input, when the outputs of the first have all been taken. Arrays that are carried are
        lent, until the next piece.
        """
        first, *others = self._feeds
        return first.start, (first.kept(carried=False), *(feed.kept(carried=True) for feed in others))

    def restore(self, position: int, stages: Sequence[State]) -> None:
        """Go on from what `kept` gave; input comes from `position` on."""
        for feed, state in zip(self._feeds, stages, strict=True):
            feed.restore(position, state)

    def push(self, chunk: Chunk) -> Iterator[Chunk]:
        """Take the next input and give the outputs that it completes."""
        chunks: Iterator[Chunk] = iter((chunk,))
        for feed in self._feeds:
            chunks = feed.each(chunks)
        return chunks

    def finish(self, n: int) -> Iterator[Chunk]:
        """End the input after `n` samples and give the outputs that remain; `out` then has its length."""
        for position, feed in enumerate(self._feeds):
            chunks = feed.finish(n)
            for later in self._feeds[position + 1 :]:
                chunks = later.each(chunks)
            yield from chunks
            n_out = feed.stage.plan.out.n
            n = n if n_out is None else n_out
        self.out = self.out.with_n(n)


class _Feed:
    """One stage of a cascade: the input it still needs, its position and its state."""

    def __init__(
        self,
        stage: Stage,
        allocate: Callable[..., Array],
        allocate_out: Callable[..., Array] | None,
    ) -> None:
        self.stage = stage
        operator, inp = stage.operator, stage.plan.inp
        self._allocate, self._allocate_out = allocate, allocate_out or allocate
        self._carry = Chunk(Span(0, 0), np.empty((0, *inp.shape), inp.dtype))
        self._next = 0  # first output sample not yet computed
        self._stateful = operator if isinstance(operator, Stateful) else None  # asked once: it takes its time
        self._state = self._stateful.start(self.stage.plan) if self._stateful is not None else None

    @property
    def start(self) -> int:
        """First input sample that is still needed."""
        return self._carry.start

    def kept(self, *, carried: bool) -> State:
        """Give next output, state, and what is carried; without `carried`, what is carried comes again."""
        return self._next, self._state, (self._carry.start, self._carry.array) if carried else None

    def restore(self, position: int, kept: State) -> None:
        """Take up what `kept` gave."""
        self._next, self._state, carry = kept
        start, array = (position, self._carry.array) if carry is None else carry
        self._carry = Chunk(Span(start, start + len(array)), array)

    def each(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            yield from self.push(chunk)

    def push(self, chunk: Chunk) -> Iterator[Chunk]:
        have = self._append(chunk)
        plan = self.stage.plan
        ready = plan.supply(have.stop)
        if plan.out.n is not None:
            ready = min(ready, plan.out.n)
        if ready > self._next:
            yield self._compute(have, Span(self._next, ready))
        self._keep(have)

    def finish(self, n: int) -> Iterator[Chunk]:
        have = self._carry
        plan = self.stage.plan
        if plan.inp.n is None:
            final = self.stage.operator.plan(plan.inp.with_n(n))
            if self._next and (final.halo, final.grid, final.up, final.down) != (
                plan.halo,
                plan.grid,
                plan.up,
                plan.down,
            ):
                raise SchemaError(
                    f"{self.stage.name} plans differently for {n} samples than for an unknown number: "
                    "its grid, halo and rate must not depend on the length once outputs were given"
                )
            self.stage = Stage(self.stage.operator, final, self.stage.offset)
        total = self.stage.plan.out.n
        if total is None:
            raise SchemaError(f"{self.stage.name} declared no output length for {n} input samples")
        if total > self._next:
            yield self._compute(have, Span(self._next, total))
        self._carry = have.narrow(Span(have.stop, have.stop))

    def _append(self, chunk: Chunk) -> Chunk:
        carry = self._carry
        if not len(carry):
            return chunk
        span = Span(carry.start, chunk.stop)
        array = self._allocate((span.size, *self.stage.plan.inp.shape), self.stage.plan.inp.dtype)
        array[: len(carry)] = carry.array
        array[len(carry) :] = chunk.array
        return Chunk(span, array)

    def _compute(self, have: Chunk, span: Span) -> Chunk:
        plan = self.stage.plan
        out = Chunk(span, self._allocate_out((span.size, *plan.out.shape), plan.out.dtype))
        window = have.narrow(plan.demand(span).clip(have.span)).locked()
        try:
            if self._stateful is not None:
                self._state = self._stateful.step(plan, self._state, window, out)
            else:
                self.stage.operator.apply(plan, window, out)  # type: ignore[attr-defined]
        except Exception as error:
            stage_note(error, self.stage.name, span.shift(self.stage.offset))
            raise
        self._next = span.stop
        return out

    def _keep(self, have: Chunk) -> None:
        """Carry what the next cell still needs, as a copy, so that the chunk's buffer can be recycled."""
        first = self.stage.plan.demand(Span(self._next, self._next + 1)).start
        rest = Span(min(max(first, have.start), have.stop), have.stop)
        if not rest.size:
            self._carry = Chunk(rest, np.empty((0, *have.array.shape[1:]), have.array.dtype))
            return
        array = self._allocate((rest.size, *have.array.shape[1:]), have.array.dtype)
        array[...] = have.narrow(rest).array
        self._carry = Chunk(rest, array)
