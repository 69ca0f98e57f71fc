"""
Compiled kernels. Same bytes on every ISA; the GIL is released around the work; nothing here starts a thread.
"""

from collections.abc import Callable
from typing import Any

import numpy
import numpy.typing


def arrow_schema(field: tuple[str, str, dict[str, str], tuple[Any, ...]]) -> Any:
    """
    Wrap a field, (name, format, metadata, children), into a capsule "arrow_schema". Raises ValueError.
    """

def arrow_stream(field: tuple[str, str, dict[str, str], tuple[Any, ...]], take: Callable[[], tuple[int, tuple[Any, ...], tuple[Any, ...]] | None], close: Callable[[], None]) -> Any:
    """
    Wrap batches made by Python into a capsule "arrow_array_stream".

    `take` gives the next batch, (length, buffers, children) like the field, or None at the end. Buffers are contiguous and hold at
    least what the length says; they are not copied, and kept until the consumer releases the last array of the batch. An
    exception of `take` ends the stream and reaches the consumer with its type and message; after a BufferError the consumer may
    ask again. `close` is called once, when the stream is released. Both are called in the consumer's threads. Raises ValueError.
    """

def isa() -> str:
    """
    Name the copy of the kernels in use: "avx512", "avx2" or "portable".

    The first use takes the environment variable HEADRACE_ISA, or else the widest that this machine runs.
    """

def available_isas() -> list[str]:
    """
    List the copies that this build holds and this machine runs, narrowest first.
    """

def set_isa(name: str) -> None:
    """
    Choose the copy of the kernels for calls that start afterwards, in all threads.

    Results do not change, only their speed. Raises ValueError for a name that is not available.
    """

def cpu_features() -> dict[str, bool]:
    """
    Map the processor features that the choice looks at to whether this machine has them.
    """

class FirKernel:
    """
    Filter by overlap-save in float64: the float64 whole-array convolution, rounded once to the output.

    The signal axis is cut into cells of `cell` outputs from output 0 on. The bytes of an output depend on the
    taps, the number of its cell and the input samples that the cell needs, and on nothing else.
    Immutable; any number of threads may call `apply` at once.
    """

    def __init__(self, taps: numpy.typing.NDArray[numpy.float64] | numpy.typing.NDArray[numpy.complex128], complex_input: bool = False) -> None:
        """
        Plan for `taps`, (K,) finite and C-contiguous.

        Raises ValueError for no taps, too many, or taps that are not finite; TypeError for other dtypes.
        """

    @property
    def taps_count(self) -> int:
        """Number of taps, K."""

    @property
    def fft_length(self) -> int:
        """Length of the transforms, a function of K alone."""

    @property
    def step(self) -> int:
        """Outputs per transform block: fft_length - K + 1."""

    @property
    def cell(self) -> int:
        """
        Outputs per cell: 2 * step for real taps and input (two blocks share a complex transform), else step.
        """

    @property
    def complex_input(self) -> bool:
        """Whether `apply` takes complex samples."""

    @property
    def complex_output(self) -> bool:
        """Whether `apply` writes complex samples."""

    def workspace_bytes(self, n_channels: int) -> int:
        """
        Bytes that one call of `apply` allocates at most. Of these a thread keeps at most 1 MiB for its next call.
        """

    @property
    def lanes(self) -> int:
        """
        Cells (of any channels) computed side by side on the ISA in use: calls of a multiple of that many waste nothing.
        """

    def apply(self, x: numpy.typing.NDArray[Any], x_start: int, shift: int, out: numpy.typing.NDArray[Any], out_start: int) -> None:
        """
        Write out[o - out_start] = sum over k of taps[k] * x[o + shift - k - x_start]; samples outside `x` are zero.

        `x` is (m,) or (m, channels), int8 to int32, uint8 to uint32, float32, float64, or complex64, complex128 for a kernel
        made with complex_input. `out` is likewise float32, float64, complex64 or complex128 and may not overlap `x`.
        `out_start` is a multiple of `cell`; the last cell may be partial, and then input beyond the last needed sample counts
        as zero. NaN and infinities reach exactly the outputs whose window holds them. Raises ValueError and TypeError.
        """

def affine(src: numpy.typing.NDArray[Any], out: numpy.typing.NDArray[Any], scale: numpy.typing.NDArray[numpy.float64], offset: numpy.typing.NDArray[numpy.float64]) -> None:
    """
    Write out = src * scale + offset, computed in float64 (multiply, then add) and rounded once to `out`.

    `src` is (n,) or (n, channels) of any numeric dtype, `out` of the same shape float32 or float64; complex if `src` is, and then
    the offset is added to the real part. `scale` and `offset` are (1,) or (channels,). Raises ValueError and TypeError.
    """

def quantize(src: numpy.typing.NDArray[Any], out: numpy.typing.NDArray[Any]) -> int:
    """
    Round `src` half to even into the integer array `out` of the same shape; return how many elements did not fit.

    Values beyond the range of `out` are saturated, NaN becomes 0; both are counted. Raises ValueError and TypeError.
    """

def unpack_int24(src: numpy.typing.NDArray[numpy.uint8], out: numpy.typing.NDArray[numpy.int32], big_endian: bool) -> None:
    """
    Unpack 24-bit integers, (3 * m,) uint8, into `out`, (m,) int32. Raises ValueError and TypeError.
    """

class SosKernel:
    """
    Filter by second-order sections, forwards, backwards or both, with the state carried from call to call.

    `exact`: SciPy's order of operations in float64, bit-equal to `scipy.signal.sosfilt` done in float64. Otherwise float64 with
    fused multiply-adds on a fixed grid of cells of `cell` samples, counted from the first sample of a call: the same bytes on
    every ISA, and however the signal is cut into calls, as long as they are cut on the grid (see `grid`).

    Arrays: `x` is (n,) or (n, channels) of any integer type, float32 or float64; `out` of the same shape is float32 or float64
    and may not overlap `x`, or None where only the state is wanted; states are float64 (sections, 2, channels), as the `zi` of
    SciPy for each channel, with channels = 1 for (n,). All C-contiguous. View complex samples as twice as many channels.
    Immutable; any number of threads may call it at once. Raises ValueError and TypeError.
    """

    def __init__(self, sos: numpy.typing.NDArray[numpy.float64], exact: bool = False) -> None:
        """
        Plan for `sos`, (sections, 6): rows b0, b1, b2, 1, a1, a2, finite and C-contiguous.

        Raises ValueError for other shapes and values; TypeError for other dtypes.
        """

    @property
    def sections(self) -> int:
        """Number of sections."""

    @property
    def exact(self) -> bool:
        """Whether SciPy's order of operations is kept."""

    @property
    def cell(self) -> int:
        """Samples per cell of `survey` and `both`; a multiple of every `grid`."""

    @property
    def memory(self) -> int:
        """
        Samples of a block that still show in the state at its end; 0 for an exact kernel.
        """

    def grid(self, n_channels: int) -> int:
        """
        Samples after a multiple of which `forward` and `backward` may be cut into calls without a change of bytes.
        """

    def workspace_bytes(self, n_channels: int, both: bool = False) -> int:
        """
        Bytes that one call allocates at most; `both`: one of that name. Of these a thread keeps at most 1 MiB for its next call.
        """

    def forward(self, x: numpy.typing.NDArray[Any], state: numpy.typing.NDArray[numpy.float64], out: numpy.typing.NDArray[Any] | None) -> None:
        """
        Filter `x` into `out`. `state`, that before the first sample, becomes that after the last.
        """

    def backward(self, x: numpy.typing.NDArray[Any], state: numpy.typing.NDArray[numpy.float64], out: numpy.typing.NDArray[Any] | None) -> None:
        """
        Filter `x` into `out` from its last sample to its first. `state`, that before the last sample, becomes that after the first.

        The grid counts from the first sample of `x`; a short cell is at the end of `x` and so comes first.
        """

    def survey(self, x: numpy.typing.NDArray[Any], state: numpy.typing.NDArray[numpy.float64], starts: numpy.typing.NDArray[numpy.float64], first: int = 0, stop: int = -1) -> None:
        """
        Go through `x` as `forward` does, without output: write the state before each cell.

        `starts` is (ceil(n / cell), sections, 2, channels); `x` begins on a multiple of `cell`. The states are those of `forward`.
        With `stop`, only channels [first, stop), at least eight, are gone through, and the states are those of these.
        """

    def both(self, x: numpy.typing.NDArray[Any], starts: numpy.typing.NDArray[numpy.float64], state: numpy.typing.NDArray[numpy.float64], out: numpy.typing.NDArray[Any], first: int = 0, stop: int = -1) -> None:
        """
        Filter `x` forwards from the states that `survey` found, and the result, kept in float64, backwards into `out`.

        `state` is that of the backward pass: before the last sample of `x`, then after the first. The same bytes as `forward` into
        float64 and then `backward`, without memory for the signal in between. `x` begins on a multiple of `cell`. `first` and
        `stop` as in `survey`.
        """

def subtract_reference(src: numpy.typing.NDArray[Any], out: numpy.typing.NDArray[Any], members: numpy.typing.NDArray[numpy.int32], targets: numpy.typing.NDArray[numpy.int32], median: bool) -> None:
    """
    Write `src` minus, at each sample, the median (else the mean) over a group of channels; in float64, rounded once to `out`.

    `src` is (n,) or (n, channels) of a real dtype, `out` of the same shape float32 or float64. Channel c counts in the reference
    of group members[c] and has that of group targets[c] subtracted; -1 is none, and is left as it is. Groups are numbered from 0
    and each has a member. A NaN makes the reference of its group NaN. Raises ValueError and TypeError.
    """

def reference_workspace(n_channels: int) -> int:
    """Bytes that one call of `subtract_reference` allocates at most."""

def delay(x: numpy.typing.NDArray[Any], x_start: int, out: numpy.typing.NDArray[Any], out_start: int, taps: numpy.typing.NDArray[numpy.float64], lags: numpy.typing.NDArray[numpy.int64]) -> None:
    """
    Write out[o - out_start, c] = sum over k of taps[c, k] * x[o - lags[c] - k - x_start, c]; samples outside `x` are zero.

    `x` is (m,) or (m, channels) of a real dtype, `out` float32 or float64 with as many channels, `taps` (channels, K), `lags`
    (channels,). In float64 from k = 0 on, rounded once. A channel whose taps are zeros and a single 1 is copied. Raises
    ValueError and TypeError.
    """

def delay_workspace(n_channels: int, taps_count: int) -> int:
    """Bytes that one call of `delay` allocates at most."""

def resample(x: numpy.typing.NDArray[Any], x_start: int, out: numpy.typing.NDArray[Any], out_start: int, phases: numpy.typing.NDArray[numpy.float64], taps: int, down: int, delay: int) -> None:
    """
    Write out[o - out_start, c] = sum over k of h[o * down + delay - k * up] * x[k - x_start, c], for `taps` taps h.

    `x` is (m,) or (m, channels) of a real dtype, `out` float32 or float64 with as many channels; phases[p, j] is h[p + j * up],
    zero where there is none, for p < up. Summed in float64 from the largest k down, rounded once; samples outside `x` and taps
    that do not exist are left out. Raises ValueError and TypeError.
    """

def resample_workspace(taps: int, up: int, down: int) -> int:
    """Bytes that one call of `resample` allocates at most."""

class Roots:
    """
    Roots of unity of order n, exp(-2 pi i e / n), good to two roundings of float64, from two short tables. Immutable.
    """

    def __init__(self, order: int) -> None:
        """Evaluate the tables. Raises ValueError unless 1 <= order <= 2^50."""

    @property
    def order(self) -> int:
        """n."""

    @property
    def nbytes(self) -> int:
        """Bytes of the tables."""

def twiddle_tiles(x: numpy.typing.NDArray[Any], column: int, roots: Roots, inverse: bool, out: numpy.typing.NDArray[Any]) -> None:
    """
    Write out[k // side, i, k % side] = x[k, i] * w**(k * (column + i)), w = exp(-2 pi i / n), or its conjugate if `inverse`.

    `x` is (rows, columns), `out` (ceil(rows / side), columns, side), both complex64 or complex128; `column` is a multiple of 16.
    Places of `out` that belong to no row are zero. In float64, rounded once. Raises ValueError and TypeError.
    """

def rows_of_tiles(tiles: numpy.typing.NDArray[Any], out: numpy.typing.NDArray[Any], kept: int, mirror: numpy.typing.NDArray[Any] | None) -> None:
    """
    Write out[r, k] = tiles[k // side, r, k % side] for k < kept, and from there on, with `mirror`, the conjugate of
    mirror[j // side, rows - 1 - r, j % side] for j = width - k.

    `tiles` and `mirror` are (ceil(kept / side), rows, side), `out` (rows, width); float32 to complex128. Raises ValueError and TypeError.
    """

def chirp(x: numpy.typing.NDArray[Any] | None, out: numpy.typing.NDArray[Any], start: int, apart: int, roots: Roots, inverse: bool, scale: float = 1.0) -> None:
    """
    Write out[r, i] = scale * x[r, i] * exp(-pi i j**2 / n), j = start + r * apart + i, or by the conjugate if `inverse`.

    Zero where abs(j) >= n; `roots` is of order 2 n; without `x` it is 1. A real `out` takes the real part. In float64, rounded once.
    Raises ValueError and TypeError.
    """

def read_rows(fd: int, offset: int, stride: int, rows: numpy.typing.NDArray[Any]) -> int:
    """
    Fill rows[i], C-contiguous, from byte `offset` + i * `stride` of a file.

    Returns 0, or the errno of the call that failed, or -1 where the file ended. Raises ValueError and TypeError.
    """

def write_rows(fd: int, offset: int, stride: int, rows: numpy.typing.NDArray[Any]) -> int:
    """
    Write rows[i], C-contiguous, to byte `offset` + i * `stride` of a file; see `read_rows`.
    """

def running_median(x: numpy.typing.NDArray[Any], x_start: int, out: numpy.typing.NDArray[Any], out_start: int, n: int, size: int, mode: str, cval: float) -> None:
    """
    Write the sample of rank size // 2 of the window [t - size // 2, t - size // 2 + size) for each sample t of `out`.

    `x` and `out` are samples from `x_start` and `out_start` on of a signal of `n`, (m,) or (m, channels) of one real dtype; `x` holds
    all that the windows are made of. `mode` (reflect, mirror, nearest, constant) says what lies beyond the ends, as scipy.ndimage has
    it; `cval` is the constant. A window with a NaN gives NaN. Raises ValueError and TypeError.
    """

def running_mad(x: numpy.typing.NDArray[Any], x_start: int, out: numpy.typing.NDArray[Any], out_start: int, n: int, size: int, mode: str, cval: float, scale: float) -> None:
    """
    Write the median of the distances from the median, as numpy.median gives both in float64, divided by `scale`.

    Windows and arguments are those of `running_median`; `out` is float32 or float64, `x` not of 64-bit integers.
    """

def running_std(x: numpy.typing.NDArray[Any], x_start: int, out: numpy.typing.NDArray[Any], out_start: int, n: int, size: int, mode: str, cval: float) -> None:
    """
    Write the standard deviation (ddof 0) of each window, computed in float64.

    Windows and arguments are those of `running_median`; `out` is float32 or float64, `x` not of 64-bit integers.
    """

def running_ranks_workspace(x: numpy.typing.NDArray[Any], size: int, channels: int) -> int:
    """
    Bytes that one call of `running_median` or `running_mad` allocates at most for samples of the dtype of `x`.
    """

def running_std_workspace(size: int) -> int:
    """Bytes that one call of `running_std` allocates at most."""

def running_tile(size: int) -> int:
    """Windows of one channel that are efficient to ask for at once."""

class FrameKernel:
    """
    Spectra of overlapping frames of real samples, in float64.

    Frames 0 and 1, 2 and 3 ... of a call share a transform; the bytes of a spectrum depend on the two frames of
    its pair and on nothing else. Immutable; any number of threads may use one at once.
    """

    def __init__(self, window: numpy.typing.NDArray[numpy.float64], points: int, turn: int = 0) -> None:
        """
        Plan for frames under `window`, (nperseg,), filled up with zeros to `points`, a power of two from 16 to 16384.

        Phases count from sample `turn` of a frame. Raises ValueError and TypeError.
        """

    def workspace_bytes(self) -> int:
        """Bytes that one call allocates at most."""

    def spectra(self, line: numpy.typing.NDArray[numpy.float64], hop: int, frames: int, out: numpy.typing.NDArray[Any], first: int = 0, column: int = 0) -> None:
        """
        Write the spectra of the frames line[i * hop:][:nperseg], or their power, to out[first + i, column:][:points // 2 + 1].

        `out` is (rows, columns), complex64 or complex128 for spectra, float32 or float64 for power. A frame that holds a NaN or an
        infinity gives NaN. Raises ValueError and TypeError.
        """

    def power_sums(self, line: numpy.typing.NDArray[numpy.float64], hop: int, frames: int, out: numpy.typing.NDArray[numpy.float64]) -> None:
        """
        Add the power of the frames, summed over them in an order of its own, to `out`, (points // 2 + 1,).

        Raises ValueError and TypeError.
        """

def medians(x: numpy.typing.NDArray[Any], out: numpy.typing.NDArray[numpy.float64]) -> None:
    """
    Write the median of each channel of `x`, (n,) or (n, channels) of any real dtype, into `out`, (channels,).

    As numpy.median gives it on float64: for an even n the mean of the two middle values, NaN where a channel has a NaN, or n is 0.
    Raises ValueError and TypeError.
    """

def medians_workspace_bytes(x: numpy.typing.NDArray[Any]) -> int:
    """
    Bytes that `medians` allocates at most for an array of this dtype and shape.
    """

class ThresholdKernel:
    """
    Find the runs of samples strictly beyond median +- k * noise, in float64.

    Median and noise are those of the samples asked for, or with `window` of the W samples [i - W // 2, i - W // 2 + W)
    around each. `noise` is mad (divided by the normal distribution's upper quartile) or std (ddof 0), `polarity` both, pos
    or neg, `nan` raise, ignore or gap. Immutable; any number of threads may call `find` at once.
    """

    def __init__(self, k: float, noise: str, polarity: str, nan: str, window: int = 0) -> None:
        """Raises ValueError."""

    def find(self, x: numpy.typing.NDArray[Any], x_start: int, start: int, stop: int, most: int, overflow: Callable[[numpy.typing.NDArray[numpy.uint8]], object]) -> tuple[numpy.typing.NDArray[numpy.uint8], numpy.typing.NDArray[numpy.uint8], int, int]:
        """
        Judge samples [start, stop) of `x`, (m,) or (m, channels) real, whose first sample is `x_start`.

        Returns the pieces of runs as bytes (headrace.signals.events.pieces.PIECE), channel by channel; a state for each channel; and
        sample and channel of a NaN if `nan` is raise and there is one, else -1 and -1. Of more than `most` pieces, `overflow` is
        called with the earlier ones, `most` at a time, as bytes that are valid during the call; what it raises is raised.
        Raises ValueError and TypeError.
        """

    def workspace_bytes(self, x: numpy.typing.NDArray[Any], count: int, channels: int) -> int:
        """
        Bytes that `find` allocates at most, beside what it returns, for (count, channels) samples of the dtype of `x`.
        """
