"""The tables of the demo: contenders side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.cli._demo_child import Cost
from headrace.core.sizes import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.table import Table

    from headrace.cli._demo_child import Failure

__all__ = ["comparison", "cost_rows"]


def comparison(titles: Sequence[str], rows: Mapping[str, Sequence[str]]) -> Table:
    """Make a table with a column for each contender, headrace first."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", style="dim")
    for number, title in enumerate(titles):
        table.add_column(title, justify="right", style="" if number else "bold green")
    for title, cells in rows.items():
        table.add_row(title, *cells)
    return table


def cost_rows(costs: Sequence[Cost | Failure]) -> dict[str, list[str]]:
    """Write down what contenders took; a dash for those that failed."""

    def row(write: Callable[[Cost], Any]) -> list[str]:
        return [write(cost) if isinstance(cost, Cost) else "-" for cost in costs]

    return {
        "time": row(lambda cost: f"{cost.seconds:.2f} s"),
        "speed": row(lambda cost: f"{cost.mb_per_s:,.0f} MB/s"),
        "CPU": row(lambda cost: f"{cost.cpu_seconds:.2f} s"),
        "peak memory": row(lambda cost: format_bytes(cost.total)),
        "  anonymous": row(lambda cost: format_bytes(cost.anon)),
        "  file-mapped": row(lambda cost: format_bytes(cost.file)),
    }
