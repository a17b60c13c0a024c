"""How a grid spans cells: the product of its lists, and the prompts that each cell runs on.

Beside the product it says which cells come first in a round, and which run all their forwards where the others run only
a part of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from bench.common.errors import BadInput
from bench.data import prompts
from bench.data.prompt import Prompt
from bench.data.prompts import keep
from bench.models import kinds
from bench.models.engines import ENGINES
from bench.spec import decoder_rules, prompt_ids, rules, server_rules
from bench.spec.axis import as_list
from bench.spec.cell import IDENTITY_VERSION, Cell
from bench.spec.decoder_rules import Decoder, Setting
from bench.spec.grid import GridFile
from bench.spec.pair import PairFile, fetch
from bench.spec.whole import whole_cells

if TYPE_CHECKING:
    from bench.spec.pair import ModelFile


def resolve(
    grids: list[GridFile], where: list[str], pair: PairFile, device: str, prompts_file: str | None
) -> tuple[list[Cell], dict[str, tuple[Prompt, ...]]]:
    """All cells of some grids on one pair, without duplicates, and the prompt sets that they run on by hash.

    where: the grids' names for messages. prompts_file: JSON lines in place of the pair's prompts. Cells with fewer
    prompts run on the first of the longest set. Raises BadInput.
    """
    pair = fetch(pair)
    asked = [(as_list(grid.engine), [pair.kind_of(name) for name in as_list(grid.model)]) for grid in grids]
    rules.check_engines([rules.Asked(name, *of_grid) for name, of_grid in zip(where, asked, strict=True)])
    longest = prompts_for([part for grid in grids for part in by_prompts(grid)], pair, prompts_file)
    cells: dict[str, Cell] = {}
    sets: dict[str, tuple[Prompt, ...]] = {}
    for grid, name in zip(grids, where, strict=True):
        of_grid = []
        for part in by_prompts(grid):
            chosen = longest[wanted_of(part)][: part.prompts]
            prompt_hash = keep(chosen, with_ids=part.prompt_tokens is not None)
            sets[prompt_hash] = chosen
            of_grid += cells_of(part, pair, device, chosen, prompt_hash, name)
        for cell in in_order(grid, [*whole_cells(of_grid, grid.whole), *of_grid]):
            cells.setdefault(cell.cell_id, cell)
    return list(cells.values()), sets


# Which prompts: their source, the tokens that they are cut to (None: uncut), and whether they keep references then.
Wanted = tuple[str, int | None, bool]


def wanted_of(grid: GridFile) -> Wanted:
    """The prompts that a part of a grid runs on."""
    return grid.source, grid.prompt_tokens, grid.prompt_tokens is not None and grid.needs_references


def prompts_for(spans: list[GridFile], pair: PairFile, prompts_file: str | None) -> dict[Wanted, tuple[Prompt, ...]]:
    """The longest prompt set that grids of each kind of prompts ask for. Raises BadInput where tasks do not apply."""
    encoders = {kind: files.encode for kind, files in pair.models.items()}
    limits = pair.prompts.max_prompt_tokens, pair.prompts.min_reference_chars
    names = {"pair": prompts_file or pair.prompts.source} | {name: name for name in prompts.GENERATED}
    counts: dict[Wanted, int] = {}
    for span in spans:
        wanted = wanted_of(span)
        counts[wanted] = max(span.prompts, counts.get(wanted, 0))
    generated = [source for source, *_ in counts if source in prompts.GENERATED]
    if generated and "accuracy" not in pair.metrics:
        declared = ", ".join(pair.metrics) or "none"
        raise BadInput(f"{generated[0]}: pair {pair.name} does not declare the metric accuracy (declared: {declared})")
    return {
        (source, tokens, with_references): prompts.exact(names[source], count, tokens, encoders, with_references)
        if tokens
        else prompts.select(names[source], count, *limits, encoders)
        for (source, tokens, with_references), count in counts.items()
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


class Point(NamedTuple):
    """One place in the product of a grid's lists."""

    model: str
    gen_length: int
    block_length: int
    steps: int
    batch_size: int
    head: str
    engine: str
    attention: str
    dtype: str | None  # None: the pair's
    fill: str
    stop: str | None  # None: the pair's
    decoder: Decoder


def points(grid: GridFile, where: str) -> Iterator[Point]:
    """All places of a grid, in its order. Raises BadInput for a decoder that breaks a rule, or a length that
    tokens_per_step does not divide."""
    pace = "steps" if grid.tokens_per_step is None else "tokens_per_step"
    values = {name: getattr(grid, name) for name in Point._fields if name != "decoder"}
    values |= {"steps": getattr(grid, pace), "decoder": decoder_rules.decoders(grid, where)}
    for point in itertools.starmap(Point, itertools.product(*(as_list(values[name]) for name in Point._fields))):
        shape = point.gen_length, point.block_length, where
        yield point._replace(steps=decoder_rules.steps_of(point.decoder, point.steps, pace, *shape))


def check(
    point: Point, grid: GridFile, files: ModelFile, stop: str, prompt_set: tuple[Prompt, ...], where: str
) -> None:
    """Raises BadInput for the first rule that a place breaks. Rules of denoising bind models with steps alone."""
    rules.check_dtype(point.dtype, where)
    ids = [prompt.ids[point.model] for prompt in prompt_set]
    if files.server:
        server_rules.check(files, stop, ids, point.gen_length, where)
        if point.stop == "references":
            rules.check_references(prompt_set, where)
        return
    rules.check_positions(grid.prompt_tokens, point.gen_length, files, where)
    rules.check_prompts(ids, point.gen_length, files.describe(), where)
    if point.stop == "references":
        rules.check_references(prompt_set, where)
    if ENGINES[point.engine].has_one_shape:
        rules.check_one_shape(ids, point.batch_size, where)
    if point.engine != "eager":
        rules.check_attention(point.attention, where)
    if kinds.has_steps(point.model):
        decoder_rules.check_setting(point.decoder, setting_of(point, grid, files, stop), where)
        rules.check_divisibility(point.gen_length, point.block_length, point.steps, where)
        rules.check_end_of_turn(grid.confidence_eos_eot, files, where)


def setting_of(point: Point, grid: GridFile, files: ModelFile, stop: str) -> Setting:
    """What a decoder must suit at a place of a grid."""
    return Setting(
        stop=stop, early_stop=grid.early_stop, is_random=files.random_seed is not None,
        cfg_scale=grid.cfg_scale, remasking=grid.remasking, confidence_eos_eot=grid.confidence_eos_eot,
        steps_timed=shorter(grid.steps_timed, point.steps),
    )  # fmt: skip


def cells_of(
    grid: GridFile, pair: PairFile, device: str, prompt_set: tuple[Prompt, ...], prompt_hash: str, where: str
) -> list[Cell]:
    """The cells of one grid, in grid order, without duplicates. Its prompt_tokens is that of the prompt set.

    Raises BadInput for a rule that is broken (bench/spec/rules.py).
    """
    cells: dict[str, Cell] = {}
    named: dict[ModelFile, dict] = {}  # what the cells of a model state of its files, which are read once
    for place in points(grid, where):
        point = place._replace(model=pair.kind_of(place.model))
        rules.check_model(point.model, pair.models, where)
        if not rules.has_engine(point.model, point.engine):
            continue
        if pair.models[point.model].server and not server_rules.applies(grid, point.attention, point.fill):
            continue
        files = pair.models[point.model].filled(point.fill)
        check(point, grid, files, point.stop or pair.stop, prompt_set, where)
        if files not in named:
            named[files] = revisions_of(files)
        asked = named[files] | {"prompts": len(prompt_set), "prompt_hash": prompt_hash}
        if grid.prompt_tokens is None:  # else the prompt hash has the ids in it
            asked["prompt_ids"] = prompt_ids.part_of_identity(prompt_set, point.model, prompt_hash)
        if point.stop == "references":
            asked["answer_lengths"] = answer_lengths(prompt_set, files, point.gen_length)
        asked["repeat_prompts"] = min(len(prompt_set), whole_batches(grid, point.batch_size))
        shared = shared_settings(point, grid, pair, files, device) | own_settings(point, grid)
        cell = Cell(**asked, **shared | (server_rules.settings(files) if files.server else {}))
        cells.setdefault(cell.cell_id, cell)
    return list(cells.values())


def revisions_of(files: ModelFile) -> dict:
    """What a cell states of its model's files: their name today, and what earlier code called them if that differs."""
    revision, former = files.revision(), files.former_revision()
    return {"revision": revision, "former_revision": None if former == revision else former}


def answer_lengths(prompt_set: tuple[Prompt, ...], files: ModelFile, most: int) -> str:
    """Tokens of each prompt's reference for a model, `most` at most, as a cell states them."""
    return " ".join(str(min(most, files.answer_tokens(prompt.reference))) for prompt in prompt_set)


def shared_settings(point: Point, grid: GridFile, pair: PairFile, files: ModelFile, device: str) -> dict:
    """The fields of a cell that both models have, but for its prompts."""
    is_less = grid.calls_only and device == "cuda" and not grid.peaks_only  # elsewhere there is nothing to leave out
    return {
        "device": device,
        "pair": pair.name,
        "kind": grid.kind,
        "model": point.model,
        "weights": files.weights,
        "tokenizer": files.tokenizer_directory,
        "random_seed": files.random_seed,
        "dtype": point.dtype or pair.dtype,
        "engine": point.engine,
        "gen_length": point.gen_length,
        "batch_size": point.batch_size,
        "stop": point.stop or pair.stop,
        "temperature": grid.temperature,
        "seed": grid.seed,
        "prompt_tokens": grid.prompt_tokens,
        "peaks_only": grid.peaks_only or None,
        "calls_only": is_less or None,
        "attention": None if point.attention == "sdpa" else point.attention,
        "fill": None if point.fill == "own" else point.fill,
        "limit_gib": grid.limit_gib,
        "time_limit_s": grid.time_limit_s,
        "identity_version": IDENTITY_VERSION,
    }


def own_settings(point: Point, grid: GridFile) -> dict:
    """The fields of a cell that only its model has."""
    if not kinds.has_steps(point.model):
        return {"tokens_timed": shorter(grid.tokens_timed, point.gen_length)}
    return {
        "steps": point.steps,
        "block_length": point.block_length,
        **point.decoder.settings(),
        "remasking": grid.remasking,
        "early_stop": grid.early_stop or None,
        "head": None if point.head == "official" else point.head,
        "cfg_scale": grid.cfg_scale or None,
        "logits_eos_inf": grid.logits_eos_inf or None,
        "confidence_eos_eot": None if grid.confidence_eos_eot == "off" else grid.confidence_eos_eot,
        "steps_timed": shorter(grid.steps_timed, point.steps),
    }


def whole_batches(grid: GridFile, batch: int) -> int:
    """Prompts that later rounds time again: whole batches, since a part of one would be another call."""
    wanted = grid.calls * batch if grid.calls else grid.repeat_prompts
    return -(-wanted // batch) * batch


def shorter(timed: int | None, whole: int) -> int | None:
    """How many forwards to time where that is fewer than all; None where all are timed."""
    return timed if timed and timed < whole else None


def in_order(grid: GridFile, cells: list[Cell]) -> list[Cell]:
    """The cells, with those that the grid names first marked and before the others."""
    if not grid.first:
        return cells
    is_first = [all(getattr(cell, name) in values for name, values in grid.first.items()) for cell in cells]
    marked = [replace(cell, first=first or None) for cell, first in zip(cells, is_first, strict=True)]
    return sorted(marked, key=lambda cell: not cell.first)
