"""`rec.plot()` and the envelope behind it."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from headrace import signals
from headrace.errors import MissingExtra, SchemaError
from headrace.signals.envelope import envelope
from headrace.signals.plot import plot

RNG = np.random.default_rng(5)


def straight(x: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the envelope from the whole array."""
    x = x.reshape(len(x), -1)
    count = min(width, len(x))
    edges = np.arange(count + 1) * len(x) // count
    parts = [x[a:b] for a, b in pairwise(edges)]
    return np.array([np.fmin.reduce(part) for part in parts]), np.array([np.fmax.reduce(part) for part in parts])


@pytest.mark.parametrize("width", [1, 7, 100, 1200, 100_000])
@pytest.mark.parametrize("shape", [(1,), (997,), (20_011, 3)])
def test_the_envelope_equals_that_of_the_whole_array(width: int, shape: tuple[int, ...]) -> None:
    x = RNG.standard_normal(shape)
    found = envelope(signals.from_array(x), width, memory="1MB")
    low, high = straight(x, width)
    np.testing.assert_array_equal(found.low, low)
    np.testing.assert_array_equal(found.high, high)


def test_the_envelope_passes_over_nan_and_shows_stretches_that_hold_nothing_else() -> None:
    x = np.arange(12.0)
    x[[1, 4, 5, 6, 7]] = np.nan
    found = envelope(signals.from_array(x), 3)
    np.testing.assert_array_equal(found.low.ravel(), [0, np.nan, 8])
    np.testing.assert_array_equal(found.high.ravel(), [3, np.nan, 11])


def test_a_recording_of_bools_and_integers_has_an_envelope() -> None:
    assert envelope(signals.from_array(np.array([True, False])), 1).high.item() == 1
    assert envelope(signals.from_array(np.array([-128, 127], np.int8)), 1).low.item() == -128


@pytest.mark.parametrize(
    ("recording", "words"),
    [
        (signals.from_iter(iter([np.zeros(3)])), "stream"),
        (signals.from_array(np.zeros(0)), "no samples"),
        (signals.from_array(np.zeros(3, np.complex64)), "complex64"),
    ],
)
def test_what_cannot_be_drawn_is_refused(recording: signals.Recording, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        envelope(recording)


def test_several_channels_are_stacked_the_first_on_top_with_their_names() -> None:
    x = RNG.standard_normal((5000, 3))
    rec = signals.from_array(x, fs=1000, t0=10.0, channel_names=["a", "b", "c"], units="uV")
    ax = plot(rec, spacing=20.0)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]
    assert list(ax.get_yticks()) == [0, -20, -40]
    assert ax.get_xlabel() == "time (s)"
    assert ax.get_ylabel() == "channel (medians 20 uV apart)"
    assert ax.get_xlim() == (10.0, 15.0)
    lines = ax.get_lines()
    assert len(lines) == 3
    for channel, line in enumerate(lines):
        assert np.ptp(line.get_ydata()) == pytest.approx(np.ptp(x[:, channel]))
        assert np.median(line.get_ydata()) == pytest.approx(-20 * channel, abs=0.5)


def test_channels_with_offsets_lie_on_the_lines_of_their_names() -> None:
    x = RNG.normal([512, 700, 0, -9000, 300], 5, (4000, 5))
    x[:, 2], x[:, 4] = np.nan, 300
    ax = signals.from_array(np.round(x)).plot()
    for line, place in zip(ax.get_lines(), ax.get_yticks(), strict=True):
        found = line.get_ydata()
        assert np.isnan(found).all() or abs(np.median(found) - place) < 1
    assert ax.get_yticks()[0] - ax.get_yticks()[1] < 100


def test_a_table_of_one_channel_shows_its_values() -> None:
    ax = signals.from_array(np.full((50, 1), 400.0), units="mV").plot()
    assert ax.get_ylabel() == "amplitude (mV)"
    assert set(ax.get_lines()[0].get_ydata()) == {400.0}


def test_infinite_samples_do_not_move_their_channel() -> None:
    x = np.full((5000, 2), 7.0)
    x[10], x[12] = -np.inf, np.inf
    ax = signals.from_array(x).plot(width=100)
    assert np.median(ax.get_lines()[0].get_ydata()) == 0


def test_one_channel_shows_amplitude_and_a_part_starts_where_it_starts() -> None:
    rec = signals.from_array(np.arange(1000.0).reshape(500, 2), fs=100, units="mV")
    ax = rec.plot(channels=1, start="1s", stop="2s")
    assert ax.get_ylabel() == "amplitude (mV)"
    (line,) = ax.get_lines()
    assert line.get_xdata()[0] == 1.0
    assert ax.get_xlim() == (1.0, 2.0)
    np.testing.assert_array_equal(line.get_ydata(), np.arange(201, 401, 2))


def test_without_a_rate_the_axis_counts_samples() -> None:
    ax = signals.from_array(np.zeros(50)).plot(start=10, stop=20)
    assert ax.get_xlabel() == "sample"
    assert ax.get_lines()[0].get_xdata()[0] == 10


def test_the_distance_between_channels_is_a_round_number_that_holds_their_range() -> None:
    ax = signals.from_array(RNG.uniform(-3.3, 3.3, (9000, 2))).plot()
    assert list(ax.get_yticks()) == [0, -10]
    assert list(signals.from_array(np.zeros((5, 2))).plot().get_yticks()) == [0, -1]


def test_it_draws_into_given_axes_with_the_looks_asked_for() -> None:
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert plot(signals.from_array(np.zeros(9)), ax=ax, color="red", linewidth=3) is ax
    assert ax.get_lines()[0].get_color() == "red"
    assert ax.get_lines()[0].get_linewidth() == 3


@pytest.mark.parametrize("spacing", [0, -1, np.nan])
def test_a_spacing_that_is_none_is_refused(spacing: float) -> None:
    with pytest.raises(SchemaError, match="spacing"):
        plot(signals.from_array(np.zeros((9, 2))), spacing=spacing)


def test_neither_pyplot_nor_a_display_is_needed() -> None:
    code = (
        "import sys, io, numpy as np, headrace\n"
        "ax = headrace.signals.from_array(np.zeros(9)).plot()\n"
        "ax.figure.savefig(io.BytesIO())\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"pip install 'headrace\[plot\]'") as caught:
        signals.from_array(np.zeros(9)).plot()
    assert caught.value.extra == "plot"


@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 2, 16, 300])
def test_long_stretches_are_reduced_in_groups_with_the_same_result(channels: int, dtype: str) -> None:
    x = (RNG.standard_normal((40_001 // channels + 9000, channels)) * 1000).astype(dtype)
    if dtype != "int16":
        x[RNG.random(x.shape) < 0.3] = np.nan
    found = envelope(signals.from_array(x), 2, memory="64MB", threads=2)
    low, high = straight(x, 2)
    np.testing.assert_array_equal(found.low, low)
    np.testing.assert_array_equal(found.high, high)


def shades(ax: object) -> np.ndarray:
    """Give how deep each column of each channel is shaded."""
    (image,) = ax.get_images()  # type: ignore[attr-defined]
    return np.asarray(image.get_array())[..., 3]


def test_events_are_shaded_on_their_channels_where_they_are() -> None:
    events = np.array([(250, 500, 1), (5000, 5001, 2)], [("start", "i8"), ("end", "i8"), ("channel", "i8")])
    ax = signals.from_array(np.zeros((1000, 3)), fs=100).plot(events=events, channels=[0, 1])
    found = shades(ax)
    assert found.shape == (2, 600)
    assert np.flatnonzero(found[1]).tolist() == list(range(150, 300))
    assert not found[0].any()
    (image,) = ax.get_images()
    assert image.get_extent()[:2] == [-0.005, 9.995]


def test_a_short_event_in_a_long_recording_is_some_pixels_wide_and_has_a_triangle_above_it() -> None:
    events = np.array([(500_000, 500_001, 1)], [("start", "i8"), ("end", "i8"), ("channel", "i8")])
    ax = signals.from_array(np.zeros((1_000_000, 2), np.int8)).plot(events=events)
    found = shades(ax)
    assert np.flatnonzero(found[1]).tolist() == [299, 300, 301]
    assert found[1].max() >= 0.5
    assert not found[0].any()
    (triangles,) = [line for line in ax.get_lines() if line.get_marker() == "v"]
    assert triangles.get_xdata() == pytest.approx([500_833], abs=1)
    (y,) = triangles.get_ydata()
    assert ax.get_yticks()[1] < y < ax.get_yticks()[0]


def test_neighbouring_events_are_not_wider_than_they_are() -> None:
    events = np.array([(1000, 3000)], [("start", "i8"), ("end", "i8")])
    found = shades(signals.from_array(np.zeros(600_000, np.int8)).plot(events=events))
    assert np.flatnonzero(found[0]).tolist() == [1, 2]


def test_events_count_samples_of_the_recording_also_in_a_picture_of_a_part() -> None:
    events = [np.array([(105, 106)], [("start", "i8"), ("end", "i8")])]
    ax = signals.from_array(np.zeros(200)).plot(events=iter(events), start=100, stop=110)
    assert np.flatnonzero(shades(ax)[0]).tolist() == [5]


def test_events_of_a_part_of_a_recording_are_drawn_where_they_were_found_in_it() -> None:
    x = np.zeros((1000, 5))
    x[[700, 701], 3] = 1
    part = signals.from_array(x)[500:, 2:5]
    assert (part.first_sample, part.channel_numbers) == (500, (2, 3, 4))
    events = part.detect(signals.Threshold(0)).to_array()
    assert events[["start", "channel"]].tolist() == [(200, 1)]
    for shown in (None, [1, 2]):
        found = shades(part.plot(events=events, channels=shown))
        assert [row.any() for row in found] == [channel == 1 for channel in shown or range(3)]


class Frame:
    """What pandas, Polars and pyarrow have in common."""

    def __init__(self, **columns: object) -> None:
        self.columns, self._columns = list(columns), columns

    def __getitem__(self, name: str) -> object:
        return self._columns[name]


TABLE = np.array([(250, 500, 1), (700, 720, 0)], [("start", "i8"), ("end", "i8"), ("channel", "i4")])
TABLES = {
    "array": TABLE,
    "pieces": [TABLE[:1], TABLE[1:]],
    "mapping": {"start": [250, 700], "end": [500, 720], "channel": [1, 0]},
    "frame": Frame(start=np.array([250, 700]), end=np.array([500, 720]), channel=np.array([1, 0], np.uint8)),
}


@pytest.mark.parametrize("kind", [*TABLES, "npy", "csv", "rows"])
def test_events_may_be_any_table(kind: str, tmp_path: Path) -> None:
    np.save(tmp_path / "events.npy", TABLE)
    (tmp_path / "events.csv").write_text("channel,start,end\n1,250,500\n0,700,720\n")
    rec = signals.from_array(np.zeros((1000, 2)))
    rows = rec.detect(lambda chunk, start: [(250, 500, 1), (700, 720, 0)], block=1000)
    events = rows if kind == "rows" else TABLES[kind] if kind in TABLES else tmp_path / f"events.{kind}"
    found = shades(rec.plot(events=events))
    assert np.flatnonzero(found[1]).tolist() == list(range(150, 300))
    assert np.flatnonzero(found[0]).tolist() == list(range(420, 432))


@pytest.mark.parametrize(
    "events",
    [7, "events.csv", {"start": [1]}, Frame(end=[1]), {"start": [0.5], "end": [1]}, np.zeros((3, 2)), ["start"]],
)
def test_what_is_no_table_of_events_is_refused(events: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("events.csv").write_text("start\n1\n")
    with pytest.raises(SchemaError, match="column"):
        signals.from_array(np.zeros(50)).plot(events=events)


@pytest.mark.parametrize("segments", [None, [0, 3000]])
def test_a_flow_is_drawn_as_what_it_gives(segments: list[int] | None) -> None:
    x = RNG.standard_normal((5000, 3))
    rec = signals.from_array(x, fs=1000, t0=2.0, segments=segments)
    flow = rec.pipe(signals.SosFiltFilt(signals.butter(2, 0.2)), signals.Scale(3))
    ax = flow.plot(events=flow.detect(signals.Threshold(3, block=1000)))
    expected = signals.from_array(flow.to_array(), fs=1000, t0=2.0).plot()
    for line, wanted in zip(ax.get_lines()[:3], expected.get_lines(), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), wanted.get_xydata())
    assert ax.get_xlim() == (2.0, 7.0)
    assert shades(ax).any()
    for part in ({"start": 3}, {"stop": "1s"}, {"channels": [0]}):
        with pytest.raises(SchemaError, match="a flow is drawn whole"):
            flow.plot(**part)


def test_a_flow_that_is_longer_than_its_recording_is_drawn_to_its_end() -> None:
    flow = signals.from_array(np.ones(100)).pipe(signals.Fir(np.ones(11), mode="full"))
    ax = flow.plot()
    assert ax.get_xlim() == (0, 110)
    assert len(ax.get_lines()[0].get_xdata()) == 110


def test_crowded_events_are_the_deeper_the_more_there_are() -> None:
    start = np.concatenate([np.full(50, 10), np.arange(0, 1000, 2)])
    events = np.zeros(len(start), [("start", "i8"), ("end", "i8")])
    events["start"], events["end"] = start, start + 1
    found = shades(signals.from_array(np.zeros(1000)).plot(events=events))[0]
    assert found.max() == found[6]
    assert found[found > 0].min() < found.max() / 2


@pytest.mark.parametrize(("seconds", "unit", "last"), [(599, "s", 598.9), (601, "min", 10), (11_000, "h", 3.05)])
def test_long_recordings_are_told_in_minutes_and_hours(seconds: int, unit: str, last: float) -> None:
    ax = signals.from_array(np.zeros(seconds * 2), fs=2).plot(width=100_000)
    assert ax.get_xlabel() == f"time ({unit})"
    assert abs(ax.get_xlim()[1] - last) < last / 50


def test_of_many_channels_some_are_named() -> None:
    ax = signals.from_array(np.zeros((5, 384))).plot()
    assert [label.get_text() for label in ax.get_yticklabels()][:3] == ["0", "8", "16"]
    assert len(ax.get_yticks()) == 48
