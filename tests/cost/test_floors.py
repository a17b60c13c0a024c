"""The cost model against torch's own count, and by hand."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from bench.adapters import registry
from bench.cost import decoders, floors
from bench.cost.decoders import Counted
from bench.models import checkpoint, layers, weights
from bench.models.shape import Shape
from tests.conftest import GOLDEN, REPO, make_cell

SMALL = Shape(layers=2, width=8, heads=2, kv_heads=1, head_width=4, feed_forward=16, vocabulary=10, tied=False)


def counted(cell, prompts: list[list[int]]) -> int:
    """FLOPs of a call as torch counts them while it runs."""
    adapter = registry.create(cell.model)
    adapter.load(cell)
    adapter.prepare([prompts])
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # the fused kernel is not counted
        adapter.generate(prompts, lambda kind: None)
    return counter.get_total_flops()


CELLS = [
    make_cell("llama", gen_length=6, stop="length"),
    make_cell("llama", gen_length=5, stop="length", batch_size=3),
    make_cell("llada", gen_length=16, steps=4),
    make_cell("llada", gen_length=16, steps=2, batch_size=3),
    make_cell("llada", gen_length=16, steps=4, head="lean"),
    make_cell("llada", gen_length=16, steps=4, cfg_scale=1.0, batch_size=2),
    make_cell("llada", gen_length=16, steps=4, cfg_scale=1.0, head="lean"),
    make_cell("llama", gen_length=6, stop="length", engine="captured"),
    make_cell("llama", gen_length=2, stop="length", engine="captured", batch_size=3),
    make_cell("llada", gen_length=16, steps=4, engine="captured"),
    make_cell("llada", gen_length=16, steps=4, engine="captured", head="lean"),
    make_cell("llada", gen_length=16, steps=8, cache="prefix", refresh="block", head="lean"),
    make_cell("llada", gen_length=16, steps=8, cache="prefix", refresh="never", batch_size=2),
    make_cell("llada", gen_length=16, steps=8, cache="dual", refresh="block", head="lean", batch_size=3),
    make_cell("llada", gen_length=16, steps=8, cache="dual", refresh="answer"),
    make_cell("llada", gen_length=16, steps=16, cache="delayed", refresh=4, head="lean", batch_size=2),
    make_cell(
        "llada", gen_length=16, steps=16, cache="interval", prompt_every=6, response_every=4, ratio=0.25, batch_size=2
    ),
    make_cell(
        "llada", gen_length=16, steps=16, cache="interval", prompt_every=3, response_every=5, ratio=0.0, head="lean"
    ),
    make_cell("llada", gen_length=16, steps=6, sampler="imposed", tokens_per_step=3, cache="dual", refresh=2),
]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.label} batch {cell.batch_size} {cell.cfg_scale or ''}")
def test_flops_are_those_that_torch_counts(cell, monkeypatch):
    monkeypatch.setattr(layers, "pack", lambda matrix, rows: matrix)  # the counter does not know packed products
    shape = checkpoint.read(cell.weights).shape
    expected = floors.call(cell, shape, prompt_tokens=11)
    assert expected.flops == pytest.approx(counted(cell, [[7] * 11] * cell.batch_size), rel=0.01)


def test_positions_are_those_that_the_adapters_report():
    for cell in CELLS:
        adapter = registry.create(cell.model)
        adapter.load(cell)
        adapter.prepare([[[7] * 11] * cell.batch_size])
        shape = checkpoint.read(cell.weights).shape
        output = adapter.generate([[7] * 11] * cell.batch_size, lambda kind: None)
        assert output.positions == round(floors.call(cell, shape, 11).positions)


@pytest.mark.parametrize("changes", [
    {"sampler": "threshold", "threshold": 0.5},
    {"sampler": "threshold", "threshold": 0.5, "cache": "dual", "refresh": "block", "head": "lean"},
    {"sampler": "klass", "threshold": 0.5, "kl_threshold": 0.1, "cache": "prefix", "refresh": "block", "head": "lean"},
    {"sampler": "entropy", "gamma": 1.0, "cache": "interval", "prompt_every": 4, "response_every": 2, "ratio": 0.25},
], ids=str)  # fmt: skip
def test_flops_of_forwards_that_were_counted_are_those_that_torch_counts(changes):
    """Where a sampler does not know its steps, the model is given what was run."""
    cell = make_cell("llada", gen_length=16, steps=16, batch_size=2, **changes)
    adapter = registry.create("llada")
    adapter.load(cell)
    output = adapter.generate([[7] * 11, [9] * 11], lambda kind: None)
    made = Counted(output.nfe_full, output.nfe - output.nfe_full, output.positions / 2)
    costs = list(decoders.costs(cell, checkpoint.read(cell.weights).shape, 11, made))
    assert len(costs) == output.nfe
    assert sum(cost.flops for cost in costs) == pytest.approx(counted(cell, [[7] * 11, [9] * 11]), rel=0.01)
    assert round(sum(cost.positions for cost in costs)) == output.positions


def test_one_forward_by_hand():
    # a layer: q and o 8 x 8 each, k and v 8 x 4 each, feed-forward 3 x 8 x 16: 576 parameters, twice
    # three sequences, two new rows after three: linear 2 x 6 x 1152, attention 4 x 2 layers x 8 x 3 x 2 x 5,
    # head 2 x 3 x 80
    cost = floors.forward(SMALL, "bfloat16", batch=3, queries=2, context=5, head_rows=3, cached=True)
    assert cost.flops == 2 * 6 * 1152 + 4 * 2 * 8 * 3 * 2 * 5 + 2 * 3 * 80
    # weights 1152 + 80; K and V: 2 x 2 layers x 4 x 15 rows; logits 30; two bytes each
    assert cost.moved_bytes == 2 * (1152 + 80 + 2 * 2 * 4 * 15 + 30)
    assert cost.positions == 6


@pytest.mark.parametrize("folder", [REPO / "bench/pocket/llama", REPO / "bench/pocket/llada", GOLDEN / "tiny-llada"])
def test_parameters_are_those_of_the_model(folder):
    described = checkpoint.read(folder)
    model = weights.load(described, "cpu", torch.float32)
    assert described.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_the_8b_shapes_have_their_published_sizes():
    sizes = {"llama-3-8b": 8_030_261_248, "llada-8b": 8_015_581_184}
    for name, size in sizes.items():
        assert checkpoint.read(REPO / "configs/shapes" / name, 0).parameters == size


def test_llada_pays_for_its_prompt_at_each_step_and_llama_once():
    shape = checkpoint.read(REPO / "configs/shapes/llada-8b", 0).shape
    llada, llama = make_cell("llada", gen_length=128, steps=64, block_length=32), make_cell("llama", gen_length=128)
    longer = [floors.call(cell, shape, 512).flops - floors.call(cell, shape, 64).flops for cell in (llada, llama)]
    assert longer[0] > 60 * longer[1]
