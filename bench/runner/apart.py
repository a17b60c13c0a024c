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
from collections.abc import Callable, Mapping

from bench.common.errors import exit_code


def run(function: Callable[..., bool], *arguments: object, environment: Mapping[str, str] | None = None) -> bool:
    """Call a function of a module in a new process and wait for it. Returns whether it returned True.

    Bad input in it is one line on standard error, as in a command, and False here. environment: variables that are set
    before the call. Function and arguments are pickled, so the module must be one that this process can import.
    """
    context = multiprocessing.get_context("spawn")  # a fork would copy this process's threads and open files
    process = context.Process(target=enter, args=(function, arguments, dict(environment or {})))
    process.start()
    try:
        process.join()
    finally:
        process.kill()  # Ctrl-C, say: nothing is left behind; a process that has ended does not mind
        process.join()
    return process.exitcode == 0


def enter(function: Callable[..., bool], arguments: tuple, environment: Mapping[str, str]) -> None:
    """What the new process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C belongs to the parent
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.environ.update(environment)
    sys.exit(exit_code(lambda: 0 if function(*arguments) else 1))


def end_with_parent() -> None:
    """End this process as soon as the parent has ended, however it ended."""
    multiprocessing.parent_process().join()
    os._exit(1)
