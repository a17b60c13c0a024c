"""Attention of one new row to a cache on a GPU: what products of the whole cache under a mask give."""

import pytest
import torch

from bench.models import layers

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


def under_a_mask(q, keys, values, mask):
    """In float32 [batch, 1, heads x head_width]."""
    batch, kv_heads, _, width = keys.shape
    scores = q.view(batch, kv_heads, -1, width).float() @ keys.float().transpose(-1, -2) * width**-0.5
    return (scores.masked_fill(~mask, -torch.inf).softmax(-1) @ values.float()).view(batch, 1, -1)


@pytest.mark.parametrize("is_padded", [False, True], ids=["equal", "padded"])
@pytest.mark.parametrize(
    ("batch", "heads", "kv_heads", "capacity", "last"),
    [(1, 32, 8, 256, 191), (1, 32, 8, 2176, 1125), (8, 32, 8, 300, 0), (32, 32, 8, 256, 255), (40, 8, 8, 130, 63)],
)
def test_cuda_one_query_gives_what_the_whole_cache_under_a_mask_gives(
    batch, heads, kv_heads, capacity, last, is_padded
):
    q = torch.randn(batch, heads, 1, 128, device="cuda", dtype=torch.bfloat16)
    keys, values = torch.randn(2, batch, kv_heads, capacity, 128, device="cuda", dtype=torch.bfloat16)
    place = torch.tensor([last], device="cuda")
    positions = torch.arange(capacity, device="cuda")
    mask = positions <= place
    if is_padded:
        pads = torch.arange(batch, device="cuda")[:, None] * 7 % (last + 1)
        mask = (mask & (positions >= pads))[:, None, None, :]
    expected = under_a_mask(q, keys, values, mask)
    keys[:, :, last + 1 :] = torch.nan  # what comes later is not read, whatever it is
    values[:, :, last + 1 :] = torch.nan
    ours = layers.one_query.attend(q, keys, values, mask, place)
    assert (ours.float() - expected).norm() < 0.01 * expected.norm()


def test_cuda_float32_is_left_to_products_under_a_mask():
    q, keys = torch.zeros(1, 8, 1, 128, device="cuda"), torch.zeros(1, 2, 64, 128, device="cuda")
    assert not layers.one_query.applies(q, keys)
    assert layers.one_query.applies(q.bfloat16(), keys.bfloat16())
