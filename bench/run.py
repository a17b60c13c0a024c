"""Measure both models of a pair: run cells, record every measurement, score the texts, report the comparison.

    python -m bench.run configs/grids/sweep.yaml --steps "16 64 256" --pair pocket
    python -m bench.run configs/grids/sweep.yaml --plan              # cells and minutes, runs nothing
    python -m bench.run configs/grids/sweep.yaml --export work/      # a work folder for a bare GPU machine ...
    python -m bench.run --cells work/ --record out.jsonl             # ... run there, with torch alone

A pair is two models to be compared: LLaMA, which is autoregressive, and LLaDA, which is a diffusion model. LLaMA reads
the whole prompt in one forward (the prefill), then writes one token with each further forward. LLaDA starts from an
answer that is all masks. Each denoising step is one forward over prompt and answer together, after which some of the
masks are replaced by tokens. Fewer steps take less time, and the text gets worse at some number of them.

A cell is one configuration that is measured: one model, its precision, its prompts, its length, and for LLaDA the
number of steps. A grid is a YAML file that spans cells.

Every cell is measured in several rounds, and each round is a fresh process. Where a process puts its memory and which
kernels it picks is drawn once, when it starts. Repeated calls inside one process share that luck, so they look steadier
than the machine is; repeated processes do not. Before and after the models of a round the sentinel runs, which is
always the same cell: how much its two runs differ shows how much two equal measurements differ here.

On a GPU each round gets a verdict of NVML, NVIDIA's monitoring library: was the card ours alone? `exclusive` and
`consistent` rounds are believed. `violated` rounds met another process, and of `unknown` rounds nobody can say; on a
CPU every round is `unknown`.

A record is on disk before anything else is done with it, so the same command goes on where it was stopped. Exit status
1 says that a cell failed, or that MLflow did not take everything.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from bench.common import provenance
from bench.common.errors import exit_code
from bench.records import former
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
    if not asked.score_only:
        former.check(work.study, work.cells, sink.known())
    if asked.plan:
        plan.print_plan(work, sink)
        return 0
    failed, tracked = loop.measure(asked, work, pair, sink)
    if tracked and asked.report and not asked.record:
        from bench.analysis import study
        from bench.analysis.findings import findings_of
        from bench.render.study import print_findings

        print_findings(findings_of(study.read(work.study)))
    return 0 if tracked and not failed else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
