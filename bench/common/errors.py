"""Bad input: one line that says what, where and what to do; exit status 2."""

import errno
import sys
from collections.abc import Callable

# What a disk says that takes nothing: it is full, over its quota, read-only, or not ours.
CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


class BadInput(Exception):
    """The user asked for something that cannot be run. The message is the whole explanation."""


def exit_code(main: Callable[[], int]) -> int:
    """Run a command's main function; turn BadInput, and a disk that takes nothing, into one line and status 2."""
    try:
        return main()
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in CANNOT_WRITE:
            raise
        print(
            f"error: {error.filename or 'a file'}: {error.strerror}; what was measured is kept, mend that and give the"
            " same command again",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("stopped; what was measured is kept, the same command goes on from here", file=sys.stderr)
        return 130
