"""What is said in one line where MLflow did not take something, or where something was done there that needs a word."""

import sys
from pathlib import Path

from tqdm import tqdm

from bench.store.tracking_uri import without_password

LONGEST_REASON = 240  # characters


def refusal(error: Exception, file: Path) -> str:
    """One line that says what MLflow did not take and why, and where the records are."""
    return (
        f"MLflow did not take everything ({in_short(error)}); nothing is lost: the records are in {file}, and the"
        " next run logs them"
    )


def in_short(error: Exception) -> str:
    """What an exception says, in one line that is not too long and has no password in it."""
    return without_password(" ".join(str(error).split()))[:LONGEST_REASON]


def tell(text: str) -> None:
    """A line on standard error, above a progress bar if there is one."""
    tqdm.write(text, file=sys.stderr)
