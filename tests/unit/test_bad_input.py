"""The table of bad inputs: each a typed error that names the numbers and the remedy, or an answer as SciPy's."""

from __future__ import annotations

import copy
import errno
import os
import pickle
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import headrace
from headrace import errors
from headrace.core.sinks import NpySink, RawSink
from headrace.signals import Fir, Map, Scale, from_array
from headrace.signals import open as open_recording

if TYPE_CHECKING:
    from collections.abc import Callable

X = np.arange(120, dtype=np.int16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    X.tofile(tmp_path / "x.bin")
    return tmp_path / "x.bin"


def said(error: BaseException, *parts: object) -> None:
    for part in parts:
        assert str(part) in str(error), f"{part!r} is not in {error}"


@pytest.mark.parametrize("name", ["x.bin", "x.npy"])
def test_an_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(errors.FormatError) as caught:
        open_recording(tmp_path / name, dtype="int16" if name == "x.bin" else None)
    said(caught.value, tmp_path / name, "0 bytes")


def test_a_file_that_is_all_header(path: Path) -> None:
    with pytest.raises(errors.FormatError) as caught:
        open_recording(path, dtype="int16", header_bytes=240)
    said(caught.value, path, 240, "header_bytes=240")


@pytest.mark.parametrize(("dtype", "channels"), [("int16", 7), ("float64", 4), ("int24", 7)])
def test_a_size_that_is_no_multiple_of_the_frame(path: Path, dtype: str, channels: int) -> None:
    with pytest.raises(errors.FormatError) as caught:
        open_recording(path, dtype=dtype, n_channels=channels, header_bytes=3)
    frame = channels * {"int16": 2, "float64": 8, "int24": 3}[dtype]
    said(caught.value, path, 237, frame, 237 % frame, "check dtype, n_channels and header_bytes")


@pytest.mark.parametrize("name", ["x.xyz", "x", "x.npz"])
def test_an_unknown_suffix_without_a_dtype(tmp_path: Path, name: str) -> None:
    X.tofile(tmp_path / name)
    with pytest.raises(errors.FormatError) as caught:
        open_recording(tmp_path / name)
    said(caught.value, tmp_path / name, "dtype='int16'", "--dtype")
    assert np.array_equal(open_recording(tmp_path / name, dtype="int16"), X)


def test_a_npy_suffix_with_a_dtype_is_raw(tmp_path: Path) -> None:
    X.tofile(tmp_path / "x.npy")
    assert np.array_equal(open_recording(tmp_path / "x.npy", dtype="int16"), X)
    with pytest.raises(errors.FormatError, match=r"not a \.npy file"):
        open_recording(tmp_path / "x.npy")


def test_no_file_a_folder_or_a_pipe(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_recording(tmp_path / "nothing.npy")
    with pytest.raises(FileNotFoundError):
        open_recording(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError):
        open_recording(tmp_path, dtype="int16")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(errors.FormatError, match="from_iter"):
        open_recording(tmp_path / "pipe", dtype="int16")


def test_a_wrong_dtype_or_channel_count_of_a_npy_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X.reshape(-1, 4))
    with pytest.raises(errors.SchemaError) as caught:
        open_recording(tmp_path / "x.npy", n_channels=3)
    said(caught.value, "(30, 4)", "n_channels=3")


@pytest.mark.parametrize("n", [1, 5])
def test_a_signal_shorter_than_taps_or_halo_works(n: int) -> None:
    x = X[:n].astype(np.float64)
    found = from_array(x).pipe(Fir(np.ones(50)), Map(lambda a: a, block=3, halo=100)).to_array()
    assert np.allclose(found, np.convolve(x, np.ones(50), "full")[24 : 24 + n])


def test_nan_and_infinity_pass_as_in_direct_evaluation() -> None:
    x = np.ones(5000)
    x[[100, 3000]] = np.nan, np.inf
    found = from_array(x).pipe(Fir([1.0, 2.0, 3.0])).to_array()
    assert np.flatnonzero(np.isnan(found)).tolist() == [99, 100, 101]
    assert np.flatnonzero(np.isinf(found)).tolist() == [2999, 3000, 3001]


def test_the_output_is_the_input(path: Path) -> None:
    before = path.read_bytes()
    link = path.with_name("link.bin")
    link.symlink_to(path)
    with open_recording(path, dtype="int16") as rec:
        for name in (path, link):
            for force in (False, True):
                with pytest.raises(errors.OutputError) as caught:
                    rec[5:].pipe(Scale(2)).to_file(name, force=force)
                said(caught.value, name)
    assert path.read_bytes() == before


def test_the_output_is_one_of_many_inputs(tmp_path: Path) -> None:
    for name in ("a.bin", "b.bin"):
        X.tofile(tmp_path / name)
    rec = open_recording(tmp_path / "*.bin", dtype="int16")
    with pytest.raises(errors.OutputError, match="is the input"):
        rec.pipe().to_file(tmp_path / "b.bin", force=True)


def test_an_existing_output(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "y.npy"
    out.write_bytes(b"old")
    flow = open_recording(path, dtype="int16").pipe(Scale(2))
    with pytest.raises(errors.OutputExists) as caught:
        flow.to_file(out)
    said(caught.value, out, "force=True", "--force")
    assert out.read_bytes() == b"old"
    flow.to_file(out, force=True)
    assert np.array_equal(np.load(out), X * 2.0)


def test_a_budget_too_small_even_for_one_thread(path: Path) -> None:
    with pytest.raises(errors.BudgetTooSmall) as caught:
        open_recording(path, dtype="int16").pipe(Fir(np.ones(9))).run(memory=100)
    said(caught.value, "100 B", f"memory={caught.value.needed}")
    assert isinstance(caught.value, MemoryError)


@pytest.mark.parametrize("damage", ["truncate", "grow", "rewrite", "regrow"])
def test_a_source_that_changed(path: Path, tmp_path: Path, damage: str) -> None:
    from headrace.testing import faults

    with open_recording(path, dtype="int16") as rec:
        if damage == "rewrite":
            faults.rewrite(path, 7, b"zz")
        elif damage == "regrow":
            faults.regrow(path, 7)
        else:
            faults.truncate(path, 99 if damage == "truncate" else 999)
        with pytest.raises(errors.SourceChanged) as caught:
            rec.pipe(Scale(2)).to_file(tmp_path / "y.npy")
    said(caught.value, path, "open it again", "rename")
    assert not (tmp_path / "y.npy").exists()
    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize("way", ["run", "to_array", "to_file", "chunks"])
def test_a_function_that_raises_or_returns_the_wrong_shape(path: Path, tmp_path: Path, way: str) -> None:
    def fail(x: np.ndarray) -> np.ndarray:
        raise LookupError("of the user")

    for fn, kind in ((fail, LookupError), (lambda x: x[1:], errors.SchemaError)):
        flow = open_recording(path, dtype="int16").pipe(Map(fn))
        ways = {
            "run": flow.run,
            "to_array": flow.to_array,
            "to_file": partial(flow.to_file, tmp_path / "y.npy"),
            "chunks": lambda flow=flow: list(flow.chunks()),
        }
        with pytest.raises(kind):
            ways[way]()  # type: ignore[operator]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["x.bin"]


def test_every_error_is_one_of_ours_and_one_a_stranger_would_catch() -> None:
    builtin: dict[str, type[BaseException]] = {
        "SourceChanged": OSError,
        "SourceIOError": OSError,
        "FormatError": ValueError,
        "SchemaError": ValueError,
        "OutputError": OSError,
        "OutputExists": FileExistsError,
        "BudgetTooSmall": MemoryError,
        "RingStarved": BufferError,
        "BufferInUse": BufferError,
        "Cancelled": RuntimeError,
        "MissingExtra": ImportError,
        "JournalMismatch": ValueError,
        "NoSuchDevice": RuntimeError,
        "ForkedError": RuntimeError,
    }
    assert {*builtin, "HeadraceError"} == set(errors.__all__)
    for name, kind in builtin.items():
        found: Any = getattr(headrace.errors, name)
        assert issubclass(found, errors.HeadraceError)
        assert issubclass(found, kind)


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("n_channels", lambda path: open_recording(path, dtype="int16", n_channels=2.0)),  # type: ignore[arg-type]
        ("header_bytes", lambda path: open_recording(path, dtype="int16", header_bytes=2.5)),  # type: ignore[arg-type]
        ("chunk", lambda path: from_array(X).pipe().run(chunk=2.5)),  # type: ignore[typeddict-item]
        ("chunk", lambda path: from_array(X).pipe().chunks(chunk="9")),  # type: ignore[typeddict-item]
        ("threads", lambda path: from_array(X).pipe().to_array(threads=1.5)),  # type: ignore[typeddict-item]
        ("block", lambda path: Map(np.abs, block=2.5)),  # type: ignore[arg-type]
        ("halo", lambda path: Map(np.abs, halo=0.5)),  # type: ignore[arg-type]
        ("halo", lambda path: Map(np.abs, halo=(1, 2, 3))),  # type: ignore[arg-type]
        ("halo", lambda path: Map(np.abs, halo=(1,))),  # type: ignore[arg-type]
        ("halo", lambda path: Map(np.abs, halo="12")),  # type: ignore[arg-type]
    ],
    ids=[
        "channels",
        "header",
        "chunk",
        "chunk as text",
        "threads",
        "block",
        "halo",
        "halo of three",
        "halo of one",
        "halo as text",
    ],
)
def test_a_number_that_is_not_whole_is_said_by_the_argument(path: Path, name: str, use: Callable[[Path], Any]) -> None:
    with pytest.raises(errors.SchemaError, match=f"^{name}="):
        use(path)


def test_whole_numbers_of_any_type_are_taken(path: Path) -> None:
    rec = open_recording(path, dtype="int16", n_channels=np.int64(2), header_bytes=np.uint8(4))
    assert rec.shape == (59, 2)
    flow = rec.pipe(Map(np.abs, block=np.int32(7), halo=(np.int8(1), 2)))  # type: ignore[arg-type]
    assert len(flow.to_array(chunk=np.int16(9), threads=np.int64(1))) == 59  # type: ignore[typeddict-item]


@pytest.mark.parametrize("what", [None, b"x.npy", 7, [None], [b"x.npy"]], ids=repr)
def test_a_path_that_is_none(what: Any) -> None:
    with pytest.raises(errors.SchemaError, match="a path is a str or path-like"):
        open_recording(what)


def test_a_class_where_an_operator_belongs() -> None:
    for kind in (Fir, Scale, Map):
        with pytest.raises(errors.SchemaError, match="by calling it") as caught:
            from_array(X).pipe(kind)  # type: ignore[arg-type]
        said(caught.value, kind.__name__)


@pytest.mark.parametrize("sink", ["out.npy", Path("out.npy"), 3], ids=["text", "path", "number"])
def test_something_that_is_no_sink(sink: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.SchemaError) as caught:
        from_array(X).pipe().run(sink)
    said(caught.value, "is not a sink", "to_file(path)")
    assert list(tmp_path.iterdir()) == []


def test_a_sink_that_is_the_input(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, X)
    before = path.read_bytes()
    with open_recording(path) as rec:
        for sink in (NpySink(path, force=True), RawSink(str(path), force=True)):
            with pytest.raises(errors.OutputError, match="is the input"):
                rec[3:].pipe(Scale(2)).run(sink)
        assert path.read_bytes() == before
        report = rec.pipe(Scale(2)).run(NpySink(tmp_path / "y.npy"))
    assert report.output == str(tmp_path / "y.npy")
    assert np.array_equal(np.load(tmp_path / "y.npy"), X * 2.0)


MADE: list[errors.HeadraceError] = [
    errors.HeadraceError("what", "ever"),
    errors.SourceChanged("changed", path="x.bin", offset=7, span=(1, 2)),
    errors.SourceIOError("failed", path="x.bin", offset=7, span=(1, 2), errno=errno.EIO),
    errors.FormatError("format"),
    errors.SchemaError("schema"),
    errors.JournalMismatch("journal", path="y.journal", differences=("the input grew",)),
    errors.OutputError("output", path="y.bin", errno=errno.ENOSPC),
    errors.OutputExists("exists", path="y.bin", errno=errno.EEXIST),
    errors.BudgetTooSmall("small", needed=7, available=3),
    errors.RingStarved("starved", held=4),
    errors.BufferInUse("in use"),
    errors.Cancelled("cancelled"),
    errors.MissingExtra("missing", extra="plot"),
    errors.NoSuchDevice("no such device", device="cuda:7"),
    errors.ForkedError("forked"),
]
AGAIN: dict[str, Callable[[Any], Any]] = {
    **{f"pickle {n}": lambda e, n=n: pickle.loads(pickle.dumps(e, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def test_the_errors_to_pickle_are_all_there_are() -> None:
    assert {type(error).__name__ for error in MADE} == set(errors.__all__)


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_an_error_crosses_to_another_process_with_its_facts(
    error: errors.HeadraceError, again: Callable[[Any], Any]
) -> None:
    def facts(one: errors.HeadraceError) -> dict[str, Any]:
        names = ("path", "offset", "span", "errno", "needed", "available", "held", "extra")
        return {name: getattr(one, name) for name in names if hasattr(one, name)}

    noted = copy.copy(error)
    noted.add_note("in stage Fir")
    for one in (error, noted):
        found = again(one)
        assert type(found) is type(error)
        assert (found.args, str(found), facts(found)) == (error.args, str(error), facts(error))
        with pytest.raises(type(error)):
            raise found
    assert not hasattr(error, "__notes__")
