"""`make tenant-check`: does the verdict notice a second tenant? The positive control of exclusivity, on a real card.

    python -m bench.tenant [--pair NAME] [--cells WORK]

Measures the sentinel alone, then again while another process takes memory and multiplies matrices on the same card.
Exit status 0 if the second measurement is `violated`, 1 if not: then no verdict of this machine can be believed.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bench.common.errors import BadInput
from bench.records.types import Round
from bench.runner.launch import Worker
from bench.spec.cell import Cell
from bench.spec.work import Work

TENANT_GIB = 2
DISTURBED_S = 12.0  # a tenant needs seconds to open its context; the later half is compared


def be_tenant() -> None:
    """Wait for a line, then hold memory and compute until standard input closes."""
    import torch

    from bench.measure.worker import end_with_parent

    sys.stdin.readline()
    threading.Thread(target=end_with_parent, daemon=True).start()
    block = torch.ones(TENANT_GIB << 28, device="cuda")
    matrix = torch.randn(4096, 4096, device="cuda", dtype=torch.bfloat16)
    while block is not None:
        for _ in range(20):
            matrix @ matrix
        torch.cuda.synchronize()


def start_tenant(gpu: str) -> subprocess.Popen:
    """A tenant that has loaded its libraries and waits for a line to begin."""
    command = [sys.executable, "-m", "bench.tenant", "be-tenant"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=os.environ | {"CUDA_VISIBLE_DEVICES": gpu})


def measured(work: Work, cell: Cell, gpu: str, intruder: subprocess.Popen | None = None) -> Round:
    """The record of a cell, run in a worker of its own. The intruder begins with the first timed call that is done."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        replace(work, cells=(cell,)).save(folder)
        worker, record = Worker(folder, 1, [cell.cell_id], folder / "worker.log", gpu), None
        try:
            for event in worker.events({cell.cell_id: cell.time_limit_s}):
                if event["event"] == "progress" and event["done"] == 1 and intruder:
                    with suppress(BrokenPipeError):  # it has ended: `disturbed` says so
                        intruder.stdin.write(b"begin\n")
                        intruder.stdin.flush()
                if event["event"] == "record":
                    record = Round.from_json(event["record"])
                    break
                if event["event"] in ("died", "timeout"):
                    raise BadInput(f"the cell failed: {event['message']}")
        finally:
            worker.stop()
    if not record.is_good:
        raise BadInput(f"the cell failed: {record.message}")
    return record


def disturbed(work: Work, cell: Cell, gpu: str, latency_ms: float) -> Round:
    """The record of the same cell, its calls repeated to last `DISTURBED_S`, with a tenant beside it."""
    times = math.ceil(1e3 * DISTURBED_S / latency_ms / cell.prompts)
    prompts = work.prompts_of(cell)[: cell.prompts] * times
    longer = replace(cell, prompts=len(prompts))
    with start_tenant(gpu) as intruder:
        try:
            found = measured(replace(work, prompts={cell.prompt_hash: prompts}), longer, gpu, intruder)
            if intruder.poll() is not None:
                raise BadInput(f"the tenant ended before its time, with status {intruder.returncode}: see above")
            return found
        finally:
            intruder.kill()


def describe(record: Round) -> str:
    """The verdict on a round, and why it is not better."""
    reasons = record.nvml.reasons
    return f"{record.nvml.verdict}{': ' if reasons else ''}{'; '.join(reasons)}"
