"""Bad input: one line that says what, where and what to do; exit status 2."""

import sys
from collections.abc import Callable


class BadInput(Exception):
    """The user asked for something that cannot be run. The message is the whole explanation."""


def exit_code(main: Callable[[], int]) -> int:
    """Run a command's main function; turn BadInput into one line on standard error and status 2."""
    try:
        return main()
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; what was measured is kept, the same command goes on from here", file=sys.stderr)
        return 130
