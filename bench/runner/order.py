"""Which process runs which cells, in which order, and what is left out because it is done."""

from __future__ import annotations

import random

from bench.records import merge, trust
from bench.spec import sentinel
from bench.spec.cell import Cell
from bench.spec.work import Work


def rounds_to_do(
    work: Work, known: dict[str, merge.CellRecords], retry: frozenset[str] = frozenset()
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


def is_good(cell: Cell, round_: int, known: dict[str, merge.CellRecords]) -> bool:
    """Whether a round of a cell ended well."""
    return cell.cell_id in known and round_ in known[cell.cell_id].good_rounds


def is_done(cell: Cell, round_: int, known: dict[str, merge.CellRecords], retry: frozenset[str] = frozenset()) -> bool:
    """Whether a round is in, or the cell failed: a failure is a result, tried again if its outcome is in `retry`.

    So is a round whose verdict is; not on a CPU, whose verdict never changes.
    """
    entry = known.get(cell.cell_id)
    if entry is None:
        return False
    good = is_good(cell, round_, known)
    if good and cell.device == "cuda" and trust.round_verdicts(entry)[round_][0] in retry:
        return False
    if entry.failed and entry.failed.outcome in retry:
        return good
    return round_ in entry.rounds or entry.failed is not None
