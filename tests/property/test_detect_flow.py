"""The events of a flow depend on its samples alone: not on threads, budget, executor, or where the signal lies."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.signals import Fir, Threshold, from_array, from_iter
from headrace.testing.strategies import cuts

RUNS = st.fixed_dictionaries(
    {
        "threads": st.integers(1, 4),
        "executor": st.sampled_from([None, "threads", "serial"]),
        "memory": st.sampled_from(["1GB", "9MB"]),
        "chunk": st.sampled_from([None, 7, 97, 1009]),
    }
)
RULES = st.builds(
    Threshold,
    st.sampled_from([0.5, 2, 3]),
    noise=st.sampled_from(["mad", "std"]),
    block=st.sampled_from([50, 257, 5000]),
    merge_gap=st.sampled_from([0, 5]),
) | st.builds(Threshold, st.sampled_from([2, 3]), window=st.sampled_from([1, 30, 301]))
SOME = settings(max_examples=max(15, settings.default.max_examples // 4))


def signal(seed: int, n: int, channels: int | None) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n,) if channels is None else (n, channels)).astype("float32")
    for at in rng.integers(0, max(1, n), 5):
        x[at : at + int(rng.integers(1, 700))] += 9
    return x


@SOME
@given(st.integers(0, 2**32), st.integers(0, 4000), st.sampled_from([None, 1, 3, 5]), RULES, RUNS, st.data())
def test_the_bytes_of_the_table_depend_on_nothing_but_the_signal(
    seed: int, n: int, channels: int | None, rule: Threshold, options: dict[str, Any], data: st.DataObject
) -> None:
    x = signal(seed, n, channels)
    whole = from_array(x, fs=100.0).detect(rule).to_array(threads=1, executor="serial", memory="1GB")
    assert from_array(x, fs=100.0).detect(rule).to_array(**options).tobytes() == whole.tobytes()
    pieces = np.split(x, data.draw(cuts(n)))
    assert from_iter(pieces, fs=100.0).detect(rule).to_array(**options).tobytes() == whole.tobytes()
    starts = sorted({0, *(c for c in data.draw(cuts(n)) if c < n)})
    together = from_array(x, fs=100.0, segments=starts).detect(rule).to_array(**options)
    alone = []
    for start, part in zip(starts, np.split(x, starts[1:]), strict=True):
        rows = from_array(part, fs=100.0).detect(rule).to_array(memory="1GB")
        rows["start"], rows["end"], rows["peak"] = rows["start"] + start, rows["end"] + start, rows["peak"] + start
        rows["time_s"] = rows["start"] / 100.0
        alone.append(rows)
    assert together.tobytes() == np.concatenate(alone).tobytes()


@SOME
@given(st.integers(0, 2**32), st.integers(0, 4000), RULES, RUNS)
def test_events_after_a_filter_are_those_of_the_filtered_signal(
    seed: int, n: int, rule: Threshold, options: dict[str, Any]
) -> None:
    x = signal(seed, n, 2)
    smooth = Fir(np.ones(9) / 9)
    filtered = from_array(x).pipe(smooth).to_array(memory="1GB")
    expected = from_array(filtered).detect(rule).to_array(memory="1GB")
    assert from_array(x).pipe(smooth).detect(rule).to_array(**options).tobytes() == expected.tobytes()
