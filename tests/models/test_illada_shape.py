"""iLLaDA-8B's form: LLaMA-3's layers, a tied head, a low mask id. Its numbers, and a tiny model of the same form."""

import json

import pytest
import torch

from bench.cost import decoders, floors, peak_memory
from bench.data import tokenizers
from bench.models import checkpoint, weights
from bench.spec.decoder_rules import Decoder
from bench.spec.pair import read_pair
from tests.adapters.test_captured import RAGGED, outputs_of_engines
from tests.adapters.test_captured_decoders import CACHED, COUNTED
from tests.conftest import REPO, make_cell

PAIR = read_pair("8b-illada-shapes")
ILLADA, LLADA, LLAMA = (
    checkpoint.read(REPO / "configs/shapes" / name, random_seed=0) for name in ("illada-8b", "llada-8b", "llama-3-8b")
)
MASK = 5


def test_it_has_the_parameters_that_its_authors_state():
    assert ILLADA.parameters == 7_615_025_152  # 7.62 B on the model card
    assert ILLADA.shape.layers * ILLADA.shape.layer_matrices == 6_979_321_856  # 6.98 B without the embedding
    with torch.device("meta"):
        built = weights.build(weights.llama_config(ILLADA), causal=False)
    assert sum(parameter.numel() for parameter in built.parameters()) == ILLADA.parameters


def test_its_layers_are_those_of_llama():
    differ = {name for name, value in vars(ILLADA.shape).items() if value != vars(LLAMA.shape)[name]}
    assert differ == {"vocabulary", "tied"}


def test_a_tied_head_is_held_once_and_read_as_a_whole():
    cell = make_cell("llada", dtype="bfloat16", gen_length=256, steps=64, block_length=32, head="lean")
    assert peak_memory.peak(cell, ILLADA.shape, 128).weights == 2 * ILLADA.parameters
    step_bytes = floors.call(cell, ILLADA.shape, 128).moved_bytes / 64
    trunk_bytes = 2 * ILLADA.shape.layers * ILLADA.shape.layer_matrices
    head_bytes = 2 * ILLADA.shape.vocabulary * ILLADA.shape.width
    assert trunk_bytes + head_bytes < step_bytes < 1.1 * (trunk_bytes + head_bytes)


@pytest.mark.parametrize("decoder", [
    {"cache": "prefix", "refresh": "block"}, {"cache": "dual", "refresh": "answer"}, {"cache": "delayed", "refresh": 8},
], ids=str)  # fmt: skip
def test_its_cache_is_a_quarter_of_that_of_llada(decoder):
    cell = make_cell("llada", dtype="bfloat16", gen_length=256, steps=64, block_length=32, batch_size=8, **decoder)
    kept = [decoders.kept_bytes(cell, about.shape, 896) for about in (ILLADA, LLADA)]
    assert 4 * kept[0] == kept[1] == 8 * 1152 * 32 * 2 * 32 * 128 * 2  # rows, canvas, layers, K and V, heads, bfloat16


def test_no_token_of_a_prompt_is_the_mask(monkeypatch):
    files = PAIR.models["llada"]
    assert files.describe().mask_id == MASK
    plain = tokenizers.encode(files.tokenizer_directory, "Tom & Jerry")
    assert MASK in tokenizers.encode(files.tokenizer_directory, "a&b")  # were ids taken as they are
    assert files.encode("Tom & Jerry") == [i + 6 for i in plain]
    every = list(range(len(tokenizers.tokenizer(files.tokenizer_directory))))
    monkeypatch.setattr(tokenizers, "encode", lambda directory, text: every)
    moved = files.encode("")
    assert MASK not in moved
    assert max(moved) < ILLADA.shape.vocabulary
    assert len(set(moved)) == len(every)


@pytest.fixture
def tiny_weights(tmp_path) -> str:
    """A directory with the configuration of a tiny model of the same form."""
    config = json.loads((REPO / "bench/pocket/llada/config.json").read_text())
    config |= {"n_kv_heads": config["n_heads"] // 4, "weight_tying": True, "mask_token_id": MASK}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert checkpoint.read(tmp_path, 0).shape.tied
    return str(tmp_path)


@pytest.mark.parametrize("cache", CACHED)
@pytest.mark.parametrize("sampler", [{"steps": 8}, {"sampler": "imposed", "tokens_per_step": 3, "steps": 6}], ids=str)
def test_a_tiny_model_of_its_form_runs_on_both_engines_under_every_cache(sampler, cache, tiny_weights, device):
    of_cell = {"weights": tiny_weights, "random_seed": 0, "stop": "length", "head": "lean", "device": device}
    eager, captured, _ = outputs_of_engines("llada", RAGGED, cache=cache, **of_cell, **sampler, **CACHED[cache])
    assert captured.sequences.tolist() == eager.sequences.tolist()
    assert [getattr(captured, name) for name in COUNTED] == [getattr(eager, name) for name in COUNTED]
    assert eager.committed == [16] * len(RAGGED)
    assert not (eager.sequences == MASK).any()


@pytest.mark.parametrize("decoder", [
    Decoder("fixed", "prefix", {"refresh": 1}), Decoder("fixed", "dual", {"refresh": 1}),
    Decoder("fixed", "delayed", {"refresh": 1}),
    Decoder("fixed", "interval", {"prompt_every": 1, "response_every": 1, "ratio": 0.5}),
], ids=str)  # fmt: skip
def test_a_refresh_at_every_step_changes_nothing(decoder, tiny_weights):
    of_cell = {"weights": tiny_weights, "random_seed": 0, "stop": "length", "head": "lean", "steps": 8}
    refreshed = outputs_of_engines("llada", RAGGED, **of_cell | decoder.settings())
    vanilla = outputs_of_engines("llada", RAGGED, **of_cell)
    for ours, without_cache in zip(refreshed[:2], vanilla[:2], strict=True):
        assert ours.sequences.tolist() == without_cache.sequences.tolist()
