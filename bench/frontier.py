"""How large a batch fits into memory? Searches the largest one at each answer length, by trying.

    python -m bench.frontier --pair pocket --limit-gib 2            # as on a device with so much memory
    python -m bench.frontier --pair pocket --limit-gib 2 --plan     # tries and minutes, runs nothing
    python -m bench.frontier --cells work/ --record out.jsonl       # on a bare machine: grid `frontier`, exported

A batch is the number of prompts that are answered together. LLaMA keeps keys and values of every earlier token, which
grow with the batch; LLaDA keeps none, but computes over all positions of all rows in every step. So they run out of
memory at different batches, and the largest batch bounds how many tokens a second a device can give.

Each try is a cell in a fresh process, since a process that ran out of memory cannot be trusted with the next try.
Running out of memory is a result like any other, and is recorded as such. What is on record is not tried again. A try
that failed in another way ends the search of its line, and the exit status is 1, until --retry "error timeout" makes
it again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.records import former
from bench.runner import frontier, frontier_plan, notices
from bench.runner.frontier import FrontierRequest
from bench.runner.request import retried
from bench.store.sink import Sink


def parse() -> FrontierRequest:
    parser = Parser("bench.frontier", __doc__)
    parser.add_argument("--pair", default="pocket", help="the two models that are compared (configs/pairs)")
    parser.add_argument("--model", help="a directory that replaces the pair's model of its kind")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--study", help="MLflow experiment; default: the pair's name")
    parser.add_argument("--limit-gib", type=float, help="search as on a device with so much memory")
    parser.add_argument("--plan", action="store_true", help="print tries and minutes and stop")
    parser.add_argument("--retry", default="", help="try again, by outcome: oom timeout error")
    parser.add_argument("--verbose", action="store_true", help="print the edges that were found before, too")
    parser.add_argument("--cells", type=Path, help="a work folder with the grid's cells")
    parser.add_argument("--record", type=Path, help="with --cells: append records to this file, no MLflow")
    args = parser.parse_args()
    if args.cells and not args.record:
        parser.error("--cells needs --record FILE")
    if args.limit_gib is not None and not args.limit_gib > 0:
        parser.error(f"--limit-gib {args.limit_gib:g}: expected more than 0")
    return FrontierRequest(**vars(args) | {"retry": retried(args.retry)})


def main() -> int:
    asked = parse()
    with notices.waiting_for("reading models and prompts"):
        work = frontier.resolve(asked)
    sink = Sink(work.study, asked.record, asked.retry)
    former.check(work.study, work.cells, sink.known())
    if asked.plan:
        frontier_plan.print_plan(work, sink)
        return 0
    has_worked = notices.Growth(sink.file)
    ends = []

    def lines() -> Iterator[str]:
        for end in frontier.search_all(work, sink):
            ends.append(end)
            yield end.text

    for line in lines() if asked.verbose else notices.unless_idle(lines(), has_worked):
        print(line, flush=True)
    still_open = [end.text for end in ends if end.is_open]
    if still_open and not has_worked and not asked.verbose:
        print("\n".join(still_open))
    if still_open:
        print(f"study {work.study}: {len(still_open)} of {len(ends)} lines of the frontier are still open")
    elif not has_worked:
        print(f"study {work.study}: nothing to do, every edge of the frontier is on record (VERBOSE=1 prints them)")
    return 1 if sink.refused or still_open else 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
