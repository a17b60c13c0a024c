"""A worker process as a stream of events: start, progress, record, beside (energy or kernels of a cell), end.

The worker's death, or a time limit that has passed, is an event too.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

COMMAND = (sys.executable, "-m", "bench.worker")  # and the work folder and the round
STARTUP_LIMIT_S = 900  # for imports and weights before the first cell, and for what is done between two cells


@contextlib.contextmanager
def pinned_to(cores: Collection[int]) -> Iterator[None]:
    """Let a process that this thread starts meanwhile run on some cores alone: it takes over this thread's."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Worker:
    """One fresh process for a list of cells of one model in one round.

    folder: where the work is saved. log: the file that takes what it prints. gpu: the UUID of the only card it sees.
    cores: numbers of the processors that it may run on; all that this process has where none are given.
    command: of a worker, without folder and round; COMMAND where none is given.
    """

    def __init__(
        self, folder: Path, round_: int, cell_ids: list[str], log: Path, gpu: str | None = None,
        cores: Collection[int] = (), command: Sequence[str] = (),
    ):  # fmt: skip
        self.log = log
        self.cell_ids = cell_ids
        card = {"CUDA_VISIBLE_DEVICES": gpu} if gpu else {}
        with open(log, "ab") as errors, pinned_to(cores):
            self.log_start = errors.tell()
            self.process = subprocess.Popen(
                [*(command or COMMAND), str(folder), str(round_)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C belongs to the parent
                env=os.environ | {"PYTHONUNBUFFERED": "1"} | card,
            )
        self.lines: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        with contextlib.suppress(BrokenPipeError):  # it ended at once: `events` says so
            self.process.stdin.write(json.dumps(cell_ids).encode() + b"\n")
            self.process.stdin.flush()

    def read(self) -> None:
        """Put the worker's lines into the queue, and None behind the last (a thread of its own does this)."""
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def events(self, limits_s: dict[str, float]) -> Iterator[dict]:
        """Yield the worker's events; a last `died` or `timeout` names the cell that was running, if any.

        limits_s: seconds that each cell may take in this round. Without such a last event cells may be left too, for
        another worker: this one cannot use its device any more, or came to its end between two cells.
        """
        running: str | None = None  # the cell that the worker is on
        deadline = time.monotonic() + STARTUP_LIMIT_S
        # Until the first record an end that no cell is running for counts as the next cell's: a worker that dies at its
        # start would otherwise be started again for ever.
        has_no_record = True
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self.stop()
                if running or has_no_record:
                    yield {"event": "timeout", "cell_id": running, "message": "no end within the time limit"}
                return
            if line is None or not line.endswith(b"\n"):  # the end, or a line that was cut off by it
                if running or has_no_record:
                    yield {"event": "died", "cell_id": running, "message": self.last_words()}
                return
            event = json.loads(line)
            if event["event"] == "end":
                self.stop()  # all is said: however it would end, nothing can be lost
                return
            if event["event"] == "start":
                running = event["cell_id"]
                deadline = time.monotonic() + limits_s[running]
            elif event["event"] == "record":
                running = None
                deadline = time.monotonic() + STARTUP_LIMIT_S
                has_no_record = False
            elif event["event"] == "beside":
                deadline = time.monotonic() + STARTUP_LIMIT_S
            yield event

    def last_words(self) -> str:
        """Why the worker ended: signal or status, and the last line it printed."""
        code = self.process.wait()
        said = self.log.read_bytes()[self.log_start :]
        lines = said.decode(errors="replace").strip().splitlines()
        how = f"signal {-code}" if code < 0 else f"status {code}"
        return f"worker ended with {how}: {lines[-1] if lines else 'it printed nothing'}"[:500]

    def stop(self) -> None:
        """End the process now and wait for it."""
        self.process.kill()
        self.process.wait()
