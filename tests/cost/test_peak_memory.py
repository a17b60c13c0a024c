"""Peak memory in closed form against what tensors hold while the adapters run, and against an H100."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import DynamicCache

from bench.adapters import registry
from bench.adapters.base import attention_kernel
from bench.adapters.captured import Decoder, Decoding, StaticBody
from bench.adapters.llada import LladaBody
from bench.common.dtypes import EIGHT_BITS
from bench.cost import peak_memory
from bench.cost.workload import Workload
from bench.diffusion import head
from bench.diffusion.denoising import Canvas
from bench.diffusion.plans import Turn
from bench.diffusion.samplers import gumbel_scores
from bench.models import checkpoint
from bench.models import layers as models_layers
from bench.spec import decoder_rules
from tests.conftest import REPO, make_cell
from tests.support.accounting import Accounting

SHAPES = REPO / "configs/shapes"
ILLADA = str(SHAPES / "illada-8b")  # a tied head, and fewer heads of keys and values


def shape_of(cell):
    return checkpoint.read(cell.weights, cell.random_seed).shape


def counted(adapter, call) -> int:
    """Peak bytes of weights, buffers and whatever a call allocates."""
    models_layers.weights_of(adapter.model)  # a warm-up joins matrices; that is no part of a timed call
    accounting = Accounting()
    for tensor in [*adapter.model.parameters(), *adapter.model.buffers()]:
        accounting.hold(tensor)
    with torch.inference_mode(), attention_kernel(adapter.cell), accounting:
        call()
    return accounting.peak


def big_cell(model: str, **changes):
    """A cell of the 8B shapes, in bfloat16."""
    name = {"llama": "llama-3-8b", "llada": "llada-8b"}[model]
    fields = {"weights": str(SHAPES / name), "random_seed": 0, "dtype": "bfloat16", "stop": "length"}
    return make_cell(model, **(fields | changes))


def one_step(adapter, cell, prompt_tokens: int, padded: bool) -> None:
    """A denoising step of the first block."""
    rows = cell.batch_size
    captured = cell.engine == "captured"
    body = StaticBody(adapter.model, rows, prompt_tokens + cell.gen_length) if captured else LladaBody(adapter.model)
    canvas = Canvas(body, adapter.options(), rows, prompt_tokens, padded, False, "cpu")
    canvas.begin.fill_(prompt_tokens)
    canvas.step(canvas.cache.plan(Turn(0, 0, 0)))


def decoding(adapter, cell, prompt_tokens: int, padded: bool) -> None:
    """What prefill and decoding allocate, without the values."""
    if cell.engine == "captured":
        shape = Decoding(cell.batch_size, prompt_tokens, cell.gen_length, padded, cell.temperature, (1,))
        decoder = Decoder(adapter.model, shape)
        decoder.prefill()
        decoder.decode()
        return
    cache = DynamicCache(config=adapter.model.config)
    rows = torch.zeros(cell.batch_size, prompt_tokens, dtype=torch.long)
    mask = torch.ones_like(rows) if padded else None
    for _ in range(cell.gen_length):
        logits = adapter.forward(rows, mask, cache)
        rows = gumbel_scores(logits, cell.temperature).argmax(-1)[:, None]
        mask = None if mask is None else torch.cat([mask, torch.ones_like(rows)], dim=1)


BIG = {
    "lean": (big_cell("llada", batch_size=32, gen_length=2048, block_length=32, steps=64, head="lean"), 128),
    "lean, short": (big_cell("llada", gen_length=128, block_length=32, head="lean"), 128),
    "official": (big_cell("llada", batch_size=8, gen_length=512, block_length=32, steps=16), 128),
    "official-old": (big_cell("llada", batch_size=32, gen_length=512, steps=64, head="official-old"), 128),
    "noise": (big_cell("llada", batch_size=8, gen_length=128, steps=16, temperature=1.0), 128),
    "lean, noise": (big_cell("llada", batch_size=32, gen_length=128, steps=16, temperature=1.0, head="lean"), 128),
    "guided": (big_cell("llada", batch_size=8, gen_length=128, steps=16, cfg_scale=1.0), 128),
    "lean, guided, noise": (
        big_cell("llada", batch_size=8, gen_length=64, steps=16, cfg_scale=1.0, temperature=1.0, head="lean"), 64),
    "lean, random": (big_cell("llada", batch_size=64, gen_length=32, steps=4, remasking="random", head="lean"), 8),
    "lean, float32": (big_cell("llada", batch_size=2, gen_length=128, steps=16, head="lean", dtype="float32"), 128),
    "padded": (big_cell("llada", batch_size=4, gen_length=1024, steps=128, head="lean"), 1024),
    "llama, prefill": (big_cell("llama", batch_size=32, gen_length=3), 2048),
    "llama, decode": (big_cell("llama", batch_size=64, gen_length=60), 4),
    "llama, noise": (big_cell("llama", batch_size=64, gen_length=4, temperature=1.0), 2),
    "captured": (
        big_cell("llada", batch_size=32, gen_length=512, steps=64, head="lean", engine="captured"), 128),
    "captured, in parts": (
        big_cell("llada", batch_size=32, gen_length=2048, steps=256, head="lean", engine="captured"), 128),
    "captured, short": (
        big_cell("llada", batch_size=4, gen_length=128, steps=16, head="lean", engine="captured"), 128),
    "llama, captured": (big_cell("llama", batch_size=32, gen_length=128, engine="captured"), 128),
    "math": (
        big_cell("llada", batch_size=4, gen_length=512, steps=64, head="lean", attention="math"), 512),
    "math, captured": (
        big_cell("llada", batch_size=4, gen_length=512, steps=64, attention="math", engine="captured", head="lean"),
        512),
    "llama, math": (big_cell("llama", batch_size=4, gen_length=3, attention="math"), 1024),
    "llama, math, captured": (
        big_cell("llama", batch_size=4, gen_length=3, attention="math", engine="captured"), 1024),
    "int8": (big_cell("llada", batch_size=2, gen_length=128, steps=16, dtype="int8"), 128),
    "int8, lean": (big_cell("llada", batch_size=2, gen_length=128, steps=16, dtype="int8", head="lean"), 128),
    "llama, int8": (big_cell("llama", batch_size=2, gen_length=4, dtype="int8"), 128),
    "float8": (big_cell("llada", batch_size=2, gen_length=128, steps=16, dtype="float8"), 128),
    "float8, lean": (big_cell("llada", batch_size=2, gen_length=128, steps=16, dtype="float8", head="lean"), 128),
    "float8, captured": (
        big_cell("llada", batch_size=2, gen_length=128, steps=16, dtype="float8", head="lean", engine="captured"), 128),
    "llama, float8": (big_cell("llama", batch_size=2, gen_length=4, dtype="float8"), 128),
    "dual": (
        big_cell("llada", batch_size=8, gen_length=512, steps=64, cache="dual", refresh="block", head="lean"), 128),
    "prefix, official": (
        big_cell("llada", batch_size=2, gen_length=512, steps=64, cache="prefix", refresh="block"), 512),
    "delayed": (
        big_cell("llada", batch_size=4, gen_length=512, steps=64, cache="delayed", refresh=8, head="lean"), 128),
    "interval": (
        big_cell("llada", batch_size=4, gen_length=512, steps=64, cache="interval", prompt_every=50, response_every=7,
                 ratio=0.25, head="lean"), 128),
    "entropy": (
        big_cell("llada", batch_size=32, gen_length=128, steps=16, sampler="entropy", gamma=0.1, head="lean"), 128),
    "klass": (
        big_cell("llada", batch_size=4, gen_length=512, steps=64, sampler="klass", threshold=0.9, kl_threshold=0.01,
                 head="lean"), 128),
    "llama, padded": (big_cell("llama", batch_size=4, gen_length=3), 512),
    "illada": (big_cell("llada", weights=ILLADA, batch_size=8, gen_length=512, steps=64, head="lean"), 128),
    "illada, official": (big_cell("llada", weights=ILLADA, batch_size=2, gen_length=512, steps=64), 128),
    "illada, dual": (
        big_cell("llada", weights=ILLADA, batch_size=8, gen_length=512, steps=64, cache="dual", refresh="answer",
                 head="lean"), 128),
    "illada, captured": (
        big_cell("llada", weights=ILLADA, batch_size=8, gen_length=512, steps=64, head="lean", engine="captured"), 128),
}  # fmt: skip


def with_layers(cell, layers: int, folder):
    """The cell on a model of fewer layers, each as wide as before: all but K and V, and the time to count, stays."""
    config = json.loads((Path(cell.weights) / "config.json").read_text())
    config["n_layers" if cell.model == "llada" else "num_hidden_layers"] = layers
    (folder / "config.json").write_text(json.dumps(config))
    return replace(cell, weights=str(folder))


@pytest.mark.parametrize("name", BIG)
def test_peak_of_8b_shapes_is_what_their_tensors_hold(name, tmp_path, monkeypatch):
    monkeypatch.setattr(decoder_rules, "check_cell", lambda cell, where: None)  # KLASS on weights without values
    cell, prompt_tokens = BIG[name]
    if cell.dtype in EIGHT_BITS:
        pytest.importorskip("torchao")
    if name not in ("lean", "llama, decode"):
        cell = with_layers(cell, 4, tmp_path)
    padded = "padded" in name
    with FakeTensorMode():
        adapter = registry.create(cell.model)
        adapter.load(cell)
        run = one_step if cell.model == "llada" else decoding
        counted_bytes = counted(adapter, lambda: run(adapter, cell, prompt_tokens, padded))
    expected = peak_memory.peak(cell, shape_of(cell), prompt_tokens, padded)
    beyond = counted_bytes - expected.weights  # the weights would hide any error in the rest
    assert expected.total - expected.weights == pytest.approx(beyond, rel=0.02)


POCKET = [
    make_cell("llama", gen_length=6, stop="length"),
    make_cell("llama", gen_length=40, stop="length", batch_size=8),
    make_cell("llada", steps=2),
    make_cell("llada", steps=4, batch_size=8, head="lean"),
    make_cell("llada", steps=4, batch_size=8, head="official-old", temperature=1.0),
    make_cell("llada", steps=4, batch_size=3, cfg_scale=1.0),
]


@pytest.mark.parametrize("cell", POCKET, ids=lambda cell: f"{cell.label} batch {cell.batch_size}")
def test_peak_of_whole_calls_of_the_pocket_pair(cell):
    adapter = registry.create(cell.model)
    adapter.load(cell)
    counted_bytes = counted(adapter, lambda: adapter.generate([[7] * 11] * cell.batch_size, lambda kind: None))
    assert peak_memory.peak(cell, shape_of(cell), 11).total == pytest.approx(counted_bytes, rel=0.05)


ON_H100 = [  # GiB allocated at the peak on an H100, torch 2.11: prompt 128
    (big_cell("llada", gen_length=128, steps=16, head="official-old"), 15.5),
    (big_cell("llada", gen_length=2048, steps=256, head="official-old"), 19.6),
    (big_cell("llada", gen_length=128, steps=16, batch_size=8, head="official-old"), 19.3),
    (big_cell("llada", gen_length=512, steps=64, batch_size=32, head="official-old"), 58.4),
    (big_cell("llada", gen_length=2048, steps=256, batch_size=32, head="lean"), 21.9),
    (big_cell("llama", gen_length=128, batch_size=32), 16.03),
    (big_cell("llama", gen_length=512, batch_size=32), 17.5),
]


@pytest.mark.parametrize(("cell", "measured"), ON_H100, ids=lambda value: getattr(value, "label", str(value)))
def test_peak_is_within_five_percent_of_what_a_card_measured(cell, measured):
    assert peak_memory.peak(cell, shape_of(cell), 128).total_gib == pytest.approx(measured, rel=0.05)


def test_rows_at_a_time_are_those_of_the_code():
    assert peak_memory.HEAD_ROWS == head.HEAD_ROWS
    assert peak_memory.FEED_FORWARD_ROWS == models_layers.FEED_FORWARD_ROWS


def test_a_workload_has_the_peak_of_its_cell():
    for cell, prompt_tokens in BIG.values():
        peaks = [peak_memory.peak(call, shape_of(cell), prompt_tokens) for call in (cell, Workload.of(cell))]
        assert peaks[0] == peaks[1]


def test_the_split_says_what_fills_the_card():
    old, _ = BIG["official-old"]
    peak = peak_memory.peak(old, shape_of(old), 128)
    assert peak.logits == 32 * 640 * 126_464 * (2 + 8 + 8)  # bfloat16, its float64 copy, the softmax
    assert peak.kv_cache == 0
    llama = big_cell("llama", gen_length=129, batch_size=2)
    assert peak_memory.peak(llama, shape_of(llama), 1).kv_cache == 2 * 32 * 129 * 2 * (8 * 128 * 2)
