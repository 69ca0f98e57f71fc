"""The digest of a thing is the same in another process, and another one where it does something else."""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace import signals
from headrace.core.files import FileReader
from headrace.core.identity import Digest, words_of
from headrace.signals import features
from headrace.testing import DoubleSum, WindowSums

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from headrace.core.operator import Operator

SOS = [[0.2, 0.4, 0.2, 1, -0.3, 0.1]]
OPERATORS: list[Callable[[], Operator]] = [
    lambda: signals.Fir(np.ones(9)),
    lambda: signals.SosFilt(SOS),
    lambda: signals.SosFiltFilt(SOS),
    lambda: signals.Scale(np.arange(4.0)),
    lambda: signals.Notch(2, q=5),
    lambda: signals.CommonReference(groups=[[0, 1], [2, 3]]),
    lambda: signals.PhaseShift(np.linspace(0, 0.5, 4)),
    lambda: signals.Detrend(block=100),
    lambda: signals.Resample(3, 2),
    lambda: signals.Map(np.abs),
    lambda: DoubleSum(64),
]
LEVEL = 3.0
TABLE = {"a": [1, 2]}


@pytest.mark.parametrize("make", OPERATORS, ids=lambda make: words_of(make()))
def test_the_digest_of_an_operator_is_a_matter_of_its_making_and_not_of_its_use(make: Callable[[], Any]) -> None:
    used = make()
    before = Digest(used).hex
    for dtype in (np.float64, np.float32):
        signals.from_array(np.ones((300, 4), dtype), fs=100).pipe(used).to_array(out_dtype="float64")
    assert Digest(used).hex == before == Digest(make()).hex


def test_operators_that_print_alike_have_other_digests() -> None:
    gains = np.ones(5000)
    other = gains.copy()
    other[2500] = 2
    a, b = signals.Scale(gains), signals.Scale(other)
    assert repr(a) == repr(b)
    assert Digest(a).hex != Digest(b).hex


CODE = """
import numpy as np
from headrace import signals
from headrace.core.identity import Digest
from headrace.signals.features import Features
LEVEL = 3.0
class Own:
    def __init__(self): self.names = {"b", "a", "c"}
    def plan(self, inp): return LEVEL
    @property
    def doubled(self): return 2 * LEVEL
def fn(x, by=2):
    return np.abs(x) * LEVEL + by + len({"x", "y", "z"} - {1})
features = Features("rms", ("own", fn), length=9)
print(Digest(Own(), signals.Map(fn), features, signals.Fir(np.ones(9)), print, np, str).hex)
"""


def test_another_process_finds_the_same_digest() -> None:
    found = set()
    for hashing in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", CODE],
            env={"PYTHONHASHSEED": hashing, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout)
    assert len(found) == 1
    assert len(found.pop().strip()) == 32


def calling(fn: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: fn(x) + 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda x: x + 1, lambda x: x + 2),
        (lambda x: x + 1, lambda x: x - 1),
        (lambda x: x.min(), lambda x: x.max()),
        (lambda x, by=1: x + by, lambda x, by=2: x + by),
        (lambda x, *, by=1: x + by, lambda x, *, by=2: x + by),
        (calling(np.abs), calling(np.sqrt)),
        (calling(lambda x: x), calling(lambda x: 2 * x)),
        (functools.partial(calling, 1), functools.partial(calling, 2)),
        (lambda x: [y + 1 for y in x], lambda x: [y + 2 for y in x]),
    ],
    ids=[
        "constant",
        "operation",
        "method",
        "default",
        "keyword",
        "ufunc around",
        "function around",
        "partial",
        "inside",
    ],
)
def test_functions_that_do_something_else_have_other_digests(one: Any, other: Any) -> None:
    assert Digest(one).hex == Digest(one).hex
    assert Digest(one).hex != Digest(other).hex


def test_what_a_function_finds_around_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def uses(x: Any) -> Any:
        def inside(y: Any) -> Any:
            return y * LEVEL

        return inside(x)

    def uses_table(x: Any) -> Any:
        return x[TABLE["a"]]

    before = Digest(uses).hex, Digest(uses_table).hex
    monkeypatch.setitem(globals(), "LEVEL", 4.0)
    monkeypatch.setitem(TABLE, "a", [1, 3])
    after = Digest(uses).hex, Digest(uses_table).hex
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_class_of_the_users_own_counts_with_what_its_methods_do() -> None:
    def made(factor: float) -> Any:
        class Own:
            def plan(self, inp: Any) -> Any:
                return inp * factor

            @staticmethod
            def helps() -> float:
                return factor

        return Own()

    assert Digest(made(2)).hex == Digest(made(2)).hex != Digest(made(3)).hex


def test_things_of_one_value_and_other_types_differ() -> None:
    things = [1, 1.0, True, "1", b"1", (1,), [1], {1}, {1: 1}, np.array(1), np.array([1]), np.array([1.0]), None, 1j]
    assert len({Digest(thing).hex for thing in things}) == len(things)
    assert Digest("ab", "c").hex != Digest("a", "bc").hex


def test_what_holds_itself_ends() -> None:
    ring: list[Any] = []
    ring.append(ring)
    assert Digest(ring).hex == Digest(ring).hex


def test_a_strided_array_counts_as_its_values() -> None:
    x = np.arange(60_000.0).reshape(-1, 3)
    assert Digest(x[:, 1]).hex == Digest(x[:, 1].copy()).hex
    assert Digest(x.T).hex != Digest(x).hex


def test_files_are_found_and_left_to_their_identity(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(bytes(800))
    one, other = (signals.open(tmp_path / name, dtype="float64") for name in ("a", "b"))
    both = Digest(signals.concat([one, other]).source)
    assert [type(file) for file in both.files] == [FileReader] * 2
    assert [file.path for file in both.files] == [str(tmp_path / name) for name in ("a", "b")]
    assert Digest(one.source).hex == Digest(other.source).hex
    assert Digest(one[10:].source).hex != Digest(one.source).hex


def test_words_have_no_address() -> None:
    assert words_of(signals.Map(np.abs)) == "Map(absolute, block=65536)"
    assert " at 0x" not in words_of([object(), WindowSums(3), features])
