"""int8 weights: as many bytes as the cost model says, answers near the float ones, refused where torchao is missing."""

import importlib.util

import pytest
import torch

from bench.adapters import registry
from bench.common.errors import BadInput
from bench.cost import peak_memory
from bench.models import checkpoint
from bench.spec import expand, grid, pair
from tests.conftest import make_cell

needs_torchao = pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="torchao is not installed")
CELLS = [
    make_cell("llama", stop="length", dtype="int8"),
    make_cell("llada", dtype="int8"),
    make_cell("llada", dtype="int8", head="lean"),
]


@needs_torchao
@pytest.mark.parametrize("engine", ["eager", "captured"])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.label)
def test_both_engines_run_on_as_many_bytes_as_the_model_says(cell, engine, device):
    adapter = registry.create(cell.model)
    adapter.load(make_cell(**(cell.settings() | {"engine": engine, "device": device})))
    prompts = [[7, 8, 9] * 4]
    adapter.prepare([prompts])
    output = adapter.generate(prompts, lambda kind: None)
    assert output.sequences.shape == (1, cell.gen_length)
    assert adapter.weights_bytes() == peak_memory.weights_bytes(cell, checkpoint.read(cell.weights).shape)


@needs_torchao
@pytest.mark.parametrize("model", ["llama", "llada"])
def test_logits_stay_near_those_of_float_weights(model):
    ids = torch.arange(5, 45)[None]
    logits = {}  # by dtype
    for dtype in ("bfloat16", "int8"):
        adapter = registry.create(model)
        adapter.load(make_cell(model, dtype=dtype))
        with torch.no_grad():
            logits[dtype] = adapter.model(ids, use_cache=False).logits.float()
    apart = (logits["int8"] - logits["bfloat16"]).std() / logits["bfloat16"].std()
    assert 0 < apart < 0.05  # quantised, and hardly to be told apart


@needs_torchao
def test_dtype_is_an_axis_of_a_grid():
    spans = [grid.read_grid("sweep", {"dtype": ["bfloat16", "int8"], "steps": 8, "prompts": 2})]
    cells, _ = expand.resolve(spans, ["sweep"], pair.read_pair("pocket"), "cpu", None)
    assert [cell.dtype for cell in cells] == ["bfloat16", "int8"]
    assert [cell.float_dtype for cell in cells] == ["bfloat16", "bfloat16"]


def test_int8_is_refused_when_the_grid_is_read_where_torchao_is_missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    spans = [grid.read_grid("sweep", {"dtype": "int8", "steps": 8, "prompts": 2})]
    with pytest.raises(BadInput, match="int8 needs torchao"):
        expand.resolve(spans, ["sweep"], pair.read_pair("pocket"), "cpu", None)


@pytest.mark.parametrize("dtype", ["int4", "float64", "", ["bfloat16", "nonsense"]])
def test_an_unknown_dtype_is_refused_by_name(dtype):
    with pytest.raises(BadInput, match="dtype"):
        grid.read_grid("sweep", {"dtype": dtype})
