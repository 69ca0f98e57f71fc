"""Files for rows: what is in them, which suffixes there are, and what is refused."""

from __future__ import annotations

import csv
import re
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.core import registry
from headrace.core.npy import table_header
from headrace.core.table_reader import read_table, table_batches, table_names
from headrace.core.table_sinks import CsvTableSink, NpyTableSink, table_sink, table_suffixes
from headrace.errors import FormatError, MissingExtra, OutputExists, SchemaError

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = [("start", "i8"), ("end", "i8"), ("channel", "i4"), ("amplitude", "f4"), ("time_s", "f8")]
ROWS = np.array([(0, 5, 1, -0.1, 0.0), (2**62, 2**62 + 1, 0, np.nan, 1 / 3)], EVENTS)


def written(path: Path, rows: np.ndarray, **options: Any) -> Path:
    sink = table_sink(path, **options)
    sink.open(rows.dtype)
    sink.write(rows)
    sink.commit()
    return path


# What is in them


def test_csv_has_names_shortest_digits_and_nothing_for_nan(tmp_path: Path) -> None:
    text = written(tmp_path / "x.csv", ROWS).read_text()
    assert text == (
        "start,end,channel,amplitude,time_s\n0,5,1,-0.1,0.0\n"
        f"{2**62},{2**62 + 1},0,,0.3333333333333333\n"
    )  # fmt: skip


def test_csv_quotes_what_needs_it_as_the_csv_module_reads_it(tmp_path: Path) -> None:
    words = ["plain", 'a "b"', "c,d", "e\nf", "", "é\r"]
    rows = np.array([(word, number % 2 == 0) for number, word in enumerate(words)], [("a,b", "U8"), ("yes", "?")])
    with written(tmp_path / "x.csv", rows).open(newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0] == ["a,b", "yes"]
    assert [line[0] for line in lines[1:]] == words
    assert [line[1] for line in lines[1:]] == ["true", "false"] * 3


def test_csv_of_one_column_has_no_empty_lines(tmp_path: Path) -> None:
    rows = np.array([(np.nan,), (1.5,)], [("x", "f8")])
    path = written(tmp_path / "x.csv", rows)
    assert path.read_text() == 'x\n""\n1.5\n'
    np.testing.assert_array_equal(read_table(path, rows.dtype)["x"], rows["x"])


def test_npy_is_what_numpy_loads(tmp_path: Path) -> None:
    found = np.load(written(tmp_path / "x.npy", ROWS))
    assert found.dtype == ROWS.dtype
    assert found.tobytes() == ROWS.tobytes()
    padded = np.zeros(3, np.dtype([("a", "i1"), ("b", "f8")], align=True))
    padded["b"] = 7.5
    assert np.load(written(tmp_path / "y.npy", padded))["b"].tolist() == [7.5] * 3


@pytest.mark.parametrize("n_fields", [1, 40, 300])
@pytest.mark.parametrize("name", ["field", "größe", "日本"])
def test_a_npy_header_is_as_long_for_any_number_of_rows(tmp_path: Path, n_fields: int, name: str) -> None:
    dtype = np.dtype([(f"{name}{number}", "f8") for number in range(n_fields)])
    lengths = {len(table_header(n, dtype)) for n in (0, 1, 10**6, 2**48)}
    assert len(lengths) == 1
    assert lengths.pop() % 64 == 0
    rows = np.ones(3, dtype)
    path = written(tmp_path / "x.npy", rows)
    assert np.load(path).tobytes() == rows.tobytes()
    assert read_table(path).dtype == dtype


def test_a_npy_header_that_would_be_too_long_is_refused(tmp_path: Path) -> None:
    sink = table_sink(tmp_path / "x.npy")
    with pytest.raises(SchemaError, match="1000 fields"):
        sink.open(np.dtype([(f"field{number}", "f8") for number in range(1000)]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".arrow", ".feather", ".parquet"])
def test_files_of_arrow_are_what_pyarrow_reads(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("pyarrow")
    feather, parquet = pytest.importorskip("pyarrow.feather"), pytest.importorskip("pyarrow.parquet")
    path = written(tmp_path / f"x{suffix}", ROWS)
    table = parquet.read_table(path) if suffix == ".parquet" else feather.read_table(path)
    assert table.column_names == [name for name, _ in EVENTS]
    assert table["start"].to_pylist() == [0, 2**62]
    assert str(table["amplitude"].to_pylist()[1]) == "nan"


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".arrow", ".parquet"])
@pytest.mark.parametrize("pieces", [0, 1])
def test_a_table_without_rows_is_a_table(tmp_path: Path, suffix: str, pieces: int) -> None:
    if suffix in (".arrow", ".parquet"):
        pytest.importorskip("pyarrow")
    sink = table_sink(tmp_path / f"x{suffix}")
    sink.open(ROWS.dtype)
    for _ in range(pieces):
        sink.write(ROWS[:0])
    sink.commit()
    found = read_table(sink.path, ROWS.dtype)
    assert (len(found), found.dtype) == (0, ROWS.dtype)
    assert table_names(sink.path) == [name for name, _ in EVENTS]


# The choice


def test_an_unknown_suffix_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    for name in ("x.foo", "x"):
        with pytest.raises(SchemaError, match=r"\.csv, .*\.npy") as caught:
            table_sink(tmp_path / name)
        assert name in str(caught.value)
        with pytest.raises(SchemaError, match=r"\.csv, .*\.npy"):
            table_names(tmp_path / name)
    assert {".csv", ".npy"} <= set(table_suffixes())


def test_a_registered_suffix_chooses_its_sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registry", registry._Registry())
    registry.register("table", ".abc", NpyTableSink)
    assert isinstance(table_sink(tmp_path / "x.ABC"), NpyTableSink)
    assert isinstance(table_sink(tmp_path / "x.CSV"), CsvTableSink)


@pytest.mark.parametrize("suffix", [".arrow", ".parquet"])
def test_without_pyarrow_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'headrace\[arrow\]'") as caught:
        table_sink(tmp_path / f"x{suffix}")
    assert caught.value.extra == "arrow"
    with pytest.raises(MissingExtra):
        table_names(tmp_path / f"x{suffix}")


def test_what_exists_is_kept_unless_forced(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", ROWS)
    with pytest.raises(OutputExists):
        table_sink(path)
    written(path, ROWS[:1], force=True, durable=True)
    assert len(path.read_text().splitlines()) == 2


# What is refused


@pytest.mark.parametrize("field", [("x", "f4", (3,)), ("x", "c8"), ("x", "M8[s]"), ("x", "V4")])
def test_csv_refuses_fields_that_have_no_text(tmp_path: Path, field: Any) -> None:
    with pytest.raises(SchemaError, match="'x'"):
        table_sink(tmp_path / "x.csv").open(np.dtype([field]))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "x.csv").write_text("x\n1\n")
    with pytest.raises(SchemaError, match="'x'"):
        read_table(tmp_path / "x.csv", [field])


def test_rows_are_structured_of_one_dtype_and_for_an_open_table(tmp_path: Path) -> None:
    sink = table_sink(tmp_path / "x.csv")
    with pytest.raises(ValueError, match="not open"):
        sink.write(ROWS)
    with pytest.raises(SchemaError, match="structured"):
        sink.open(np.dtype("f8"))
    sink.open(ROWS.dtype)
    with pytest.raises(SchemaError, match="astype"):
        sink.write(np.zeros(2, [("start", "i4")]))
    sink.commit()
    with pytest.raises(ValueError, match="not open"):
        sink.write(ROWS)


BROKEN_CSV = {
    "empty": b"",
    "no text": b"start\n\xff\xfe\x00",
    "another number of columns": b"start,end\n1,2\n3\n",
    "no number": b"start\n1\nx\n",
    "a fraction": b"start\n1.5\n",
    "too large": b"start\n99999999999999999999\n",
    "nothing where an integer is wanted": b"start,end\n,2\n",
    "infinity": b"start\ninf\n",
}


@pytest.mark.parametrize("contents", BROKEN_CSV.values(), ids=BROKEN_CSV)
def test_damaged_csv_is_a_format_error(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(contents)
    with pytest.raises(FormatError, match=r"x\.csv"):
        read_table(path, [("start", "i8")])


def test_whole_numbers_with_a_point_are_read_as_integers(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("end,start\r\n2.0,1\r\n")
    assert read_table(tmp_path / "x.csv", [("start", "i8"), ("end", "i8")]).tolist() == [(1, 2)]


WIDE = [("whole", "i8"), ("real", "f8"), ("text", "U8"), ("yes", "?")]


@pytest.mark.parametrize(
    ("name", "dtype", "value"),
    [
        ("whole", "i4", 2**40 + 5),
        ("whole", "i1", 128),
        ("whole", "i1", -129),
        ("whole", "f2", 65536),
        ("real", "f4", 1e300),
        ("real", "f4", -1e39),
        ("text", "U3", "longer"),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".csv", ".arrow", ".parquet"])
def test_a_value_that_the_dtype_cannot_take_is_refused_with_its_row(
    tmp_path: Path, suffix: str, name: str, dtype: str, value: Any
) -> None:
    if suffix in (".arrow", ".parquet"):
        pytest.importorskip("pyarrow")
    rows = np.zeros(10, WIDE)
    rows["text"] = "abc"
    rows[name][7] = value
    path = written(tmp_path / f"x{suffix}", rows)
    with pytest.raises(
        FormatError, match=rf"'{name}' of .*x\{suffix} holds .*{re.escape(str(value))}.* in row 7"
    ) as caught:
        list(table_batches(path, [(name, dtype)], rows=3))
    assert str(np.dtype(dtype)) in str(caught.value)
    assert len(list(table_batches(path, WIDE, rows=3))) == 4


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".arrow", ".parquet"])
def test_floats_are_rounded_and_what_is_not_finite_stays(tmp_path: Path, suffix: str) -> None:
    if suffix in (".arrow", ".parquet"):
        pytest.importorskip("pyarrow")
    rows = np.array([(0.1,), (1e-300,), (np.inf,), (-np.inf,), (np.nan,)], [("x", "f8")])
    found = read_table(written(tmp_path / f"x{suffix}", rows), [("x", "f4")])
    np.testing.assert_array_equal(found["x"], rows["x"].astype("f4"))


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [("f8", "i8"), ("i8", "u8"), ("i8", "U20"), ("U3", "i8"), ("i8", "?"), (("f4", 3), ("f4", 2)), (("f4", 3), "f4")],
)
def test_a_column_of_another_kind_or_shape_is_refused(tmp_path: Path, stored: Any, wanted: Any) -> None:
    path = written(tmp_path / "x.npy", np.zeros(3, [("x", stored)]))
    with pytest.raises(FormatError, match=r"'x' of .*x\.npy holds"):
        read_table(path, [("x", wanted)])


def test_bytes_that_are_not_ascii_do_not_become_text(tmp_path: Path) -> None:
    path = written(tmp_path / "x.npy", np.array([("ü".encode(),)], [("x", "S4")]))
    with pytest.raises(FormatError, match=r"'x' of .*x\.npy holds"):
        read_table(path, [("x", "U4")])


def test_integers_that_a_float_would_round_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.npy", np.array([(2**24,), (2**24 + 1,), (2**63 - 1,)], [("x", "i8")]))
    for dtype, row in (("f4", 1), ("f8", 2)):
        with pytest.raises(FormatError, match=f"in row {row}"):
            read_table(path, [("x", dtype)])


def test_times_are_read_in_another_unit_that_can_tell_them(tmp_path: Path) -> None:
    rows = np.array([("2026-01-01T00:00:01",), ("NaT",), ("2026-01-01T00:00:01.5",)], [("x", "M8[ms]")])
    path = written(tmp_path / "x.npy", rows)
    np.testing.assert_array_equal(read_table(path, [("x", "M8[ns]")])["x"], rows["x"])
    with pytest.raises(FormatError, match="in row 2"):
        read_table(path, [("x", "M8[s]")])


def test_columns_of_lists_are_read_in_another_dtype(tmp_path: Path) -> None:
    rows = np.array([([1, 2],), ([3, 400],)], [("x", "i8", (2,))])
    path = written(tmp_path / "x.npy", rows)
    assert read_table(path, [("x", "i2", (2,))])["x"].tolist() == [[1, 2], [3, 400]]
    with pytest.raises(FormatError, match="400 in row 1"):
        read_table(path, [("x", "i1", (2,))])


@pytest.mark.parametrize(
    ("text", "dtype"), [("1_000", "i8"), ("1_000.5", "f8"), ("1e400", "f8"), ("9007199254740993.0", "i8")]
)
def test_csv_reads_no_number_that_is_not_what_the_text_says(tmp_path: Path, text: str, dtype: str) -> None:
    (tmp_path / "x.csv").write_text(f"x\n1\n{text}\n")
    with pytest.raises(FormatError, match=rf"'x' of .* holds '{text}' in row 1"):
        read_table(tmp_path / "x.csv", [("x", dtype)])


@pytest.mark.parametrize("suffix", [".npy", ".arrow", ".parquet"])
def test_a_damaged_file_is_a_format_error(tmp_path: Path, suffix: str) -> None:
    if suffix != ".npy":
        pytest.importorskip("pyarrow")
    path = written(tmp_path / f"x{suffix}", ROWS)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FormatError, match=path.name):
        read_table(path)
    path.write_bytes(b"")
    with pytest.raises(FormatError, match=path.name):
        read_table(path)


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".arrow", ".parquet"])
def test_a_column_or_a_file_that_is_not_there_is_said(tmp_path: Path, suffix: str) -> None:
    if suffix in (".arrow", ".parquet"):
        pytest.importorskip("pyarrow")
    path = written(tmp_path / f"x{suffix}", ROWS)
    with pytest.raises(SchemaError, match="no column 'begin'; it has start, end"):
        table_batches(path, [("begin", "i8")])
    with pytest.raises(FormatError, match="amplitude"):
        read_table(path, [("amplitude", "i8")])
    with pytest.raises(FileNotFoundError):
        table_names(tmp_path / f"y{suffix}")


def test_a_csv_file_needs_to_be_told_its_types_and_npy_to_be_a_table(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="dtype="):
        read_table(written(tmp_path / "x.csv", ROWS))
    np.save(tmp_path / "y.npy", np.zeros((3, 2)))
    with pytest.raises(FormatError, match="not rows"):
        read_table(tmp_path / "y.npy")


def test_nulls_are_nan_in_floats_and_refused_elsewhere(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"x": [1.0, None], "n": [1, None], "d": [{"a": 1}, None]}), tmp_path / "x.parquet")
    np.testing.assert_array_equal(read_table(tmp_path / "x.parquet", [("x", "f8")])["x"], [1, np.nan])
    with pytest.raises(FormatError, match=r"'n' .* has nulls"):
        read_table(tmp_path / "x.parquet", [("n", "i8")])
