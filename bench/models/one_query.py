"""Attention of one new row a sequence to the part of a static cache that is in use. For GPUs.

A cache of fixed size is longer than what is in it for most of an answer. Products of all of it under a mask read it
whole; this kernel reads as far as the newest position. Queries that share K and V are rows of one product. Where
sequences are few, their positions are split among programs whose sums are joined afterwards (flash-decoding: Dao,
Haziza, Massa and Sizov, 2023). torch's FlexAttention does the same: with it LLaMA's token on an H200 takes 4 to 7 %
longer at batch 32, and at batch 1 1.5 % longer or less long, by how much is in the cache (paper/recorded/engines.md).
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from bench.models.few_rows import HALF, LEAST_ROWS

BLOCK = 64  # positions that are read at a time
PROGRAMS = 264  # that are worth having: two for each of the 132 processors of an H100 or H200
LOWEST = tl.constexpr(-1e30)  # what a score counts as before there is any


@triton.jit
def _with_block(query, key, value, is_seen, scale: tl.constexpr, top, weight, total):
    """The highest score [rows], the sum of weights [rows] and that of weighted values [rows, width] of what was read
    before, with the positions of one more block."""
    scores = tl.where(is_seen[None, :], tl.dot(query, tl.trans(key)) * scale, LOWEST)
    higher = tl.maximum(top, tl.max(scores, 1))
    shares = tl.where(is_seen[None, :], tl.exp(scores - higher[:, None]), 0.0)
    lower = tl.exp(top - higher)
    total = total * lower[:, None] + tl.dot(shares.to(value.dtype), value)
    return higher, weight * lower + tl.sum(shares, 1), total


@triton.jit
def _attend(
    q, keys, values, mask, last, sums, tops, weights, per_mask, kv_heads: tl.constexpr, capacity: tl.constexpr,
    group: tl.constexpr, rows: tl.constexpr, width: tl.constexpr, block: tl.constexpr, parts: tl.constexpr,
    scale: tl.constexpr,
):  # fmt: skip
    """The queries of one K and V head of a sequence, over one part of the positions 0 to `last`. q [pairs, group,
    width]; keys and values [pairs, capacity, width]; mask [sequences or 1, capacity], `per_mask` from one sequence to
    the next. Written to sums [parts, pairs, group, width]: the mean of values if there is one part, else their sum in
    float32, to be divided by weights [parts, pairs, group] once all are raised to the largest of tops (the same)."""
    pair = tl.program_id(0)
    part = tl.program_id(1)
    pairs = tl.num_programs(0)
    row = tl.arange(0, rows)
    lane = tl.arange(0, width)
    inside = tl.arange(0, block)
    is_row = row < group
    query = tl.load(q + (pair * group + row)[:, None] * width + lane[None, :], mask=is_row[:, None], other=0.0)
    end = tl.load(last).to(tl.int32) + 1
    each = tl.cdiv(tl.cdiv(end, block), parts) * block
    stop = tl.minimum((part + 1) * each, end)
    top = tl.full((rows,), LOWEST, tl.float32)
    weight = tl.zeros((rows,), tl.float32)
    total = tl.zeros((rows, width), tl.float32)
    begin_of_pair = pair.to(tl.int64) * capacity * width
    for begin in tl.range(part * each, stop, block):
        at = begin + inside
        is_here = at < stop
        is_seen = tl.load(mask + (pair // kv_heads) * per_mask + at, mask=is_here, other=0).to(tl.int1)
        place = begin_of_pair + at[:, None] * width + lane[None, :]
        key = tl.load(keys + place, mask=is_here[:, None], other=0.0)
        value = tl.load(values + place, mask=is_here[:, None], other=0.0)
        top, weight, total = _with_block(query, key, value, is_seen, scale, top, weight, total)
    if parts == 1:
        total = total / weight[:, None]
    own = (part * pairs + pair) * group + row
    tl.store(sums + own[:, None] * width + lane[None, :], total.to(sums.dtype.element_ty), mask=is_row[:, None])
    if parts > 1:
        tl.store(tops + own, top, mask=is_row)
        tl.store(weights + own, weight, mask=is_row)


def applies(q: Tensor, keys: Tensor) -> bool:
    """Whether the kernel attends: queries and a contiguous cache in half precision on a GPU, at most 16 queries to a K
    and V head. `values` have to be like keys."""
    is_half = q.is_cuda and q.dtype == keys.dtype and q.dtype in HALF
    fits = q.shape[1] // keys.shape[1] <= LEAST_ROWS and keys.shape[-1] in (32, 64, 128)
    return is_half and fits and keys.is_contiguous()


def parts_of(pairs: int, capacity: int) -> int:
    """Into how many parts the positions are split."""
    return max(1, min(PROGRAMS // pairs, triton.cdiv(capacity, BLOCK)))


def attend(q: Tensor, keys: Tensor, values: Tensor, mask: Tensor, last: Tensor) -> Tensor:
    """Attention of q [batch, heads, 1, head_width] to positions 0 to `last` (LongTensor [1]) of keys and values [batch,
    kv_heads, capacity, head_width], where `mask` (bool [batch or 1, 1, 1, capacity], or [capacity]) allows: [batch, 1,
    heads x head_width]. To be asked only where it `applies`."""
    batch, kv_heads, capacity, width = keys.shape
    pairs, group = batch * kv_heads, q.shape[1] // kv_heads
    parts = parts_of(pairs, capacity)
    mask = mask.reshape(-1, capacity).contiguous()
    sums = torch.empty(parts, pairs, group, width, dtype=q.dtype if parts == 1 else torch.float32, device=q.device)
    tops = weights = q  # neither read nor written where there is one part
    if parts > 1:  # two tensors: of parts of one, torch.compile would make copies
        tops = torch.empty(parts, pairs, group, dtype=torch.float32, device=q.device)
        weights = torch.empty_like(tops)
    _attend[(pairs, parts)](
        q.contiguous(), keys, values, mask, last, sums, tops, weights, capacity if len(mask) > 1 else 0, kv_heads,
        capacity, group, LEAST_ROWS, width, BLOCK, parts, width**-0.5, num_warps=4,
    )  # fmt: skip
    if parts == 1:
        return sums.view(batch, 1, -1)
    raised = (tops - tops.amax(0)).exp()
    attended = (sums * raised[..., None]).sum(0) / (weights * raised).sum(0)[..., None]
    return attended.to(q.dtype).view(batch, 1, -1)
