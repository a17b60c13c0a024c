"""Does a real pair behave as published? The authors' check of an install, on real weights.

Three arithmetic questions with the settings of the official `generate.py` (128 steps, 128 tokens, blocks of 32,
temperature 0), whose answers are known; the parameter count; and LLaMA's adapter against `generate()`. The
questions have the numbers of the official ones (GSM8K, arXiv 2110.14168) in our words.
"""

import re
from dataclasses import replace

import torch

from bench.adapters import registry
from bench.spec import expand, grid
from bench.spec.cell import Cell
from bench.spec.pair import ModelFile, PairFile

QUESTIONS = (
    ("Lily runs at 12 kilometers per hour for 4 hours, then at 6 kilometers per hour. How far does she run in 8 hours"
     " in all?", 72),
    ("Joy reads 8 pages in 20 minutes. How many hours does she need for 120 pages?", 5),
    ("Randy's farm has 60 mango trees. It has 5 fewer coconut trees than half the number of mango trees. How many"
     " trees of both kinds are there?", 85),
)  # fmt: skip
PARAMETERS = {"llada": 8_015_581_184, "llama": 8_030_261_248}
TOKENS = 128


def cell_of(pair: PairFile, model: str, device: str) -> Cell:
    """The authors' settings as a cell of a pair."""
    settings = grid.GridFile(kind="examples", model=model, gen_length=TOKENS, block_length=32, steps=128)
    return expand.cells_of(settings, pair, device, (), "", "examples")[0]


def ask(adapter: registry.Adapter, files: ModelFile) -> list[tuple[str, int]]:
    """(answer text, expected number) of each question, in one left-padded batch."""
    output = adapter.generate([files.encode(question) for question, _ in QUESTIONS], lambda kind: None)
    tok = grid.prompts.tokenizer(files.tokenizer_directory)
    rows = [row[:kept] for row, kept in zip(output.sequences.tolist(), output.kept, strict=True)]
    texts = tok.batch_decode(rows, skip_special_tokens=True)
    return [(text.strip(), number) for text, (_, number) in zip(texts, QUESTIONS, strict=True)]


def equals_generate(adapter: registry.Adapter, files: ModelFile) -> bool:
    """Whether LLaMA's greedy continuation of the first question is that of transformers' `generate()`."""
    ids = files.encode(QUESTIONS[0][0])
    mine = adapter.generate([ids], lambda kind: None).sequences[0].tolist()
    row = torch.tensor([ids], device=adapter.cell.device)
    ends = list(adapter.checkpoint.eos_ids)
    theirs = adapter.model.generate(
        row, attention_mask=torch.ones_like(row), max_new_tokens=adapter.cell.gen_length, do_sample=False,
        eos_token_id=ends, pad_token_id=ends[0],
    )  # fmt: skip
    return mine == theirs[0, len(ids) :].tolist()


def verify(pair: PairFile, device: str) -> int:
    """Run the examples on a pair's weights, print what came of each. Returns 1 if any is not as published, else 0."""
    good = True
    for model in ("llada", "llama"):
        files, adapter = getattr(pair, model), registry.create(model)
        adapter.load(cell_of(pair, model, device))
        count = sum(parameter.numel() for parameter in adapter.model.parameters())
        good &= count == PARAMETERS[model]
        print(f"{model}: {count:,} parameters, expected {PARAMETERS[model]:,}")
        if model == "llama":
            adapter.load(replace(adapter.cell, gen_length=32))
            same = equals_generate(adapter, files)
            good &= same
            print(f"llama: greedy continuation {'equals' if same else 'DIFFERS FROM'} generate()")
            continue
        for text, number in ask(adapter, files):
            found = re.search(rf"(?<![\d.]){number}(?![\d]|\.\d)", text) is not None
            good &= found
            print(f"llada: {'has' if found else 'LACKS'} the answer {number}:\n  " + text.replace("\n", "\n  "))
    return 0 if good else 1
