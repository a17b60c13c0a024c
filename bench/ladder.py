"""What is the engineering worth? One forward of each model on every engine and rung of the head, side by side.

    python -m bench.ladder [--pair NAME] [--model DIR] [--device D] [--repeats N] [--cells WORK]

An engine is how a forward is run: `eager` lets Python start every kernel, `captured` records the kernels of one step
once and replays them. `generate` and `generate-static` are LLaMA by transformers' own call, with a cache that grows and
with one of fixed size, for which it compiles the decode forward on a GPU. LLaDA's head is another axis: what follows
the forward of a denoising step, that is which tokens are most likely, how sure the model is, and which masks are
replaced. Its rungs are the code of the authors (`official-old`, `official`) and a version that never makes large tables
of probabilities (`lean`); all three choose the same tokens.

All of them run in one process, call by call in turn, so that a slow moment of the machine meets each. Then comes what
our loop changes: a token of it over one of transformers' own call. Last comes what the harness itself adds to a step by
taking times. Exit status 1 if a target is missed.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from bench.checks.finding import all_met
from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.runner.request import Request

MOST_REPEATS = 1000  # calls of each cell; a limit against slips of the hand


def main() -> int:
    parser = Parser("bench.ladder", __doc__)
    parser.add_argument("--pair", default="pocket", help="the two models that are run (configs/pairs)")
    parser.add_argument("--model", help="a directory that replaces the pair's model of its kind")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--repeats", type=int, default=12, help="calls of each cell")
    parser.add_argument("--cells", type=Path, help="a work folder with the cells of grid `engines`")
    args = parser.parse_args()
    if not 2 <= args.repeats <= MOST_REPEATS:
        parser.error(f"--repeats {args.repeats}: expected 2 to {MOST_REPEATS}")
    from bench.checks import engine_ladder

    asked = Request(grids=(engine_ladder.GRID,), cells=args.cells, pair=args.pair, model=args.model, device=args.device)
    return 0 if all_met(engine_ladder.check(asked, args.repeats, partial(print, flush=True))) else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
