"""Weights of both formats into one body: golden logits, wrong tensors refused."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench import checkpoint, models
from bench.errors import BadInput
from tests.conftest import GOLDEN


@pytest.mark.parametrize("case", "abcd")
def test_logits_equal_the_official_model(case, tiny):
    vectors = load_file(GOLDEN / "logits.safetensors")
    mask = vectors.get(f"attention_mask_{case}")
    logits = tiny(vectors[f"ids_{case}"], attention_mask=mask, use_cache=False).logits
    rows = slice(None) if mask is None else mask.bool()
    assert (logits - vectors[f"logits_{case}"])[rows].abs().max() < 1e-4


def test_a_causal_mask_would_be_noticed():
    vectors = load_file(GOLDEN / "logits.safetensors")
    source = checkpoint.read(GOLDEN / "tiny-llada")
    model = models.build(models.llama_config(source), causal=True)
    weights = {models.official_name(n): n for n, _ in model.named_parameters()}
    model.load_state_dict({weights[n]: t for n, t in load_file(GOLDEN / "tiny-llada" / "model.safetensors").items()})
    logits = model(vectors["ids_a"], use_cache=False).logits
    assert (logits - vectors["logits_a"]).abs().max() > 1


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(GOLDEN / "tiny-llada", tmp_path / "model")
    return tmp_path / "model"


def change(folder, edit) -> None:
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors")


NAME = "model.transformer.blocks.1.ff_proj.weight"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.pop(NAME), f"tensor {NAME} is missing"),
        (lambda t: t.update({NAME: torch.zeros(3, 3)}), f"tensor {NAME} has shape"),
        (lambda t: t.update({"model.transformer.extra.weight": torch.zeros(2)}), "extra.weight is not part"),
    ],
)
def test_a_wrong_tensor_is_named(edit, message, copy):
    change(copy, edit)
    with pytest.raises(BadInput, match=message.replace(".", r"\.")):
        models.load(checkpoint.read(copy), "cpu", torch.float32)


@pytest.mark.parametrize("official", [True, False])
def test_save_and_load_give_the_same_logits_in_both_formats(official, tmp_path, tiny):
    models.save(tiny, tmp_path, official)
    if official:
        shutil.copy(GOLDEN / "tiny-llada" / "config.json", tmp_path)
    else:
        config = tiny.config.to_diff_dict() | {"model_type": "llama", "eos_token_id": 481}
        (tmp_path / "config.json").write_text(json.dumps(config, default=str))
    again = models.load(checkpoint.read(tmp_path), "cpu", torch.float32)
    rounded = {n: p.to(torch.bfloat16).float() for n, p in tiny.named_parameters()}
    assert all(torch.equal(p, rounded[n]) for n, p in again.named_parameters())


def test_frequencies_stay_float32_in_a_bfloat16_model():
    source = checkpoint.read(GOLDEN / "tiny-llada")
    exact = models.load(source, "cpu", torch.float32).model.rotary_emb.inv_freq
    halved = models.load(source, "cpu", torch.bfloat16).model.rotary_emb.inv_freq
    assert halved.dtype == torch.float32
    assert torch.equal(halved, exact)
