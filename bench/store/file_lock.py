"""A lock on a file, so that two processes of this machine do not change the same thing at once."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE_S = 0.1  # between two tries


@contextmanager
def held(file: Path, limit_s: float) -> Iterator[None]:
    """Wait for a lock and hold it. The system lets go of it when this process ends, however it ends.

    limit_s: seconds after which waiting ends with a TimeoutError. Raises OSError where the file cannot be made.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    deadline_s = time.monotonic() + limit_s
    try:
        while not is_taken(descriptor):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"another process has held {file} for {limit_s:.0f} s; wait for it, or stop it")
            time.sleep(PAUSE_S)
        yield
    finally:
        os.close(descriptor)


def is_taken(descriptor: int) -> bool:
    """Try to take the lock; whether it is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
