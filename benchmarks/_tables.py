"""A result of a benchmark as rows of text, from which the terminal and the README make their tables."""

from __future__ import annotations

from typing import Any

from _goals import verdict


def rows(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Lay out a result as headings and rows of text; the README's table is made of the same rows."""
    headings = ["case", "wall s", "min to max", f"{result['unit']}/s", "CPU s", "peak MiB", "wall ratio"]
    lines = []
    for case in result["cases"]:
        if "error" in case:
            lines.append([case["name"], f"failed: {case['error']}", *[""] * 5])
            continue
        wall = case["wall_s"]
        lines.append(
            [
                case["name"],
                f"{wall['median']:.3g}",
                f"{wall['min']:.3g} to {wall['max']:.3g}",
                f"{case['rate']['value']:,.0f}" if "rate" in case else "",
                f"{case['cpu_s']['median']:.3g}",
                f"{case['peak_rss_bytes']['median'] / 2**20:.0f}",
                f"{case['ratio']:.2f}" if "ratio" in case else "",
            ]
        )
    return headings, lines


def table(result: dict[str, Any]) -> str:
    """Write a result as text for a terminal."""
    headings, lines = rows(result)
    fitting = [line for line in lines if not line[1].startswith("failed")]
    widths = [max(len(line[i]) for line in [headings, *(fitting if i else lines)]) for i in range(len(headings))]
    out = [f"{result['name']}: {result['about'].partition(chr(10))[0]}"]
    out.append("  ".join(word.ljust(width) for word, width in zip(headings, widths, strict=True)).rstrip())
    out += ["  ".join(w.ljust(width) for w, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    out += [f"goal: {verdict(goal)}" for goal in result["goals"]]
    out.append(_conditions(result))
    if result["tiny"]:
        out.append("tiny sizes: these figures mean nothing")
    return "\n".join(out) + "\n"


def _conditions(result: dict[str, Any]) -> str:
    machine = result["machine"]
    how = f"{result['cache'].capitalize()} files, median of {result['runs']}"
    where = f"{machine['cpu']}, {machine['cpu_count']} CPUs, Python {machine['python']}, {result['date']}"
    what = "wall and CPU seconds without imports, peak memory with them; ratio: wall time / that of its subject"
    return f"{how}; {what}; {where}"


def markdown(result: dict[str, Any]) -> str:
    """Write a result as a Markdown table, with the command that made it and what became of its goals."""
    headings, lines = rows(result)
    about = result["about"].partition("\n")[0]
    out = [f"**{about}** `{result['command']}`", ""]
    out.append("| " + " | ".join(headings) + " |")
    out.append("|" + "---|" * len(headings))
    out += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines]
    out += ["", f"*{_conditions(result)}.*", ""]
    if result["goals"]:
        out += [*(f"- Goal: {verdict(goal)}." for goal in result["goals"]), ""]
    return "\n".join(out)
