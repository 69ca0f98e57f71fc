"""Conformance suites for sources, operators and executors, reference operators, and fault injectors.

Nothing here needs pytest; a check that fails raises `AssertionError`. The hypothesis strategies are in
`headrace.testing.strategies`.
"""

from headrace.testing.executors import RepeatingExecutor, check_executor
from headrace.testing.faults import TriggeredSource, no_leaks
from headrace.testing.operators import check_operator, relative_error
from headrace.testing.reference import BlockMean, CumulativeSum, DoubleSum, Reversal, WindowSums
from headrace.testing.sources import check_source, from_reads

__all__ = [
    "BlockMean",
    "CumulativeSum",
    "DoubleSum",
    "RepeatingExecutor",
    "Reversal",
    "TriggeredSource",
    "WindowSums",
    "check_executor",
    "check_operator",
    "check_source",
    "from_reads",
    "no_leaks",
    "relative_error",
]
