"""Weights of both formats into one body: golden logits, wrong tensors refused."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.adapters import registry
from bench.common.errors import BadInput
from bench.models import checkpoint
from bench.models import weights as models_weights
from bench.models.llada import official_name
from tests.conftest import GOLDEN, REPO, make_cell


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
    model = models_weights.build(models_weights.llama_config(source), causal=True)
    weights = {official_name(n): n for n, _ in model.named_parameters()}
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
        models_weights.load(checkpoint.read(copy), "cpu", torch.float32)


@pytest.mark.parametrize("official", [True, False])
def test_save_and_load_give_the_same_logits_in_both_formats(official, tmp_path, tiny):
    models_weights.save(tiny, tmp_path, official)
    if official:
        shutil.copy(GOLDEN / "tiny-llada" / "config.json", tmp_path)
    else:
        config = tiny.config.to_diff_dict() | {"model_type": "llama", "eos_token_id": 481, "is_causal": True}
        (tmp_path / "config.json").write_text(json.dumps(config, default=str))
    again = models_weights.load(checkpoint.read(tmp_path), "cpu", torch.float32)
    rounded = {n: p.to(torch.bfloat16).float() for n, p in tiny.named_parameters()}
    assert all(torch.equal(p, rounded[n]) for n, p in again.named_parameters())


def test_frequencies_stay_float32_in_a_bfloat16_model():
    source = checkpoint.read(GOLDEN / "tiny-llada")
    exact = models_weights.load(source, "cpu", torch.float32).model.rotary_emb.inv_freq
    halved = models_weights.load(source, "cpu", torch.bfloat16).model.rotary_emb.inv_freq
    assert halved.dtype == torch.float32
    assert torch.equal(halved, exact)


def split(folder, shards: int) -> None:
    """Turn a directory's single file into shards with an index, as large checkpoints come."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names, index = sorted(tensors), {}
    for i in range(shards):
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        save_file({name: tensors[name] for name in names[i::shards]}, folder / file)
        index |= dict.fromkeys(names[i::shards], file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))


def test_shards_load_as_one_file_does_and_a_missing_one_is_named(copy, tiny):
    split(copy, 3)
    model = models_weights.load(checkpoint.read(copy), "cpu", torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), tiny.parameters(), strict=True))
    (copy / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(BadInput, match=r"model-00002-of-00003\.safetensors: weights are missing"):
        checkpoint.read(copy)


def test_a_tied_head_is_shared_whether_or_not_the_file_carries_it(copy):
    config = json.loads((copy / "config.json").read_text()) | {"weight_tying": True}
    (copy / "config.json").write_text(json.dumps(config))
    embedding = load_file(copy / "model.safetensors")["model.transformer.wte.weight"]
    change(copy, lambda tensors: tensors.update({"model.transformer.ff_out.weight": embedding.clone()}))
    for with_head in (True, False):
        if not with_head:
            change(copy, lambda tensors: tensors.pop("model.transformer.ff_out.weight"))
        model = models_weights.load(checkpoint.read(copy), "cpu", torch.float32)
        assert model.lm_head.weight is model.model.embed_tokens.weight
    assert checkpoint.read(copy).parameters == sum(p.numel() for p in model.parameters())


def test_random_weights_come_from_their_seed(copy):
    (copy / "model.safetensors").unlink()
    first, again, other = (
        models_weights.load(checkpoint.read(copy, seed), "cpu", torch.bfloat16).lm_head.weight for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.float().std() == pytest.approx(0.02, rel=0.02)


def test_the_8b_shapes_have_the_published_parameter_counts():
    shapes = REPO / "configs/shapes"
    assert checkpoint.read(shapes / "llada-8b", 0).parameters == 8_015_581_184
    assert checkpoint.read(shapes / "llama-3-8b", 0).parameters == 8_030_261_248
    with torch.device("meta"):
        for name in ("llada-8b", "llama-3-8b"):
            source = checkpoint.read(shapes / name, 0)
            model = models_weights.build(models_weights.llama_config(source), source.causal)
            assert sum(p.numel() for p in model.parameters()) == source.parameters


LOAD = """
import sys, torch
from bench.models import checkpoint, weights
from bench.measure.memory import reset_resident_peak, resident_peak_bytes
reset_resident_peak()
before = resident_peak_bytes()
weights.load(checkpoint.read(sys.argv[1]), "cpu", torch.float32)
print(resident_peak_bytes() - before)
"""


def test_loading_holds_the_model_and_at_most_1_2_shards(copy):
    """A stand-in of 60 MB in four shards; float32 from bfloat16, so that every tensor is copied."""
    config = json.loads((copy / "config.json").read_text())
    config |= {"d_model": 512, "n_layers": 8, "n_heads": 8, "n_kv_heads": 8, "mlp_hidden_size": 1536}
    config |= {"vocab_size": 4096, "embedding_size": 4096}
    (copy / "config.json").write_text(json.dumps(config))
    model = models_weights.load(checkpoint.read(copy, 0), "cpu", torch.bfloat16)
    models_weights.save(model, copy, official=True)
    split(copy, 4)
    shard = max(file.stat().st_size for file in copy.glob("*.safetensors"))
    done = subprocess.run([sys.executable, "-c", LOAD, copy], cwd=REPO, capture_output=True, text=True, check=True)
    # float32 parameters, the shard being read, and room for what torch allocates on its first use
    assert int(done.stdout) <= 4 * checkpoint.read(copy).parameters + 1.2 * shard + (16 << 20)


def filled(fill):
    cell = make_cell("llada", random_seed=0, fill=fill)
    adapter = registry.create("llada")
    adapter.load(cell)
    return adapter


def test_matrices_of_other_values_have_the_same_spread_or_none():
    own, heavy, zero = (filled(fill).model.lm_head.weight for fill in (None, "heavy-tailed", "zero"))
    assert float(heavy.std()) == pytest.approx(float(own.std()), rel=0.25)
    assert float(heavy.abs().max()) > 3 * float(own.abs().max())  # t of three degrees of freedom
    assert float(zero.abs().max()) == 0
    assert torch.isfinite(heavy).all()


def test_weights_of_other_values_are_loaded_anew():
    adapter = filled(None)
    before = adapter.model
    adapter.load(make_cell("llada", random_seed=0, fill="zero"))
    assert adapter.model is not before
    assert float(adapter.model.model.norm.weight.min()) == 1.0  # norms are ones whatever the fill
