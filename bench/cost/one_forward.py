"""What one forward costs, in closed form, and what a device can do at most. Imports no torch.

How FLOPs, bytes and time are counted is said in `floors.py`.
"""

from dataclasses import dataclass

from bench.common.dtypes import BYTES, EIGHT_BITS
from bench.models.shape import Shape


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
    if dtype not in EIGHT_BITS:
        return BYTES[dtype] * count
    attention = shape.head_width * (shape.heads + 2 * shape.kv_heads) + shape.width
    rows = shape.layers * (attention + 2 * shape.feed_forward + shape.width) + shape.vocabulary
    return count + EIGHT_BITS[dtype] * rows


def spared(shape: Shape, rows: int, context: int) -> Cost:
    """What the lean head and the captured engine's prefill save, as a negative cost.

    rows: those that do not go on to the head. The last layer computes only their K and V.
    """
    keys_and_values = 2 * shape.width * shape.head_width * shape.kv_heads
    attention = 4 * shape.heads * shape.head_width * context
    return Cost(-rows * (2 * (shape.layer_matrices - keys_and_values) + attention), 0, 0)
