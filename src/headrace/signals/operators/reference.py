"""Common references: what all channels share is taken out."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from headrace import _native
from headrace.core.arrays import float_dtype, widest
from headrace.core.checks import whole_number
from headrace.core.operator import Plan, Spec
from headrace.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headrace.core.arrays import Array
    from headrace.core.chunk import Chunk

__all__ = ["CommonReference"]

Method = Literal["median", "mean"]


class CommonReference:
    """Subtract from each channel the median, or the mean, over all channels at that sample.

    Parameters
    ----------
    method : {"median", "mean"}
        What is subtracted. The median of an even number of channels is half the sum of the middle two.
    groups : mapping of str to sequences of int, or sequence of sequences of int, optional
        Channels that share a reference, by number from 0; a channel is in one group at most. Channels in no group are
        left as they are. The names of a mapping are for errors and ``repr``. Default: one group of all channels.
    exclude : sequence of int, optional
        Channels that no reference is computed from, such as dead ones. They still have their group's subtracted.

    Raises
    ------
    SchemaError
        If the method is neither, a channel is negative, twice among the groups or not in the recording, a group has no
        channel to compute a reference from, or the stream is complex.

    Notes
    -----
    The answer is ``x - np.median(x, axis=1, keepdims=True)`` (or ``np.mean``) done in float64 and rounded once: to
    float32 for float32 and integers of up to 16 bits, else to float64. A NaN makes the reference of its group NaN at
    that sample. Channels are numbers of the recording that flows in, after ``rec[:, channels]``: an operator sees no
    labels.

    References
    ----------
    K. A. Ludwig et al., "Using a common average reference to improve cortical neuron recordings from microelectrode
    arrays", *Journal of Neurophysiology* 101 (2009).

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.array([[1, 2, 9], [4, 4, 7]], np.int16), fs=1)
    >>> rec.pipe(headrace.signals.CommonReference()).to_array()
    array([[-1.,  0.,  7.],
           [ 0.,  0.,  3.]], dtype=float32)
    """

    def __init__(
        self,
        method: Method = "median",
        *,
        groups: Mapping[str, Iterable[int]] | Iterable[Iterable[int]] | None = None,
        exclude: Iterable[int] = (),
    ) -> None:
        if method not in get_args(Method):
            raise SchemaError(f"method= is 'median' or 'mean': got {method!r}")
        self.method: Method = method
        self.names = tuple(map(str, groups)) if isinstance(groups, Mapping) else None
        self.groups = None if groups is None else self._checked_groups(groups)
        self.exclude = tuple(sorted(set(_channels("exclude", exclude))))
        self._wide = False

    def plan(self, inp: Spec) -> Plan:
        """See `headrace.core.operator.Operator.plan`."""
        if inp.dtype.kind == "c":
            raise SchemaError(f"a median or mean over channels is of real samples: got {inp.dtype}")
        narrow = float_dtype(inp.dtype)
        out = replace(inp, dtype=widest(narrow) if self._wide else narrow)
        return Plan(
            inp,
            out,
            batch=_BATCH,
            workspace=_native.reference_workspace(inp.n_channels),
            detail=self._assign(inp.n_channels),
        )

    def apply(self, plan: Plan, window: Chunk, out: Chunk) -> None:
        """See `headrace.core.operator.Windowed.apply`."""
        array = window.array
        if array.dtype == np.float16 or array.dtype.kind == "b":
            np.copyto(out.array, array, casting="unsafe")
            array = out.array
        members, targets = plan.detail
        _native.subtract_reference(
            np.ascontiguousarray(array), out.array, members, targets, median=self.method == "median"
        )

    def widened(self) -> CommonReference:
        """See `headrace.core.operator.Widens`."""
        wide = copy(self)
        wide._wide = True
        return wide

    def _assign(self, n_channels: int) -> tuple[Array, Array]:
        """Give the group that each channel counts in, and that whose reference it has subtracted; -1 is none."""
        groups = (tuple(range(n_channels)),) if self.groups is None else self.groups
        beyond = [c for c in (*self.exclude, *(c for group in groups for c in group)) if c >= n_channels]
        if beyond:
            raise SchemaError(f"there is no channel {beyond[0]} in a recording of {n_channels}: they count from 0")
        targets = np.full(n_channels, -1, np.int32)
        for number, group in enumerate(groups):
            targets[list(group)] = number
        members = targets.copy()
        members[list(self.exclude)] = -1
        for number, group in enumerate(groups):
            if n_channels and not (members == number).any():
                raise SchemaError(
                    f"group {self._key(number)} (channels {_listed(group)}) has no channel left to compute a reference "
                    "from: exclude= names all of them"
                )
        return members, targets

    def _checked_groups(
        self, groups: Mapping[str, Iterable[int]] | Iterable[Iterable[int]]
    ) -> tuple[tuple[int, ...], ...]:
        try:
            given = list(groups.values() if isinstance(groups, Mapping) else groups)
        except TypeError as error:
            raise SchemaError(
                f"groups= is a list of lists of channel numbers, or a mapping of names to such lists: got {groups!r}"
            ) from error
        found = tuple(tuple(_channels(f"groups[{self._key(n)}]", group)) for n, group in enumerate(given))
        if not found or not all(found):
            raise SchemaError(f"groups= is at least one group of at least one channel: got {self._shown(found)}")
        place: dict[int, int] = {}
        for number, group in enumerate(found):
            for channel in group:
                if channel in place:
                    raise SchemaError(
                        f"channel {channel} is in group {self._key(place[channel])} and in group "
                        f"{self._key(number)}: once at most"
                    )
                place[channel] = number
        return found

    def _key(self, number: int) -> str:
        return str(number) if self.names is None else repr(self.names[number])

    def _shown(self, groups: tuple[tuple[int, ...], ...]) -> str:
        lists = [list(group) for group in groups]
        return str(lists if self.names is None else dict(zip(self.names, lists, strict=True)))

    def __repr__(self) -> str:
        groups = "" if self.groups is None else f", groups={self._shown(self.groups)}"
        exclude = f", exclude={list(self.exclude)}" if self.exclude else ""
        return f"CommonReference({self.method!r}{groups}{exclude})"


_BATCH = 64  # rows: a multiple of what any kernel works on at once
_SHOWN = 8


def _channels(name: str, given: Iterable[int]) -> list[int]:
    try:
        found = list(given)
    except TypeError as error:
        raise SchemaError(f"{name}= is a list of channel numbers: got {given!r}") from error
    return [whole_number(f"a channel of {name}", channel, least=0) for channel in found]


def _listed(channels: Sequence[int]) -> str:
    shown = ", ".join(map(str, channels[:_SHOWN]))
    return f"{shown}, ..." if len(channels) > _SHOWN else shown
