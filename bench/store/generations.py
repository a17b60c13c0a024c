"""The texts that a round generated."""

import json

from bench.data import prompts, tokenizers
from bench.records.merge import CellRecords


def kept_ids(record: dict) -> list[list[int]]:
    """Token ids of a round's generations, each up to its first EOS, that one included."""
    kept = [count for call in record["calls"] for count in call["kept"]]
    return [row[:count] for row, count in zip(record["sequences"], kept, strict=True)]


def decode(directory: str, record: dict) -> list[str]:
    """Texts of a round's generations, each up to its first EOS."""
    return [
        text.strip()
        for text in tokenizers.tokenizer(directory).batch_decode(kept_ids(record), skip_special_tokens=True)
    ]


def generations(entry: CellRecords) -> str:
    """Prompts, references and generated texts as JSON lines; empty if round 1 has not generated."""
    first = entry.rounds.get(1)
    if not first or "sequences" not in first or entry.cell.get("random_seed") is not None:
        return ""
    lines = []
    texts = decode(entry.cell["tokenizer"], first)
    for prompt, text in zip(prompts.stored(entry.cell["prompt_hash"]), texts, strict=False):
        reference = prompt.reference
        if reference is not None:  # as long as an answer could be: what was scored against
            reference = tokenizers.cut(entry.cell["tokenizer"], reference, entry.cell["gen_length"])
        lines.append(json.dumps({"prompt": prompt.text, "reference": reference, "text": text}))
    return "\n".join(lines) + "\n"
