"""The parent loop: resolve grids to cells, run what is not done, record, track, score.

    python -m bench.run configs/grids/sweep.yaml --steps "16 64 256" --pair pocket
    python -m bench.run configs/grids/sweep.yaml --plan              # cells and minutes, runs nothing
    python -m bench.run configs/grids/sweep.yaml --export work/      # a work folder for a bare GPU machine ...
    python -m bench.run --cells work/ --record out.jsonl             # ... run there, with torch alone

Never imports torch: models live in workers, one fresh process for each model and round.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from bench.common import provenance
from bench.common.errors import BadInput
from bench.devices import lock
from bench.records import merge
from bench.records.machine import Environment
from bench.records.types import Beside, Round
from bench.runner import apart, ceilings, estimate, order
from bench.runner.launch import Worker
from bench.runner.progress import Bar
from bench.runner.request import Request
from bench.spec.cell import Cell
from bench.spec.work import Work
from bench.store.sink import Sink

if TYPE_CHECKING:
    from bench.spec.pair import PairFile


WORK = Path(".cache/work")


def failure(work: Work, cell: Cell, round_: int, event: dict) -> Round:
    """The record of a cell whose worker died or ran out of time."""
    now_s = time.time()
    outcome = "timeout" if event["event"] == "timeout" else "error"
    name = provenance.cpu_name() if cell.device == "cpu" else cell.device  # of a GPU its worker would have told
    return Round(
        work.study, cell.cell_id, round_, cell, outcome, event["message"], started_s=now_s, ended_s=now_s,
        environment=Environment(device=name),
    )  # fmt: skip


def run_process(
    work: Work, folder: Path, round_: int, cells: list[Cell], sink: Sink, bar: Bar, facts: dict,
    known: dict[str, merge.CellRecords],
) -> set[str]:  # fmt: skip
    """Run cells in one worker; if it dies, that costs the cell it was on, and a new worker goes on.

    facts: what every record says of where it comes from. known: what there was before this run. Returns the ids of the
    cells that failed: later rounds leave them out.
    """
    before = {cell_id: entry.rounds[round_] for cell_id, entry in known.items() if round_ in entry.rounds}
    waiting, failed = {cell.cell_id: cell for cell in cells}, set()
    while waiting:
        worker = Worker(folder, round_, list(waiting), folder / "worker.log", facts.get("gpu"))
        try:
            for event in worker.events({cell_id: cell.time_limit_s for cell_id, cell in waiting.items()}):
                cell_id = event.get("cell_id") or event.get("record", {}).get("cell_id") or next(iter(waiting))
                key = (cell_id, round_)
                if event["event"] == "start":
                    bar.describe(waiting[cell_id], round_)
                elif event["event"] == "progress":
                    bar.advance(key, event["done"] / estimate.calls(waiting[cell_id], round_))
                elif event["event"] == "beside":
                    sink.take(Beside.from_json(event["record"]))
                else:
                    raw = event.get("record")
                    record = Round.from_json(raw) if raw else failure(work, waiting[cell_id], round_, event)
                    place = {"rounds_planned": work.rounds, "order_seed": work.seed, "order": len(cells) - len(waiting)}
                    place |= {"replaces_started_s": before[cell_id].started_s} if cell_id in before else {}
                    sink.take(replace(record, **place, **facts))
                    bar.advance(key, 1.0)
                    if not record.is_good:
                        failed.add(cell_id)
                        label = waiting[cell_id].label
                        tqdm.write(f"{label}: {record.outcome}: {record.message}", file=sys.stderr)
                    del waiting[cell_id]
        finally:
            worker.stop()
    sink.track()
    return failed


def run(work: Work, folder: Path, sink: Sink, gpu: str | None = None) -> int:
    """Run all rounds that are not done. Returns the number of failed cells of this work.

    gpu: UUID of the card that workers see.
    """
    known = sink.known()
    processes = order.rounds_to_do(work, known, sink.retry)
    if processes:
        seconds = {
            (cell.cell_id, round_): estimate.round_s(cell, round_, work.prompts_of(cell), known)
            for round_, cells in processes
            for cell in cells
        }
        facts = {"git": provenance.state_of(work.git, work.code), "command": provenance.command_line()}
        facts |= {"gpu": gpu} if gpu else {}
        failed: set[str] = set()
        with contextlib.closing(Bar(work, seconds)) as bar:
            for round_, cells in processes:
                left = [cell for cell in cells if cell.cell_id not in failed]
                failed |= run_process(work, folder, round_, left, sink, bar, facts, known)
    known = sink.known()
    return sum(known[cell.cell_id].failed is not None for cell in work.cells if cell.cell_id in known)


def score(study: str, pair: PairFile, sink: Sink) -> bool:
    """Score generations that have no scores yet, in a process of its own; whether there was anything to score."""
    from bench.quality import scoring

    if not scoring.unscored(study, pair.encoder, pair.judge):
        return False
    asked = study, pair.encoder, pair.judge, sink.take
    if not apart.run(scoring.score_study, *asked, environment={"HF_HUB_OFFLINE": "1"}):
        raise BadInput("scoring stopped (see above); generations are kept, the same command scores what is left")
    return True


def measure_ceilings(asked: Request, work: Work, sink: Sink) -> None:
    """This device's ceilings where the study has none, in a process of its own: MFU, MBU and predictions of its runs
    are made from them. Raises BadInput where that fails; the process has said why."""
    if asked.cells:
        task = ceilings.task_of_work(work)
    else:
        task = ceilings.task_of_pair(asked.pair, work.study, work.cells[0].device, work.float_dtypes)
    only_missing = True
    if not apart.run(ceilings.run, task, sink, None, only_missing):
        raise BadInput("the ceilings of this device were not measured (see above)")


def measure(asked: Request, work: Work, pair: PairFile | None, sink: Sink) -> tuple[int, bool]:
    """Run and score under the device's lock. Returns the number of failed cells, and whether MLflow took everything."""
    if asked.ceilings and not asked.score_only and order.rounds_to_do(work, sink.known(), sink.retry):
        measure_ceilings(asked, work, sink)
    folder = asked.cells or WORK / work.study
    with lock.held(work.cells[0].device, work.study) as gpu:
        sink.check()
        if not asked.cells:
            work.save(folder)
        failed = 0 if asked.score_only else run(work, folder, sink, gpu and gpu[0])
        tracked = sink.track(again=True)
        if not asked.record and score(work.study, pair, sink):
            tracked = sink.track(again=True)
    return failed, tracked
