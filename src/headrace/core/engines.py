"""Which engine serves which flow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from headrace.core.falling import FallingEngine
from headrace.core.operator import Stateful, Transform, TwoWay, Windowed
from headrace.core.prepare import Feed, Preparation
from headrace.core.pull import PullEngine
from headrace.core.pulled_blocks import PulledBlocks
from headrace.core.push import PushEngine
from headrace.core.pushed_blocks import PushedBlocks
from headrace.core.source import Source, row_reader
from headrace.core.spool import Spool
from headrace.core.survey import Survey, SurveyedBlocks, SurveyedChunks, SurveyedSink
from headrace.core.transform import TransformSource
from headrace.core.twoway import TwoWaySource
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.core.blocks import BlockEngine
    from headrace.core.blockwise import BlockFunction
    from headrace.core.engine import ChunkEngine, Means, SinkEngine
    from headrace.core.flow import SampleFlow
    from headrace.core.operator import Operator, Spec
    from headrace.core.source import StreamSource

__all__ = ["block_engine", "chunk_engine", "sink_engine", "specs_along", "temporary_bytes"]


def chunk_engine(source: Source | StreamSource, operators: Sequence[Operator], means: Means) -> ChunkEngine:
    """Make the engine that hands over what a row of operators gives, in order; it has not begun."""
    head = _prepared_head(source, operators, means)
    if head is not None:
        return SurveyedChunks(head.survey, chunk_engine(head.source, head.rest, head.behind(means)))
    return _plain_engine(source, operators, means, in_order=True)


def sink_engine(source: Source | StreamSource, operators: Sequence[Operator], means: Means) -> SinkEngine:
    """Make the engine that writes what a row of operators gives, in any order; it has not begun."""
    head = _prepared_head(source, operators, means)
    if head is not None:
        tail = _all_windowed(head.rest)
        if tail is not None and isinstance(head.source, TwoWaySource) and FallingEngine.serves(head.source, tail):
            return FallingEngine(head.source, tail, means)
        return SurveyedSink(head.survey, sink_engine(head.source, head.rest, head.behind(means)))
    return _plain_engine(source, operators, means, in_order=False)


def block_engine(flow: SampleFlow, function: BlockFunction[Any], means: Means) -> BlockEngine:
    """Choose and make the engine that runs a block function over a flow; it has not begun."""

    def of(source: Source | StreamSource, operators: Sequence[Operator], means: Means) -> BlockEngine:
        head = _prepared_head(source, operators, means)
        if head is not None:
            return SurveyedBlocks(head.survey, of(head.source, head.rest, head.behind(means)))
        windowed = _all_windowed(operators)
        if isinstance(source, Source) and windowed is not None:
            return PulledBlocks(source, windowed, function, flow.spec, means)
        push = PushEngine(source, operators, means)
        return PushedBlocks(push, flow.segment_lengths(), function, flow.spec, means)

    return of(flow.source, flow.operators, means)


def _within(means: Means, name: str) -> Means:
    """Give an engine beside another names of its own in the journal."""
    return replace(means, journal=means.journal.within(name))


def _plain_engine(
    source: Source | StreamSource, operators: Sequence[Operator], means: Means, *, in_order: bool
) -> PullEngine | PushEngine:
    windowed = _all_windowed(operators)
    if isinstance(source, Source) and windowed is not None:
        return PullEngine(source, windowed, means, in_order=in_order)
    return PushEngine(source, operators, means)


@dataclass(frozen=True)
class _Head:
    """The first of a row of operators that goes over the signal more than once, and what comes before it.

    Attributes
    ----------
    source : TwoWaySource or TransformSource
        What they deliver, after the survey.
    survey : Survey or Preparation
        The passes before that.
    rest : sequence of Operator
        What follows.
    temporary : int
        Bytes of its temporary files, as far as they are known beforehand.
    """

    source: TwoWaySource | TransformSource
    survey: Survey | Preparation
    rest: Sequence[Operator]
    temporary: int = 0

    def behind(self, means: Means) -> Means:
        """Give what an engine behind it works with."""
        return replace(_within(means, "then"), claimed=means.claimed + self.temporary)


def _prepared_head(source: Source | StreamSource, operators: Sequence[Operator], means: Means) -> _Head | None:
    if not isinstance(source, Source):
        return None
    for place, operator in enumerate(operators):
        before, rest = operators[:place], operators[place + 1 :]
        if isinstance(operator, TwoWay):
            twice = TwoWaySource(source, _all_windowed(before) or [], operator)
            return _Head(twice, Survey(twice, means), rest)
        if isinstance(operator, Transform):
            return _transform_head(source, before, operator, rest, means)
    return None


def _transform_head(
    source: Source, before: Sequence[Operator], operator: Transform, rest: Sequence[Operator], means: Means
) -> _Head:
    """Make a source of a transform, fed by a spool where rows of its input cannot be had otherwise."""
    if not before and row_reader(source) is not None:
        transformed = TransformSource(source, operator)
        return _Head(transformed, Preparation(transformed, means), rest, sum(transformed.work.files))
    spec = source.spec
    for each in before:
        spec = each.plan(spec).out
    spool = Spool(spec, source, means.tmp, means.journal)
    transformed = TransformSource(spool, operator)
    temporary = spool.nbytes + sum(transformed.work.files)
    within = replace(_within(means, "feed"), dtype=spec.dtype, bits=None, chunk=None, claimed=means.claimed + temporary)
    feed = Feed(sink_engine(source, before, within), spool)
    return _Head(transformed, Preparation(transformed, means, feed), rest, temporary)


def temporary_bytes(source: Source | StreamSource, operators: Sequence[Operator]) -> int:
    """Count the bytes of temporary files that the transforms in a row of operators take."""
    total, spec, plain = 0, source.spec, isinstance(source, Source) and row_reader(source) is not None
    for operator in operators:
        plan = operator.plan(spec)
        if isinstance(operator, Transform):
            spooled = 0 if plain else (spec.n or 0) * spec.sample_bytes
            total += spooled + sum(operator.transform(plan).files)
        spec, plain = plan.out, False
    return total


def specs_along(source: Source | StreamSource, operators: Sequence[Operator]) -> list[Spec]:
    """Check that a row of operators fits together, and give what flows before the first and after each.

    Raises
    ------
    SchemaError
        If one is no operator, cannot work on what reaches it, or not in its place: a two-way operator or a transform
        on a stream, a two-way operator after one that carries state, a transform on a signal with gaps.
    """
    for operator in operators:
        if isinstance(operator, type) or not isinstance(operator, (Windowed, Stateful, TwoWay, Transform)):
            raise SchemaError(
                f"{operator!r} is not an operator, an object with plan() and apply(), step(), backward() or "
                "transform(): make one of a class by calling it, wrap a function in headrace.signals.Map"
            )
    _check_order(source, operators)
    specs = [source.spec]
    for operator in operators:
        shape = specs[-1].shape
        if len(shape) > 1 and not getattr(operator, "any_shape", False):
            raise SchemaError(
                f"{operator!r} takes samples of one or several channels: these have shape {shape}, as spectra of "
                "channels have; give it one channel, or wrap a function of such arrays in headrace.signals.Map"
            )
        specs.append(operator.plan(specs[-1]).out)
    return specs


def _check_order(source: Source | StreamSource, operators: Sequence[Operator]) -> None:
    """Refuse what goes over the signal more than once where that cannot be."""
    for place, operator in enumerate(operators):
        if not isinstance(operator, (TwoWay, Transform)):
            continue
        if not isinstance(source, Source):
            raise SchemaError(
                f"{operator!r} goes over the signal twice, and this one comes once, as a stream: record it to a file, "
                "then work on that"
            )
        if isinstance(operator, Transform):
            if len(source.segments) > 1:
                raise SchemaError(
                    f"{operator!r} takes one signal without gaps, and {source!r} has {len(source.segments)} segments: "
                    "work on each of them, or join what continues each other with concat(..., contiguous=True)"
                )
            continue
        spooled = max((i + 1 for i, each in enumerate(operators[:place]) if isinstance(each, Transform)), default=0)
        for before in operators[spooled:place]:  # what comes before a transform is written down for it
            if not isinstance(before, (Windowed, TwoWay)):
                raise SchemaError(
                    f"{operator!r} goes over the signal twice, and cannot follow {before!r}, which carries state: put "
                    "it first, or write what comes before it to a file"
                )


def _all_windowed(operators: Sequence[Operator]) -> list[Windowed] | None:
    windowed = [operator for operator in operators if isinstance(operator, Windowed)]
    return windowed if len(windowed) == len(operators) else None
