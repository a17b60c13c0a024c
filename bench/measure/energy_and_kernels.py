"""What is measured on a GPU beside a cell's timed calls, when their record is written: energy and kernels.

None of it can cost the calls: a part that fails is absent.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from bench.adapters.contract import Adapter
from bench.measure.calls import batches_of, longest_of, short_cell
from bench.measure.clock import Stopwatch, kernel_ms
from bench.spec.cell import Cell
from bench.spec.work import Work

if TYPE_CHECKING:
    from bench.devices.exclusivity import Watch


TRACED_FORWARDS, TRACED_S = 32, 2.0  # of the call whose kernels are traced, at most: typical, and soon over
UNTRACED_CALLS = 3
ENERGY_WINDOW_S = 5.0  # the counter's steps are small beside it


def emit_beside(record: dict, found: dict, emit: Callable[[dict], None]) -> None:
    """Emit what was measured beside a record, if anything was."""
    if found:
        head = {name: record[name] for name in ("study", "cell_id", "round", "started")}
        emit({"event": "beside", "record": {"record": "beside"} | head | found})


def accompany(
    adapter: Adapter, work: Work, record: dict, watch: Watch, emit: Callable[[dict], None]
) -> dict[str, float]:
    """Emit the energy of a record's calls. Returns milliseconds of the call that is to be traced, by cell id: in round
    1 alone, since tracing what is captured means to capture it again."""
    cell, calls = work.cell(record["cell_id"]), record["calls"]
    if cell.timed:  # neither a part's energy nor its kernels are a call's
        return {}
    batches = batches_of(work, cell, record["round"])
    nvml, ids = record["nvml"], [batch.ids for batch in batches]
    emit_beside(record, attempt(cell, lambda: energy(adapter, cell, watch, nvml, calls, ids)), emit)
    if record["round"] > 1:
        return {}
    short = short_cell(cell, forwards_to_trace(calls))
    return attempt(cell, lambda: {cell.cell_id: untraced_ms(adapter, short, longest_of(batches))})


def trace(adapter: Adapter, work: Work, record: dict, latency_ms: float, emit: Callable[[dict], None]) -> None:
    """Emit how long kernels ran in a call that took `latency_ms` untraced. What it replays is captured once more."""
    cell = work.cell(record["cell_id"])
    short = short_cell(cell, forwards_to_trace(record["calls"]))
    longest = longest_of(batches_of(work, cell, record["round"]))
    emit_beside(record, attempt(cell, lambda: traced(adapter, cell, short, longest, latency_ms)), emit)


def attempt(cell: Cell, part: Callable[[], dict]) -> dict:
    """What a part finds; nothing, and a line in the log, where it fails."""
    try:
        return part()
    except Exception as error:
        print(f"not measured beside {cell.label}: {error!r}", file=sys.stderr)
        return {}


def forwards_to_trace(calls: list[dict]) -> int:
    """How many forwards the traced call makes, from how long those of the timed calls took."""
    return max(1, min(TRACED_FORWARDS, int(1e3 * TRACED_S * calls[0]["nfe"] / calls[0]["latency_ms"])))


def untraced_ms(adapter: Adapter, short: Cell, prompts: list[list[int]]) -> float:
    """How long a cell of few forwards takes, whose kernels are `traced` when nothing is timed any more."""
    adapter.load(short)
    calls = [Stopwatch(short.device).time(lambda mark: adapter.generate(prompts, mark)) for _ in range(UNTRACED_CALLS)]
    return round(statistics.median(timing.latency_ms for _, timing in calls), 4)


def traced(adapter: Adapter, cell: Cell, short: Cell, prompts: list[list[int]], latency_ms: float) -> dict:
    """How long kernels ran in such a call; empty where none is seen: tracing is not permitted there."""
    if cell.engine == "captured":
        adapter.load(cell)
        adapter.prepare([prompts])
    adapter.load(short)
    found = kernel_ms(lambda: adapter.generate(prompts, lambda kind: None))
    return {"busy": {"latency_ms": latency_ms, "kernel_ms": round(found, 4)}} if found else {}


def energy(
    adapter: Adapter, cell: Cell, watch: Watch, nvml: dict, calls: list[dict], batches: list[list[list[int]]]
) -> dict:
    """Energy over the timed region, or over a window of its own where that was too short. Empty without a counter.

    nvml: what the watch reported of the region.
    """
    tokens, count = sum(sum(call["kept"]) for call in calls), len(calls)
    if "joules" not in nvml:
        return {}
    joules, seconds = nvml["joules"], nvml["seconds"]
    if seconds < ENERGY_WINDOW_S:
        tokens = count = 0
        adapter.load(cell)
        with watch.region() as window:
            start = time.monotonic()
            while (seconds := time.monotonic() - start) < ENERGY_WINDOW_S:
                tokens += sum(adapter.generate(batches[count % len(batches)], lambda kind: None).kept)
                count += 1
                torch.cuda.synchronize()
        joules = window.joules
        if joules is None or window.findings.signs or window.findings.doubts:
            return {}  # not ours alone: the energy is not that of these calls
    return {"energy": {"joules": round(joules, 3), "seconds": round(seconds, 3), "calls": count, "tokens": tokens}}
