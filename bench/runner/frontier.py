"""The frontier of memory: the largest batch that fits at each length, searched for by trying.

    python -m bench.frontier --pair pocket --limit-gib 2            # as on a device with so much memory
    python -m bench.frontier --pair pocket --limit-gib 2 --plan     # tries and minutes, runs nothing
    python -m bench.frontier --cells work/ --record out.jsonl       # on a bare machine: grid `frontier`, exported

Each probe is a cell in a fresh process, and out of memory is a result like any other, recorded as such. What is on
record is not tried again, so the same command goes on where it was stopped. The first try is where the cost model puts
the edge. Peaks grow in a straight line with the batch, from the weights alone: the line through the last two says where
to look then, and bisection ends it within a thirty-second of the batch. A plan goes through the same search with the
cost model's peaks in place of tries. Imports no torch.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.cost import peak_memory
from bench.data.prompt import Prompt
from bench.devices import choose
from bench.models import checkpoint
from bench.records.merge import CellRecords
from bench.runner import frontier_search, loop, request
from bench.runner.frontier_search import Tries
from bench.spec.cell import Cell
from bench.spec.work import Work
from bench.store.sink import Sink

GRID = "frontier"
FOLDER = Path(".cache/work")
OWN_GIB = {"cpu": 0.5, "cuda": 0.0}  # of a plan: what a limit counts of a process beside its tensors
NO_LIMIT = "a CPU has no memory of its own to run out of; give LIMIT_GIB=2, or a GPU"
GIB = 1 << 30


def peaks(cell: Cell, prompts: tuple[Prompt, ...]) -> Callable[[int], float]:
    """The cost model's peak GiB of a batch."""
    shape = checkpoint.read(cell.weights, cell.random_seed).shape
    prompt_tokens = max(len(prompt.ids[cell.model]) for prompt in prompts)
    return lambda batch: OWN_GIB[cell.device] + peak_memory.peak(at_batch(cell, batch), shape, prompt_tokens).total_gib


def at_batch(cell: Cell, batch: int) -> Cell:
    """The cell of one try: one call of so many rows."""
    return replace(cell, batch_size=batch, prompts=batch, repeat_prompts=batch)


def probe(work: Work, cell: Cell, batch: int) -> Work:
    """The work of one try: the cell at a batch whose rows repeat its prompts."""
    prompts = work.prompts_of(cell)
    tried = at_batch(cell, batch)
    rows = tuple(prompts[i % len(prompts)] for i in range(batch))
    return replace(work, rounds=1, cells=(tried,), prompts={cell.prompt_hash: rows})


def tries_of(cell: Cell, known: dict[str, CellRecords]) -> tuple[Tries, str]:
    """What records say of a line at a length, and the message of a try that ended in another way than out of memory."""
    fits, fails, message = {}, set(), ""
    for cell_id, entry in known.items():
        if not isinstance(entry.cell, Cell):
            continue
        batch = entry.cell.batch_size
        if cell_id != at_batch(cell, batch).cell_id:
            continue
        record = entry.failed or next(iter(entry.rounds.values()))
        if record.is_good:
            peaks = record.memory_gib  # reserved is not read: it bends where memory is short
            fits[batch] = peaks.resident if peaks.allocated is None else peaks.allocated
            fits |= {} if peaks.weights is None else {0: peaks.weights}
        elif record.outcome == "oom":
            fails.add(batch)
        else:
            message = f"{record.outcome}: {record.message}"
    return Tries(fits, frozenset(fails)), message


def search(work: Work, cell: Cell, sink: Sink, gpu: str | None, limit_gib: float | None) -> str:
    """Try batches until the edge is known; returns it in words."""
    first = frontier_search.modelled(peaks(cell, work.prompts_of(cell)), limit_gib)
    while True:
        tries, message = tries_of(cell, sink.known())
        batch = frontier_search.next_batch(tries, limit_gib, first)
        if message or batch is None:
            fails = f"{tries.high} does not" if tries.high else "nothing larger was tried"
            return message or (f"batch {tries.low} fits, {fails}" if tries.low else "not even one row fits")
        tried = probe(work, cell, batch)
        folder = FOLDER / work.study / "frontier"
        tried.save(folder)
        loop.run(tried, folder, sink, gpu)


def name_of(cell: Cell) -> str:
    return f"{cell.model}, {cell.head} head" if cell.head else cell.model


def device_gib(uuid: str) -> float:
    """What a card has."""
    with choose.nvml() as pynvml:
        return pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByUUID(uuid)).total / GIB


def work_of(args: argparse.Namespace) -> Work:
    """The cells to start from, one row each."""
    if args.cells:
        return Work.load(args.cells)
    from bench.spec import expand, grid
    from bench.spec.pair import place_model, read_pair

    pair = place_model(read_pair(args.pair), args.model)
    where = choose.choose(args.device, here=not request.is_plan_for_gpu(args.plan, args.device))
    cells, sets = expand.resolve([grid.read_grid(GRID, {}, pair.name)], [GRID], pair, where, None)
    return Work(args.study or pair.name, 1, 0, tuple(cells), sets)
