"""A worker process as a stream of events. Its death or a passed time limit is an event too."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

COMMAND = (sys.executable, "-m", "bench.worker")
STARTUP_LIMIT_S = 900  # imports and weights, before the first cell is announced


class Worker:
    """One fresh process for a list of cells of one model in one round. gpu: the UUID of the only card it sees."""

    def __init__(self, folder: Path, round_: int, cell_ids: list[str], log: Path, gpu: str | None = None):
        self.log = log
        self.cell_ids = cell_ids
        card = {"CUDA_VISIBLE_DEVICES": gpu} if gpu else {}
        with open(log, "ab") as errors:
            self.log_start = errors.tell()
            self.process = subprocess.Popen(
                [*COMMAND, str(folder), str(round_)],
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
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def events(self, limits_s: dict[str, float]) -> Iterator[dict]:
        """Yield the worker's events; a last `died` or `timeout` names the cell that was running, if any.

        limits_s: seconds that each cell may take in this round. Without such a last event cells may be left too, for
        another worker: this one cannot use its device any more, or came to its end between two cells.
        """
        running, deadline = None, time.monotonic() + STARTUP_LIMIT_S
        unowned = True  # is an end outside a cell the next cell's? until the first record: else nothing would go on
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self.stop()
                if running or unowned:
                    yield {"event": "timeout", "cell_id": running, "message": "no end within the time limit"}
                return
            if line is None or not line.endswith(b"\n"):  # the end, or a line that was cut off by it
                if running or unowned:
                    yield {"event": "died", "cell_id": running, "message": self.last_words(self.process.wait())}
                return
            event = json.loads(line)
            if event["event"] == "end":
                self.stop()  # all is said: however it would end, nothing can be lost
                return
            if event["event"] == "start":
                running, deadline = event["cell_id"], time.monotonic() + limits_s[event["cell_id"]]
            elif event["event"] == "record":
                running, deadline, unowned = None, time.monotonic() + STARTUP_LIMIT_S, False
            elif event["event"] == "beside":
                deadline = time.monotonic() + STARTUP_LIMIT_S
            yield event

    def last_words(self, code: int) -> str:
        """Why a worker ended: signal or status, and the last line it printed."""
        said = self.log.read_bytes()[self.log_start :]
        lines = said.decode(errors="replace").strip().splitlines()
        how = f"signal {-code}" if code < 0 else f"status {code}"
        return f"worker ended with {how}: {lines[-1] if lines else 'it printed nothing'}"[:500]

    def stop(self) -> None:
        """End the process now and wait for it."""
        self.process.kill()
        self.process.wait()
