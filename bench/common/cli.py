"""One argument parser for every door.

A wrong argument is bad input like any other: one line that says what is wrong and names the help of the door that was
called, and exit status 2. `--help` prints the door's whole docstring, which explains the measurement, and its options.
"""

from __future__ import annotations

import argparse
from typing import NoReturn

from bench.common.errors import BadInput
from bench.common.read import bounded


class Parser(argparse.ArgumentParser):
    """The parser of one door.

    door: the module's name as it is typed, such as `bench.run`. text: the door's docstring, which `--help` shows as it
    is written.
    """

    def __init__(self, door: str, text: str) -> None:
        super().__init__(
            prog=f"python -m {door}",
            description=text.strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Raise BadInput in place of argparse's usage text. A door calls it for a value outside its range, too."""
        raise BadInput(f"{bounded(message)}; see {self.prog} --help")
