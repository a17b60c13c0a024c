"""The token ids of a cell's prompts as a part of what the cell is.

A prompt's text is not what a model reads: another chat template, or another version of a library, makes other token ids
of it. So a cell states the hash of its model's ids. Cells whose prompts were cut to a length do not: the hash of such a
prompt set has the ids in it.

The ids were no part of the earliest cells. `recorded_prompt_ids.json` holds, for the prompt sets that the shipped grids
measured then, which ids these were. A cell with exactly those ids leaves them out and so keeps the name under which it
is on record; with any other ids it gets another name.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from bench.common import read
from bench.data.prompt import Prompt

RECORDED = Path(__file__).with_name("recorded_prompt_ids.json")  # hashes of ids by prompt set and model


def hash_of(prompts: Iterable[Prompt], model: str) -> str:
    """Twelve hex digits that name the token ids of some prompts for a model."""
    ids = json.dumps([prompt.ids[model] for prompt in prompts])
    return hashlib.sha256(ids.encode()).hexdigest()[:12]


def part_of_identity(prompts: Iterable[Prompt], model: str, prompt_hash: str) -> str | None:
    """What a cell states of its prompts' ids; None where they are those of the earliest cells with these prompts."""
    ids_hash = hash_of(prompts, model)
    return None if recorded().get(prompt_hash, {}).get(model) == ids_hash else ids_hash


@cache
def recorded() -> dict[str, dict[str, str]]:
    """The ids of the earliest cells: hashes by prompt set and model."""
    return read.json_object(RECORDED)
