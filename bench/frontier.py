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
import sys
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench import checkpoint, device, estimate, memory, request, run
from bench.cell import Cell, Prompt, Work
from bench.errors import BadInput, exit_code
from bench.records import CellRecords
from bench.sink import Sink

GRID = "frontier"
FOLDER = Path(".cache/work")
CLOSE = 32  # a batch is known within a 32nd of it
GROWTH = 8  # from one try to the next while nothing says where to look
MOST = 1 << 20  # batch
SPARE = 0.97  # of the limit: what the allocator and the context keep
OWN_GIB = {"cpu": 0.5, "cuda": 0.0}  # of a plan: what a limit counts of a process beside its tensors
MISSED = 2  # tries that a plan adds to a line: real peaks lie on no exact line, so it misses the edge at first
CARD = "H100"  # of configs/devices.yaml: a plan's, where the GPU is elsewhere
NO_LIMIT = "a CPU has no memory of its own to run out of; give LIMIT_GIB=2, or a GPU"
GIB = 1 << 30


@dataclass(frozen=True)
class Tries:
    """What is known of one line at one length: peak GiB of each batch that fits (None: not measured), and those that
    do not. Batch 0 is the weights alone."""

    fits: dict[int, float | None]
    fails: frozenset[int]

    @property
    def low(self) -> int:
        return max(self.fits, default=0)

    @property
    def high(self) -> int | None:
        return min(self.fails, default=None)


def predicted(tries: Tries, limit_gib: float | None) -> int | None:
    """The batch at which the line through the two largest peaks meets the limit; None where there is no such line."""
    known = sorted((batch, peak) for batch, peak in tries.fits.items() if peak is not None)[-2:]
    if limit_gib is None or len(known) < 2 or known[1][1] <= known[0][1]:
        return None
    (first, less), (second, more) = known
    return int(second + (SPARE * limit_gib - more) * (second - first) / (more - less))


def next_batch(tries: Tries, limit_gib: float | None = None, first: int = GROWTH) -> int | None:
    """The batch to try next, `first` of all; None where the search is at its end: nothing fits, or the edge is known
    closely enough."""
    low, high = tries.low, tries.high
    step = max(1, low // CLOSE)
    if high is not None and high - low <= step:
        return None
    guess = predicted(tries, limit_gib)
    if high is None and low == 0:
        return first
    if high is None:
        return min(max(guess, low + step), GROWTH * GROWTH * low) if guess else GROWTH * low
    if low == 0 or (guess and guess >= high):  # too much: a little less, and with each failure twice as much less
        guess = high - max(1, high // CLOSE) * 2 ** (len(tries.fails) - 1)
    return guess if guess and low < guess < high else (low + high) // 2


def modelled(gib: Callable[[int], float], limit_gib: float | None) -> int:
    """Where peaks of the cost model put the edge, at least 1; GROWTH where nothing says how much memory there is."""
    return GROWTH if limit_gib is None else max(1, bisect_right(range(1, MOST), SPARE * limit_gib, key=gib))


def peaks(cell: Cell, prompts: tuple[Prompt, ...]) -> Callable[[int], float]:
    """The cost model's peak GiB of a batch."""
    shape = checkpoint.read(cell.weights, cell.random_seed).shape
    prompt_tokens = max(len(prompt.ids[cell.model]) for prompt in prompts)
    return lambda batch: OWN_GIB[cell.device] + memory.peak(at_batch(cell, batch), shape, prompt_tokens).total_gib


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
        batch = entry.cell.get("batch_size")
        if cell_id != at_batch(cell, batch).cell_id:
            continue
        record = entry.failed or next(iter(entry.rounds.values()))
        if record["outcome"] == "ok":
            peaks = record["memory_gib"]
            fits[batch] = peaks.get("allocated", peaks.get("resident"))  # what is reserved bends where memory is short
            fits |= {0: peaks["weights"]} if "weights" in peaks else {}
        elif record["outcome"] == "oom":
            fails.add(batch)
        else:
            message = f"{record['outcome']}: {record['message']}"
    return Tries(fits, frozenset(fails)), message


def search(work: Work, cell: Cell, sink: Sink, gpu: str | None, limit_gib: float | None) -> str:
    """Try batches until the edge is known; returns it in words."""
    first = modelled(peaks(cell, work.prompts_of(cell)), limit_gib)
    while True:
        tries, message = tries_of(cell, sink.known())
        batch = next_batch(tries, limit_gib, first)
        if message or batch is None:
            fails = f"{tries.high} does not" if tries.high else "nothing larger was tried"
            return message or (f"batch {tries.low} fits, {fails}" if tries.low else "not even one row fits")
        tried = probe(work, cell, batch)
        folder = FOLDER / work.study / "frontier"
        tried.save(folder)
        run.run(tried, folder, sink, gpu)


def expected(cell: Cell, prompts: tuple[Prompt, ...], tries: Tries, limit_gib: float) -> tuple[list[int], int]:
    """Batches that a search has yet to try after these tries, and where it ends, if peaks are the cost model's.

    limit_gib: what the device has. A line that has not begun gets what it will miss in addition.
    """
    batches, gib = [], peaks(cell, prompts)
    first = modelled(gib, limit_gib)
    missed = 0 if tries.fits or tries.fails else MISSED
    tries = Tries({0: gib(0)} | tries.fits, tries.fails)
    while (batch := next_batch(tries, limit_gib, first)) is not None:
        batches.append(batch)
        peak = gib(batch)
        if peak <= SPARE * limit_gib:
            tries = Tries(tries.fits | {batch: peak}, tries.fails)
        else:
            tries = Tries(tries.fits, tries.fails | {batch})
    return batches + [tries.low] * (missed if tries.low else 0), tries.low


def print_plan(work: Work, cells: list[Cell], sink: Sink) -> None:
    """About how many tries each line takes and how long they are, what is on record left out; where they would end."""
    gib, whose = room(cells[0])
    if gib is None:
        print(f"frontier: no plan: {NO_LIMIT}")
        return
    known, count, total = sink.known(), 0, 0.0
    line = "{:26}{:>8}{:>8}{:>12}{:>7}{:>10}  {}"
    print(line.format("frontier of", "tokens", "prompt", "near batch", "tries", "est. min", "state"))
    for cell in cells:
        (tries, message), prompts = tries_of(cell, known), work.prompts_of(cell)
        batches, end = ([], tries.low) if message else expected(cell, prompts, tries, gib)
        seconds = sum(
            estimate.START_S[cell.device] + estimate.round_s(at_batch(cell, batch), 1, prompts, known)
            for batch in batches
        )
        begun = "begun" if tries.fits or tries.fails else "to do"
        state = message or (begun if batches else "done")
        shape = (cell.gen_length, cell.prompt_tokens or "-", end, len(batches), f"{seconds / 60:.1f}")
        print(line.format(name_of(cell), *shape, state))
        count, total = count + len(batches), total + seconds
    print(
        f"study {work.study}: frontier of {gib:.3g} GiB ({whose}), about {count} tries, each a fresh process, about"
        f" {total / 60:.1f} min to go (estimates, batches by the cost model)"
    )


def room(cell: Cell) -> tuple[float | None, str]:
    """GiB that a plan reckons with, and whose they are; None for a CPU without a limit."""
    if cell.limit_gib or cell.device == "cpu":
        return cell.limit_gib, "LIMIT_GIB"
    if card := device.gpu():
        return device_gib(card[0]), card[1]
    from bench import predictions

    return predictions.devices()[CARD].memory_bytes / GIB, f"{CARD}, since no GPU is here; LIMIT_GIB= gives another"


def name_of(cell: Cell) -> str:
    return f"{cell.model}, {cell.head} head" if cell.head else cell.model


def device_gib(uuid: str) -> float:
    """What a card has."""
    with device.nvml() as pynvml:
        return pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByUUID(uuid)).total / GIB


def work_of(args: argparse.Namespace) -> Work:
    """The cells to start from, one row each."""
    if args.cells:
        return Work.load(args.cells)
    from bench import grid

    pair = grid.place_model(grid.read_pair(args.pair), args.model)
    where = device.choose(args.device, here=not request.is_plan_for_gpu(args))
    cells, sets = grid.resolve([grid.read_grid(GRID, {}, pair.name)], [GRID], pair, where, None)
    return Work(args.study or pair.name, 1, 0, tuple(cells), sets)


def parse() -> argparse.Namespace:
    parser = request.Parser(prog="python -m bench.frontier", description=__doc__.splitlines()[0])
    parser.add_argument("--pair", default="pocket")
    parser.add_argument("--model", help="a directory that replaces the pair's model of its kind")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--study", help="MLflow experiment; default: the pair's name")
    parser.add_argument("--limit-gib", type=float, help="search as on a device with so much memory")
    parser.add_argument("--plan", action="store_true", help="print tries and minutes and stop")
    parser.add_argument("--cells", type=Path, help="a work folder with the grid's cells")
    parser.add_argument("--record", type=Path, help="with --cells: append records to this file, no MLflow")
    args = parser.parse_args()
    if args.cells and not args.record:
        parser.error("--cells needs --record FILE")
    if args.limit_gib is not None and not args.limit_gib > 0:
        parser.error(f"--limit-gib {args.limit_gib:g}: expected more than 0")
    return args


def main() -> int:
    args = parse()
    work = work_of(args)
    cells = [cell for cell in work.cells if cell.kind == GRID]
    if not cells:
        raise BadInput(f"{args.cells}: holds no cells of grid {GRID}")
    if args.limit_gib is not None:
        cells = [replace(cell, limit_gib=args.limit_gib) for cell in cells]
    if not request.is_plan_for_gpu(args):
        device.check_cells(cells)
    sink = Sink(work.study, args.record)
    if args.plan:
        print_plan(work, cells, sink)
        return 0
    if cells[0].device == "cpu" and cells[0].limit_gib is None:
        raise BadInput(f"frontier: {NO_LIMIT}")
    with device.held(cells[0].device, work.study) as gpu:
        sink.check()
        for cell in cells:
            limit = cell.limit_gib or (gpu and device_gib(gpu[0]))
            found = search(work, cell, sink, gpu and gpu[0], limit)
            print(f"{name_of(cell)}, {cell.gen_length} tokens: {found}", flush=True)
        tracked = sink.track(again=True)
    return 0 if tracked else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
