"""One forward of each model on every engine and rung of the head, side by side in one process.

    python -m bench.ladder [--pair NAME] [--device D] [--repeats N] [--cells WORK]

Exit status 1 if a target is missed. --cells: an exported work folder, for a machine without the packages that read
grids.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from bench.checks import engine_ladder
from bench.checks.finding import all_met
from bench.common import cli
from bench.common.errors import exit_code
from bench.runner.request import Request


def main() -> int:
    parser = cli.Parser("bench.ladder", __doc__)
    parser.add_argument("--pair", default="pocket")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--cells", type=Path)
    args = parser.parse_args()
    if not 2 <= args.repeats <= 1000:
        parser.error(f"--repeats {args.repeats}: expected 2 to 1000")
    asked = Request(grids=(engine_ladder.GRID,), cells=args.cells, pair=args.pair, device=args.device)
    return 0 if all_met(engine_ladder.check(asked, args.repeats, partial(print, flush=True))) else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
