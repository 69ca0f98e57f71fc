"""Random tables through every format, and random rows and signals through the Arrow stream: what goes in comes out."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core import arrow_columns, table_csv, table_file, table_sinks
from headrace.core.arrow import arrow_stream
from headrace.core.table_reader import read_table, table_batches
from headrace.core.table_sinks import table_sink, table_suffixes
from headrace.signals import Scale, from_array
from headrace.testing.strategies import cuts, run_options, signals

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "?", "U1", "U6", ">i4", ">f8"]
LETTERS = 'ab,"\n\r\té日🙂 '
NAMES = st.lists(st.text("xyz,é \"'\n", min_size=1, max_size=4), min_size=1, max_size=4, unique=True)
SUFFIXES = [".csv", ".npy", ".arrow", ".parquet"]
GROUP = 7  # rows in a slice or row group: small, so that tables have several


@st.composite
def tables(draw: Any, *, wide: bool = True) -> np.ndarray:
    """Draw rows of a random dtype, their values from random bytes."""
    names = draw(NAMES)
    fields: list[Any] = []
    for name in names:
        kind = draw(st.sampled_from(KINDS))
        shape = draw(st.sampled_from([(), (), (2,), (3, 2)])) if wide and kind[0] != "U" else ()
        fields.append((name, kind, shape))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = np.zeros(draw(st.sampled_from([0, 1, 2, 6, 7, 8, 14, 31])), fields)
    for name in names:
        column = rows[name]
        if column.dtype.kind == "U":
            width = column.dtype.itemsize // 4
            words = ["".join(rng.choice(list(LETTERS), rng.integers(0, width + 1))) for _ in rows]
            rows[name] = words
        elif column.dtype.kind == "b":
            rows[name] = rng.random(column.shape) < 0.5
        else:
            raw = rng.bytes(column.size * column.dtype.itemsize)
            rows[name] = np.frombuffer(raw, column.dtype).reshape(column.shape)
        if column.dtype.kind == "f":  # one NaN is as good as another
            rows[name] = np.where(np.isnan(rows[name]), np.nan, rows[name])
    return rows


def same(found: np.ndarray, expected: np.ndarray) -> None:
    assert len(found) == len(expected)
    assert found.dtype.names == expected.dtype.names
    for name in expected.dtype.names or ():
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
        if expected[name].dtype.kind == "f":  # the sign of zero too
            assert (np.signbit(found[name]) == np.signbit(expected[name])).all()


def check_file(suffix: str, rows: np.ndarray, pieces: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table{suffix}"
        sink = table_sink(path)
        sink.open(rows.dtype)
        for piece in np.split(rows, pieces):
            sink.write(piece)
        sink.commit()
        same(read_table(path, rows.dtype), rows)
        if suffix != ".csv":
            same(read_table(path), rows)
        parts = list(table_batches(path, rows.dtype, rows=3))
        assert all(len(part) <= 3 for part in parts)
        same(np.concatenate(parts), rows)
        assert [item.name for item in Path(folder).iterdir()] == [path.name]


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_file.TableFile, "slice_rows", 5)
    monkeypatch.setattr(table_sinks.NpyTableSink, "slice_rows", GROUP)
    if ".parquet" in table_suffixes():
        from headrace.bridges import arrow

        monkeypatch.setattr(arrow, "_GROUP_ROWS", GROUP)


def require(suffix: str) -> None:
    if suffix in (".arrow", ".parquet"):
        pytest.importorskip("pyarrow")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_back_what_was_written(suffix: str) -> None:
    require(suffix)

    @given(tables(wide=suffix in (".npy", ".arrow")), st.data())
    def prop(rows: np.ndarray, data: st.DataObject) -> None:
        check_file(suffix, rows, data.draw(cuts(len(rows))))

    prop()


def rows_of(stream: Any) -> list[dict[str, Any]]:
    table = pytest.importorskip("pyarrow").table(stream)
    table.validate(full=True)
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def check_stream(rows: np.ndarray, pieces: list[int]) -> None:
    found = rows_of(arrow_stream(rows.dtype, np.split(rows, pieces)))
    expected = [{name: row[name].tolist() for name in rows.dtype.names or ()} for row in rows]
    assert repr(found) == repr(expected)  # where NaN equals NaN, and 0.0 is not -0.0


@given(tables(), st.data())
def test_rows_arrive_through_the_arrow_stream(rows: np.ndarray, data: st.DataObject) -> None:
    check_stream(rows, data.draw(cuts(len(rows))))


@settings(max_examples=40)
@given(signals(dtypes=("int16", "float32", "float64", "uint8"), max_length=3000), st.data())
def test_a_flow_arrives_through_the_arrow_stream_however_it_is_run(x: np.ndarray, data: st.DataObject) -> None:
    pa = pytest.importorskip("pyarrow")
    flow = from_array(x).pipe(Scale(0.5))
    expected = flow.to_array(memory="1GB")
    stream = flow.to_arrow(**data.draw(run_options(len(x))), copy=data.draw(st.booleans()))
    parts = [expected[:0]]
    for batch in pa.RecordBatchReader.from_stream(stream):
        column = batch.column(0)
        values = column.to_numpy() if x.ndim == 1 else column.flatten().to_numpy().reshape(-1, x.shape[1])
        parts.append(values.copy())
    found = np.concatenate(parts)
    assert (found.dtype, found.tobytes()) == (expected.dtype, expected.tobytes())


# Mutants


def searched(prop: Callable[..., None]) -> Callable[[], None]:
    chosen = settings.get_profile("mutant")
    found: Callable[[], None] = chosen(prop)
    return found


def float_texts(digits: int) -> Any:
    real = table_csv._texts

    def texts(values: np.ndarray, name: str) -> list[str]:
        if values.dtype.kind != "f":
            return real(values, name)
        return ["" if value != value else f"{value:.{digits}g}" for value in values.tolist()]

    return texts


def test_digits_lost_in_csv_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_csv, "_texts", float_texts(15))

    @searched
    @given(tables(wide=False), st.data())
    def prop(rows: np.ndarray, data: st.DataObject) -> None:
        check_file(".csv", rows, data.draw(cuts(len(rows))))

    with pytest.raises(AssertionError):
        prop()


def test_a_last_row_group_forgotten_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    from headrace.bridges import arrow

    flush = arrow._PyarrowSink._flush
    forgetful = lambda sink, group: flush(sink, group) if sink._filled == len(group) else None  # noqa: E731
    monkeypatch.setattr(arrow._PyarrowSink, "_flush", forgetful)

    @searched
    @given(tables(wide=False), st.data())
    def prop(rows: np.ndarray, data: st.DataObject) -> None:
        check_file(".parquet", rows, data.draw(cuts(len(rows))))

    with pytest.raises(AssertionError):
        prop()


def untrimmed(codes: np.ndarray, text: np.ndarray) -> Any:
    offsets = np.arange(len(codes) + 1, dtype=np.int32) * codes.shape[1]
    return offsets, text.reshape(-1)


def test_text_with_its_padding_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(arrow_columns, "_packed", untrimmed)

    @searched
    @given(tables(), st.data())
    def prop(rows: np.ndarray, data: st.DataObject) -> None:
        check_stream(rows, data.draw(cuts(len(rows))))

    with pytest.raises(AssertionError):
        prop()


def test_every_field_kind_is_drawn() -> None:
    drawn: set[str] = set()

    @searched
    @given(tables())
    def prop(rows: np.ndarray) -> None:
        drawn.update(
            itertools.chain.from_iterable(
                np.dtype(rows.dtype[name].base).kind for name in rows.dtype.names or () if len(rows)
            )
        )

    prop()
    assert drawn >= set("iufbU")
