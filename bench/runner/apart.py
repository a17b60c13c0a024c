"""A function in a fresh process of its own, for work that must not run in the parent: the parent never imports torch.

Standard output and standard error are the parent's. Workers are started otherwise (bench/runner/launch.py): the parent
listens to them while they run, and a bare machine can start one by hand.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

from bench.common.errors import BadInput, exit_code

LOOK_S = 1.0  # how often `meanwhile` is called


def run(
    function: Callable[..., bool], *arguments: object, environment: Mapping[str, str] | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> bool:  # fmt: skip
    """Call a function of a module in a new process and wait for it. Returns whether it returned True.

    environment: variables of the other process, there before it imports anything. meanwhile: is called here every
    second while the other process works. Function and arguments are pickled, so the module must be one that this
    process can import. Raises the BadInput that the function raised, so that its line is printed once.
    """
    context = multiprocessing.get_context("spawn")  # a fork would copy this process's threads and open files
    refusal, sends_refusal = context.Pipe(duplex=False)
    process = context.Process(target=enter, args=(function, arguments, sends_refusal))
    with variables(environment or {}):
        process.start()
    sends_refusal.close()  # the other process has its own end
    try:
        while process.is_alive():
            process.join(LOOK_S if meanwhile else None)
            if meanwhile:
                meanwhile()
    finally:
        process.kill()  # Ctrl-C, say: nothing is left behind; a process that has ended does not mind
        process.join()
    with refusal, suppress(EOFError):  # the end without a word: nothing was refused
        raise BadInput(refusal.recv())
    return process.exitcode == 0


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process's environment for a while: a process that starts meanwhile gets a copy."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def enter(function: Callable[..., bool], arguments: tuple, sends_refusal: Connection) -> None:
    """What the new process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C belongs to the parent
    threading.Thread(target=end_with_parent, daemon=True).start()

    def status() -> int:
        try:
            return 0 if function(*arguments) else 1
        except BadInput as error:  # on its way to the parent, which prints it
            sends_refusal.send(str(error))
            return 2

    sys.exit(exit_code(status))


def end_with_parent() -> None:
    """End this process as soon as the parent has ended, however it ended."""
    multiprocessing.parent_process().join()
    os._exit(1)
