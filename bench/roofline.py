"""What a cell must cost, in closed form: arithmetic, bytes moved, rows pushed through the model. Imports no torch.

One multiplication and one addition are two FLOPs. Matrix products and attention are counted, as torch's
FlopCounterMode counts them (norms, rotations and softmax are a fraction of a percent); attention in full, since
neither the mask of LLaMA nor padding spares the arithmetic of a dense kernel. Bytes are the least that must cross
the memory bus: the weights once a forward (of the embedding only the rows looked up, hence nothing here), the cache
that is read and written, and the logits where they are written out.
"""

from dataclasses import dataclass

from bench.cell import Cell
from bench.checkpoint import Shape

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Cost:
    """Of one generation call: FLOPs, bytes moved, and rows pushed through the model."""

    flops: float
    moved_bytes: float
    positions: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.flops + other.flops, self.moved_bytes + other.moved_bytes, self.positions + other.positions)

    def times(self, count: int) -> "Cost":
        return Cost(self.flops * count, self.moved_bytes * count, self.positions * count)


def forward(shape: Shape, dtype: str, batch: int, queries: int, context: int, head_rows: int, cached: bool) -> Cost:
    """One forward of `batch` sequences, each of `queries` new rows that see `context` rows, these included.

    head_rows: rows of the whole batch that become logits. cached: K and V of the context come from memory, and those
    of the new rows go there.
    """
    rows, size = batch * queries, BYTES[dtype]
    linear = 2 * rows * shape.layers * shape.layer_matrices
    attention = 4 * shape.layers * shape.heads * shape.head_width * batch * queries * context
    head = 2 * head_rows * shape.width * shape.vocabulary
    weights = shape.layers * shape.layer_matrices + shape.vocabulary * shape.width
    cache = 2 * shape.layers * shape.kv_heads * shape.head_width * batch * context if cached else 0
    logits = head_rows * shape.vocabulary
    return Cost(linear + attention + head, size * (weights + cache + logits), rows)


def call(cell: Cell, shape: Shape, prompt_tokens: int, new_tokens: int | None = None) -> Cost:
    """One generation call of a cell after prompts of `prompt_tokens`.

    new_tokens: of LLaMA, where it stopped; default: the cell's length. LLaDA always pays for its whole canvas.
    """
    if cell.steps is not None:
        return denoising(cell, shape, prompt_tokens)
    total = forward(shape, cell.dtype, cell.batch_size, prompt_tokens, prompt_tokens, cell.batch_size, cached=True)
    for done in range(1, new_tokens or cell.gen_length):
        total += forward(shape, cell.dtype, cell.batch_size, 1, prompt_tokens + done, cell.batch_size, cached=True)
    return total


def denoising(cell: Cell, shape: Shape, prompt_tokens: int) -> Cost:
    """All steps of LLaDA: each a forward of the whole canvas, twice with guidance."""
    canvas = prompt_tokens + cell.gen_length
    batch = cell.batch_size * (2 if cell.cfg_scale else 1)
    rows = batch * (cell.block_length if cell.head == "lean" else canvas)
    whole = forward(shape, cell.dtype, batch, canvas, canvas, rows, cached=False)
    return (whole + spared(shape, batch * canvas - rows, canvas)).times(cell.steps)


def spared(shape: Shape, rows: int, context: int) -> Cost:
    """What the lean head does not pay, as a negative cost: in the last layer, rows that do not go on to the head are K
    and V only."""
    keys_and_values = 2 * shape.width * shape.head_width * shape.kv_heads
    attention = 4 * shape.heads * shape.head_width * context
    return Cost(-rows * (2 * (shape.layer_matrices - keys_and_values) + attention), 0, 0)
