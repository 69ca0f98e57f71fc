from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.core.mapping import GuardedMap
from headrace.errors import BufferInUse, SourceChanged
from headrace.testing.faults import rewrite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

F4 = np.dtype(np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.arange(100_000, dtype=F4).tofile(tmp_path / "x.bin")
    return tmp_path / "x.bin"


def test_a_view_is_read_only_and_holds_the_samples(path: Path) -> None:
    with GuardedMap(path) as mapped:
        mapped.read_ahead(0, mapped.size)
        view = mapped.view(F4, 40, 1000)
        assert np.array_equal(view, np.arange(10, 1010, dtype=F4))
        assert not view.flags.writeable
        with pytest.raises(ValueError, match="WRITEABLE"):
            view.flags.writeable = True
        del view
        assert mapped.view(F4, 400_000, 0).size == 0


def test_a_map_with_a_view_cannot_be_closed_until_the_view_goes(path: Path) -> None:
    mapped = GuardedMap(path)
    view = mapped.view(F4, 0, 10)
    with pytest.raises(BufferInUse, match="drop them before"):
        mapped.close()
    assert view[3] == 3
    del view
    mapped.close()
    mapped.close()


def test_a_view_outside_the_file_is_refused(path: Path) -> None:
    with GuardedMap(path) as mapped:
        for start, count in ((-4, 1), (400_000, 1), (0, 100_001)):
            with pytest.raises(ValueError, match="not inside"):
                mapped.view(F4, start, count)


def test_a_rewritten_file_is_not_viewed(path: Path) -> None:
    with GuardedMap(path) as mapped:
        rewrite(path, 0, b"x")
        with pytest.raises(SourceChanged):
            mapped.view(F4, 0, 10)
        with pytest.raises(SourceChanged):
            mapped.verify()


def test_populating_a_file_that_was_cut_is_an_error_and_no_signal(path: Path, run_victim: Callable[..., Any]) -> None:
    code = (
        "import sys, os, numpy\n"
        "from headrace.core.mapping import GuardedMap\n"
        "from headrace.errors import SourceChanged, SourceIOError\n"
        "mapped = GuardedMap(sys.argv[1])\n"
        "os.truncate(sys.argv[1], 5000)\n"
        "for touch in (lambda: mapped.view(numpy.dtype('f4'), 0, 100_000), lambda: mapped._populate(0, 400_000)):\n"
        "    try:\n"
        "        touch()\n"
        "    except SourceChanged as error:\n"
        "        print(error.path == sys.argv[1])\n"
    )
    assert run_victim(code, path).stdout.split() == ["True", "True"]


def test_releasing_what_was_read_keeps_the_process_small(tmp_path: Path, run_victim: Callable[..., Any]) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(64 << 20)
    code = (
        "import sys, numpy, pathlib\n"
        "from headrace.core.mapping import GuardedMap\n"
        "from headrace.core.report import peak_memory\n"
        "mapped = GuardedMap(sys.argv[1])\n"
        "mapped.view(numpy.dtype('u1'), 0, 4096)\n"
        "before = peak_memory()\n"
        "for start in range(0, 64 << 20, 1 << 20):\n"
        "    mapped.view(numpy.dtype('u1'), start, 1 << 20).sum()\n"
        "    mapped.release(start, start + (1 << 20))\n"
        "print(peak_memory() - before)\n"
    )
    assert int(run_victim(code, tmp_path / "big").stdout) < 8 << 20
