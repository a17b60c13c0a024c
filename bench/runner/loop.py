"""The parent: runs in worker processes what is not done yet, puts every record on disk, tracks and scores.

Never imports torch: models live in workers, one fresh process for each model and round. Ceilings and scores, which need
torch too, are functions that run in a process of their own (bench/runner/apart.py).
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from bench.common import provenance
from bench.common.errors import BadInput
from bench.devices import lock
from bench.records.machine import Environment
from bench.records.merge import CellRecords
from bench.records.types import Beside, Round
from bench.runner import apart, ceilings, estimate, order, scorers
from bench.runner.launch import Worker
from bench.runner.progress import Bar
from bench.runner.request import Request
from bench.spec.cell import Cell
from bench.spec.work import Work
from bench.store.sink import Sink

if TYPE_CHECKING:
    from bench.spec.pair import PairFile


WORK = Path(".cache/work")  # of the work folders that workers read, by study


def failure(work: Work, cell: Cell, round_: int, event: dict) -> Round:
    """The record of a cell whose worker died or ran out of time; event: the worker's last (bench/runner/launch.py)."""
    now_s = time.time()
    outcome = "timeout" if event["event"] == "timeout" else "error"
    name = provenance.cpu_name() if cell.device == "cpu" else cell.device  # of a GPU its worker would have told
    return Round(
        work.study, cell.cell_id, round_, cell, outcome, event["message"], started_s=now_s, ended_s=now_s,
        environment=Environment(device=name),
    )  # fmt: skip


@dataclass
class Process:
    """The cells of one model in one round, which one worker runs; if it dies, another goes on with those left.

    facts: what every record says of where it comes from (git, command, and the UUID of a GPU). before: the round as it
    was on record before this run, by cell id. waiting: cells that have no record yet. failed: ids of cells that failed.
    """

    work: Work
    folder: Path
    round: int
    cells: list[Cell]
    facts: dict[str, str]
    before: dict[str, Round]
    sink: Sink
    bar: Bar
    waiting: dict[str, Cell] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def run(self) -> set[str]:
        """Run all cells. Returns the ids of those that failed: later rounds leave them out."""
        self.waiting = {cell.cell_id: cell for cell in self.cells}
        while self.waiting:
            worker = Worker(
                self.folder, self.round, list(self.waiting), self.folder / "worker.log", self.facts.get("gpu")
            )
            limits_s = {cell_id: cell.time_limit_s for cell_id, cell in self.waiting.items()}
            try:
                for event in worker.events(limits_s):
                    self.take(event)
            finally:
                worker.stop()
        self.sink.track()
        return self.failed

    def take(self, event: dict) -> None:
        """Act on what a worker said, or on its death, which costs the cell that it was on."""
        record = event.get("record", {})
        cell_id = event.get("cell_id") or record.get("cell_id") or next(iter(self.waiting))
        if event["event"] == "start":
            self.bar.describe(self.waiting[cell_id], self.round)
        elif event["event"] == "progress":
            self.bar.advance((cell_id, self.round), event["done"] / estimate.calls(self.waiting[cell_id], self.round))
        elif event["event"] == "beside":
            self.sink.take(Beside.from_json(record))
        else:
            cell = self.waiting[cell_id]
            self.end(cell, Round.from_json(record) if record else failure(self.work, cell, self.round, event))

    def end(self, cell: Cell, record: Round) -> None:
        """Put a cell's round on record, however it ended."""
        place = {
            "rounds_planned": self.work.rounds,
            "order_seed": self.work.seed,
            "order": len(self.cells) - len(self.waiting),
        }
        if cell.cell_id in self.before:
            place["replaces_started_s"] = self.before[cell.cell_id].started_s
        self.sink.take(replace(record, **place, **self.facts))
        self.bar.advance((cell.cell_id, self.round), 1.0)
        if not record.is_good:
            self.failed.add(cell.cell_id)
            tqdm.write(f"{cell.label}: {record.outcome}: {record.message}", file=sys.stderr)
        del self.waiting[cell.cell_id]


def run(work: Work, folder: Path, sink: Sink, gpu: str | None = None) -> int:
    """Run all rounds that are not done. Returns the number of cells of this work that have failed, now or earlier.

    folder: where the work is saved. gpu: UUID of the only card that workers see.
    """
    on_record = sink.known()
    if processes := order.rounds_to_do(work, on_record, sink.retry):
        run_processes(work, folder, sink, gpu, processes, on_record)
        on_record = sink.known()
    return sum(on_record[cell.cell_id].failed is not None for cell in work.cells if cell.cell_id in on_record)


def run_processes(
    work: Work, folder: Path, sink: Sink, gpu: str | None, processes: list[tuple[int, list[Cell]]],
    on_record: dict[str, CellRecords],
) -> None:  # fmt: skip
    """Run the cells of each (round, cells) in turn; a cell that fails is left out of later rounds.

    on_record: the study's records by cell id, before this run.
    """
    seconds = {
        (cell.cell_id, round_): estimate.round_s(cell, round_, work.prompts_of(cell), on_record)
        for round_, cells in processes
        for cell in cells
    }
    facts = {"git": provenance.state_of(work.git, work.code), "command": provenance.command_line()}
    if gpu:
        facts["gpu"] = gpu
    failed: set[str] = set()
    with contextlib.closing(Bar(work, seconds)) as bar:
        for round_, cells in processes:
            left = [cell for cell in cells if cell.cell_id not in failed]
            before = {cell_id: entry.rounds[round_] for cell_id, entry in on_record.items() if round_ in entry.rounds}
            failed |= Process(work, folder, round_, left, facts, before, sink, bar).run()


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
    """Run and score under the device's lock. Returns the number of cells and scorers that failed, and whether MLflow
    took everything."""
    if not asked.cells:
        scorers.check(asked, work, pair, sink)
    if asked.ceilings and not asked.score_only and order.rounds_to_do(work, sink.known(), sink.retry):
        measure_ceilings(asked, work, sink)
    folder = asked.cells or WORK / work.study
    with lock.held(work.cells[0].device, work.study) as gpu:
        sink.check()
        if not asked.cells:
            work.save(folder)
        failed = 0 if asked.score_only else run(work, folder, sink, gpu and gpu[0])
        tracked = sink.track(again=True)
        if not asked.record and (scorers_failed := scorers.score(work.study, pair, sink)) is not None:
            failed += scorers_failed
            tracked = sink.track(again=True)
    return failed, tracked
