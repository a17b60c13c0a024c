"""What is measured on a GPU beside a cell's timed calls, when their record is written: energy and kernels.

A part that fails is absent, and costs the record of the calls nothing.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import torch

from bench.adapters.contract import Adapter
from bench.measure.calls import Batch, ask, batches_of, longest_of, short_cell
from bench.measure.clock import Stopwatch, kernel_ms
from bench.models.engines import ENGINES
from bench.records.machine import Energy, KernelTime, NvmlReport
from bench.records.types import Beside, Call, Round
from bench.spec.cell import Cell
from bench.spec.work import Work

if TYPE_CHECKING:
    from bench.devices.exclusivity import Watch

TRACED_FORWARDS = 32  # of the call whose kernels are traced, at most: enough to be typical
TRACED_S = 2.0  # that this call takes, at most
UNTRACED_CALLS = 3  # of the same length, timed without a trace; their median counts
ENERGY_WINDOW_S = 5.0  # over which energy is read: the counter's steps are small beside it
Emit = Callable[[dict], None]  # hands an event to the parent
Part = TypeVar("Part")


def emit_beside(record: Round, part: Energy | KernelTime | None, emit: Emit) -> None:
    """Emit what was measured beside a record, if anything was."""
    if part is None:
        return
    energy = part if isinstance(part, Energy) else None
    busy = part if isinstance(part, KernelTime) else None
    beside = Beside(record.study, record.cell_id, record.number, record.started_s, energy, busy)
    emit({"event": "beside", "record": beside.to_json()})


def accompany(adapter: Adapter, work: Work, record: Round, watch: Watch, emit: Emit) -> float | None:
    """Emit the energy of a record's calls. Returns milliseconds of the call that is to be traced later.

    None where none is: a part of a call is not typical, and in later rounds what is captured would have to be captured
    again for it.
    """
    cell = work.cell(record.cell_id)
    if cell.timed:  # neither a part's energy nor its kernels are a call's
        return None
    batches = batches_of(work, cell, record.number)
    emit_beside(record, attempt(cell, lambda: energy(adapter, cell, watch, record.nvml, record.calls, batches)), emit)
    if record.number > 1:
        return None
    short = short_cell(cell, forwards_to_trace(record.calls))
    return attempt(cell, lambda: untraced_ms(adapter, short, longest_of(batches)))


def trace(adapter: Adapter, work: Work, record: Round, latency_ms: float, emit: Emit) -> None:
    """Emit how long kernels ran in a call that took `latency_ms` untraced. What it replays is captured once more."""
    cell = work.cell(record.cell_id)
    short = short_cell(cell, forwards_to_trace(record.calls))
    longest = longest_of(batches_of(work, cell, record.number))
    emit_beside(record, attempt(cell, lambda: traced(adapter, cell, short, longest, latency_ms)), emit)


def attempt(cell: Cell, measure: Callable[[], Part]) -> Part | None:
    """What a measurement gives; None, and a line in the log, where it fails."""
    try:
        return measure()
    except Exception as error:
        print(f"not measured beside {cell.label}: {error!r}", file=sys.stderr)
        return None


def forwards_to_trace(calls: list[Call]) -> int:
    """How many forwards the traced call makes, from how long those of the timed calls took."""
    forwards_a_ms = calls[0].nfe / calls[0].latency_ms
    return max(1, min(TRACED_FORWARDS, int(1e3 * TRACED_S * forwards_a_ms)))


def untraced_ms(adapter: Adapter, short: Cell, batch: Batch) -> float:
    """How long a cell of few forwards takes, whose kernels are `traced` when nothing is timed any more."""
    adapter.load(short)
    calls = [Stopwatch(short.device).time(lambda mark: ask(adapter, batch, mark)) for _ in range(UNTRACED_CALLS)]
    return round(statistics.median(timing.latency_ms for _, timing in calls), 4)


def traced(adapter: Adapter, cell: Cell, short: Cell, batch: Batch, latency_ms: float) -> KernelTime | None:
    """How long kernels ran in such a call; None where no kernel is seen, since tracing is not permitted there."""
    if ENGINES[cell.engine].is_prepared:
        adapter.load(cell)
        adapter.prepare([batch.ids])
    adapter.load(short)
    busy_ms = kernel_ms(lambda: ask(adapter, batch, lambda kind: None))
    return KernelTime(latency_ms, round(busy_ms, 4)) if busy_ms else None


def energy(
    adapter: Adapter, cell: Cell, watch: Watch, report: NvmlReport, calls: list[Call], batches: list[Batch]
) -> Energy | None:
    """Energy over the timed region, or over a window of its own where that was too short.

    report: what the watch said of the region. batches: the prompts of each call. None without a counter,
    and where the card was not ours alone in the window: the energy would not be that of these calls.
    """
    if report.joules is None:
        return None
    tokens = sum(sum(call.kept) for call in calls)
    if report.seconds >= ENERGY_WINDOW_S:
        return Energy(round(report.joules, 3), round(report.seconds, 3), len(calls), tokens)
    count = 0
    tokens = 0
    adapter.load(cell)
    with watch.region() as window:
        start = time.monotonic()
        while (seconds := time.monotonic() - start) < ENERGY_WINDOW_S:
            tokens += sum(ask(adapter, batches[count % len(batches)], lambda kind: None).kept)
            count += 1
            torch.cuda.synchronize()
    if window.joules is None or window.findings.signs or window.findings.doubts:
        return None
    return Energy(round(window.joules, 3), round(seconds, 3), count, tokens)
