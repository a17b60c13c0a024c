"""What is said in one line where MLflow did not take something, or where something was done there that needs a word."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from bench.common.errors import BadInput
from bench.store.tracking_uri import without_secrets

LONGEST_REASON = 240  # characters


def refusal(error: Exception, file: Path) -> str:
    """One line that says what MLflow did not take and why, and where the records are."""
    return (
        f"MLflow did not take everything ({in_short(error)}); nothing is lost: the records are in {file}, and the"
        " next run logs them"
    )


def in_short(error: Exception) -> str:
    """What an exception says, in one line that is not too long and has no secret in it."""
    return without_secrets(" ".join(str(error).split()))[:LONGEST_REASON]


@contextmanager
def answers(records: Path) -> Iterator[None]:
    """Let whatever MLflow, its database or its server raise be one line. records: where they are. Raises BadInput."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"MLflow does not answer ({in_short(error)}); the records are in {records}") from error


def tell(text: str) -> None:
    """A line on standard error, above a progress bar if there is one."""
    tqdm.write(text, file=sys.stderr)
