"""Functions for tests/runner/test_apart.py to call in a process of their own; without torch, which takes seconds."""

import os
import time
from pathlib import Path

from bench.common.errors import BadInput

LONG_S = 60.0  # no test waits for so long


def write_place(file: Path, parent: int) -> bool:
    """Say in a file whether this is another process, and what a variable holds here."""
    file.write_text(f"{os.getpid() != parent} {os.environ.get('GREETING')}")
    return True


def give_up() -> bool:
    return False


def refuse() -> bool:
    raise BadInput("nothing to do")


def wait_long(file: Path) -> bool:
    file.write_text(str(os.getpid()))
    time.sleep(LONG_S)
    return True


def sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True


def say_nothing(*arguments: object) -> bool:
    """End at once, as a process does that the system kills."""
    os._exit(9)


def score_and_die_at_the_encoder(*arguments: object) -> bool:
    """`scoring.score_study` in a process that is killed when BERTScore's encoder is loaded."""
    from bench.quality import models, scoring

    models.BertScore = say_nothing
    return scoring.score_study(*arguments)
