"""What each forward of LLaDA costs under a cache, and all forwards of a call under a sampler. Imports no torch.

A forward that takes keys and values from a cache pushes fewer rows, which look at the whole canvas. Which forwards a
call makes says bench/diffusion/plans.py, which the loop asks as well. How many a sampler makes that does not know its
steps beforehand cannot be told: then the most is assumed, or what was counted is given.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.common.dtypes import BYTES
from bench.cost.one_forward import Cost, forward, spared
from bench.cost.workload import Workload, is_official
from bench.diffusion.plans import PLANS, Pass, Turn, passes, quotas_of
from bench.models.shape import Shape


@dataclass(frozen=True)
class Counted:
    """The forwards of a call as they were run. positions: of one row, over all forwards, the mean over layers."""

    full: int
    partial: int
    positions: float


def planned(workload: Workload, prompt_tokens: int) -> Iterator[Pass]:
    """The forwards of a call by its settings."""
    of_a_block = workload.steps // (workload.gen_length // workload.block_length)
    quotas = quotas_of(workload.sampler, workload.block_length, of_a_block, workload.tokens_per_step)
    return passes(workload, prompt_tokens, quotas)


def costs(workload: Workload, shape: Shape, prompt_tokens: int, counted: Counted | None = None) -> Iterator[Cost]:
    """The cost of every forward of a call: of those that were counted, each partial one the mean of them, or else of
    those by its settings."""
    canvas = prompt_tokens + workload.gen_length
    if counted is None and is_official(workload):
        yield from [full(workload, shape, canvas)] * workload.steps
        return
    if counted is None:
        for pass_ in planned(workload, prompt_tokens):
            yield full(workload, shape, canvas) if pass_.is_full else partial(workload, shape, canvas, pass_.queries)
        return
    if workload.cache == "interval":  # it counts forwards alone, so each of them is known
        for number in range(counted.full + counted.partial):
            queries = PLANS["interval"](workload, prompt_tokens, Turn(0, 0, number)).queries
            yield full(workload, shape, canvas) if queries == canvas else partial(workload, shape, canvas, queries)
        return
    yield from [full(workload, shape, canvas)] * counted.full
    if counted.partial:
        queries = (counted.positions - counted.full * canvas) / counted.partial
        yield from [partial(workload, shape, canvas, queries)] * counted.partial


def full(workload: Workload, shape: Shape, canvas: int) -> Cost:
    """A forward over the whole canvas, which leaves its K and V where there is a cache."""
    halves = 2 if workload.cfg_scale else 1
    batch = workload.batch_size * halves
    is_cached = workload.cache not in (None, "none")
    rows = batch * (looked_at(workload) if workload.head == "lean" else canvas)
    cost = forward(shape, workload.dtype, batch, canvas, canvas, rows, cached=is_cached)
    if workload.cache == "interval":
        return cost + outputs(workload, shape, canvas)
    return cost + spared(shape, batch * canvas - rows, canvas)


def partial(workload: Workload, shape: Shape, canvas: int, queries: float) -> Cost:
    """A forward that pushes some positions of each row; under the cache `interval` through all layers but the first."""
    if workload.cache == "interval":
        return partly_renewed(workload, shape, canvas, queries)
    batch = workload.batch_size
    alone = workload.block_length if workload.cache == "dual" else looked_at(workload)
    rows = batch * (alone if workload.head == "lean" else queries)
    cost = forward(shape, workload.dtype, batch, queries, canvas, rows, cached=True)
    return cost + spared(shape, batch * queries - rows, canvas)


def looked_at(workload: Workload) -> int:
    """Positions of a row whose logits a step needs under the lean head: the block, or for KLASS the answer."""
    return workload.gen_length if workload.sampler == "klass" else workload.block_length


def partly_renewed(workload: Workload, shape: Shape, canvas: int, queries: float) -> Cost:
    """A forward of the cache `interval`: the first layer in full, and in the others V of the answer besides, by which
    rows are chosen, unless the answer is renewed as a whole."""
    batch, layers = workload.batch_size, shape.layers
    mean = (canvas + (layers - 1) * queries) / layers
    rows = batch * (looked_at(workload) if workload.head == "lean" else canvas)
    cost = forward(shape, workload.dtype, batch, mean, canvas, rows, cached=True)
    compared = 0 if queries == workload.gen_length or not workload.ratio else workload.gen_length
    values = 2 * batch * compared * (layers - 1) * shape.width * shape.kv_heads * shape.head_width
    return cost + Cost(values, 0, 0) + outputs(workload, shape, canvas)


def outputs(workload: Workload, shape: Shape, canvas: int) -> Cost:
    """What the cache `interval` moves besides K and V: what attention and feed-forward part of each layer added."""
    rows = 2 * shape.layers * workload.batch_size * canvas
    return Cost(0, rows * shape.width * BYTES[workload.dtype], 0)


def kept_bytes(workload: Workload, shape: Shape, prompt_tokens: int) -> float:
    """Bytes that a cache keeps from one forward to the next, and the distributions that KLASS remembers."""
    canvas = prompt_tokens + workload.gen_length
    size = BYTES[workload.dtype] * shape.layers * workload.batch_size * canvas
    kept = 0.0
    if workload.cache not in (None, "none"):
        kept += 2 * size * shape.kv_heads * shape.head_width
    if workload.cache == "interval":
        kept += 2 * size * shape.width
    if workload.sampler == "klass":
        kept += BYTES["float32"] * workload.batch_size * workload.gen_length * shape.vocabulary
    return kept
