"""Windows as a dataset: rows by number, one array for each field."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.core.checks import int64_array
from headrace.errors import SchemaError
from headrace.signals.window_places import AroundEvents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.core.arrays import Array, DType
    from headrace.signals.window_labels import WindowLabels
    from headrace.signals.window_places import Places, Stretches
    from headrace.signals.window_reader import WindowReader

__all__ = ["Field", "Windows"]


@dataclass(frozen=True, slots=True)
class Field:
    """What one field of a row is.

    Attributes
    ----------
    dtype : dtype
        Of its values.
    shape : tuple of int
        In one row; ``()`` for a number.
    """

    dtype: DType
    shape: tuple[int, ...] = ()


class Windows:
    """A dataset whose rows are windows of recordings; made by `windows`.

    ``len(ds)``, ``ds[i]`` (a row, as a mapping of fields) and ``ds.take(indices)`` (rows, as arrays) are what training
    loops and loaders ask for. A map-style dataset for PyTorch as it is.

    Notes
    -----
    May be used by any number of threads at once, in forked children, and, where the recordings are files and functions
    can be pickled, in spawned processes: pickled, it carries paths and places, never samples.
    """

    def __init__(
        self,
        readers: Sequence[WindowReader],
        stretches: Stretches,
        places: Places,
        *,
        length: int,
        labels: WindowLabels | None = None,
        channels: Array | None = None,
    ) -> None:
        self._readers, self._stretches, self._places = tuple(readers), stretches, places
        self._length, self._labels, self._channels = length, labels, channels
        self._first = np.searchsorted(stretches.recording, np.arange(len(readers)))  # stretch of each recording

    @property
    def length(self) -> int:
        """Samples in a window."""
        return self._length

    @property
    def n_recordings(self) -> int:
        """Number of recordings."""
        return len(self._readers)

    @property
    def dropped(self) -> int:
        """Number of events that have no row, because their window does not fit wholly into a segment."""
        return self._places.dropped if isinstance(self._places, AroundEvents) else 0

    @property
    def scratch_bytes(self) -> int:
        """Most bytes that each thread in `take` uses beyond the arrays that it fills."""
        return max(reader.scratch_bytes for reader in self._readers)

    @property
    def fields(self) -> dict[str, Field]:
        """What a row has: names, dtypes and shapes.

        ``samples``
            The window, shape (length,) or (length, channels), in the dtype of the recordings.
        ``recording``
            Number of the recording, int32.
        ``start``
            First sample of the window, counted in its recording, int64.
        ``event``, ``channel``
            With events: number of the event among all that were given, int64, and its channel, int32, if it has one.
        ``label``
            With labels.
        """
        spec = self._readers[0].spec
        found = {
            "samples": Field(spec.dtype, (self._length, *spec.shape)),
            "recording": Field(np.dtype(np.int32)),
            "start": Field(np.dtype(np.int64)),
        }
        if isinstance(self._places, AroundEvents):
            found["event"] = Field(np.dtype(np.int64))
        if self._channels is not None:
            found["channel"] = Field(np.dtype(np.int32))
        if self._labels is not None:
            found["label"] = Field(self._labels.dtype, self._labels.shape)
        return found

    def take(self, indices: Any, *, out: Mapping[str, Array] | None = None) -> dict[str, Array]:
        """Read rows, into one array for each field.

        Parameters
        ----------
        indices : array-like of int, shape (k,)
            Which rows, in any order, also several times; negative ones count from the end.
        out : mapping of str to ndarray, optional
            C-contiguous arrays to fill, for some or all fields, of their dtypes and of shape (k, ...).

        Returns
        -------
        dict of str to ndarray, shape (k, ...)
            The fields, in the order asked for: ``samples`` of shape (k, length) or (k, length, channels), and the
            others; see `fields`.

        Raises
        ------
        IndexError
            If there is no such row.
        SchemaError
            If `indices` are not whole numbers, an array of `out` does not fit, or a label is not like the first.
        SourceChanged, SourceIOError
            If a file is no longer what was opened, or failed; what `out` holds then must not be used.

        Notes
        -----
        Reads in the order of the files. Windows that share cells of an operator's grid are computed together.
        """
        asked = self._checked(indices)
        stretch, start = self._places.locate(asked)
        recording = self._stretches.recording[stretch]
        given = self._arrays(len(asked), out)
        order = np.lexsort((start, stretch))
        edges = np.flatnonzero(np.diff(stretch[order])) + 1
        for rows in np.split(order, edges) if len(order) else ():
            number = int(stretch[rows[0]])
            reader = int(recording[rows[0]])
            begins = start[rows] - self._stretches.start[number]
            self._readers[reader].read(number - int(self._first[reader]), begins, given["samples"], rows)
        given["recording"][...], given["start"][...] = recording, start
        if isinstance(self._places, AroundEvents):
            given["event"][...] = self._places.kept[asked]
        if self._channels is not None:
            given["channel"][...] = self._channels[asked]
        if self._labels is not None:
            given["label"][...] = self._labels.take(asked, recording, start)
        return given

    def _checked(self, indices: Any) -> Array:
        asked = np.asarray(indices)
        if asked.ndim != 1 or (asked.dtype.kind not in "iu" and asked.size):
            raise SchemaError(f"take() wants row numbers, shape (k,): got {asked.dtype} of shape {asked.shape}")
        n, rows = len(self), int64_array(asked)
        beyond = np.flatnonzero((rows < -n) | (rows >= n))
        if len(beyond):
            raise IndexError(f"row {asked[beyond[0]]} of a dataset of {n:,} windows")
        return np.where(rows < 0, rows + n, rows)

    def _arrays(self, k: int, out: Mapping[str, Array] | None) -> dict[str, Array]:
        fields, given = self.fields, dict(out or {})
        for name, array in given.items():
            if name not in fields:
                raise SchemaError(f"out= has {name!r}, which is no field: there are {', '.join(fields)}")
            dtype, shape = fields[name].dtype, (k, *fields[name].shape)
            flags = array.flags
            if array.dtype != dtype or array.shape != shape or not (flags.c_contiguous and flags.writeable):
                raise SchemaError(
                    f"out[{name!r}] is {array.dtype} of shape {array.shape}; expected {dtype} of shape {shape}, "
                    "C-contiguous and writable"
                )
        return {
            name: given[name] if name in given else np.empty((k, *field.shape), field.dtype)
            for name, field in fields.items()
        }

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> dict[str, Any]:
        try:
            number = operator.index(index)
        except TypeError as error:
            raise TypeError(f"ds[i] gives one row: got {index!r}; ds.take(indices) gives several") from error
        return {name: array[0] for name, array in self.take([number]).items()}

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Give several rows one by one, read together: what PyTorch asks for where it makes batches itself."""
        taken = self.take(indices)
        return [{name: array[row] for name, array in taken.items()} for row in range(len(indices))]

    def __repr__(self) -> str:
        spec, count = self._readers[0].spec, len(self._readers)
        channels = f" x {spec.n_channels} ch" if spec.shape else ""
        dropped = f", {self.dropped:,} events dropped" if self.dropped else ""
        source = f"{count} recording{'s' if count > 1 else ''}"
        return f"Windows({len(self):,} of {self._length:,} samples{channels} {spec.dtype} from {source}{dropped})"
