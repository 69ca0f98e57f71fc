"""What a table of events holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from headrace.core.arrays import DType

__all__ = ["EVENT"]

EVENT: DType = np.dtype(
    [
        ("start", np.int64),
        ("end", np.int64),
        ("channel", np.int32),
        ("amplitude", np.float64),
        ("peak", np.int64),
        ("time_s", np.float64),
    ]
)
"""One event, a row of an event table.

`start` and `end` are samples of the flow, half-open; `channel` is its channel; `peak` is the sample of the event that
lies farthest from the median of its block, the first of equals; `amplitude` is the value of that sample, in the flow's
units; `time_s` is the time of `start`, seconds, NaN where the flow has no rate."""
