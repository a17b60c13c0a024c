"""About how long cells of tasks take, before anything runs: estimates, never reported as results."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.accuracy.cells import Asked
from bench.cost.one_forward import forward
from bench.models import kinds
from bench.models.engines import ENGINES
from bench.runner import estimate

if TYPE_CHECKING:
    from bench.accuracy.answers import Key
    from bench.records.items import Item
    from bench.records.merge import CellRecords

ENOUGH = 8  # answers on record from which a cell's own pace is taken


@dataclass(frozen=True)
class Estimate:
    """Seconds that are left of a cell, and how many of its requests have an answer."""

    asked: Asked
    done: int
    seconds: float


def estimates(
    asked: list[Asked], items: dict[str, dict[Key, Item]], on_record: dict[str, CellRecords]
) -> Iterator[Estimate]:
    """What is left of each cell. items, on_record: of the study, by cell."""
    for each in asked:
        wanted = each.keys
        done = {key: item for key, item in items.get(each.cell.cell_id, {}).items() if key in wanted}
        left = len(wanted) - len(done)
        if not left:
            seconds = 0.0
        elif len(done) >= ENOUGH:
            seconds = left * statistics.mean(item.seconds for item in done.values())
        elif each.is_generated:
            seconds = generation_s(each, left, on_record)
        else:
            seconds = left * likelihood_s(each)
        yield Estimate(each, len(done), seconds)


def generation_s(asked: Asked, left: int, on_record: dict[str, CellRecords]) -> float:
    """Seconds of the answers that are left, at full length; an engine that captures steps does so for each length."""
    cell = asked.cell
    calls = -(-left // cell.batch_size)
    captures = 0.0
    if ENGINES[cell.engine].has_one_shape:
        lengths = [len(prompt.ids[cell.model]) for prompt in asked.prompts]
        whole_and_rest = [divmod(lengths.count(length), cell.batch_size) for length in set(lengths)]
        calls = min(sum(whole + (rest > 0) for whole, rest in whole_and_rest), left)
        shapes = sum((whole > 0) + (rest > 0) for whole, rest in whole_and_rest)
        captures = shapes * estimate.capture_s(cell, 1)
    return calls * estimate.call_s(cell, asked.prompts, on_record) + captures


def likelihood_s(asked: Asked) -> float:
    """Seconds of one likelihood: a forward, or those over all noisy versions of a continuation."""
    cell = asked.cell
    about = asked.texts.files.describe()
    tokens = round(statistics.mean(len(prompt.ids[cell.model]) for prompt in asked.prompts))
    rows = asked.recipe.likelihood.rows if kinds.has_steps(cell.model) else 1
    forwards = cell.samples // rows if kinds.has_steps(cell.model) else 1
    cost = forward(about.shape, cell.dtype, rows, tokens, tokens, rows * tokens, cached=False)
    return forwards * estimate.SPEEDS[cell.device].seconds(cost)


LINE = "{:14}{:20}{:18}{:34}{:>12}{:>10}"
HEADINGS = ("cell", "task", "template", "model", "done", "est. min")


def lines(planned: list[Estimate], study: str) -> Iterator[str]:
    """A plan in words: a line a cell, and the minutes to go in all."""
    yield LINE.format(*HEADINGS)
    for each in planned:
        cell = each.asked.cell
        name = ", ".join(filter(None, (cell.model, cell.decoder_label, "" if cell.engine == "eager" else cell.engine)))
        done = f"{each.done} of {len(each.asked.requests)}"
        yield LINE.format(cell.cell_id, cell.task, cell.template, name, done, f"{each.seconds / 60:.1f}")
    loads = {each.asked.cell.model for each in planned if each.seconds}
    start_s = sum(estimate.START_S[planned[0].asked.cell.device] for _ in loads)
    total_s = sum(each.seconds for each in planned) + start_s
    yield (
        f"study {study}: {len(planned)} cells on {planned[0].asked.cell.device}, about {total_s / 60:.1f} min to go"
        " (estimates; answers that end early take LLaMA less)"
    )
