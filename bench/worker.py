"""One model, one round: cells in, JSON lines out. Started by `bench/run.py`, a fresh process each time.

    python -m bench.worker WORK_FOLDER ROUND

Standard input carries one JSON line, the cell ids in order, and then stays open: when it closes, the parent
is gone and the worker ends. Standard output carries one JSON object a line: `start` before each cell,
`progress` after each call, `record` at its end. Whatever libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from bench import adapters, checkpoint, provenance
from bench.adapters.base import Adapter, Output, attention_kernel, check
from bench.cell import Cell, Work
from bench.profiler import GIB, PeakMemory, Stopwatch, Timing, kernel_ms, limit_memory, release

if TYPE_CHECKING:
    from bench.nvml import Region, Watch  # needs NVIDIA's library, which a CPU lacks

WARMUP_FORWARDS = 4  # of a warm-up pass at least
WARMUP_PASSES = 3
BUSY_FORWARDS = 32  # of the call whose kernels are traced: enough to be typical, few enough to keep
BUSY_REPEATS = 3
ENERGY_WINDOW_S = 5.0  # the counter's steps are small beside it


@dataclass(frozen=True)
class Batch:
    """What one call generates for."""

    indices: list[int]  # of the prompts
    ids: list[list[int]]  # their token ids


def batches_of(work: Work, cell: Cell, round_: int) -> list[Batch]:
    """The calls of a round: all prompts in round 1, the first few again in later rounds."""
    count = cell.prompts if round_ == 1 else min(cell.repeat_prompts, cell.prompts)
    ids = [prompt.ids[cell.model] for prompt in work.prompts_of(cell)[:count]]
    starts = range(0, count, cell.batch_size)
    return [Batch(list(range(count)[i : i + cell.batch_size]), ids[i : i + cell.batch_size]) for i in starts]


def short_cell(cell: Cell, forwards: int) -> Cell:
    """The same shapes with few forwards: each is a full canvas (LLaDA), or a prefill and some decode steps."""
    if cell.steps is None:
        return replace(cell.whole(), gen_length=min(forwards, cell.gen_length), stop="length")
    return replace(cell, steps_timed=min(forwards, cell.forwards()))


def longest_of(batches: list[Batch]) -> list[list[int]]:
    """Token ids of the batch with the longest prompt: the largest shapes."""
    return max(batches, key=lambda batch: max(map(len, batch.ids))).ids


def warm_up(adapter: Adapter, cell: Cell, batches: list[Batch]) -> list[float]:
    """Passes over the longest batch of prompts, not counted as results; milliseconds of each.

    On a GPU the last of them is one whole call. None where memory alone is asked.
    """
    if cell.peaks_only:
        return []
    found = []
    passes = [short_cell(cell, WARMUP_FORWARDS)] * WARMUP_PASSES + [cell] * (cell.device == "cuda")
    for chosen in passes:
        adapter.load(chosen)
        _, timing = Stopwatch(cell.device).time(lambda mark: adapter.generate(longest_of(batches), mark))
        found.append(round(timing.latency_ms, 3))
    adapter.load(cell)
    return found


def capture(adapter: Adapter, cell: Cell, batches: list[Batch]) -> dict:
    """Seconds that compiling and capturing took, never part of a timed call. Empty for an engine that does neither."""
    if cell.engine != "captured":
        return {}
    start = time.perf_counter()
    adapter.prepare([batch.ids for batch in batches])
    return {"capture_s": round(time.perf_counter() - start, 3)}


def describe_call(indices: list[int], output: Output, timing: Timing) -> dict:
    """One timed call as plain data; times in milliseconds since its start."""
    call = {
        "prompts": indices,
        "latency_ms": round(timing.latency_ms, 4),
        "marks": timing.marks,
        "nfe": output.nfe,
        "positions": output.positions,
        "kept": output.kept,
        "first_step": output.first_step,
    }
    if timing.device_ms is not None:
        call["device_ms"] = round(timing.device_ms, 4)
    return call


def timed_calls(
    adapter: Adapter, cell: Cell, batches: list[Batch], progress: Callable[[int], None] = lambda done: None
) -> tuple[list[dict], list[list[int]]]:
    """Every call timed and checked. Returns the calls as plain data, and the generated token ids."""
    calls, sequences = [], []
    for done, batch in enumerate(batches, 1):
        output, timing = Stopwatch(cell.device).time(lambda mark, batch=batch: adapter.generate(batch.ids, mark))
        check(cell, output, timing.marks, adapter.special())
        calls.append(describe_call(batch.indices, output, timing))
        sequences += output.sequences.tolist()
        progress(done)
    return calls, sequences


def run_cell(
    adapter: Adapter, work: Work, cell: Cell, round_: int, watch: Watch | None, progress: Callable[[int], None]
) -> dict:
    """Measure one cell in this process: warm-up, then every call timed. Returns the record's measured part."""
    start = time.perf_counter()
    adapter.load(cell)
    load_s = time.perf_counter() - start
    release(cell.device)
    batches = batches_of(work, cell, round_)
    captured = capture(adapter, cell, batches)
    torch.manual_seed(cell.seed + round_)
    warmup_ms = warm_up(adapter, cell, batches)
    retries = alloc_retries(cell)
    with PeakMemory(cell.device) as peak, watch.region() if watch else nullcontext() as region:
        calls, sequences = timed_calls(adapter, cell, batches, progress)
    memory = {"weights": adapter.weights_bytes() / GIB} | peak.gib
    if captured and "allocated" in memory:  # the allocator does not count what is in a graph's own pool
        memory["allocated"] = max(memory["allocated"], adapter.captured_peak_bytes() / GIB)
    found = {"shape": asdict(checkpoint.read(cell.weights, cell.random_seed).shape)}
    found |= {"load_s": round(load_s, 3), "warmup_ms": warmup_ms, "calls": calls, "memory_gib": memory} | captured
    if region:
        if alloc_retries(cell) > retries and not cell.peaks_only:  # near the wall of memory it must
            region.findings.doubts.append("the allocator had to retry: memory cannot be accounted for")
        found["nvml"] = region.report()
        beside = [
            lambda: busy_of(adapter, cell, batches),
            lambda: energy_of(adapter, watch, region, calls, batches),
        ]
        for part in [] if cell.peaks_only else beside[:1] if cell.timed else beside:  # a part's energy is not a call's
            try:
                found |= part()
            except Exception as error:  # what is measured beside the calls must not cost them; it is absent then
                print(f"not measured beside {cell.label}: {error!r}", file=sys.stderr)
    return found | ({"sequences": sequences} if round_ == 1 and cell.stop == "eos" else {})


def alloc_retries(cell: Cell) -> int:
    return torch.cuda.memory_stats().get("num_alloc_retries", 0) if cell.device == "cuda" else 0


def busy_of(adapter: Adapter, cell: Cell, batches: list[Batch]) -> dict:
    """How long kernels ran in a call of few forwards, traced in a pass of its own; and how long it takes untraced."""
    short, batch = short_cell(cell, BUSY_FORWARDS), longest_of(batches)
    adapter.load(short)

    def call(mark: Callable[[str], None] = lambda kind: None) -> Output:
        return adapter.generate(batch, mark)

    untraced = [Stopwatch(cell.device).time(call)[1].latency_ms for _ in range(BUSY_REPEATS)]
    found = {"latency_ms": round(statistics.median(untraced), 4), "kernel_ms": round(kernel_ms(call), 4)}
    adapter.load(cell)
    return {"busy": found} if found["kernel_ms"] else {}  # no kernel seen: tracing is not permitted here


def energy_of(adapter: Adapter, watch: Watch, region: Region, calls: list[dict], batches: list[Batch]) -> dict:
    """Energy over the timed region, or over a window of its own where that was too short. Empty without a counter."""
    tokens, count = sum(sum(call["kept"]) for call in calls), len(calls)
    joules, seconds = region.joules, region.seconds
    if joules is None:
        return {}
    if seconds < ENERGY_WINDOW_S:
        tokens = count = 0
        with watch.region() as window:
            start = time.monotonic()
            while (seconds := time.monotonic() - start) < ENERGY_WINDOW_S:
                tokens += sum(adapter.generate(batches[count % len(batches)].ids, lambda kind: None).kept)
                count += 1
                torch.cuda.synchronize()
        joules = window.joules
        if joules is None or window.findings.signs or window.findings.doubts:
            return {}  # not ours alone: the energy is not that of these calls
    return {"energy": {"joules": round(joules, 3), "seconds": round(seconds, 3), "calls": count, "tokens": tokens}}


def outcome_of(error: Exception) -> str:
    """`oom` for a device or host that ran out of memory, `error` for anything else."""
    text = str(error)
    words = ("can't allocate memory", "bad_alloc")
    out_of_memory = isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(word in text for word in words)
    return "oom" if out_of_memory else "error"


def environment(cell: Cell, watch: Watch | None, nvml: dict | None) -> dict:
    """What a reader needs to know about the machine. The verdict on a CPU is `unknown`: nothing vouches for it."""
    found = {
        "host": platform.node(),
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "device": provenance.cpu_name(),
        "verdict": nvml["verdict"] if nvml else "unknown",
    } | provenance.packages()
    if watch:
        found |= {"device": torch.cuda.get_device_name(), "card": watch.about_card}
    return found


def measure(
    adapter: Adapter, work: Work, cell: Cell, round_: int, emit: Callable[[dict], None], watch: Watch | None = None
) -> None:
    """Run one cell and emit its record, whatever happens in it."""
    head = {"cell_id": cell.cell_id, "round": round_}
    emit({"event": "start"} | head)
    record = {"record": "round", "study": work.study, **head, "cell": cell.settings()}
    record["started"] = time.time()

    def progress(done: int) -> None:
        emit({"event": "progress", **head, "done": done})

    try:
        if cell.device == "cuda" and not watch:
            raise RuntimeError("torch sees no CUDA device; use DEVICE=cpu or install a CUDA build of torch")
        limit_memory(cell.device, cell.limit_gib)
        with attention_kernel(cell):
            found = run_cell(adapter, work, cell, round_, watch, progress)
        record |= {"outcome": "ok", "message": ""} | found
    except Exception as error:  # a failed cell is a result; the rest of the grid goes on
        text = str(error)
        record |= {"outcome": outcome_of(error), "message": f"{type(error).__name__}: {text}"[:500]}
    record |= {"ended": time.time(), "environment": environment(cell, watch, record.get("nvml"))}
    emit({"event": "record", "record": record})


def open_watch(device: str) -> Watch | None:
    """NVML's watch over the card, CUDA opened under its eyes; None on a CPU, or where torch sees no card."""
    if device == "cpu" or not torch.cuda.is_available():
        return None
    from bench import nvml

    watch = nvml.Watch(os.environ["CUDA_VISIBLE_DEVICES"], torch.cuda.memory_reserved)
    torch.cuda.init()
    torch.zeros(1, device="cuda")
    watch.opened()
    if str(torch.cuda.get_device_properties(0).uuid) not in watch.uuid:
        watch.findings.doubts.append("CUDA runs on another card than the one that is watched")
    return watch


def end_with_parent() -> None:
    """Leave when standard input closes: the parent is gone, however it ended."""
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C belongs to the parent
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    folder, round_ = Path(sys.argv[1]), int(sys.argv[2])
    cell_ids = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()

    def emit(event: dict) -> None:
        lines.write(json.dumps(event) + "\n")
        lines.flush()

    work = Work.load(folder)
    cells = [work.cell(cell_id) for cell_id in cell_ids]
    adapter, watch = adapters.create(cells[0].model), open_watch(cells[0].device)
    for cell in cells:
        measure(adapter, work, cell, round_, emit, watch)


if __name__ == "__main__":
    main()
