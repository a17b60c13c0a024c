"""The search for the largest batch that fits into memory, line by line (the door is bench/frontier.py).

A line of the frontier is one model with one head at one answer length. Each try is a cell in a fresh process, and out
of memory is a result like any other, recorded as such. What is on record is not tried again, so the same command goes
on where it was stopped. A search ends at a try that failed in another way, until that try is made again. The first try
is where the cost model puts the edge. Peaks grow in a straight line with the batch, from the weights alone: the line
through the last two says where to look then, and bisection ends the search within a thirty-second of the batch
(bench/runner/frontier_search.py). A plan goes through the same search with the cost model's peaks in place of tries
(bench/runner/frontier_plan.py). Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from bench.common.errors import BadInput
from bench.common.units import GIB
from bench.cost import peak_memory
from bench.cost.workload import Workload
from bench.data.prompt import Prompt
from bench.devices import choose, lock
from bench.models import checkpoint
from bench.records.merge import CellRecords
from bench.runner import frontier_search, loop
from bench.runner.frontier_search import Tries
from bench.runner.request import is_plan_for_gpu
from bench.spec import rules
from bench.spec.cell import FRONTIER, Cell
from bench.spec.work import Work
from bench.store.sink import Sink

FOLDER = Path(".cache/work")  # of the work folders that workers read
OWN_GIB = {"cpu": 0.5, "cuda": 0.0}  # of a plan: what a limit counts of a process beside its tensors
RETRIED = ("oom", "timeout", "error")  # how a try may have ended that is made again
AGAIN = 'RETRY="error timeout" goes on'
NO_LIMIT = "a CPU has no memory of its own to run out of; give LIMIT_GIB=2, or a GPU"


def peaks(cell: Cell, prompts: tuple[Prompt, ...]) -> Callable[[int], float]:
    """The cost model's peak GiB as a function of the batch."""
    shape = checkpoint.read(cell.weights, cell.random_seed).shape
    prompt_tokens = max(len(prompt.ids[cell.model]) for prompt in prompts)

    def gib_at(batch: int) -> float:
        workload = Workload.of(at_batch(cell, batch))
        return OWN_GIB[cell.device] + peak_memory.peak(workload, shape, prompt_tokens).total_gib

    return gib_at


def at_batch(cell: Cell, batch: int) -> Cell:
    """The cell of one try: one call of so many rows."""
    return replace(cell, batch_size=batch, prompts=batch, repeat_prompts=batch)


def probe(work: Work, cell: Cell, batch: int) -> Work:
    """The work of one try: the cell at a batch whose rows repeat its prompts."""
    prompts = work.prompts_of(cell)
    tried = at_batch(cell, batch)
    rows = tuple(prompts[i % len(prompts)] for i in range(batch))
    return replace(work, rounds=1, cells=(tried,), prompts={cell.prompt_hash: rows})


def tries_of(
    cell: Cell, on_record: dict[str, CellRecords], retry: frozenset[str] = frozenset(), tried: Collection[int] = ()
) -> tuple[Tries, dict[int, str]]:
    """What records say of a line at a length, and by batch why a try failed that did not run out of memory.

    retry: outcomes that do not count, so that these batches are tried again. tried: batches for which they do count.
    """
    fits: dict[int, float | None] = {}
    fails: set[int] = set()
    errors: dict[int, str] = {}
    for cell_id, entry in on_record.items():
        if not isinstance(entry.cell, Cell):
            continue
        batch = entry.cell.batch_size
        if cell_id != at_batch(cell, batch).cell_id:
            continue
        record = entry.failed or next(iter(entry.rounds.values()))
        if record.outcome in retry and batch not in tried:
            continue
        if record.is_good:
            peaks = record.memory_gib  # `reserved` is not read: it is no straight line where memory is short
            fits[batch] = peaks.resident if peaks.allocated is None else peaks.allocated
            fits |= {} if peaks.weights is None else {0: peaks.weights}
        elif record.outcome == "oom":
            fails.add(batch)
        else:
            errors[batch] = f"{record.outcome}: {record.message}"
    return Tries(fits, frozenset(fails)), errors


class End(NamedTuple):
    """Where the search of a line ended, in words. is_open: whether a try that failed keeps it from its edge."""

    text: str
    is_open: bool


def search(work: Work, cell: Cell, sink: Sink, gpu: str | None, limit_gib: float | None) -> End:
    """Try batches of one cell until the edge is close enough, or until a try fails that did not run out of memory.

    gpu: UUID of the card.
    """
    first = frontier_search.modelled(peaks(cell, work.prompts_of(cell)), limit_gib)
    tried: list[int] = []
    while True:
        tries, errors = tries_of(cell, sink.known(), sink.retry, tried)
        batch = frontier_search.next_batch(tries, limit_gib, first)
        if batch in errors:
            return End(f"batch {batch}, {errors[batch]}; {AGAIN}", is_open=True)
        if batch is None:
            fails = f"{tries.high} does not" if tries.high else "nothing larger was tried"
            return End(f"batch {tries.low} fits, {fails}" if tries.low else "not even one row fits", is_open=False)
        one_try = probe(work, cell, batch)
        folder = FOLDER / work.study / FRONTIER
        one_try.save(folder)
        loop.run(one_try, folder, sink, gpu)
        tried.append(batch)


def name_of(cell: Cell) -> str:
    """A line of the frontier in words: the model and its head."""
    return f"{cell.model}, {cell.head} head" if cell.head else cell.model


def device_gib(uuid: str) -> float:
    """GiB of memory that a card has; uuid: its name for NVML."""
    with choose.nvml() as pynvml:
        return pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByUUID(uuid)).total / GIB


@dataclass(frozen=True)
class FrontierRequest:
    """Which lines of the frontier are to be searched, as the user asks for it."""

    pair: str = "pocket"  # name of a pair in configs/pairs, or the path of a YAML file
    cells: Path | None = None  # a work folder in place of the pair
    model: str | None = None  # a directory that replaces the pair's model of its kind
    device: str = "auto"  # auto, cpu or cuda
    study: str | None = None  # the MLflow experiment; None: the pair's name
    limit_gib: float | None = None  # memory that a cell may have; None: what the device has
    record: Path | None = None  # records are appended to this file and MLflow is left alone
    retry: frozenset[str] = frozenset()  # outcomes (RETRIED) whose tries are made again
    plan: bool = False  # nothing will run
    verbose: bool = False  # say also what was found before


def resolve(asked: FrontierRequest) -> Work:
    """The cells to start from, one row each, with the prompts that their rows repeat. Raises BadInput."""
    if others := sorted(asked.retry - set(RETRIED)):
        raise BadInput(f'RETRY="{others[0]}": a try of the frontier is made again for {", ".join(RETRIED)} alone')
    work = Work.load(asked.cells) if asked.cells else work_of_pair(asked)
    cells = tuple(cell for cell in work.cells if cell.kind == FRONTIER)
    if not cells:
        raise BadInput(f"{asked.cells}: holds no cells of grid {FRONTIER}")
    if asked.limit_gib is not None:
        cells = tuple(replace(cell, limit_gib=asked.limit_gib) for cell in cells)
    if not is_plan_for_gpu(asked.plan, asked.device):
        rules.check_cells(cells)
    if asked.cells:
        rules.check_work(replace(work, cells=cells), str(asked.cells))
    return replace(work, cells=cells)


def work_of_pair(asked: FrontierRequest) -> Work:
    """The cells of grid `frontier` for a pair."""
    from bench.spec import expand, grid, model_rules
    from bench.spec.pair import place_model, read_pair

    pair = place_model(read_pair(asked.pair), asked.model)
    device = choose.choose(asked.device, here=not is_plan_for_gpu(asked.plan, asked.device))
    cells, prompt_sets = expand.resolve([grid.read_grid(FRONTIER, {}, pair.name)], [FRONTIER], pair, device, None)
    model_rules.check(cells)
    return Work(asked.study or pair.name, rounds=1, seed=0, cells=tuple(cells), prompts=prompt_sets)


def search_all(work: Work, sink: Sink) -> Iterator[End]:
    """Search every line under the device's lock; yield where each ends. Raises BadInput.

    MLflow is brought up to the records at the end: ask the sink whether it took them all.
    """
    first = work.cells[0]
    if first.device == "cpu" and first.limit_gib is None:
        raise BadInput(f"frontier: {NO_LIMIT}")
    with lock.held(first.device, work.study) as gpu:
        uuid = gpu and gpu[0]
        sink.check()
        for cell in work.cells:
            limit_gib = cell.limit_gib or (uuid and device_gib(uuid))
            end = search(work, cell, sink, uuid, limit_gib)
            yield end._replace(text=f"{name_of(cell)}, {cell.gen_length} tokens: {end.text}")
        sink.track(again=True)
