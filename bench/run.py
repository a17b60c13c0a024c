"""The parent loop: resolve grids to cells, run what is not done, record, track, score.

    python -m bench.run configs/grids/sweep.yaml --steps "16 64 256" --pair pocket
    python -m bench.run configs/grids/sweep.yaml --plan              # cells and minutes, runs nothing
    python -m bench.run configs/grids/sweep.yaml --export work/      # a work folder for a bare GPU machine ...
    python -m bench.run --cells work/ --record out.jsonl             # ... run there, with torch alone

Never imports torch: models live in workers, one fresh process for each model and round.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from bench import device, estimate, provenance, records, request, sentinel, trust
from bench.cell import Cell, Work
from bench.errors import BadInput, exit_code
from bench.launch import Worker
from bench.sink import Sink

if TYPE_CHECKING:
    from bench.grid import PairFile  # needs pydantic, which a bare GPU machine lacks

WORK = Path(".cache/work")


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

    def close(self) -> None:
        self.bar.close()


def rounds_to_do(
    work: Work, known: dict[str, records.CellRecords], retry: frozenset[str] = frozenset()
) -> list[tuple[int, list[Cell]]]:
    """(round, cells of one model in seeded shuffled order) for each process to start; done and failed cells left out.

    Models alternate from round to round, so that a slow drift of the machine does not favour one. The sentinel runs
    before and after them, in a process of its own each time; where it runs on both engines, in the same order twice.
    """
    found = []
    twins = [cell for cell in work.cells if cell.twin]
    begun = any(twin.cell_id in known for twin in twins)  # they began to watch these cells, and end it too
    for round_ in range(1, work.rounds + 1):
        todo = [cell for cell in work.cells if not is_done(cell, round_, known, retry)]
        if any(is_good(cell, round_, known) for cell in todo):  # measured, and asked for again: so is what watches it
            todo = [cell for cell in work.cells if cell.twin or cell in todo]
        models = sorted({cell.model for cell in todo if not cell.twin}, reverse=round_ % 2 == 0)
        watched = models or begun or len(twins) == len(work.cells)  # a sentinel has something to watch
        before, after = sentinel.TWINS
        for process in (before, *models, after) if watched else ():
            cells = [cell for cell in todo if process == (cell.twin or cell.model)]
            if cells:
                name = sentinel.KIND if cells[0].twin else process
                found.append((round_, shuffled(cells, f"{work.seed} {round_} {name}")))
    return found


def shuffled(cells: list[Cell], seed: str) -> list[Cell]:
    """Cells in a random order; those that are to come first do. What replays one captured step stays together, since
    to capture it again can take longer than the cell."""
    cells, place = list(cells), {}
    random.Random(seed).shuffle(cells)
    for cell in cells:
        place.setdefault(cell.capture, len(place))
    return sorted(cells, key=lambda cell: (not cell.first, place[cell.capture]))


def is_good(cell: Cell, round_: int, known: dict[str, records.CellRecords]) -> bool:
    """Whether a round of a cell ended well."""
    return cell.cell_id in known and known[cell.cell_id].rounds.get(round_, {}).get("outcome") == "ok"


def is_done(
    cell: Cell, round_: int, known: dict[str, records.CellRecords], retry: frozenset[str] = frozenset()
) -> bool:
    """Whether a round is in, or the cell failed: a failure is a result, tried again if its outcome is in `retry`.

    So is a round whose verdict is; not on a CPU, whose verdict never changes.
    """
    entry = known.get(cell.cell_id)
    if entry is None:
        return False
    good = is_good(cell, round_, known)
    if good and cell.device == "cuda" and trust.round_verdicts(entry)[round_][0] in retry:
        return False
    if entry.failed and entry.failed["outcome"] in retry:
        return good
    return round_ in entry.rounds or entry.failed is not None


def failure(work: Work, cell: Cell, round_: int, event: dict) -> dict:
    """The record of a cell whose worker died or ran out of time."""
    now = time.time()
    outcome = "timeout" if event["event"] == "timeout" else "error"
    name = provenance.cpu_name() if cell.device == "cpu" else cell.device  # of a GPU its worker would have told
    unknown = {"verdict": "unknown", "device": name}
    return {
        "record": "round", "study": work.study, "cell_id": cell.cell_id, "round": round_, "cell": cell.settings(),
        "started": now, "ended": now, "outcome": outcome, "message": event["message"], "environment": unknown,
    }  # fmt: skip


def run_process(
    work: Work, folder: Path, round_: int, cells: list[Cell], sink: Sink, bar: Bar, facts: dict,
    known: dict[str, records.CellRecords],
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
                    sink.take(event["record"])
                else:
                    record = event.get("record") or failure(work, waiting[cell_id], round_, event)
                    place = {"rounds": work.rounds, "seed": work.seed, "order": len(cells) - len(waiting)}
                    place |= {"again": before[cell_id]["started"]} if cell_id in before else {}
                    sink.take(record | place | facts)
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


def run(work: Work, folder: Path, sink: Sink, gpu: str | None = None) -> int:
    """Run all rounds that are not done. Returns the number of failed cells of this work.

    gpu: UUID of the card that workers see.
    """
    known = sink.known()
    processes = rounds_to_do(work, known, sink.retry)
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
    processes = rounds_to_do(work, known, sink.retry)
    total = 0.0
    line = "{:14}{:11}{:21}{:>6}{:>8}{:>8}{:>7}{:>9}{:>7}{:>10}  {}"
    heads = ("cell", "kind", "model", "steps", "tokens", "prompt", "batch", "prompts", "timed")
    print(line.format(*heads, "est. min", "state"))
    for cell in work.cells:
        left = [round_ for round_, cells in processes if cell in cells]
        counted = left or range(1, work.rounds + 1)
        seconds = sum(estimate.round_s(cell, round_, work.prompts_of(cell), known) for round_ in counted)
        state = (
            "to do" if len(left) == work.rounds else f"{len(left)} of {work.rounds} rounds to do" if left else "done"
        )
        total += seconds if left else 0.0
        shape = (cell.steps or "-", cell.gen_length, cell.prompt_tokens or "-", cell.batch_size, cell.prompts)
        captured = "captured" if cell.engine == "captured" else None
        name = " ".join(filter(None, (cell.model, cell.twin, cell.head, captured, cell.attention)))
        print(line.format(cell.cell_id, cell.kind, name, *shape, cell.timed or "all", f"{seconds / 60:.1f}", state))
    starts = len(processes) * estimate.START_S[work.cells[0].device]
    print(
        f"study {work.study}: {len(work.cells)} cells, {work.rounds} rounds on {work.cells[0].device},"
        f" about {(total + starts) / 60:.1f} min to go, scoring not counted (estimates)"
    )


def measure_ceilings(args: argparse.Namespace, work: Work) -> None:
    """This device's ceilings where the study has none, in a process of its own: MFU, MBU and predictions of its runs
    are made from them. Raises BadInput where that fails; it has said why."""
    dtypes = " ".join(work.float_dtypes)
    command = [sys.executable, "-m", "bench.ceilings", "--missing", "--study", work.study, "--pair", args.pair,
               "--device", work.cells[0].device, "--dtype", dtypes]  # fmt: skip
    if subprocess.run(command, check=False).returncode:
        raise BadInput("the ceilings of this device were not measured (see above)")


def measure(args: argparse.Namespace, work: Work, pair: PairFile | None, sink: Sink) -> tuple[int, bool]:
    """Run and score under the device's lock. Returns the number of failed cells, and whether MLflow took everything."""
    folder = args.cells or WORK / work.study
    with device.held(work.cells[0].device, work.study) as gpu:
        sink.check()
        if not args.cells:
            work.save(folder)
        failed = 0 if args.score_only else run(work, folder, sink, gpu and gpu[0])
        tracked = sink.track(again=True)
        if not args.record and score(work.study, pair, sink):
            tracked = sink.track(again=True)
    return failed, tracked


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
        device.check_cells(work.cells)
    sink = Sink(work.study, args.record, request.retried(args.retry))
    if args.plan:
        print_plan(work, sink)
        return 0
    if args.ceilings and not args.score_only and rounds_to_do(work, sink.known(), sink.retry):
        measure_ceilings(args, work)
    failed, tracked = measure(args, work, pair, sink)
    if tracked and not args.record and not args.no_report:
        from bench import report

        report.print_study(work.study)
    return 0 if tracked and not failed else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
