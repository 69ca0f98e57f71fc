from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace import Budget
from headrace.core import registry
from headrace.core.chunk import Chunk
from headrace.core.operator import Spec
from headrace.core.sinks import ArraySink, DiscardSink, NpySink, RawSink, Sink, file_sink
from headrace.core.span import Span
from headrace.errors import BudgetTooSmall, OutputExists, SchemaError
from headrace.testing.faults import part_files

if TYPE_CHECKING:
    from pathlib import Path

X = np.arange(30, dtype=np.float32).reshape(10, 3)
SPEC = Spec(10, (3,), np.dtype(np.float32))


def chunks(*edges: int) -> list[Chunk]:
    return [Chunk(Span(a, b), X[a:b]) for a, b in zip((0, *edges), (*edges, 10), strict=True)]


@pytest.mark.parametrize("known", [True, False])
def test_a_raw_file_holds_the_samples_and_nothing_else(tmp_path: Path, known: bool) -> None:
    sink = RawSink(tmp_path / "y.raw")
    sink.open(SPEC if known else SPEC.with_n(None))
    parts = chunks(3, 3, 8)
    for chunk in reversed(parts) if known else parts:
        sink.write(chunk)
    sink.commit(10)
    assert (tmp_path / "y.raw").read_bytes() == X.tobytes()


@pytest.mark.parametrize("known", [True, False])
def test_a_npy_file_has_its_length_filled_in_at_the_end(tmp_path: Path, known: bool) -> None:
    sink = NpySink(tmp_path / "y.npy")
    sink.open(SPEC if known else SPEC.with_n(None))
    for chunk in chunks(4):
        sink.write(chunk)
    sink.commit(10)
    found = np.load(tmp_path / "y.npy", allow_pickle=False)
    assert found.dtype == np.float32
    assert np.array_equal(found, X)


@pytest.mark.parametrize("name", ["y.npy", "y.raw"])
def test_an_empty_output_is_a_file_too(tmp_path: Path, name: str) -> None:
    sink = file_sink(tmp_path / name)
    sink.open(SPEC.with_n(0))
    sink.commit(0)
    if name == "y.npy":
        assert np.load(tmp_path / name).shape == (0, 3)
    else:
        assert (tmp_path / name).read_bytes() == b""


@pytest.mark.parametrize("name", ["y.npy", "y.raw"])
def test_an_aborted_sink_leaves_nothing_and_may_be_aborted_again(tmp_path: Path, name: str) -> None:
    sink = file_sink(tmp_path / name)
    sink.open(SPEC)
    sink.write(chunks()[0])
    sink.abort()
    sink.abort()
    assert list(tmp_path.iterdir()) == []
    sink = file_sink(tmp_path / name)
    sink.open(SPEC)
    for chunk in chunks():
        sink.write(chunk)
    sink.commit(10)
    sink.abort()
    assert part_files(tmp_path) == []
    with pytest.raises(OutputExists):
        file_sink(tmp_path / name)


@pytest.mark.parametrize("known", [True, False])
def test_an_array_is_charged_to_the_budget_until_it_is_released(known: bool) -> None:
    budget = Budget("1MB")
    sink = ArraySink(budget)
    sink.open(SPEC if known else SPEC.with_n(None))
    for chunk in chunks(4, 9):
        sink.write(chunk)
    sink.commit(10)
    assert np.array_equal(sink.array, X)
    assert budget.used >= X.nbytes
    sink.release()
    sink.abort()
    assert budget.used == 0
    assert np.array_equal(sink.array, X)


@pytest.mark.parametrize("known", [True, False])
def test_an_array_beyond_the_budget_is_refused_with_the_size_it_needs(known: bool) -> None:
    sink = ArraySink(Budget(50))
    if not known:
        sink.open(SPEC.with_n(None))
    with pytest.raises(BudgetTooSmall, match="to_file") as caught:
        sink.open(SPEC) if known else sink.write(chunks()[0])
    assert caught.value.needed >= X.nbytes


def test_the_refusal_names_what_the_run_needs_beside_the_array() -> None:
    sink = ArraySink(Budget("2MB"), 3_900_000)
    words = r"the result in memory needs 480 kB and the run 3\.9 MB beside it; 2 MB .* raise memory= above 4\.38 MB"
    with pytest.raises(BudgetTooSmall, match=words):
        sink.open(Spec(60_000, (), np.dtype("f8")))


def test_an_array_is_there_only_once_committed() -> None:
    with pytest.raises(ValueError, match="committed"):
        _ = ArraySink(Budget("1MB")).array


def test_a_registered_suffix_chooses_its_sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registry", registry._Registry())
    registry.register("sink", ".abc", lambda path, **options: DiscardSink())
    assert isinstance(file_sink(tmp_path / "y.ABC"), DiscardSink)
    assert isinstance(file_sink(tmp_path / "y.NPY"), NpySink)


def test_raw_samples_are_written_to_names_that_promise_nothing_else(tmp_path: Path) -> None:
    for name in (
        "y",
        "y.bin",
        "y.DAT",
        "y.raw",
        "y.i16",
        "y.f32",
        "y.float64",
        "y.cf32",
        "y.s16le",
        "rec.ap.bin",
    ):
        assert type(file_sink(tmp_path / name)) is RawSink
    for name in ("y.csv", "y.h5", "y.wave", "y.mat", "y.parquet", "y.int16.npz", "y.i17"):
        with pytest.raises(SchemaError, match=r"unknown suffix .*\.npy, .*\.wav, .*\.bin"):
            file_sink(tmp_path / name)


def test_all_sinks_keep_the_protocol(tmp_path: Path) -> None:
    made: list[Any] = [DiscardSink(), RawSink(tmp_path / "a"), NpySink(tmp_path / "b"), ArraySink(Budget(9))]
    assert all(isinstance(sink, Sink) for sink in made)
    assert list(tmp_path.iterdir()) == []
