"""Do the cards of a host disturb each other?

    python -m bench.neighbours --pair 8b-shapes --devices all
    python -m bench.neighbours --cells work/ --devices all --record out.jsonl     # a bare GPU machine

The sentinel, one small cell of each model, is measured on one card: alone, then while all other cards run the same
cells, then alone again, each time in a fresh process; in each round on another card. Printed is, for each engine and
model, how much longer a call takes beside busy neighbours, and next to it the ratio of the two runs alone, which differ
in nothing: what lies inside that interval is no effect. With --record a check that was stopped goes on where it was.
Exit status 2 where fewer than two cards are named.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.runner.request import MOST_ROUNDS, Request
from bench.runner.several import Wanted
from bench.spec import sentinel


def main() -> int:
    parser = Parser("bench.neighbours", __doc__)
    parser.add_argument("--pair", default="pocket", help="whose sentinels are measured (configs/pairs)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--devices", default="all", help='all, indices or UUIDs "0 1"; "cpu:0 cpu:1"')
    parser.add_argument("--cluster", default="", help="of Ray: auto, or HOST:PORT")
    parser.add_argument("--engine", default="eager captured", help='"eager captured", or one of them')
    parser.add_argument("--rounds", type=int, default=3, help="rounds, each on another card")
    parser.add_argument("--cells", type=Path, help="a work folder that holds sentinels")
    parser.add_argument("--record", type=Path, help="append the records to this file")
    args = parser.parse_args()
    if not 1 <= args.rounds <= MOST_ROUNDS:
        parser.error(f"--rounds {args.rounds}: expected 1 to {MOST_ROUNDS}")
    wanted = Wanted(args.devices, args.cluster)
    asked = Request(
        grids=() if args.cells else (sentinel.GRID,), cells=args.cells, pair=args.pair, device=args.device,
        cards=wanted, rounds=args.rounds, record=args.record,
        overrides={"engine": args.engine.replace(",", " ").split(), "model": ["autoregressive", "diffusion"]},
    )  # fmt: skip
    from bench.checks import neighbours

    for line in neighbours.check(asked, wanted):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
