"""A WAV file holds exactly what was written, however the flow was run; a flow over it gives what the array gives."""

from __future__ import annotations

import dataclasses
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.io.wavfile
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.chunk import Chunk
from headrace.core.span import Span
from headrace.signals import Fir, from_array, from_iter
from headrace.signals import open as open_recording
from headrace.signals.sources import wav
from headrace.signals.wave_sink import WavSink
from headrace.testing.operators import smallest_budget
from headrace.testing.strategies import cuts, run_options, signals

if TYPE_CHECKING:
    from pathlib import Path

DTYPES = ("uint8", "int16", "int32", "float32", "float64")
FIR = Fir(np.hanning(31))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wav")


def check_round_trip(folder: Path, x: np.ndarray, fs: int, data: st.DataObject) -> None:
    path = folder / "x.wav"
    flow = from_array(x, fs).pipe()
    flow.to_file(path, force=True, **data.draw(run_options(len(x), smallest_budget(flow))))
    written = path.read_bytes()
    if data.draw(st.booleans()):
        pieces = np.split(x, data.draw(cuts(len(x))))
        from_iter(pieces, fs).pipe().to_file(path, force=True)
        assert path.read_bytes() == written
    if len(x):
        rate, theirs = scipy.io.wavfile.read(io.BytesIO(written))
        assert (rate, theirs.dtype) == (fs, x.dtype)
        assert theirs.tobytes() == x.tobytes()
    with open_recording(path) as rec:
        expected = x[:, 0] if x.ndim == 2 and x.shape[1] == 1 else x
        assert (rec.fs, rec.dtype, rec.shape) == (fs, x.dtype, expected.shape)
        assert np.asarray(rec).tobytes() == x.tobytes()
        whole = from_array(expected, fs).pipe(FIR).to_array(memory="1GB")
        found = rec.pipe(FIR).to_array(memory="1GB", threads=data.draw(st.integers(1, 3)))
        assert found.tobytes() == whole.tobytes()


@settings(max_examples=max(25, settings.default.max_examples // 2))
@given(signals(dtypes=DTYPES, max_length=6000), st.integers(1, 2**24), st.data())  # bytes per second fit the header
def test_what_is_written_is_read_again_by_scipy_and_by_us(
    folder: Path, x: np.ndarray, fs: int, data: st.DataObject
) -> None:
    check_round_trip(folder, x, fs, data)


@st.composite
def of_24_bits(draw: st.DrawFn) -> np.ndarray:
    """Signals about as large as 24 bits, of which some do not fit."""
    x = draw(signals(dtypes=("int32", "float32", "float64", "int64"), max_length=4000, max_channels=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    wide = rng.standard_normal(x.shape) * draw(st.sampled_from([100.0, 2.0**22, 2.0**31]))
    if x.dtype.kind == "f":
        wide[rng.random(x.shape) < draw(st.sampled_from([0, 0.05]))] = np.nan
        wide[rng.random(x.shape) < 0.01] = draw(st.sampled_from([np.inf, -np.inf, 2.0**23 - 0.5, -(2.0**23) - 0.5]))
        return wide.astype(x.dtype)
    return np.clip(wide, -(2**31), 2**31 - 1).astype(x.dtype)


@settings(max_examples=max(25, settings.default.max_examples // 2))
@given(of_24_bits(), st.data())
def test_24_bits_are_written_clipped_and_counted_and_read_again(
    folder: Path, x: np.ndarray, data: st.DataObject
) -> None:
    path, fs = folder / "x24.wav", 48_000
    flow = from_array(x, fs).pipe()
    options = data.draw(run_options(len(x), smallest_budget(flow, out_dtype="int24")))
    report = flow.to_file(path, out_dtype="int24", force=True, **options)
    rounded = np.rint(np.nan_to_num(x.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf))
    expected = np.clip(rounded, -(2**23), 2**23 - 1).astype(np.int32)
    assert report.clipped == np.count_nonzero(np.isnan(x.astype(np.float64)) | (rounded != expected))
    assert path.stat().st_size == 128 + 3 * x.size + x.size % 2
    if len(x):
        rate, theirs = scipy.io.wavfile.read(path)
        assert (rate, theirs.dtype) == (fs, np.int32)
        assert np.array_equal(theirs.reshape(x.shape), expected << 8)  # at the upper end
    with open_recording(path) as rec:
        assert np.array_equal(np.asarray(rec), expected[:, 0] if x.ndim == 2 and x.shape[1] == 1 else expected)
        again = folder / "again24.wav"
        assert rec.pipe().to_file(again, out_dtype="int24", force=True).clipped == 0
        assert again.read_bytes() == path.read_bytes()
    assert np.array_equal(flow.to_array(out_dtype="int24", memory="1GB"), expected)
    pieces = np.split(x, data.draw(cuts(len(x))))
    stream = from_iter(pieces, fs).pipe().to_file(path, out_dtype="int24", force=True)
    assert (stream.clipped, path.read_bytes()) == (report.clipped, again.read_bytes())


def shifted_sink(real: Any) -> Any:
    def write(self: WavSink, chunk: Chunk) -> None:  # a chunk that is not the first lands one sample late
        late = Chunk(Span(chunk.start + 1, chunk.stop + 1), chunk.array) if chunk.start else chunk
        real(self, late)

    return write


def early(real: Any) -> Any:
    def read(file: Any) -> Any:
        header = real(file)
        return dataclasses.replace(header, offset=header.offset - 1)

    return read


@pytest.mark.parametrize("mutant", ["writes a chunk one sample late", "reads one byte early"])
def test_a_sample_in_the_wrong_place_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch, mutant: str) -> None:
    if "late" in mutant:
        monkeypatch.setattr(WavSink, "write", shifted_sink(WavSink.write))
    else:
        monkeypatch.setattr(wav.WaveHeader, "read", early(wav.WaveHeader.read))

    @settings.get_profile("mutant")
    @given(signals(dtypes=DTYPES, max_length=6000), st.integers(1, 2**24), st.data())  # bytes per second fit the header
    def prop(x: np.ndarray, fs: int, data: st.DataObject) -> None:
        check_round_trip(folder, x, fs, data)

    with pytest.raises(AssertionError):
        prop()
