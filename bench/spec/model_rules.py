"""Rules that hold between a cell's options and the model that it runs: what its engine computes, which tokens it needs.

`rules.py` has those that a grid and its prompts can break. Both are asked in the parent, before anything loads.
"""

from collections.abc import Iterable

from bench.common.errors import BadInput
from bench.models import checkpoint
from bench.models.checkpoint import Checkpoint
from bench.spec.cell import Cell


def check(cells: Iterable[Cell]) -> None:
    """Raise BadInput for the first model that an engine of its cells does not compute, or that lacks an end token that
    its cells need."""
    cells_of: dict[tuple, list[Cell]] = {}
    for cell in cells:
        if cell.server:
            continue
        cells_of.setdefault((cell.weights, cell.random_seed, cell.tokenizer), []).append(cell)
    for (weights, random_seed, tokenizer), of_model in cells_of.items():
        described = checkpoint.read(weights, random_seed)
        for engine in dict.fromkeys(cell.engine for cell in of_model):
            described.check_engine(engine)
        if any(cell.confidence_eos_eot for cell in of_model):
            check_end_of_turn(described, tokenizer)


def check_end_of_turn(described: Checkpoint, tokenizer: str) -> None:
    """The end-of-turn token, whose logits the option `confidence_eos_eot` changes, must have some."""
    rows = described.shape.vocabulary
    end = checkpoint.token_id(tokenizer, checkpoint.END_OF_TURN)
    if end is not None and end >= rows:
        raise BadInput(
            f"{tokenizer}: {checkpoint.END_OF_TURN} has id {end}, but {described.path} has a vocabulary of {rows}; give"
            " the tokenizer that belongs to the model"
        )
