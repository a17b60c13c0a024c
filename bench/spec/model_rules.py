"""Rules that hold between a cell and the model that it runs: what the engine computes, which ids the model has.

`rules.py` has those that a grid alone can break. Both are asked in the parent, before anything loads.
"""

from collections.abc import Iterable, Mapping

from bench.common.errors import BadInput
from bench.data.prompt import Prompt
from bench.models import checkpoint
from bench.models.checkpoint import Checkpoint
from bench.spec.cell import Cell

SHOWN_CHARS = 40  # of a prompt in a message


def check(cells: Iterable[Cell], prompt_sets: Mapping[str, tuple[Prompt, ...]]) -> None:
    """Raise BadInput for the first model that an engine of its cells does not compute, or whose vocabulary lacks an id
    of their prompts. prompt_sets: by the hash that cells have."""
    cells_of: dict[tuple, list[Cell]] = {}
    for cell in cells:
        cells_of.setdefault((cell.weights, cell.random_seed, cell.tokenizer), []).append(cell)
    for (weights, random_seed, tokenizer), of_model in cells_of.items():
        described = checkpoint.read(weights, random_seed)
        for engine in dict.fromkeys(cell.engine for cell in of_model):
            described.check_engine(engine)
        if any(cell.confidence_eos_eot for cell in of_model):
            check_end_of_turn(described, tokenizer)
        for prompt_hash in dict.fromkeys(cell.prompt_hash for cell in of_model):
            for prompt in prompt_sets[prompt_hash]:
                check_ids(described, prompt.ids[described.kind], prompt.text, tokenizer)


def check_ids(described: Checkpoint, ids: list[int], text: str, tokenizer: str) -> None:
    """Every id of a prompt, or of another text, must be a row of the model's embedding."""
    rows = described.shape.vocabulary
    if max(ids) >= rows:
        start = " ".join(text.split())[:SHOWN_CHARS]
        raise BadInput(
            f"{tokenizer}: the text {start!r} has token id {max(ids)}, but {described.path} has a vocabulary of"
            f" {rows}; give the tokenizer that belongs to the model"
        )


def check_end_of_turn(described: Checkpoint, tokenizer: str) -> None:
    """The end-of-turn token, whose logits the option `confidence_eos_eot` changes, must have some."""
    rows = described.shape.vocabulary
    end = checkpoint.token_id(tokenizer, checkpoint.END_OF_TURN)
    if end is not None and end >= rows:
        raise BadInput(
            f"{tokenizer}: {checkpoint.END_OF_TURN} has id {end}, but {described.path} has a vocabulary of {rows}; give"
            " the tokenizer that belongs to the model"
        )
