"""`make engines`: one forward of each model on every engine and rung of the head, side by side in one process.

    python -m bench.ladder [--pair NAME] [--device D] [--repeats N] [--cells WORK]

Cells alternate call by call, so that a slow spell of the machine meets all of them; ratios are paired by repeat. Then
what the harness adds to captured steps: marks, clocks and the adapter, against a bare loop of replays; on a GPU in a
call of a step a token, since the cell's few steps are short beside what a call costs once. The device's ceilings are
measured in the same process first, so that captured steps stand beside what they must cost there. Exits 1 when a target
is missed. --cells: an exported work folder, for a machine without the packages that read grids.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable

import torch

from bench.adapters import registry
from bench.adapters.contract import Adapter
from bench.adapters.llada import LladaAdapter
from bench.common import stats
from bench.common.errors import BadInput
from bench.cost.floors import Ceilings, step_s
from bench.measure import calls, ceilings
from bench.measure.clock import Stopwatch
from bench.models import checkpoint
from bench.records import metrics
from bench.spec.cell import Cell
from bench.spec.work import Work

GRID = "engines"
# On a CPU: the rungs as their authors run them, times our step (captured, lean head). On a GPU: our step at batch 1,
# times the floor that the cost model gives it at the ceilings measured beside it.
TARGETS = {"official": 1.25, "official-old": 1.8}
FLOOR_TARGETS = {"llama": 1.25, "llada": 2.0}
CEILING_S = 1.0  # that each ceiling is sustained
HARNESS_TARGET = 0.01  # of a captured step
Times = dict[str, list[float]]  # milliseconds of a step by cell id, one value a repeat


def adapters_of(work: Work) -> dict[str, tuple[Adapter, list[list[int]]]]:
    """An adapter for each cell, ready and warm, and the prompts of its call. Cells of a model share its weights."""
    found: dict[str, tuple[Adapter, list[list[int]]]] = {}
    first: dict[str, Adapter] = {}
    for cell in work.cells:
        adapter = registry.create(cell.model)
        if cell.model in first:
            adapter.share(first[cell.model])
        first.setdefault(cell.model, adapter)
        adapter.load(cell)
        prompts = calls.batches_of(work, cell, 1)[0].ids
        start = time.perf_counter()
        adapter.prepare([prompts])
        if cell.engine == "captured" and cell.device == "cuda":
            print(f"{cell.label}: captured in {time.perf_counter() - start:.1f} s", flush=True)
        adapter.generate(prompts, lambda kind: None)
        found[cell.cell_id] = adapter, prompts
    return found


def step_times(work: Work, ready: dict[str, tuple[Adapter, list[list[int]]]], repeats: int) -> Times:
    """Median gap between the forwards of a call, for each cell and repeat."""
    found: Times = {cell.cell_id: [] for cell in work.cells}
    for repeat in range(repeats):
        first = repeat % len(work.cells)  # each goes first in turn
        for cell in work.cells[first:] + work.cells[:first]:
            adapter, prompts = ready[cell.cell_id]
            output, timing = Stopwatch(cell.device).time(lambda mark, a=adapter, p=prompts: a.generate(p, mark))
            call = calls.describe_call([], output, timing)
            found[cell.cell_id].append(metrics.call_latencies(call, cell.steps is not None)["step"])
    return found


def harness_share(cell: Cell, adapter: LladaAdapter, prompts: list[list[int]], pairs: int) -> stats.Estimate:
    """A timed and marked call of the cell over a bare loop of the same replays; which comes first alternates."""
    adapter.load(cell)
    captured = adapter.captured(prompts)

    def bare() -> None:
        for _ in range(cell.steps):
            captured.step()

    def timed() -> None:
        Stopwatch(cell.device).time(lambda mark: adapter.generate(prompts, mark))

    found: dict = {bare: [], timed: []}
    for pair in range(pairs):
        for call in (bare, timed) if pair % 2 else (timed, bare):
            start = time.perf_counter()
            with torch.no_grad():
                call()
            if cell.device == "cuda":
                torch.cuda.synchronize()
            found[call].append(time.perf_counter() - start)
    return stats.median_ratio(found[timed], found[bare])


def floors(work: Work) -> dict[str, float]:
    """Milliseconds that a captured step with the lean head must cost on this device, by cell id. Not LLaMA's on a CPU:
    a small model's weights stay in caches that are faster than the measured reading."""
    where = work.cells[0].device
    models = [checkpoint.read(*files) for files in {(cell.weights, cell.random_seed) for cell in work.cells}]
    peaks = ceilings.measure(models, work.cells[0].float_dtype, where, CEILING_S)
    flops, moved = peaks.flops_per_s.value, peaks.bytes_per_s.value
    print(f"ceilings in this process: {flops / 1e12:.4g} TFLOP/s, {moved / 1e9:.4g} GB/s read", flush=True)
    return {
        cell.cell_id: 1e3 * step_s(
            cell, checkpoint.read(cell.weights, cell.random_seed).shape, Ceilings(flops, moved), cell.prompt_tokens
        )
        for cell in work.cells
        if cell.engine == "captured" and (cell.head == "lean" or (cell.model == "llama" and where == "cuda"))
    }  # fmt: skip


def one(cells: Iterable[Cell], **wanted: object) -> Cell:
    """The cell with these settings. Raises BadInput if the work holds none."""
    for cell in cells:
        if all(getattr(cell, name) == value for name, value in wanted.items()):
            return cell
    words = ", ".join(f"{name} {value}" for name, value in wanted.items() if value)
    raise BadInput(f"the work holds no cell of {words}; export configs/grids/{GRID}.yaml")


def against(target: str, met: bool) -> str:
    """A target and whether it is met, in words."""
    return f", target {target}: {'ok' if met else 'MISSED'}"


def print_steps(work: Work, times: Times, floor_ms: dict[str, float]) -> bool:
    """Every cell's step beside the lean head of its own engine (what the head costs), beside the captured engine with
    the lean head (what both cost together), and ours beside its floor where that is known; whether targets are met."""
    met = True
    for cell in work.cells:
        values = times[cell.cell_id]
        name = f"{cell.model}, {cell.engine}" + (f", {cell.head or 'official'}" if cell.model == "llada" else "")
        line = f"batch {cell.batch_size}  {name:29} {statistics.median(values):8.2f} ms"
        head = "lean" if cell.model == "llada" else None
        like = {"model": cell.model, "head": head, "batch_size": cell.batch_size}
        same = one(work.cells, engine=cell.engine, **like)
        best = one(work.cells, engine="captured", **like)
        if cell.head != head:
            line += f"   {stats.median_ratio(values, times[same.cell_id]).text(2)} x {cell.engine} lean"
        if cell.engine == "eager":
            ratio = stats.median_ratio(values, times[best.cell_id])
            line += f"   {ratio.text(2)} x captured{' lean' if head else ''}"
            is_rung = cell.model == "llada" and cell.device == "cpu"
            if target := TARGETS.get(cell.head or "official") if is_rung else None:
                met &= (reached := ratio.value >= target)
                line += against(f"{target}", reached)
        if cell.cell_id in floor_ms:
            share, target = statistics.median(values) / floor_ms[cell.cell_id], FLOOR_TARGETS[cell.model]
            line += f"   {share:.2f} x its floor of {floor_ms[cell.cell_id]:.2f} ms"
            if cell.device == "cuda" and cell.batch_size == 1:
                met &= (reached := share <= target)
                line += against(f"{target}", reached)
        print(line, flush=True)
    return met
