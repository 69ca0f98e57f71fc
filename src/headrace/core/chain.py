"""Windowed operators in a row, as one pure function from an output span to its samples.

Asked for outputs, a chain works backwards: each stage computes whole cells of its own grid, which demand input with
a halo, which the stage before must supply in whole cells of *its* grid, down to the source. So the result of a span
depends on the source and the operators alone, and any number of threads can work on any spans in any order.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.core.chunk import Chunk
from headrace.core.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headrace.core.arrays import Array
    from headrace.core.operator import Operator, Plan, Spec, Windowed

__all__ = ["Chain", "Route", "Stage", "lap", "stage_note"]


@dataclass(frozen=True, slots=True)
class Stage:
    """An operator with the plan it made for its place in the row, and the samples it gave for earlier segments."""

    operator: Operator
    plan: Plan
    offset: int = 0

    @property
    def name(self) -> str:
        """The operator's class, as reports show it."""
        return type(self.operator).__name__

    def beyond(self) -> int:
        """Count the samples up to the end of its segment."""
        return self.offset + (self.plan.out.n or 0)


@dataclass(frozen=True, slots=True)
class Route:
    """The spans that one output span takes through a chain.

    Attributes
    ----------
    read : Span
        Samples of the source.
    cells : tuple of Span
        What each stage computes, in whole cells.
    """

    read: Span
    cells: tuple[Span, ...]


class Chain:
    """Windowed operators applied one after the other to a stream of known length.

    Parameters
    ----------
    inp : Spec
        What the source delivers.
    operators : sequence of Windowed
        In order of application.
    after : Chain, optional
        Of the segment before.
    """

    def __init__(self, inp: Spec, operators: Sequence[Windowed], after: Chain | None = None) -> None:
        self.inp = inp
        stages: list[Stage] = []
        for place, operator in enumerate(operators):
            plan = operator.plan(inp)
            stages.append(Stage(operator, plan, after.stages[place].beyond() if after else 0))
            inp = plan.out
        self.stages: tuple[Stage, ...] = tuple(stages)
        self.out = inp

    @property
    def n_out(self) -> int:
        """Number of output samples."""
        if self.out.n is None:
            raise ValueError("a chain runs on streams of known length")
        return self.out.n

    @property
    def grid(self) -> int:
        """Output samples of the last stage's cell."""
        return self.stages[-1].plan.grid if self.stages else 1

    @property
    def cell(self) -> int:
        """Output samples that the largest cell on the way makes; of fewer, each chunk computes it anew."""
        return self._covering(batches=False)

    @property
    def unit(self) -> int:
        """Output samples that are efficient to ask for in multiples of: the largest batch of cells on the way."""
        return self._covering(batches=True)

    def _covering(self, *, batches: bool) -> int:
        covered = grid = self.grid
        rate_up = rate_down = 1
        for stage in reversed(self.stages):
            plan = stage.plan
            cells = -(-plan.grid * (plan.batch if batches else 1) * rate_up // rate_down)
            covered = max(covered, -(-cells // grid) * grid)
            rate_up, rate_down = rate_up * plan.up, rate_down * plan.down
        return covered

    def route(self, out: Span) -> Route:
        """Work backwards from outputs `out` to what must be read and computed."""
        cells = []
        for stage in reversed(self.stages):
            n_out = stage.plan.out.n
            out = out.align(stage.plan.grid).clip(Span(0, n_out if n_out is not None else out.stop))
            cells.append(out)
            out = stage.plan.demand(out)
        return Route(out, tuple(reversed(cells)))

    def buffer_sizes(self, samples: int, *, aligned: bool = True) -> list[int]:
        """Give the most samples that the source and each stage hold for a chunk of `samples` outputs.

        With `aligned`, chunks begin at multiples of their length.

        Returns
        -------
        list of int
            The source's first, then one for each stage.
        """
        sizes: list[int] = []
        for stage in reversed(self.stages):
            plan = stage.plan
            spare = 0 if aligned and samples % plan.grid == 0 else plan.grid
            cells = -(-samples // plan.grid) * plan.grid + spare
            sizes.append(cells if plan.out.n is None else min(cells, plan.out.n))
            same_rate = plan.up == plan.down == 1
            aligned = not spare and same_rate and not plan.halo.left and not plan.halo.right
            rounded = 0 if same_rate else 2  # where a rate changes, both ends are rounded
            samples = sizes[-1] * plan.down // plan.up + rounded + plan.halo.left + plan.halo.right
        sizes.append(samples if self.inp.n is None else min(samples, self.inp.n))
        return sizes[::-1]

    def compute(
        self,
        read: Callable[[Span, Array], None],
        out: Chunk,
        scratch: Callable[[int, int], Array],
        clock: dict[str, float],
    ) -> None:
        """Fill ``out.array`` with the chain's outputs ``out.span``.

        Parameters
        ----------
        read : callable
            ``read(span, array)`` fills `array` from the source; it counts its own time.
        out : Chunk
            What to compute, and where to.
        scratch : callable
            ``scratch(i, samples)`` gives a buffer for what the source (0) or stage i - 1 delivers.
        clock : dict
            Seconds by stage name, added to.
        """
        route = self.route(out.span)
        direct = not self.stages
        array = out.array if direct else scratch(0, route.read.size)
        read(route.read, array)
        before = time.perf_counter()
        current = Chunk(route.read, array)
        for number, (stage, cells) in enumerate(zip(self.stages, route.cells, strict=True), start=1):
            direct = number == len(self.stages) and cells == out.span
            target = out if direct else Chunk(cells, scratch(number, cells.size))
            window = current.narrow(stage.plan.demand(cells)).locked()
            try:
                stage.operator.apply(stage.plan, window, target)  # type: ignore[attr-defined]
            except Exception as error:
                stage_note(error, stage.name, cells.shift(stage.offset))
                raise
            current = target
            before = lap(clock, stage.name, before)
        if not direct:
            out.array[...] = current.narrow(out.span).array


def stage_note(error: BaseException, stage: str, span: Span) -> None:
    """Note on an exception where it happened; its type stays the user's."""
    error.add_note(f"in stage {stage}, samples {span}")


def lap(clock: dict[str, float], name: str, since: float) -> float:
    """Add the seconds since a moment to a clock, and give the moment that this is."""
    now = time.perf_counter()
    clock[name] = clock.get(name, 0.0) + now - since
    return now
