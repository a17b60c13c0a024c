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
from bench.runner import loop, plan, request
from bench.spec import rules
from bench.store.sink import Sink


def main(argv: list[str] | None = None) -> int:
    asked = request.parse(argv, __doc__)
    work, pair = request.resolve(asked)
    if asked.export:
        replace(work, code=provenance.code()).save(asked.export)
        command = f"python -m bench.run --cells {asked.export} --record out.jsonl"
        print(f"{asked.export}: {len(work.cells)} cells; run {command}")
        return 0
    if asked.runs_here and not asked.score_only:
        rules.check_cells(work.cells)
    sink = Sink(work.study, asked.record, asked.retry)
    if asked.plan:
        plan.print_plan(work, sink)
        return 0
    failed, tracked = loop.measure(asked, work, pair, sink)
    if tracked and asked.report and not asked.record:
        from bench.render.study import print_study

        print_study(work.study)
    return 0 if tracked and not failed else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
