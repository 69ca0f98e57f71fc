from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headrace.errors import SchemaError
from headrace.signals import BlockMedian, CommonReference, Detrend, PhaseShift, Scale, from_array
from headrace.testing import check_operator
from headrace.testing.operators import smallest_budget

DTYPES = ["int8", "uint16", "int32", "int64", "float16", "float32", "float64", "?"]
SHIFTS = [0.0, 0.25, -3.5, 2.0, -0.75]


@pytest.fixture
def signal(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((600, 5)) * 40 + 3


def delivered(x: np.ndarray) -> Any:
    return np.float32 if x.dtype.itemsize <= 2 or x.dtype == np.float32 else np.float64


def less_median(x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64)
    found: np.ndarray = (wide - np.median(wide, axis=1, keepdims=True)).astype(delivered(x))
    return found


def shifted(x: np.ndarray, operator: PhaseShift) -> np.ndarray:
    """Convolve each channel with the documented taps, in float64."""
    taps, lags = operator.impulse_response()
    found = np.zeros(x.shape)
    for c in range(x.shape[1]):
        full = np.convolve(x[:, c].astype(np.float64), taps[c]) if len(x) else np.zeros(1)
        at = np.arange(len(x)) - lags[c]
        inside = (at >= 0) & (at < len(full))
        found[inside, c] = full[at[inside]]
    return found


def in_blocks(x: np.ndarray, block: int, fn: Any) -> np.ndarray:
    wide = x.astype(np.float64)
    return np.concatenate([wide[:0], *(fn(wide[a : a + block]) for a in range(0, len(x), block))])


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_common_median_conforms_for_every_dtype(dtype: str, signal: np.ndarray) -> None:
    check_operator(CommonReference(), signal.astype(dtype), less_median, tolerance=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_common_mean_conforms_for_every_dtype(dtype: str, signal: np.ndarray) -> None:
    x = signal.astype(dtype)
    check_operator(CommonReference("mean"), x, lambda a: a - a.mean(axis=1, keepdims=True, dtype=np.float64))


def test_groups_have_references_of_their_own_and_the_rest_stays_as_it_is(signal: np.ndarray) -> None:
    x = np.hstack([signal, signal[::-1]]).astype(np.float32)
    groups, alone, broken = [[7, 0, 2], [5, 1, 4, 8]], [3, 6, 9], 4

    def expected(a: np.ndarray) -> np.ndarray:
        wide = a.astype(np.float64)
        found = wide.copy()
        for group in groups:
            good = [c for c in group if c != broken]
            found[:, group] -= np.median(wide[:, good], axis=1, keepdims=True)
        return found.astype(np.float32)

    check_operator(CommonReference(groups=groups, exclude=[broken]), x, expected, tolerance=0)
    assert np.array_equal(expected(x)[:, alone], x[:, alone])


def test_excluded_channels_do_not_count_and_are_referenced_all_the_same() -> None:
    x = np.array([[1, 2, 100, 3], [5, 5, -900, 8]], np.int16)
    found = from_array(x).pipe(CommonReference(exclude=[2])).to_array()
    assert found.tolist() == [[-1, 0, 98, 1], [0, 0, -905, 3]]


def test_groups_may_have_names(signal: np.ndarray) -> None:
    named = CommonReference(groups={"left": range(3), "right": [3, 4]}, exclude=[1])
    plain = CommonReference(groups=[range(3), [3, 4]], exclude=[1])
    assert repr(named) == "CommonReference('median', groups={'left': [0, 1, 2], 'right': [3, 4]}, exclude=[1])"
    assert (named.groups, named.names, plain.names) == (plain.groups, ("left", "right"), None)
    found, expected = (from_array(signal).pipe(each).to_array() for each in (named, plain))
    assert found.tobytes() == expected.tobytes()


def test_a_nan_takes_its_group_with_it_and_no_other() -> None:
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    x[2, 1] = np.nan
    for method in ("median", "mean"):
        found = from_array(x).pipe(CommonReference(method, groups=[[0, 1, 2], [3, 4, 5]])).to_array()  # type: ignore[arg-type]
        assert np.isnan(found).nonzero()[0].tolist() == [2, 2, 2]
        assert not np.isnan(found[:, 3:]).any()


def test_one_channel_less_its_own_median_is_zero() -> None:
    assert not from_array(np.arange(5.0)).pipe(CommonReference()).to_array().any()


def test_a_half_is_rounded_once_where_integers_follow(signal: np.ndarray) -> None:
    x = signal[:, :4].astype(np.int16)
    wide = x.astype(np.float64)
    expected = np.rint(wide - np.median(wide, axis=1, keepdims=True)).astype(np.int16)
    assert np.array_equal(from_array(x).pipe(CommonReference()).to_array(out_dtype="int16"), expected)
    fine = signal[:, :4].astype(np.float32)
    wide = fine.astype(np.float64)
    expected = np.rint(wide - np.median(wide, axis=1, keepdims=True)).astype(np.int16)
    assert np.array_equal(from_array(fine).pipe(CommonReference()).to_array(out_dtype="int16"), expected)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"method": "mode"}, "'median' or 'mean': got 'mode'"),
        ({"groups": []}, "at least one group"),
        ({"groups": [[0], []]}, "at least one channel"),
        ({"groups": [[0, 1], [1]]}, "channel 1 is in group 0 and in group 1"),
        ({"groups": [[0, 0]]}, "channel 0 is in group 0 and in group 0"),
        ({"groups": [0, 1]}, r"groups\[0\]= is a list of channel numbers: got 0"),
        ({"groups": {"a": [0, 1], "b": [1]}}, "channel 1 is in group 'a' and in group 'b'"),
        ({"groups": {"a": 0}}, r"groups\['a'\]= is a list of channel numbers: got 0"),
        ({"groups": {"a": [0], "b": [-1]}}, r"groups\['b'\]= is at least 0: got -1"),
        ({"groups": {"a": [0], "b": []}}, r"at least one channel: got {'a': \[0\], 'b': \[\]}"),
        ({"groups": {}}, "at least one group"),
        ({"groups": {"a": [0, 1], "b": [2]}, "exclude": [2]}, "group 'b' .channels 2. has no channel left"),
        ({"groups": 3}, "list of lists"),
        ({"groups": [[-1]]}, "at least 0: got -1"),
        ({"groups": [[0.5]]}, "whole number"),
        ({"groups": [[0, 5]]}, "no channel 5 in a recording of 5"),
        ({"exclude": [9]}, "no channel 9"),
        ({"exclude": 3}, "list of channel numbers"),
        ({"exclude": range(5)}, "group 0 .channels 0, 1, 2, 3, 4. has no channel left"),
        ({"groups": [[0, 1], [2]], "exclude": [2]}, "group 1 .channels 2. has no channel left"),
    ],
    ids=str,
)
def test_a_reference_that_cannot_be_is_refused(given: dict[str, Any], what: str, signal: np.ndarray) -> None:
    with pytest.raises(SchemaError, match=what):
        from_array(signal).pipe(CommonReference(**given))


@pytest.mark.parametrize("dtype", DTYPES)
def test_shifts_conform_for_every_dtype(dtype: str, signal: np.ndarray) -> None:
    operator = PhaseShift(SHIFTS)
    check_operator(operator, signal.astype(dtype), lambda a: shifted(a, operator))


@pytest.mark.parametrize("n", [0, 1, 2, 31, 32, 64])
def test_a_signal_shorter_than_the_taps_is_shifted_between_zeros(n: int, signal: np.ndarray) -> None:
    operator = PhaseShift(SHIFTS)
    found = from_array(signal[:n]).pipe(operator).to_array()
    assert np.allclose(found, shifted(signal[:n], operator), rtol=0, atol=1e-12)


@pytest.mark.parametrize("taps", [16, 64, 128])
def test_a_tone_is_delayed_as_documented_up_to_the_documented_frequencies(taps: int) -> None:
    shifts = np.array([-7.3, -0.5, 0.0, 1 / 13, 0.25, 0.5, 12 / 13, 3.9])
    responses, lags = PhaseShift(shifts, taps=taps).impulse_response()
    for limit, error in ((1 - 8 / taps, 1e-5), (1 - 6.5 / taps, 1e-3)):
        omega = np.pi * np.linspace(0, limit, 300)
        for response, lag, shift in zip(responses, lags, shifts, strict=True):
            gain = np.exp(-1j * np.outer(omega, lag + np.arange(taps))) @ response
            assert np.abs(gain - np.exp(-1j * omega * shift)).max() < error


def test_a_positive_shift_comes_later_and_undoes_late_sampling() -> None:
    i = np.arange(400)
    shifts = np.array([0.0, 0.3, -1.7, 40])
    x = np.sin(0.4 * (i[:, np.newaxis] + shifts))
    found = from_array(x).pipe(PhaseShift(shifts)).to_array()
    assert np.allclose(found[100:300], np.sin(0.4 * i[100:300, np.newaxis]), rtol=0, atol=2e-5)
    assert np.allclose(x[:-40, 3], found[40:, 3], rtol=0, atol=0)


def test_a_whole_shift_moves_samples_and_their_nans_unchanged(signal: np.ndarray) -> None:
    x = signal.astype(np.float32)
    x[300] = np.nan
    x[3] = np.inf
    for shift in (0, 5, -5):
        found = from_array(x).pipe(PhaseShift(shift)).to_array()
        expected = np.zeros_like(x)
        expected[max(0, shift) : len(x) + min(0, shift)] = x[max(0, -shift) : len(x) - max(0, shift)]
        assert np.array_equal(found, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"shifts": [1, 2]}, "2 numbers for 5 channel"),
        ({"shifts": np.nan}, "finite"),
        ({"shifts": "x"}, "number"),
        ({"shifts": 2e6}, "at most 1,000,000 samples: got 2e.06"),
        ({"shifts": 0.5, "taps": 33}, "even"),
        ({"shifts": 0.5, "taps": 6}, "at least 8"),
    ],
    ids=str,
)
def test_a_shift_that_cannot_be_is_refused(given: dict[str, Any], what: str, signal: np.ndarray) -> None:
    with pytest.raises(SchemaError, match=what):
        from_array(signal).pipe(PhaseShift(**given))


@pytest.mark.parametrize("dtype", ["int8", "float16", "float32", "float64"])
@pytest.mark.parametrize("kind", ["constant", "linear"])
def test_detrending_conforms_for_every_dtype(dtype: str, kind: Any, signal: np.ndarray) -> None:
    from scipy.signal import detrend

    x = (signal + np.arange(len(signal))[:, np.newaxis] / 20).astype(dtype)
    check_operator(Detrend(kind, block=130), x, lambda a: in_blocks(a, 130, lambda b: detrend(b, axis=0, type=kind)))


def test_a_straight_line_is_gone_whatever_the_blocks() -> None:
    x = np.arange(1001.0) * 3 - 7
    for block in (1, 2, 3, 1000, 10_000):
        assert np.abs(from_array(x).pipe(Detrend(block=block)).to_array()).max() < 1e-9
    assert from_array(x).pipe(Detrend("constant", block=2)).to_array()[:4].tolist() == [-1.5, 1.5, -1.5, 1.5]


@pytest.mark.parametrize(
    ("dtype", "subtract"), [*((dtype, True) for dtype in DTYPES), ("int8", False), ("float64", False)]
)
def test_block_medians_conform_for_every_dtype(dtype: str, subtract: bool, signal: np.ndarray) -> None:
    x = signal.astype(dtype)

    def expected(a: np.ndarray) -> np.ndarray:
        middle = in_blocks(a, 131, lambda b: np.broadcast_to(np.median(b, axis=0), b.shape))
        return (a - middle if subtract else middle).astype(delivered(a))

    check_operator(BlockMedian(131, subtract), x, expected, tolerance=0)
    even = from_array(x).pipe(BlockMedian(40)).to_array()
    assert np.array_equal(even, in_blocks(x, 40, lambda b: b - np.median(b, axis=0)).astype(delivered(x)))


def test_blocks_wider_than_what_is_worked_on_at_once_give_the_same_answer(rng: np.random.Generator) -> None:
    x = rng.integers(-300, 300, (30_001, 7)).astype(np.int16)
    wide = in_blocks(x, 20_000, lambda b: b - np.median(b, axis=0)).astype(np.float32)
    assert np.array_equal(from_array(x).pipe(BlockMedian(20_000)).to_array(memory="1GB"), wide)
    means = in_blocks(x, 20_000, lambda b: b - b.mean(axis=0))
    found = from_array(x).pipe(Detrend("constant", block=20_000)).to_array(memory="1GB")
    assert np.allclose(found, means, rtol=0, atol=1e-4)


@pytest.mark.parametrize("operator", [BlockMedian(100), Detrend("constant", block=100), Detrend(block=100)], ids=repr)
def test_a_nan_takes_its_block_of_its_channel_and_no_more(operator: Any, signal: np.ndarray) -> None:
    x = signal.copy()
    x[250, 3] = np.nan
    found = np.isnan(from_array(x).pipe(operator).to_array())
    assert found[200:300, 3].all()
    assert found.sum() == 100


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: BlockMedian(0), "block= is at least 1: got 0"),
        (lambda: BlockMedian(1.5), "whole number"),  # type: ignore[arg-type]
        (lambda: Detrend(block=0), "block= is at least 1"),
        (lambda: Detrend("cubic", block=3), "'linear' or 'constant': got 'cubic'"),  # type: ignore[arg-type]
    ],
)
def test_blocks_that_cannot_be_are_refused(make: Any, what: str) -> None:
    with pytest.raises(SchemaError, match=what):
        make()


OPERATORS = [
    CommonReference(),
    CommonReference("mean"),
    CommonReference(groups=[[0, 1], [2]], exclude=[1]),
    CommonReference(groups={"a": [0, 1], "b": [2]}, exclude=[1]),
    PhaseShift(0.5),
    PhaseShift(0.5, taps=32),
    PhaseShift(0.25),
    PhaseShift(np.arange(9) / 9),
    PhaseShift(np.arange(9) / 10),
    Detrend(block=10),
    Detrend("constant", block=10),
    Detrend(block=11),
    BlockMedian(10),
    BlockMedian(10, subtract=False),
]


def test_operators_with_other_settings_print_otherwise() -> None:
    assert len({repr(operator) for operator in OPERATORS}) == len(OPERATORS)


FOR_THREE_CHANNELS = [operator for operator in OPERATORS if "9 shifts" not in repr(operator)]


@pytest.mark.parametrize("operator", FOR_THREE_CHANNELS, ids=repr)
def test_complex_samples_are_refused_and_an_empty_signal_is_not(operator: Any) -> None:
    with pytest.raises(SchemaError, match="real samples: got complex128"):
        from_array(np.zeros((4, 3), complex)).pipe(operator)
    assert from_array(np.zeros((0, 3))).pipe(operator).to_array().shape == (0, 3)


@pytest.mark.parametrize("operator", FOR_THREE_CHANNELS, ids=repr)
def test_an_integer_output_is_that_of_the_float64_answer(operator: Any, signal: np.ndarray) -> None:
    x = signal[:, :3].astype(np.float32)
    found = from_array(x).pipe(operator).to_array(out_dtype="int16")
    exact = from_array(x.astype(np.float64)).pipe(operator).to_array()
    assert np.array_equal(found, np.rint(exact).astype(np.int16))


def test_channel_operations_chain(signal: np.ndarray) -> None:
    x = signal.astype(np.int16)
    shift = PhaseShift(SHIFTS)
    flow = from_array(x, 30_000).pipe(Scale(0.5), shift, CommonReference(), BlockMedian(100))
    moved = shifted(x.astype(np.float64) * 0.5, shift).astype(np.float32)
    expected = in_blocks(less_median(moved), 100, lambda b: b - np.median(b, axis=0))
    assert np.allclose(flow.to_array(), expected, rtol=0, atol=1e-4)
    assert flow.to_array(memory="1GB").tobytes() == flow.to_array(chunk=97, threads=3, memory="1GB").tobytes()
    assert smallest_budget(flow) < 3_000_000
