"""A transform longer than memory, under a hard limit on private memory that neither input nor result fits in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.fft

if TYPE_CHECKING:
    from collections.abc import Callable

VICTIM = Path(__file__).parent / "victims" / "long_fft.py"


@pytest.mark.parametrize("n", [16_000_000, 1_000_003], ids=["four-step", "prime"])
def test_a_transform_needs_no_more_than_its_budget(tmp_path: Path, run_victim: Callable[..., Any], n: int) -> None:
    x = np.random.default_rng(n).standard_normal(n, np.float32)
    x.tofile(tmp_path / "x")
    done = run_victim(VICTIM, tmp_path / "x", tmp_path / "y.npy", "headrace", timeout=300)
    found, expected = np.load(tmp_path / "y.npy"), scipy.fft.rfft(x.astype(np.float64))
    assert np.linalg.norm(found - expected) <= 3e-7 * np.linalg.norm(expected)
    assert json.loads(done.stdout)["added"] < 32_000_000


def test_the_limit_is_one_that_the_whole_array_exceeds(tmp_path: Path, run_victim: Callable[..., Any]) -> None:
    np.zeros(16_000_000, np.float32).tofile(tmp_path / "x")
    done = run_victim(VICTIM, tmp_path / "x", tmp_path / "y.npy", "in memory", timeout=300, check=False)
    assert done.returncode != 0
    assert "MemoryError" in done.stderr
