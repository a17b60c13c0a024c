"""Attention of one new row to a cache on a GPU: what products of the whole cache under a mask give."""

import pytest
import torch

from bench.models import layers
from bench.models.layers import Dims, Layer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


def random(*shape, dtype=torch.bfloat16):
    return torch.randn(*shape, device="cuda", dtype=dtype)


def mask_of(batch, capacity, place, is_padded):
    """What each sequence may look at: up to `place`, and where it is padded from some position on, up to the last."""
    positions = torch.arange(capacity, device="cuda")
    mask = positions <= place
    if not is_padded:
        return mask
    pads = torch.linspace(0, int(place), batch, device="cuda").long()
    return (mask & (positions >= pads[:, None]))[:, None, None, :]


def under_a_mask(q, keys, values, mask):
    """In float32 [batch, 1, heads x head_width]."""
    batch, kv_heads, _, width = keys.shape
    scores = q.view(batch, kv_heads, -1, width).float() @ keys.float().transpose(-1, -2) * width**-0.5
    return (scores.masked_fill(~mask, -torch.inf).softmax(-1) @ values.float()).view(batch, 1, -1)


@pytest.mark.parametrize("is_padded", [False, True], ids=["equal", "padded"])
@pytest.mark.parametrize(
    ("batch", "heads", "kv_heads", "width", "capacity", "last", "dtype"),
    [
        (1, 32, 8, 128, 256, 191, torch.bfloat16),
        (1, 32, 8, 128, 2176, 1125, torch.bfloat16),
        (4, 32, 8, 128, 2176, 1125, torch.bfloat16),  # in parts, of which padding masks some as a whole
        (8, 32, 8, 128, 300, 0, torch.bfloat16),
        (32, 32, 8, 128, 256, 255, torch.float16),
        (40, 8, 8, 64, 130, 63, torch.bfloat16),
        (3, 28, 4, 128, 200, 150, torch.bfloat16),  # seven queries to a head
        (2, 32, 2, 32, 100, 77, torch.float16),
    ],
)
def test_cuda_one_query_gives_what_the_whole_cache_under_a_mask_gives(
    batch, heads, kv_heads, width, capacity, last, dtype, is_padded
):
    q = random(batch, heads, 1, width, dtype=dtype)
    keys, values = (
        random(batch, kv_heads, capacity, width, dtype=dtype),
        random(batch, kv_heads, capacity, width, dtype=dtype),
    )
    place = torch.tensor([last], device="cuda")
    mask = mask_of(batch, capacity, place, is_padded)
    expected = under_a_mask(q, keys, values, mask)
    keys[:, :, last + 1 :] = torch.nan  # what comes later is not read, whatever it is
    values[:, :, last + 1 :] = torch.nan
    assert layers.one_query.applies(q, keys)
    ours = layers.one_query.attend(q, keys, values, mask, place)
    assert (ours.float() - expected).norm() < 0.01 * expected.norm()


@pytest.mark.parametrize("is_padded", [False, True], ids=["equal", "padded"])
@pytest.mark.parametrize("batch", [1, 4, 32])
def test_cuda_a_compiled_layer_gives_what_a_plain_one_gives_without_the_kernel(batch, is_padded, monkeypatch):
    dims, width, capacity = Dims(32, 8, 128, 1e-5), 4096, 256
    qkv = random(48 * 128, width) / 64
    layer = Layer(
        torch.ones(width, device="cuda", dtype=torch.bfloat16), qkv, None, None, None, random(width, width) / 64,
        torch.ones(width, device="cuda", dtype=torch.bfloat16), random(8192, width) / 64, random(width, 4096) / 64,
    )  # fmt: skip
    hidden, place = random(batch, 1, width), torch.tensor([200], device="cuda")
    mask = mask_of(batch, capacity, place, is_padded)
    cos, sin = torch.ones(1, 1, 1, 128, device="cuda"), torch.zeros(1, 1, 1, 128, device="cuda")
    cache = random(2, batch, 8, capacity, 128)
    own, plain = cache.clone(), cache.clone()
    compiled = torch.compile(layers.decode_layer, dynamic=False, fullgraph=True)
    ours = compiled(hidden, layer, dims, cos, sin, mask, *own, place)
    monkeypatch.setattr(layers, "few_rows", None)
    monkeypatch.setattr(layers, "one_query", None)
    expected = layers.decode_layer(hidden, layer, dims, cos, sin, mask, *plain, place)
    assert (ours.float() - expected.float()).norm() < 0.02 * expected.float().norm()
    assert (own.float() - plain.float()).norm() < 0.01 * plain.float().norm()


def test_cuda_other_dtypes_and_caches_are_left_to_products_under_a_mask():
    q, keys = torch.zeros(1, 8, 1, 128, device="cuda"), torch.zeros(1, 2, 64, 128, device="cuda")
    assert not layers.one_query.applies(q, keys)
    half = q.bfloat16()
    assert layers.one_query.applies(half, keys.bfloat16())
    assert not layers.one_query.applies(half, keys)
    assert not layers.one_query.applies(half, keys.bfloat16().transpose(1, 2))
