"""How large a batch fits into memory? Searches the largest one at each answer length, by trying.

    python -m bench.frontier --pair pocket --limit-gib 2            # as on a device with so much memory
    python -m bench.frontier --pair pocket --limit-gib 2 --plan     # tries and minutes, runs nothing
    python -m bench.frontier --cells work/ --record out.jsonl       # on a bare machine: grid `frontier`, exported

A batch is the number of prompts that are answered together. LLaMA keeps keys and values of every earlier token, which
grow with the batch; LLaDA keeps none, but computes over all positions of all rows in every step. So they run out of
memory at different batches, and the largest batch bounds how many tokens a second a device can give.

Each try is a cell in a fresh process, since a process that ran out of memory cannot be trusted with the next try.
Running out of memory is a result like any other, and is recorded as such. What is on record is not tried again.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from bench.common import cli
from bench.common.errors import BadInput, exit_code
from bench.devices import lock
from bench.runner import frontier, frontier_plan, request
from bench.runner.frontier import GRID, NO_LIMIT
from bench.spec import rules
from bench.store.sink import Sink


def parse() -> argparse.Namespace:
    parser = cli.Parser("bench.frontier", __doc__)
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
    work = frontier.work_of(args)
    cells = [cell for cell in work.cells if cell.kind == GRID]
    if not cells:
        raise BadInput(f"{args.cells}: holds no cells of grid {GRID}")
    if args.limit_gib is not None:
        cells = [replace(cell, limit_gib=args.limit_gib) for cell in cells]
    if not request.is_plan_for_gpu(args.plan, args.device):
        rules.check_cells(cells)
    sink = Sink(work.study, args.record)
    if args.plan:
        frontier_plan.print_plan(work, cells, sink)
        return 0
    if cells[0].device == "cpu" and cells[0].limit_gib is None:
        raise BadInput(f"frontier: {NO_LIMIT}")
    with lock.held(cells[0].device, work.study) as gpu:
        sink.check()
        for cell in cells:
            limit = cell.limit_gib or (gpu and frontier.device_gib(gpu[0]))
            found = frontier.search(work, cell, sink, gpu and gpu[0], limit)
            print(f"{frontier.name_of(cell)}, {cell.gen_length} tokens: {found}", flush=True)
        tracked = sink.track(again=True)
    return 0 if tracked else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
