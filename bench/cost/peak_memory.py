"""Peak memory of a generation call in closed form: weights, K and V, activations, logits. Imports no torch.

Counted is what torch's allocator counts: the tensors that are alive at the fullest moment of a call. Several moments
can be the fullest: the rotation of queries and keys, attention, the feed-forward part (in the last layer, when all K
and V are there), and the head. The fullest of them is taken. Every term stands for a tensor that is kept alive then by
transformers' LLaMA block, by our own block (bench/models/layers.py), by the samplers or by the decoding loops. Tests
compare the sum with what torch allocates.

The captured engine is compiled on a GPU. Compiled code needs no memory for tensors that are only passed from one
elementwise function to the next.
"""

from dataclasses import dataclass

from bench.common.dtypes import BYTES, EIGHT_BITS
from bench.common.units import GIB
from bench.cost.decoders import kept_bytes, looked_at
from bench.cost.one_forward import matrices_bytes
from bench.cost.workload import Workload, kind_of
from bench.diffusion.choices import HEAD_ROWS
from bench.models.shape import FEED_FORWARD_ROWS, Shape

DOUBLE = 8  # bytes of a float64
SINGLE = 4  # bytes of a float32
NOISE_COPIES = 5  # float64 tensors of the logits' shape while noise is drawn: themselves, noise, and three on the way
PARTS = ("kv_cache", "activations", "logits")  # the parts of a peak besides the weights


@dataclass(frozen=True)
class Memory:
    """Bytes that are alive at one moment of a call, by what they hold."""

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


def peak(workload: Workload, shape: Shape, prompt_tokens: int, padded: bool = False) -> Memory:
    """The fullest moment of one generation call after prompts of `prompt_tokens` (the longest of a batch).

    padded: whether the prompts of a batch differ in length, so that there is an attention mask.
    """
    moments = denoising_moments if kind_of(workload).has_steps else decoding_moments
    return max(moments(workload, shape, prompt_tokens, padded), key=lambda moment: moment.total)


def decoding_moments(workload: Workload, shape: Shape, prompt_tokens: int, padded: bool) -> list[Memory]:
    """The prefill, and the last decode step, whose cache is the longest (LLaMA).

    The eager engine's cache grows by copying. The captured engine's cache has its full size from the start.
    """
    size = BYTES[workload.dtype]
    batch = workload.batch_size
    captured = workload.engine == "captured"
    row = size * shape.kv_heads * shape.head_width * batch  # K, or V, of one position in one layer
    logits = batch * shape.vocabulary * size
    noise = NOISE_COPIES * DOUBLE * batch * shape.vocabulary if workload.temperature else 0
    head = logits + max(noise, unpacked(workload, shape.vocabulary * shape.width))
    weights = weights_bytes(workload, shape)
    moments = []
    for queries, context in ((prompt_tokens, prompt_tokens), (1, prompt_tokens + workload.gen_length - 1)):
        if captured:
            held = prompt_tokens + workload.gen_length
            layer = fixed_trunk(workload, shape, batch, queries, context)
        else:
            held = context
            layer = trunk(workload, shape, batch, queries, context, padded)
            layer += 0 if queries > 1 else context * row  # the old K of one layer, while the new one is written
        cache = 2 * shape.layers * held * row
        moments.append(Memory(weights, cache, layer, 0 if captured or queries > 1 else logits))
        hidden = batch * queries * shape.width * size
        moments.append(Memory(weights, cache, hidden, head))
    return moments


def denoising_moments(workload: Workload, shape: Shape, prompt_tokens: int, padded: bool) -> list[Memory]:
    """The layers over the whole canvas, and the head on the rows that it computes (LLaDA)."""
    size = BYTES[workload.dtype]
    canvas = prompt_tokens + workload.gen_length
    halves = 2 if workload.cfg_scale else 1
    lean = workload.head == "lean"
    batch = workload.batch_size * halves
    weights = weights_bytes(workload, shape)
    if workload.engine == "captured" or workload.cache not in (None, "none"):
        layer = fixed_trunk(workload, shape, batch, canvas, canvas)
    else:
        layer = trunk(workload, shape, batch, canvas, canvas, padded)
    rows = workload.batch_size * (looked_at(workload) if lean else canvas)
    hidden = halves * rows * shape.width * size  # what the head is given
    at_once = min(rows, HEAD_ROWS) if lean else rows
    head = at_once * halves * shape.vocabulary * size
    kept = kept_bytes(workload, shape, prompt_tokens)
    written = Memory(weights, kept, hidden, head + unpacked(workload, shape.vocabulary * shape.width))
    read = Memory(weights, kept, hidden if lean else 0, at_once * shape.vocabulary * bytes_a_logit(workload, size))
    return [Memory(weights, kept, layer, 0), written, read]


def bytes_a_logit(workload: Workload, size: int) -> int:
    """Bytes alive for each logit while the head turns it into candidate and confidence. size: bytes of a logit."""
    lean = workload.head == "lean"
    confident = {
        "lean": max(size + SINGLE, 2 * SINGLE),  # the logit less the largest one, its float32 copy, its exponential
        "official-old": 2 * DOUBLE,  # a float64 copy and its softmax
    }.get(workload.head, size)
    if workload.remasking == "random":
        confident = 0
    # A distribution and its entropies; two distributions and the logarithms of both.
    asked = {"entropy": 2 * SINGLE, "klass": 4 * SINGLE}.get(workload.sampler, 0)
    drawn = NOISE_COPIES * DOUBLE if workload.temperature else 0
    kept = size + (2 * size if lean and workload.cfg_scale else 0)  # the lean head keeps the logits of both halves too
    guiding = 4 * size if workload.cfg_scale else 0  # both halves, their scaled difference, and the sum
    return max(kept + max(confident, asked, drawn), guiding)


def trunk(workload: Workload, shape: Shape, batch: int, queries: int, context: int, padded: bool) -> int:
    """Bytes of activations at the fullest moment of a layer of transformers (any layer but the first).

    The residual stream and its normalised copy are alive throughout. Transformers' own loop over the layers keeps the
    embeddings alive as well. A kind of model may rotate queries and keys in float32 whatever the dtype.
    """
    size = BYTES[workload.dtype]
    rows = batch * queries
    lean = workload.head == "lean"
    wide = SINGLE if kind_of(workload).rotates_in_float32 else size
    q = shape.heads * shape.head_width  # elements of a row of queries
    k = shape.kv_heads * shape.head_width  # elements of a row of keys, or of values
    mask = batch * queries * context if padded and not lean else 0  # a byte a pair; the lean head's has one a position
    repeated = 2 * (q - k) * batch * context * size if padded and q != k else 0  # with a mask, K and V are repeated
    rotate = size * (q + 2 * k) + wide * max(3 * q, q + 3 * k)
    rotated = wide * (q + k) + (size * (q + k) if wide != size else 0) + size * k
    attend = rows * (rotated + size * q) + mask * size + repeated
    if workload.attention == "math":
        attend = rows * rotated + written_out(workload, shape, batch, queries, context)
    deep = shape.feed_forward
    feed_forward = max(3 * size * deep, size * deep + quantising(workload, deep))
    feed_forward += size * shape.width  # a layer's input is alive beside its residual
    inside = max(rows * rotate, attend, rows * feed_forward + unpacked(workload, shape.width * deep))
    return (2 if lean else 3) * rows * shape.width * size + mask + inside


def written_out(workload: Workload, shape: Shape, batch: int, queries: int, context: int) -> int:
    """Bytes of attention by plain products: scores and their softmax in float32 for every head and pair of positions.

    There are also the scaled queries, float32 copies of a narrower dtype, and K and V repeated for heads that share
    them.
    """
    pairs = 2 * SINGLE * batch * shape.heads * queries * context
    row = SINGLE * shape.head_width * batch
    narrow = BYTES[workload.dtype] < SINGLE
    shared = shape.heads != shape.kv_heads
    copies = queries * shape.heads * (2 if narrow else 1)
    copies += 2 * context * shape.heads if narrow or shared else 0
    copies += 2 * context * shape.kv_heads if narrow and shared else 0
    return pairs + row * copies


def fixed_trunk(workload: Workload, shape: Shape, batch: int, queries: int, context: int) -> int:
    """Bytes of activations at the fullest moment of a layer of the captured engine (bench/models/layers.py).

    It has one matrix for Q, K and V, one for gate and up, and a feed-forward part that takes some rows at a time. A
    model with a cache keeps K and V of a layer, and of the layer before, until they are in the cache.

    A GPU runs the compiled layer. Elsewhere the products of the rotation are in memory as well, and during the
    feed-forward part the inputs and outputs of attention, and the gate's activation.
    """
    size = BYTES[workload.dtype]
    rows = batch * queries
    compiled = workload.device == "cuda"
    has_cache = kind_of(workload).has_cache
    wide = SINGLE if kind_of(workload).rotates_in_float32 else size
    width = shape.width
    deep = shape.feed_forward
    q = shape.heads * shape.head_width  # elements of a row of queries
    k = shape.kv_heads * shape.head_width  # elements of a row of keys, or of values
    projected = q + 2 * k
    part = min(rows, FEED_FORWARD_ROWS)
    kept = (projected + k if has_cache or not compiled else 0) + (0 if compiled else 2 * q)
    rotate = size * rows * (width + projected) + rows * max(wide * 3 * q, size * q + wide * 3 * k)
    attend = size * rows * (width + projected + k + 2 * q)
    if workload.attention == "math":
        attend += written_out(workload, shape, batch, queries, context) - size * rows * q
    beside = 0 if compiled else width + max(deep, quantising(workload, deep) // size)
    inner = part * (3 * deep + beside) + (rows - part) * width
    joining = 2 * rows * width if rows > part else 0
    feed = size * (rows * (2 * width + kept) + max(inner, joining)) + unpacked(workload, 2 * width * deep)
    before = size * rows * (projected + k) if has_cache else 0  # K and V of the layer before
    return before + max(0 if compiled else rotate, attend, feed)


def unpacked(workload: Workload, elements: int) -> int:
    """Bytes of an int8 matrix that is written out while it is multiplied; 0 for other dtypes."""
    return elements * BYTES[workload.dtype] if workload.dtype == "int8" else 0


def quantising(workload: Workload, elements: int) -> int:
    """Bytes alive while torchao turns activations into float8, the activations themselves left out: a float32 copy, the
    same scaled, the same within float8's range, and the eight bits. 0 for other dtypes."""
    return elements * (3 * SINGLE + 1) if workload.dtype == "float8" else 0


def weights_bytes(workload: Workload, shape: Shape) -> int:
    """Bytes of all parameters. A head of eight bits is no longer tied to the embedding."""
    if workload.dtype not in EIGHT_BITS:
        return shape.parameters * BYTES[workload.dtype]
    others = shape.width * (2 * shape.layers + 1 + shape.vocabulary)  # norms and embedding
    others += shape.layers * shape.layer_biases
    return matrices_bytes(shape, workload.dtype) + others * BYTES[workload.dtype]
