"""`make engines`: one forward of each model on every engine and rung of the head, side by side in one process.

    python -m bench.ladder [--pair NAME] [--device D] [--repeats N] [--cells WORK]

Cells alternate call by call, so that a slow spell of the machine meets all of them; ratios are paired by repeat. Then
what the harness adds to a captured step: marks, clocks and the adapter, against a bare loop of replays. Exits 1 when a
target is missed. --cells: an exported work folder, for a machine without the packages that read grids.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import torch

from bench import adapters, calls, device, metrics, request, stats
from bench.adapters.base import Adapter
from bench.adapters.llada import LladaAdapter
from bench.cell import Cell, Work
from bench.errors import BadInput, exit_code
from bench.profiler import Stopwatch

GRID = "engines"
TARGETS = {"official": 1.25, "official-old": 1.8}  # as their authors run them, times our step: captured, lean head
HARNESS_TARGET = 0.01  # of a captured step
Times = dict[str, list[float]]  # milliseconds of a step by cell id, one value a repeat


def adapters_of(work: Work) -> dict[str, tuple[Adapter, list[list[int]]]]:
    """An adapter for each cell, ready and warm, and the prompts of its call. Cells of a model share its weights."""
    found: dict[str, tuple[Adapter, list[list[int]]]] = {}
    first: dict[str, Adapter] = {}
    for cell in work.cells:
        adapter = adapters.create(cell.model)
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
    """A timed and marked call over a bare loop of the same replays; which comes first alternates."""
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


def one(cells: Iterable[Cell], **wanted: object) -> Cell:
    """The cell with these settings. Raises BadInput if the work holds none."""
    for cell in cells:
        if all(getattr(cell, name) == value for name, value in wanted.items()):
            return cell
    words = ", ".join(f"{name} {value}" for name, value in wanted.items() if value)
    raise BadInput(f"the work holds no cell of {words}; export configs/grids/{GRID}.yaml")


def print_steps(work: Work, times: Times) -> bool:
    """Every cell's step beside the lean head of its own engine (what the head costs) and beside the captured engine
    with the lean head (what both cost together); whether the latter meets the targets."""
    met = True
    for cell in work.cells:
        values = times[cell.cell_id]
        name = f"{cell.model}, {cell.engine}" + (f", {cell.head or 'official'}" if cell.model == "llada" else "")
        line = f"{name:29} {statistics.median(values):8.2f} ms"
        head = "lean" if cell.model == "llada" else None
        same = one(work.cells, model=cell.model, engine=cell.engine, head=head)
        best = one(work.cells, model=cell.model, engine="captured", head=head)
        if cell.head != head:
            line += f"   {stats.median_ratio(values, times[same.cell_id]).text(2)} x {cell.engine} lean"
        if cell.engine == "eager":
            ratio = stats.median_ratio(values, times[best.cell_id])
            line += f"   {ratio.text(2)} x captured{' lean' if head else ''}"
            target = TARGETS.get(cell.head or "official") if cell.model == "llada" else None
            if target:
                met &= ratio.value >= target
                line += f", target {target}: {'ok' if ratio.value >= target else 'MISSED'}"
        print(line, flush=True)
    return met


def main() -> int:
    parser = request.Parser(prog="python -m bench.ladder", description=__doc__.splitlines()[0])
    parser.add_argument("--pair", default="pocket")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--cells", type=Path)
    args = parser.parse_args()
    if not 2 <= args.repeats <= 1000:
        parser.error(f"--repeats {args.repeats}: expected 2 to 1000")
    command = ["--cells", str(args.cells), "--record", "-"] if args.cells else [GRID, "--device", args.device]
    work, _ = request.resolve(request.parse([*command, "--pair", args.pair]))
    lean = one(work.cells, model="llada", engine="captured", head="lean")
    with device.held(lean.device, GRID, here=True):
        print(
            f"one forward of {lean.pair} on {lean.device}, batch {lean.batch_size}, {lean.gen_length} tokens after"
            f" {lean.prompt_tokens}, blocks of {lean.block_length}, {lean.dtype}; medians of {args.repeats}",
            flush=True,
        )
        ready = adapters_of(work)
        met = print_steps(work, step_times(work, ready, args.repeats))
        share = harness_share(lean, *ready[lean.cell_id], 2 * args.repeats)
    found = stats.Estimate(*[None if x is None else 100 * (x - 1) for x in (share.value, share.low, share.high)])
    reached = share.value - 1 <= HARNESS_TARGET
    print(f"harness, of a captured step: {found.text(2, ' %')}, target 1 %: {'ok' if reached else 'MISSED'}")
    return 0 if met and reached else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
