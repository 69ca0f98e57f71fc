"""Features of windows: the block function that makes the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from headrace.core.blockwise import BlockPlan
from headrace.core.span import Halo
from headrace.errors import SchemaError
from headrace.signals.features.measures import as_feature
from headrace.signals.features.rows import FIXED, FeatureRows
from headrace.signals.positions import checked_length, parse_length

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.core.arrays import Array, DType
    from headrace.core.blockwise import Block
    from headrace.core.operator import Spec
    from headrace.signals.features.measures import Feature

__all__ = ["Features"]

_BLOCK = 16_384  # samples that a block begins at least, unless that would be more windows than
_ROWS = 512
_VALUES = 32_768  # of windows measured at once: stays in a core's own cache
_COPIES = 8  # of those values that measuring makes


@dataclass(frozen=True)
class _Detail:
    """What `Features` finds again in its plan."""

    length: int
    hop: int
    measures: tuple[Callable[[Array], Array], ...]


@dataclass(frozen=True, init=False)
class Features:
    """Describe windows of a signal by numbers, each channel by itself: a table for ``flow.tabulate``.

    Parameters
    ----------
    *what : str, (str, callable) or BandPower
        One column each. By name, of a window x in float64:

        ``"rms"``
            ``sqrt(mean(x**2))``.
        ``"mean"``, ``"std"``, ``"ptp"``
            Those of NumPy.
        ``"peak"``
            ``max(abs(x))``.
        ``"zero_crossings"``
            How often neighbours lie on either side of zero, which itself, like NaN, counts as above.
        ``"line_length"``
            ``sum(abs(diff(x)))``.

        ``(name, fn)`` is a function of your own: it gets windows of shape (k, length), float64, read-only, and returns
        one number for each, shape (k,).
    length : int or str
        Samples in a window, or a time such as ``"10ms"``.
    hop : int or str, optional
        From the start of one window to that of the next; default `length`.

    Raises
    ------
    SchemaError
        If a feature is unknown, two have one name, or nothing is asked for; when it is used, if the samples are
        complex, or `length` is a time and the signal has no rate.
    MissingExtra
        When it is used, if a feature needs SciPy and it is not installed.

    Notes
    -----
    Windows are [k * hop, k * hop + length), counted from the start of each segment; those that do not lie wholly inside
    give no row, and no window crosses from one segment into the next. Rows have ``start`` and ``end`` (samples of the
    flow), ``channel``, ``time_s`` (of the start, seconds; NaN without a rate), and a float64 column for each feature,
    in the order given; they come in order of (start, channel).

    A user's function is called from several threads at once, perhaps more than once for a window, and always with the
    same windows together. NaN and infinity give what they give in NumPy.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> rec = headrace.signals.from_array(np.array([3.0, -4, 0, 5]), fs=1)
    >>> rows = rec.pipe().tabulate(Features("peak", ("first", lambda w: w[:, 0]), length=2)).to_array()
    >>> rows["start"], rows["peak"], rows["first"]
    (array([0, 2]), array([4., 5.]), array([3., 0.]))
    """

    what: tuple[Feature, ...]
    length: int | str
    hop: int | str

    def __init__(self, *what: Any, length: int | str, hop: int | str | None = None) -> None:
        features = tuple(as_feature(each) for each in what)
        if not features:
            raise SchemaError("no feature is asked for: name some, as in Features('rms', 'peak', length='10ms')")
        taken = {name for name, _ in FIXED}
        for feature in features:
            if feature.name in taken:
                raise SchemaError(f"two columns would be called {feature.name!r}: give one another name")
            taken.add(feature.name)
        object.__setattr__(self, "what", features)
        object.__setattr__(self, "length", checked_length("length", length))
        object.__setattr__(self, "hop", self.length if hop is None else checked_length("hop", hop))

    @property
    def columns(self) -> DType:
        """Structured dtype of the rows."""
        return np.dtype([*FIXED, *((feature.name, np.float64) for feature in self.what)])

    def plan(self, inp: Spec) -> BlockPlan:
        """See `headrace.core.blockwise.BlockFunction.plan`."""
        if inp.dtype.kind == "c":
            raise SchemaError(
                f"features are those of real numbers, and the samples are {inp.dtype}: map them to real ones first"
            )
        length, hop = parse_length("length", self.length, inp.fs), parse_length("hop", self.hop, inp.fs)
        detail = _Detail(length, hop, tuple(feature.measure(length, inp.fs) for feature in self.what))
        rows = min(_ROWS, -(-max(_BLOCK, length) // hop))
        values = 8 * len(self.what) * rows * inp.n_channels
        return BlockPlan(
            inp,
            block=rows * hop,
            halo=Halo(0, max(0, length - hop)),
            overhead=_COPIES * 8 * max(_VALUES, length),
            result=values,
            fold=values + rows * inp.n_channels * self.columns.itemsize,
            channels_apart=True,
            detail=detail,
        )

    def work(self, plan: BlockPlan, block: Block) -> Array:
        """Give the values of the windows that begin in a block: (features, channels, windows) float64."""
        detail: _Detail = plan.detail
        length, hop = detail.length, detail.hop
        x = block.window.array.reshape(len(block.window), -1)
        begun = min(block.span.size, max(0, len(x) - length + 1))  # places at which a window may begin
        count = -(-begun // hop)
        values = np.empty((len(detail.measures), len(block.channels), count))
        step = max(1, _VALUES // length)
        with np.errstate(all="ignore"):
            for channel in range(len(block.channels)):
                for first in range(0, count, step):
                    last = min(count, first + step)
                    windows = _windows(x[first * hop : (last - 1) * hop + length, channel], length, hop)
                    for place, measure in enumerate(detail.measures):
                        values[place, channel, first:last] = measure(windows)
        return values

    def fold(self, spec: Spec, *, t0: float = 0.0, tmp: object = None) -> FeatureRows:  # noqa: ARG002 - the protocol's
        """See `headrace.core.blockwise.Tabulates.fold`."""
        detail: _Detail = self.plan(spec).detail
        return FeatureRows(self.columns, spec, t0=t0, length=detail.length, hop=detail.hop)

    def __repr__(self) -> str:
        what = ", ".join(repr(feature) for feature in self.what)
        return f"Features({what}, length={self.length!r}, hop={self.hop!r})"


def _windows(samples: Array, length: int, hop: int) -> Array:
    """Copy windows out of the samples of one channel, so that all are computed on alike: (k, length) float64."""
    windows = np.array(sliding_window_view(samples, length)[::hop], np.float64, order="C")
    windows.flags.writeable = False
    return windows
