from __future__ import annotations

from typing import Any

import pytest

from headrace.core import registry


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registry", registry._Registry())


class Entry:
    """An entry point as importlib.metadata gives them."""

    def __init__(self, name: str, provider: Any) -> None:
        self.name, self.provider, self.loads = name, provider, 0

    def load(self) -> Any:
        self.loads += 1
        return self.provider


def test_a_registered_provider_is_found_and_a_later_one_replaces_it() -> None:
    assert registry.find("sink", ".abc") is None
    registry.register("sink", ".abc", len)
    registry.register("sink", ".abc", max)
    assert registry.find("sink", ".abc") is max
    assert registry.find("source", ".abc") is None
    assert registry.names("sink") == [".abc"]


def test_entry_points_are_read_once_and_loaded_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    entry = Entry("dask", max)

    def entry_points(group: str) -> list[Entry]:
        asked.append(group)
        return [entry]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    assert registry.names("executor") == ["dask"]
    assert entry.loads == 0
    assert registry.find("executor", "dask") is max
    assert registry.find("executor", "dask") is max
    assert registry.find("executor", "ray") is None
    assert (asked, entry.loads) == (["headrace.executor"], 1)
