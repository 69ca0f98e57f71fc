"""Sphinx extension: the help text of every command, in place of ``<!-- commands -->`` on a page.

The text is asked of the commands themselves at each build, so it cannot go stale.
"""

from collections.abc import Iterator
from typing import Any

import click

from headrace.cli._app import app

MARKER = "<!-- commands -->"
WIDTH = 96  # of the help text: what fits on a page


def contexts(command: click.Command = app, parent: click.Context | None = None) -> Iterator[click.Context]:
    """Walk the commands, each with its full name as ``ctx.command_path``, groups before what they hold."""
    settings = command.context_settings | {"terminal_width": WIDTH, "max_content_width": WIDTH}
    ctx = click.Context(command, info_name=command.name if parent else "headrace", parent=parent, **settings)
    yield ctx
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            if found is not None and not found.hidden:
                found.name = name  # a module calls its command `command`
                yield from contexts(found, ctx)


def reference() -> str:
    """Write one section for each command, in Markdown."""
    sections = []
    for ctx in contexts():
        help_text = ctx.command.get_help(ctx).rstrip()
        sections.append(f"## {ctx.command_path}\n\n```text\n{help_text}\n```\n")
    return "\n".join(sections)


def _fill(_app: Any, _page: str, text: list[str]) -> None:
    if MARKER in text[0]:
        text[0] = text[0].replace(MARKER, reference())


def setup(app: Any) -> dict[str, bool]:
    """Join Sphinx's build."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
