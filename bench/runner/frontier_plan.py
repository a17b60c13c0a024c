"""How many tries a search of the frontier will take, and how long they are."""

from __future__ import annotations

from bench.common.units import GIB
from bench.data.prompt import Prompt
from bench.devices import choose
from bench.runner import estimate, frontier, frontier_search
from bench.runner.frontier import NO_LIMIT
from bench.runner.frontier_search import SPARE, Tries
from bench.spec.cell import Cell
from bench.spec.work import Work
from bench.store.sink import Sink

MISSED = 2  # tries that a plan adds to a line: real peaks lie on no exact line, so it misses the edge at first
CARD = "H100"  # of configs/devices.yaml: a plan's, where the GPU is elsewhere


def expected(cell: Cell, prompts: tuple[Prompt, ...], tries: Tries, limit_gib: float) -> tuple[list[int], int]:
    """Batches that a search has yet to try after these tries, and where it ends, if peaks are the cost model's.

    limit_gib: what the device has. A line that has not begun gets what it will miss in addition.
    """
    batches, gib = [], frontier.peaks(cell, prompts)
    first = frontier_search.modelled(gib, limit_gib)
    missed = 0 if tries.fits or tries.fails else MISSED
    tries = Tries({0: gib(0)} | tries.fits, tries.fails)
    while (batch := frontier_search.next_batch(tries, limit_gib, first)) is not None:
        batches.append(batch)
        peak = gib(batch)
        if peak <= SPARE * limit_gib:
            tries = Tries(tries.fits | {batch: peak}, tries.fails)
        else:
            tries = Tries(tries.fits, tries.fails | {batch})
    return batches + [tries.low] * (missed if tries.low else 0), tries.low


def print_plan(work: Work, sink: Sink) -> None:
    """About how many tries each line takes and how long they are, what is on record left out; where they would end."""
    gib, whose = room(work.cells[0])
    if gib is None:
        print(f"frontier: no plan: {NO_LIMIT}")
        return
    known, count, total = sink.known(), 0, 0.0
    line = "{:26}{:>8}{:>8}{:>12}{:>7}{:>10}  {}"
    print(line.format("frontier of", "tokens", "prompt", "near batch", "tries", "est. min", "state"))
    for cell in work.cells:
        (tries, message), prompts = frontier.tries_of(cell, known), work.prompts_of(cell)
        batches, end = ([], tries.low) if message else expected(cell, prompts, tries, gib)
        seconds = sum(
            estimate.START_S[cell.device] + estimate.round_s(frontier.at_batch(cell, batch), 1, prompts, known)
            for batch in batches
        )
        begun = "begun" if tries.fits or tries.fails else "to do"
        state = message or (begun if batches else "done")
        shape = (cell.gen_length, cell.prompt_tokens or "-", end, len(batches), f"{seconds / 60:.1f}")
        print(line.format(frontier.name_of(cell), *shape, state))
        count, total = count + len(batches), total + seconds
    print(
        f"study {work.study}: frontier of {gib:.3g} GiB ({whose}), about {count} tries, each a fresh process, about"
        f" {total / 60:.1f} min to go (estimates, batches by the cost model)"
    )


def room(cell: Cell) -> tuple[float | None, str]:
    """GiB that a plan reckons with, and whose they are; None for a CPU without a limit."""
    if cell.limit_gib or cell.device == "cpu":
        return cell.limit_gib, "LIMIT_GIB"
    if card := choose.gpu():
        return frontier.device_gib(card[0]), card[1]
    from bench.cost import cards

    return cards.devices()[CARD].memory_bytes / GIB, f"{CARD}, since no GPU is here; LIMIT_GIB= gives another"
