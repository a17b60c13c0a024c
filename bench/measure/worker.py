"""One model, one round: cells in, JSON lines out. Started by bench/runner/launch.py, a fresh process each time.

    python -m bench.worker WORK_FOLDER ROUND

Standard input carries one JSON line, the cell ids in order, and then stays open: when it closes, the parent
is gone and the worker ends. Standard output carries one JSON object a line: `start` before each cell,
`progress` after each call, `record` at its end. On a GPU what is measured beside the calls comes as `beside`, some of
it behind the last cell. Then comes `end`. Whatever libraries print goes to standard error.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from bench.adapters.base import attention_kernel
from bench.adapters.contract import Adapter
from bench.common import provenance
from bench.common.units import GIB
from bench.measure.calls import batches_of, capture, timed_calls, warm_up
from bench.measure.energy_and_kernels import Emit, accompany, trace
from bench.measure.memory import PeakMemory, limit_memory
from bench.models import checkpoint
from bench.models.engines import ENGINES
from bench.models.release import release
from bench.records.machine import Environment, MemoryGib, NvmlReport
from bench.records.types import Round
from bench.spec.cell import Cell
from bench.spec.work import Work

if TYPE_CHECKING:
    from bench.devices.exclusivity import Watch


ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")  # torch's settings, which decide when memory runs out


def run_cell(
    adapter: Adapter, work: Work, cell: Cell, round_: int, watch: Watch | None, progress: Callable[[int], None]
) -> dict:
    """Measure one cell in this process: warm-up, then every call timed. Returns the measured fields of its `Round`."""
    start = time.perf_counter()
    adapter.load(cell)
    load_s = time.perf_counter() - start
    release(cell.device)
    batches = batches_of(work, cell, round_)
    preparation = capture(adapter, cell, batches)
    torch.manual_seed(cell.seed + round_)
    warmup_ms = warm_up(adapter, cell, batches)
    retries = alloc_retries(cell)
    with PeakMemory(cell.device) as peak, watch.region() if watch else nullcontext() as region:
        calls, sequences = timed_calls(adapter, cell, batches, progress)
    if region and alloc_retries(cell) > retries and not cell.peaks_only:  # near the edge of memory it must
        region.findings.doubts.append("the allocator had to retry: memory cannot be accounted for")
    return {
        "shape": None if cell.server else checkpoint.read(cell.weights, cell.random_seed).shape,
        "load_s": round(load_s, 3),
        "warmup_ms": warmup_ms,
        "calls": calls,
        "memory_gib": memory_of(adapter, cell, peak),
        "capture_s": preparation.capture_s,
        "compile_s": preparation.compile_s,
        "nvml": NvmlReport.from_json(region.report()) if region else None,
        "sequences": sequences if round_ == 1 and cell.stop == "eos" else None,
    }


def memory_of(adapter: Adapter, cell: Cell, peak: PeakMemory) -> MemoryGib:
    """GiB of the weights and of the timed calls' peaks; the allocator does not count the pool of a captured graph. Of a
    server nothing is known: what this process takes is not the model's."""
    if cell.server:
        return MemoryGib()
    peaks = dict(peak.gib)
    if ENGINES[cell.engine].is_prepared and "allocated" in peaks:
        peaks["allocated"] = max(peaks["allocated"], adapter.captured_peak_bytes() / GIB)
    return MemoryGib(weights=adapter.weights_bytes() / GIB, **peaks)


def alloc_retries(cell: Cell) -> int:
    """How often torch's allocator has had to give memory back and try again, in this process; 0 on a CPU."""
    return torch.cuda.memory_stats().get("num_alloc_retries", 0) if cell.device == "cuda" else 0


def outcome_of(error: Exception) -> str:
    """`oom` for a device or host that ran out of memory, `error` for anything else.

    The words tell it where the class does not: torch.compile wraps what its compiler raises in an error of its own.
    """
    words = ("can't allocate memory", "CUDA error: out of memory", "CUDA out of memory", "bad_alloc")
    says_so = any(word in str(error) for word in words)
    return "oom" if says_so or isinstance(error, (torch.OutOfMemoryError, MemoryError)) else "error"


def is_usable(device: str) -> bool:
    """Whether the device still answers: after some errors of CUDA nothing works in this process any more."""
    if device == "cuda" and torch.cuda.is_available():
        try:
            torch.cuda.synchronize()
        except RuntimeError as error:
            print(f"the device cannot be used any more: {error}", file=sys.stderr)
            return False
    return True


def environment(cell: Cell, watch: Watch | None, report: NvmlReport | None) -> Environment:
    """What a reader needs to know about the machine. The verdict on a CPU is `unknown`: nothing vouches for it."""
    device = provenance.cpu_name() if cell.device == "cpu" else cell.device
    settings = [os.environ[name] for name in ALLOCATOR if os.environ.get(name)]
    return Environment(
        host=platform.node(),
        python=platform.python_version(),
        threads=torch.get_num_threads(),
        device=torch.cuda.get_device_name() if watch else device,
        verdict=report.verdict if report else "unknown",
        packages=provenance.packages(),
        card=watch.about_card if watch else None,
        allocator=settings[0] if watch and settings else None,
    )


def environment_of_server(adapter: Adapter, cell: Cell) -> Environment:
    """The same of a server's model: what the server says of itself. Its machine is not this one, as far as we know."""
    return Environment(
        host=platform.node(),
        python=platform.python_version(),
        device=adapter.said.label if adapter.said else cell.weights,
        packages=provenance.packages(),
        server=adapter.said.stated if adapter.said else None,
    )


def measure(
    adapter: Adapter, work: Work, cell: Cell, round_: int, emit: Emit, opened: Watch | Exception | None = None
) -> Round:
    """Run one cell, emit its record, whatever happens in it, and return that.

    opened: the watch over the card, or why the card could not be opened.
    """
    head = {"cell_id": cell.cell_id, "round": round_}
    emit({"event": "start"} | head)
    started_s = time.time()

    def progress(done: int) -> None:
        emit({"event": "progress", **head, "done": done})

    watch = None if isinstance(opened, Exception) else opened
    measured = {}
    try:
        if isinstance(opened, Exception):
            raise opened
        if cell.device == "cuda" and not watch:
            raise RuntimeError("torch sees no CUDA device; use DEVICE=cpu or install a CUDA build of torch")
        limit_memory(cell.device, cell.limit_gib)
        with attention_kernel(cell):
            measured = run_cell(adapter, work, cell, round_, watch, progress)
        outcome = "ok"
        message = ""
    except Exception as error:  # a failed cell is a result; the rest of the grid goes on
        outcome = outcome_of(error)
        message = f"{type(error).__name__}: {error}"[:500]
    record = Round(
        work.study, cell.cell_id, round_, cell, outcome, message, started_s=started_s, ended_s=time.time(),
        **measured,
    )  # fmt: skip
    place = environment_of_server(adapter, cell) if cell.server else environment(cell, watch, record.nvml)
    record = replace(record, environment=place)
    emit({"event": "record", "record": record.to_json()})
    return record


def run_cells(
    adapter: Adapter, work: Work, cells: list[Cell], round_: int, emit: Emit, opened: Watch | Exception | None
) -> None:
    """Measure cells and what belongs beside them; a device that is lost ends it, and a new worker does the rest.

    Kernels are traced behind the last cell: later calls of the process can be slower for it (pytorch issue 144455; 9
    and 23 % on an H100).
    """
    to_trace: list[tuple[Round, float]] = []  # and the milliseconds that the call took untraced
    for cell in cells:
        record = measure(adapter, work, cell, round_, emit, opened)
        if record.nvml and not cell.peaks_only and not cell.calls_only:
            with attention_kernel(cell):
                latency_ms = accompany(adapter, work, record, opened, emit)
            if latency_ms is not None:
                to_trace.append((record, latency_ms))
        if isinstance(opened, Exception) or not is_usable(cell.device):
            break
    else:
        for record, latency_ms in to_trace:
            with attention_kernel(record.cell):
                trace(adapter, work, record, latency_ms, emit)
    emit({"event": "end"})


def end_with_parent() -> None:
    """Leave when standard input closes: the parent is gone, however it ended."""
    sys.stdin.read()
    os._exit(1)
