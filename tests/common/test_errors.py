"""What ends a command: one line and its status."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from bench.common.errors import BadInput, Stop, Terminated, exit_code
from tests.conftest import REPO


def ends_with(error: BaseException) -> int:
    def main() -> int:
        raise error

    return exit_code(main)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (BadInput("STEPS=0: expected 1 or more"), 2, "error: STEPS=0: expected 1 or more"),
        (
            OSError(errno.ENOSPC, "No space left on device", "work/cells.json"),
            2,
            "error: work/cells.json: No space left",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "error: x: Permission denied; what was measured"),
        (KeyboardInterrupt(), 130, "stopped; what was measured is kept"),
    ],
)
def test_an_end_is_one_line_and_a_status(error, status, said, capsys):
    assert ends_with(error) == status
    line = capsys.readouterr().err
    assert line.startswith(said)
    assert line.count("\n") == 1


def test_a_fault_of_ours_keeps_its_traceback():
    for error in (FileNotFoundError(errno.ENOENT, "gone"), ValueError("shapes")):
        with pytest.raises(type(error)):
            ends_with(error)


ENDS_SLOWLY = """
import sys, time
from bench.common.errors import exit_code
def main():
    try:
        print("begun", flush=True)
        time.sleep(30)
    finally:
        time.sleep(1)
        print("closed", flush=True)
    return 0
sys.exit(exit_code(main))
"""


STOPS = {signal.SIGINT: 130, signal.SIGTERM: 143}  # with the exit status of each


@pytest.mark.parametrize("again", STOPS)
@pytest.mark.parametrize("number", STOPS)
def test_a_stop_closes_everything_and_a_second_one_soon_after_changes_nothing(number, again):
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", ENDS_SLOWLY], cwd=REPO, stdout=pipe, stderr=pipe, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    ) as command:  # fmt: skip
        assert command.stdout.readline() == "begun\n"
        command.send_signal(number)
        time.sleep(0.3)
        command.send_signal(again)
        out, err = command.communicate()
    assert (out, command.returncode) == ("closed\n", STOPS[number])
    assert err == "stopped; what was measured is kept, the same command goes on from here\n"


def test_a_second_stop_ends_a_closing_that_hangs(monkeypatch):
    clock = iter([10.0, 11.9, 12.1])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    stop = Stop()
    with pytest.raises(KeyboardInterrupt):
        stop(signal.SIGINT, None)
    stop(signal.SIGTERM, None)
    with pytest.raises(Terminated):
        stop(signal.SIGTERM, None)


@pytest.mark.parametrize("number", STOPS)
@pytest.mark.parametrize("before", [signal.SIG_IGN, lambda number, frame: None])
def test_a_signal_that_is_ignored_stays_so_and_that_of_a_caller_is_its_own(before, number):
    of_the_tests = signal.signal(number, before)
    try:
        assert exit_code(lambda: 0 if signal.getsignal(number) is before else 1) == 0
        assert signal.getsignal(number) is before
    finally:
        signal.signal(number, of_the_tests)


PRINTS = (
    "import sys\n"
    "from bench.common.errors import exit_code\n"
    "def main():\n"
    "    for _ in range({lines}):\n"
    "        print({text!a})\n"
    "    return 0\n"
    "sys.exit(exit_code(main))\n"
)


def printing(text: str, lines: int, **settings) -> subprocess.Popen:
    """A command that prints a text so many times."""
    code = PRINTS.format(text=text, lines=lines)
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings
    )


@pytest.mark.parametrize("lines", [1, 100_000])  # less than a buffer, and more than a pipe holds
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone_ends_a_command_without_a_word(lines, unbuffered):
    with printing("a line of a report", lines, env=os.environ | {"PYTHONUNBUFFERED": unbuffered}) as command:
        command.stdout.close()
        assert command.stderr.read() == b""
    assert command.returncode == 141


def test_other_broken_pipes_keep_their_traceback():
    with pytest.raises(BrokenPipeError):
        ends_with(BrokenPipeError(errno.EPIPE, "Broken pipe"))


def test_an_output_that_is_full_is_one_line():
    code = PRINTS.format(text="x", lines=1)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=REPO, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: a file: No space left on device")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
@pytest.mark.parametrize(("text", "said"), [("é 🙂", "\\xe9 \\U0001f642"), ("half \ud83d", "half \\ud83d")])
def test_a_terminal_that_lacks_a_character_is_given_its_number(environment, text, said):
    with printing(text, 1, env=os.environ | environment) as command:
        out, err = command.communicate()
    assert (out.decode("ascii"), err, command.returncode) == (said + "\n", b"", 0)
