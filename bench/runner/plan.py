"""The plan of a request: its cells with estimated minutes, and what is done already."""

from __future__ import annotations

from bench.common.plural import counted
from bench.diffusion import choices
from bench.records.merge import CellRecords
from bench.runner import estimate, order
from bench.runner.progress import NOISE_CHECK
from bench.spec.cell import ENDS, TWIN_PLACES, Cell
from bench.spec.work import Work
from bench.store.sink import Sink

LINE = "{:14}{:17}{:30}{:>6}{:>8}{:>8}{:>7}{:>9}{:>7}{:>10}  {}"
HEADINGS = ("cell", "kind", "model", "steps", "tokens", "prompt", "batch", "prompts", "timed", "est. min", "state")


def print_plan(work: Work, sink: Sink) -> None:
    """Print a line for each cell, and the minutes to go in all."""
    on_record = sink.known()
    processes = order.rounds_to_do(work, on_record, sink.retry)
    print(LINE.format(*HEADINGS))
    to_go_s = len(processes) * estimate.START_S[work.device]
    for cell in work.cells:
        rounds_left = [round_ for round_, cells in processes if cell in cells]
        seconds = estimated_s(work, cell, rounds_left or range(1, work.rounds + 1), on_record)
        if rounds_left:
            to_go_s += seconds
        print(line_of(cell, seconds, state_of(len(rounds_left), work.rounds)))
    print(
        f"study {work.study}: {counted(len(work.cells), 'cell')}, {counted(work.rounds, 'round')} on {work.device},"
        f" about {to_go_s / 60:.1f} min to go, scoring not counted (estimates)"
    )


def study_s(work: Work, on_record: dict[str, CellRecords]) -> dict[str, float]:
    """Seconds of all rounds of a request by model, with the starts of its processes; what is done is not left out.

    on_record: the study's records, from which forwards take their time where they were measured.
    """
    seconds: dict[str, float] = {}
    for round_, cells in order.rounds_to_do(work, {}):
        of_round = sum(estimated_s(work, cell, [round_], on_record) for cell in cells)
        model = cells[0].model
        seconds[model] = seconds.get(model, 0.0) + estimate.START_S[cells[0].device] + of_round
    return seconds


def estimated_s(work: Work, cell: Cell, rounds: list[int] | range, on_record: dict[str, CellRecords]) -> float:
    """Seconds of a cell in these rounds together."""
    return sum(estimate.round_s(cell, round_, work.prompts_of(cell), on_record) for round_ in rounds)


def state_of(left: int, rounds: int) -> str:
    """How many of a cell's rounds are left to do, in words."""
    if left == 0:
        return "done"
    return "to do" if left == rounds else f"{left} of {rounds} rounds to do"


def line_of(cell: Cell, seconds: float, state: str) -> str:
    """A cell's line of the plan."""
    engine = None if cell.engine == "eager" else cell.engine
    kind = NOISE_CHECK if cell.twin else f"{cell.kind} {cell.stop}" if cell.kind == ENDS else cell.kind
    name = " ".join(filter(None, (cell.model, TWIN_PLACES.get(cell.twin), cell.head, engine, cell.attention)))
    if decoder := choices.label(vars(cell)):
        state = f"{state}: {decoder}"
    steps = "-" if not cell.steps else cell.steps if cell.knows_forwards else f"<={cell.steps}"
    shape = (steps, cell.gen_length, cell.prompt_tokens or "-", cell.batch_size, cell.prompts)
    return LINE.format(cell.cell_id, kind, name, *shape, cell.timed or "all", f"{seconds / 60:.1f}", state)
