"""Which process runs which cells, in which order, and what is left out because it is done."""

from __future__ import annotations

import random

from bench.records import trust
from bench.records.merge import CellRecords
from bench.spec import sentinel
from bench.spec.cell import Cell
from bench.spec.work import Work

NOTHING: frozenset[str] = frozenset()


def rounds_to_do(
    work: Work, on_record: dict[str, CellRecords], retry: frozenset[str] = NOTHING
) -> list[tuple[int, list[Cell]]]:
    """(round, cells in seeded shuffled order) for each process to start; what is done or has failed is left out.

    The cells of a process are of one model. Models alternate from round to round, so that a slow drift of the machine
    favours none. The sentinels run before and after them, in a process of their own for each model; where they run on
    two engines, in the same order twice. on_record: the study's records by cell id. retry: see `is_done`.
    """
    processes = []
    twins = [cell for cell in work.cells if cell.twin]
    has_begun = any(twin.cell_id in on_record for twin in twins)  # these sentinels watch these cells, and end it too
    for round_ in range(1, work.rounds + 1):
        todo = [cell for cell in work.cells if not is_done(cell, round_, on_record, retry)]
        if any(is_good(cell, round_, on_record) for cell in todo):  # a good round is asked for again: watch it again
            todo = [cell for cell in work.cells if cell.twin or cell in todo]
        models = sorted({cell.model for cell in todo if not cell.twin}, reverse=round_ % 2 == 0)
        has_something_to_watch = models or has_begun or len(twins) == len(work.cells)
        watching = sorted({cell.model for cell in todo if cell.twin}, reverse=round_ % 2 == 0)
        before, after = ([(twin, model) for model in watching] for twin in sentinel.TWINS)
        for process in (*before, *((None, model) for model in models), *after) if has_something_to_watch else ():
            cells = [cell for cell in todo if process == (cell.twin, cell.model)]
            if cells:
                name = sentinel.KIND if cells[0].twin else cells[0].model
                processes.append((round_, shuffled(cells, f"{work.seed} {round_} {name}")))
    return processes


def shuffled(cells: list[Cell], seed: str) -> list[Cell]:
    """Cells in a random order; those that are marked `first` come first.

    Cells that replay the same captured step stay together, since to capture it again can take longer than the cell.
    """
    cells = list(cells)
    random.Random(seed).shuffle(cells)
    place: dict[str, int] = {}  # of each captured step: where its first cell came to stand
    for cell in cells:
        place.setdefault(cell.capture, len(place))
    return sorted(cells, key=lambda cell: (not cell.first, place[cell.capture]))


def is_good(cell: Cell, round_: int, on_record: dict[str, CellRecords]) -> bool:
    """Whether a round of a cell ended well."""
    return cell.cell_id in on_record and round_ in on_record[cell.cell_id].good_rounds


def is_done(cell: Cell, round_: int, on_record: dict[str, CellRecords], retry: frozenset[str] = NOTHING) -> bool:
    """Whether a round is on record, or the cell failed in any round: a failure is a result.

    retry: outcomes and verdicts that do not count as done. A failed round whose outcome is among them is tried again,
    and so is a GPU's good round whose verdict is; a CPU's verdict never changes.
    """
    entry = on_record.get(cell.cell_id)
    if entry is None:
        return False
    good = is_good(cell, round_, on_record)
    if good and cell.device == "cuda" and trust.round_verdicts(entry)[round_][0] in retry:
        return False
    if entry.failed and entry.failed.outcome in retry:
        return good
    return round_ in entry.rounds or entry.failed is not None
