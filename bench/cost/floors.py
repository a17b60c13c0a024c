"""What a cell must cost, in closed form: arithmetic, bytes moved, rows pushed, time, peak memory. Imports no torch.

One multiplication and one addition are two FLOPs. Matrix products and attention are counted, as torch's
FlopCounterMode counts them (norms, rotations and softmax are a fraction of a percent); attention in full, since
neither the mask of LLaMA nor padding spares the arithmetic of a dense kernel. Bytes are the least that must cross
the memory bus: the weights once a forward (of the embedding only the rows looked up, hence nothing here), the cache
that is read and written, and the logits where they are written out.

Time is a floor: each forward takes as long as its arithmetic or its bytes, whichever is longer, at the device's
ceilings. What a host adds to each forward is a ceiling too, where it was measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.common.dtypes import BYTES
from bench.models.shape import Shape
from bench.spec.cell import Cell

SCALE_BYTES = 5  # of a row of a quantised matrix: its scale and zero point


@dataclass(frozen=True)
class Cost:
    """Of one generation call, or a part of it: FLOPs, bytes moved, and rows pushed through the model."""

    flops: float
    moved_bytes: float
    positions: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.flops + other.flops, self.moved_bytes + other.moved_bytes, self.positions + other.positions)

    def times(self, count: int) -> "Cost":
        return Cost(self.flops * count, self.moved_bytes * count, self.positions * count)


@dataclass(frozen=True)
class Ceilings:
    """What a device can do at most. host_s: seconds by which a host delays one forward, 0 where not known.

    overlaps: whether the host runs ahead of the device (a GPU), so that the longer of the two counts and not their sum.
    """

    flops_per_s: float
    bytes_per_s: float
    host_s: float = 0.0
    overlaps: bool = True

    def seconds(self, cost: Cost) -> float:
        """Of one forward: the longer of arithmetic and bytes, and what the host adds."""
        busy = max(cost.flops / self.flops_per_s, cost.moved_bytes / self.bytes_per_s)
        return max(busy, self.host_s) if self.overlaps else busy + self.host_s


def forward(shape: Shape, dtype: str, batch: int, queries: int, context: int, head_rows: int, cached: bool) -> Cost:
    """One forward of `batch` sequences, each of `queries` new rows that see `context` rows, these included.

    head_rows: rows of the whole batch that become logits. cached: K and V of the context come from memory, and those
    of the new rows go there.
    """
    rows, size = batch * queries, BYTES[dtype]
    linear = 2 * rows * shape.layers * shape.layer_matrices
    attention = 4 * shape.layers * shape.heads * shape.head_width * batch * queries * context
    head = 2 * head_rows * shape.width * shape.vocabulary
    weights = matrices_bytes(shape, dtype)
    cache = 2 * shape.layers * shape.kv_heads * shape.head_width * batch * context if cached else 0
    logits = head_rows * shape.vocabulary
    return Cost(linear + attention + head, weights + size * (cache + logits), rows)


def matrices_bytes(shape: Shape, dtype: str) -> int:
    """All matrices that a row of activations meets, the head among them."""
    count = shape.layers * shape.layer_matrices + shape.vocabulary * shape.width
    if dtype != "int8":
        return BYTES[dtype] * count
    attention = shape.head_width * (shape.heads + 2 * shape.kv_heads) + shape.width
    rows = shape.layers * (attention + 2 * shape.feed_forward + shape.width) + shape.vocabulary
    return count + SCALE_BYTES * rows


def forwards(cell: Cell, shape: Shape, prompt_tokens: int, new_tokens: int | None = None) -> Iterator[Cost]:
    """Every forward of one generation call after prompts of `prompt_tokens`: LLaMA's prefill and its decode steps,
    or LLaDA's denoising steps, each over the whole canvas, twice with guidance.

    new_tokens: of LLaMA, where it stopped; default: the cell's length. LLaDA always pays for its whole canvas.
    """
    if cell.steps is None:
        prefill = forward(
            shape, cell.dtype, cell.batch_size, prompt_tokens, prompt_tokens, cell.batch_size, cached=True
        )
        if cell.engine == "captured":
            prefill += spared(shape, cell.batch_size * (prompt_tokens - 1), prompt_tokens)
        yield prefill
        for done in range(1, new_tokens or cell.gen_length):
            yield forward(shape, cell.dtype, cell.batch_size, 1, prompt_tokens + done, cell.batch_size, cached=True)
        return
    canvas = prompt_tokens + cell.gen_length
    batch = cell.batch_size * (2 if cell.cfg_scale else 1)
    rows = batch * (cell.block_length if cell.head == "lean" else canvas)
    step = forward(shape, cell.dtype, batch, canvas, canvas, rows, cached=False)
    step += spared(shape, batch * canvas - rows, canvas)
    for _ in range(cell.steps):
        yield step


def spared(shape: Shape, rows: int, context: int) -> Cost:
    """What the lean head, and the captured engine's prefill, do not pay, as a negative cost: in the last layer, rows
    that do not go on to the head are K and V only."""
    keys_and_values = 2 * shape.width * shape.head_width * shape.kv_heads
    attention = 4 * shape.heads * shape.head_width * context
    return Cost(-rows * (2 * (shape.layer_matrices - keys_and_values) + attention), 0, 0)


def call(cell: Cell, shape: Shape, prompt_tokens: int, new_tokens: int | None = None) -> Cost:
    """One generation call of a cell, all its forwards together."""
    return sum(forwards(cell, shape, prompt_tokens, new_tokens), Cost(0, 0, 0))


def call_s(cell: Cell, shape: Shape, ceilings: Ceilings, prompt_tokens: int, new_tokens: int | None = None) -> float:
    """Seconds of one generation call at a device's ceilings."""
    return sum(ceilings.seconds(cost) for cost in forwards(cell, shape, prompt_tokens, new_tokens))


def step_s(cell: Cell, shape: Shape, ceilings: Ceilings, prompt_tokens: int, new_tokens: int | None = None) -> float:
    """Seconds of the unit of work at a device's ceilings: one denoising step, or the middle one of the decode steps."""
    every = [ceilings.seconds(cost) for cost in forwards(cell, shape, prompt_tokens, new_tokens)]
    return every[len(every) // 2]
