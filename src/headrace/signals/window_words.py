"""The words in which a window is asked of SciPy."""

from __future__ import annotations

from typing import Any

from headrace.core.checks import finite_number

__all__ = ["sendable_window"]


def sendable_window(window: Any) -> Any:
    """Take a window's name, a name with parameters, or a Kaiser window's beta: what can be sent and compared."""
    if isinstance(window, str):
        return window
    if isinstance(window, tuple):
        return tuple(part if isinstance(part, str) else finite_number("window", part) for part in window)
    return finite_number("window", window)
