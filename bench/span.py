"""How a grid spans cells: on which prompts, which come first, and which run whole where others run a part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench import prompts
from bench.cell import Cell, Prompt
from bench.errors import BadInput

if TYPE_CHECKING:
    from bench.grid import GridFile, PairFile

Wanted = tuple[str, int | None]  # which prompts: the source, and the tokens that they are cut to


def prompts_for(spans: list[GridFile], pair: PairFile, prompts_file: str | None) -> dict[Wanted, tuple[Prompt, ...]]:
    """The longest prompt set that grids of each kind of prompts ask for. Raises BadInput where tasks do not apply."""
    encoders = {"llama": pair.llama.encode, "llada": pair.llada.encode}
    limits = pair.prompts.max_prompt_tokens, pair.prompts.min_reference_chars
    names = {"pair": prompts_file or pair.prompts.source, "tasks": "tasks"}
    counts: dict[Wanted, int] = {}
    for span in spans:
        wanted = span.source, span.prompt_tokens
        counts[wanted] = max(span.prompts, counts.get(wanted, 0))
    if ("tasks", None) in counts and "accuracy" not in pair.metrics:
        declared = ", ".join(pair.metrics) or "none"
        raise BadInput(f"tasks: pair {pair.name} does not declare the metric accuracy (declared: {declared})")
    return {
        (source, tokens): prompts.exact(names[source], count, tokens, encoders)
        if tokens
        else prompts.select(names[source], count, *limits, encoders)
        for (source, tokens), count in counts.items()
    }


def by_prompts(grid: GridFile) -> list[GridFile]:
    """The grid in parts, each of which runs on one prompt set."""
    parts = [grid.model_copy(update={"prompt_tokens": tokens}) for tokens in as_list(grid.prompt_tokens)]
    if grid.calls is None:
        return parts
    return [
        part.model_copy(update={"batch_size": batch, "prompts": grid.calls * batch})
        for part in parts
        for batch in as_list(grid.batch_size)
    ]


def whole_cells(cells: list[Cell]) -> list[Cell]:
    """Of each model the cheapest cell that runs some of its forwards alone, with all of them: it shows whether what
    the others extrapolate is right."""
    found = {}
    for cell in cells:
        size = cell.batch_size * (cell.gen_length + (cell.prompt_tokens or 0)), cell.whole().forwards()
        if cell.timed and not cell.attention and (cell.model not in found or size < found[cell.model][0]):
            found[cell.model] = size, cell.whole()
    return [cell for _, cell in found.values()]


def in_order(grid: GridFile, cells: list[Cell]) -> list[Cell]:
    """The grid's first cells marked, and before the others."""
    if not grid.first:
        return cells
    is_first = [all(getattr(cell, name) in values for name, values in grid.first.items()) for cell in cells]
    marked = [replace(cell, first=first or None) for cell, first in zip(cells, is_first, strict=True)]
    return sorted(marked, key=lambda cell: not cell.first)


def as_list(value: object) -> list:
    return list(value) if isinstance(value, list) else [value]
