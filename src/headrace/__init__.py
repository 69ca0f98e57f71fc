"""headrace brings data to the compute.

Recordings, image sets, point clouds and live sensor frames that are too big for memory or too fast for queues flow, as
zero-copy chunks, through a bounded ring of recycled buffers, to whoever consumes them.

``import headrace`` loads NumPy and nothing heavy; each part is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace import errors, signals
    from headrace.core.budget import Budget
    from headrace.core.buffers import BufferPool

__version__ = "0.1.0"

_HOMES = {
    "BufferPool": "headrace.core.buffers",
    "Budget": "headrace.core.budget",
    "errors": "headrace.errors",
    "signals": "headrace.signals",
}

__all__ = ["Budget", "BufferPool", "__version__", "errors", "signals"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'headrace' has no attribute {name!r}")
    module = import_module(home)
    found = module if home == f"headrace.{name}" else getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
