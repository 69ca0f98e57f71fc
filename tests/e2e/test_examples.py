"""Each example runs as it is, with no data at hand, and says something."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.py"))
SAYS = {
    "filter_a_recording": "largest error on channel 3: ",
    "filter_a_stream": "41,279 of 41,279 samples came through",
    "map_a_function": "mean power before 1.00, after 0.009, shape (50000, 8)",
    "spectra_on_the_gpu": "the tone rose from 102 Hz to 338 Hz",
    "your_own_operator": "same bytes in chunks of 777: True",
}
NEEDS = {"spectra_on_the_gpu": "torch"}


def test_every_example_is_expected_to_say_something() -> None:
    assert {path.stem for path in EXAMPLES} == set(SAYS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_with_no_data_at_hand_and_leaves_nothing(path: Path, tmp_path: Path) -> None:
    needed = NEEDS.get(path.stem)
    if needed and importlib.util.find_spec(needed) is None:
        pytest.skip(f"the example needs {needed}, which is not installed")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert SAYS[path.stem] in done.stdout
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) <= 12
    assert list(tmp_path.iterdir()) == []
