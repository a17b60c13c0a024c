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
from dataclasses import dataclass

from bench.common.dtypes import BYTES
from bench.cost.workload import Workload, kind_of
from bench.models.shape import Shape

SCALE_BYTES = 5  # bytes that each row of an int8 matrix needs besides: its scale and its zero point


@dataclass(frozen=True)
class Cost:
    """The cost of one generation call, or of a part of it. positions: rows pushed through the model."""

    flops: float
    moved_bytes: float
    positions: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.flops + other.flops, self.moved_bytes + other.moved_bytes, self.positions + other.positions)

    def times(self, count: int) -> "Cost":
        return Cost(self.flops * count, self.moved_bytes * count, self.positions * count)


@dataclass(frozen=True)
class Ceilings:
    """What a device can do at most.

    host_s: seconds by which the host delays one forward; 0 where this was not measured. overlaps: whether the host
    runs ahead of the device, as it does with a GPU. Then the longer of the two times counts, otherwise their sum.
    """

    flops_per_s: float
    bytes_per_s: float
    host_s: float = 0.0
    overlaps: bool = True

    def seconds(self, cost: Cost) -> float:
        """Seconds of one forward: the longer of arithmetic and bytes, and what the host adds."""
        busy = max(cost.flops / self.flops_per_s, cost.moved_bytes / self.bytes_per_s)
        return max(busy, self.host_s) if self.overlaps else busy + self.host_s


def forward(shape: Shape, dtype: str, batch: int, queries: int, context: int, head_rows: int, cached: bool) -> Cost:
    """The cost of one forward of `batch` sequences.

    queries: new rows of each sequence. context: rows that each of them sees, the new ones included. head_rows: rows of
    the whole batch that become logits. cached: whether K and V of the context are read from memory, and those of the
    new rows written to it.
    """
    rows = batch * queries
    size = BYTES[dtype]
    linear = 2 * rows * shape.layers * shape.layer_matrices
    attention = 4 * shape.layers * shape.heads * shape.head_width * batch * queries * context
    head = 2 * head_rows * shape.width * shape.vocabulary
    weights = matrices_bytes(shape, dtype)
    cache = 2 * shape.layers * shape.kv_heads * shape.head_width * batch * context if cached else 0
    logits = head_rows * shape.vocabulary
    return Cost(linear + attention + head, weights + size * (cache + logits), rows)


def matrices_bytes(shape: Shape, dtype: str) -> int:
    """Bytes of all matrices that a row of activations meets, the head among them."""
    count = shape.layers * shape.layer_matrices + shape.vocabulary * shape.width
    if dtype != "int8":
        return BYTES[dtype] * count
    attention = shape.head_width * (shape.heads + 2 * shape.kv_heads) + shape.width
    rows = shape.layers * (attention + 2 * shape.feed_forward + shape.width) + shape.vocabulary
    return count + SCALE_BYTES * rows


def forwards(workload: Workload, shape: Shape, prompt_tokens: int, new_tokens: int | None = None) -> Iterator[Cost]:
    """The cost of every forward of one generation call after prompts of `prompt_tokens`.

    new_tokens: where a model without denoising steps stopped; default: the workload's whole length. A model with
    denoising steps always pays for its whole canvas.
    """
    if kind_of(workload).has_steps:
        yield from denoising_steps(workload, shape, prompt_tokens)
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


def denoising_steps(workload: Workload, shape: Shape, prompt_tokens: int) -> Iterator[Cost]:
    """The denoising steps, each a forward over the whole canvas of prompt and answer (LLaDA). Guidance doubles the
    rows, because the canvas without its prompt goes through the model as well."""
    canvas = prompt_tokens + workload.gen_length
    batch = workload.batch_size * (2 if workload.cfg_scale else 1)
    rows = batch * (workload.block_length if workload.head == "lean" else canvas)
    step = forward(shape, workload.dtype, batch, canvas, canvas, rows, cached=False)
    step += spared(shape, batch * canvas - rows, canvas)
    for _ in range(workload.steps):
        yield step


def spared(shape: Shape, rows: int, context: int) -> Cost:
    """What the lean head and the captured engine's prefill save, as a negative cost.

    rows: those that do not go on to the head. The last layer computes only their K and V.
    """
    keys_and_values = 2 * shape.width * shape.head_width * shape.kv_heads
    attention = 4 * shape.heads * shape.head_width * context
    return Cost(-rows * (2 * (shape.layer_matrices - keys_and_values) + attention), 0, 0)


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
