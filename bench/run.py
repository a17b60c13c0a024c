"""Run grids of cells: resolve them, run what is not done, record, track, score.

python -m bench.run configs/grids/sweep.yaml --steps "16 64 256" --pair pocket
python -m bench.run configs/grids/sweep.yaml --plan              # cells and minutes, runs nothing
python -m bench.run configs/grids/sweep.yaml --export work/      # a work folder for a bare GPU machine ...
python -m bench.run --cells work/ --record out.jsonl             # ... run there, with torch alone
"""

from __future__ import annotations

import sys
from dataclasses import replace

from bench.common import provenance
from bench.common.errors import exit_code
from bench.runner import loop, order, plan, request
from bench.spec import rules
from bench.store.sink import Sink


def main(argv: list[str] | None = None) -> int:
    args = request.parse(argv)
    work, pair = request.resolve(args)
    if args.export:
        replace(work, code=provenance.code()).save(args.export)
        print(
            f"{args.export}: {len(work.cells)} cells; run python -m bench.run --cells {args.export} --record out.jsonl"
        )
        return 0
    if not args.score_only and not request.is_plan_for_gpu(args):
        rules.check_cells(work.cells)
    sink = Sink(work.study, args.record, request.retried(args.retry))
    if args.plan:
        plan.print_plan(work, sink)
        return 0
    if args.ceilings and not args.score_only and order.rounds_to_do(work, sink.known(), sink.retry):
        loop.measure_ceilings(args, work)
    failed, tracked = loop.measure(args, work, pair, sink)
    if tracked and not args.record and not args.no_report:
        from bench.analysis import study
        from bench.analysis.findings import findings_of
        from bench.render.study import print_findings

        print_findings(findings_of(study.read(work.study)))
    return 0 if tracked and not failed else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
