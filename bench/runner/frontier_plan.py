"""How many tries a search of the frontier will take, and how long they are."""

from __future__ import annotations

import itertools

from bench.common.units import GIB
from bench.data.prompt import Prompt
from bench.devices import choose
from bench.records.merge import CellRecords
from bench.runner import estimate, frontier, frontier_search
from bench.runner.frontier import NO_LIMIT
from bench.runner.frontier_search import SPARE, Tries
from bench.spec.cell import Cell
from bench.spec.work import Work
from bench.store.sink import Sink

MISSED = 2  # tries that a plan adds to a line: real peaks lie on no exact line, so the first tries miss the edge
CARD = "H100"  # the card of configs/devices.yaml that a plan is made for where no GPU is here
LINE = "{:26}{:>8}{:>8}{:>12}{:>7}{:>10}  {}"
HEADINGS = ("frontier of", "tokens", "prompt", "near batch", "tries", "est. min", "state")


def expected(cell: Cell, prompts: tuple[Prompt, ...], tries: Tries, limit_gib: float) -> tuple[list[int], int]:
    """Batches that a search has yet to try after these tries, and where it ends, if peaks are the cost model's.

    limit_gib: what the device has. A line that has not begun gets MISSED tries in addition.
    """
    batches = []
    peak_gib = frontier.peaks(cell, prompts)
    first = frontier_search.modelled(peak_gib, limit_gib)
    missed = 0 if tries.fits or tries.fails else MISSED
    tries = Tries({0: peak_gib(0)} | tries.fits, tries.fails)
    while (batch := frontier_search.next_batch(tries, limit_gib, first)) is not None:
        batches.append(batch)
        gib = peak_gib(batch)
        if gib <= SPARE * limit_gib:
            tries = Tries(tries.fits | {batch: gib}, tries.fails)
        else:
            tries = Tries(tries.fits, tries.fails | {batch})
    if tries.low:
        batches += [tries.low] * missed
    return batches, tries.low


def print_plan(work: Work, sink: Sink) -> None:
    """Print about how many tries each line takes, how long they are and where they would end.

    What is on record is left out.
    """
    limit_gib, whose = room(work.cells[0])
    if limit_gib is None:
        print(f"frontier: no plan: {NO_LIMIT}")
        return
    on_record = sink.known()
    tries = 0
    seconds = 0.0
    print(LINE.format(*HEADINGS))
    for cell in work.cells:
        tries_of_line, seconds_of_line = print_line(cell, work.prompts_of(cell), on_record, sink.retry, limit_gib)
        tries += tries_of_line
        seconds += seconds_of_line
    print(
        f"study {work.study}: frontier of {limit_gib:.3g} GiB ({whose}), about {tries} tries, each a fresh process,"
        f" about {seconds / 60:.1f} min to go (estimates, batches by the cost model)"
    )


def print_line(
    cell: Cell,
    prompts: tuple[Prompt, ...],
    on_record: dict[str, CellRecords],
    retry: frozenset[str],
    limit_gib: float,
) -> tuple[int, float]:
    """Print what is left of one line; returns its number of tries and their seconds. retry: as `tries_of` takes it."""
    tries, errors = frontier.tries_of(cell, on_record, retry)
    batches, end = expected(cell, prompts, tries, limit_gib)
    before_error = list(itertools.takewhile(lambda batch: batch not in errors, batches))
    is_stopped = bool(batches) and not before_error
    message = f"{errors[batches[0]]}; {frontier.AGAIN}" if is_stopped else ""
    batches, end = before_error, tries.low if is_stopped else end
    seconds = sum(
        estimate.START_S[cell.device] + estimate.round_s(frontier.at_batch(cell, batch), 1, prompts, on_record)
        for batch in batches
    )
    begun = "begun" if tries.fits or tries.fails else "to do"
    state = message or (begun if batches else "done")
    shape = (cell.gen_length, cell.prompt_tokens or "-", end, len(batches), f"{seconds / 60:.1f}")
    print(LINE.format(frontier.name_of(cell), *shape, state))
    return len(batches), seconds


def room(cell: Cell) -> tuple[float | None, str]:
    """GiB that a plan reckons with, and where that number comes from; None for a CPU without a limit."""
    if cell.limit_gib or cell.device == "cpu":
        return cell.limit_gib, "LIMIT_GIB"
    if card := choose.gpu():
        return frontier.device_gib(card[0]), card[1]
    from bench.cost import cards

    return cards.devices()[CARD].memory_bytes / GIB, f"{CARD}, since no GPU is here; LIMIT_GIB= gives another"
