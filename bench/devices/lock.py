"""The lock that keeps two studies off one device."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from bench.common.errors import BadInput
from bench.devices.choose import gpu

LOCKS = "LLADA_BENCH_LOCKS"  # environment variable: another folder for the locks, for tests
LOCK_FOLDER = "/tmp"  # not TMPDIR, which differs between the jobs of one node of a cluster
HELD_ON_S = 15.0  # how long what a killed run has started may go on holding its device
ASK_AGAIN_S = 0.2


@contextmanager
def lock(name: str, study: str, patience_s: float = 0.0) -> Iterator[None]:
    """Hold a device, named by its UUID (or `cpu`), while a study runs on it. Raises BadInput naming who has it.

    The system lets go of it when this process ends, however it ends. patience_s: how long a holder for the same study
    is waited for: it may be of a process that was killed, and end soon.
    """
    file = Path(os.environ.get(LOCKS, LOCK_FOLDER)) / f"llada-bench-{name}.lock"
    new = 0 if file.exists() else os.O_CREAT  # asking to create another user's file can be refused in a shared /tmp
    try:
        descriptor = os.open(file, os.O_RDWR | new, 0o666)
    except OSError as error:
        raise BadInput(f"{file}: the lock of device {name} cannot be opened ({error.strerror})") from error
    with suppress(PermissionError):
        os.chmod(file, 0o666)  # whatever the umask: other users of this machine take turns with us
    with os.fdopen(descriptor, "r+") as stream:
        take(stream, name, study, patience_s)
        note = {"pid": os.getpid(), "study": study, "since": time.strftime("%H:%M"), "in": os.getcwd()}
        with suppress(OSError):  # on a full disk the lock is held without a name
            stream.truncate(0)
            stream.write(json.dumps(note))
            stream.flush()
        yield


def take(stream: TextIO, name: str, study: str, patience_s: float) -> None:
    """Take the lock on an open file, in which its holder has written a note. Raises BadInput naming who has it."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            note = stream.read()
            stream.seek(0)
            if study_in(note) != study or time.monotonic() >= deadline:
                raise BadInput(f"device {name} is in use by {holder(note)}; wait for it, or stop it") from None
        time.sleep(ASK_AGAIN_S)


@contextmanager
def held(where: str, study: str, here: bool = False) -> Iterator[tuple[str, str] | None]:
    """Hold the device to run on, `cpu` or `cuda`; (UUID, name) of a GPU, None for the CPU.

    study: the name that others are told. here: whether this process computes on the device too; it then sees no other
    GPU. Raises BadInput naming who has the device.
    """
    card = gpu() if where == "cuda" else None
    with lock(card[0] if card else "cpu", study):
        if card and here:
            os.environ["CUDA_VISIBLE_DEVICES"] = card[0]  # torch reads it at its first use of a device
        yield card


def study_in(note: str) -> str | None:
    """The study for which a lock is held, from what its holder wrote; None where it has not written it yet."""
    try:
        return json.loads(note)["study"]
    except json.JSONDecodeError:
        return None


def holder(text: str) -> str:
    """Who holds a lock, from what the holder wrote into it."""
    try:
        note = json.loads(text)
    except json.JSONDecodeError:  # the holder has only just taken it and not yet written
        return "another study"
    return f"study {note['study']} (process {note['pid']}, since {note['since']}, in {note['in']})"
