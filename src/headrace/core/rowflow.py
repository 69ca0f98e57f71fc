"""Flows whose output is a table: rows made of a block function's results, and the ways to run them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from headrace.core.arrow import arrow_stream
from headrace.core.blockwise import Fits, stage_name
from headrace.core.closeable import Closeable
from headrace.core.engines import block_engine
from headrace.core.outcome_log import OutcomeLog
from headrace.core.progress import progress_of
from headrace.core.publish import refuse_input_as_output
from headrace.core.report import Meter
from headrace.core.run import RunKeywords, RunOptions, check_complete
from headrace.core.source import Source
from headrace.core.table_sinks import table_sink
from headrace.core.tables import ArrayTable
from headrace.errors import Cancelled, SchemaError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterable, Iterator

    from headrace.core.arrays import Array, DType
    from headrace.core.arrow import ArrowStream
    from headrace.core.blocks import BlockEngine
    from headrace.core.blockwise import Outcome, Tabulates
    from headrace.core.flow import SampleFlow
    from headrace.core.report import RunReport
    from headrace.core.tables import TableSink

__all__ = ["RowFlow", "Rows"]


class RowFlow:
    """A flow that ends in a table; nothing happens until it is run.

    The rows do not depend on how it is run: not on `memory`, `threads` or `executor`.

    Parameters
    ----------
    flow : SampleFlow
        What is tabulated.
    function : Tabulates
        How: a pure function of blocks, and the fold that makes rows of its results.
    t0 : float
        Time of the flow's first sample, seconds.

    Raises
    ------
    SchemaError
        If the function cannot work on what the flow gives.

    Notes
    -----
    The ways of running share the options of `headrace.core.flow.SampleFlow`, without `out_dtype`.
    """

    def __init__(self, flow: SampleFlow, function: Tabulates[Any], t0: float = 0.0) -> None:
        if len(flow.spec.shape) > 1:
            raise SchemaError(
                f"tables are made of samples of one or several channels: these have shape {flow.spec.shape}, as "
                "short-time spectra have; write them with to_file, or take them chunk by chunk"
            )
        if isinstance(function, Fits):
            function = function.fitted(flow.segment_lengths())
        self._flow, self._function, self._t0 = flow, function, t0
        self._dtype = self._fold_dtype()

    @property
    def dtype(self) -> DType:
        """Structured dtype of the rows."""
        return self._dtype

    @property
    def flow(self) -> SampleFlow:
        """What is tabulated."""
        return self._flow

    @property
    def function(self) -> Tabulates[Any]:
        """How, as fitted to the flow."""
        return self._function

    def batches(self, **options: Unpack[RunKeywords]) -> Rows:
        """Iterate over the rows in order, some at a time.

        Returns
        -------
        Rows
            An iterator of structured arrays, shape (k,), k >= 1, and a context manager.

        Raises
        ------
        BudgetTooSmall
            If not even one thread fits into `memory`.
        """
        return Rows(self, self._options(options))

    def __iter__(self) -> Iterator[Array]:
        return self.batches()

    def run(self, sink: TableSink | None = None, **options: Unpack[RunKeywords]) -> RunReport:
        """Run into a sink for rows; without one, for the report only.

        Parameters
        ----------
        sink : TableSink, optional
            Takes the rows.

        Returns
        -------
        RunReport
            What the run did and cost; `n_rows` counts the rows.
        """
        return self._transfer(sink, self._options(options))

    def to_file(
        self,
        path: str | os.PathLike[str],
        *,
        force: bool = False,
        durable: bool = False,
        resume: bool = False,
        **options: Unpack[RunKeywords],
    ) -> RunReport:
        """Run into a file, which appears complete or not at all.

        Parameters
        ----------
        path : str or path-like
            ``.csv``, ``.npy`` (a structured array), ``.arrow`` or ``.parquet`` (these two need pyarrow).
        force : bool
            Replace an existing file.
        durable : bool
            Flush file and folder to the disk.
        resume : bool
            Keep a journal, and continue a killed run; see `headrace.core.flow.SampleFlow.to_file`.

        Returns
        -------
        RunReport
            What the run did and cost; `n_rows` counts the rows.

        Raises
        ------
        OutputExists, OutputError
            If the file exists and `force` is false, cannot be written, or is the input.
        JournalMismatch, FormatError
            If a killed run has left a journal of another job, or a damaged one.
        MissingExtra
            If the format needs a package that is not installed.
        """
        chosen = self._options(options)
        job = f"{self._flow.source!r} {self._flow.operators!r} {self._function!r}"
        sink = table_sink(path, job=job, force=force, durable=durable, **({"resume": True} if resume else {}))
        if resume:
            from headrace.core.run_journal import journal_of  # which most runs do without

            stages = (*self._flow.operators, self._function)
            chosen = replace(chosen, journal=journal_of(sink, self._flow.source, stages, {"t0": self._t0}))
        return self._transfer(sink, chosen, str(path))

    def to_array(self, **options: Unpack[RunKeywords]) -> Array:
        """Run into one structured array, if the budget can hold it.

        Returns
        -------
        ndarray, shape (n,), structured
            The rows.

        Raises
        ------
        BudgetTooSmall
            If they do not fit into `memory` beside the run.
        """
        chosen = self._options(options)
        sink = ArrayTable(chosen.budget)
        try:
            self._transfer(sink, chosen)
            return sink.array
        finally:
            sink.abort()  # what the caller keeps is the caller's from here on

    def to_arrow(self, **options: Unpack[RunKeywords]) -> ArrowStream:
        """Offer the rows as an Arrow stream, which runs the flow when a consumer takes it; needs no Arrow library.

        Returns
        -------
        ArrowStream
            Of one column for each field; for pyarrow, Polars, pandas and DuckDB.

        Examples
        --------
        >>> import numpy as np, headrace
        >>> rec = headrace.signals.from_array(np.zeros(9, "float32"), fs=1000)
        >>> rec.detect(headrace.signals.Threshold(5)).to_arrow()
        ArrowStream(start: int64, end: int64, channel: int32, amplitude: float64, peak: int64, time_s: float64)
        """
        self._options(options)
        return arrow_stream(self._dtype, _Batches(self, options))

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def _options(self, options: RunKeywords) -> RunOptions:
        if options.get("out_dtype") is not None:
            raise SchemaError("out_dtype= is for samples; the columns of a table have their own dtypes")
        return RunOptions.of(self._flow, options)

    def _transfer(self, sink: TableSink | None, options: RunOptions, output: str | None = None) -> RunReport:
        source = self._flow.source
        if output is not None and isinstance(source, Source):
            refuse_input_as_output(output, source.paths)
        display = progress_of(options.progress, stage_name(self._function))
        total, meter = self._flow.n_samples, Meter()

        def tell(last: bool = False) -> None:
            display.update(meter.n_samples, total, meter, last=last)

        try:
            if sink is not None:
                sink.open(self._dtype)
                options.journal.open()
            with closing(self._rows(options, meter, tell)) as batches:
                for rows in batches:
                    if sink is not None:
                        sink.write(rows)
            if isinstance(source, Source):
                source.verify()
            meter.output = output
            tell(last=True)
            if sink is not None:
                sink.commit()
                options.journal.done()
        except BaseException as error:
            options.journal.leave(error)
            if sink is not None:
                sink.abort()
            raise
        finally:
            display.close()
        return meter.report()

    def _rows(self, options: RunOptions, meter: Meter, tell: Callable[[], None]) -> Generator[Array]:
        """Run; give the rows as they are completed."""
        flow, function = self._flow, self._function
        with options.executor() as executor:
            engine = block_engine(flow, function, options.means(executor, meter, tell))
            fold = function.fold(flow.spec, t0=self._t0, tmp=options.tmp)
            try:
                engine.begin(options.budget)
                with closing(self._outcomes(engine, options, meter)) as outcomes:
                    for outcome in outcomes:
                        yield from _counted(fold.add(outcome), meter)
                        if outcome.channels.stop == flow.spec.n_channels:
                            meter.n_samples = outcome.offset + outcome.span.stop
                            tell()
                check_complete(meter.n_samples, flow.n_samples)
                yield from _counted(fold.finish(), meter)
            finally:
                fold.close()
                engine.close()

    def _outcomes(self, engine: BlockEngine, options: RunOptions, meter: Meter) -> Generator[Outcome[Any]]:
        """Give the outcomes of all blocks; those that a run before had done as it wrote them down."""
        if not options.journal.active:
            with closing(engine.outcomes()) as outcomes:
                yield from outcomes
            return
        with closing(OutcomeLog(self._function, options.journal, options.tmp)) as log:
            meter.n_resumed = log.done
            yield from log.replay()
            with closing(engine.outcomes(log.done, log.engine)) as outcomes:
                for outcome in outcomes:
                    log.add(outcome)
                    if outcome.channels.stop == self._flow.spec.n_channels:
                        log.keep(outcome.offset + outcome.span.stop, engine.kept)
                    yield outcome

    def _fold_dtype(self) -> DType:
        self._function.plan(self._flow.spec)
        fold = self._function.fold(self._flow.spec, t0=self._t0)
        try:
            return np.dtype(fold.dtype)
        finally:
            fold.close()

    def __repr__(self) -> str:
        columns = ", ".join(self._dtype.names or ())
        return f"{self._flow!r}\n  > {self._function!r}: rows of {columns}"


class _Batches:
    """The rows, from the start each time that they are asked for."""

    def __init__(self, row_flow: RowFlow, options: RunKeywords) -> None:
        self._row_flow, self._options = row_flow, options

    def __iter__(self) -> Iterator[Array]:
        return self._row_flow.batches(**self._options)


class Rows(Closeable):
    """The rows of a table, some at a time; made by `RowFlow.batches` and by iterating over a row flow.

    The work starts with the first ``next`` and stops with `close`, at the end, on an error, when a ``with`` block is
    left, or when the last reference goes.
    """

    def __init__(self, row_flow: RowFlow, options: RunOptions) -> None:
        self._meter, self._closed, self._finished = Meter(), False, False
        self._display = progress_of(options.progress, "rows")
        self._total = row_flow.flow.n_samples
        self._rows = row_flow._rows(options, self._meter, self._teller())

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Array:
        if self._closed and not self._finished:
            raise Cancelled("this iteration was closed, or ended by an error, before all rows were taken")
        try:
            return next(self._rows)
        except StopIteration:
            self._complete()
            raise
        except BaseException:
            self.close()
            raise

    def _complete(self) -> None:
        try:
            self._display.update(self._meter.n_samples, self._total, self._meter, last=True)
        finally:
            self.close()
        self._finished = True

    def _teller(self) -> Callable[[], None]:
        """Make what tells of progress, without a reference to this iterator: the last one is to end it."""
        display, total, meter = self._display, self._total, self._meter
        return lambda: display.update(meter.n_samples, total, meter)

    @property
    def report(self) -> RunReport:
        """What the iteration did and cost so far."""
        return self._meter.report()

    def close(self) -> None:
        """Stop the work. May be called twice."""
        self._closed = True
        self._rows.close()
        self._display.close()

    def __del__(self) -> None:
        if hasattr(self, "_rows"):
            self.close()


def _counted(batches: Iterable[Array], meter: Meter) -> Iterator[Array]:
    for rows in batches:
        if len(rows):
            meter.n_rows, meter.bytes_out = meter.n_rows + len(rows), meter.bytes_out + rows.nbytes
            yield rows
