"""`make engines`: one denoising step on every rung of the head, side by side in one process.

    python -m bench.ladder [--pair NAME] [--device D] [--repeats N]

Rungs alternate call by call, so that a slow spell of the machine meets all of them; ratios are paired by repeat.
Exits 1 if the lean head is not faster than the official ones by as much as it should be.
"""

from __future__ import annotations

import statistics
import sys

from bench import adapters, device, grid, stats
from bench.cell import Cell, Prompt
from bench.errors import exit_code
from bench.profiler import Stopwatch
from bench.report import interval
from bench.request import Parser

GRID = "engines"
TARGETS = {"official": 1.25, "official-old": 1.8}  # times the lean head's step


def step_times_ms(cells: list[Cell], prompts: tuple[Prompt, ...], repeats: int) -> dict[str, list[float]]:
    """Milliseconds of one denoising step by rung, one value a repeat, after a warm-up of each."""
    adapter = adapters.create("llada")
    batch = [prompt.ids["llada"] for prompt in prompts]
    found: dict[str, list[float]] = {cell.head or "official": [] for cell in cells}
    for repeat in range(-1, repeats):
        for cell in cells[repeat % len(cells) :] + cells[: repeat % len(cells)]:  # each goes first in turn
            adapter.load(cell)
            _, timing = Stopwatch(cell.device).time(lambda mark: adapter.generate(batch, mark))
            if repeat >= 0:
                found[cell.head or "official"].append(timing.latency_ms / cell.steps)
    return found


def print_ladder(times: dict[str, list[float]], cell: Cell) -> bool:
    """The rungs, slowest first, with their ratio to the lean one; whether every target is met."""
    lean, met = times["lean"], True
    print(f"one denoising step of {cell.pair} on {cell.device}, batch {cell.batch_size}, {cell.gen_length} tokens,"
          f" blocks of {cell.block_length}, {cell.dtype}; median of {len(lean)}")  # fmt: skip
    for head, values in sorted(times.items(), key=lambda item: -statistics.median(item[1])):
        line = f"{head:13} {statistics.median(values):8.2f} ms"
        if head != "lean":
            ratio = stats.ratio_over_rounds(values, lean)
            reached = ratio.value >= TARGETS[head]
            met &= reached
            line += (
                f"   {interval(ratio, 2)} times the lean head, target {TARGETS[head]}: {'ok' if reached else 'MISSED'}"
            )
        print(line)
    return met


def main() -> int:
    parser = Parser(prog="python -m bench.ladder", description=__doc__.splitlines()[0])
    parser.add_argument("--pair", default="pocket")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=10)
    args = parser.parse_args()
    where = device.choose(args.device)
    if not 2 <= args.repeats <= 1000:
        parser.error(f"--repeats {args.repeats}: expected 2 to 1000")
    pair = grid.read_pair(args.pair)
    cells, sets = grid.resolve([grid.read_grid(GRID, {})], [GRID], pair, where, None)
    gpu = device.gpu() if where == "cuda" else None
    with device.lock(gpu[0] if gpu else "cpu", "engines"):
        times = step_times_ms(cells, sets[cells[0].prompt_hash], args.repeats)
    return 0 if print_ladder(times, cells[0]) else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
