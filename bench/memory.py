"""Peak memory of a cell in closed form: weights, K and V, activations, logits. Imports no torch.

What counts is what torch's allocator counts: the tensors alive at the fullest moment of a call. Candidates for that
moment, of which the fullest is taken: the rotation of queries and keys, attention, the feed-forward part (in the last
layer, when all K and V are there), and the head. Every term is a tensor that transformers' LLaMA block or our own
(bench/block.py), our samplers and our decoding loops keep alive then; tests compare the sum with what torch allocates.
The captured engine is compiled on a GPU, which spares tensors that only elementwise functions pass on.
"""

from dataclasses import dataclass

from bench.cell import Cell
from bench.checkpoint import Shape
from bench.roofline import BYTES

GIB = 1 << 30
HEAD_ROWS = 1024  # of logits at a time in the lean head (bench/diffusion/samplers.py)
DOUBLE, SINGLE = 8, 4
NOISE_COPIES = 5  # float64 tensors of the logits' shape while noise is drawn: themselves, noise, and three on the way


@dataclass(frozen=True)
class Memory:
    """Bytes alive at the fullest moment of a call, by what they are."""

    weights: float
    kv_cache: float
    activations: float
    logits: float

    @property
    def total(self) -> float:
        return self.weights + self.kv_cache + self.activations + self.logits

    @property
    def total_gib(self) -> float:
        return self.total / GIB


def peak(cell: Cell, shape: Shape, prompt_tokens: int, padded: bool = False) -> Memory:
    """The fullest moment of one generation call after prompts of `prompt_tokens` (the longest of a batch).

    padded: prompts of a batch differ in length, so that an attention mask is there.
    """
    moments = llama_moments if cell.steps is None else llada_moments
    return max(moments(cell, shape, prompt_tokens, padded), key=lambda moment: moment.total)


def llama_moments(cell: Cell, shape: Shape, prompt_tokens: int, padded: bool) -> list[Memory]:
    """Prefill, and the last decode step, whose cache is the longest. In eager decoding it grows by copying; captured,
    it has its full size from the start."""
    size, batch, captured = BYTES[cell.dtype], cell.batch_size, cell.engine == "captured"
    row = size * shape.kv_heads * shape.head_width * batch  # K, or V, of one position in one layer
    logits = batch * shape.vocabulary * size
    noise = NOISE_COPIES * DOUBLE * batch * shape.vocabulary if cell.temperature else 0
    weights = weights_bytes(cell, shape)
    last = prompt_tokens + cell.gen_length - 1
    found = []
    for queries, context, before in ((prompt_tokens, prompt_tokens, 0), (1, last, logits)):
        held = prompt_tokens + cell.gen_length if captured else context
        cache, growing = 2 * shape.layers * held * row, context * row if queries == 1 and not captured else 0
        if captured:
            work, before = fixed_trunk(cell, shape, batch * queries, beside=True), 0
        else:
            work = trunk(shape, cell.dtype, batch, queries, context, full_rope=False, padded=padded, embeddings=True)
        found.append(Memory(weights, cache, work + growing, before))
        found.append(Memory(weights, cache, batch * queries * shape.width * size, logits + noise))
    return found


def llada_moments(cell: Cell, shape: Shape, prompt_tokens: int, padded: bool) -> list[Memory]:
    """The trunk over the whole canvas, and the head on the rows that its rung computes."""
    size, canvas = BYTES[cell.dtype], prompt_tokens + cell.gen_length
    halves, lean = 2 if cell.cfg_scale else 1, cell.head == "lean"
    batch, weights = cell.batch_size * halves, weights_bytes(cell, shape)
    if cell.engine == "captured":
        work = fixed_trunk(cell, shape, batch * canvas, beside=False)
    else:
        work = trunk(shape, cell.dtype, batch, canvas, canvas, full_rope=True, padded=padded, embeddings=not lean)
    rows = cell.batch_size * (cell.block_length if lean else canvas)
    hidden = halves * rows * shape.width * size  # what the head is given
    at_once = min(rows, HEAD_ROWS) if lean else rows
    written = Memory(weights, 0, hidden, at_once * halves * shape.vocabulary * size)
    read = Memory(weights, 0, hidden if lean else 0, at_once * shape.vocabulary * bytes_a_logit(cell, size))
    return [Memory(weights, 0, work, 0), written, read]


def bytes_a_logit(cell: Cell, size: int) -> int:
    """Bytes alive for one logit while a rung of the head turns it into candidate and confidence."""
    lean = cell.head == "lean"
    confident = {
        "lean": max(size + SINGLE, 2 * SINGLE),  # shifted by the largest, in float32, its exponential
        "official-old": 2 * DOUBLE,  # a float64 copy and its softmax
    }.get(cell.head, size)
    if cell.remasking == "random":
        confident = 0
    drawn = NOISE_COPIES * DOUBLE if cell.temperature else 0
    beside = size + (2 * size if lean and cell.cfg_scale else 0)  # the logits; guided: both halves are kept by `lean`
    guiding = 4 * size if cell.cfg_scale else 0  # both halves, their scaled difference, and the sum
    return max(beside + confident, beside + drawn, guiding)


def trunk(
    shape: Shape, dtype: str, batch: int, queries: int, context: int, full_rope: bool, padded: bool, embeddings: bool
) -> int:
    """Bytes of activations at the fullest moment of a layer that is not the first.

    The residual stream and its normalised copy are alive throughout. full_rope: queries and keys are rotated in float32
    whatever the dtype. embeddings: whether the loop over the layers keeps what the first one was given.
    """
    size, rows = BYTES[dtype], batch * queries
    wide = SINGLE if full_rope else size
    q, k = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
    mask = batch * queries * context if padded and embeddings else 0  # one byte a pair; else it is a row's own
    repeated = 2 * (q - k) * batch * context * size if padded and q != k else 0  # a mask rules out grouped heads
    rotate = size * (q + 2 * k) + wide * max(3 * q, q + 3 * k)
    cast = size * (q + k) if wide != size else 0
    attend = wide * (q + k) + cast + size * k + size * q
    feed_forward = 3 * size * shape.feed_forward + size * shape.width  # a layer's input is alive beside its residual
    inside = max(rows * rotate, rows * attend + mask * size + repeated, rows * feed_forward)
    return (3 if embeddings else 2) * rows * shape.width * size + mask + inside


def fixed_trunk(cell: Cell, shape: Shape, rows: int, beside: bool) -> int:
    """The same in the captured engine, whose fullest moment is the feed-forward: the residual stream before and after
    attention, joined Q, K and V with the rotated K, the joined gate and up, and their product.

    beside: whether Q, K and V of the layer before are alive still. A GPU runs the compiled layer; elsewhere the rotated
    Q, what attention found and the gate's activation are there as well.
    """
    q, k = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
    projected = (q + 3 * k) * (2 if beside else 1)
    plain = 0 if cell.device == "cuda" else 2 * q + shape.feed_forward
    return BYTES[cell.dtype] * rows * (2 * shape.width + projected + 3 * shape.feed_forward + plain)


def weights_bytes(cell: Cell, shape: Shape) -> int:
    return shape.parameters * BYTES[cell.dtype]
