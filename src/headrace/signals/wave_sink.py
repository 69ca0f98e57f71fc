"""Outputs ending in .wav."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.core.arrays import byte_view
from headrace.core.sinks import RawSink
from headrace.errors import SchemaError
from headrace.signals.sources.calibration import StoredType
from headrace.signals.wave_header import HEADER_BYTES, STORED_TYPES, wave_header

if TYPE_CHECKING:
    from headrace.core.chunk import Chunk
    from headrace.core.operator import Spec

__all__ = ["WavSink"]

_DTYPES = tuple(np.dtype(name) for name in STORED_TYPES.values() if name != "<i3")
_INT24 = 24
_PACKED = 65_536  # bytes made of 32-bit integers at once
_MOST_U16, _MOST_U32 = 0xFFFF, 0xFFFFFFFF


class WavSink(RawSink):
    """A WAV file; what `Flow.to_file` takes for paths ending in ``.wav``.

    Parameters
    ----------
    path : str or path-like
        The output.
    job, force, durable, resume
        See `headrace.core.publish.PartFile`.

    Raises
    ------
    SchemaError
        From `open`: if the stream has no rate, or one that is no whole number of hertz; or a dtype other than uint8,
        int16, int32, float32 and float64, or the ``out_dtype="int24"`` of a flow, whose values are stored in 3 bytes.

    Notes
    -----
    Values are written as they are: float samples are not scaled to [-1, 1], which is what players take for full scale.
    WAVE_FORMAT_EXTENSIBLE above two channels; RF64 where the file is longer than 4 GB.

    Examples
    --------
    >>> import numpy as np, headrace
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    >>> rec = headrace.signals.from_array(tone, fs=48_000)
    >>> report = rec.pipe(headrace.signals.Scale(32767)).to_file("tone.wav", out_dtype="int16")
    """

    _header_bytes = HEADER_BYTES
    _stored = StoredType(np.dtype(np.uint8), 1)  # until `open`

    def open(self, spec: Spec) -> None:
        """See `headrace.core.sinks.Sink.open`."""
        if spec.dtype not in _DTYPES:
            names = ", ".join("int24" if name == "<i3" else str(np.dtype(name)) for name in STORED_TYPES.values())
            raise SchemaError(
                f"{self.path}: a .wav file holds {names}; got {spec.dtype}: pass one of them as out_dtype= "
                "(--out-dtype)"
            )
        if len(spec.shape) > 1:
            raise SchemaError(f"{self.path}: samples of shape {spec.shape} are not channels: write .npy")
        if spec.fs is None:
            raise SchemaError(f"{self.path}: a .wav file states its rate, and this stream has none: give fs= (--fs)")
        if spec.fs != int(spec.fs) or spec.fs > _MOST_U32:
            raise SchemaError(
                f"{self.path}: the rate in a .wav file is a whole number of hertz up to {_MOST_U32}; got {spec.fs!r}: "
                "write .npy, or open the input with a rounded fs= (--fs)"
            )
        self._stored = StoredType.parse("int24" if spec.bits == _INT24 else spec.dtype)
        self._spec = spec
        if self._sample_bytes > _MOST_U16:
            raise SchemaError(
                f"{self.path}: a frame in a .wav file has at most {_MOST_U16} bytes; {spec.n_channels} channels of "
                f"{self._stored.name} take {self._sample_bytes}: write .npy, or fewer channels"
            )
        super().open(spec)

    def write(self, chunk: Chunk) -> None:
        """See `headrace.core.sinks.Sink.write`."""
        if not self._stored.int24:
            super().write(chunk)
            return
        for span in chunk.span.split(max(1, _PACKED // max(1, self._sample_bytes))):
            wide = np.ascontiguousarray(chunk.narrow(span).array, "<i4")
            packed = np.ascontiguousarray(wide.reshape(-1, 1).view(np.uint8)[:, :3])
            self._part.write(byte_view(packed), HEADER_BYTES + span.start * self._sample_bytes)

    def commit(self, n: int) -> None:
        """See `headrace.core.sinks.Sink.commit`."""
        spec = self._spec
        if spec is None or spec.fs is None:
            raise ValueError("a sink is opened before it is written")
        self._part.write(memoryview(wave_header(n, spec.n_channels, self._stored, int(spec.fs))), 0)
        size = n * self._sample_bytes
        self._part.commit(HEADER_BYTES + size + size % 2)  # a chunk is padded to whole words

    @property
    def _sample_bytes(self) -> int:
        if self._spec is None:
            raise ValueError("a sink is opened before it is written")
        return self._spec.n_channels * self._stored.itemsize
