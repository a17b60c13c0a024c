"""What runs on a card's own host: it holds the card's lock and starts the worker processes of the rounds dealt to it.

Ray starts a `Holder` there as an actor (bench/runner/cluster.py). It imports no Ray and no torch.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from bench.common import provenance
from bench.common.errors import BadInput
from bench.devices import lock
from bench.devices.cards import Card, Host, here
from bench.runner.launch import Worker

READ_S = 2.0  # that `read` waits for a line


def host_here(directory: str) -> tuple[Host | None, str]:
    """This machine, or why that cannot be told. directory: of the parent, where the repository stands here too."""
    try:
        os.chdir(directory)
        return here(), ""
    except (BadInput, OSError) as error:
        return None, str(error)


class Holder:
    """Holds a card for a study, and runs one worker process at a time on it."""

    def __init__(self, card: Card, study: str, directory: str, environment: Mapping[str, str | None]):
        """directory: of the parent, where the repository stands here too. environment: the parent's variables that
        workers read; None for one that is not set there."""
        self.card = card
        self.study = study
        self.directory = directory
        self.environment = environment
        self.stack = contextlib.ExitStack()
        self.worker: Worker | None = None
        self.number = 0  # of the workers that were started
        self.lines: list[bytes] = []

    def hold(self, code: str) -> str:
        """Take the card's lock; why not, if that fails. code: hash of the parent's code, which must run here too.

        A process before this one, which was killed, is given time to let go of it.
        """
        os.chdir(self.directory)
        self.take_over_environment()
        if provenance.code() != code:
            return f"{self.card.host}: {self.directory} holds other code than this machine's; copy the repository there"
        try:
            self.stack.enter_context(lock.lock(self.card.uuid, self.study, lock.HELD_ON_S))
            return ""
        except BadInput as error:
            return f"{self.card.host}: {error}"

    def take_over_environment(self) -> None:
        """Give the variables that workers read the values that they have in the parent."""
        for name, value in self.environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value

    def start(
        self, folder: Path, files: Mapping[str, bytes], round_: int, cell_ids: list[str], log: str, command: list[str]
    ) -> int:  # fmt: skip
        """Start a worker process in place of the one before; returns its number.

        folder: of the work, by its absolute path; files: what it holds, written where it is not there yet. log: name
        of the file that takes what the worker prints. command: of a worker, without the Python that runs it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            file = folder / name
            if not file.is_file() or file.read_bytes() != content:
                file.write_bytes(content)
        self.take_over_environment()  # once more, since Ray sets some of its own
        self.stop()
        gpu = None if self.card.is_part_of_cpu else self.card.uuid
        self.lines = []
        self.worker = Worker(folder, round_, cell_ids, folder / log, gpu, self.card.cores, (sys.executable, *command))
        self.number += 1
        return self.number

    def read(self, number: int, first: int) -> tuple[list[bytes], str | None]:
        """The lines of a worker, by its number, from one of them on, and its last words where it has ended; waits a
        while for a line.

        To ask twice for the same lines is safe, so that an answer that was lost on its way loses none.
        """
        if number != self.number:
            return [], "another worker came in its place"
        worker, lines = self.worker, self.lines
        deadline = time.monotonic() + READ_S
        while len(lines) <= first:
            try:
                line = worker.lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if line is None:
                worker.lines.put(None)  # for whoever asks again
                return lines[first:], worker.last_words()
            lines.append(line)
        return lines[first:], None

    def stop(self) -> None:
        """End the worker process, if there is one. Called while `read` waits, which then returns."""
        if self.worker:
            self.worker.stop()
