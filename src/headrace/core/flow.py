"""Flows: a source, operators in a row, and the ways to run them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

from headrace.core.arrow import arrow_chunks
from headrace.core.engines import specs_along, temporary_bytes
from headrace.core.progress import progress_of
from headrace.core.publish import refuse_input_as_output
from headrace.core.report import Meter
from headrace.core.run import Chunks, RunKeywords, RunOptions, check_complete
from headrace.core.sinks import ArraySink, DiscardSink, Gate, Sink, file_sink
from headrace.core.source import Source
from headrace.errors import SchemaError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from headrace.core.arrays import Array, DType
    from headrace.core.arrow import ArrowStream
    from headrace.core.chunk import Chunk
    from headrace.core.operator import Operator, Spec
    from headrace.core.report import RunReport
    from headrace.core.source import StreamSource

__all__ = ["SampleFlow"]


class SampleFlow:
    """A source and operators in a row; nothing happens until it is run.

    Made by ``recording.pipe(...)``. The output does not depend on how a flow is run: not on `memory`, `threads`,
    `chunk` or `executor`.

    Parameters
    ----------
    source : Source or StreamSource
        Where samples come from.
    operators : sequence of Operator
        What is done to them, in order.

    Raises
    ------
    SchemaError
        If an operator cannot work on what reaches it.

    Notes
    -----
    Options that all ways of running share:

    memory : int, str or Budget
        Most bytes the run adds to the process, ``"64MB"`` by default; a `Budget` is shared with other flows.
    threads : int
        Default: the process's CPU affinity, capped by its cgroup.
    executor : str or Executor
        ``"threads"`` (default), ``"serial"``, or an engine from the registry.
    progress : bool or callable
        ``True`` for a bar, or ``callback(done, total, report)``.
    chunk : int
        Output samples per chunk, to override the choice made from the budget; changes no byte of the output.
    tmp : str or path-like
        Folder for temporary files, by default the system's; needed by operators that go over a signal twice,
        and by transforms.
    out_dtype : dtype-like
        Deliver in another dtype. Integers are rounded half to even and saturated, NaN becomes 0, and the values that
        did not fit are counted in the report. ``"int24"`` is int32 within 24 bits, which .wav files store in 3 bytes.
    """

    def __init__(self, source: Source | StreamSource, operators: Sequence[Operator] = ()) -> None:
        self._specs = specs_along(source, operators)
        self._source = source
        self._operators = tuple(operators)

    @property
    def source(self) -> Source | StreamSource:
        """Where samples come from."""
        return self._source

    @property
    def operators(self) -> tuple[Operator, ...]:
        """What is done to them, in order."""
        return self._operators

    @property
    def dtype(self) -> DType:
        """Dtype of the output."""
        return self._specs[-1].dtype

    @property
    def fs(self) -> float | None:
        """Samples per second of the output, hertz."""
        return self._specs[-1].fs

    @property
    def n_samples(self) -> int | None:
        """Samples of output, ``None`` if the source does not know its length."""
        return self._lengths()[-1]

    @property
    def temporary_bytes(self) -> int:
        """Bytes of temporary files that the transforms among the operators take; see ``tmp=``."""
        return temporary_bytes(self._source, self._operators)

    @property
    def spec(self) -> Spec:
        """What comes out."""
        return self._specs[-1].with_n(self.n_samples)

    def pipe(self, *operators: Operator) -> SampleFlow:
        """Make a flow with more operators at its end."""
        return SampleFlow(self._source, (*self._operators, *operators))

    def chunks(self, **options: Unpack[RunKeywords]) -> Chunks:
        """Iterate over the output in order.

        Parameters
        ----------
        **options
            See the class.

        Returns
        -------
        Chunks
            An iterator of `Chunk`, and a context manager. Each array is valid for as long as it is held.

        Raises
        ------
        BudgetTooSmall
            If not even one thread fits into `memory`.
        RingStarved
            From ``next``: if every buffer that the budget allows is held.
        """
        return Chunks(self, RunOptions.of(self, options))

    def __iter__(self) -> Iterator[Chunk]:
        return self.chunks()

    def run(
        self,
        sink: Sink | None = None,
        **options: Unpack[RunKeywords],
    ) -> RunReport:
        """Run the flow into a sink; without one, for its report and side effects only.

        Parameters
        ----------
        sink : Sink, optional
            Takes the chunks.
        **options
            See the class.

        Returns
        -------
        RunReport
            What it did and cost.

        Raises
        ------
        BudgetTooSmall
            If not even one thread fits into `memory`.
        SourceChanged, SourceIOError
            If the source changed or failed; the sink is left as if nothing had happened.
        """
        if isinstance(sink, type) or (sink is not None and not isinstance(sink, Sink)):
            raise SchemaError(f"{sink!r} is not a sink: for a file use to_file(path), for an array to_array()")
        return self._transfer(lambda _: sink or DiscardSink(), RunOptions.of(self, options))

    def to_file(
        self,
        path: str | os.PathLike[str],
        *,
        force: bool = False,
        durable: bool = False,
        resume: bool = False,
        **options: Unpack[RunKeywords],
    ) -> RunReport:
        """Run the flow into a file, which appears complete or not at all.

        Parameters
        ----------
        path : str or path-like
            ``.npy`` gives shape ``(n,)`` or ``(n, channels)``, ``.wav`` a WAV file; ``.bin``, ``.dat``, ``.raw``,
            ones such as ``.i16`` and none at all raw samples in C order. More come with registered sinks.
        force : bool
            Replace an existing file.
        durable : bool
            Flush file and folder to the disk.
        resume : bool
            Keep a journal beside the file in the making, and go on where a killed run of the same job has left one:
            the file has the same bytes. How it is run (`memory`, `threads`, `chunk`, `executor`, `tmp`) may differ.
        **options
            See the class.

        Returns
        -------
        RunReport
            What it did and cost.

        Raises
        ------
        OutputExists, OutputError
            If the file exists and `force` is false; if there is no room for it, or it is the input.
        JournalMismatch, FormatError
            If a killed run has left a journal of another job, which says what differs, or a damaged one.
        SchemaError
            If what is to be resumed comes as a stream, or the format cannot be resumed.
        BudgetTooSmall, SourceChanged, SourceIOError
            See `run`.
        """
        chosen = RunOptions.of(self, options)
        job = f"{self._source!r} {self._operators!r} {chosen.dtype} {chosen.bits}"
        sink = file_sink(path, job=job, force=force, durable=durable, **({"resume": True} if resume else {}))
        if resume:
            from headrace.core.run_journal import journal_of  # which most runs do without

            output = {"out_dtype": str(chosen.dtype), "bits": chosen.bits}
            chosen = replace(chosen, journal=journal_of(sink, self._source, self._operators, output))
        return self._transfer(lambda _: sink, chosen)

    def to_array(self, **options: Unpack[RunKeywords]) -> Array:
        """Run the flow into one array, if the budget can hold it.

        Parameters
        ----------
        **options
            See the class. The array counts.

        Returns
        -------
        ndarray, shape (n,) or (n, channels)
            The output.

        Raises
        ------
        BudgetTooSmall
            If the array does not fit into `memory` beside the run; says what it would need.
        SourceChanged, SourceIOError
            See `run`.
        """
        chosen = RunOptions.of(self, options)
        sinks: list[ArraySink] = []

        def make_sink(beside: int) -> ArraySink:
            sinks.append(ArraySink(chosen.budget, beside))
            return sinks[0]

        try:
            self._transfer(make_sink, chosen)
            return sinks[0].array
        finally:
            for sink in sinks:
                sink.release()  # what the caller keeps is the caller's from here on

    def to_arrow(
        self, *, copy: bool = False, metadata: Mapping[str, str] | None = None, **options: Unpack[RunKeywords]
    ) -> ArrowStream:
        """Offer the chunks as an Arrow stream, which runs the flow when a consumer takes it; needs no Arrow library.

        Parameters
        ----------
        copy : bool
            Hand over copies, which do not count in `memory`: for consumers that collect all batches before they work,
            where the output is larger than `memory`.
        metadata : mapping of str to str, optional
            For the schema, beside ``fs``.
        **options
            See the class.

        Returns
        -------
        ArrowStream
            Of one column, ``samples``: numbers, or for signals of shape (n, channels) fixed-size lists of channels. A
            chunk is a record batch whose buffer is the chunk's own; it is recycled when the consumer lets go of it.

        Raises
        ------
        SchemaError
            If Arrow has no such samples: complex ones.

        Notes
        -----
        A consumer that holds every batch that `memory` allows is told so (`RingStarved`) and may ask again once it has
        let go of some.

        Examples
        --------
        >>> import numpy as np, headrace
        >>> rec = headrace.signals.from_array(np.zeros((9, 4), "float32"), fs=1000)
        >>> rec.pipe().to_arrow()
        ArrowStream(samples: float32[4])
        """
        chosen = RunOptions.of(self, options)
        spec = replace(self.spec, dtype=chosen.dtype)
        return arrow_chunks(spec, lambda: self.chunks(**options), copy=copy, metadata=metadata)

    def _transfer(self, make_sink: Callable[[int], Sink], options: RunOptions) -> RunReport:
        """Run into the sink that `make_sink` makes, given the bytes that the run needs beside it."""
        total, meter = self.n_samples, Meter()
        with options.executor() as executor:
            display = progress_of(options.progress, self._label())
            engine = options.sink_engine(self, executor, meter, lambda: display.update(0, total, meter))
            sink = make_sink(engine.smallest)
            gate = Gate(sink)
            output = getattr(sink, "path", None)
            if output is not None and isinstance(self._source, Source):
                refuse_input_as_output(output, self._source.paths)
            done = 0
            try:
                sink.open(replace(self.spec, dtype=options.dtype, bits=options.bits))
                options.journal.open()
                engine.begin(options.budget)
                with closing(engine.deliver(gate)) as work:
                    for count in work:
                        done += count
                        meter.n_samples = done
                        meter.bytes_out = (done - meter.n_resumed) * self._out_bytes(options.dtype)
                        display.update(done, total, meter)
                check_complete(done, total)
                if isinstance(self._source, Source):
                    self._source.verify()
                meter.n_samples, meter.output = done, None if output is None else str(output)
                display.update(done, total, meter, last=True)
                sink.commit(done)
                options.journal.done()
            except BaseException as error:
                gate.shut()
                options.journal.leave(error)
                sink.abort()
                raise
            finally:
                engine.close()
                display.close()
        return meter.report()

    def segment_lengths(self) -> list[int | None]:
        """Count the samples of output in each segment; one of unknown length for a stream."""
        if not isinstance(self._source, Source):
            return [None]
        return [counts[-1] for counts in self._segment_counts(self._source)]

    def _lengths(self) -> list[int | None]:
        """Count the samples of the source and after each operator, over all segments."""
        if not isinstance(self._source, Source):
            return [None] * len(self._specs)
        total = [0] * len(self._specs)
        for counts in self._segment_counts(self._source):
            total = [a + b for a, b in zip(total, counts, strict=True)]
        return list(total)

    def _segment_counts(self, source: Source) -> Iterator[list[int]]:
        """Count, segment by segment, the samples of the source and after each operator."""
        for number, segment in enumerate(source.segments):
            spec, counts = source.spec.with_n(segment.size), [segment.size]
            for operator in self._operators:
                try:
                    spec = operator.plan(spec).out
                except SchemaError as error:
                    if len(source.segments) > 1:
                        error.add_note(f"in segment {number} of {source!r}, samples {segment}")
                    raise
                counts.append(spec.n or 0)
            yield counts

    def _rows(self) -> list[tuple[str, str]]:
        """Give each stage, and what it gives, in words."""
        specs = [spec.with_n(n) for spec, n in zip(self._specs, self._lengths(), strict=True)]
        names = [repr(self._source), *(repr(operator) for operator in self._operators)]
        return [(name, str(spec)) for name, spec in zip(names, specs, strict=True)]

    def _out_bytes(self, dtype: DType) -> int:
        return self._specs[-1].n_channels * dtype.itemsize

    def _label(self) -> str:
        return " > ".join(type(operator).__name__ for operator in self._operators) or "copy"

    def __repr__(self) -> str:
        (source, spec), *stages = self._rows()
        return "\n".join([f"Flow from {source}: {spec}", *(f"  > {name}: {given}" for name, given in stages)])

    def _repr_html_(self) -> str:
        import html

        rows = [(str(number or "source"), *row) for number, row in enumerate(self._rows())]
        cells = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        return f"<table><thead><tr><th></th><th>stage</th><th>gives</th></tr></thead><tbody>{cells}</tbody></table>"
