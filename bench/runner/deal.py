"""Which card measures which round, of one or of several. A round never mixes two cards: every ratio is of one card.

A round that has begun goes on on the card that has begun it. Where that card is not there any more, the whole round is
measured anew on another one; what the first one measured stays in the file, and the new records count in its place.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from bench.common import provenance
from bench.records.merge import CellRecords
from bench.runner import order
from bench.spec.cell import Cell
from bench.spec.work import Work

Processes = list[tuple[int, list[Cell]]]  # (round, cells) of each worker process, in order


def rounds_to_do(
    work: Work, on_record: dict[str, CellRecords], retry: frozenset[str], here: Collection[str]
) -> Processes:
    """What is left to do on some cards. here: their names. Otherwise as bench/runner/order.py."""
    return order.rounds_to_do(work, without_lost(work, on_record, retry, here), retry)


def without_lost(
    work: Work, on_record: dict[str, CellRecords], retry: frozenset[str], here: Collection[str]
) -> dict[str, CellRecords]:
    """The records without those of rounds that have to be measured anew: they are not whole, and not of their home."""
    kept = on_record
    for round_ in range(1, work.rounds + 1):
        away = cards_away(work, round_, on_record, retry, here)
        if not is_apart(work, round_, on_record, away):
            for cell_id in away:
                kept = without(kept, cell_id, round_)
    return kept


def cards_away(
    work: Work, round_: int, on_record: dict[str, CellRecords], retry: frozenset[str], here: Collection[str]
) -> dict[str, str]:
    """By cell id the card of what is on record of a round that is not whole, where that is not the round's home."""
    if is_whole(work, round_, on_record, retry):
        return {}
    home = home_of(work, round_, on_record, here)
    good = {cell.cell_id: on_record[cell.cell_id].good_rounds.get(round_) for cell in work.cells
            if cell.cell_id in on_record}  # fmt: skip
    return {cell_id: record.card for cell_id, record in good.items() if record and record.card not in (None, home)}


def is_apart(work: Work, round_: int, on_record: dict[str, CellRecords], away: dict[str, str]) -> bool:
    """Whether a round stays as it is although cells of it stand on another card: another command measured them there,
    beside other cells of the study, and to measure them anew elsewhere would take them from those. away: the cards of
    these cells by cell id."""
    command = provenance.command_line()
    if any(on_record[cell_id].rounds[round_].command == command for cell_id in away):
        return False
    own = {cell.cell_id for cell in work.cells}
    others = (entry.good_rounds.get(round_) for cell_id, entry in on_record.items() if cell_id not in own)
    return bool(set(away.values()) & {record.card for record in others if record})


def lost_text(work: Work, on_record: dict[str, CellRecords], retry: frozenset[str], here: Collection[str]) -> str:
    """What becomes of rounds of which something stands on another card than the one that goes on with them, a line
    each; empty where there are none. here: names of cards; of a processor as a whole there are none."""
    anew, apart = [], []
    for round_ in range(1, work.rounds + 1) if here else ():
        if away := cards_away(work, round_, on_record, retry, here):
            (apart if is_apart(work, round_, on_record, away) else anew).append(str(round_))
    lines = []
    if anew:
        numbers = ", ".join(anew)
        lines.append(f"begun on another card, so all cells that are asked for are measured anew: round {numbers}")
    if apart:
        lines.append(
            f"of another card, on which other cells of this study stand too: round {', '.join(apart)}; what is measured"
            " now has no round in common with it (give another STUDY, or ask for all cells together)"
        )
    return "\n".join(lines)


def without(on_record: dict[str, CellRecords], cell_id: str, round_: int) -> dict[str, CellRecords]:
    """The records without one round of a cell."""
    entry = on_record[cell_id]
    others = {number: record for number, record in entry.rounds.items() if number != round_}
    return on_record | {cell_id: replace(entry, rounds=others)}


def is_whole(work: Work, round_: int, on_record: dict[str, CellRecords], retry: frozenset[str]) -> bool:
    """Whether nothing is left of a round, and no two cards of a spread study stand in it."""
    good = [on_record[cell.cell_id].good_rounds.get(round_) for cell in work.cells if cell.cell_id in on_record]
    records = [record for record in good if record]
    is_mixed = len({record.card for record in records}) > 1 and any(record.place for record in records)
    return not is_mixed and all(order.is_done(cell, round_, on_record, retry) for cell in work.cells)


def home_of(work: Work, round_: int, on_record: dict[str, CellRecords], here: Collection[str]) -> str | None:
    """The card on which a round has begun, of those that are here; None where any may take it.

    The work's own cells decide; where they have not begun, the other cells of the study.
    """
    own = {cell.cell_id for cell in work.cells}
    for ids in (own, set(on_record) - own):
        records = [on_record[cell_id].good_rounds.get(round_) for cell_id in ids if cell_id in on_record]
        begun = Counter(record.card for record in records if record and record.card)
        if begun:
            return max((card for card in begun if card in here), key=begun.__getitem__, default=None)
    return None


@dataclass(frozen=True)
class Deal:
    """A round that one card measures. card: the only one that may, if any. processes: (number, cells) of each."""

    round: int
    card: str | None
    processes: list[tuple[int, list[Cell]]]


@dataclass
class Table:
    """The rounds that wait for a card, and those that are being measured; the threads of the cards share it."""

    waiting: list[Deal]
    played: set[int] = field(default_factory=set)  # numbers of the rounds that are being measured
    changed: threading.Condition = field(default_factory=threading.Condition)
    is_closed: bool = False

    def take(self, card: str) -> Deal | None:
        """The next round for a card; None once there is none and none can come back any more."""
        with self.changed:
            while not self.is_closed:
                for deal in self.waiting:
                    if deal.card in (None, card):
                        self.waiting.remove(deal)
                        self.played.add(deal.round)
                        return deal
                if not (self.played or self.waiting):
                    return None
                self.changed.wait()
            return None

    def end(self, deal: Deal, waiting: list[Deal] | None = None) -> None:
        """Say that a round is measured, or not any more. waiting: what waits now, where that has changed."""
        with self.changed:
            self.played.discard(deal.round)
            if waiting is not None:
                self.waiting = waiting
            self.changed.notify_all()

    def close(self) -> None:
        """Deal no more."""
        with self.changed:
            self.is_closed = True
            self.changed.notify_all()


def deals_of(
    work: Work, processes: Processes, on_record: dict[str, CellRecords], here: Collection[str], first: int = 0
) -> list[Deal]:
    """The processes by round, each with its number in the bar; those of rounds that belong to a card come first.

    first: the number of the first process.
    """
    by_round: dict[int, list[tuple[int, list[Cell]]]] = {}
    for number, (round_, cells) in enumerate(processes, first):
        by_round.setdefault(round_, []).append((number, cells))
    deals = [Deal(round_, home_of(work, round_, on_record, here), numbered) for round_, numbered in by_round.items()]
    return sorted(deals, key=lambda deal: deal.card is None)
