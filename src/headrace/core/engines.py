"""Which engine serves which flow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headrace.core.falling import FallingEngine
from headrace.core.operator import TwoWay, Windowed
from headrace.core.pull import PullEngine
from headrace.core.pulled_blocks import PulledBlocks
from headrace.core.push import PushEngine
from headrace.core.pushed_blocks import PushedBlocks
from headrace.core.source import Source
from headrace.core.survey import SurveyedBlocks, SurveyedChunks, SurveyedSink
from headrace.core.twoway import TwoWaySource
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.core.blocks import BlockEngine
    from headrace.core.blockwise import BlockFunction
    from headrace.core.engine import ChunkEngine, Means, SinkEngine
    from headrace.core.flow import SampleFlow
    from headrace.core.operator import Operator
    from headrace.core.source import StreamSource

__all__ = ["block_engine", "check_order", "chunk_engine", "sink_engine"]


def chunk_engine(source: Source | StreamSource, operators: Sequence[Operator], means: Means) -> ChunkEngine:
    """Make the engine that hands over what a row of operators gives, in order; it has not begun."""
    twice, rest = _two_way_head(source, operators)
    if twice is not None:
        return SurveyedChunks(twice, chunk_engine(twice, rest, means), means)
    return _plain_engine(source, operators, means, in_order=True)


def sink_engine(source: Source | StreamSource, operators: Sequence[Operator], means: Means) -> SinkEngine:
    """Make the engine that writes what a row of operators gives, in any order; it has not begun."""
    twice, rest = _two_way_head(source, operators)
    if twice is not None:
        tail = _all_windowed(rest)
        if tail is not None and FallingEngine.serves(twice, tail):
            return FallingEngine(twice, tail, means)
        return SurveyedSink(twice, sink_engine(twice, rest, _inside(means)), means)
    return _plain_engine(source, operators, means, in_order=False)


def block_engine(flow: SampleFlow, function: BlockFunction[Any], means: Means) -> BlockEngine:
    """Choose and make the engine that runs a block function over a flow; it has not begun."""

    def of(source: Source | StreamSource, operators: Sequence[Operator], means: Means) -> BlockEngine:
        twice, rest = _two_way_head(source, operators)
        if twice is not None:
            return SurveyedBlocks(twice, of(twice, rest, _inside(means)), means)
        windowed = _all_windowed(operators)
        if isinstance(source, Source) and windowed is not None:
            return PulledBlocks(source, windowed, function, flow.spec, means)
        push = PushEngine(source, operators, means)
        return PushedBlocks(push, flow.segment_lengths(), function, flow.spec, means)

    return of(flow.source, flow.operators, means)


def _inside(means: Means) -> Means:
    """Give an engine behind a survey names of its own in the journal."""
    return replace(means, journal=means.journal.within("then"))


def _plain_engine(
    source: Source | StreamSource, operators: Sequence[Operator], means: Means, *, in_order: bool
) -> PullEngine | PushEngine:
    windowed = _all_windowed(operators)
    if isinstance(source, Source) and windowed is not None:
        return PullEngine(source, windowed, means, in_order=in_order)
    return PushEngine(source, operators, means)


def _two_way_head(
    source: Source | StreamSource, operators: Sequence[Operator]
) -> tuple[TwoWaySource | None, Sequence[Operator]]:
    """Make one source of everything up to the first two-way operator; give it, if there is one, and what follows."""
    for place, operator in enumerate(operators):
        if isinstance(operator, TwoWay) and isinstance(source, Source):
            return TwoWaySource(source, _all_windowed(operators[:place]) or [], operator), operators[place + 1 :]
    return None, operators


def check_order(source: Source | StreamSource, operators: Sequence[Operator]) -> None:
    """Refuse what cannot be gone over twice.

    Raises
    ------
    SchemaError
        If a two-way operator works on a stream, or comes after an operator that carries state.
    """
    for place, operator in enumerate(operators):
        if not isinstance(operator, TwoWay):
            continue
        if not isinstance(source, Source):
            raise SchemaError(
                f"{operator!r} goes over the signal twice, and this one comes once, as a stream: record it to a file, "
                "then filter that"
            )
        for before in operators[:place]:
            if not isinstance(before, (Windowed, TwoWay)):
                raise SchemaError(
                    f"{operator!r} goes over the signal twice, and cannot follow {before!r}, which carries state: put "
                    "it first, or write what comes before it to a file"
                )


def _all_windowed(operators: Sequence[Operator]) -> list[Windowed] | None:
    windowed = [operator for operator in operators if isinstance(operator, Windowed)]
    return windowed if len(windowed) == len(operators) else None
