"""What a door says of itself while it works: what is waited for, and that there was nothing to do."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 3.0  # that one waits at a terminal without asking what for
PATIENCE_OF_A_FILE_S = 30.0  # where nobody looks on: bad input is refused before, in its one line


@contextmanager
def waiting_for(what: str, patience_s: float | None = None) -> Iterator[None]:
    """Say on standard error what is being done, once it has taken longer than one waits without asking."""
    if patience_s is None:
        patience_s = PATIENCE_S if sys.stderr.isatty() else PATIENCE_OF_A_FILE_S
    timer = threading.Timer(patience_s, say, [what])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def say(text: str) -> None:
    """A line on standard error, at once."""
    print(text, file=sys.stderr, flush=True)


class Growth:
    """Whether anything was put on record since this was made. file: of the records, which are only ever appended."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.before = self.size()

    def size(self) -> int:
        return self.file.stat().st_size if self.file.is_file() else 0

    def __bool__(self) -> bool:
        return self.size() > self.before


def unless_idle(lines: Iterable[str], has_worked: Growth) -> Iterator[str]:
    """The lines of a door, those before its first work held back until then; none where it did no work."""
    held: list[str] = []
    for line in lines:
        held.append(line)
        if has_worked:
            yield from held
            held.clear()
