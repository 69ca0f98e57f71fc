"""`headrace`, its errors, and `headrace doctor`, in fresh processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import command_line
import pytest

from headrace.core import machine

# Run in a child: a command line whose only command raises whatever the test wants.
RAISING = """
import sys
import click
from headrace import errors
from headrace.cli import _errors

@click.command()
@click.option("--n", type=int)
def command(n):
    {body}

sys.exit(_errors.run(command, sys.argv[1:]))
"""


def headrace(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "headrace.cli", *words], **environment)


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    env = command_line.environment() | environment
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)


def raising(body: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-c", RAISING.format(body=body), *words], **environment)


def test_version_and_help_load_no_command() -> None:
    assert headrace("--version").stdout.startswith("headrace ")
    code = (
        "import sys; from headrace.cli import main; main(['--help'])\n"
        "print(sorted({'headrace.cli.doctor', 'headrace.cli.signal', 'rich'} & set(sys.modules)))"
    )
    done = run([sys.executable, "-c", code])
    assert done.returncode == 0
    assert "doctor" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_installed_command_is_the_module() -> None:
    script = Path(sys.executable).with_name("headrace")
    assert run([str(script), "--version"]).stdout == headrace("--version").stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    done = headrace("millwheel")
    assert done.returncode == 2
    assert "millwheel" in done.stderr
    assert done.stdout == ""


def test_without_its_extra_the_command_says_what_to_install() -> None:
    code = (
        "import sys, importlib.util as util\n"
        "real = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'click' else real(name, *rest)\n"
        "from headrace.cli import main\n"
        "sys.exit(main([]))"
    )
    done = run([sys.executable, "-c", code])
    assert done.returncode == 1
    assert done.stderr == ("headrace: error: the command line needs click; run: pip install 'headrace[cli]'\n")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise errors.FormatError('12 bytes are no multiple of 8')", "12 bytes are no multiple of 8"),
        ("open('absent.npy')", "absent.npy: No such file or directory"),
        ("raise MemoryError", "out of memory"),
        ("raise ValueError('--fs is missing')", "--fs is missing"),
        ("raise TypeError('int + str')", "TypeError: int + str"),
        ("raise click.ClickException('words')", "words"),
    ],
)
def test_an_error_is_one_message_and_exit_code_1(body: str, words: str) -> None:
    done = raising(body)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("headrace: error: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_notes_of_an_error_are_shown() -> None:
    done = raising("e = ValueError('bad'); e.add_note('in stage 2, span 5:9'); raise e")
    assert done.stderr == "headrace: error: bad\n  in stage 2, span 5:9\n"


def test_debug_shows_the_traceback_as_well() -> None:
    done = raising("raise ValueError('bad')", HEADRACE_DEBUG="1")
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("headrace: error: bad\n")


def test_a_usage_error_is_exit_code_2() -> None:
    done = raising("pass", "--n", "many")
    assert done.returncode == 2
    assert "many" in done.stderr


def test_a_command_can_end_with_its_own_exit_code() -> None:
    assert raising("click.get_current_context().exit(3)").returncode == 3


def test_ctrl_c_is_one_line_and_exit_code_130() -> None:
    done = raising(f"import os; os.kill(os.getpid(), {int(signal.SIGINT)})")
    assert (done.returncode, done.stderr) == (130, "headrace: interrupted\n")


def test_a_closed_pipe_is_quiet() -> None:
    code = RAISING.format(body="[click.echo('x' * 1000) for _ in range(10_000)]")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(timeout=60) == 1


def test_a_full_disk_under_stdout_is_an_error_not_silence() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "headrace.cli", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr


def test_colour_needs_a_terminal_and_obeys_no_color() -> None:
    def through_terminal(**environment: str) -> bytes:
        reader, writer = os.openpty()
        code = RAISING.format(body="raise ValueError('bad')")
        env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | environment
        subprocess.run([sys.executable, "-c", code], stderr=writer, stdin=writer, check=False, env=env)
        os.close(writer)
        text = os.read(reader, 4096)
        os.close(reader)
        return text

    assert b"\x1b[" in through_terminal(TERM="xterm")
    assert b"\x1b[" not in through_terminal(TERM="xterm", NO_COLOR="1")
    assert b"error: bad" in through_terminal(TERM="xterm", NO_COLOR="1")


def test_doctor_finds_everything_that_headrace_needs() -> None:
    done = headrace("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("python", "native core", "numpy", "extra cli", "memory", "open files", "shared memory"):
        assert any(line.startswith(name) for line in done.stdout.splitlines()), name
    assert "\x1b[" not in done.stdout


def test_doctor_in_json_says_the_same() -> None:
    done = headrace("doctor", "--json")
    report = json.loads(done.stdout)
    assert report["ok"] is True
    rows = {row["name"]: row for row in report["rows"]}
    assert rows["native core"]["state"] == "ok"
    assert rows["processors"]["found"].startswith(f"{machine.cpu_count()} ")
    assert all(row["state"] in ("ok", "warn", "missing") for row in report["rows"])


def test_doctor_names_the_command_that_brings_what_is_missing() -> None:
    code = (
        "import sys; sys.modules['headrace._native'] = None\n"
        "import importlib.metadata as metadata\n"
        "real = metadata.version\n"
        "def version(name):\n"
        "    if name == 'scipy': raise metadata.PackageNotFoundError(name)\n"
        "    return real(name)\n"
        "metadata.version = version\n"
        "from headrace.cli import main\n"
        "sys.exit(main(['doctor', '--json']))"
    )
    done = run([sys.executable, "-c", code])
    rows = {row["name"]: row for row in json.loads(done.stdout)["rows"]}
    assert done.returncode == 1
    assert rows["native core"]["state"] == "missing"
    assert rows["extra signals"]["state"] == "missing"
    assert "pip install 'headrace[signals]'" in rows["extra signals"]["remedy"]


def test_doctor_warns_of_limits_that_will_bite() -> None:
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))\n"
        "from headrace.cli import main\n"
        "sys.exit(main(['doctor', '--json']))"
    )
    done = run([sys.executable, "-c", code])
    rows = {row["name"]: row for row in json.loads(done.stdout)["rows"]}
    assert done.returncode == 0
    assert rows["open files"]["state"] == "warn"
    assert rows["open files"]["remedy"].startswith("ulimit -n ")
    assert rows["limit on file size"]["found"] == "1.0 GiB"
