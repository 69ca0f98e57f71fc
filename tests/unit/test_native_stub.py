"""The committed stub says what the built module offers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from headrace import _native


def test_the_stub_is_the_one_that_stubgen_writes(tmp_path):
    committed = Path(__file__).parents[2] / "src" / "headrace" / "_native.pyi"
    fresh = tmp_path / "_native.pyi"
    folder = Path(_native.__file__).parent.parent
    subprocess.run(
        [
            sys.executable,
            "-m",
            "nanobind.stubgen",
            "-i",
            str(folder),
            "-m",
            "headrace._native",
            "-o",
            str(fresh),
        ],
        check=True,
        capture_output=True,
    )
    assert fresh.read_text() == committed.read_text()
