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

A record is on disk before anything else is done with it, so the same command goes on where it was stopped; where
nothing is left to do it says so. At the end stand the rows of the cells that were asked for, and the verdict; with
--verbose every table of the study. Exit status 1 says that a cell or a scorer failed, or that MLflow did not take
everything.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from functools import partial

from bench.common import provenance
from bench.common.errors import BadInput, exit_code
from bench.common.plural import counted
from bench.records import former
from bench.runner import command, notices, plan, request
from bench.runner.command import Outcome
from bench.runner.request import Request
from bench.spec import rules
from bench.spec.work import Work
from bench.store.sink import Sink

DEFAULT_STUDY = "pocket"  # that make takes where no STUDY and no PAIR is given


def main(argv: list[str] | None = None) -> int:
    asked = request.parse(argv, __doc__)
    with notices.waiting_for("reading models and prompts; the first time this takes up to a minute"):
        work, pair = request.resolve(asked)
    if asked.export:
        if any(cell.server for cell in work.cells):
            raise BadInput(f"--export {asked.export}: a server is asked from this machine; leave it out")
        replace(work, code=provenance.code()).save(asked.export)
        typed = f"python -m bench.run --cells {asked.export} --record out.jsonl"
        print(f"{asked.export}: {len(work.cells)} cells; run {typed}")
        return 0
    if asked.runs_here and not asked.score_only:
        rules.check_cells(work.cells)
    sink = Sink(work.study, asked.record, asked.retry)
    if not asked.score_only:
        former.check(work.study, work.cells, sink.known())
    if asked.plan:
        plan.print_plan(work, sink)
        return 0
    report = partial(read_findings, work.study) if asked.report and not asked.record else None
    outcome = command.run(asked, work, pair, sink, report)
    if outcome.report is None and report and asked.verbose and outcome.is_tracked:
        outcome = replace(outcome, report=report())
    print_outcome(asked, work, outcome)
    if outcome.of_cards:
        print(outcome.of_cards.text)
        is_whole = not outcome.of_cards.rounds_left
    else:
        is_whole = True
    return 0 if outcome.is_tracked and is_whole and not outcome.failed else 1


def read_findings(study_name: str) -> object:
    """All that the study says by now (a `Findings`); its verdicts go into the description of its page in MLflow."""
    from bench.analysis import study
    from bench.analysis.findings import findings_of
    from bench.render import description
    from bench.store import mirror

    findings = findings_of(study.read(study_name))
    mirror.describe(findings.study, description.verdicts(findings))
    return findings


def print_outcome(asked: Request, work: Work, outcome: Outcome) -> None:
    """What a command ends with: its rows and the verdict, or that there was nothing to do, and where to look."""
    if outcome.report is not None:
        from bench.render.study import print_findings

        print_findings(outcome.report, None if asked.verbose else {cell.cell_id for cell in work.cells})
    if not outcome.has_worked:
        print(idle_text(asked, work, outcome.failed))
    if outcome.report is not None:
        print(f"Where to look: make paper{study_word(work.study)} writes the report, make ui shows every run.")


def study_word(study: str) -> str:
    """ " STUDY=mine": how make is told of a study that it would not take by itself."""
    return "" if study == DEFAULT_STUDY else f" STUDY={shlex.quote(study)}"


def idle_text(asked: Request, work: Work, failed: int) -> str:
    """That there was nothing to do, in a line."""
    what = scored_text(work.study) if asked.score_only else "everything asked for is measured and scored"
    again = f"; {failed} of its cells failed before (RETRY= runs them again)" if failed else ""
    tables = "" if asked.verbose or asked.record or not asked.report else "; VERBOSE=1 prints the tables"
    return f"study {work.study}: nothing to do, {what}{again}{tables}"


def scored_text(study: str) -> str:
    """That every text is scored, or how many cannot be scored in this clone and what to do."""
    from bench.quality import scoring

    missing = scoring.without_prompts(study)
    if not missing:
        return "every text is scored"
    sets = counted(missing, "set")
    return (
        f"every text is scored whose prompts are here; those of {sets} of texts are not in mlruns/prompts"
        " (resolve the grid that asked them here, with --export, or score them where they were made)"
    )


if __name__ == "__main__":
    sys.exit(exit_code(main))
