"""What is the engineering worth? One forward of each model on every engine and rung of the head, side by side.

    python -m bench.ladder [--pair NAME] [--device D] [--repeats N] [--cells WORK]

An engine is how a forward is run: `eager` lets Python start every kernel, `captured` records the kernels of one step
once and replays them. LLaDA's head is what follows the forward of a denoising step: which tokens are most likely, how
sure the model is, and which masks are replaced. Its rungs are the code of the authors (`official-old`, `official`) and
a version that never makes large tables of probabilities (`lean`); all three choose the same tokens.

All of them run in one process, call by call in turn, so that a slow moment of the machine meets each. Last comes what
the harness itself adds to a step by taking times. Exit status 1 if a target is missed.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from bench.common import stats
from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.devices import lock
from bench.runner import request
from bench.runner.request import Request
from bench.spec import rules

MOST_REPEATS = 1000


def main() -> int:
    parser = Parser("bench.ladder", __doc__)
    parser.add_argument("--pair", default="pocket", help="the two models that are run (configs/pairs)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--repeats", type=int, default=12, help="calls of each cell")
    parser.add_argument("--cells", type=Path, help="a work folder with the cells of grid `engines`")
    args = parser.parse_args()
    if not 2 <= args.repeats <= MOST_REPEATS:
        parser.error(f"--repeats {args.repeats}: expected 2 to {MOST_REPEATS}")
    from bench.checks import engine_ladder
    from bench.checks.engine_ladder import GRID, HARNESS_TARGET

    work, _ = request.resolve(Request(grids=(GRID,), cells=args.cells, pair=args.pair, device=args.device))
    rules.check_cells(work.cells)
    lean = engine_ladder.one(work.cells, model="llada", engine="captured", head="lean")
    with lock.held(lean.device, GRID, here=True):
        print(
            f"one forward of {lean.pair} on {lean.device}, {lean.gen_length} tokens after"
            f" {lean.prompt_tokens}, blocks of {lean.block_length}, {lean.dtype}; medians of {args.repeats}",
            flush=True,
        )
        floor_ms = engine_ladder.floors(work)
        ready = engine_ladder.adapters_of(work)
        met = engine_ladder.print_steps(work, engine_ladder.step_times(work, ready, args.repeats), floor_ms)
        long = lean if lean.device == "cpu" else replace(lean, steps=lean.gen_length)
        share = engine_ladder.harness_share(long, *ready[lean.cell_id], 2 * args.repeats)
    percent = stats.Estimate(*[None if x is None else 100 * (x - 1) for x in (share.value, share.low, share.high)])
    reached = share.value - 1 <= HARNESS_TARGET
    print(f"harness, of {long.steps} captured steps: {percent.text(2, ' %')}{engine_ladder.against('1 %', reached)}")
    return 0 if met and reached else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
