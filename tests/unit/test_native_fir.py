"""The FIR kernel equals the float64 convolution, and its bytes depend on the cell alone."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import scipy.signal

from headrace import _native

REAL_DTYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]
TAP_COUNTS = [1, 2, 3, 5, 33, 1023, 5000]


@pytest.fixture(params=_native.available_isas())
def isa(request):
    before = _native.isa()
    _native.set_isa(request.param)
    yield request.param
    _native.set_isa(before)


def rng_for(*key):
    return np.random.default_rng(key)


def samples(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, size=shape, dtype=dtype, endpoint=True)
    if dtype.kind == "c":
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def wide(x):
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def reference(x, taps, shift, n_out):
    """Outputs [0, n_out) by SciPy in float64, along axis 0."""
    x64 = wide(x)
    full = np.stack(
        [scipy.signal.convolve(column, taps, method="auto") for column in x64.reshape(len(x), -1).T], axis=-1
    )
    out = np.zeros((n_out, full.shape[1]), full.dtype)
    first, last = max(0, -shift), min(n_out, len(full) - shift)
    if last > first:
        out[first:last] = full[first + shift : last + shift]
    return out.reshape((n_out, *x.shape[1:]))


def filtered(kernel, x, shift, n_out, dtype):
    out = np.full((n_out, *x.shape[1:]), 77, dtype)
    kernel.apply(x, 0, shift, out, 0)
    return out


def relative_error(got, want):
    scale = np.linalg.norm(want)
    return np.linalg.norm(wide(got) - want) / scale if scale else np.linalg.norm(got)


@pytest.mark.parametrize("channels", [None, 1, 2, 3, 7, 16, 17])
@pytest.mark.parametrize("n_taps", TAP_COUNTS)
def test_equals_the_whole_array_convolution_in_float64(isa, n_taps, channels):
    rng = rng_for(n_taps, channels or 0)
    taps = rng.standard_normal(n_taps)
    kernel = _native.FirKernel(taps, False)
    n = int(rng.integers(1, 2 * kernel.cell)) if n_taps < 5000 else 9000
    x = samples(rng, (n,) if channels is None else (n, channels), "float32")
    shift = int(rng.integers(-3, n_taps + 3))
    want = reference(x, taps, shift, n)
    assert relative_error(filtered(kernel, x, shift, n, "float64"), want) <= 1e-14
    assert relative_error(filtered(kernel, x, shift, n, "float32"), want) <= 3e-7


def test_equals_the_convolution_for_384_channels(isa):
    rng = rng_for(384)
    taps = rng.standard_normal(101)
    x = samples(rng, (3000, 384), "int16")
    kernel = _native.FirKernel(taps, False)
    assert relative_error(filtered(kernel, x, 50, 3000, "float32"), reference(x, taps, 50, 3000)) <= 3e-7


@pytest.mark.parametrize("channels", [1, 5, 16])
@pytest.mark.parametrize("dtype", REAL_DTYPES)
def test_takes_every_real_dtype(isa, dtype, channels):
    rng = rng_for(len(dtype), channels)
    taps = rng.standard_normal(33)
    kernel = _native.FirKernel(taps, False)
    x = samples(rng, (3 * kernel.cell + 11, channels), dtype)
    got = filtered(kernel, x, 16, len(x), "float64")
    assert relative_error(got, reference(x, taps, 16, len(x))) <= 1e-14


@pytest.mark.parametrize("channels", [1, 4, 9])
@pytest.mark.parametrize(
    ("x_dtype", "taps_dtype"),
    [
        ("complex64", "float64"),
        ("complex128", "complex128"),
        ("float32", "complex128"),
        ("int16", "complex128"),
    ],
)
def test_complex_input_and_complex_taps_give_complex_output(isa, x_dtype, taps_dtype, channels):
    rng = rng_for(channels)
    taps = samples(rng, 129, taps_dtype)
    kernel = _native.FirKernel(taps, x_dtype.startswith("complex"))
    assert kernel.cell == kernel.step
    x = samples(rng, (2 * kernel.cell + 7, channels), x_dtype)
    want = reference(x, taps, 64, len(x))
    assert relative_error(filtered(kernel, x, 64, len(x), "complex128"), want) <= 1e-14
    assert relative_error(filtered(kernel, x, 64, len(x), "complex64"), want) <= 3e-7


def test_a_long_filter_equals_the_convolution(isa):
    rng = rng_for(7)
    taps = rng.standard_normal(70_001)
    x = samples(rng, 200_000, "float32")
    kernel = _native.FirKernel(taps, False)
    assert relative_error(filtered(kernel, x, 35_000, len(x), "float64"), reference(x, taps, 35_000, len(x))) <= 1e-14


def test_float32_output_is_the_float64_output_rounded_once(isa):
    rng = rng_for(8)
    kernel = _native.FirKernel(rng.standard_normal(200), False)
    x = samples(rng, (5000, 3), "float32")
    rounded = filtered(kernel, x, 0, 5000, "float64").astype(np.float32)
    assert filtered(kernel, x, 0, 5000, "float32").tobytes() == rounded.tobytes()


def test_a_strong_offset_does_not_drown_the_pass_band(isa):
    rng = rng_for(9)
    taps = scipy.signal.firwin(1023, [0.1, 0.3], pass_zero=False)
    taps -= taps.mean()
    n = 50_000
    x = (1e4 + scipy.signal.lfilter(taps, 1, rng.standard_normal(n))).astype(np.float32)
    want = reference(x, taps, 511, n)[1023:-1023]
    got = filtered(_native.FirKernel(taps, False), x, 511, n, "float32")[1023:-1023]
    assert np.linalg.norm(want) < 1e-3 * np.linalg.norm(x)
    assert relative_error(got, want) <= 3e-7


@pytest.mark.parametrize("channels", [1, 3, 8, 17])
@pytest.mark.parametrize("dtype", ["float32", "int16", "complex64"])
def test_cell_by_cell_calls_equal_one_call_bytewise(isa, dtype, channels):
    rng = rng_for(channels, len(dtype))
    n_taps, shift = 301, 77
    kernel = _native.FirKernel(rng.standard_normal(n_taps), dtype == "complex64")
    out_dtype = "complex64" if dtype == "complex64" else "float32"
    n = 5 * kernel.cell + 123
    x = samples(rng, (n, channels), dtype)
    whole = filtered(kernel, x, shift, n, out_dtype)
    pieces = np.empty_like(whole)
    for start in range(0, n, kernel.cell):
        stop = min(n, start + kernel.cell)
        a, b = max(0, start + shift - n_taps + 1), min(n, stop + shift)
        kernel.apply(x[a:b], a, shift, pieces[start:stop], start)
    assert pieces.tobytes() == whole.tobytes()


def test_input_beyond_the_last_needed_sample_does_not_change_the_bytes(isa):
    rng = rng_for(10)
    kernel = _native.FirKernel(rng.standard_normal(50), False)
    x = samples(rng, 4000, "float32")
    n = kernel.cell + 40
    assert filtered(kernel, x, 20, n, "float64").tobytes() == filtered(kernel, x[: n + 20], 20, n, "float64").tobytes()


@pytest.mark.parametrize("channels", [2, 7, 16, 17])
def test_a_channel_among_others_has_the_bytes_it_has_alone(isa, channels):
    rng = rng_for(channels)
    kernel = _native.FirKernel(rng.standard_normal(99), False)
    n = 3 * kernel.cell + 5
    x = samples(rng, (n, channels), "float32")
    together = filtered(kernel, x, 49, n, "float64")
    for c in range(channels):
        alone = filtered(kernel, np.ascontiguousarray(x[:, c]), 49, n, "float64")
        assert alone.tobytes() == together[:, c].tobytes()


@pytest.mark.parametrize("n_taps", TAP_COUNTS)
def test_every_isa_gives_the_same_bytes(n_taps):
    rng = rng_for(n_taps)
    taps = rng.standard_normal(n_taps)
    before = _native.isa()
    results = set()
    try:
        for name in _native.available_isas():
            _native.set_isa(name)
            kernel = _native.FirKernel(taps, False)
            for channels in (1, 5, 16):
                x = samples(rng_for(1, channels), (2 * kernel.cell + 3, channels), "float32")
                x[100, 0], x[200, -1] = np.nan, np.inf
                results.add((channels, filtered(kernel, x, 3, len(x), "float64").tobytes()))
    finally:
        _native.set_isa(before)
    assert len(results) == 3


def direct_with_nonfinite(x, taps, shift):
    """Direct evaluation: terms at non-finite samples decide; elsewhere those samples count as zero."""
    x64 = x.astype(np.float64)
    bad = ~np.isfinite(x64)
    out = reference(np.where(bad, 0.0, x64), taps, shift, len(x))
    with np.errstate(invalid="ignore"):
        for o in range(len(x)):
            total, touched = 0.0, False
            for i in np.flatnonzero(bad[max(0, o + shift - len(taps) + 1) : max(0, o + shift + 1)]):
                position = i + max(0, o + shift - len(taps) + 1)
                total, touched = total + taps[o + shift - position] * x64[position], True
            if touched:
                out[o] = total
    return out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", ["one nan", "one inf", "both infs", "inf run", "nan run", "zero taps", "everything"])
def test_nan_and_inf_reach_exactly_the_outputs_of_direct_evaluation(isa, case, dtype):
    rng = rng_for(len(case))
    taps = np.abs(rng.standard_normal(40)) if case == "inf run" else rng.standard_normal(40)
    if case == "zero taps":
        taps[[3, 17]] = 0.0
    kernel = _native.FirKernel(taps, False)
    n = 2 * kernel.cell + 30
    x = samples(rng, n, dtype)
    if case == "one nan":
        x[300] = np.nan
    elif case in ("one inf", "zero taps"):
        x[kernel.step + 2] = -np.inf
    elif case == "both infs":
        x[[50, 60, 200]] = np.inf, -np.inf, np.inf
    elif case == "inf run":
        x[100:180] = np.inf
    elif case == "nan run":
        x[10:400] = np.nan
    else:
        x[::97], x[::61], x[5] = np.inf, -np.inf, np.nan
    shift = 11
    got = filtered(kernel, x, shift, n, "float64")
    want = direct_with_nonfinite(x, taps, shift)
    assert np.array_equal(np.isnan(got), np.isnan(want))
    assert np.array_equal(np.isposinf(got), np.isposinf(want))
    assert np.array_equal(np.isneginf(got), np.isneginf(want))
    clean = filtered(kernel, np.where(np.isfinite(x), x, 0).astype(dtype), shift, n, "float64")
    finite = np.isfinite(want)
    assert got[finite].tobytes() == clean[finite].tobytes()


def test_a_nan_does_not_leak_into_other_channels(isa):
    rng = rng_for(11)
    kernel = _native.FirKernel(rng.standard_normal(33), False)
    x = samples(rng, (3 * kernel.cell, 16), "float32")
    clean = filtered(kernel, x, 0, len(x), "float32")
    x[500, 4] = np.nan
    got = filtered(kernel, x, 0, len(x), "float32")
    assert np.isnan(got[500:533, 4]).all()
    got[:, 4] = clean[:, 4]
    assert got.tobytes() == clean.tobytes()


def test_a_nonfinite_complex_sample_makes_its_outputs_nan_in_both_parts(isa):
    rng = rng_for(12)
    kernel = _native.FirKernel(rng.standard_normal(21), True)
    x = samples(rng, 2 * kernel.cell, "complex64")
    x[130] = complex(1.0, np.inf)
    got = filtered(kernel, x, 0, len(x), "complex64")
    assert np.isnan(got[130:151].real).all()
    assert np.isnan(got[130:151].imag).all()
    assert np.isfinite(got[:130]).all()
    assert np.isfinite(got[151:]).all()


def test_threads_share_a_kernel():
    rng = rng_for(13)
    kernel = _native.FirKernel(rng.standard_normal(255), False)
    x = samples(rng, (8 * kernel.cell, 2), "float32")
    want = filtered(kernel, x, 0, len(x), "float32").tobytes()
    results = [b""] * 4

    def work(i):
        for _ in range(5):
            results[i] = filtered(kernel, x, 0, len(x), "float32").tobytes()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(results) == {want}


def test_empty_input_and_empty_output_are_fine(isa):
    kernel = _native.FirKernel(np.ones(4), False)
    out = np.ones(10)
    kernel.apply(np.empty(0), 0, 0, out, 0)
    assert not out.any()
    kernel.apply(np.ones(5), 0, 0, np.empty(0), 0)
    kernel.apply(np.empty((5, 0)), 0, 0, np.empty((7, 0)), 0)


def test_the_grid_follows_from_the_number_of_taps():
    for n_taps in (1, 2, 64, 65, 1023, 4097):
        kernel = _native.FirKernel(np.ones(n_taps), False)
        assert kernel.taps_count == n_taps
        assert kernel.step == kernel.fft_length - n_taps + 1
        assert kernel.cell == 2 * kernel.step
        assert kernel.fft_length.bit_count() == 1
        assert not kernel.complex_output
        assert kernel.workspace_bytes(1) >= 16 * kernel.fft_length * kernel.lanes


@pytest.mark.parametrize(
    ("taps", "error"),
    [
        (np.empty(0), ValueError),
        (np.array([1.0, np.nan]), ValueError),
        (np.array([1.0, np.inf]), ValueError),
        (np.ones((2, 2)), ValueError),
        (np.ones(10)[::2], ValueError),
        (np.ones(3, "float32"), TypeError),
        ([1.0, 2.0], TypeError),
    ],
)
def test_taps_that_do_not_fit_are_refused(taps, error):
    with pytest.raises(error):
        _native.FirKernel(taps, False)


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("x", "out", "out_start", "error", "words"),
    [
        (np.ones(9), np.ones(9), 1, ValueError, "multiple of the cell"),
        (np.ones((9, 2)), np.ones((9, 3)), 0, ValueError, "2 channels but out has 3"),
        (np.ones((9, 2))[:, 0], np.ones(9), 0, ValueError, "x must be C-contiguous"),
        (np.ones(9), np.ones(18)[::2], 0, ValueError, "out must be C-contiguous"),
        (np.ones(9), read_only(np.ones(9)), 0, ValueError, "read-only"),
        (np.ones((2, 2, 2)), np.ones((2, 2, 2)), 0, ValueError, "dimensions"),
        (np.ones(9, "complex64"), np.ones(9, "complex64"), 0, ValueError, "complex_input"),
        (np.ones(9), np.ones(9, "complex64"), 0, ValueError, "out must be real"),
        (np.ones(9, "int64"), np.ones(9), 0, TypeError, "64-bit"),
        (np.ones(9, "uint64"), np.ones(9), 0, TypeError, "64-bit"),
        (np.ones(9, "float16"), np.ones(9), 0, TypeError, "x"),
        (np.ones(9, ">f4"), np.ones(9), 0, TypeError, "x"),
        (np.ones(9), np.ones(9, "int32"), 0, TypeError, "out must be"),
        ([1.0], np.ones(9), 0, TypeError, "x must be an array"),
        (np.ones(9), "words", 0, TypeError, "out must be an array"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_name(x, out, out_start, error, words):
    kernel = _native.FirKernel(np.ones(3), False)
    with pytest.raises(error, match=words):
        kernel.apply(x, 0, 0, out, out_start)


def test_positions_that_could_overflow_are_refused():
    kernel = _native.FirKernel(np.ones(3), False)
    with pytest.raises(ValueError, match="2\\^60"):
        kernel.apply(np.ones(9), 2**61, 0, np.ones(9), 0)
