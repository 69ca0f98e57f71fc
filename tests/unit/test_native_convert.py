"""affine, quantize and unpack_int24 against NumPy, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from headrace import _native

INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
REALS = [*INTEGERS, "float32", "float64"]


@pytest.fixture(params=_native.available_isas())
def isa(request):
    before = _native.isa()
    _native.set_isa(request.param)
    yield request.param
    _native.set_isa(before)


def samples(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, size=shape, dtype=dtype, endpoint=True)
    return (rng.standard_normal(shape) * 1e4).astype(dtype)


@pytest.mark.parametrize("channels", [None, 1, 2, 3, 16, 17, 384])
@pytest.mark.parametrize("out_dtype", ["float32", "float64"])
@pytest.mark.parametrize("dtype", REALS)
def test_affine_is_numpys_float64_arithmetic_rounded_once(isa, dtype, out_dtype, channels):
    rng = np.random.default_rng(3)
    src = samples(rng, (1003,) if channels is None else (301, channels), dtype)
    for per_channel in (False, True):
        width = (channels or 1) if per_channel else 1
        scale, offset = rng.standard_normal(width) * 0.195, rng.standard_normal(width)
        out = np.empty(src.shape, out_dtype)
        _native.affine(src, out, scale, offset)
        assert out.tobytes() == (src.astype(np.float64) * scale + offset).astype(out_dtype).tobytes()


@pytest.mark.parametrize("out_dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_affine_scales_both_parts_and_shifts_the_real_one(isa, dtype, out_dtype):
    rng = np.random.default_rng(4)
    src = (rng.standard_normal((501, 3)) + 1j * rng.standard_normal((501, 3))).astype(dtype)
    scale, offset = rng.standard_normal(3), rng.standard_normal(3)
    out = np.empty(src.shape, out_dtype)
    _native.affine(src, out, scale, offset)
    part = np.dtype(out_dtype).type(0).real.dtype
    assert np.array_equal(out.real, (src.real.astype("f8") * scale + offset).astype(part))
    assert np.array_equal(out.imag, (src.imag.astype("f8") * scale).astype(part))


def quantized(src, dtype):
    out = np.empty(src.shape, dtype)
    return _native.quantize(src, out), out


@pytest.mark.parametrize("out_dtype", INTEGERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quantize_rounds_half_to_even_and_saturates(isa, dtype, out_dtype):
    info = np.iinfo(out_dtype)
    rng = np.random.default_rng(5)
    edges = np.array([info.min, info.max, 0, -1, 1, 255, 256, 2.0**31, 2.0**52, 2.0**53, -(2.0**51)])
    src = np.concatenate(
        [edges + d for d in (-1.5, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 1.5)]
        + [
            rng.standard_normal(4000) * float(info.max),
            rng.uniform(-300, 300, 4000),
            np.arange(-600, 600) / 2,
        ]
        + [np.array([np.inf, -np.inf, np.nan, 1e300, -1e300, 5e-324, -0.0, 0.49999999999999994])]
    )
    with np.errstate(over="ignore"):
        src = src.astype(dtype)
    want, clipped = [], 0
    for v in src.tolist():
        fits = False
        value = 0
        if v == v:
            value = info.max if v == np.inf else info.min if v == -np.inf else round(v)
            fits = abs(v) != np.inf and info.min <= value <= info.max
            value = min(max(value, info.min), info.max)
        want.append(value)
        clipped += not fits
    count, got = quantized(src, out_dtype)
    assert got.tolist() == want
    assert count == clipped


@pytest.mark.parametrize("out_dtype", INTEGERS)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_quantize_between_integers_saturates(isa, dtype, out_dtype):
    info, source = np.iinfo(out_dtype), np.iinfo(dtype)
    src = samples(np.random.default_rng(6), 2001, dtype)
    src[:4] = source.min, source.max, 0, 1
    count, got = quantized(src, out_dtype)
    want = [min(max(v, int(info.min)), int(info.max)) for v in src.tolist()]
    assert got.tolist() == want
    assert count == sum(a != b for a, b in zip(src.tolist(), want, strict=True))


@pytest.mark.parametrize("m", [0, 1, 2, 3, 4, 5, 6, 7, 100, 1001])
@pytest.mark.parametrize("big_endian", [False, True])
def test_unpack_int24_reads_both_byte_orders(isa, m, big_endian):
    src = np.random.default_rng(m).integers(0, 256, 3 * m).astype(np.uint8)
    out = np.empty(m, np.int32)
    _native.unpack_int24(src, out, big_endian)
    order = "big" if big_endian else "little"
    assert out.tolist() == [int.from_bytes(src[3 * i : 3 * i + 3].tobytes(), order, signed=True) for i in range(m)]


ONE = np.ones(1)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: _native.affine(np.ones(3), np.ones(4), ONE, ONE), ValueError, "same shape"),
        (
            lambda: _native.affine(np.ones((3, 2)), np.ones((3, 2)), np.ones(3), ONE),
            ValueError,
            "scale has 3 values",
        ),
        (lambda: _native.affine(np.ones(3), np.ones(3, "int16"), ONE, ONE), TypeError, "out must be float32"),
        (
            lambda: _native.affine(np.ones(3), np.ones(3), np.ones(1, "float32"), ONE),
            TypeError,
            "scale must be float64",
        ),
        (
            lambda: _native.affine(np.ones(3, "complex64"), np.ones(3), ONE, ONE),
            ValueError,
            "both be complex",
        ),
        (
            lambda: _native.affine(np.ones(6)[::2], np.ones(3), ONE, ONE),
            ValueError,
            "src must be C-contiguous",
        ),
        (lambda: _native.quantize(np.ones(3), np.ones(3)), TypeError, "integer dtype"),
        (
            lambda: _native.quantize(np.ones(3, "complex64"), np.ones(3, "int8")),
            TypeError,
            "src must be real",
        ),
        (lambda: _native.quantize(np.ones(3), np.ones(2, "int8")), ValueError, "src and out must have"),
        (lambda: _native.unpack_int24(np.ones(5, "uint8"), np.ones(2, "int32"), True), ValueError, "5 bytes"),
        (
            lambda: _native.unpack_int24(np.ones(6, "int8"), np.ones(2, "int32"), True),
            TypeError,
            "src must be uint8",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_name(call, error, words):
    with pytest.raises(error, match=words):
        call()
