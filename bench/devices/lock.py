"""The lock that keeps two studies off one device."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.common.errors import BadInput
from bench.devices.choose import gpu

LOCKS = "LLADA_BENCH_LOCKS"  # environment: another place for them, for tests
LOCK_FOLDER = "/tmp"  # not TMPDIR, which differs between the jobs of a cluster's node


@contextmanager
def lock(name: str, study: str) -> Iterator[None]:
    """Hold a device, named by its UUID (or `cpu`), while a study runs on it. Raises BadInput naming who has it.

    The system lets go of it when this process ends, however it ends.
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
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"device {name} is in use by {holder(stream.read())}; wait for it, or stop it") from None
        note = {"pid": os.getpid(), "study": study, "since": time.strftime("%H:%M"), "in": os.getcwd()}
        with suppress(OSError):  # on a full disk it is held without a name
            stream.truncate(0)
            stream.write(json.dumps(note))
            stream.flush()
        yield


@contextmanager
def held(where: str, study: str, here: bool = False) -> Iterator[tuple[str, str] | None]:
    """Hold the device to run on, `cpu` or `cuda`; (UUID, name) of a GPU, None for the CPU.

    here: this process computes on it too, and shall see no other GPU.
    """
    found = gpu() if where == "cuda" else None
    with lock(found[0] if found else "cpu", study):
        if found and here:
            os.environ["CUDA_VISIBLE_DEVICES"] = found[0]  # torch reads it at its first use of a device
        yield found


def holder(text: str) -> str:
    """Who holds a lock, from what they wrote into it."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:  # it has only just taken it
        return "another study"
    return f"study {found['study']} (process {found['pid']}, since {found['since']}, in {found['in']})"
