"""How a command ends: bad input is one line that says what, where and what to do, with exit status 2."""

import errno
import os
import select
import sys
from collections.abc import Callable

# What a disk says that takes nothing: it is full, over its quota, read-only, or not ours.
CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
STOPPED = 130  # exit status after Ctrl-C, by the shells' rule: 128 and the number of the signal
READER_GONE = 141  # exit status where nobody reads what is printed any more, by the same rule


class BadInput(Exception):
    """The user asked for something that cannot be run. The message is the whole explanation."""


def exit_code(main: Callable[[], int]) -> int:
    """Run a command's main function; turn BadInput, and a disk that takes nothing, into one line and status 2.

    A reader that has gone (`make report | head -1`) ends the command without a word.
    """
    print_anything()
    try:
        try:
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
    except KeyboardInterrupt:
        print("stopped; what was measured is kept, the same command goes on from here", file=sys.stderr)
        return STOPPED


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
