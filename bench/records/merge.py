"""Records of one study by cell: what counts where a round was measured twice, and which ceilings belong to a cell."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bench.common.dtypes import product_dtype_of
from bench.records.load import LoadRun
from bench.records.settings import Settings
from bench.records.types import Beside, Ceilings, Record, Round, Scores, is_judge
from bench.spec.cell import Cell


@dataclass
class CellRecords:
    """What the records say of one cell: its settings, its rounds by number, its scores by scorer, and the ceilings of
    its device.

    Texts that no cell generated (the human references) and likelihoods have scores and no rounds. A server under load
    has loads, by the number of their round, and nothing else.
    """

    cell: Settings
    rounds: dict[int, Round] = field(default_factory=dict)
    scores: dict[str, Scores] = field(default_factory=dict)
    ceilings: Ceilings | None = None
    loads: dict[int, LoadRun] = field(default_factory=dict)

    @property
    def failed(self) -> Round | None:
        """The first round that did not end well, or None."""
        return next((record for record in self.rounds.values() if not record.is_good), None)

    @property
    def good_rounds(self) -> dict[int, Round]:
        """The rounds that ended well, by number, in the order of their numbers."""
        return {number: record for number, record in sorted(self.rounds.items()) if record.is_good}

    def take_round(self, record: Round) -> None:
        """Let a round count, unless a good one of its number is there that it was not asked for in place of.

        Scores of a text that is not the same any more are dropped.
        """
        before = self.rounds.get(record.number)
        if before and before.is_good and record.replaces_started_s != before.started_s:
            return
        self.rounds[record.number] = record
        if before and before.sequences != record.sequences:
            self.scores.clear()

    def take_beside(self, record: Beside) -> None:
        """Let energy or kernels belong to the round that they were measured beside, if that one counts."""
        measured = self.rounds.get(record.number)
        if measured and measured.started_s == record.started_s:
            energy = record.energy or measured.energy
            self.rounds[record.number] = replace(measured, energy=energy, busy=record.busy or measured.busy)

    @property
    def scores_that_count(self) -> dict[str, Scores]:
        """The scores by scorer. Judges share their metric, so of several judges only the last that was asked counts,
        also where it has failed: an earlier one's number never stands for it."""
        judges = [scorer for scorer in self.scores if is_judge(scorer)]
        return {scorer: record for scorer, record in self.scores.items() if scorer not in judges[:-1]}

    def take_scores(self, record: Scores) -> None:
        """Let scores count in place of earlier ones by the same scorer. The last scored comes last."""
        self.scores.pop(record.scorer, None)
        self.scores[record.scorer] = record


def group(records: Iterable[Record]) -> dict[str, CellRecords]:
    """Records by cell id, in the order in which cells first appear.

    Scores of a cell that is not there count where they state what they are of (references, likelihoods). Of several
    ceilings of a device the last measured count.
    """
    records = list(records)
    cells: dict[str, CellRecords] = {}
    for record in records:
        if isinstance(record, Round):
            cells.setdefault(record.cell_id, CellRecords(record.cell)).take_round(record)
        elif isinstance(record, Beside) and record.cell_id in cells:
            cells[record.cell_id].take_beside(record)
        elif isinstance(record, LoadRun):
            cells.setdefault(record.cell_id, CellRecords(record.cell)).loads.setdefault(record.number, record)
        elif isinstance(record, Scores):
            if record.cell_id not in cells and record.cell is not None:
                cells[record.cell_id] = CellRecords(record.cell)
            if record.cell_id in cells:
                cells[record.cell_id].take_scores(record)
    for record in records:
        if isinstance(record, Ceilings):
            for entry in cells.values():
                if is_of(record, entry):
                    entry.ceilings = record
    return cells


def is_of(ceilings: Ceilings, entry: CellRecords) -> bool:
    """Whether ceilings were measured where all rounds of a cell ran: same device, pair, precision and CPU threads."""
    cell = entry.cell
    if not isinstance(cell, Cell) or not entry.rounds:  # texts that no cell generated
        return False
    if (ceilings.pair, ceilings.dtype) != (cell.pair, product_dtype_of(cell.dtype)):
        return False
    places = [record.environment for record in entry.rounds.values()]
    if any(place.device != ceilings.device for place in places):
        return False
    return cell.device != "cpu" or all(place.threads == ceilings.threads for place in places)
