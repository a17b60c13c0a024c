"""One model, one round: cells in, JSON lines out. Started by `bench/run.py`, a fresh process each time.

    python -m bench.worker WORK_FOLDER ROUND

Standard input carries one JSON line, the cell ids in order, and then stays open: when it closes, the parent
is gone and the worker ends. Standard output carries one JSON object a line: `start` before each cell,
`progress` after each call, `record` at its end. Whatever libraries print goes to standard error.
"""

import json
import os
import platform
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import torch

from bench import adapters
from bench.adapters.base import Adapter, Output, check
from bench.cell import Cell, Work
from bench.profiler import GIB, PeakMemory, Stopwatch, Timing

WARMUP_TOKENS = 4  # decode steps of a LLaMA warm-up pass; LLaDA's is one forward a block
WARMUP_PASSES = 3


def batches_of(cell: Cell, round_: int) -> list[list[int]]:
    """Prompt indices of each call: all prompts in round 1, the first few again in later rounds."""
    count = cell.prompts if round_ == 1 else min(cell.repeat_prompts, cell.prompts)
    return [list(range(i, min(i + cell.batch_size, count))) for i in range(0, count, cell.batch_size)]


def warmup_cell(cell: Cell) -> Cell:
    """The same shapes with few forwards: each is a full canvas (LLaDA) or a prefill and some decode steps."""
    if cell.steps is None:
        return replace(cell, gen_length=min(WARMUP_TOKENS, cell.gen_length), stop="length")
    return replace(cell, steps=cell.gen_length // cell.block_length)


def warm_up(adapter: Adapter, cell: Cell, batches: list[list[list[int]]]) -> list[float]:
    """Passes over the longest batch of prompts, not counted as results; milliseconds of each."""
    adapter.load(warmup_cell(cell))
    longest = max(batches, key=lambda batch: max(len(prompt) for prompt in batch))
    found = []
    for _ in range(WARMUP_PASSES):
        stopwatch = Stopwatch(cell.device)
        _, timing = stopwatch.time(lambda mark: adapter.generate(longest, mark))
        found.append(round(timing.latency_ms, 3))
    adapter.load(cell)
    return found


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


def run_cell(adapter: Adapter, work: Work, cell: Cell, round_: int, progress: Callable[[int], None]) -> dict:
    """Measure one cell in this process: warm-up, then every call timed. Returns the record's measured part."""
    start = time.perf_counter()
    adapter.load(cell)
    load_s = time.perf_counter() - start
    prompts = work.prompts_of(cell)
    index_batches = batches_of(cell, round_)
    batches = [[prompts[i].ids[cell.model] for i in indices] for indices in index_batches]
    torch.manual_seed(cell.seed + round_)
    warmup_ms = warm_up(adapter, cell, batches)
    calls, sequences = [], []
    with PeakMemory(cell.device) as peak:
        for done, (indices, batch) in enumerate(zip(index_batches, batches, strict=True), 1):
            output, timing = Stopwatch(cell.device).time(lambda mark, batch=batch: adapter.generate(batch, mark))
            check(cell, output, timing.marks)
            calls.append(describe_call(indices, output, timing))
            sequences += output.sequences.tolist()
            progress(done)
    memory = {"weights": adapter.weights_bytes() / GIB} | peak.gib
    found = {"load_s": round(load_s, 3), "warmup_ms": warmup_ms, "calls": calls, "memory_gib": memory}
    return found | ({"sequences": sequences} if round_ == 1 else {})


def outcome_of(error: Exception) -> str:
    """`oom` for a device or host that ran out of memory, `error` for anything else."""
    text = str(error)
    out_of_memory = isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in text
    return "oom" if out_of_memory else "error"


def cpu_name() -> str:
    """The processor as its vendor names it, where the system says (Linux)."""
    found = re.search(r"model name\s*: (.+)", read_text("/proc/cpuinfo"))
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def read_text(path: str) -> str:
    """A file's text, empty where there is none."""
    return Path(path).read_text() if os.path.exists(path) else ""


def environment(cell: Cell) -> dict:
    """What a reader needs to know about the machine. The verdict on a CPU is `unknown`: nothing vouches for it."""
    found = {
        "host": platform.node(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": version("transformers"),
        "threads": torch.get_num_threads(),
        "device": cpu_name(),
        "verdict": "unknown",
    }
    if cell.device == "cuda" and torch.cuda.is_available():
        found["device"] = torch.cuda.get_device_name()
    return found


def measure(adapter: Adapter, work: Work, cell: Cell, round_: int, emit: Callable[[dict], None]) -> None:
    """Run one cell and emit its record, whatever happens in it."""
    head = {"cell_id": cell.cell_id, "round": round_}
    emit({"event": "start"} | head)
    record = {"record": "round", "study": work.study, **head, "cell": cell.settings()}
    record["started"] = time.time()

    def progress(done: int) -> None:
        emit({"event": "progress", **head, "done": done})

    try:
        if cell.device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("torch sees no CUDA device; use DEVICE=cpu or install a CUDA build of torch")
        found = run_cell(adapter, work, cell, round_, progress)
        record |= {"outcome": "ok", "message": ""} | found
    except Exception as error:  # a failed cell is a result; the rest of the grid goes on
        text = str(error)
        record |= {"outcome": outcome_of(error), "message": f"{type(error).__name__}: {text}"[:500]}
    if cell.device == "cuda" and record["outcome"] == "oom":
        torch.cuda.empty_cache()
    record |= {"ended": time.time(), "environment": environment(cell)}
    emit({"event": "record", "record": record})


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
    adapter = adapters.create(cells[0].model)
    for cell in cells:
        measure(adapter, work, cell, round_, emit)


if __name__ == "__main__":
    main()
