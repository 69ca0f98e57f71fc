"""Providers by name: the one door through which a convenience may reach up, and plug-ins come in.

A package offers a provider as an entry point in the group ``headrace.<kind>``, for example::

    [project.entry-points."headrace.executor"]
    dask = "headrace_dask:executor"

Kinds in use: ``source`` (by file suffix, ``open(path, **options)``), ``sink`` (by file suffix, ``sink(path,
**options)``), ``table`` (by file suffix, a sink for rows, ``table(path, **options)``), ``table_reader`` (by file
suffix, ``reader(path)``), ``device`` (by kind, ``device(name)``) and ``executor`` (by name, ``executor(name,
threads)``). Entry points are read once, on the first question that the providers registered in this process do not
answer.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from headrace.core.forks import renew_lock_in_child

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["find", "names", "register"]


class _Registry:
    """The providers known to this process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        renew_lock_in_child(self)
        self._known: dict[tuple[str, str], Callable[..., Any]] = {}
        self._entry_points: dict[str, dict[str, Any]] = {}

    def register(self, kind: str, name: str, provider: Callable[..., Any]) -> None:
        with self._lock:
            self._known[kind, name] = provider

    def find(self, kind: str, name: str) -> Callable[..., Any] | None:
        with self._lock:
            found = self._known.get((kind, name))
        if found is not None:
            return found
        entry = self._read(kind).get(name)
        if entry is None:
            return None
        provider: Callable[..., Any] = entry.load()
        self.register(kind, name, provider)
        return provider

    def names(self, kind: str) -> list[str]:
        with self._lock:
            own = {name for known, name in self._known if known == kind}
        return sorted(own | set(self._read(kind)))

    def _read(self, kind: str) -> dict[str, Any]:
        with self._lock:
            if kind not in self._entry_points:
                from importlib.metadata import entry_points

                self._entry_points[kind] = {entry.name: entry for entry in entry_points(group=f"headrace.{kind}")}
            return self._entry_points[kind]


_registry = _Registry()


def register(kind: str, name: str, provider: Callable[..., Any]) -> None:
    """Offer a provider for this process; a later one of the same name replaces it."""
    _registry.register(kind, name, provider)


def find(kind: str, name: str) -> Callable[..., Any] | None:
    """Give the provider of that kind and name, loading its package; ``None`` if there is none."""
    return _registry.find(kind, name)


def names(kind: str) -> list[str]:
    """List the names known for a kind, sorted."""
    return _registry.names(kind)
