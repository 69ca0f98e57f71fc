"""The Arrow stream: what other libraries find in it, how long buffers live, and what they hear of errors."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace import _native
from headrace.core import arrow
from headrace.core.arrow import arrow_stream
from headrace.core.budget import Budget
from headrace.errors import RingStarved, SchemaError
from headrace.signals import Map, Scale, Threshold, from_array, from_iter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIELDS = [
    ("a", "i8"), ("b", "f4"), ("text", "U5"), ("yes", "?"), ("raw", "S3"), ("big", ">u2"), ("grid", "f8", (2, 3)),
    ("half", "f2"), ("small", "i1"),
]  # fmt: skip
X = np.arange(6000, dtype=np.float32).reshape(-1, 3)


def some_rows(n: int = 10) -> np.ndarray:
    rows = np.zeros(n, FIELDS)
    rows["a"] = np.arange(n) - 5
    rows["b"] = np.linspace(-1, 1, n)
    rows["text"] = (["", "a", "é", "abc", "日本語", "x", "", "hello", "y", "z"] * n)[:n]
    rows["yes"] = np.arange(n) % 3 == 0
    rows["raw"] = (["ab", "", "c"] * n)[:n]
    rows["big"] = np.arange(n) * 300
    rows["grid"] = np.arange(n * 6).reshape(n, 2, 3)
    rows["half"] = rows["b"]
    rows["small"] = -np.arange(n)
    return rows


def reader_of(stream: Any) -> Any:
    return pytest.importorskip("pyarrow").RecordBatchReader.from_stream(stream)


# What consumers find


def test_rows_become_one_column_for_each_field() -> None:
    rows = some_rows()
    table = reader_of(arrow_stream(rows.dtype, [rows, rows[:0], rows[::2]], metadata={"made": "by hand"})).read_all()
    table.validate(full=True)
    both = np.concatenate([rows, rows[::2]])
    assert table.num_rows == 15
    assert table.schema.metadata == {b"made": b"by hand"}
    assert [str(kind) for kind in table.schema.types[:6]] == ["int64", "float", "string", "bool", "binary", "uint16"]
    assert not any(field.nullable for field in table.schema)
    for name in ("a", "b", "text", "yes", "raw", "big", "half", "small"):
        assert table[name].to_pylist() == both[name].tolist(), name
    assert table["grid"].to_pylist() == both["grid"].tolist()


def test_nan_stays_nan_and_is_not_null() -> None:
    rows = np.array([(np.nan,), (1.0,)], [("x", "f8")])
    column = reader_of(arrow_stream(rows.dtype, [rows])).read_all()["x"]
    assert column.null_count == 0
    assert np.isnan(column.to_numpy()[0])


def test_samples_are_one_column_of_fixed_size_lists_or_of_numbers() -> None:
    reader = reader_of(from_array(X, fs=1000).pipe(Scale(2.0)).to_arrow(chunk=701, metadata={"t0": "5.0"}))
    assert reader.schema.metadata == {b"fs": b"1000.0", b"t0": b"5.0"}
    table = reader.read_all()
    assert table["samples"].type.list_size == 3
    assert np.array_equal(table["samples"].combine_chunks().flatten().to_numpy().reshape(-1, 3), X * 2)
    flat = reader_of(from_array(X[:, 0]).pipe().to_arrow(out_dtype="int16")).read_all()
    assert str(flat["samples"].type) == "int16"
    assert np.array_equal(flat["samples"].to_numpy(), X[:, 0])


def test_bools_are_packed_and_empty_recordings_have_a_schema() -> None:
    yes = np.arange(21) % 4 == 1
    assert reader_of(from_array(yes).pipe().to_arrow()).read_all()["samples"].to_pylist() == yes.tolist()
    empty = reader_of(from_array(X[:0]).pipe().to_arrow()).read_all()
    assert (empty.num_rows, str(empty.schema.field("samples").type)) == (0, "fixed_size_list<item: float not null>[3]")


def test_a_flow_can_be_taken_again_and_an_iterator_cannot() -> None:
    stream = from_array(X).pipe().to_arrow()
    assert reader_of(stream).read_all() == reader_of(stream).read_all()
    rows = some_rows()
    once = arrow_stream(rows.dtype, iter([rows]))
    assert pytest.importorskip("pyarrow").schema(once).names[0] == "a"  # asking for the schema takes nothing
    assert reader_of(once).read_all().num_rows == 10
    with pytest.raises(ValueError, match="SchemaError: these rows came from an iterator"):
        reader_of(once).read_all()
    assert reader_of(from_iter(iter([X, X])).pipe().to_arrow()).read_all().num_rows == 2 * len(X)


@pytest.mark.parametrize("library", ["polars", "pandas", "nanoarrow"])
def test_other_libraries_take_it_by_its_protocol(library: str) -> None:
    module = pytest.importorskip(library)
    rows = np.array([(3, "a"), (4, "b")], [("n", "i4"), ("word", "U3")])
    stream = arrow_stream(rows.dtype, [rows])
    if library == "polars":
        assert module.DataFrame(stream).rows() == [(3, "a"), (4, "b")]
    elif library == "pandas":
        assert module.DataFrame.from_arrow(stream)["word"].tolist() == ["a", "b"]
    else:
        assert module.ArrayStream(stream).read_all().to_pylist() == [{"n": 3, "word": "a"}, {"n": 4, "word": "b"}]


def test_it_says_what_flows() -> None:
    assert repr(arrow_stream([("start", "i8"), ("word", "U3"), ("grid", "f4", (2, 3))], [])) == (
        "ArrowStream(start: int64, word: utf8, grid: float32[3][2])"
    )
    assert repr(from_array(X).pipe().to_arrow()) == "ArrowStream(samples: float32[3])"


# How long buffers live


def test_batches_are_the_chunks_own_buffers_and_return_when_the_last_view_dies() -> None:
    budget = Budget("1MB")
    reader = reader_of(from_array(X).pipe(Scale(2.0)).to_arrow(memory=budget, chunk=500, threads=1))
    kept = reader.read_next_batch()
    view = kept.column(0).flatten().to_numpy()
    assert view.__array_interface__["data"][0] % 4096 == 0
    for batch in reader:
        del batch
    del reader, kept
    gc.collect()
    assert 0 < budget.used <= 8192
    assert np.array_equal(view.reshape(-1, 3), 2 * X[:500])
    del view
    gc.collect()
    assert budget.used == 0


def test_a_consumer_that_holds_all_buffers_is_told_and_may_go_on() -> None:
    reader = reader_of(from_array(X).pipe().to_arrow(memory="40kB", chunk=100, threads=1))
    held = [reader.read_next_batch()]
    with pytest.raises(OSError, match=r"RingStarved: .* drop chunks"):  # noqa: PT012 - one of them
        while len(held) < 20:
            held.append(reader.read_next_batch())
    count = len(held)
    held.clear()
    assert sum(len(batch) for batch in reader) == len(X) - 100 * count
    assert reader_of(from_array(X).pipe().to_arrow(memory="40kB", chunk=100, copy=True)).read_all().num_rows == 2000


def test_a_buffer_error_of_the_engine_is_what_may_be_asked_again() -> None:
    assert issubclass(RingStarved, BufferError)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("fields", [FIELDS[:1], FIELDS])
def test_rows_may_be_overwritten_once_they_are_taken(count: int, fields: Any) -> None:
    rows = some_rows(count)[[name for name, *_ in fields]]
    batch = reader_of(arrow_stream(rows.dtype, [rows])).read_next_batch()
    expected = rows.copy()
    rows[:] = np.ones(count, rows.dtype)
    for name in rows.dtype.names or ():
        assert batch[name].to_pylist() == expected[name].tolist(), name


@pytest.mark.parametrize("count", [1, 2, 5])
def test_buffers_are_aligned_whatever_they_are_made_of(count: int) -> None:
    rows = np.zeros(count, [("small", "i1"), ("n", "i8"), ("text", "U3"), ("grid", "f8", (2,))])  # packed
    columns = reader_of(arrow_stream(rows.dtype, [rows])).read_next_batch().columns
    odd = np.zeros(8 * count + 1, np.uint8)[1:].view("f8")
    columns += reader_of(from_array(odd).pipe().to_arrow()).read_next_batch().columns
    found = [buffer for column in columns for buffer in column.buffers() if buffer is not None]
    assert len(found) == 6
    assert all(buffer.address % 8 == 0 for buffer in found)


# When it is let go


def counted(log: list[str]) -> Iterator[np.ndarray]:
    try:
        for _ in range(5):
            log.append("made")
            yield some_rows()
    finally:
        log.append("closed")


def test_letting_a_stream_go_closes_what_makes_its_rows() -> None:
    log: list[str] = []
    reader = reader_of(arrow_stream(FIELDS, counted(log)))
    batch = reader.read_next_batch()
    assert log == ["made"]
    del reader
    gc.collect()
    assert log == ["made", "closed"]
    assert batch.column("a").to_pylist() == some_rows()["a"].tolist()


def test_a_stream_that_nobody_takes_begins_nothing() -> None:
    log: list[str] = []
    stream = arrow_stream(FIELDS, counted(log))
    capsule, schema = stream.__arrow_c_stream__(), stream.__arrow_c_schema__()
    assert ("arrow_array_stream" in repr(capsule), "arrow_schema" in repr(schema)) == (True, True)
    del capsule, schema
    gc.collect()
    assert log == []


def test_streams_and_batches_may_be_let_go_in_any_thread() -> None:
    log: list[str] = []
    box = [reader_of(arrow_stream(FIELDS, counted(log)))]
    box.append(box[0].read_next_batch())
    thread = threading.Thread(target=box.clear)
    thread.start()
    thread.join()
    assert log == ["made", "closed"]


def test_threads_that_ask_at_once_get_each_batch_once() -> None:
    waiting = threading.Barrier(4)

    def rows() -> Iterator[int]:
        for number in range(200):
            os.sched_yield()  # an invitation to another thread, into a generator that is running
            yield number

    pull = arrow._Pull(rows, lambda number: (number, (), ()))
    found: list[int] = []

    def ask() -> None:
        waiting.wait()
        while (column := pull.take()) is not None:
            found.append(column[0])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(200))


# Errors


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(5, "the disk is gone"), OSError, "OSError: .*the disk is gone"),
        (ValueError("so many"), ValueError, "ValueError: so many"),
        (MemoryError("none left"), MemoryError, "MemoryError: none left"),
        (ZeroDivisionError("by zero"), OSError, "ZeroDivisionError: by zero"),
    ],
)
def test_an_error_ends_the_stream_and_comes_with_its_type_and_message(
    error: Exception, kind: type[Exception], words: str
) -> None:
    def rows() -> Iterator[np.ndarray]:
        yield some_rows()
        raise error

    reader = reader_of(arrow_stream(FIELDS, rows()))
    assert reader.read_next_batch().num_rows == 10
    for _ in range(2):  # and not an end, which would pass a torn table off as a whole one
        with pytest.raises(kind, match=words):
            reader.read_next_batch()


def test_ctrl_c_is_not_swallowed_by_the_consumers_error() -> None:
    def rows() -> Iterator[np.ndarray]:
        yield some_rows()
        raise KeyboardInterrupt

    reader = reader_of(arrow_stream(FIELDS, rows()))
    reader.read_next_batch()

    def as_a_program_would() -> None:
        with contextlib.suppress(OSError):
            reader.read_next_batch()
        for _ in range(1000):
            pass

    with pytest.raises(KeyboardInterrupt):
        as_a_program_would()


def test_what_is_held_at_the_end_of_the_interpreter_does_no_harm(run_victim: Callable[..., Any]) -> None:
    pytest.importorskip("pyarrow")
    code = """
import builtins, numpy as np, pyarrow as pa
from headrace.signals import Scale, from_array
flow = from_array(np.zeros((100_000, 2), "f4")).pipe(Scale(2))
reader = pa.RecordBatchReader.from_stream(flow.to_arrow(chunk=1000, threads=2))
builtins.kept = reader, reader.read_next_batch(), flow.to_arrow().__arrow_c_stream__()
"""
    assert run_victim(code).stderr == ""


def test_an_error_in_a_flow_says_in_which_stage() -> None:
    def fn(x: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError("of the user's own making")

    with pytest.raises(OSError, match=r"ZeroDivisionError: of the user's own making; in stage Map, samples \["):
        reader_of(from_array(X).pipe(Map(fn)).to_arrow()).read_all()


def test_rows_of_another_dtype_are_refused() -> None:
    with pytest.raises(ValueError, match="SchemaError: rows of dtype"):
        reader_of(arrow_stream(FIELDS, [np.zeros(3, [("a", "i8")])])).read_all()


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        ("f8", "structured"),
        ([("z", "c8")], "'z' has dtype complex64"),
        ([("t", "M8[ns]")], "datetime64"),
        ([("o", "O")], "object"),
        ([("r", [("x", "f4")])], "'r'"),
    ],
)
def test_what_arrow_has_no_type_for_is_refused_before_anything_flows(dtype: Any, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        arrow_stream(dtype, [])


def test_complex_samples_are_refused() -> None:
    with pytest.raises(SchemaError, match="complex128"):
        from_array(np.zeros(3, complex)).pipe().to_arrow()
    with pytest.raises(TypeError, match="no such option: chunks"):
        from_array(X).pipe().to_arrow(chunks=4)


def test_text_that_is_not_unicode_is_refused() -> None:
    rows = np.array([("\ud800",)], [("text", "U2")])
    with pytest.raises(ValueError, match="SchemaError: column 'text'"):
        reader_of(arrow_stream(rows.dtype, [rows])).read_all()


@pytest.mark.parametrize(
    ("field", "batch"),
    [
        (("", "+s", {}, (("x", "l", {}, ()),)), (3, (), ((3, (np.zeros(2),), ()),))),
        (("", "+s", {}, (("x", "l", {}, ()),)), (3, (), ())),
        (("", "+s", {}, (("x", "l", {}, ()),)), (2, (), ((3, (np.zeros(3),), ()),))),
        (("", "+s", {}, (("x", "u", {}, ()),)), (1, (), ((1, (np.array([0, 9], "i4"), b"abc"), ()),))),
        (("", "+s", {}, (("x", "u", {}, ()),)), (1, (), ((1, (np.array([2, 1], "i4"), b"abc"), ()),))),
        (("", "+s", {}, (("x", "l", {}, ()),)), (1, (), ((1, (np.zeros((4, 2))[:, 0],), ()),))),
        (("", "+s", {}, ()), "nonsense"),
    ],
)
def test_the_native_exporter_believes_no_lengths(field: Any, batch: Any) -> None:
    class Stream:
        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            return _native.arrow_stream(field, lambda: batch, lambda: None)

    with pytest.raises(ValueError):  # noqa: PT011 - the words are pyarrow's and the core's, the kind is what counts
        reader_of(Stream()).read_next_batch()


@pytest.mark.parametrize("form", ["", "Q", "+w:", "+w:-1", "+l", "tsn:"])
def test_the_native_exporter_knows_its_formats(form: str) -> None:
    with pytest.raises(ValueError, match="column 'x'"):
        _native.arrow_schema(("", "+s", {}, (("x", form, {}, ()),)))


def test_a_flow_of_rows_is_an_arrow_stream_as_often_as_one_likes(rng: np.random.Generator) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    found = from_array(rng.standard_normal(20_000), fs=100).detect(Threshold(3.0, block=3000))
    rows = found.to_array()
    assert len(rows)
    for table in (pyarrow.table(found), pyarrow.table(found.to_arrow(threads=1)), pyarrow.table(found)):
        assert table.column_names == list(rows.dtype.names)
        assert all(np.array_equal(table[name].to_numpy(), rows[name]) for name in rows.dtype.names)
