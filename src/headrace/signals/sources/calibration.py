"""From stored values to samples: byte order, 24-bit integers, scale and offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace import _native
from headrace.core.arrays import float_dtype, native, sample_dtype
from headrace.signals.per_channel import finite_numbers, spread

if TYPE_CHECKING:
    from headrace.core.arrays import Array, DType

__all__ = ["Calibration", "StoredType"]

_INT24 = {"int24": "<", "<i3": "<", "i3": "<", "=i3": "<", ">i3": ">", "<int24": "<", ">int24": ">"}


@dataclass(frozen=True, slots=True)
class StoredType:
    """How one value is stored in a file.

    Attributes
    ----------
    dtype : dtype
        NumPy's name for it; three bytes of uint8 for 24-bit integers, which NumPy lacks.
    itemsize : int
        Bytes of one value.
    int24 : str
        ``"<"`` or ``">"`` for 24-bit integers of that byte order, else empty.
    """

    dtype: DType
    itemsize: int
    int24: str = ""

    @classmethod
    def parse(cls, dtype: Any) -> StoredType:
        """Read a user's dtype: NumPy's, or ``"int24"``, ``">i3"`` for 24-bit integers.

        Raises
        ------
        SchemaError
            If samples cannot have it.
        """
        if isinstance(dtype, str) and dtype in _INT24:
            return cls(np.dtype(np.uint8), 3, _INT24[dtype])
        found = sample_dtype(dtype)
        return cls(found, found.itemsize)

    @property
    def name(self) -> str:
        """As the user wrote it."""
        return f"{self.int24}i3" if self.int24 else str(self.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """``sample = stored * scale + offset``, in float64, rounded once.

    Attributes
    ----------
    stored : StoredType
        What the file holds.
    dtype : dtype
        What is delivered: the stored dtype in native byte order, or, with a scale or offset, the float dtype that holds
        it (`float_dtype`); 24-bit integers are always float32, which holds them exactly.
    scale, offset : ndarray of float64, shape (1,) or (channels,), or None
        ``None`` where values are delivered as stored.
    """

    stored: StoredType
    dtype: DType
    scale: Array | None = None
    offset: Array | None = None

    @classmethod
    def of(cls, stored: StoredType, scale: Any, offset: Any, n_channels: int) -> Calibration:
        """Check what a user gave.

        Raises
        ------
        SchemaError
            If scale or offset is neither one number nor one for each channel, or not finite.
        """
        plain = np.dtype(np.float32) if stored.int24 else native(stored.dtype)
        if scale is None and offset is None:
            return cls(stored, plain)
        scales = finite_numbers("scale", 1.0 if scale is None else scale)
        offsets = finite_numbers("value_offset", 0.0 if offset is None else offset)
        dtype = plain if stored.int24 else float_dtype(stored.dtype)
        return cls(stored, dtype, *spread(("scale", "value_offset"), scales, offsets, n_channels))

    @property
    def as_stored(self) -> bool:
        """Whether bytes can go from the file into the output untouched."""
        return self.scale is None and not self.stored.int24 and self.stored.dtype == self.dtype

    def select(self, channels: list[int]) -> Calibration:
        """Keep some of the channels."""
        if self.scale is None or self.offset is None or len(self.scale) == 1:
            return self
        return Calibration(self.stored, self.dtype, self.scale[channels], self.offset[channels])

    def values(self, raw: Array) -> Array:
        """View bytes read from a file as values, unpacking 24-bit integers into int32."""
        if not self.stored.int24:
            return raw.view(self.stored.dtype)
        wide = np.empty(raw.size // 3, np.int32)
        _native.unpack_int24(raw, wide, self.stored.int24 == ">")
        return wide

    def apply(self, values: Array, out: Array) -> None:
        """Convert `values` into `out`, both of shape (n,) or (n, channels); `out` is C-contiguous."""
        if self.scale is None or self.offset is None:
            np.copyto(out, values, casting="unsafe")
            return
        if (
            not (values.flags.c_contiguous and values.dtype.isnative)
            or values.dtype.kind == "b"
            or (values.dtype == np.float16)
        ):
            np.copyto(out, values, casting="unsafe")
            values = out
        _native.affine(values, out, self.scale, self.offset)
