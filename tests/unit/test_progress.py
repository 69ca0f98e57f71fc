from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headrace.core import progress
from headrace.errors import MissingExtra
from headrace.signals import Map, RunReport, Scale, from_array, from_iter
from headrace.testing import CumulativeSum, DoubleSum, WindowSums
from headrace.testing.faults import part_files


def test_a_callback_gets_samples_done_samples_in_all_and_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY_S", 0.0)
    calls: list[tuple[int, int | None, RunReport]] = []
    from_array(np.zeros(1000)).pipe(Scale(2)).run(chunk=100, progress=lambda *call: calls.append(call))
    done = [call[0] for call in calls]
    assert done == sorted(done)
    assert done[-1] == 1000
    assert {call[1] for call in calls} == {1000}
    assert calls[-1][2].n_samples == 1000


def test_the_last_call_comes_however_short_the_run() -> None:
    calls: list[Any] = []
    from_array(np.zeros(10)).pipe().to_array(progress=lambda done, total, report: calls.append((done, total)))
    assert calls[-1] == (10, 10)


def test_the_total_of_a_stream_is_not_known() -> None:
    calls: list[Any] = []
    from_iter([np.zeros(10)]).pipe(Scale(2)).run(progress=lambda done, total, report: calls.append(total))
    assert calls[0] is None


def test_an_error_of_the_callback_ends_the_run_and_leaves_no_file(tmp_path: Any) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        from_array(np.zeros(1000)).pipe(Scale(2)).to_file(tmp_path / "y.npy", progress=fail)
    assert part_files(tmp_path) == []
    assert not (tmp_path / "y.npy").exists()


def test_a_bar_goes_to_standard_error_and_silence_is_the_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    from_array(np.zeros(1000)).pipe(Scale(2)).run(chunk=10, progress=True)
    assert capsys.readouterr().out == ""
    from_array(np.zeros(1000)).pipe(Scale(2)).run(chunk=10)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_bar_without_rich_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rich", None)
    with pytest.raises(MissingExtra, match="headrace\\[cli\\]") as caught:
        progress.progress_of(True, "copy")
    assert caught.value.extra == "cli"


@pytest.mark.parametrize("operators", [(), (CumulativeSum(),), (DoubleSum(),)], ids=["windowed", "stateful", "two-way"])
@pytest.mark.parametrize("way", ["chunks", "rows"])
def test_an_iteration_tells_of_its_end(operators: Any, way: str) -> None:
    calls: list[Any] = []
    flow = from_array(np.zeros(1000)).pipe(*operators)
    options: Any = {"progress": lambda *call: calls.append(call), "threads": 2}
    for _ in flow.chunks(**options) if way == "chunks" else flow.tabulate(WindowSums(100)).batches(**options):
        pass
    assert calls[-1][:2] == (1000, 1000)


@pytest.mark.parametrize("way", ["run", "surveyed", "chunks", "rows"])
def test_passes_that_give_no_output_yet_are_told_of(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(progress, "_EVERY_S", 0.0)
    calls: list[Any] = []
    flow = from_array(np.zeros(640)).pipe(DoubleSum(64))
    options: Any = {"progress": lambda *call: calls.append(call[0])}
    if way == "rows":
        flow.tabulate(WindowSums(100)).run(**options)
    elif way == "chunks":
        assert sum(len(chunk) for chunk in flow.chunks(**options)) == 640
    else:
        flow.pipe(*([Map(np.abs, block=9)] if way == "surveyed" else [])).run(**options)
    assert calls.count(0) == (10 if way == "run" else 20)
    assert calls == sorted(calls)
