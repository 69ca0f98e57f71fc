"""Windows of recordings as a dataset: nothing is read until a window is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.checks import whole_number
from headrace.core.flow import SampleFlow
from headrace.errors import SchemaError
from headrace.signals.positions import parse_length
from headrace.signals.recording import Recording
from headrace.signals.window_dataset import Windows
from headrace.signals.window_labels import labels_of
from headrace.signals.window_places import ALIGNMENTS, AroundEvents, EveryHop, Stretches, column, has_column
from headrace.signals.window_reader import WindowReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headrace.signals.window_places import Places

__all__ = ["windows"]

_MOST_CHANNEL = 2**31 - 1


def windows(
    recordings: Recording | SampleFlow | Iterable[Recording | SampleFlow],
    *,
    length: int | str,
    hop: int | str | None = None,
    events: Any = None,
    align: str = "centre",
    labels: Any = None,
) -> Windows:
    """Make a dataset of the windows of recordings; nothing is read until one is asked for.

    Parameters
    ----------
    recordings : Recording, Flow, or several
        Of one dtype and number of channels. Windows of a flow are those of its output.
    length : int or str
        Samples in a window, or a time such as ``"250ms"``.
    hop : int or str, optional
        From the start of one window to that of the next; default `length`. Not with `events`.
    events : table, or list of tables, optional
        A window for each event: a table with columns ``start``, ``end`` and, for ``align="peak"``, ``peak``, as
        ``detect(...).to_array()`` gives, or as any data frame; for several recordings, a list with one for each.
    align : str
        ``"centre"``: sample ``length // 2`` of the window is the event's middle, ``start + (end - start) // 2``;
        ``"peak"``: it is the event's peak; ``"start"``: the window begins where the event does.
    labels : array-like, str or callable, optional
        One for each event in the order given (without `events`: for each window); or the name of a column of the
        events; or ``fn(recording, start)``, called with the number of the recording and the first sample of the window.

    Returns
    -------
    Windows
        The dataset. Without `events` its rows are the windows [k * hop, k * hop + length) of the first segment of the
        first recording, then those of the next; with `events`, one for each event that has a window, in their order.

    Raises
    ------
    SchemaError
        If the recordings differ, are streams, or a flow has an operator that must go over all of the signal (write it
        to a file first); if events or labels do not fit.

    Notes
    -----
    Every window lies wholly inside one segment; an event whose window does not is left out and counted in `dropped`.
    A window of a flow has the bytes that ``flow.to_array()[start : start + length]`` has: it is computed with the
    context that its operators need. A callable for labels is called once when the dataset is made, to learn its dtype,
    and by `take`, from its thread.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.arange(10.0), fs=10)
    >>> ds = windows(rec, length=4, hop=3)
    >>> len(ds), ds.take([2, 0])["samples"]
    (3, array([[6., 7., 8., 9.],
           [0., 1., 2., 3.]]))
    """
    flows = _flows(recordings)
    size = _one_length("length", length, flows)
    readers = [WindowReader(flow, size) for flow in flows]
    stretches = Stretches.of([reader.segments for reader in readers])
    if events is None:
        if align != "centre":
            raise SchemaError(f"align={align!r} says where an event lies in its window: give events=")
        grid = EveryHop(stretches, size, size if hop is None else _one_length("hop", hop, flows))
        found = labels_of(labels, (), None, len(grid), _first(stretches, grid))
        return Windows(readers, stretches, grid, length=size, labels=found)
    if hop is not None:
        raise SchemaError("hop= is for windows without events: give one of the two")
    if align not in ALIGNMENTS:
        raise SchemaError(f"align= is one of {', '.join(ALIGNMENTS)}: got {align!r}")
    tables = _tables(events, len(flows))
    around = AroundEvents(stretches, size, tables, align)
    found = labels_of(labels, tables, around.kept, len(around) + around.dropped, _first(stretches, around))
    channels = None
    if all(has_column(table, "channel") for table in tables):
        channels = np.concatenate([column(table, "channel") for table in tables])[around.kept]
        if len(channels) and channels.max() > _MOST_CHANNEL:
            raise SchemaError(f"an event is on channel {channels.max()}; channels are counted up to {_MOST_CHANNEL}")
    return Windows(readers, stretches, around, length=size, labels=found, channels=channels)


def _flows(recordings: Any) -> list[SampleFlow]:
    """Take recordings and flows as flows of one kind."""
    if isinstance(recordings, (Recording, SampleFlow)):
        recordings = [recordings]
    flows: list[SampleFlow] = []
    for each in recordings:
        if not isinstance(each, (Recording, SampleFlow)):
            raise SchemaError(f"windows are those of recordings and flows: got {each!r}; see headrace.signals.open")
        flows.append(each if isinstance(each, SampleFlow) else each.pipe())
        first, spec = flows[0].spec, flows[-1].spec
        if (spec.shape, spec.dtype) != (first.shape, first.dtype):
            raise SchemaError(
                f"recording {len(flows) - 1} gives {spec}, the first {first}: only recordings of one dtype and number "
                "of channels make one dataset"
            )
    if not flows:
        raise SchemaError("no recording was given, so there are no windows")
    return flows


def _one_length(name: str, length: int | str, flows: Sequence[SampleFlow]) -> int:
    """Turn a length into samples, the same for all flows."""
    if not isinstance(length, str):
        return whole_number(name, length, least=1)
    found = [parse_length(name, length, flow.fs) for flow in flows]
    if len(set(found)) > 1:
        raise SchemaError(
            f"{name}={length!r} is {min(found):,} samples of one recording and {max(found):,} of another, which have "
            "other rates: give it in samples, or resample"
        )
    return found[0]


def _tables(events: Any, n_recordings: int) -> Sequence[Any]:
    """Take one table of events for each recording."""
    tables = events if isinstance(events, (list, tuple)) else [events]
    if len(tables) != n_recordings:
        raise SchemaError(
            f"events= takes a table for each recording, in a list: got {len(tables)} for {n_recordings} recordings"
        )
    return tables


def _first(stretches: Stretches, places: Places) -> tuple[int, int] | None:
    """Give recording and first sample of the first window, if there is one."""
    if not len(places):
        return None
    stretch, start = places.locate(np.zeros(1, np.int64))
    return int(stretches.recording[stretch[0]]), int(start[0])
