"""What do engines and the rungs of LLaDA's head cost? One forward of each, side by side in one process.

Cells alternate call by call, so that a slow spell of the machine meets all of them, and ratios are paired by repeat.
Then comes what our loop changes: a token of ours over one of transformers' own generate(), eager over eager and
captured over what generate() compiles. Last comes what the harness itself (marks, clocks, adapter) adds to captured
steps, against a bare loop of replays. The device's ceilings are measured in the same process first, so that captured
steps stand beside their floor: the time that the cost model says they must take here.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import torch

from bench.adapters import registry
from bench.adapters.contract import Adapter
from bench.adapters.llada import LladaAdapter
from bench.checks.finding import Finding, target_text
from bench.common import stats
from bench.common.errors import BadInput
from bench.cost.floors import Ceilings, step_s
from bench.cost.workload import Workload
from bench.devices import lock
from bench.measure import calls, ceilings
from bench.measure.clock import Stopwatch
from bench.models import checkpoint, kinds
from bench.models.engines import ENGINES, label_of
from bench.records import metrics
from bench.runner import request
from bench.runner.request import Request
from bench.spec import rules
from bench.spec.cell import Cell
from bench.spec.work import Work

GRID = "engines"
# On a CPU: how many times our step (captured engine, lean head) the steps of the eager engine must take at least, by
# the head as its authors run it. A target that is missed says that our step has become slow.
CPU_TARGETS = {"official": 1.25, "official-old": 1.8}
# On a GPU: how many times its floor our forward may take at batch 1, by whether the model has denoising steps.
GPU_TARGETS = {False: 1.25, True: 2.0}
# What transformers' own call is to each engine of ours: the same modules in its loop, or its way of saving launches.
OWN_CALLS = {"eager": "generate", "captured": "generate-static"}
CEILING_S = 1.0  # how long each ceiling is sustained
MOST_HARNESS = 0.01  # what the harness may add to captured steps, as a share of them
Ready = dict[str, tuple[Adapter, list[list[int]]]]  # an adapter, loaded and warm, and its call's prompts; by cell id
Times = dict[str, list[float]]  # milliseconds of a step, a value for each repeat; by cell id
Tell = Callable[[str], None]  # is given each line of progress


def check(asked: Request, repeats: int, tell: Tell) -> list[Finding]:
    """Measure every cell of the grid `engines`, or of a work folder, and give a finding for each and for the harness.

    repeats: how often each cell is called. tell: is given what is worth a line meanwhile. Raises BadInput for a device
    that is not here or in use, and for work without the cells that others are compared with.
    """
    work, _ = request.resolve(asked)
    rules.check_cells(work.cells)
    lean = cell_with(work.cells, engine="captured", head="lean")
    with lock.held(lean.device, GRID, here=True):
        tell(
            f"one forward of {lean.pair} on {lean.device}, {lean.gen_length} tokens after"
            f" {lean.prompt_tokens}, blocks of {lean.block_length}, {lean.dtype}; medians of {repeats}"
        )
        floors_ms = floors(work, tell)
        ready = adapters_of(work, tell)
        times = step_times(work, ready, repeats)
        steps = step_findings(work, times, floors_ms)
        for finding in steps:
            tell(line_of(finding))
        ours = loop_findings(work.cells, times)
        harness = harness_finding(lean, ready, 2 * repeats)
        for finding in (*ours, harness):
            tell(line_of(finding))
    return [*steps, *ours, harness]


def line_of(finding: Finding) -> str:
    """A finding as a line of the ladder: name, times, and the target behind a comma."""
    target = "" if finding.met is None else f", {target_text(finding.target, finding.met)}"
    return f"{finding.name} {finding.text}{target}"


def floors(work: Work, tell: Tell) -> dict[str, float]:
    """Milliseconds that a captured step with the lean head must take on this device, by cell id.

    LLaMA has none on a CPU: a small model's weights stay in caches, which are faster than the measured reading.
    """
    device = work.cells[0].device
    models = [checkpoint.read(*files) for files in {(cell.weights, cell.random_seed) for cell in work.cells}]
    measured = ceilings.measure(models, work.cells[0].product_dtype, device, CEILING_S)
    peaks = Ceilings(measured.flops_per_s.value, measured.bytes_per_s.value)
    tell(f"ceilings in this process: {peaks.flops_per_s / 1e12:.4g} TFLOP/s, {peaks.bytes_per_s / 1e9:.4g} GB/s read")
    return {
        cell.cell_id: 1e3 * step_s(
            Workload.of(cell), checkpoint.read(cell.weights, cell.random_seed).shape, peaks, cell.prompt_tokens
        )
        for cell in work.cells
        if cell.engine == "captured" and (cell.head == "lean" or (not has_head(cell) and device == "cuda"))
    }  # fmt: skip


def has_head(cell: Cell) -> bool:
    """Whether the cell's model has rungs of the head: only a model with steps does."""
    return kinds.has_steps(cell.model)


def adapters_of(work: Work, tell: Tell) -> Ready:
    """An adapter for each cell, ready and warm, and the prompts of its call. Cells of a model share its weights.

    What generate() compiles comes last, since each capture before it would make torch forget it.
    """
    ready: Ready = {}
    first_of: dict[str, Adapter] = {}  # by model
    for cell in sorted(work.cells, key=lambda cell: cell.engine == "generate-static"):
        adapter = registry.create(cell.model)
        if cell.model in first_of:
            adapter.share(first_of[cell.model])
        first_of.setdefault(cell.model, adapter)
        adapter.load(cell)
        prompts = calls.batches_of(work, cell, 1)[0].ids
        start = time.perf_counter()
        adapter.prepare([prompts])
        if ENGINES[cell.engine].is_prepared and cell.device == "cuda":
            tell(f"{cell.label}: compiled and captured in {time.perf_counter() - start:.1f} s")
        adapter.generate(prompts, lambda kind: None)
        ready[cell.cell_id] = adapter, prompts
    return ready


def step_times(work: Work, ready: Ready, repeats: int) -> Times:
    """Median gap between the forwards of a call, for each cell and repeat."""
    times: Times = {cell.cell_id: [] for cell in work.cells}
    for repeat in range(repeats):
        first = repeat % len(work.cells)  # each goes first in turn
        for cell in work.cells[first:] + work.cells[:first]:
            adapter, prompts = ready[cell.cell_id]
            output, timing = Stopwatch(cell.device).time(lambda mark, a=adapter, p=prompts: a.generate(p, mark))
            call = calls.describe_call(calls.Batch([], prompts), output, timing)
            times[cell.cell_id].append(metrics.call_latencies(call, kinds.has_steps(cell.model))["step"])
    return times


def cell_with(cells: Iterable[Cell], **wanted: object) -> Cell:
    """The first cell with these settings. Raises BadInput if there is none."""
    for cell in cells:
        if all(getattr(cell, name) == value for name, value in wanted.items()):
            return cell
    words = ", ".join(f"{name} {value}" for name, value in wanted.items() if value)
    raise BadInput(f"the work holds no cell of {words}; export configs/grids/{GRID}.yaml")


def step_findings(work: Work, times: Times, floors_ms: dict[str, float]) -> list[Finding]:
    """A finding for each cell: its step in ms and, where they apply, three ratios.

    Its step over the step of its own engine's lean head (what the head costs); that of an eager cell over the captured
    engine's lean head (what engine and head cost together); and over its floor, where it has one.
    """
    return [step_finding(cell, work.cells, times, floors_ms.get(cell.cell_id)) for cell in work.cells]


def step_finding(cell: Cell, cells: Iterable[Cell], times: Times, floor_ms: float | None) -> Finding:
    """The finding of one cell among all. floor_ms: the least that its step can take; None without a floor."""
    step_ms = times[cell.cell_id]
    lean = "lean" if has_head(cell) else None
    alike = {"model": cell.model, "head": lean, "batch_size": cell.batch_size}
    same_engine = cell_with(cells, engine=cell.engine, **alike)
    captured = cell_with(cells, engine="captured", **alike)
    words = [f"{statistics.median(step_ms):8.2f} ms"]
    target = met = None
    if cell.head != lean:
        words.append(f"{stats.median_ratio(step_ms, times[same_engine.cell_id]).text(2)} x {cell.engine} lean")
    if cell.engine == "eager":
        ratio = stats.median_ratio(step_ms, times[captured.cell_id])
        words.append(f"{ratio.text(2)} x captured{' lean' if lean else ''}")
        if lean and cell.device == "cpu" and (target := CPU_TARGETS.get(cell.head or "official")):
            met = ratio.value >= target
    if floor_ms is not None:
        over_floor = statistics.median(step_ms) / floor_ms
        words.append(f"{over_floor:.2f} x its floor of {floor_ms:.2f} ms")
        if cell.device == "cuda" and cell.batch_size == 1:
            target = GPU_TARGETS[kinds.has_steps(cell.model)]
            met = over_floor <= target
    name = f"{cell.model}, {label_of(cell.engine, cell.device)}" + (f", {cell.head or 'official'}" if lean else "")
    return Finding(f"batch {cell.batch_size}  {name:37}", "   ".join(words), str(target or ""), met)


def loop_findings(cells: Iterable[Cell], times: Times) -> list[Finding]:
    """What our loop changes: for each cell whose model has transformers' own call too, its step over that one's."""
    findings = []
    for cell in cells:
        own = [other for other in cells if other == replace(cell, engine=OWN_CALLS.get(cell.engine), first=other.first)]
        for other in own:
            ratio = stats.median_ratio(times[cell.cell_id], times[other.cell_id])
            name = f"our loop, {cell.model}, {cell.engine}:"
            against = f"{ratio.text(2)} x {label_of(other.engine, other.device)}"
            findings.append(Finding(f"batch {cell.batch_size}  {name:37}", against))
    return findings


def harness_finding(lean: Cell, ready: Ready, pairs: int) -> Finding:
    """What the harness adds to captured steps of the lean head, in percent of them.

    On a GPU in a call of a step a token, since the cell's few steps are short beside what a call costs once.
    """
    cell = lean if lean.device == "cpu" else replace(lean, steps=lean.gen_length)
    ratio = harness_ratio(cell, *ready[lean.cell_id], pairs)
    percent = stats.Estimate(*[None if x is None else 100 * (x - 1) for x in (ratio.value, ratio.low, ratio.high)])
    name = f"harness, of {cell.steps} captured steps:"
    return Finding(name, percent.text(2, " %"), "1 %", ratio.value - 1 <= MOST_HARNESS)


def harness_ratio(cell: Cell, adapter: LladaAdapter, prompts: list[list[int]], pairs: int) -> stats.Estimate:
    """A timed and marked call of the cell over a bare loop of the same replays; which comes first alternates."""
    adapter.load(cell)
    (step,) = adapter.captured(prompts).replays  # without a cache all forwards are alike

    def bare() -> None:
        for _ in range(cell.steps):
            step()

    def timed() -> None:
        Stopwatch(cell.device).time(lambda mark: adapter.generate(prompts, mark))

    seconds: dict[Callable[[], None], list[float]] = {bare: [], timed: []}
    for pair in range(pairs):
        for call in (bare, timed) if pair % 2 else (timed, bare):
            start = time.perf_counter()
            with torch.no_grad():
                call()
            if cell.device == "cuda":
                torch.cuda.synchronize()
            seconds[call].append(time.perf_counter() - start)
    return stats.median_ratio(seconds[timed], seconds[bare])
