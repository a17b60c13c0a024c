"""Rules that a cell must keep, beyond what the schemas of bench/spec/grid.py ask of each value.

Each function raises BadInput for a broken rule: one line that names the grid, what is wrong and what to do. `where`
is the grid as the user named it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from bench.common.dtypes import EIGHT_BITS
from bench.common.errors import BadInput
from bench.devices import choose
from bench.models import checkpoint, kinds
from bench.models.engines import EngineName
from bench.spec.cell import Cell

if TYPE_CHECKING:
    from bench.data.prompt import Prompt
    from bench.models.checkpoint import Checkpoint
    from bench.spec.pair import ModelFile
    from bench.spec.work import Work

MOST_STATED = 1000  # lengths of answers in a cell, which MLflow shows as one parameter of 6,000 characters at most


def check_cells(cells: Iterable[Cell]) -> None:
    """The GPU here must compute in the precisions of the cells.

    Not to be asked of cells that run on another machine. The sentinel may have any: it is compared with itself alone.
    """
    asked = ((cell.dtype, cell.kind) for cell in cells if cell.device == "cuda" and not cell.twin)
    for dtype, kind in dict.fromkeys(asked):
        choose.check_dtype(dtype, f"grid {kind}")


def check_model(model: str, models: Iterable[str], where: str) -> None:
    """A grid may ask only for models that the pair has. models: their kinds."""
    if model not in models:
        raise BadInput(f"{where}: model {model} is not in the pair, whose models are: {', '.join(models)}")


class Asked(NamedTuple):
    """The engines and the kinds of model that a grid spans. where: the grid, for messages."""

    where: str
    engines: list[EngineName]
    models: list[str]


def check_engines(asked: list[Asked]) -> None:
    """Each grid must ask for an engine that one of its models has, and each engine must be asked for of such a model.

    Where several grids take the engines of one command line, a model runs on those of them that it has.
    """
    had = {engine for grid in asked for engine in grid.engines for model in grid.models if has_engine(model, engine)}
    for where, engines, models in asked:
        lacking = [engine for engine in engines if not any(has_engine(model, engine) for model in models)]
        wrong = [engine for engine in lacking if len(lacking) == len(engines) or engine not in had]
        if wrong:
            kind = kinds.KINDS[models[0]]
            counterpart = f"; {kind.own_call}" if kind.own_call else ""
            have = ", ".join(kind.engines)
            raise BadInput(f"{where}: {kind.label} has no engine {wrong[0]} (it has: {have}){counterpart}")


def has_engine(model: str, engine: EngineName) -> bool:
    """Whether a kind of model has an engine."""
    return engine in kinds.KINDS[model].engines


def check_divisibility(gen: int, block: int, steps: int, where: str) -> None:
    """LLaDA's two rules: blocks divide the length, and each block gets a whole number of steps."""
    if gen % block:
        raise BadInput(f"{where}: gen_length {gen} is not a multiple of block_length {block}")
    blocks = gen // block
    if steps % blocks:
        near = max(blocks, steps - steps % blocks)
        raise BadInput(
            f"{where}: steps {steps} cannot be shared by {blocks} blocks ({gen} tokens in blocks of {block});"
            f" use a multiple of {blocks}, such as {near}"
        )


def check_positions(prompt_tokens: int | None, gen: int, files: ModelFile, where: str) -> None:
    """A prompt of known length and its answer must fit into the model's positions."""
    most = files.describe().max_positions
    if prompt_tokens and prompt_tokens + gen > most:
        raise BadInput(
            f"{where}: prompt_tokens {prompt_tokens} and gen_length {gen} are more than the {most} positions of"
            f" {files.weights}"
        )


def check_prompts(prompt_set: Iterable[list[int]], gen: int, about: Checkpoint, where: str) -> None:
    """Every prompt must have tokens, all of the model's vocabulary, and fit its positions together with an answer.

    prompt_set: token ids of each prompt. gen: tokens of an answer at most. about: the model that will be asked.
    """
    for number, ids in enumerate(prompt_set, 1):
        check_ids(ids, gen, about, f"{where}: prompt {number}", "shorten it, or give a smaller GEN")


def check_references(prompt_set: tuple[Prompt, ...], where: str) -> None:
    """Where answers are to be as long as the references, every prompt must have one, and a cell states each length."""
    for number, prompt in enumerate(prompt_set, 1):
        if prompt.reference is None:
            raise BadInput(
                f"{where}: stop: references, but prompt {number} has no reference; give every line of the prompt file"
                ' a "reference", or stop: length'
            )
        if any("\ud800" <= letter <= "\udfff" for letter in prompt.reference):
            raise BadInput(
                f"{where}: stop: references, but the reference of prompt {number} holds half of a character; mend it"
            )
    if len(prompt_set) > MOST_STATED:
        raise BadInput(
            f"{where}: stop: references states the length of each answer, and {len(prompt_set)} prompts are too many;"
            f" give {MOST_STATED} at most"
        )


def check_ids(ids: list[int], gen: int, about: Checkpoint, what: str, remedy: str) -> None:
    """Some token ids must be such as the model can take, with `gen` more behind them.

    what: the text that they are of, for messages. remedy: what to do where they are too many, for messages as well.
    """
    if not ids:
        raise BadInput(f"{what} has no tokens for {about.path}; give it another text")
    if len(ids) + gen > about.max_positions:
        raise BadInput(
            f"{what} has {len(ids)} tokens, which with an answer of {gen} are more than the {about.max_positions}"
            f" positions of {about.path}; {remedy}"
        )
    if max(ids) >= about.shape.vocabulary:
        raise BadInput(
            f"{what} has the token id {max(ids)}, but {about.path} has a vocabulary of {about.shape.vocabulary}; give"
            " the tokenizer that belongs to the model"
        )


def check_work(work: Work, where: str) -> None:
    """The prompts of every cell in a work folder must fit its model (`check_prompts`).

    where: the folder, for messages. Cells of grids are checked one by one, when they are resolved.
    """
    for cell in work.cells:
        if cell.server:
            continue
        ids = [prompt.ids[cell.model] for prompt in work.prompts_of(cell)[: cell.prompts]]
        check_prompts(ids, cell.gen_length, checkpoint.read(cell.weights, cell.random_seed), where)


def check_one_shape(prompt_set: list[list[int]], batch: int, where: str) -> None:
    """A captured step is recorded once: every call of its cell must have the same shape."""
    lengths = sorted(map(len, prompt_set))
    if lengths[0] != lengths[-1]:
        raise BadInput(
            f"{where}: engine captured replays one shape, but the prompts have {lengths[0]} to {lengths[-1]} tokens;"
            " give prompt_tokens and stop: length, prompts of one length, or engine: eager"
        )
    if len(prompt_set) % batch:
        raise BadInput(
            f"{where}: engine captured replays one shape, but {len(prompt_set)} prompts in batches of {batch} leave"
            f" {len(prompt_set) % batch} over; give a multiple of {batch} prompts"
        )


def check_attention(attention: str, where: str) -> None:
    """Attention `math` needs the eager engine.

    A captured step of LLaMA computes its attention as plain products in any case, so that `math` would compare nothing,
    and transformers' generate() is run as it comes.
    """
    if attention == "math":
        raise BadInput(f"{where}: attention math is compared on transformers' own modules; give engine: eager")


def check_dtype(dtype: str | None, where: str) -> None:
    """Eight bits need torchao, which quantises."""
    if dtype in EIGHT_BITS and importlib.util.find_spec("torchao") is None:
        raise BadInput(f"{where}: dtype {dtype} needs torchao, which is not installed here (pip install torchao)")


def steps_for(gen: int, tokens_per_step: int, where: str) -> int:
    """The steps of an answer of `gen` tokens that commits `tokens_per_step` in each."""
    if gen % tokens_per_step:
        raise BadInput(f"{where}: gen_length {gen} is not a multiple of tokens_per_step {tokens_per_step}")
    return gen // tokens_per_step


def check_end_of_turn(wanted: str, files: ModelFile, where: str) -> None:
    """Confidence without the end tokens needs a tokenizer that has them."""
    if wanted != "off" and checkpoint.token_id(files.tokenizer_directory, checkpoint.END_OF_TURN) is None:
        raise BadInput(
            f"{where}: confidence_eos_eot needs a tokenizer with {checkpoint.END_OF_TURN}; this one has none"
        )
