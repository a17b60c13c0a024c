"""The texts that a round generated."""

import json

from bench.common.characters import writable
from bench.data import prompts, tokenizers
from bench.records.merge import CellRecords
from bench.records.types import Round
from bench.spec.cell import Cell


def kept_ids(record: Round) -> list[list[int]]:
    """Token ids of a round's generations, each up to its first end token, that one included."""
    kept = [count for call in record.calls for count in call.kept]
    return [row[:count] for row, count in zip(record.sequences, kept, strict=True)]


def decode(directory: str, record: Round) -> list[str]:
    """Texts of a round's generations, each up to its first end token. directory: of the tokenizer."""
    texts = tokenizers.tokenizer(directory).batch_decode(kept_ids(record), skip_special_tokens=True)
    return [text.strip() for text in texts]


def generations(entry: CellRecords) -> str:
    """Prompts, references and generated texts as JSON lines; empty where there is no text, or only noise, and where
    the prompts are not stored, since a published study comes without the texts of others."""
    cell = entry.cell
    first = entry.rounds.get(1)
    if not isinstance(cell, Cell) or first is None or first.sequences is None or cell.random_seed is not None:
        return ""
    asked = prompts.stored(cell.prompt_hash)
    if not asked:
        return ""
    lines = []
    texts = decode(cell.tokenizer, first)
    for prompt, text in zip(asked, texts, strict=False):
        reference = prompt.reference
        if reference is not None:  # as long as an answer could be: what was scored against
            reference = tokenizers.cut(cell.tokenizer, writable(reference), cell.gen_length)
        lines.append(json.dumps({"prompt": writable(prompt.text), "reference": reference, "text": text}))
    return "\n".join(lines) + "\n"
