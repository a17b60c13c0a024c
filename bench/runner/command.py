"""A command that measures a study: says what it will do and for how long, measures what is missing, scores the texts.

Never imports torch: ceilings and scores need it, and are functions that run in a process of their own
(bench/runner/apart.py); models live in workers (bench/runner/loop.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.common.errors import BadInput
from bench.devices import lock
from bench.runner import apart, ceilings, estimate, loop, notices, order, scorers, scores
from bench.runner.progress import REPORT, SCORING, Bar, Part, duration
from bench.runner.request import Request
from bench.spec.cell import Cell
from bench.spec.work import Work
from bench.store.sink import Sink

if TYPE_CHECKING:
    from bench.quality.scoring import Texts
    from bench.spec.pair import PairFile

FOLDER = Path(".cache/work")  # of the work folders that workers read, by study
Report = Callable[[], object]


@dataclass(frozen=True)
class Todo:
    """What a command has to do. processes: (round, cells) of each worker process. texts: that have no scores yet, of
    earlier runs."""

    processes: list[tuple[int, list[Cell]]]
    texts: list[Texts]

    def __bool__(self) -> bool:
        return bool(self.processes or self.texts)

    @property
    def cells(self) -> dict[str, Cell]:
        """The cells that are run, by id; the sentinel's, which only watch them, left out."""
        return {cell.cell_id: cell for _, cells in self.processes for cell in cells if not cell.twin}


@dataclass(frozen=True)
class Outcome:
    """What became of a command.

    has_worked: whether anything was measured or scored. failed: how many of its cells have failed, now or earlier, and
    how many scorers now.
    is_tracked: whether MLflow took everything. report: what the caller's `report` returned; None where it was not
    called.
    """

    has_worked: bool
    failed: int
    is_tracked: bool
    report: object = None


def run(asked: Request, work: Work, pair: PairFile | None, sink: Sink, report: Report | None = None) -> Outcome:
    """Measure and score what is missing, under the device's lock.

    pair: None for a work folder. report: is called at the end, where anything was done and MLflow has it all; the time
    that it takes is part of the progress that is shown. Raises BadInput.
    """
    device = work.cells[0].device
    with lock.held(device, work.study):
        sink.check()  # refused here, in one line, before anything is said or measured
    todo = todo_of(asked, work, pair, sink)
    if pair and todo:
        scorers.check(asked, work, pair, sink)
    parts = parts_of(todo, work, pair, sink, report)
    if todo.processes:
        notices.say(announcement(todo, work, parts))
        if asked.ceilings:
            measure_ceilings(work, pair, sink)
    findings = None
    scorers_failed = 0
    with lock.held(device, work.study) as gpu:
        if todo:
            with contextlib.closing(Bar(parts)) as bar:
                is_tracked, scorers_failed = work_off(asked, work, pair, sink, bar, todo, gpu and gpu[0])
                if report and is_tracked:
                    bar.begin(REPORT, "reading what the study says")
                    findings = report()
                    bar.advance(REPORT, 1.0)
        else:
            is_tracked = sink.track(again=True)
    failed = scorers_failed if asked.score_only else scorers_failed + loop.count_failed(work, sink)
    return Outcome(bool(todo), failed, is_tracked, findings)


def todo_of(asked: Request, work: Work, pair: PairFile | None, sink: Sink) -> Todo:
    """What is not done yet."""
    processes = [] if asked.score_only else order.rounds_to_do(work, sink.known(), sink.retry)
    if asked.record:
        return Todo(processes, [])
    from bench.quality import scoring

    return Todo(processes, scoring.unscored(work.study, pair.encoder, pair.judge))


def parts_of(
    todo: Todo, work: Work, pair: PairFile | None, sink: Sink, report: Report | None
) -> dict[Hashable, Part]:  # fmt: skip
    """The parts of the bar: the cells, the scores of their texts and of earlier ones, and what stands at the end."""
    on_record = sink.known()
    parts = estimate.parts_of(work, todo.processes, on_record)
    if pair:
        new_cells = [cell for cell_id, cell in todo.cells.items() if cell_id not in on_record]
        seconds = estimate.scoring_s(new_cells, pair) + sum(scores.seconds_of(todo.texts).values())
        parts[SCORING] = Part(SCORING, seconds)
    if report:
        parts[REPORT] = Part(REPORT, estimate.REPORT_S)
    return parts


def work_off(
    asked: Request, work: Work, pair: PairFile | None, sink: Sink, bar: Bar, todo: Todo, gpu: str | None
) -> tuple[bool, int]:  # fmt: skip
    """Do what is to be done. Returns whether MLflow took everything, and how many scorers failed.

    gpu: UUID of the card, None on a CPU.
    """
    folder = asked.cells or FOLDER / work.study
    if not asked.cells:
        work.save(folder)
    if todo.processes:
        loop.run_processes(work, folder, sink, gpu, todo.processes, bar)
    is_tracked = sink.track(again=True)
    failed = None if asked.record else scores.score(work.study, pair, sink, bar)
    if failed is not None:
        is_tracked = sink.track(again=True)
    return is_tracked, failed or 0


def announcement(todo: Todo, work: Work, parts: dict[Hashable, Part]) -> str:
    """What is about to be done and about how long it takes, in words."""
    device = "this CPU" if work.cells[0].device == "cpu" else "this GPU"
    is_watched = any(cell.twin for _, cells in todo.processes for cell in cells)
    checks = ", each between two noise checks," if is_watched else ""
    scored = ", scoring included" if SCORING in parts and parts[SCORING].seconds else ""
    seconds = sum(part.seconds for part in parts.values())
    cells = notices.counted(len(todo.cells), "cell")
    rounds = notices.counted(len({round_ for round_, _ in todo.processes}), "round")
    return (
        f"study {work.study}: {cells} to measure in {rounds}{checks} on {device}; a first guess is"
        f" {duration(seconds)}{scored}"
    )


def measure_ceilings(work: Work, pair: PairFile | None, sink: Sink) -> None:
    """This device's ceilings where the study has none, in a process of its own: MFU, MBU and predictions of its runs
    are made from them. pair: None for a work folder. Raises BadInput where that fails."""
    if pair is None:
        task = ceilings.task_of_work(work)
    else:
        task = ceilings.task_of_pair(pair, work.study, work.cells[0].device, work.product_dtypes)
    only_missing = True
    is_tracked_here = False
    with notices.waiting_for("looking whether the study has the ceilings of this device"):
        has_measured = apart.run(ceilings.run, task, sink, None, only_missing, is_tracked_here)
    if not has_measured:
        raise BadInput("the ceilings of this device were not measured (see above)")
