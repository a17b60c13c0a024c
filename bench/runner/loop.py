"""The loop over worker processes: runs what is not done yet, puts every record on disk, and tracks it.

Never imports torch: models live in workers, one fresh process for each model and round.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from bench.common import provenance
from bench.records.machine import Environment
from bench.records.merge import CellRecords
from bench.records.types import Beside, Round
from bench.runner import estimate, order
from bench.runner.launch import Worker
from bench.runner.progress import Bar, round_text, start_text
from bench.spec.cell import Cell
from bench.spec.work import Work
from bench.store.sink import Sink


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
    was on record before this run, by cell id. number: of this process among all of the run, which names it in the bar.
    waiting: cells that have no record yet. failed: ids of cells that failed.
    """

    work: Work
    folder: Path
    round: int
    cells: list[Cell]
    facts: dict[str, str]
    before: dict[str, Round]
    sink: Sink
    bar: Bar
    number: int = 0
    waiting: dict[str, Cell] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def run(self) -> set[str]:
        """Run all cells. Returns the ids of those that failed: later rounds leave them out."""
        self.waiting = {cell.cell_id: cell for cell in self.cells}
        if self.cells:
            self.bar.begin(self.number, start_text(self.cells, self.round, self.work.rounds))
        while self.waiting:
            worker = self.worker()
            limits_s = {cell_id: cell.time_limit_s for cell_id, cell in self.waiting.items()}
            try:
                for event in worker.events(limits_s):
                    self.take(event)
            finally:
                worker.stop()
        return self.failed

    def worker(self) -> Worker:
        """A fresh process for the cells that wait."""
        return Worker(self.folder, self.round, list(self.waiting), self.folder / "worker.log", self.facts.get("gpu"))

    def take(self, event: dict) -> None:
        """Act on what a worker said, or on its death, which costs the cell that it was on."""
        record = event.get("record", {})
        cell_id = event.get("cell_id") or record.get("cell_id") or next(iter(self.waiting))
        if event["event"] == "start":
            self.bar.advance(self.number, 1.0)
            cell = self.waiting[cell_id]
            self.bar.begin((cell_id, self.round), round_text(self.round, self.work.rounds) + cell.label)
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
    """Run all rounds that are not done, with a bar of their own. Returns the number of cells of this work that have
    failed, now or earlier.

    folder: where the work is saved. gpu: UUID of the only card that workers see.
    """
    on_record = sink.known()
    if processes := order.rounds_to_do(work, on_record, sink.retry):
        with contextlib.closing(Bar(estimate.parts_of(work, processes, on_record))) as bar:
            run_processes(work, folder, sink, gpu, processes, bar)
    return count_failed(work, sink)


def count_failed(work: Work, sink: Sink) -> int:
    """How many cells of a work have failed, by the records."""
    on_record = sink.known()
    return sum(on_record[cell.cell_id].failed is not None for cell in work.cells if cell.cell_id in on_record)


def run_processes(
    work: Work, folder: Path, sink: Sink, gpu: str | None, processes: list[tuple[int, list[Cell]]], bar: Bar
) -> None:
    """Run the cells of each (round, cells) in turn; a cell that fails is left out of later rounds."""
    on_record = sink.known()
    facts = facts_of(work, gpu)
    failed: set[str] = set()
    for number, (round_, cells) in enumerate(processes):
        left = [cell for cell in cells if cell.cell_id not in failed]
        for cell in cells:
            if cell not in left:
                bar.advance((cell.cell_id, round_), 1.0)
        before = rounds_of(on_record, round_)
        failed |= Process(work, folder, round_, left, facts, before, sink, bar, number).run()
        sink.track()
        bar.advance(number, 1.0)


def facts_of(work: Work, gpu: str | None) -> dict[str, str]:
    """What every record of a run says of where it comes from. gpu: UUID of the only card that workers see."""
    facts = {"git": provenance.state_of(work.git, work.code), "command": provenance.command_line()}
    return facts | {"gpu": gpu} if gpu else facts


def rounds_of(on_record: dict[str, CellRecords], round_: int) -> dict[str, Round]:
    """What is on record of a round, by cell id."""
    return {cell_id: entry.rounds[round_] for cell_id, entry in on_record.items() if round_ in entry.rounds}
