"""`headrace signal fft` and `headrace signal ifft`, each in a fresh process in which warnings are errors."""

from pathlib import Path

import numpy as np
import pytest
import scipy.fft
from command_line import headrace, succeed

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("n", [2, 1001, 70_000, 99_991])
def test_a_spectrum_and_the_way_back(tmp_path: Path, n: int) -> None:
    x = RNG.standard_normal(n).astype(np.float32)
    x.tofile(tmp_path / "x.f32")
    done = succeed("signal", "fft", "x.f32", "y.npy", "--dtype", "float32", "--tmp", ".", cwd=tmp_path)
    assert ("of temporary files in ." in done.stderr) == (n > 65_536)
    found, expected = np.load(tmp_path / "y.npy"), scipy.fft.rfft(x.astype(float))
    assert found.dtype == np.complex64
    assert np.linalg.norm(found - expected) <= 3e-7 * np.linalg.norm(expected)
    succeed("signal", "ifft", "y.npy", "z.npy", "--real", "--n", str(n), cwd=tmp_path)
    assert np.linalg.norm(np.load(tmp_path / "z.npy") - x) <= 6e-7 * np.linalg.norm(x)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.f32", "y.npy", "z.npy"]


def test_a_complex_channel_and_a_channel_of_many(tmp_path: Path) -> None:
    x = (RNG.standard_normal((80_000, 3)) + 1j * RNG.standard_normal((80_000, 3))).astype(np.complex64)
    np.save(tmp_path / "x.npy", x)
    succeed("signal", "fft", "x.npy", "y.c64", "--channels", "1", "--n", "90000", "--memory", "16MB", cwd=tmp_path)
    expected = scipy.fft.fft(x[:, 1].astype(complex), 90_000)
    found = np.fromfile(tmp_path / "y.c64", np.complex64)
    assert np.linalg.norm(found - expected) <= 3e-7 * np.linalg.norm(expected)
    succeed("signal", "ifft", "y.c64", "z.npy", "--dtype", "complex64", "--n", "90000", cwd=tmp_path)
    back = np.load(tmp_path / "z.npy")
    assert np.linalg.norm(back[:80_000] - x[:, 1]) <= 6e-7 * np.linalg.norm(x[:, 1])


def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((9, 2)))
    np.save(tmp_path / "empty.npy", np.zeros(0))
    for words, message in [
        (("x.npy", "y.npy"), "--channels 3"),
        (("empty.npy", "y.npy"), "at least one sample"),
    ]:
        done = headrace("signal", "fft", *words, cwd=tmp_path)
        assert done.returncode == 1
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert headrace("signal", "fft", "x.npy", "y.npy", "--n", "0", cwd=tmp_path).returncode == 2
    assert not (tmp_path / "y.npy").exists()
