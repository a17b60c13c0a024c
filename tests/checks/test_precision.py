"""Logits of both engines against those of the same weights in float32."""

import pytest
import torch

from bench import verify
from bench.checks import precision
from bench.common.dtypes import EIGHT_BITS
from bench.common.errors import BadInput
from bench.models import weights
from bench.spec.pair import read_pair

PAIR = read_pair("pocket")


@pytest.fixture(scope="module", params=["llama", "llada"])
def model(request):
    described = PAIR.models[request.param].describe()
    return described, weights.load(described, "cpu", torch.bfloat16)


def test_bfloat16_is_off_by_a_rounding_and_both_engines_alike(model):
    """Eight bits of mantissa leave some tenths of a percent after nine layers, and neither engine adds to it."""
    described, loaded = model
    finding = precision.finding(described, loaded, batch=2)
    assert finding.met, finding.line
    assert "batch 2: captured 0.0" in finding.text
    assert not finding.text.startswith("batch 2: captured 0.0000")


@pytest.mark.parametrize("dtype", EIGHT_BITS)
@pytest.mark.parametrize("kind", ["llama", "llada"])
def test_eight_bits_are_off_by_more_and_both_engines_alike(kind, dtype):
    pytest.importorskip("torchao")
    described = PAIR.models[kind].describe()
    errors = [
        precision.finding(described, weights.load(described, "cpu", torch.bfloat16), 1, name) for name in ("", dtype)
    ]
    assert all(error.met for error in errors), errors
    coarse, fine = (float(error.text.split()[3]) for error in reversed(errors))
    assert coarse > fine


def test_float32_logits_are_those_of_a_float32_model(model):
    """Layer by layer gives what the whole model gives."""
    described, loaded = model
    ids = precision.random_ids(loaded, 2, mask_id=3)
    with torch.no_grad():
        expected = weights.load(described, "cpu", torch.float32)(ids, use_cache=False).logits
        torch.testing.assert_close(precision.float32_logits(loaded, ids), expected, rtol=1e-4, atol=1e-4)


def test_a_coarser_engine_misses_the_target(model, monkeypatch):
    """An engine whose logits are as far off as those of six bits fails."""
    described, loaded = model
    right = precision.canvas_logits if described.about_kind.has_steps else precision.decoded_logits

    def coarse(loaded, ids):
        own, replayed = right(loaded, ids)
        return own, replayed * (1 + 0.05 * torch.sign(torch.sin(torch.arange(replayed.shape[-1]))))

    monkeypatch.setattr(precision, right.__name__, coarse)
    assert precision.finding(described, loaded, batch=1).met is False


def test_a_machine_without_the_memory_is_told_so_before_anything_loads(monkeypatch):
    pair = read_pair("8b-shapes")
    monkeypatch.setattr(verify.os, "sysconf", lambda name: 4096 if name == "SC_PAGE_SIZE" else 4 << 18)
    with pytest.raises(BadInput, match=r"pair 8b-shapes: .* take about 21 GiB, and this machine has 4; run this where"):
        verify.check_memory(pair)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("kind", ["llama", "llada"])
def test_cuda_8b_shapes_are_no_further_from_float32_than_transformers(kind):
    pair = read_pair("8b-shapes")
    described = pair.models[kind].describe()
    loaded = weights.load(described, "cuda", torch.bfloat16)
    for batch in precision.BATCHES:
        finding = precision.finding(described, loaded, batch)
        assert finding.met, finding.line


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("dtype", EIGHT_BITS)
@pytest.mark.parametrize("batch", precision.BATCHES)
@pytest.mark.parametrize("kind", ["llama", "llada"])
def test_cuda_8b_shapes_in_eight_bits_are_no_further_from_float32_than_torchaos_products(kind, batch, dtype):
    pytest.importorskip("torchao")
    described = read_pair("8b-shapes").models[kind].describe()
    finding = precision.finding(described, weights.load(described, "cuda", torch.bfloat16), batch, dtype)
    assert finding.met, finding.line
