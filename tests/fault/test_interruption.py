"""Ctrl-C at any moment, fork with busy threads, spawn: no hang, nothing left behind."""

from __future__ import annotations

import gc
import multiprocessing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace import Budget
from headrace.signals import Fir, Scale, from_array
from headrace.testing import CumulativeSum, DoubleSum, WindowSums

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

# Rounds in CI and in a soak. A spawned worker imports torch anew, a forkserver imports it once.
ROUNDS = {"fork": (10, 300), "forkserver": (10, 300), "spawn": (1, 20)}

VICTIMS = Path(__file__).parent / "victims"


def test_ctrl_c_at_any_moment_ends_the_process_and_leaves_no_part_file(
    tmp_path: Path, count: Callable[[int, int], int], dice: random.Random, run_victim: Callable[..., Any]
) -> None:
    seed = dice.randrange(2**31)
    done = run_victim(VICTIMS / "interrupted.py", "INT", tmp_path, count(300, 3000), seed, timeout=1500)
    assert done.stdout.startswith("ok "), done.stdout


FLOWS: dict[str, Callable[[Any, Budget], object]] = {
    "windowed": lambda rec, budget: rec.pipe(Scale(2.0)).run(memory=budget, executor="serial"),
    "chunks": lambda rec, budget: list(rec.pipe(Scale(2.0)).chunks(memory=budget, executor="serial", chunk=50)),
    "array": lambda rec, budget: rec.pipe(Scale(2.0)).to_array(memory=budget, executor="serial"),
    "stateful": lambda rec, budget: rec.pipe(CumulativeSum()).run(memory=budget, executor="serial"),
    "two-way": lambda rec, budget: rec.pipe(DoubleSum()).run(memory=budget, executor="serial"),
    "rows": lambda rec, budget: rec.pipe().tabulate(WindowSums(100)).to_array(memory=budget, executor="serial"),
}


@pytest.mark.parametrize("run", FLOWS.values(), ids=FLOWS)
def test_ctrl_c_at_any_line_leaves_a_shared_budget_as_it_was(
    run: Callable[[Any, Budget], object],
    count: Callable[[int, int], int],
    dice: random.Random,
    interrupted: Callable[..., bool],
) -> None:
    rec, budget = from_array(np.arange(200.0)), Budget("64MB")
    lines = 1
    while interrupted(lambda: run(rec, budget), 2 * lines):
        lines *= 2
    assert lines > 500
    for number in dice.sample(range(1, 2 * lines), count(40, 2 * lines - 1)):
        interrupted(lambda: run(rec, budget), number)
        gc.collect()
        assert budget.used == 0, f"after Ctrl-C at line {number}"


def test_a_child_forked_from_busy_threads_is_refused_or_works_and_never_hangs(
    tmp_path: Path, count: Callable[[int, int], int], run_victim: Callable[..., Any]
) -> None:
    done = run_victim(VICTIMS / "forked.py", tmp_path, count(50, 1000), timeout=900)
    assert done.stdout.split() == ["ok", str(count(50, 1000))]


def test_a_child_forked_while_locks_are_held_never_hangs(tmp_path: Path, run_victim: Callable[..., Any]) -> None:
    done = run_victim(VICTIMS / "forked_locked.py", tmp_path)
    assert done.stdout.split() == ["ok"]


def test_a_spawned_process_opens_the_source_itself(tmp_path: Path, run_victim: Callable[..., Any]) -> None:
    x = np.arange(5000, dtype=np.float32)
    np.save(tmp_path / "x.npy", x)
    expected = from_array(x).pipe(Fir(np.ones(9))).to_array()
    assert multiprocessing.get_start_method(allow_none=True) in (None, "fork", "forkserver", "spawn")
    done = run_victim(VICTIMS / "spawned.py", tmp_path / "x.npy")
    assert float(done.stdout) == float(expected.astype(np.float64).sum())


@pytest.mark.parametrize("method", ROUNDS)
def test_workers_of_a_torch_data_loader_read_an_open_recording(
    tmp_path: Path, count: Callable[[int, int], int], run_victim: Callable[..., Any], method: str
) -> None:
    x = np.arange(5000, dtype=np.float32)
    np.save(tmp_path / "x.npy", x)
    windows = [from_array(part).pipe(Fir(np.ones(5))).to_array() for part in x.reshape(-1, 500)]
    expected = float(np.concatenate(windows).astype(np.float64).sum())
    rounds = count(*ROUNDS[method])
    done = run_victim(VICTIMS / "dataloader.py", method, tmp_path / "x.npy", rounds, timeout=1500)
    *totals, last = done.stdout.split()
    assert last == "ok"
    assert [float(total) for total in totals] == [expected] * ((rounds + 1) // 2)
