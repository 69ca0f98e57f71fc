"""Progress: a callback, or a bar."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TypeAlias

from headrace.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.report import Meter, RunReport

__all__ = ["Progress", "ProgressArgument", "progress_of"]

ProgressArgument: TypeAlias = "bool | Callable[[int, int | None, RunReport], object] | None"
"""How to tell about progress. ``None`` or ``False`` is silent; ``True`` is a bar in the terminal or notebook, which
needs rich; a callable is called as ``callback(done, total, report)`` with samples done, samples in all (``None`` if not
known) and the report so far."""

_EVERY_S = 0.1


class Progress(Protocol):
    """What a run tells about its progress to."""

    def update(self, done: int, total: int | None, meter: Meter, *, last: bool = False) -> None:
        """Say that `done` of `total` samples are done; cheap when called too often."""
        ...

    def close(self) -> None:
        """End the display, whatever happened."""
        ...


class _Silent:
    def update(self, done: int, total: int | None, meter: Meter, *, last: bool = False) -> None:
        pass

    def close(self) -> None:
        pass


class _Callback:
    def __init__(self, callback: Callable[[int, int | None, RunReport], object]) -> None:
        self._callback = callback
        self._next = 0.0

    def update(self, done: int, total: int | None, meter: Meter, *, last: bool = False) -> None:
        now = time.monotonic()
        if last or now >= self._next:
            self._next = now + _EVERY_S
            self._callback(done, total, meter.report())

    def close(self) -> None:
        pass


class _Bar:
    """A rich progress bar on standard error, shown once a run has taken half a second."""

    def __init__(self, label: str) -> None:
        try:
            import rich  # noqa: F401 - only asks whether it is there; the bar itself is built when it shows
        except ImportError as error:
            raise MissingExtra(
                "progress=True needs rich: pip install 'headrace[cli]', or pass a callback", extra="cli"
            ) from error
        self._label, self._began = label, time.monotonic()
        self._next = self._began + 0.5
        self._bar: object = None

    def update(self, done: int, total: int | None, meter: Meter, *, last: bool = False) -> None:
        now = time.monotonic()
        if not (last and self._bar is not None) and now < self._next:
            return
        self._next = now + _EVERY_S
        from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

        if self._bar is None:
            from rich.console import Console

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}%  {task.fields[rate]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.add_task(self._label, total=total, rate="")
            self._bar.start()
        if isinstance(self._bar, Progress):
            rate = f"{meter.bytes_in / max(now - self._began, 1e-9) / 1e6:,.0f} MB/s"
            self._bar.update(TaskID(0), completed=done, total=total, rate=meter.phase or rate)

    def close(self) -> None:
        stop = getattr(self._bar, "stop", None)
        if stop is not None:
            stop()


def progress_of(progress: ProgressArgument, label: str) -> Progress:
    """Turn the ``progress=`` argument into something to report to.

    Raises
    ------
    MissingExtra
        If a bar is asked for and rich is not installed.
    """
    if progress is None or progress is False:
        return _Silent()
    return _Bar(label) if progress is True else _Callback(progress)
