"""The window around each sample, and what lies in it beyond the ends of the signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from headrace import _native
from headrace.core.checks import finite_number
from headrace.core.span import Halo
from headrace.errors import SchemaError
from headrace.signals.positions import checked_length, parse_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.core.arrays import DType
    from headrace.core.chunk import Chunk
    from headrace.core.operator import Plan, Spec

__all__ = ["Mode", "RunningWindow", "batch"]

Mode = Literal["reflect", "mirror", "nearest", "constant"]

_LONGEST = 2**30  # samples that the kernels take
_UNKNOWN = 2**59  # samples of a stream whose end is not in sight
_VALUES = 65_536  # that a chunk has, if that is more than a tile
_PIECE = 16_384  # samples that are converted at once, where no kernel reads them as they are


@dataclass(frozen=True)
class RunningWindow:
    """Samples ``[i - size // 2, i - size // 2 + size)`` for each sample i.

    Attributes
    ----------
    size : int or str
        Samples, or a time.
    mode : {"reflect", "mirror", "nearest", "constant"}
        What lies beyond the ends, by the names of `scipy.ndimage`.
    cval : float
        The constant.
    """

    size: int | str
    mode: Mode
    cval: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", checked_length("size", self.size))
        object.__setattr__(self, "cval", finite_number("cval", self.cval))
        if isinstance(self.size, int):
            _check_size(self.size)
        if self.mode not in get_args(Mode):
            raise SchemaError(
                f"mode= is 'reflect', 'mirror', 'nearest' or 'constant': got {self.mode!r}"
                + ("; it needs the other end of the signal" if str(self.mode) == "wrap" else "")
            )

    def length(self, inp: Spec, name: str) -> int:
        """Give the samples in a window of a stream, which `name` can work on.

        Raises
        ------
        SchemaError
            If the samples are complex, the constant is none of their values, or a time is no number of samples here.
        """
        if inp.dtype.kind == "c":
            raise SchemaError(f"{name} takes real samples: got {inp.dtype}")
        if self.mode == "constant":
            _check_constant(self.cval, inp.dtype)
        size = parse_length("size", self.size, inp.fs)
        _check_size(size)
        return size

    @staticmethod
    def halo(size: int) -> Halo:
        """Give the samples beside one of which its window, and what a mirror shows in it, is made."""
        return Halo(size // 2, size // 2)

    def pieces(self, plan: Plan, window: Chunk, out: Chunk, *, whole: bool) -> Iterator[tuple[Chunk, Chunk]]:
        """Give windows and outputs: at once if they are `whole`, else a few thousand outputs at a time."""
        for span in out.span.split(max(1, len(out)) if whole else max(_PIECE, plan.halo.left)):
            yield window.narrow(plan.demand(span)), out.narrow(span)

    def arguments(self, plan: Plan, size: int) -> tuple[int, int, str, float]:
        """Give the kernels' n, size, mode and cval."""
        return _UNKNOWN if plan.inp.n is None else plan.inp.n, size, self.mode, self.cval

    @staticmethod
    def piece_bytes(size: int, n_channels: int, itemsize: int) -> int:
        """Bytes of one piece that is converted, and of its output."""
        return (2 * max(_PIECE, size) + size) * n_channels * itemsize

    def __str__(self) -> str:
        mode = "" if self.mode == "reflect" else f", mode={self.mode!r}"
        return f"{self.size!r}{mode}{f', cval={self.cval:g}' if self.mode == 'constant' else ''}"


def batch(size: int, n_channels: int) -> int:
    """Give how many outputs are efficient to ask for at once: whole tiles of the kernels, and some thousand values."""
    tile = int(_native.running_tile(size))
    return tile * max(1, _VALUES // (tile * max(1, n_channels)))


def _check_size(size: int) -> None:
    if size > _LONGEST:
        raise SchemaError(f"size= is at most {_LONGEST:,} samples: got {size:,}; make the rate lower first")


def _check_constant(cval: float, dtype: DType) -> None:
    if dtype.kind == "f":
        fits = abs(cval) <= float(np.finfo(dtype).max)
    elif dtype.kind == "b":
        fits = cval in (0, 1)
    else:
        limits = np.iinfo(dtype)
        fits = cval == int(cval) and limits.min <= int(cval) <= limits.max
    if not fits:
        raise SchemaError(f"cval= is a value that {dtype} samples can have: got {cval:g}")
