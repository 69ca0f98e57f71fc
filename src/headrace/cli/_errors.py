"""The one place where an exception becomes a message and an exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING

import click

from headrace.errors import HeadraceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ERROR, USAGE, PARTIAL, INTERRUPTED, TERMINATED = 1, 2, 3, 130, 143


class _Terminated(KeyboardInterrupt):
    """SIGTERM came: all that unwinds for Ctrl-C unwinds for it."""


def run(command: click.Command, argv: Sequence[str]) -> int:
    """Run a click command; whatever it raises ends as one message on stderr and an exit code.

    Parameters
    ----------
    command : click.Command
        What to run.
    argv : sequence of str
        The words after the program's name.

    Returns
    -------
    int
        The exit code. A command that wants another than 0 calls ``ctx.exit(code)``.

    Notes
    -----
    click's own ``standalone_mode`` is not used: it lets every exception it does not know become a traceback.
    """
    if "_HEADRACE_COMPLETE" in os.environ:  # the shell asks for completions; click answers and exits
        command.main(list(argv), prog_name="headrace")
    try:
        with _sigterm_raises():
            code = _invoke(command, argv)
        if sys.stdout is not None:  # None where it was closed from the start
            sys.stdout.flush()  # so that a full disk or a closed pipe is noticed here, not at exit
        return code
    except BrokenPipeError:
        _close_stdout()
        return ERROR
    except KeyboardInterrupt as error:
        # Everything has been unwound by now. A second Ctrl-C would only break the way out.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        terminated = isinstance(error, _Terminated)
        text = "\n  ".join(["terminated" if terminated else "interrupted", *getattr(error, "__notes__", ())])
        return _say(text, code=TERMINATED if terminated else INTERRUPTED)
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        return _say(error.format_message(), label="error")
    except click.Abort:
        return _say("interrupted", code=INTERRUPTED)
    except (HeadraceError, OSError, MemoryError, ValueError) as error:
        return _say(message_of(error), label="error")
    except Exception as error:  # noqa: BLE001 (the last door: a bug must not greet a user with a traceback)
        text = f"{type(error).__name__}: {message_of(error)}"
        return _say(f"{text}\n  This is a bug in headrace: HEADRACE_DEBUG=1 shows where.", label="error")


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Let SIGTERM be an exception, so that part files go, unless somebody else has decided what it does."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def terminate(number: int, frame: object) -> None:  # noqa: ARG001 - what `signal` calls
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would break the way out
        raise _Terminated

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _invoke(command: click.Command, argv: Sequence[str]) -> int:
    color = False if os.environ.get("NO_COLOR") else None
    try:
        with command.make_context("headrace", list(argv), color=color) as ctx:
            command.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    return 0


def _say(text: str, *, label: str = "", code: int = ERROR) -> int:
    """Write one message to stderr, and the traceback before it if HEADRACE_DEBUG asks for one."""
    if os.environ.get("HEADRACE_DEBUG") and sys.exc_info()[0] is not None:
        traceback.print_exc()
    if label:
        text = f"{click.style(label + ':', fg='red', bold=True)} {text}"
    with contextlib.suppress(OSError):  # where stderr is gone as well, the exit code has to do
        click.echo(f"headrace: {text}", err=True, color=False if os.environ.get("NO_COLOR") else None)
    return code


def message_of(error: BaseException) -> str:
    """Put an error, and the notes of where it happened, into words."""
    if isinstance(error, OSError) and not isinstance(error, HeadraceError) and error.strerror:
        names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes))]
        text = ": ".join([*names, error.strerror])
    elif isinstance(error, MemoryError) and not str(error):
        text = "out of memory; a smaller --memory, or more of it, may help"
    else:
        text = str(error) or type(error).__name__
    return "\n  ".join([text, *getattr(error, "__notes__", ())])


def _close_stdout() -> None:
    """Let the interpreter's last flush of stdout go nowhere, as ``signal`` in Python's library advises."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
