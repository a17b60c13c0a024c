"""Do the cards of a host disturb each other? The sentinel's cells on one card, alone and while all others are busy.

In each round one card is measured, in turn: alone, then with all others busy, then alone once more, each in a fresh
process for each model. The two runs alone differ in nothing (A/A). The others repeat the same cells until the measured
card has ended, and it begins once all of them compute.
"""

from __future__ import annotations

import math
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.common import stats
from bench.common.errors import BadInput
from bench.common.plural import counted
from bench.models import kinds
from bench.records import metrics
from bench.records.machine import Place
from bench.records.types import Round
from bench.runner import loop, notices, request, several
from bench.runner.cluster import CardLost, RemoteCard
from bench.runner.launch import STARTUP_LIMIT_S
from bench.runner.request import Request
from bench.runner.several import Wanted
from bench.spec import sentinel
from bench.spec.cell import Cell
from bench.spec.work import Work
from bench.store.sink import Sink

LATENCY = "latency/latency_ms"
REPEATS = 1000  # of the cells that a busy card is given: it is ended long before it has done them all
ALONE_BEFORE, ALONE_AFTER = sentinel.TWINS  # what the twins of a sentinel stand for here
BUSY = None  # the twin of a cell that runs while the other cards are busy


def work_of(asked: Request) -> Work:
    """The sentinels of a pair or a work folder, each a third time for the busy cards. Raises BadInput."""
    work, _ = request.resolve(asked)
    if not (twins := [cell for cell in work.cells if cell.twin]):
        raise BadInput(f"{asked.cells}: the work folder holds no sentinel; export a grid that has one")
    busy = [replace(cell, twin=BUSY, watches=None) for cell in twins if cell.twin == ALONE_BEFORE]
    return replace(work, rounds=asked.rounds, cells=(*twins, *dict.fromkeys(busy)))


def check(asked: Request, wanted: Wanted) -> Iterator[str]:
    """Measure, and say what was found, a line for each engine and model. asked.record: takes the records, if given.

    Raises BadInput where fewer than two cards are asked for, and where a cell fails.
    """
    work = work_of(asked)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        work.save(folder)
        sink = Sink(work.study, asked.record or folder / "records.jsonl")
        with several.found(wanted, work, folder) as remotes:
            if len(remotes) < 2:
                raise BadInput(f"DEVICES={wanted.devices}: one card has no neighbours; name two or more of a host")
            sink.check()
            notices.say(
                f"the sentinel on one of {len(remotes)} cards, alone, with all others busy, and alone again, in"
                f" {counted(work.rounds, 'round')}"
            )
            with several.held(remotes):
                records = [record for number in range(1, 1 + work.rounds) for record in Trial(
                    work, sink, remotes, number).run()]  # fmt: skip
    yield from lines(records, len(remotes) - 1)


@dataclass
class Load:
    """A card that is kept busy with some cells until it is closed."""

    remote: RemoteCard
    cells: list[Cell]
    is_busy: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    failure: str = ""

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        """Repeat the cells (a thread of its own)."""
        try:
            worker = self.remote.worker(1, [cell.cell_id for cell in self.cells] * REPEATS)
            with ExitStack() as stack:
                stack.callback(worker.stop)
                for event in worker.events({cell.cell_id: cell.time_limit_s for cell in self.cells}):
                    if self.over.is_set():
                        return
                    if event["event"] == "progress":
                        self.is_busy.set()
                    self.failure = event.get("message") or event.get("record", {}).get("message") or ""
                    if self.failure:
                        break
            self.failure = self.failure or "its process ended too early"
        except CardLost as error:
            self.failure = str(error)
        finally:
            self.is_busy.set()  # nobody waits for it any more

    def close(self) -> None:
        """End it. Raises BadInput where it was not busy to the end."""
        has_failed = self.failure
        self.over.set()
        self.thread.join()
        if has_failed:
            raise BadInput(f"card {self.remote.name} could not be kept busy: {has_failed}")


@dataclass
class Trial:
    """One round on one card: alone, with all others busy, and alone again."""

    work: Work
    sink: Sink
    remotes: Sequence[RemoteCard]
    number: int

    def run(self) -> list[Round]:
        """The records of the round. Raises BadInput where a cell fails."""
        measured, *others = self.turned()
        on_record = self.on_record(measured)
        models = dict.fromkeys(cell.model for cell in self.work.cells)
        records = []
        for twin in (ALONE_BEFORE, BUSY, ALONE_AFTER):
            for model in models:
                of_twin = [cell for cell in self.work.cells if (cell.twin, cell.model) == (twin, model)]
                records += [on_record[cell.cell_id] for cell in of_twin if cell.cell_id in on_record]
                cells = [cell for cell in of_twin if cell.cell_id not in on_record]
                if not cells:
                    continue
                with ExitStack() as stack:
                    if twin is BUSY:
                        loads = [stack.enter_context(closing(Load(other, cells))) for other in others]
                        if not all(load.is_busy.wait(STARTUP_LIMIT_S) for load in loads):
                            raise BadInput("a card that was to be busy did not begin")
                    records += self.measure(measured, cells, len(others) if twin is BUSY else 0)
        return records

    def on_record(self, measured: RemoteCard) -> dict[str, Round]:
        """What a check that was stopped has measured of the round, by cell id. Raises BadInput where that was another
        card, or beside another number of busy cards."""
        good = {cell_id: entry.good_rounds.get(self.number) for cell_id, entry in self.sink.known().items()}
        records = {cell_id: record for cell_id, record in good.items() if record}
        for record in records.values():
            busy = 0 if record.cell.twin else len(self.remotes) - 1
            if (record.card, record.place.busy_neighbours) != (measured.card.uuid, busy):
                raise BadInput(
                    f"{self.sink.file}: round {self.number} was measured on card {record.card} beside"
                    f" {record.place.busy_neighbours} busy; give the same cards in the same order, or another --record"
                )
        return records

    def turned(self) -> list[RemoteCard]:
        """The cards, the one that this round measures first."""
        place = (self.number - 1) % len(self.remotes)
        return [*self.remotes[place:], *self.remotes[:place]]

    def measure(self, remote: RemoteCard, cells: list[Cell], busy: int) -> list[Round]:
        """The records of some cells, from a fresh process on a card, while so many others are busy."""
        card = remote.card
        place = Place(card.host, card.uuid, card.numa_node, len(card.cores) or None, busy)
        facts = loop.facts_of(self.work, None if card.is_part_of_cpu else card.uuid)
        records = []
        try:
            worker = remote.worker(self.number, [cell.cell_id for cell in cells])
        except CardLost as error:
            raise BadInput(str(error)) from error
        with ExitStack() as stack:
            stack.callback(worker.stop)
            for event in worker.events({cell.cell_id: cell.time_limit_s for cell in cells}):
                if event["event"] in ("died", "timeout"):
                    raise BadInput(f"the sentinel failed on {card.uuid}: {event['message']}")
                if event["event"] == "record":
                    record = replace(Round.from_json(event["record"]), place=place, **facts)
                    self.sink.take(record)
                    if not record.is_good:
                        raise BadInput(f"the sentinel failed on {card.uuid}: {record.outcome}: {record.message}")
                    records.append(record)
        return records


def lines(records: Sequence[Round], neighbours: int) -> Iterator[str]:
    """What was found, a line for each engine and model. neighbours: how many other cards were busy."""
    latencies: dict[tuple[str, str], dict[str | None, dict[int, float]]] = {}
    for record in records:
        by_twin = latencies.setdefault((record.cell.engine, record.cell.model), {})
        calls = metrics.calls_of(record, record.cell)
        by_twin.setdefault(record.cell.twin, {})[record.number] = metrics.timing_metrics(calls, record.cell)[LATENCY]
    for (engine, model), by_twin in latencies.items():
        before, busy, after = (by_twin[twin] for twin in (ALONE_BEFORE, BUSY, ALONE_AFTER))
        numbers = sorted(busy)
        alone = [math.sqrt(before[number] * after[number]) for number in numbers]
        slowdown = stats.ratio_over_rounds([busy[number] for number in numbers], alone)
        same = stats.ratio_over_rounds([before[n] for n in numbers], [after[n] for n in numbers])
        yield (
            f"{engine}, {kinds.label_of(model)}: with {counted(neighbours, 'other card')} busy a call takes"
            f" {slowdown.text(3)} times as long as alone; alone twice (A/A) {same.text(3)};"
            f" {counted(len(numbers), 'round')}"
        )
