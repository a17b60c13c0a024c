"""Does the verdict notice a second tenant? The positive control of exclusivity, on a real card.

The sentinel is measured alone, then again while another process takes memory and multiplies matrices on the same card.
If the second measurement is not `violated`, no verdict of this machine can be believed.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench.common.errors import BadInput
from bench.common.units import GIB
from bench.devices import choose, lock
from bench.records import trust
from bench.records.types import Round
from bench.runner import notices, request
from bench.runner.launch import Worker
from bench.runner.request import Request
from bench.spec import sentinel
from bench.spec.cell import Cell
from bench.spec.work import Work

BE_TENANT = "be-tenant"  # the argument of `python -m bench.tenant` that makes a process the tenant
TENANT_BYTES = 2 * GIB  # that the tenant takes
BYTES_A_VALUE = 4  # of float32
WIDTH = 4096  # of the matrices that the tenant multiplies
PRODUCTS_AT_ONCE = 20  # between two waits for the card
DISTURBED_S = 12.0  # a tenant needs seconds to open its context; only the later half is compared


@dataclass(frozen=True)
class Reading:
    """One measurement of the sentinel: latency of each call in ms, NVML's verdict and what it is based on."""

    latencies_ms: list[float]
    verdict: str
    reasons: list[str]

    @property
    def words(self) -> str:
        return f"{self.verdict}{': ' if self.reasons else ''}{'; '.join(self.reasons)}"

    @property
    def later_half_ms(self) -> float:
        """Median latency of the calls of the later half."""
        return statistics.median(self.latencies_ms[len(self.latencies_ms) // 2 :])


@dataclass(frozen=True)
class Control:
    """The sentinel's reading alone, and beside a tenant."""

    alone: Reading
    beside: Reading

    @property
    def noticed(self) -> bool:
        return self.beside.verdict == "violated"

    @property
    def factor(self) -> float:
        """By what the tenant slowed the sentinel."""
        return self.beside.later_half_ms / statistics.median(self.alone.latencies_ms)


def check(pair: str, folder: Path | None, tell: Callable[[str], None]) -> Control:
    """Measure the sentinel of a pair, or of a work folder, alone and beside a tenant.

    tell: is given a line after each of the two. Raises BadInput without a GPU or a sentinel, and where the card is not
    ours alone to begin with.
    """
    work, cell, gpu = sentinel_on_gpu(pair, folder)
    with lock.lock(gpu, "tenant-check"):
        notices.say("one small cell alone, then beside a second process; about a minute")
        alone = measured(work, cell, gpu)
        latency_ms = statistics.median(alone.latencies_ms)
        tell(f"alone:         {latency_ms:8.1f} ms, {alone.words}")
        if alone.verdict not in trust.PRINTED:
            raise BadInput("the card is not ours alone without the tenant: the check would prove nothing")
        beside = disturbed(work, cell, gpu, latency_ms)
    tell(f"with a tenant: {beside.later_half_ms:8.1f} ms, {beside.words}")
    return Control(alone, beside)


def sentinel_on_gpu(pair: str, folder: Path | None) -> tuple[Work, Cell, str]:
    """The work, one of the sentinel's twins in it, and the UUID of the card. Raises BadInput where one is missing."""
    work, _ = request.resolve(Request(grids=(sentinel.GRID,), cells=folder, pair=pair, device="cuda"))
    cell = next((cell for cell in work.cells if cell.twin), None)
    gpu = choose.gpu()
    if cell is None or cell.device != "cuda" or gpu is None:
        raise BadInput("tenant-check needs a GPU and, with --cells, a work folder for it that holds the sentinel")
    return work, cell, gpu[0]


def measured(work: Work, cell: Cell, gpu: str, intruder: subprocess.Popen | None = None) -> Reading:
    """A reading of a cell, run in a worker of its own. The intruder begins after the first timed call."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        replace(work, cells=(cell,)).save(folder)
        worker = Worker(folder, 1, [cell.cell_id], folder / "worker.log", gpu)
        try:
            record = record_of(worker, cell, intruder)
        finally:
            worker.stop()
    if not record.is_good:
        raise BadInput(f"the cell failed: {record['message']}")
    return Reading([call.latency_ms for call in record.calls], record.nvml.verdict, list(record.nvml.reasons))


def record_of(worker: Worker, cell: Cell, intruder: subprocess.Popen | None) -> dict:
    """The record that a worker sends of its only cell. Raises BadInput if it dies or takes too long."""
    for event in worker.events({cell.cell_id: cell.time_limit_s}):
        if event["event"] == "progress" and event["done"] == 1 and intruder:
            with suppress(BrokenPipeError):  # the intruder has ended; `disturbed` says so
                intruder.stdin.write(b"begin\n")
                intruder.stdin.flush()
        if event["event"] == "record":
            return Round.from_json(event["record"])
        if event["event"] in ("died", "timeout"):
            raise BadInput(f"the cell failed: {event['message']}")
    raise BadInput("the cell failed: its worker ended without a record")


def disturbed(work: Work, cell: Cell, gpu: str, latency_ms: float) -> Reading:
    """A reading of the same cell beside a tenant, its calls repeated to last `DISTURBED_S`.

    latency_ms: what one call takes without a tenant.
    """
    times = math.ceil(1e3 * DISTURBED_S / latency_ms / cell.prompts)
    prompts = work.prompts_of(cell)[: cell.prompts] * times
    longer = replace(cell, prompts=len(prompts))
    with tenant_beside(gpu) as intruder:
        reading = measured(replace(work, prompts={cell.prompt_hash: prompts}), longer, gpu, intruder)
        if intruder.poll() is not None:
            raise BadInput(f"the tenant ended before its time, with status {intruder.returncode}: see above")
    return reading


@contextmanager
def tenant_beside(gpu: str) -> Iterator[subprocess.Popen]:
    """A tenant on the card that has loaded its libraries and waits for a line to begin; it is killed at the end."""
    command = [sys.executable, "-m", "bench.tenant", BE_TENANT]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": gpu}
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def be_tenant() -> None:
    """What the tenant's process does: wait for a line, then hold memory and compute until standard input closes."""
    import torch

    from bench.measure.worker import end_with_parent

    sys.stdin.readline()
    threading.Thread(target=end_with_parent, daemon=True).start()
    block = torch.ones(TENANT_BYTES // BYTES_A_VALUE, device="cuda")
    matrix = torch.randn(WIDTH, WIDTH, device="cuda", dtype=torch.bfloat16)
    while block is not None:
        for _ in range(PRODUCTS_AT_ONCE):
            matrix @ matrix
        torch.cuda.synchronize()
