"""How a run is cut: what gives way first, and that the least that works is still worth running."""

from __future__ import annotations

import numpy as np
import pytest

from headrace import signals
from headrace.core.budget import Budget
from headrace.core.schedule import Demand, fit, smallest
from headrace.core.sections import Sections
from headrace.errors import BudgetTooSmall
from headrace.testing import from_reads

TAPS = np.ones(1023) / 1023


def demand(least: int = 8, unit: int = 100) -> Demand:
    """Cost a hundred bytes for a thread and one for each sample that it holds."""
    return Demand(n_out=None, least=least, unit=unit, sample_bytes=4096, cost=lambda threads, n: threads * (100 + n))


@pytest.mark.parametrize(
    ("nbytes", "threads", "samples"),
    [(10_000, 4, 500), (1_700, 4, 200), (900, 4, 100), (700, 3, 100), (450, 2, 100), (250, 1, 100), (150, 1, 48)],
)
def test_length_gives_way_down_to_the_unit_then_threads_and_length_together(
    nbytes: int, threads: int, samples: int
) -> None:
    found = fit(demand(), Budget(nbytes), 4)
    assert (found.threads, found.samples) == (threads, samples)


@pytest.mark.parametrize(("least", "unit"), [(1, 1), (8, 8), (8, 9), (8, 15), (8, 16), (8, 100)])
def test_the_smallest_that_is_named_works(least: int, unit: int) -> None:
    need = demand(least, unit)
    found = fit(need, Budget(smallest(need)), 4)
    assert (found.threads, found.samples) == (1, least)
    with pytest.raises(BudgetTooSmall) as caught:
        fit(need, Budget(smallest(need) - 1), 4)
    assert caught.value.needed == smallest(need)


def probe(n: int = 20_000, channels: int = 384) -> signals.Flow:
    return signals.from_array(np.zeros((n, channels), np.int16), fs=30_000).pipe()


def test_no_chunk_is_shorter_than_the_largest_cell_on_the_way() -> None:
    flow = probe().pipe(signals.Fir(TAPS), signals.CommonReference())
    with pytest.raises(BudgetTooSmall) as caught:
        flow.run(memory="1MB")
    report = flow.run(memory=caught.value.needed)
    assert report.chunk_samples >= 6_000  # of a filter of 1,023 taps


def test_the_order_of_the_guide_runs_in_the_default_budget() -> None:
    shifts = np.arange(384) % 12 / 12
    report = probe().pipe(signals.PhaseShift(shifts), signals.Fir(TAPS), signals.CommonReference()).run()
    assert report.chunk_samples >= 6_000


def test_an_iir_filter_of_many_channels_takes_more_than_a_row_at_a_time() -> None:
    x = np.zeros((20_000, 384), np.int16)
    for rec in (signals.from_array(x, fs=30_000), from_reads(x, fs=30_000)):
        flow = rec.pipe(signals.SosFilt(signals.butter(4, [300, 6000], "bandpass", fs=30_000)))
        with pytest.raises(BudgetTooSmall) as caught:
            flow.run(memory="1MB")
        assert flow.run(memory=caught.value.needed).chunk_samples >= 10
        assert flow.run(memory="8MB").chunk_samples >= 100


def test_blocks_are_read_many_rows_at_a_time_however_small_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = signals.from_array(np.zeros((200_000, 16), np.float32), fs=1).detect(signals.Threshold(5, block=100_000))
    with pytest.raises(BudgetTooSmall) as caught:
        rows.run(memory="1MB")
    lengths = []
    fill = Sections.fill
    monkeypatch.setattr(
        Sections,
        "fill",
        lambda self, section, out, *rest: (lengths.append(len(out)), fill(self, section, out, *rest))[1],
    )
    rows.run(memory=caught.value.needed)
    assert np.mean(lengths) >= 200  # of 64 bytes each
