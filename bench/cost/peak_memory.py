"""Peak memory of a cell in closed form: weights, K and V, activations, logits. Imports no torch.

What counts is what torch's allocator counts: the tensors alive at the fullest moment of a call. Candidates for that
moment, of which the fullest is taken: the rotation of queries and keys, attention, the feed-forward part (in the last
layer, when all K and V are there), and the head. Every term is a tensor that transformers' LLaMA block or our own
(bench/models/layers.py), our samplers and our decoding loops keep alive then; tests compare the sum with what torch
allocates.
The captured engine is compiled on a GPU, which spares tensors that only elementwise functions pass on.
"""

from dataclasses import dataclass

from bench.common.dtypes import BYTES
from bench.cost.floors import matrices_bytes
from bench.models.shape import Shape
from bench.spec.cell import Cell

GIB = 1 << 30
HEAD_ROWS = 1024  # of logits at a time in the lean head (bench/diffusion/samplers.py)
FEED_FORWARD_ROWS = 16384  # at a time in the captured engine (bench/models/layers.py)
DOUBLE, SINGLE = 8, 4
NOISE_COPIES = 5  # float64 tensors of the logits' shape while noise is drawn: themselves, noise, and three on the way


PARTS = ("kv_cache", "activations", "logits")  # of a peak, beside the weights


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
    found = []
    for queries, context in ((prompt_tokens, prompt_tokens), (1, prompt_tokens + cell.gen_length - 1)):
        if captured:
            held, beside = prompt_tokens + cell.gen_length, fixed_trunk(cell, shape, batch, queries, context)
        else:
            held, beside = context, trunk(cell, shape, batch, queries, context, padded)
            beside += 0 if queries > 1 else context * row  # of one layer the old K, while the new is written
        cache = 2 * shape.layers * held * row
        found.append(Memory(weights, cache, beside, 0 if captured or queries > 1 else logits))
        hidden = batch * queries * shape.width * size
        found.append(
            Memory(weights, cache, hidden, logits + max(noise, unpacked(cell, shape.vocabulary * shape.width)))
        )
    return found


def llada_moments(cell: Cell, shape: Shape, prompt_tokens: int, padded: bool) -> list[Memory]:
    """The trunk over the whole canvas, and the head on the rows that its rung computes."""
    size, canvas = BYTES[cell.dtype], prompt_tokens + cell.gen_length
    halves, lean = 2 if cell.cfg_scale else 1, cell.head == "lean"
    batch, weights = cell.batch_size * halves, weights_bytes(cell, shape)
    if cell.engine == "captured":
        work = fixed_trunk(cell, shape, batch, canvas, canvas)
    else:
        work = trunk(cell, shape, batch, canvas, canvas, padded)
    rows = cell.batch_size * (cell.block_length if lean else canvas)
    hidden = halves * rows * shape.width * size  # what the head is given
    at_once = min(rows, HEAD_ROWS) if lean else rows
    head = at_once * halves * shape.vocabulary * size
    written = Memory(weights, 0, hidden, head + unpacked(cell, shape.vocabulary * shape.width))
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


def trunk(cell: Cell, shape: Shape, batch: int, queries: int, context: int, padded: bool) -> int:
    """Bytes of activations at the fullest moment of a layer of transformers' that is not the first.

    The residual stream and its normalised copy are alive throughout, and in transformers' own loop over the layers the
    embeddings. LLaDA rotates queries and keys in float32 whatever the dtype.
    """
    size, rows, lean = BYTES[cell.dtype], batch * queries, cell.head == "lean"
    wide = SINGLE if cell.model == "llada" else size
    q, k = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
    mask = batch * queries * context if padded and not lean else 0  # one byte a pair; else it is a row's own
    repeated = 2 * (q - k) * batch * context * size if padded and q != k else 0  # a mask rules out grouped heads
    rotate = size * (q + 2 * k) + wide * max(3 * q, q + 3 * k)
    rotated = wide * (q + k) + (size * (q + k) if wide != size else 0) + size * k
    attend = rows * (rotated + size * q) + mask * size + repeated
    if cell.attention == "math":
        attend = rows * rotated + written_out(cell, shape, batch, queries, context)
    feed_forward = 3 * size * shape.feed_forward + size * shape.width  # a layer's input is alive beside its residual
    inside = max(rows * rotate, attend, rows * feed_forward + unpacked(cell, shape.width * shape.feed_forward))
    return (2 if lean else 3) * rows * shape.width * size + mask + inside


def written_out(cell: Cell, shape: Shape, batch: int, queries: int, context: int) -> int:
    """Bytes of attention by plain products: scores and their softmax in float32 for every head and pair, beside scaled
    queries, float32 copies of a narrower dtype, and K and V repeated for heads that share them."""
    pairs = 2 * SINGLE * batch * shape.heads * queries * context
    row, narrow, shared = SINGLE * shape.head_width * batch, BYTES[cell.dtype] < SINGLE, shape.heads != shape.kv_heads
    beside = queries * shape.heads * (2 if narrow else 1)
    beside += 2 * context * shape.heads if narrow or shared else 0
    beside += 2 * context * shape.kv_heads if narrow and shared else 0
    return pairs + row * beside


def fixed_trunk(cell: Cell, shape: Shape, batch: int, queries: int, context: int) -> int:
    """The same in the captured engine (bench/models/layers.py): one matrix for Q, K and V, one for gate and up,
    feed-forward in parts. LLaMA keeps K and V of a layer, and of the one before, for its cache.

    A GPU runs the compiled layer. Elsewhere the rotation's products in float32 are there as well, and during the
    feed-forward all that attention was given and found, and the gate's activation.
    """
    size, rows, compiled, llama = BYTES[cell.dtype], batch * queries, cell.device == "cuda", cell.model == "llama"
    wide, width, deep = size if llama else SINGLE, shape.width, shape.feed_forward
    q, k = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
    projected, part = q + 2 * k, min(rows, FEED_FORWARD_ROWS)
    kept = (projected + k if llama or not compiled else 0) + (0 if compiled else 2 * q)
    rotate = size * rows * (width + projected) + rows * max(wide * 3 * q, size * q + wide * 3 * k)
    attend = size * rows * (width + projected + k + 2 * q)
    if cell.attention == "math":
        attend += written_out(cell, shape, batch, queries, context) - size * rows * q
    inner = part * (3 * deep + (0 if compiled else deep + width)) + (rows - part) * width
    joining = 2 * rows * width if rows > part else 0
    feed = size * (rows * (2 * width + kept) + max(inner, joining)) + unpacked(cell, 2 * width * deep)
    before = size * rows * (projected + k) if llama else 0
    return before + max(0 if compiled else rotate, attend, feed)


def unpacked(cell: Cell, elements: int) -> int:
    """A quantised matrix, written out while it is multiplied; nothing where none is."""
    return elements * BYTES[cell.dtype] if cell.dtype == "int8" else 0


def weights_bytes(cell: Cell, shape: Shape) -> int:
    """Of all parameters; a quantised head is no longer tied to the embedding."""
    if cell.dtype != "int8":
        return shape.parameters * BYTES[cell.dtype]
    others = shape.width * (2 * shape.layers + 1 + shape.vocabulary)  # norms and embedding
    return matrices_bytes(shape, cell.dtype) + others * BYTES[cell.dtype]
