"""Weights in eight bits: as many bytes as the cost model says, answers near the float ones, refused where torchao is
missing."""

import importlib.util

import pytest
import torch

from bench.adapters import registry
from bench.adapters.base import left_pad
from bench.common.dtypes import EIGHT_BITS
from bench.common.errors import BadInput
from bench.cost import peak_memory
from bench.models import checkpoint, eight_bits
from bench.spec import expand, grid, pair
from tests.conftest import make_cell

needs_torchao = pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="torchao is not installed")
CELLS = [
    make_cell("llama", stop="length"),
    make_cell("llada"),
    make_cell("llada", head="lean"),
    make_cell("llada", head="lean", cache="dual", refresh="block"),
    make_cell("llada", head="lean", cache="interval", prompt_every=50, response_every=7, ratio=0.25),
]
# Standard deviation of how far logits are from those of bfloat16, over their own. e4m3 has three bits of mantissa, so a
# number is off by 2 % at the median and 6 % at most, and here both factors of a product are.
MOST_APART = {"int8": 0.05, "float8": 0.25}


@needs_torchao
@pytest.mark.parametrize("dtype", EIGHT_BITS)
@pytest.mark.parametrize("engine", ["eager", "captured"])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.label} {cell.cache or ''}")
def test_both_engines_run_on_as_many_bytes_as_the_model_says(cell, engine, dtype, device):
    adapter = registry.create(cell.model)
    cell = make_cell(**(cell.settings() | {"engine": engine, "device": device, "dtype": dtype}))
    adapter.load(cell)
    prompts = [[7, 8, 9] * 4]
    adapter.prepare([prompts])
    output = adapter.generate(prompts, lambda kind: None)
    assert output.sequences.shape == (1, cell.gen_length)
    assert adapter.weights_bytes() == peak_memory.weights_bytes(cell, checkpoint.read(cell.weights).shape)


@needs_torchao
@pytest.mark.parametrize("dtype", EIGHT_BITS)
@pytest.mark.parametrize("model", ["llama", "llada"])
def test_logits_stay_near_those_of_float_weights(model, dtype):
    ids = torch.arange(5, 45)[None]
    logits = {}  # by dtype
    for name in ("bfloat16", dtype):
        adapter = registry.create(model)
        adapter.load(make_cell(model, dtype=name))
        with torch.no_grad():
            logits[name] = adapter.model(ids, use_cache=False).logits.float()
    apart = (logits[dtype] - logits["bfloat16"]).std() / logits["bfloat16"].std()
    assert 0 < apart < MOST_APART[dtype]


@needs_torchao
@pytest.mark.parametrize("dtype", EIGHT_BITS)
@pytest.mark.parametrize("model", ["llama", "llada"])
def test_padding_leaves_a_row_what_it_says(model, dtype):
    """A padding row of LLaMA sees nothing, so its attention is zeros, which have no largest number.

    Sums in another order round otherwise, and float8 makes more of that, so what is said is near and not the same.
    """
    adapter = registry.create(model)
    adapter.load(make_cell(model, dtype=dtype))
    short = list(range(50, 60))
    ids, mask = left_pad([list(range(5, 45)), short], 1, "cpu")
    with torch.no_grad():
        padded = adapter.model(ids, attention_mask=mask, use_cache=False).logits[1, -len(short) :].float()
        alone = adapter.model(torch.tensor([short]), use_cache=False).logits[0].float()
    assert (padded - alone).std() / alone.std() < MOST_APART[dtype]


@needs_torchao
@pytest.mark.parametrize("dtype", EIGHT_BITS)
def test_dtype_is_an_axis_of_a_grid(dtype):
    spans = [grid.read_grid("sweep", {"dtype": ["bfloat16", dtype], "steps": 8, "prompts": 2})]
    cells, _ = expand.resolve(spans, ["sweep"], pair.read_pair("pocket"), "cpu", None)
    assert [cell.dtype for cell in cells] == ["bfloat16", dtype]
    assert [cell.float_dtype for cell in cells] == ["bfloat16", "bfloat16"]
    assert cells[1].product_dtype == {"int8": "bfloat16", "float8": "float8"}[dtype]


@pytest.mark.parametrize("dtype", EIGHT_BITS)
def test_eight_bits_are_refused_when_the_grid_is_read_where_torchao_is_missing(monkeypatch, dtype):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    spans = [grid.read_grid("sweep", {"dtype": dtype, "steps": 8, "prompts": 2})]
    with pytest.raises(BadInput, match=f"{dtype} needs torchao"):
        expand.resolve(spans, ["sweep"], pair.read_pair("pocket"), "cpu", None)


@pytest.mark.parametrize("dtype", ["int4", "float64", "", ["bfloat16", "nonsense"]])
def test_an_unknown_dtype_is_refused_by_name(dtype):
    with pytest.raises(BadInput, match="dtype"):
        grid.read_grid("sweep", {"dtype": dtype})


@needs_torchao
@pytest.mark.parametrize("dtype", EIGHT_BITS)
def test_making_eight_bits_leaves_the_rest_of_the_process_as_it_is(dtype):
    """torchao would else turn on a search of inductor's, and let products of float32 be less exact."""
    from torch._inductor import config

    def settings() -> tuple:
        return config.coordinate_descent_tuning, config.force_fuse_int_mm_with_mul, torch.get_float32_matmul_precision()

    before = settings()
    eight_bits.quantised(torch.randn(64, 64, dtype=torch.bfloat16), dtype)
    assert settings() == before
