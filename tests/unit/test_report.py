from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest

from headrace.core.report import Meter, peak_memory
from headrace.signals import Fir, Map, RunReport, Scale, SosFiltFilt, from_array
from headrace.testing import CumulativeSum, WindowSums


@pytest.fixture(scope="module")
def report() -> RunReport:
    flow = from_array(np.zeros((100_000, 2), np.int16)).pipe(Scale(2.0), Fir(np.ones(99)))
    return flow.run(threads=2, chunk=10_000)


def test_a_report_counts_samples_and_bytes_once(report: RunReport) -> None:
    assert report.n_samples == 100_000
    assert (report.bytes_in, report.bytes_out) == (400_000, 800_000)
    assert (report.chunk_samples, report.clipped, report.output) == (10_000, 0, None)
    assert report.mb_per_s == pytest.approx(0.4 / report.seconds, rel=0.01)


def test_a_report_names_stages_and_the_slowest(report: RunReport) -> None:
    assert set(report.stage_seconds) >= {"read", "Scale", "Fir"}
    assert report.bottleneck in report.stage_seconds
    assert 0 < report.efficiency <= 1


def test_a_report_measures_memory(report: RunReport) -> None:
    peak = report.peak_rss_bytes
    assert 10_000_000 < peak.total <= peak_memory()
    assert peak.anon > 0
    assert peak.file > 0
    assert 0 < report.memory_bytes <= 64_000_000


def test_a_report_is_plain_json_and_reads_well(report: RunReport) -> None:
    again = json.loads(json.dumps(report.to_dict()))
    assert again["peak_rss_bytes"]["total"] == report.peak_rss_bytes.total
    assert "100,000 samples in " in str(report)
    assert f"limited by {report.bottleneck}" in str(report)


def test_clipped_values_are_counted_and_said() -> None:
    flow = from_array(np.array([1e9, np.nan, 3.0, -1e9])).pipe(Scale(1.0))
    report = flow.run(out_dtype="int16")
    assert report.clipped == 3
    assert "3 values clipped" in str(report)


def test_a_waiting_consumer_is_named_as_the_bottleneck() -> None:
    meter = Meter()
    meter.add({"read": 0.1, "Fir": 0.2, "consumer": 5.0})
    assert meter.report().bottleneck == "consumer"


def test_the_slow_stage_is_the_bottleneck() -> None:
    def slow(x: np.ndarray) -> np.ndarray:
        for _ in range(300):
            x = np.sqrt(np.abs(x) + 1)
        return x

    report = from_array(np.zeros(40_000)).pipe(Scale(2.0), Map(slow, block=10_000)).run(threads=1)
    assert report.bottleneck == "Map"


@pytest.mark.parametrize("way", ["run", "chunks"])
@pytest.mark.parametrize("operators", [(), (CumulativeSum(),)], ids=["windowed", "stateful"])
@pytest.mark.parametrize("executor", ["threads", "serial"])
def test_a_report_says_how_long_who_waited(way: str, operators: Any, executor: str) -> None:
    flow = from_array(np.zeros(20_000, np.float32)).pipe(Scale(2.0), *operators)
    if way == "run":
        found = flow.run(chunk=500, threads=2, executor=executor)
    else:
        with flow.chunks(chunk=500, threads=2, executor=executor) as chunks:
            assert sum(len(chunk) for chunk in chunks) == 20_000
        found = chunks.report
    assert set(found.stall_seconds) == ({"threads", "consumer"} if executor == "threads" else set())
    assert all(seconds >= 0 for seconds in found.stall_seconds.values())
    assert found.stall_seconds.get("consumer", 0) <= found.seconds
    assert json.loads(json.dumps(found.to_dict()))["stall_seconds"] == found.stall_seconds


def test_threads_that_wait_are_counted() -> None:
    flow = from_array(np.zeros(400, np.float32)).pipe(Scale(2.0))
    with flow.chunks(chunk=100, threads=2) as chunks:
        for chunk in chunks:
            del chunk
            time.sleep(0.02)
    assert chunks.report.stall_seconds["threads"] > 0.02


@pytest.mark.parametrize("operators", [(), (CumulativeSum(),)], ids=["windowed", "stateful"])
def test_a_slow_consumer_is_counted_and_named(operators: Any) -> None:
    flow = from_array(np.zeros(1000, np.float32)).pipe(Scale(2.0), *operators)
    with flow.chunks(chunk=200, threads=2) as chunks:
        for chunk in chunks:
            del chunk
            time.sleep(0.02)
    found = chunks.report
    assert 0.1 <= found.stage_seconds["consumer"] <= found.seconds
    assert found.bottleneck == "consumer"


def test_a_run_has_no_consumer(report: RunReport) -> None:
    assert "consumer" not in report.stage_seconds


@pytest.mark.parametrize("way", ["falling", "surveyed", "chunks", "rows"])
def test_a_two_way_operator_has_its_share(way: str) -> None:
    flow = from_array(np.zeros((50_000, 40), np.float32)).pipe(Scale(2.0), SosFiltFilt([[0.5, 0.5, 0, 1, 0, 0]] * 4))
    if way == "rows":
        found = flow.tabulate(WindowSums(10_000)).run(threads=2)
    elif way == "chunks":
        with flow.chunks(threads=2) as chunks:
            assert sum(len(chunk) for chunk in chunks) == 50_000
        found = chunks.report
    else:
        found = flow.pipe(*([Fir(np.ones(3))] if way == "surveyed" else [])).run(threads=2)
    assert set(found.stage_seconds) >= {"read", "Scale", "SosFiltFilt"}
    assert all(seconds > 0 for seconds in found.stage_seconds.values())
    assert found.bytes_in == 50_000 * 40 * 4


def test_what_runs_in_one_thread_is_not_divided_among_all() -> None:
    meter = Meter()
    meter.threads = 4
    meter.add({"Fir": 2.0})
    meter.add({"operators": 1.0}, threads=1)
    assert meter.report().bottleneck == "operators"
    assert meter.report().stage_seconds == {"Fir": 2.0, "operators": 1.0}
