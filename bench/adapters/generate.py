"""The engines `generate` and `generate-static`: transformers' own call, so that a user sees what he would get.

`generate` is `model.generate(...)` as it comes: eager modules and a cache that grows. `generate-static` adds
`cache_implementation="static"`, and nothing else. On a GPU transformers itself then compiles the decode forward
(Inductor with CUDA graphs; the prefill stays eager). On a CPU it compiles nothing, and so nothing is compiled here.

What a user would give to get the text of our loop is given: no end tokens where the length is forced (`min_new_tokens`
would give another text, since it bars the end token and the second best token takes its place), and neither top-k nor
top-p where tokens are drawn. The tokens drawn are then of the same distribution, from other random numbers.

A mark is made by a stopping criterion, which `generate()` asks once a forward, as soon as the token is there. It costs
one more operation on [batch] booleans and never waits for the device; a streamer would copy every token to the host.
`generate()` itself waits for the device after each token, to learn whether all rows have ended. That is part of it.
"""

import time
from dataclasses import dataclass

import torch
from transformers import CompileConfig, LlamaForCausalLM, StoppingCriteria, StoppingCriteriaList

from bench.adapters.base import left_pad
from bench.adapters.contract import Mark, Output, kept_tokens
from bench.spec.cell import Cell

Shape = tuple[int, bool]  # rows of a batch, and whether any is padded: what a compiled decode forward depends on


class MarkTokens(StoppingCriteria):
    """Marks every token and counts them. most: tokens after which the call ends; None: this criterion ends none."""

    def __init__(self, mark: Mark, most: int | None = None):
        self.mark = mark
        self.most = most
        self.made = 0

    def __call__(self, input_ids: torch.Tensor, scores: object, **options: object) -> bool:
        self.mark("token")
        self.made += 1
        return self.made == self.most


def generate(
    model: LlamaForCausalLM, cell: Cell, ends: tuple[int, ...], prompts: list[list[int]], marks: MarkTokens
) -> Output:
    """One call of transformers' `generate()` on token ids. ends: end tokens; the first fills rows that have ended."""
    ids, mask = left_pad(prompts, ends[0], cell.device)
    sequences = model.generate(
        ids,
        attention_mask=torch.ones_like(ids) if mask is None else mask,  # without one, generate() guesses from the ids
        max_new_tokens=cell.gen_length,
        eos_token_id=list(ends) if cell.stop == "eos" else None,
        pad_token_id=ends[0],
        stopping_criteria=StoppingCriteriaList([marks]),
        **drawing(cell.temperature),
        **cache_options(cell),
    )[:, ids.shape[1] :]
    positions = ids.numel() + len(ids) * (marks.made - 1)
    return Output(sequences, marks.made, positions, kept_tokens(sequences, ends, cell.stop))


def drawing(temperature: float) -> dict:
    """How `generate()` chooses tokens: the likeliest, or drawn from the whole softmax at a temperature."""
    if not temperature:
        return {"do_sample": False}
    return {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}


def cache_options(cell: Cell) -> dict:
    """The cache that `generate()` is asked for.

    dynamic=False compiles each shape for itself, as in a process that has seen no other one. Without it, the second
    batch size of a process would get slower code that is made for any size.
    """
    if cell.engine == "generate":
        return {}
    compiling = {"compile_config": CompileConfig(dynamic=False)} if cell.device == "cuda" else {}
    return {"cache_implementation": "static"} | compiling


@dataclass(frozen=True)
class Ready:
    """The calls that a static cache is ready for: of at most so many positions, prompt and answer, in such batches.

    compile_s: seconds that went into compiling, 0 where nothing was compiled. peak_bytes: device memory allocated while
    CUDA graphs were recorded; when they are replayed, the allocator no longer counts what is in their own pool.
    """

    positions: int
    shapes: frozenset[Shape]
    compile_s: float = 0.0
    peak_bytes: int = 0


def shape_of(prompts: list[list[int]]) -> Shape:
    """What a compiled decode forward depends on beside the length of the cache."""
    return len(prompts), len(set(map(len, prompts))) > 1


def set_cache_length(model: LlamaForCausalLM, positions: int) -> None:
    """Let each static cache of the model have so many positions, whatever earlier calls asked for.

    A model remembers the longest cache that any of its calls asked for and never makes a shorter one, so that a cell's
    memory and times would depend on the cells before it.
    """
    model._previous_max_cache_length = positions


def compile_for(
    model: LlamaForCausalLM, cell: Cell, ends: tuple[int, ...], batches: list[list[list[int]]], positions: int
) -> Ready:
    """Let `generate()` compile its decode forward for batches of such shapes, and record its CUDA graphs."""
    set_cache_length(model, positions)
    compile_s = 0.0
    peak_bytes = 0
    by_shape = {shape_of(prompts): prompts for prompts in batches}
    for prompts in by_shape.values():
        start = time.perf_counter()
        run_some(model, cell, ends, prompts, 2)  # the prefill gives the first token, the compiled forward the second
        compile_s += time.perf_counter() - start
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        run_some(model, cell, ends, prompts, 4)  # a compiled function is recorded when it runs the second time
        peak_bytes = max(peak_bytes, torch.cuda.max_memory_allocated())
    return Ready(positions, frozenset(by_shape), compile_s, peak_bytes)


def run_some(model: LlamaForCausalLM, cell: Cell, ends: tuple[int, ...], prompts: list[list[int]], tokens: int) -> None:
    """The first tokens of a call, with the cache of all of it."""
    generate(model, cell, ends, prompts, MarkTokens(lambda kind: None, most=tokens))
    torch.cuda.synchronize()
