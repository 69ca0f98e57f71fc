"""The group of all commands, which imports a command's file only when that command runs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

import headrace
from headrace.cli._help import examples

COMMANDS: dict[str, str] = {
    # command (and the module of headrace.cli whose `command` it is) -> its line in `headrace --help`,
    # kept here so that printing the help imports none of them
    "bench": "Measure headrace against its rivals on this machine.",
    "demo": "Filter a recording bigger than the budget and show what it cost.",
    "doctor": "Say what is installed, what is missing, and which limits will bite.",
    "info": "Describe whatever a path holds.",
    "signal": "Filter, search, convert and draw recordings.",
}


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own.

    Parameters
    ----------
    package : str
        The package that holds one module per command.
    lines : dict
        Command -> one line of help. The module has the command's name, and its attribute `command`
        is the click command.
    """

    def __init__(self, name: str | None, *, package: str, lines: dict[str, str], **settings: Any) -> None:
        super().__init__(name, **settings)
        self._package, self._lines = package, lines

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """Name the commands, in the order of the help."""
        return sorted(self._lines)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's module and return its command; None for a word that is no command."""
        if cmd_name not in self._lines:
            return None
        command = import_module(f"{self._package}.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"{self._package}.{cmd_name}.command is {command!r}, not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from their lines alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._lines[name]) for name in self.list_commands(ctx)])


@click.group(
    cls=LazyGroup,
    package="headrace.cli",
    lines=COMMANDS,
    epilog=examples(
        "headrace doctor",
        "headrace signal filter recording.npy filtered.npy --taps taps.npy --memory 64MB",
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(headrace.__version__, prog_name="headrace", message="%(prog)s %(version)s")
def app() -> None:
    """Bring data to the compute: recordings bigger than memory, in a budget that is kept.

    Exit codes: 0 done, 1 error, 2 usage, 3 done in part, 130 interrupted, 143 terminated.
    HEADRACE_DEBUG=1 shows the traceback of an error, NO_COLOR=1 turns colour off.
    """
