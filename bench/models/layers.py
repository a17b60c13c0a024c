"""The block that both models are made of, as functions on tensors of fixed shapes, over transformers' weights.

The captured engine replays these; the eager one runs transformers' own modules, and of these only `layer_on_rows` and,
where LLaDA has a cache, `layer_over_cache`.
What is multiplied with the same rows is multiplied at once: Q, K and V are one matrix, gate and up another.

Shapes: hidden [batch, length, width]; queries [batch, heads, length, head_width]; cos and sin [batch or 1, 1, length,
head_width]; masks bool, True where a query may look, broadcast over [batch, heads, queries, keys].
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import LlamaForCausalLM

from bench.diffusion.places import put, taken
from bench.models.shape import FEED_FORWARD_ROWS

if torch.cuda.is_available():  # its compiler comes with torch for GPUs alone
    from bench.models import few_rows, one_query
else:
    few_rows = one_query = None


# What the largest number of a row of activations counts as at least when the row is turned into float8: a row of zeros,
# as padding has that sees nothing, would be divided by zero.
LEAST_OF_A_ROW = 1e-12


class Dims(NamedTuple):
    """What a layer's functions need to know besides its weights."""

    heads: int
    kv_heads: int
    head_width: int
    eps: float  # of the norms


class Layer(NamedTuple):
    """Weights of a layer, each matrix [out, in]."""

    norm: Tensor
    qkv: Tensor
    q: Tensor  # parts of qkv, for rows that do not ask
    kv: Tensor
    v: Tensor  # for rows of which only V is asked
    out: Tensor
    mlp_norm: Tensor
    gate_up: Tensor
    down: Tensor


@dataclass(frozen=True)
class Weights:
    """Weights of a model; no copies, the model's own."""

    dims: Dims
    embedding: Tensor
    layers: tuple[Layer, ...]
    norm: Tensor
    head: Tensor

    def embed(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.embedding)

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits [..., vocabulary] of what the last layer gave."""
        return linear(rms_norm(hidden, self.norm, self.dims.eps), self.head)


def weights_of(model: LlamaForCausalLM) -> Weights:
    """The model's weights as the functions here take them, made once and kept with the model. Joins matrices in place:
    the model then reads parts of the joined ones, so nothing is held twice."""
    if hasattr(model, "block_weights"):
        return model.block_weights
    config, layers = model.config, []
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        layers.append(
            Layer(
                layer.input_layernorm.weight,
                qkv := joined(attention.q_proj, attention.k_proj, attention.v_proj),
                qkv[: attention.q_proj.out_features],
                qkv[attention.q_proj.out_features :],
                qkv[-attention.v_proj.out_features :],
                attention.o_proj.weight,
                layer.post_attention_layernorm.weight,
                joined(mlp.gate_proj, mlp.up_proj),
                mlp.down_proj.weight,
            )
        )
    if model.device.type == "cuda":
        torch.cuda.empty_cache()  # what the parts took before
    head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    dims = Dims(config.num_attention_heads, config.num_key_value_heads, head_width, config.rms_norm_eps)
    embedding, norm = model.model.embed_tokens.weight, model.model.norm.weight
    model.block_weights = Weights(dims, embedding, tuple(layers), norm, model.lm_head.weight)
    return model.block_weights


def packed(weights: Weights, rows: int) -> Weights:
    """The weights in oneDNN's own layout, best for so many rows; as they are where there is no oneDNN for them.

    What F.linear uses for float32 (MKL) takes 2.4 times as long on an AMD processor (100 against 245 GFLOP/s on one
    core of an EPYC). A second copy of the weights, so only for the CPU, whose models are small.
    """
    layers = [Layer(*(pack(part, rows) if part.ndim > 1 else part for part in layer)) for layer in weights.layers]
    return replace(weights, layers=tuple(layers), head=pack(weights.head, rows))


def pack(matrix: Tensor, rows: int) -> Tensor:
    """A matrix [out, in] as `linear` multiplies it fastest with so many rows."""
    if matrix.device.type != "cpu" or matrix.dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return matrix
    return torch.ops.mkldnn._reorder_linear_weight(matrix.contiguous(), rows)


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """x [..., in] by a matrix [out, in], which may be packed."""
    if weight.is_mkldnn:
        return torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
    if few_rows and few_rows.applies(x, weight):
        return few_rows.linear(x, weight)
    if few_rows and few_rows.is_int8(weight):
        weight = few_rows.written_out(weight.qdata, weight.scale.to(x.dtype))
    return F.linear(x, weight)


def joined(*parts: torch.nn.Linear) -> Tensor:
    """One matrix [sum of outs, in] that the parts' weights are views of."""
    first, sizes = parts[0].weight, [part.out_features for part in parts]
    memory = first.untyped_storage()
    shape = (sum(sizes), parts[0].in_features)
    if memory.nbytes() == shape[0] * shape[1] * first.element_size():  # joined before
        return first.as_strided(shape, (shape[1], 1), 0)
    whole = torch.cat([part.weight for part in parts])
    for part, weight in zip(parts, whole.split(sizes), strict=True):
        part.weight = torch.nn.Parameter(weight, requires_grad=False)
    return whole


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Normalised in float32, cast back, then weighted: the order of both models."""
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(x.dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions (Su et al., arXiv 2104.09864), in the dtype of cos and sin if that is wider. Shape kept."""
    first, second = x.chunk(2, -1)
    return (x * cos + torch.cat((-second, first), -1) * sin).to(x.dtype)


def rope_table(model: LlamaForCausalLM, length: int) -> tuple[Tensor, Tensor]:
    """cos and sin [length, head_width] of positions 0 to length - 1, in the dtype in which the model rotates."""
    probe = torch.empty(0, dtype=model.dtype, device=model.device)
    cos, sin = model.model.rotary_emb(probe, torch.arange(length, device=model.device)[None])
    return cos[0], sin[0]


def heads_of(x: Tensor, dims: Dims) -> Tensor:
    """[batch, length, heads x head_width] as [batch, heads, length, head_width]."""
    return x.unflatten(-1, (-1, dims.head_width)).transpose(1, 2)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """Attention's output with the heads side by side again [batch, queries, heads x head_width]."""
    shared = q.shape[1] != k.shape[1]
    attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=shared)
    return attended.transpose(1, 2).flatten(2)  # from [batch, heads, queries, head_width]


def after_attention(hidden: Tensor, attended: Tensor, layer: Layer, dims: Dims) -> Tensor:
    """The rest of a layer: attention's output is projected and added, then the feed-forward part. hidden's shape."""
    hidden = hidden + linear(attended, layer.out)
    parts = hidden.flatten(0, 1).split(FEED_FORWARD_ROWS)
    outputs = [part + feed_forward(rms_norm(part, layer.mlp_norm, dims.eps), layer) for part in parts]
    return (outputs[0] if len(outputs) == 1 else torch.cat(outputs)).view_as(hidden)


def feed_forward(normed: Tensor, layer: Layer) -> Tensor:
    """The gated feed-forward part (SwiGLU, Shazeer, arXiv 2002.05202). Shape kept."""
    if few_rows and few_rows.applies(normed, layer.gate_up, is_gated=True):
        return linear(few_rows.gated(normed, layer.gate_up), layer.down)
    gate, up = linear(normed, layer.gate_up).chunk(2, -1)
    return linear(F.silu(gate) * up, layer.down)


def project(hidden: Tensor, layer: Layer, dims: Dims, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Q, K and V [batch, heads, length, head_width] of every row, positions applied."""
    return project_normed(rms_norm(hidden, layer.norm, dims.eps), layer, dims, cos, sin)


def project_normed(normed: Tensor, layer: Layer, dims: Dims, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same of rows whose norm was taken."""
    sizes = [dims.heads * dims.head_width, *[dims.kv_heads * dims.head_width] * 2]
    q, k, v = linear(normed, layer.qkv).split(sizes, -1)
    return rotate(heads_of(q, dims), cos, sin), rotate(heads_of(k, dims), cos, sin), heads_of(v, dims)


def full_layer(
    hidden: Tensor, layer: Layer, dims: Dims, cos: Tensor, sin: Tensor, mask: Tensor | None, causal: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """A layer on every row. Returns its output, and K and V for a cache."""
    q, k, v = project(hidden, layer, dims, cos, sin)
    return after_attention(hidden, attend(q, k, v, mask, causal), layer, dims), k, v


def denoise_layer(hidden: Tensor, layer: Layer, dims: Dims, cos: Tensor, sin: Tensor, mask: Tensor | None) -> Tensor:
    """A layer on every row, each of which may look at all; nothing is kept for later."""
    return full_layer(hidden, layer, dims, cos, sin, mask, causal=False)[0]


def layer_on_rows(
    hidden: Tensor, rows: Tensor, layer: Layer, dims: Dims, cos: Tensor, sin: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The last layer where only some rows (LongTensor of positions) go on to the head: all give K and V, only these
    ask, and only these meet the feed-forward. The mask may not depend on the query."""
    normed = rms_norm(hidden, layer.norm, dims.eps)
    q = linear(normed.index_select(1, rows), layer.q)
    k, v = linear(normed, layer.kv).chunk(2, -1)
    q = rotate(heads_of(q, dims), cos.index_select(2, rows), sin.index_select(2, rows))
    k, v = rotate(heads_of(k, dims), cos, sin), heads_of(v, dims)
    return after_attention(hidden.index_select(1, rows), attend(q, k, v, mask, causal=False), layer, dims), k, v


def decode_layer(
    hidden: Tensor, layer: Layer, dims: Dims, cos: Tensor, sin: Tensor, mask: Tensor, keys: Tensor, values: Tensor,
    place: Tensor,
) -> Tensor:  # fmt: skip
    """A layer on one new row a sequence [batch, 1, width]; its K and V go to `place` (LongTensor [1]) of the caches
    [batch, kv_heads, capacity, head_width], of which later positions are masked. Queries that share a K and V are rows
    of one product: nothing is repeated."""
    q, k, v = project(hidden, layer, dims, cos, sin)
    keys.index_copy_(2, place, k)
    values.index_copy_(2, place, v)
    if one_query and one_query.applies(q, keys):
        return after_attention(hidden, one_query.attend(q, keys, values, mask, place), layer, dims)
    q = q.view(len(hidden), dims.kv_heads, -1, dims.head_width)
    scores = (q @ keys.transpose(-1, -2)).float() * dims.head_width**-0.5
    weights = scores.masked_fill(~mask, -torch.inf).softmax(-1).to(values.dtype)
    return after_attention(hidden, (weights @ values).view(len(hidden), 1, -1), layer, dims)


def layer_over_cache(
    hidden: Tensor, layer: Layer, dims: Dims, cos: Tensor, sin: Tensor, mask: Tensor | None, keys: Tensor,
    values: Tensor, place: Tensor | None, asking: Tensor | None = None, writing: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """A layer on some positions of each sequence, which look at the K and V of all, their own among them.

    K and V go to their `place` (LongTensor [length] or [batch, length]; None: everywhere) of keys and values [batch,
    kv_heads, canvas, head_width], in rows where `writing` (bool [batch, 1, 1, 1]) is set. Only the rows `asking` (an
    index into hidden, in either form) ask and go on. The mask may not depend on the query.
    """
    normed = rms_norm(hidden, layer.norm, dims.eps)
    if asking is None:
        q, k, v = project_normed(normed, layer, dims, cos, sin)
    else:
        k, v = linear(normed, layer.kv).chunk(2, -1)
        k, v = rotate(heads_of(k, dims), cos, sin), heads_of(v, dims)
        q = heads_of(linear(taken(normed, asking), layer.q), dims)
        q = rotate(q, *(taken(table[:, 0].expand(len(hidden), -1, -1), asking)[:, None] for table in (cos, sin)))
        hidden = taken(hidden, asking)
    del normed  # as large as hidden, and of no use while attention needs memory
    renew(keys, k, place, writing)
    renew(values, v, place, writing)
    return after_attention(hidden, attend(q, keys, values, mask, causal=False), layer, dims)


def renew(kept: Tensor, new: Tensor, place: Tensor | None, writing: Tensor | None) -> None:
    """Write K or V of some positions over those that are kept, in some rows: see `layer_over_cache`."""
    if writing is not None:
        former = kept if place is None else kept.index_select(2, place)
        new = torch.where(writing, new, former)
    if place is None:
        kept.copy_(new)
    else:
        put(kept, place, new)
