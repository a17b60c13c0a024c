"""A command that measures a study: says what it will do and for how long, measures what is missing, scores the texts.

Never imports torch: ceilings and scores need it, and are functions that run in a process of their own
(bench/runner/apart.py); models live in workers (bench/runner/loop.py).
"""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.common.errors import BadInput
from bench.common.plural import counted
from bench.devices import lock
from bench.runner import apart, ceilings, deal, estimate, loop, notices, order, scorers, scores, several, spread
from bench.runner.cluster import RemoteCard
from bench.runner.progress import AT_THE_END, REPORT, SCORING, Bar, Part, duration
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
    called. of_cards: what there is to say of several cards; None of one.
    """

    has_worked: bool
    failed: int
    is_tracked: bool
    report: object = None
    of_cards: spread.Result | None = None


def run(asked: Request, work: Work, pair: PairFile | None, sink: Sink, report: Report | None = None) -> Outcome:
    """Measure and score what is missing, under the device's lock.

    pair: None for a work folder. report: is called at the end, where anything was done and MLflow has it all; the time
    that it takes is part of the progress that is shown. Raises BadInput.
    """
    with several.found(asked.cards, work, folder_of(asked, work)) as cards:
        return run_on(cards, asked, work, pair, sink, report)


def folder_of(asked: Request, work: Work) -> Path:
    """Where the work is saved for the workers."""
    return asked.cells or FOLDER / work.study


def run_on(
    cards: list[RemoteCard], asked: Request, work: Work, pair: PairFile | None, sink: Sink, report: Report | None
) -> Outcome:  # fmt: skip
    """Measure and score what is missing. cards: several, over which rounds are spread; none for one device."""
    with held(cards, work) as gpu:
        sink.check()  # refused here, in one line, before anything is said or measured
    here = [gpu[0]] if gpu else [card.name for card in cards]
    todo = todo_of(here, asked, work, pair, sink)
    if pair and todo:
        scorers.check(asked, work, pair, sink)
    parts = parts_of(todo, work, pair, sink, report)
    lanes = max(1, min(len(cards), len({round_ for round_, _ in todo.processes})))
    if todo.processes:
        notices.say(announcement(todo, work, parts, cards, lanes))
        if lost := deal.lost_text(work, sink.known(), sink.retry, here):
            notices.say(lost)
        if asked.ceilings:
            measure_ceilings(work, pair, sink, cards)
    findings = None
    scorers_failed = 0
    of_cards = None
    with held(cards, work) as gpu:
        if todo:
            with contextlib.closing(Bar(parts, lanes=lanes)) as bar:
                of_cards = measure(asked, work, sink, bar, todo, cards, gpu and gpu[0])
                is_tracked, scorers_failed = track_and_score(asked, work, pair, sink, bar)
                if report and is_tracked:
                    bar.begin(REPORT, "reading what the study says")
                    findings = report()
                    bar.advance(REPORT, 1.0)
        else:
            is_tracked = sink.track(again=True)
    failed = scorers_failed if asked.score_only else scorers_failed + loop.count_failed(work, sink)
    return Outcome(bool(todo), failed, is_tracked, findings, of_cards)


@contextlib.contextmanager
def held(cards: list[RemoteCard], work: Work) -> Iterator[tuple[str, str] | None]:
    """Hold the device; (UUID, name) of a GPU. Of several GPUs each is held on its own host while it measures."""
    device = work.device
    if cards and device == "cuda":
        yield None
    else:
        with lock.held(device, work.study) as gpu:
            yield gpu


def todo_of(here: list[str], asked: Request, work: Work, pair: PairFile | None, sink: Sink) -> Todo:
    """What is not done yet. here: names of the cards that measure; none for a processor as a whole."""
    if asked.score_only:
        processes = []
    elif here:
        processes = deal.rounds_to_do(work, sink.known(), sink.retry, here)
    else:
        processes = order.rounds_to_do(work, sink.known(), sink.retry)
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


def measure(
    asked: Request, work: Work, sink: Sink, bar: Bar, todo: Todo, cards: list[RemoteCard], gpu: str | None
) -> spread.Result | None:  # fmt: skip
    """Measure what is to be measured. Returns what there is to say of several cards.

    gpu: UUID of the one card, None on a CPU and with several.
    """
    folder = folder_of(asked, work)
    if not asked.cells:
        work.save(folder)
    if not todo.processes:
        return None
    if not cards:
        loop.run_processes(work, folder, sink, gpu, todo.processes, bar)
        return None
    with several.held(cards):
        return spread.run(work, folder, sink, cards, todo.processes, bar)


def track_and_score(asked: Request, work: Work, pair: PairFile | None, sink: Sink, bar: Bar) -> tuple[bool, int]:
    """Bring MLflow up to the records, and score the texts. Returns whether MLflow took everything, and how many
    scorers failed."""
    is_tracked = sink.track(again=True)
    failed = None if asked.record else scores.score(work.study, pair, sink, bar)
    if failed is not None:
        is_tracked = sink.track(again=True)
    return is_tracked, failed or 0


def announcement(
    todo: Todo, work: Work, parts: dict[Hashable, Part], cards: Sequence[RemoteCard] = (), lanes: int = 1
) -> str:  # fmt: skip
    """What is about to be done and about how long it takes, in words. lanes: how many of several cards have work."""
    device = "this CPU" if work.device == "cpu" else "this GPU"
    if cards:
        idle = len(cards) - lanes
        without = f" ({idle} of them without a round: give ROUNDS={len(cards)})" if idle else ""
        device = f"{len(cards)} cards{without}"
    is_watched = any(cell.twin for _, cells in todo.processes for cell in cells)
    checks = ", each between two noise checks," if is_watched else ""
    scored = ", scoring included" if SCORING in parts and parts[SCORING].seconds else ""
    seconds = sum(part.seconds / (1 if part.kind in AT_THE_END else lanes) for part in parts.values())
    cells = counted(len(todo.cells), "cell")
    rounds = counted(len({round_ for round_, _ in todo.processes}), "round")
    return (
        f"study {work.study}: {cells} to measure in {rounds}{checks} on {device}; a first guess is"
        f" {duration(seconds)}{scored}"
    )


def measure_ceilings(work: Work, pair: PairFile | None, sink: Sink, cards: Sequence[RemoteCard] = ()) -> None:
    """This device's ceilings where the study has none, in a process of its own: MFU, MBU and predictions of its runs
    are made from them. Of several cards it is the first one of this host.

    pair: None for a work folder. Raises BadInput where that fails.
    """
    one_card = {}
    if cards and work.device == "cuda":
        gpus = [remote.name for remote in cards if remote.card.host == platform.node()]
        if not gpus:
            notices.say("no ceilings: none of the cards is in this host; `make ceilings` on theirs measures them")
            return
        one_card = {"environment": {"CUDA_VISIBLE_DEVICES": gpus[0]}}
    if pair is None:
        task = ceilings.task_of_work(work)
    else:
        task = ceilings.task_of_pair(pair, work.study, work.device, work.product_dtypes)
    only_missing = True
    is_tracked_here = False
    with notices.waiting_for("looking whether the study has the ceilings of this device"):
        has_measured = apart.run(ceilings.run, task, sink, None, only_missing, is_tracked_here, **one_card)
    if not has_measured:
        raise BadInput("the ceilings of this device were not measured (see above)")
