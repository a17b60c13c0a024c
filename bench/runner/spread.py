"""The rounds of a study spread over several cards: one thread a card takes rounds and runs their processes there.

This process alone writes records. The workers are those of a study on one card; only their lines come from elsewhere
(bench/runner/cluster.py). What was measured is on record before anything else is done with it, so the same command goes
on where it was stopped, whoever was killed.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from bench.records.machine import Place
from bench.records.types import Round
from bench.runner import deal, estimate, loop
from bench.runner.cluster import CardLost, RemoteCard
from bench.runner.deal import Deal, Table
from bench.runner.loop import Process
from bench.runner.progress import Bar
from bench.spec.cell import Cell
from bench.spec.work import Work
from bench.store.sink import Sink

if TYPE_CHECKING:
    from bench.runner.launch import Worker


class Stopped(Exception):
    """The run ends: what a worker says now counts no more, since it may have been killed for that."""


@dataclass
class Neighbours:
    """How many other cards of the same host are at work, by card: the most since its cell began."""

    at_work: dict[str, str] = field(default_factory=dict)  # hosts of the cards that are, by card
    most: dict[str, int] = field(default_factory=dict)

    def begin(self, card: str, host: str) -> None:
        """A card begins a round."""
        self.at_work[card] = host
        for other, its_host in self.at_work.items():
            if its_host == host:
                self.most[other] = max(self.most.get(other, 0), self.beside(other))

    def end(self, card: str) -> None:
        """A card has nothing to do."""
        self.at_work.pop(card, None)

    def begin_cell(self, card: str) -> None:
        """A card begins a cell: what was before does not concern it."""
        self.most[card] = self.beside(card)

    def beside(self, card: str) -> int:
        """How many other cards of its host are at work now."""
        return sum(host == self.at_work.get(card) for other, host in self.at_work.items() if other != card)


@dataclass
class CardProcess(Process):
    """A process of a study that runs on one of several cards, while others do on theirs. struck: the cell that it was
    on when its card was lost."""

    spread: Spread = field(kw_only=True)
    remote: RemoteCard = field(kw_only=True)
    struck: str | None = None

    def worker(self) -> Worker:
        self.spread.check()
        return self.remote.worker(self.round, list(self.waiting))

    def take(self, event: dict) -> None:
        with self.spread.lock:
            self.spread.check()
            if event["event"] == "start":
                self.spread.neighbours.begin_cell(self.remote.name)
            elif event["event"] == "died" and self.remote.is_lost:
                self.struck = event["cell_id"]
            super().take(event)

    def end(self, cell: Cell, record: Round) -> None:
        super().end(cell, replace(record, place=self.spread.place_of(self.remote)))


@dataclass
class Spread:
    """A run over several cards. bar: of the whole run. failed: ids of the cells that failed, left out of later rounds.

    struck: ids of the cells that a card was on when it was lost; each is tried once more. lock: held by whoever writes
    a record or reads them.
    """

    work: Work
    folder: Path
    sink: Sink
    cards: list[RemoteCard]
    bar: Bar
    table: Table
    failed: set[str] = field(default_factory=set)
    struck: set[str] = field(default_factory=set)
    neighbours: Neighbours = field(default_factory=Neighbours)
    lock: threading.RLock = field(default_factory=threading.RLock)
    is_stopped: bool = False
    processes: int = 0  # that the bar has

    def run(self) -> None:
        """Measure all rounds. Raises what a thread raised, once all have ended."""
        with ThreadPoolExecutor(len(self.cards)) as pool:
            threads = [pool.submit(self.serve, card) for card in self.cards]
            try:
                for thread in wait(threads, return_when=FIRST_EXCEPTION).done:
                    thread.result()
            finally:
                self.stop()

    def stop(self) -> None:
        """End everything that still runs."""
        with self.lock:
            self.is_stopped = True
        self.table.close()
        for card in list(self.cards):
            card.let_go()

    def check(self) -> None:
        """Raises Stopped once the run has ended."""
        if self.is_stopped:
            raise Stopped

    def serve(self, remote: RemoteCard) -> None:
        """Measure rounds on a card until there are none, or the card is lost (a thread of its own for each)."""
        while dealt := self.table.take(remote.name):
            with self.lock:
                self.neighbours.begin(remote.name, remote.card.host)
            try:
                self.measure(dealt, remote)
            except (Stopped, CardLost):
                return
            finally:
                with self.lock:
                    self.neighbours.end(remote.name)
            self.table.end(dealt)

    def measure(self, dealt: Deal, remote: RemoteCard) -> None:
        """Run the processes of a round on a card, one after the other."""
        gpu = None if remote.card.is_part_of_cpu else remote.name
        facts = loop.facts_of(self.work, gpu)
        for number, cells in dealt.processes:
            with self.lock:
                self.check()
                left = [cell for cell in cells if cell.cell_id not in self.failed]
                before = loop.rounds_of(self.sink.known(), dealt.round)
            for cell in cells:
                if cell not in left:
                    self.bar.advance((cell.cell_id, dealt.round), 1.0)
            process = CardProcess(
                self.work, self.folder, dealt.round, left, facts, before, self.sink, self.bar, number, spread=self,
                remote=remote,
            )  # fmt: skip
            try:
                process.run()
                remote.hold_again()  # before anybody hears of what failed: where the card is lost, that says little
            except CardLost as error:
                self.lose(remote, dealt, process.failed, process.struck, str(error))
                raise
            with self.lock:
                self.failed |= process.failed
            self.bar.advance(number, 1.0)

    def lose(self, remote: RemoteCard, dealt: Deal, failed: set[str], struck: str | None, reason: str) -> None:
        """Give up a card: its round, and those that only it could go on with, are measured anew on the others.

        failed: ids of the cells that failed in its last process. struck: of the cell that it was on, which is tried
        again with its round, unless another card was lost with it before.
        """
        with self.lock, self.table.changed:
            if self.is_stopped:  # it was let go of
                return
            self.cards.remove(remote)
            here = [card.name for card in self.cards]
            anew = f"round {dealt.round} begins anew on another card" if here else "no other card is left"
            tqdm.write(f"{reason}; {anew}", file=sys.stderr)
            on_record = self.sink.known()
            self.failed |= failed
            if struck and struck not in self.struck:
                self.struck.add(struck)
                self.failed.discard(struck)
                on_record = deal.without(on_record, struck, dealt.round)
            todo = deal.rounds_to_do(self.work, on_record, self.sink.retry, here)
            todo = [
                (round_, cells) for round_, cells in todo if round_ == dealt.round or round_ not in self.table.played
            ]
            self.bar.extend(estimate.parts_of(self.work, todo, on_record, self.processes))
            waiting = deal.deals_of(self.work, todo, on_record, here, self.processes)
            self.processes += len(todo)
            self.table.end(dealt, waiting)

    def place_of(self, remote: RemoteCard) -> Place:
        """Where a cell ran, and how many neighbours were at work meanwhile."""
        card = remote.card
        return Place(card.host, card.uuid, card.numa_node, len(card.cores) or None, self.neighbours.most[card.uuid])


@dataclass(frozen=True)
class Result:
    """What there is to say of a run over several cards, in lines, and which rounds no card was left for."""

    text: str
    rounds_left: tuple[int, ...] = ()


def run(
    work: Work, folder: Path, sink: Sink, cards: list[RemoteCard], processes: deal.Processes, bar: Bar
) -> Result:  # fmt: skip
    """Measure what is left of a work on several cards.

    cards: each is held already. processes: (round, cells) of each worker process, as `deal.rounds_to_do` made them.
    """
    on_record = sink.known()
    before = set(moments(sink))
    table = Table(deal.deals_of(work, processes, on_record, [card.name for card in cards]))
    spread = Spread(work, folder, sink, list(cards), bar, table, processes=len(processes))
    spread.run()
    new = [record for moment, record in moments(sink).items() if moment not in before]
    rounds_left = tuple(sorted({dealt.round for dealt in table.waiting}))
    text = efficiency_text(new, len(cards))
    if rounds_left:
        numbers = ", ".join(map(str, rounds_left))
        text += f"\nNo card was left for round {numbers}: the same command goes on from here."
    return Result(text.strip(), rounds_left)


def moments(sink: Sink) -> dict[tuple[str, int, float], Round]:
    """Every round on record, by its cell's id, its number, and when it began."""
    return {
        (cell_id, number, record.started_s): record
        for cell_id, entry in sink.known().items()
        for number, record in entry.rounds.items()
    }


def efficiency_text(records: list[Round], cards: int) -> str:
    """How well the cards of a run were used, by the records that it made; empty where it made none.

    One card would need the sum of the rounds' times, from the start of the first cell of each to the end of its last.
    """
    by_round: dict[tuple[str, int], list[Round]] = {}
    for record in records:
        if record.place:
            by_round.setdefault((record.place.card, record.number), []).append(record)
    if not by_round:
        return ""
    alone_s = sum(span_s(of_round) for of_round in by_round.values())
    together_s = span_s([record for of_round in by_round.values() for record in of_round])
    share = alone_s / (cards * together_s)
    return (
        f"Efficiency over {cards} cards: {share:.2f} = {alone_s:.0f} s / ({cards} x {together_s:.0f} s). By their"
        f" records the rounds took {alone_s:.0f} s, each from the start of its first cell to the end of its last, which"
        f" one card would need; {cards} cards took {together_s:.0f} s. A slowdown by neighbours is not in it: make"
        " neighbours measures that."
    )


def span_s(records: list[Round]) -> float:
    """Seconds from the start of the first of some records to the end of the last."""
    return max(record.ended_s for record in records) - min(record.started_s for record in records)
