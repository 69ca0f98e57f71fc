"""Parts of recordings, and recordings end to end."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from headrace.core.forks import renew_lock_in_child
from headrace.core.operator import Spec
from headrace.core.source import row_reader
from headrace.core.span import Span
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headrace.core.arrays import Array
    from headrace.core.source import RowReader, Source

__all__ = ["ChannelView", "ConcatSource", "FlatView", "TimeView", "rest", "select_channels"]

_PIECE_BYTES = 256 * 1024
_MOST_AWAKE = 64  # files of a concatenation that are open at once


class TimeView:
    """A stretch of a source.

    Parameters
    ----------
    source : Source
        Read through.
    span : Span
        Samples of it to keep.
    """

    def __init__(self, source: Source, span: Span) -> None:
        self._source, self._span = source, span
        self.spec = source.spec.with_n(span.size)
        inside = (segment.clip(span).shift(-span.start) for segment in source.segments)
        self.segments = tuple(s for s in inside if s.size) or (Span(0, 0),)
        self.scratch_bytes, self.paths = source.scratch_bytes, source.paths
        self.stored_sample_bytes = _stored(source)

    def read(self, span: Span, out: Array) -> None:
        """See `Source.read`."""
        self._source.read(span.shift(self._span.start), out)

    def row_reader(self) -> RowReader | None:
        """See `Source`."""
        inner, first = row_reader(self._source), self._span.start
        return inner and (lambda start, apart, rows: inner(first + start, apart, rows))

    def select(self, channels: list[int]) -> TimeView:
        """Keep some of the channels."""
        return TimeView(select_channels(self._source, channels), self._span)

    def rest(self) -> None:
        """Let go of the descriptor until the next read, where the source can."""
        rest(self._source)

    def view(self, span: Span) -> Array:
        """Map samples without a copy, where the source can."""
        return _viewer(self._source)(span.shift(self._span.start))

    def verify(self) -> None:
        """See `Source.verify`."""
        self._source.verify()

    def close(self) -> None:
        """See `Source.close`."""
        self._source.close()

    def __repr__(self) -> str:
        return f"{self._source!r}{self._span}"


class ChannelView:
    """Some channels of a source that cannot select them itself.

    Parameters
    ----------
    source : Source
        Read through, all channels of it.
    channels : list of int
        Those to deliver, in this order.
    """

    def __init__(self, source: Source, channels: list[int]) -> None:
        self._source, self._channels = source, channels
        spec = source.spec
        self.spec = Spec(spec.n, (len(channels),), spec.dtype, spec.fs)
        self.segments, self.paths = source.segments, source.paths
        self._rows = max(1, _PIECE_BYTES // max(1, spec.sample_bytes))
        self.scratch_bytes = source.scratch_bytes + 2 * self._rows * spec.sample_bytes

    def read(self, span: Span, out: Array) -> None:
        """See `Source.read`."""
        spec = self._source.spec
        rows = np.empty((min(self._rows, span.size), *spec.shape), spec.dtype)
        for piece in span.split(self._rows):
            self._source.read(piece, rows[: piece.size])
            out[piece.within(span)] = rows[: piece.size, self._channels]

    def verify(self) -> None:
        """See `Source.verify`."""
        self._source.verify()

    def close(self) -> None:
        """See `Source.close`."""
        self._source.close()

    def __repr__(self) -> str:
        return f"{self._source!r} channels {self._channels}"


class FlatView:
    """The one channel of a source, as samples of shape ``()``.

    Parameters
    ----------
    source : Source
        Of one channel.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.spec = replace(source.spec, shape=())
        self.segments, self.paths = source.segments, source.paths
        self.scratch_bytes = source.scratch_bytes
        self.stored_sample_bytes = _stored(source)

    def read(self, span: Span, out: Array) -> None:
        """See `Source.read`."""
        self._source.read(span, out.reshape(-1, 1))

    def row_reader(self) -> RowReader | None:
        """See `Source`."""
        return row_reader(self._source)

    def verify(self) -> None:
        """See `Source.verify`."""
        self._source.verify()

    def close(self) -> None:
        """See `Source.close`."""
        self._source.close()

    def __repr__(self) -> str:
        return repr(self._source)


class ConcatSource:
    """Sources end to end.

    Parameters
    ----------
    sources : sequence of Source
        Of one dtype, number of channels and rate.
    contiguous : bool
        Whether one continues the other in time; otherwise each begins a segment of its own.

    Raises
    ------
    SchemaError
        If they do not fit together; names the first that differs.
    """

    def __init__(self, sources: Sequence[Source], *, contiguous: bool = True) -> None:
        if not sources:
            raise SchemaError("nothing to concatenate: no recording was given")
        first = sources[0].spec
        for number, source in enumerate(sources):
            spec = source.spec
            if (spec.shape, spec.dtype, spec.fs) != (first.shape, first.dtype, first.fs):
                raise SchemaError(
                    f"recording {number} ({source!r}) is {spec}, the first ({sources[0]!r}) is {first}: "
                    "only recordings of one dtype, number of channels and rate can be concatenated"
                )
        self._sources = tuple(sources)
        self._awake: dict[int, None] = {}  # in the order of their last use
        self._lock = threading.RLock()
        renew_lock_in_child(self)
        self._starts = [0, *accumulate(source.spec.n or 0 for source in sources)]
        n = self._starts[-1]
        self.spec = first.with_n(n)
        pairs = zip(self._starts, self._sources, strict=False)
        segments: list[Span] = []
        for start, source in pairs:
            own = [segment.shift(start) for segment in source.segments if segment.size]
            if contiguous and segments and own:
                own[0] = Span(segments.pop().start, own[0].stop)
            segments += own
        self.segments = tuple(segments) or (Span(0, 0),)
        self.scratch_bytes = max(source.scratch_bytes for source in sources)
        self.stored_sample_bytes = max(_stored(source) for source in sources)
        self.paths = tuple(path for source in sources for path in source.paths)

    def read(self, span: Span, out: Array) -> None:
        """See `Source.read`."""
        start = span.start
        number = bisect_right(self._starts, start) - 1
        while start < span.stop:
            stop = min(span.stop, self._starts[number + 1])
            part = Span(start, stop)
            self._touch(number)
            self._sources[number].read(part.shift(-self._starts[number]), out[part.within(span)])
            start, number = stop, number + 1

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_awake": {}, "_lock": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()
        renew_lock_in_child(self)

    def _touch(self, number: int) -> None:
        """Keep only the sources used last awake: a thousand files are not a thousand descriptors."""
        with self._lock:
            self._awake.pop(number, None)
            self._awake[number] = None
            tired = next(iter(self._awake)) if len(self._awake) > _MOST_AWAKE else None
            if tired is not None:
                del self._awake[tired]
        if tired is not None:
            rest(self._sources[tired])

    def select(self, channels: list[int]) -> ConcatSource:
        """Keep some of the channels."""
        kept = ConcatSource([select_channels(source, channels) for source in self._sources])
        kept.segments = self.segments
        return kept

    def verify(self) -> None:
        """See `Source.verify`."""
        for number, source in enumerate(self._sources):
            self._touch(number)
            source.verify()

    def close(self) -> None:
        """See `Source.close`."""
        for source in self._sources:
            source.close()

    def __repr__(self) -> str:
        return f"<{len(self._sources)} recordings from {self._sources[0]!r} to {self._sources[-1]!r}>"


def select_channels(source: Source, channels: list[int]) -> Source:
    """Keep some channels of a source, by its own means where it has them."""
    own: Callable[[list[int]], Source] | None = getattr(source, "select", None)
    return own(channels) if own else ChannelView(source, channels)


def _stored(source: Source) -> int:
    found: int = getattr(source, "stored_sample_bytes", source.spec.sample_bytes)
    return found


def rest(source: Source) -> None:
    """Let a source go without its descriptor until its next read, where it can."""
    own: Callable[[], None] | None = getattr(source, "rest", None)
    if own is not None:
        own()


def _viewer(source: Source) -> Callable[[Span], Array]:
    own: Callable[[Span], Array] | None = getattr(source, "view", None)
    if own is None:
        raise SchemaError(f"{source!r} cannot be viewed in place: read it with np.asarray(recording)")
    return own
