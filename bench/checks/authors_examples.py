"""Does a real pair behave as published? The authors' check of an install, on real weights.

Three arithmetic questions with the settings of the official `generate.py` (128 steps, 128 tokens, blocks of 32,
temperature 0), whose answers are known; the parameter count; and LLaMA's adapter against `generate()`. The
questions have the numbers of the official ones (GSM8K, arXiv 2110.14168) in our words.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

import torch

from bench.adapters import registry
from bench.checks.finding import Finding
from bench.data import tokenizers
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
PARAMETERS = {"llada": 8_015_581_184, "llama": 8_030_261_248}  # of the published models
TOKENS = 128  # of an answer, and denoising steps
TOKENS_COMPARED = 32  # of LLaMA's continuation with that of `generate()`


def check(pair: PairFile, device: str) -> Iterator[Finding]:
    """Run the examples on a pair's weights, a finding for each as soon as it is there. device: cpu or cuda."""
    for model in ("llada", "llama"):
        files = pair.models[model]
        adapter = registry.create(model)
        adapter.load(cell_of(pair, model, device))
        yield parameter_finding(model, adapter)
        yield from answer_findings(adapter, files) if model == "llada" else [greedy_finding(adapter, files)]


def cell_of(pair: PairFile, model: str, device: str) -> Cell:
    """The authors' settings as a cell of a pair."""
    settings = grid.GridFile(kind="examples", model=model, gen_length=TOKENS, block_length=32, steps=TOKENS)
    return expand.cells_of(settings, pair, device, (), "", "examples")[0]


def parameter_finding(model: str, adapter: registry.Adapter) -> Finding:
    count = sum(parameter.numel() for parameter in adapter.model.parameters())
    text = f"{count:,} parameters, expected {PARAMETERS[model]:,}"
    return Finding(model, text, met=count == PARAMETERS[model])


def answer_findings(adapter: registry.Adapter, files: ModelFile) -> Iterator[Finding]:
    """Whether each answer holds its number, with the whole answer beneath."""
    for text, number in ask(adapter, files):
        has_number = re.search(rf"(?<![\d.]){number}(?![\d]|\.\d)", text) is not None
        beneath = text.replace("\n", "\n  ")
        words = f"{'has' if has_number else 'LACKS'} the answer {number}:\n  {beneath}"
        yield Finding("llada", words, met=has_number)


def ask(adapter: registry.Adapter, files: ModelFile) -> list[tuple[str, int]]:
    """(answer text, expected number) of each question, in one left-padded batch."""
    output = adapter.generate([files.encode(question) for question, _ in QUESTIONS], lambda kind: None)
    rows = [row[:kept] for row, kept in zip(output.sequences.tolist(), output.kept, strict=True)]
    texts = tokenizers.tokenizer(files.tokenizer_directory).batch_decode(rows, skip_special_tokens=True)
    return [(text.strip(), number) for text, (_, number) in zip(texts, QUESTIONS, strict=True)]


def greedy_finding(adapter: registry.Adapter, files: ModelFile) -> Finding:
    adapter.load(replace(adapter.cell, gen_length=TOKENS_COMPARED))
    same = equals_generate(adapter, files)
    return Finding("llama", f"greedy continuation {'equals' if same else 'DIFFERS FROM'} generate()", met=same)


def equals_generate(adapter: registry.Adapter, files: ModelFile) -> bool:
    """Whether LLaMA's greedy continuation of the first question is that of transformers' `generate()`."""
    prompt = files.encode(QUESTIONS[0][0])
    of_adapter = adapter.generate([prompt], lambda kind: None).sequences[0].tolist()
    row = torch.tensor([prompt], device=adapter.cell.device)
    ends = list(adapter.checkpoint.eos_ids)
    of_generate = adapter.model.generate(
        row, attention_mask=torch.ones_like(row), max_new_tokens=adapter.cell.gen_length, do_sample=False,
        eos_token_id=ends, pad_token_id=ends[0],
    )  # fmt: skip
    return of_adapter == of_generate[0, len(prompt) :].tolist()
