"""The parent loop: resolve grids to cells, run what is not done, record, track, score.

    python -m bench.run configs/grids/sweep.yaml --steps "16 64 256" --pair pocket
    python -m bench.run configs/grids/sweep.yaml --plan              # cells and minutes, runs nothing
    python -m bench.run configs/grids/sweep.yaml --export work/      # a work folder for a bare GPU machine ...
    python -m bench.run --cells work/ --record out.jsonl             # ... run there, with torch alone

Never imports torch: models live in workers, one fresh process for each model and round.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from bench import estimate, records, request
from bench.cell import Cell, Work
from bench.errors import BadInput, exit_code
from bench.launch import Worker

if TYPE_CHECKING:
    from bench.grid import PairFile  # needs pydantic, which a bare GPU machine lacks

WORK = Path(".cache/work")


@dataclass
class Sink:
    """Where records go: a study's file and MLflow, or a plain file on a machine without MLflow."""

    study: str
    plain_file: Path | None = None

    def known(self) -> dict[str, records.CellRecords]:
        return records.group(records.read(self.plain_file or records.path(self.study)))

    def take(self, record: dict) -> None:
        """Put a record on disk."""
        records.append(self.plain_file or records.path(self.study), record)

    def track(self) -> None:
        """Bring MLflow up to the records; what it cannot take waits for the next run.

        Called only while no worker runs: on a small machine it would disturb what is being timed.
        """
        if self.plain_file:
            return
        from bench import tracking

        known = self.known()
        for cell_id in known:
            try:
                tracking.log_cell(self.study, cell_id, known[cell_id])
            except Exception as error:  # whatever MLflow or its database raise, the record is safe
                tqdm.write(
                    f"MLflow did not take cell {cell_id} ({error}); its record is in"
                    f" {records.path(self.study)} and the next run logs it",
                    file=sys.stderr,
                )


class Bar:
    """Progress over all rounds in estimated seconds: cells, rounds and time left."""

    def __init__(self, work: Work, todo: dict[tuple[str, int], float]):
        self.work, self.todo = work, todo
        self.seen: dict[tuple[str, int], float] = {}
        self.bar = tqdm(
            total=sum(todo.values()) * (1 + 1e-9),  # a hair more, for the rounding of many additions
            bar_format="{desc} {percentage:3.0f}% |{bar:24}| {elapsed} gone, {remaining} left",
            mininterval=1,
        )

    def describe(self, cell: Cell, round_: int) -> None:
        self.bar.set_description_str(f"round {round_}/{self.work.rounds}, cell {cell.label}".ljust(34), refresh=True)

    def advance(self, key: tuple[str, int], share: float) -> None:
        """Move to `share` (0..1) of a cell's estimated seconds."""
        whole = self.todo.get(key, 0.0)
        self.bar.update(whole * share - self.seen.get(key, 0.0))
        self.seen[key] = whole * share


def rounds_to_do(work: Work, known: dict[str, records.CellRecords]) -> list[tuple[int, list[Cell]]]:
    """(round, cells of one model in seeded shuffled order) for each process to start; done and failed cells left out.

    Models alternate from round to round, so that a slow drift of the machine does not favour one.
    """
    found = []
    for round_ in range(1, work.rounds + 1):
        models = sorted({cell.model for cell in work.cells}, reverse=round_ % 2 == 0)
        for model in models:
            cells = [cell for cell in work.cells if cell.model == model and not is_done(cell, round_, known)]
            random.Random(f"{work.seed} {round_} {model}").shuffle(cells)
            if cells:
                found.append((round_, cells))
    return found


def is_done(cell: Cell, round_: int, known: dict[str, records.CellRecords]) -> bool:
    """Whether a round is in, or the cell failed: a failure is a result and is not tried again."""
    entry = known.get(cell.cell_id)
    return entry is not None and (round_ in entry.rounds or entry.failed is not None)


def failure(work: Work, cell: Cell, round_: int, event: dict) -> dict:
    """The record of a cell whose worker died or ran out of time."""
    now = time.time()
    outcome = "timeout" if event["event"] == "timeout" else "error"
    unknown = {"verdict": "unknown", "device": cell.device, "torch": "", "transformers": ""}
    return {
        "record": "round", "study": work.study, "cell_id": cell.cell_id, "round": round_, "cell": cell.settings(),
        "started": now, "ended": now, "outcome": outcome, "message": event["message"], "environment": unknown,
    }  # fmt: skip


def run_process(work: Work, folder: Path, round_: int, cells: list[Cell], sink: Sink, bar: Bar, git: str) -> set[str]:
    """Run cells in one worker; if it dies, that costs the cell it was on, and a new worker goes on.

    Returns the ids of the cells that failed: later rounds leave them out.
    """
    waiting, failed = {cell.cell_id: cell for cell in cells}, set()
    while waiting:
        worker = Worker(folder, round_, list(waiting), folder / "worker.log")
        try:
            for event in worker.events({cell_id: cell.time_limit_s for cell_id, cell in waiting.items()}):
                cell_id = event.get("cell_id") or event.get("record", {}).get("cell_id") or next(iter(waiting))
                key = (cell_id, round_)
                if event["event"] == "start":
                    bar.describe(waiting[cell_id], round_)
                elif event["event"] == "progress":
                    bar.advance(key, event["done"] / estimate.calls(waiting[cell_id], round_))
                else:
                    record = event.get("record") or failure(work, waiting[cell_id], round_, event)
                    sink.take(record | {"rounds": work.rounds, "git": git})
                    bar.advance(key, 1.0)
                    if record["outcome"] != "ok":
                        failed.add(cell_id)
                        label = waiting[cell_id].label
                        tqdm.write(f"{label}: {record['outcome']}: {record['message']}", file=sys.stderr)
                    del waiting[cell_id]
        finally:
            worker.stop()
    sink.track()
    return failed


def run(work: Work, folder: Path, sink: Sink) -> int:
    """Run all rounds that are not done. Returns the number of failed cells of this work."""
    known = sink.known()
    processes = rounds_to_do(work, known)
    if processes:
        seconds = {
            (cell.cell_id, round_): estimate.calls(cell, round_) * estimate.call_s(cell, work.prompts_of(cell), known)
            for round_, cells in processes
            for cell in cells
        }
        bar, git = Bar(work, seconds), git_state()
        failed: set[str] = set()
        for round_, cells in processes:
            left = [cell for cell in cells if cell.cell_id not in failed]
            failed |= run_process(work, folder, round_, left, sink, bar, git)
        bar.bar.close()
    known = sink.known()
    return sum(known[cell.cell_id].failed is not None for cell in work.cells)


def git_state() -> str:
    """Commit of the working tree, `-dirty` if it has changes; empty outside a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def score(study: str, pair: PairFile, sink: Sink) -> bool:
    """Score generations that have no scores yet, in a process of its own; its records arrive as JSON lines.

    Returns whether there was anything to score.
    """
    from bench import quality

    if not quality.unscored(study, pair.encoder, pair.judge):
        return False
    command = [sys.executable, "-m", "bench.quality", study, pair.encoder, pair.judge]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"HF_HUB_OFFLINE": "1"}) as process:
        for line in process.stdout:
            sink.take(json.loads(line))
    if process.returncode:
        raise BadInput("scoring stopped (see above); generations are kept, the same command scores what is left")
    return True


def print_plan(work: Work, sink: Sink) -> None:
    """The cells with estimated minutes, and what is done already."""
    known = sink.known()
    total = 0.0
    line = "{:14}{:10}{:8}{:>6}{:>8}{:>7}{:>9}{:>10}  {}"
    print(line.format("cell", "kind", "model", "steps", "tokens", "batch", "prompts", "est. min", "state"))
    for cell in work.cells:
        rounds = range(1, work.rounds + 1)
        seconds = estimate.cell_s(cell, work.rounds, work.prompts_of(cell), known)
        left = [round_ for round_ in rounds if not is_done(cell, round_, known)]
        state = (
            "to do" if len(left) == work.rounds else f"{len(left)} of {work.rounds} rounds to do" if left else "done"
        )
        total += seconds if left else 0.0
        shape = (cell.steps or "-", cell.gen_length, cell.batch_size, cell.prompts)
        print(line.format(cell.cell_id, cell.kind, cell.model, *shape, f"{seconds / 60:.1f}", state))
    starts = len(rounds_to_do(work, known)) * estimate.START_S[work.cells[0].device]
    print(
        f"study {work.study}: {len(work.cells)} cells, {work.rounds} rounds on {work.cells[0].device},"
        f" about {(total + starts) / 60:.1f} min to go, scoring not counted (estimates)"
    )


def main(argv: list[str] | None = None) -> int:
    args = request.parse(argv)
    work, pair = request.resolve(args)
    if args.export:
        work.save(args.export)
        print(
            f"{args.export}: {len(work.cells)} cells; run python -m bench.run --cells {args.export} --record out.jsonl"
        )
        return 0
    sink = Sink(work.study, args.record)
    if args.plan:
        print_plan(work, sink)
        return 0
    folder = args.cells or WORK / work.study
    if not args.cells:
        work.save(folder)
    failed = 0 if args.score_only else run(work, folder, sink)
    if not args.record:
        sink.track()
        if score(work.study, pair, sink):
            sink.track()
    if not args.record and not args.no_report:
        from bench import report

        report.print_study(work.study)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
