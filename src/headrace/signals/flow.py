"""Flows of signals: what `headrace.core.flow.SampleFlow` does, and what is found in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from headrace.core.device import find_device
from headrace.core.device_chunks import DeviceChunks
from headrace.core.flow import SampleFlow
from headrace.core.rowflow import RowFlow
from headrace.core.run import Chunks, RunKeywords, RunOptions
from headrace.core.source import Source
from headrace.errors import SchemaError
from headrace.signals.events import detector as function_detector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from headrace.core.arrays import Array
    from headrace.core.blockwise import Tabulates
    from headrace.core.operator import Operator
    from headrace.core.source import StreamSource

__all__ = ["Flow"]


class Flow(SampleFlow):
    """A recording and operators in a row; nothing happens until it is run. Made by `Recording.pipe`.

    Parameters
    ----------
    source : Source or StreamSource
        Where samples come from.
    operators : sequence of Operator
        What is done to them, in order.
    t0 : float
        Time of the first sample, seconds.

    Notes
    -----
    The ways of running, and their options, are those of `headrace.core.flow.SampleFlow`.
    """

    def __init__(self, source: Source | StreamSource, operators: Sequence[Operator] = (), *, t0: float = 0.0) -> None:
        super().__init__(source, operators)
        self.t0 = t0

    def pipe(self, *operators: Operator) -> Flow:
        """Make a flow with more operators at its end."""
        return Flow(self.source, (*self.operators, *operators), t0=self.t0)

    def iter(self, *, device: str, **options: Unpack[RunKeywords]) -> DeviceChunks:
        """Iterate over the output in order, as tensors on a device; needs PyTorch.

        Parameters
        ----------
        device : str
            ``"cuda"``, ``"cuda:1"`` or ``"cpu"``.
        **options
            See `headrace.core.flow.SampleFlow`. `memory` has the staging buffers counted in it, 1 MiB. The tensors are
            the caller's and do not count: at most two chunks on a GPU beside what the caller keeps.

        Returns
        -------
        DeviceChunks
            An iterator of `headrace.core.device.DeviceChunk`, and a context manager.

        Raises
        ------
        SchemaError
            If no device has such a name, or PyTorch no such dtype.
        MissingExtra
            If PyTorch is not installed.
        NoSuchDevice
            If this machine has no such device.
        BudgetTooSmall
            From ``next``: if not even one thread fits into `memory` beside the staging buffers.

        Notes
        -----
        To a GPU the samples go through pinned memory, on a CUDA stream of their own, and the next chunk is under way
        while one is worked on; of a stream, which may be live, none is waited for before one is handed over. The host
        does not wait: work that the caller starts on its current CUDA stream waits for the samples there. A caller that
        uses a tensor on further streams tells torch so (``tensor.record_stream``).

        Examples
        --------
        >>> import numpy as np, headrace
        >>> rec = headrace.signals.from_array(np.ones((9, 4), "float32"), fs=1000)
        >>> [chunk.tensor.sum().item() for chunk in rec.pipe().iter(device="cpu", chunk=5)]
        [20.0, 16.0]
        """
        found, chosen = find_device(device), RunOptions.of(self, options)
        found.check(chosen.dtype)
        return DeviceChunks(Chunks(self, chosen), found, chosen.budget, ahead=isinstance(self.source, Source))

    def tabulate(self, function: Tabulates[Any]) -> RowFlow:
        """Make a flow of rows: one table of what a function of fixed blocks finds.

        Parameters
        ----------
        function : Tabulates
            Such as `headrace.signals.Threshold`.

        Returns
        -------
        RowFlow
            With ``run``, ``to_file``, ``to_array`` and iteration over structured arrays.
        """
        return RowFlow(self, function, self.t0)

    def detect(self, detector: Tabulates[Any] | Callable[[Array, int], Iterable[Any]], **options: Any) -> RowFlow:
        """Find events, each exactly once, however long it is and however many borders it crosses.

        Parameters
        ----------
        detector : Threshold, or callable
            A detector, or ``fn(chunk, start) -> events``; see `headrace.signals.detector`.
        **options
            For a callable: ``block``, ``halo`` and ``open_edges`` of `headrace.signals.detector`.

        Returns
        -------
        RowFlow
            Rows of start, end, channel, amplitude, peak and time_s, in order of (start, channel).

        Raises
        ------
        SchemaError
            If it cannot work on what the flow gives.
        """
        if callable(getattr(detector, "work", None)):
            if isinstance(detector, type):
                raise SchemaError(f"{detector.__name__} is a class: make a detector of it, {detector.__name__}(...)")
            if options:
                raise SchemaError(
                    f"{', '.join(f'{name}=' for name in options)} goes with a function: {detector!r} is a detector, "
                    "which was given its own when it was made"
                )
            return self.tabulate(detector)  # type: ignore[arg-type]
        return self.tabulate(function_detector(detector, **options))  # type: ignore[arg-type]

    def features(self, *what: Any, length: int | str, hop: int | str | None = None) -> RowFlow:
        """Describe windows of the signal by numbers, each channel by itself.

        Parameters
        ----------
        *what : str, (str, callable) or BandPower
            Features, by name or as objects; see `headrace.signals.Features`.
        length, hop : int or str
            Samples in a window and from one start to the next, or times such as ``"10ms"``; `hop` is `length` by
            default.

        Returns
        -------
        RowFlow
            Rows of start, end, channel, time_s, and a float64 column for each feature, in order of (start, channel).

        Raises
        ------
        SchemaError
            If a feature is unknown, or cannot be told from what the flow gives.
        MissingExtra
            If a feature needs SciPy and it is not installed.
        """
        from headrace.signals.features import Features

        return self.tabulate(Features(*what, length=length, hop=hop))

    def psd(self, nperseg: int | None = None, noverlap: int | None = None, **options: Any) -> RowFlow:
        """Estimate how power is spread over frequencies, by Welch's method, each channel by itself.

        Parameters
        ----------
        nperseg, noverlap : int, optional
            Samples in a segment, 256 by default, and those that it shares with the next, by default half of it.
        **options
            ``window``, ``detrend``, ``scaling``, ``average`` ...: see `headrace.signals.Welch`.

        Returns
        -------
        RowFlow
            Rows of frequency_hz, channel and psd (or power), in order of (frequency, channel).

        Raises
        ------
        SchemaError
            If the signal has no rate, or a setting is impossible.
        """
        from headrace.signals.spectra import Welch

        return self.tabulate(Welch(nperseg, noverlap, **options))

    def plot(self, **options: Any) -> Any:
        """Run the flow and draw what it gives, whole; see `headrace.signals.plot.plot` for the options."""
        from headrace.signals.plot import plot

        return plot(self, **options)

    def plot_spectrogram(self, **options: Any) -> Any:
        """Run the flow and draw its spectrogram; see `headrace.signals.spectra.plot.plot_spectrogram`."""
        from headrace.signals.spectra.plot import plot_spectrogram

        return plot_spectrogram(self, **options)
