"""The least that a generation call must cost, in closed form: arithmetic, bytes moved and time. Imports no torch.

FLOPs: a multiplication and an addition count as two. Matrix products and attention are counted, in the way of torch's
FlopCounterMode. Norms, rotations and softmax are left out: they are a fraction of a percent. Attention is counted in
full, because neither LLaMA's causal mask nor padding spares arithmetic in a dense kernel.

Bytes: the least that must cross the memory bus. These are the weights once a forward, the cache that is read and
written, and the logits where they are written out. Of the embedding only a few rows are looked up, so it counts as
nothing.

Time is a floor in the sense of the roofline model (Williams, Waterman and Patterson, "Roofline", CACM 52(4), 2009):
each forward takes as long as its arithmetic or its bytes at the device's ceilings, whichever is longer. The time that
a host adds to each forward is also taken into account, where it was measured.
"""

from collections.abc import Iterator

from bench.cost import decoders
from bench.cost.one_forward import Ceilings, Cost, forward, spared
from bench.cost.workload import Workload, kind_of
from bench.models.shape import Shape


def forwards(workload: Workload, shape: Shape, prompt_tokens: int, new_tokens: int | None = None) -> Iterator[Cost]:
    """The cost of every forward of one generation call after prompts of `prompt_tokens`.

    new_tokens: where a model without denoising steps stopped; default: the workload's whole length. A model with
    denoising steps always pays for its whole canvas, or for what its cache lets it push (bench/cost/decoders.py).
    """
    if kind_of(workload).has_steps:
        yield from decoders.costs(workload, shape, prompt_tokens)
    else:
        yield from decoding(workload, shape, prompt_tokens, new_tokens or workload.gen_length)


def decoding(workload: Workload, shape: Shape, prompt_tokens: int, new_tokens: int) -> Iterator[Cost]:
    """The prefill, which gives the first token, and then one forward a token over a growing cache (LLaMA)."""
    batch = workload.batch_size
    prefill = forward(shape, workload.dtype, batch, prompt_tokens, prompt_tokens, batch, cached=True)
    if workload.engine == "captured":
        prefill += spared(shape, batch * (prompt_tokens - 1), prompt_tokens)
    yield prefill
    for done in range(1, new_tokens):
        yield forward(shape, workload.dtype, batch, 1, prompt_tokens + done, batch, cached=True)


def call(workload: Workload, shape: Shape, prompt_tokens: int, new_tokens: int | None = None) -> Cost:
    """The cost of one generation call, all its forwards together."""
    return sum(forwards(workload, shape, prompt_tokens, new_tokens), Cost(0, 0, 0))


def call_s(
    workload: Workload, shape: Shape, ceilings: Ceilings, prompt_tokens: int, new_tokens: int | None = None
) -> float:
    """Seconds of one generation call at a device's ceilings."""
    return sum(ceilings.seconds(cost) for cost in forwards(workload, shape, prompt_tokens, new_tokens))


def step_s(
    workload: Workload, shape: Shape, ceilings: Ceilings, prompt_tokens: int, new_tokens: int | None = None
) -> float:
    """Seconds of the unit of work at a device's ceilings: a denoising step, or the middle one of the decode steps."""
    step_times = [ceilings.seconds(cost) for cost in forwards(workload, shape, prompt_tokens, new_tokens)]
    return step_times[len(step_times) // 2]
