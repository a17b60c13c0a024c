"""One forward of each model on every engine and rung of the head, side by side in one process.

python -m bench.ladder [--pair NAME] [--device D] [--repeats N] [--cells WORK]
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from bench.checks import engine_ladder
from bench.checks.engine_ladder import GRID, HARNESS_TARGET
from bench.common import cli, stats
from bench.common.errors import exit_code
from bench.devices import lock
from bench.runner import request
from bench.runner.request import Request
from bench.spec import rules


def main() -> int:
    parser = cli.Parser("bench.ladder", __doc__)
    parser.add_argument("--pair", default="pocket")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--cells", type=Path)
    args = parser.parse_args()
    if not 2 <= args.repeats <= 1000:
        parser.error(f"--repeats {args.repeats}: expected 2 to 1000")
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
    found = stats.Estimate(*[None if x is None else 100 * (x - 1) for x in (share.value, share.low, share.high)])
    reached = share.value - 1 <= HARNESS_TARGET
    print(f"harness, of {long.steps} captured steps: {found.text(2, ' %')}{engine_ladder.against('1 %', reached)}")
    return 0 if met and reached else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
