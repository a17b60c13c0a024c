"""How a command ends: bad input is one line that says what, where and what to do, with exit status 2."""

import contextlib
import errno
import math
import multiprocessing
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

# What a disk says that takes nothing: it is full, over its quota, read-only, or not ours.
CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
STOPPED = 130  # exit status after Ctrl-C, by the shells' rule: 128 and the number of the signal
TERMINATED = 143  # exit status after SIGTERM, by the same rule
READER_GONE = 141  # exit status where nobody reads what is printed any more, by the same rule
# The signals that stop a command, and how Python starts with them.
DEFAULTS = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
SAME_STOP_S = 2.0  # within which a further signal to stop counts as the same one


class BadInput(Exception):
    """The user asked for something that cannot be run. The message is the whole explanation."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM: `kill`, a batch system or a container that stops sends it."""


def exit_code(main: Callable[[], int]) -> int:
    """Run a command's main function; turn BadInput, and a disk that takes nothing, into one line and status 2.

    Ctrl-C and SIGTERM end it in one line too, once everything that it has begun is closed. A reader that has gone
    (`make report | head -1`) ends the command without a word.
    """
    print_anything()
    try:
        try:
            with stopped_by_signals():
                return main()
        finally:
            if sys.stdout:
                sys.stdout.flush()  # here and not at Python's end, where an error could not be caught any more
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if isinstance(error, BrokenPipeError) and reader_has_gone():
            drop_output()
            return READER_GONE
        if error.errno not in CANNOT_WRITE:
            raise
        print(
            f"error: {error.filename or 'a file'}: {error.strerror}; what was measured is kept, mend that and give the"
            " same command again",
            file=sys.stderr,
        )
        drop_output()
        return 2
    except KeyboardInterrupt as error:
        print("stopped; what was measured is kept, the same command goes on from here", file=sys.stderr)
        return TERMINATED if isinstance(error, Terminated) else STOPPED


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM stop this process meanwhile as Ctrl-C does, where it would end it on the spot.

    A process of multiprocessing's is left alone, since its parent ends it; so is a thread, which gets no signals, and
    so is a signal that something else handles.
    """
    is_main = threading.current_thread() is threading.main_thread() and multiprocessing.parent_process() is None
    ours = [number for number, default in DEFAULTS.items() if is_main and signal.getsignal(number) is default]
    stop = Stop()
    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, DEFAULTS[number])


class Stop:
    """Handles a signal by raising KeyboardInterrupt, of SIGTERM Terminated.

    Another signal soon after is of the same stop and does not disturb the closing: `timeout` sends each twice, to the
    process and to its group, and some waits of Python's own cannot be interrupted twice. A later one raises again, for
    a closing that hangs.
    """

    def __init__(self) -> None:
        self.raised_s = -math.inf

    def __call__(self, number: int, frame: object) -> None:
        now_s = time.monotonic()
        if now_s - self.raised_s < SAME_STOP_S:
            return
        self.raised_s = now_s
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def print_anything() -> None:
    """Let both outputs take any text: a character that the terminal's encoding lacks is printed as its number."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a stream that replaces the terminal's may be of any kind
            stream.reconfigure(errors="backslashreplace")


def reader_has_gone() -> bool:
    """Whether standard output is a pipe whose other end is closed; other broken pipes are faults of ours."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError):  # there is no standard output, or none that the system knows
        return False
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def drop_output() -> None:
    """Give up what standard output does not take: Python would try to write it once more at its end, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
