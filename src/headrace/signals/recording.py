"""Recordings: samples with a rate, a start, and names for their channels; read when asked, never before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.closeable import Closeable
from headrace.core.machine import memory_available
from headrace.core.sizes import format_bytes
from headrace.core.source import Source
from headrace.core.span import Span
from headrace.errors import BudgetTooSmall, SchemaError
from headrace.signals.flow import Flow
from headrace.signals.positions import parse_position
from headrace.signals.sources import FlatView, TimeView, select_channels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.core.arrays import Array, DType
    from headrace.core.budget import Budget
    from headrace.core.operator import Operator
    from headrace.core.rowflow import RowFlow
    from headrace.core.source import StreamSource

__all__ = ["Labels", "Recording"]


@dataclass(frozen=True, slots=True)
class Labels:
    """What a recording knows beside its samples.

    Attributes
    ----------
    t0 : float
        Time of the first sample, seconds.
    channel_names : tuple of str or None
        One for each channel.
    units : str or None
        Of the samples, such as ``"uV"``.
    channel_numbers : tuple of int or None
        Which channels of the file or array these are; ``None`` for all of them in order.
    first_sample : int
        Number of the first sample in the file or array.
    """

    t0: float = 0.0
    channel_names: tuple[str, ...] | None = None
    units: str | None = None
    channel_numbers: tuple[int, ...] | None = None
    first_sample: int = 0

    def select(self, channels: list[int]) -> Labels:
        """Keep the names and numbers of some channels."""
        names, numbers = self.channel_names, self.channel_numbers
        return replace(
            self,
            channel_names=names and tuple(names[c] for c in channels),
            channel_numbers=tuple(channels) if numbers is None else tuple(numbers[c] for c in channels),
        )


class Recording(Closeable):
    """A signal of any length, in a file, in memory or still to come.

    Made by `headrace.signals.open`, `from_array`, `from_iter` and `concat`. Slicing is lazy: ``rec[start:stop]``
    and ``rec[start:stop, channels]`` are recordings; ``np.asarray(rec)`` reads.

    Parameters
    ----------
    source : Source or StreamSource
        Where the samples come from.
    labels : Labels, optional
        What is known beside them.
    """

    def __init__(self, source: Source | StreamSource, labels: Labels | None = None) -> None:
        self._source, self._labels = source, labels or Labels()
        names = self._labels.channel_names
        if names is not None and len(names) != source.spec.n_channels:
            raise SchemaError(f"{len(names)} channel names for {source.spec.n_channels} channels")

    @property
    def source(self) -> Source | StreamSource:
        """Where the samples come from."""
        return self._source

    @property
    def n_samples(self) -> int | None:
        """Number of samples; ``None`` for a stream."""
        return self._source.spec.n

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return self._source.spec.n_channels

    @property
    def shape(self) -> tuple[int | None, ...]:
        """``(n_samples,)`` or ``(n_samples, n_channels)``."""
        return (self._source.spec.n, *self._source.spec.shape)

    @property
    def ndim(self) -> int:
        """1 or 2."""
        return len(self.shape)

    @property
    def dtype(self) -> DType:
        """Dtype of the samples as delivered."""
        return self._source.spec.dtype

    @property
    def nbytes(self) -> int | None:
        """Bytes of all samples as delivered; ``None`` for a stream."""
        spec = self._source.spec
        return None if spec.n is None else spec.n * spec.sample_bytes

    @property
    def fs(self) -> float | None:
        """Samples per second, hertz; ``None`` if it was not given."""
        return self._source.spec.fs

    @property
    def t0(self) -> float:
        """Time of the first sample, seconds."""
        return self._labels.t0

    @property
    def channel_names(self) -> tuple[str, ...] | None:
        """One for each channel, if given."""
        return self._labels.channel_names

    @property
    def channel_numbers(self) -> tuple[int, ...]:
        """Which channels of the file or array these are, counted from 0."""
        return self._labels.channel_numbers or tuple(range(self.n_channels))

    @property
    def first_sample(self) -> int:
        """Which sample of the file or array, counted from 0, is the first of this recording."""
        return self._labels.first_sample

    @property
    def units(self) -> str | None:
        """Unit of the samples, if given."""
        return self._labels.units

    @property
    def duration_s(self) -> float | None:
        """Length in seconds; ``None`` without a rate or for a stream."""
        return None if self.n_samples is None or not self.fs else self.n_samples / self.fs

    @property
    def segments(self) -> tuple[Span, ...]:
        """Stretches without a gap; operators never cross from one into the next."""
        return self._random().segments

    def pipe(self, *operators: Operator) -> Flow:
        """Put operators in a row; nothing runs until the flow is run.

        Parameters
        ----------
        *operators : Operator
            Applied in order.

        Returns
        -------
        Flow
            With ``run``, ``to_file``, ``to_array`` and iteration over chunks.

        Raises
        ------
        SchemaError
            If an operator cannot work on what reaches it.
        """
        return Flow(self._source, operators, t0=self.t0)

    def detect(self, detector: Any, **options: Any) -> RowFlow:
        """Find events; see `Flow.detect`."""
        return self.pipe().detect(detector, **options)

    def features(self, *what: Any, length: int | str, hop: int | str | None = None) -> RowFlow:
        """Describe windows by numbers; see `Flow.features`."""
        return self.pipe().features(*what, length=length, hop=hop)

    def psd(self, nperseg: int | None = None, noverlap: int | None = None, **options: Any) -> RowFlow:
        """Estimate how power is spread over frequencies; see `Flow.psd`."""
        return self.pipe().psd(nperseg, noverlap, **options)

    def view(self, start: int | str | None = None, stop: int | str | None = None) -> Array:
        """Map samples into memory without a copy: the explicit zero-copy door.

        Parameters
        ----------
        start, stop : int or str, optional
            Samples, or times such as ``"10s"``.

        Returns
        -------
        ndarray, shape (m,) or (m, channels)
            Read-only. Its pages count in the process's memory as they are touched.

        Raises
        ------
        SchemaError
            If samples are not delivered as they are stored.
        SourceChanged
            If the file is no longer what was opened.

        Notes
        -----
        What it risks: a file that shrinks while the view is held kills the process with SIGBUS when a lost page is
        touched, and one that is rewritten changes the view. Flows do not use it.
        """
        span = self._span(start, stop)
        own = getattr(self._random(), "view", None)
        if own is None:
            raise SchemaError("this recording is not one file that can be mapped: read it with np.asarray")
        view: Array = own(span)
        return view

    def to_array(self, *, memory: int | str | Budget | None = None) -> Array:
        """Read all samples into one array, if `memory` (64 MB by default) can hold it.

        Raises
        ------
        BudgetTooSmall
            If it cannot; says what it would need.
        """
        return self.pipe().to_array(memory=memory)

    def plot(self, **options: Any) -> Any:
        """Draw the recording; see `headrace.signals.plot.plot` for the options."""
        from headrace.signals.plot import plot

        return plot(self, **options)

    def plot_spectrogram(self, **options: Any) -> Any:
        """Draw power over time and frequency; see `headrace.signals.spectra.plot.plot_spectrogram`."""
        from headrace.signals.spectra.plot import plot_spectrogram

        return plot_spectrogram(self, **options)

    def close(self) -> None:
        """Close the files behind it, for its slices too. May be called twice."""
        if isinstance(self._source, Source):
            self._source.close()

    def __len__(self) -> int:
        if self.n_samples is None:
            raise TypeError("a stream has no length until it ends")
        return self.n_samples

    __iter__ = None  # samples one by one would be a trap; iterate over rec.pipe() for chunks

    def __getitem__(self, key: Any) -> Any:
        time, channels = (*key, slice(None))[:2] if isinstance(key, tuple) and key else (key, slice(None))
        if isinstance(key, tuple) and len(key) > 2:
            raise SchemaError(f"a recording has two axes, samples and channels: got {key!r}")
        if isinstance(time, (int, np.integer)):
            return self._sample(int(time), channels)
        if not isinstance(time, slice) or time.step not in (None, 1):
            raise SchemaError(
                f"a recording is sliced as rec[start:stop] or rec[start:stop, channels]: got {key!r}; "
                "for steps and masks, read first: np.asarray(rec[a:b])[::2]"
            )
        part: Recording = self
        if (time.start, time.stop) != (None, None):
            part = part._between(self._span(time.start, time.stop))
        return part._of_channels(channels)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("reading a recording makes an array of its own: copy=False cannot be kept; see view()")
        spec = self._random().spec
        needed = (spec.n or 0) * spec.sample_bytes
        free = memory_available()
        if needed > free:
            raise BudgetTooSmall(
                f"the recording takes {format_bytes(needed)} in memory, where {format_bytes(free)} are free: slice "
                "it, or let a flow stream it: rec.pipe(...).to_file(path)",
                needed=needed,
                available=free,
            )
        array = np.empty((spec.n or 0, *spec.shape), spec.dtype)
        self._random().read(Span(0, spec.n or 0), array)
        return array if dtype is None else array.astype(dtype, copy=False)

    def _random(self) -> Source:
        if not isinstance(self._source, Source):
            raise SchemaError("this recording comes once, as a stream: use rec.pipe(...), or collect it first")
        return self._source

    def _span(self, start: Any, stop: Any) -> Span:
        n = self._random().spec.n or 0
        first = 0 if start is None else parse_position(start, n, self.fs)
        last = n if stop is None else parse_position(stop, n, self.fs)
        return Span(min(first, n), max(min(first, n), min(last, n)))

    def _between(self, span: Span) -> Recording:
        shift = span.start / self.fs if self.fs else 0.0
        labels = replace(self._labels, t0=self.t0 + shift, first_sample=self.first_sample + span.start)
        return Recording(TimeView(self._random(), span), labels)

    def _of_channels(self, key: Any) -> Recording:
        if isinstance(key, slice) and key == slice(None):
            return self
        if self.ndim == 1 and isinstance(key, (int, np.integer)) and key == 0:
            return self
        if self.ndim == 1:
            raise SchemaError("this recording has shape (n,): there are no channels to choose from")
        chosen = np.arange(self.n_channels)
        try:
            picked = chosen[self._names_to_numbers(key)]
        except IndexError as error:
            raise SchemaError(f"channels {key!r} are not all among the {self.n_channels} there are") from error
        if np.ndim(picked) > 1:
            raise SchemaError(f"channels are one number, or a row of them: got {key!r}")
        channels = [int(c) for c in np.atleast_1d(picked)]
        if not channels:
            raise SchemaError(f"no channel chosen by {key!r}")
        source = select_channels(self._random(), channels)
        if np.ndim(picked) == 0:
            source = FlatView(source)
        return Recording(source, self._labels.select(channels))

    def _names_to_numbers(self, key: Any) -> Any:
        names = self.channel_names or ()
        if isinstance(key, str):
            if key not in names:
                raise SchemaError(f"no channel is called {key!r}; there are {', '.join(names) or 'no names'}")
            return names.index(key)
        if isinstance(key, (list, tuple)):
            return [self._names_to_numbers(k) if isinstance(k, str) else k for k in key]
        return key

    def _sample(self, index: int, channels: Any) -> Any:
        n = len(self)
        place = index + n if index < 0 else index
        if not 0 <= place < n:
            raise IndexError(f"sample {index} of a recording of {n} samples")
        return np.asarray(self._between(Span(place, place + 1))._of_channels(channels))[0]

    def __repr__(self) -> str:
        length = f", {self.duration_s:.6g} s" if self.duration_s is not None else ""
        units = f", {self.units}" if self.units else ""
        parts = len(self.segments) if isinstance(self._source, Source) else 1
        segments = f", {parts} segments" if parts > 1 else ""
        return f"Recording({self._source!r}: {self._source.spec}{length}{units}{segments})"

    def _repr_html_(self) -> str:
        import html

        rows: Sequence[tuple[str, object]] = [
            ("source", repr(self._source)),
            ("shape", self.shape),
            ("dtype", self.dtype),
            ("fs", f"{self.fs:g} Hz" if self.fs else "not given"),
            ("duration", f"{self.duration_s:.6g} s" if self.duration_s is not None else "unknown"),
            ("size", format_bytes(self.nbytes) if self.nbytes is not None else "unknown"),
            ("units", self.units or "not given"),
            ("channels", ", ".join(self.channel_names) if self.channel_names else self.n_channels),
        ]
        cells = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>" for name, value in rows
        )
        return f"<table><caption>Recording</caption><tbody>{cells}</tbody></table>"
