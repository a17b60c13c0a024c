"""What `make doctor PAIR=...` says of a pair's models: from their configurations alone, and by the key where one is
refused."""

import json
import sys

import huggingface_hub
import pytest

from bench import doctor
from bench.checks import models_of_pair
from bench.common.errors import exit_code
from bench.models import hub
from bench.runner import plan, request
from bench.spec.pair import ModelFile, read_pair
from bench.store.sink import Sink
from tests.conftest import REPO
from tests.support.model_directory import LLADA, LLAMA, write, write_config

# All keys of config.json of LLaDA-8B-Instruct, Base and 1.5, as their authors published it.
OFFICIAL = {
    "architectures": ["LLaDAModelLM"], "model_type": "llada", "transformers_version": "4.46.3",
    "auto_map": {name: f"{file}.{class_name}" for name, file, class_name in (
        ("AutoConfig", "configuration_llada", "LLaDAConfig"), ("AutoModel", "modeling_llada", "LLaDAModelLM"),
        ("AutoModelForCausalLM", "modeling_llada", "LLaDAModelLM"),
    )},
    "d_model": 4096, "n_layers": 32, "n_heads": 32, "n_kv_heads": 32, "mlp_hidden_size": 12288, "mlp_ratio": 4,
    "activation_type": "silu", "block_type": "llama", "block_group_size": 1, "layer_norm_type": "rms",
    "rms_norm_eps": 1e-5, "layer_norm_with_affine": True, "bias_for_layer_norm": False, "include_bias": False,
    "include_qkv_bias": False, "attention_layer_norm": False, "attention_layer_norm_with_affine": True,
    "input_emb_norm": False, "scale_logits": False, "rope": True, "rope_theta": 500000.0,
    "rope_full_precision": True, "alibi": False, "alibi_bias_max": 8.0, "attention_dropout": 0.0,
    "residual_dropout": 0.0, "embedding_dropout": 0.0, "weight_tying": False, "vocab_size": 126464,
    "embedding_size": 126464, "max_sequence_length": 4096, "multi_query_attention": None, "mask_token_id": 126336,
    "eos_token_id": 126081, "pad_token_id": 126081, "precision": "amp_bf16", "init_device": "meta",
    "init_fn": "mitchell", "init_std": 0.02, "init_cutoff_factor": None, "flash_attention": False, "use_cache": False,
}  # fmt: skip
ILLADA = OFFICIAL | {
    "n_kv_heads": 8, "mlp_hidden_size": 14336, "vocab_size": 155136, "embedding_size": 155136, "weight_tying": True,
    "max_sequence_length": 8192, "mask_token_id": 5,
}  # fmt: skip
# A small model in the form of Dream: Qwen2's keys, a mask token, another model_type.
DREAM = {
    "architectures": ["DreamModel"], "model_type": "Dream", "hidden_size": 8, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 16, "vocab_size": 32,
    "max_position_embeddings": 64, "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 1e6,
    "tie_word_embeddings": False, "attention_bias": True, "eos_token_id": 1, "mask_token_id": 2,
}  # fmt: skip


def look(folder, config, kind="llada"):
    return models_of_pair.look(kind, ModelFile(weights=str(write_config(folder, config)), random_seed=0))


def line(found):
    [_, text, *_] = models_of_pair.lines([found], read_pair("8b-shapes"), {found.kind: 61.25})
    return text


@pytest.mark.parametrize(
    ("config", "numbers"),
    [
        (OFFICIAL, ["8,015,581,184", "16.03", "126336", "524,288"]),
        (ILLADA, ["7,615,025,152", "15.23", "5", "131,072"]),
    ],
    ids=["LLaDA-8B and LLaDA 1.5", "iLLaDA-8B"],
)
def test_llada_and_its_successors_load_on_both_engines(config, numbers, tmp_path):
    found = look(tmp_path, config)
    assert not found.fault
    words = line(found).split()
    assert words == ["ok", "llada", *numbers, "own", "position", "random", "61.2", "eager,", "captured"]


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (DREAM, "model_type is 'Dream'; this benchmark runs 'llama' and 'llada'; Dream's logits are shifted"),
        (LLADA | {"include_qkv_bias": True}, "include_qkv_bias is True, which this benchmark does not compute"),
        (LLADA | {"attention_layer_norm": True}, "attention_layer_norm is True"),
        (LLADA | {"block_type": "sequential"}, "block_type is 'sequential'"),
        (LLADA | {"n_experts": 8}, "n_experts is 8"),
        (DREAM | {"model_type": "llada"}, "model_type is 'llada', but architectures says 'DreamModel'"),
        (DREAM | {"model_type": "llada", "architectures": None}, "n_layers is missing"),
        ({key: value for key, value in LLADA.items() if key != "mask_token_id"}, "mask_token_id is missing"),
        (LLAMA, "holds a llama model where the pair's file says llada"),
    ],
)
def test_what_does_not_load_says_the_key_in_one_line(config, key, tmp_path):
    found = look(tmp_path, config)
    assert found.about is None
    assert key in found.fault
    assert line(found).startswith(f"FAIL  llada   {tmp_path}")
    assert "\n" not in line(found)


def test_an_engine_that_does_not_compute_a_configuration_is_left_out_by_its_key(tmp_path):
    found = look(tmp_path, LLAMA | {"attention_bias": True}, "llama")
    _, text, why = models_of_pair.lines([found], read_pair("8b-shapes"), {})
    assert text.endswith("-  eager, generate, generate-static")
    assert "attention_bias is True, which engine captured does not compute" in why


def test_a_directory_without_weights_is_listed_and_fails(tmp_path):
    found = models_of_pair.look("llada", ModelFile(weights=str(write_config(tmp_path, LLADA))))
    _, text, why = models_of_pair.lines([found], read_pair("8b-shapes"), {})
    assert text.startswith("FAIL  llada ")
    assert "missing" in text.split()
    assert "model.safetensors: weights are missing" in why
    assert models_of_pair.look("llada", ModelFile(weights=str(write(tmp_path, LLADA)))).fault == ""


def test_of_a_model_on_the_hub_no_weights_are_fetched(monkeypatch, tmp_path):
    asked = []

    def fetch(name, allow_patterns, local_files_only=False):
        asked.append(allow_patterns)
        return str(write_config(tmp_path, LLADA))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    found = models_of_pair.look("llada", ModelFile(weights="GSAI-ML/LLaDA-1.5"))
    assert (found.weights, found.fault, found.about.mask_id) == ("on the hub", "", 2)
    assert asked == [hub.CONFIGURATION]
    assert not [pattern for pattern in asked[0] if "safetensors" in pattern]


def test_minutes_are_those_of_the_plan(monkeypatch, capsys):
    monkeypatch.chdir(REPO)
    pair, models = models_of_pair.of_pair(read_pair("pocket"), None)
    minutes = models_of_pair.minutes(models, pair, "cuda", "never measured")
    assert set(minutes) == {"llama", "llada"}
    asked = request.Request(**models_of_pair.STUDY, device="cuda", study="never measured", plan=True)
    plan.print_plan(request.resolve(asked)[0], Sink("never measured"))
    assert f"about {sum(minutes.values()):.1f} min to go" in capsys.readouterr().out


def test_random_weights_take_as_long_as_those_that_are_not_here(monkeypatch, tmp_path):
    monkeypatch.chdir(REPO)
    config = json.loads((REPO / "bench/pocket/llada/config.json").read_text())
    here = read_pair("pocket")
    tokenizer = here.models["llada"].tokenizer
    moved = ModelFile(weights=str(write_config(tmp_path, config)), tokenizer=tokenizer)
    elsewhere = here.model_copy(update={"llada": moved})
    found = []
    for pair in (here, elsewhere):
        _, models = models_of_pair.of_pair(pair, None)
        found.append(models_of_pair.minutes(models, pair, "cuda", "never measured"))
    assert found[0] == pytest.approx(found[1])


def status_of(monkeypatch, *arguments):
    monkeypatch.chdir(REPO)
    monkeypatch.setattr(sys, "argv", ["bench.doctor", "--device", "cpu", *arguments])
    return exit_code(doctor.main)


def test_the_door_lists_both_models_and_fails_with_one(monkeypatch, tmp_path, capsys):
    text = (REPO / "configs/pairs/pocket.yaml").read_text().replace("bench/pocket/llada", str(tmp_path / "dream"))
    write_config(tmp_path / "dream", DREAM)
    (tmp_path / "pocket.yaml").write_text(text)
    assert status_of(monkeypatch, "--pair", str(tmp_path / "pocket.yaml")) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[-2:]] == [["ok", "llama"], ["FAIL", "llada"]]
    assert "model_type is 'Dream'" in lines[-1]


def test_a_model_of_the_users_takes_the_place_of_its_kind(monkeypatch, tmp_path, capsys):
    assert status_of(monkeypatch, "--model", str(write_config(tmp_path, DREAM))) == 2
    assert "model_type is 'Dream'" in capsys.readouterr().err
    write_config(tmp_path, LLADA)
    _, models = models_of_pair.of_pair(read_pair("pocket"), str(tmp_path))
    of_layers, of_norms, of_vocabulary = 2 * (4 * 8 * 8 + 3 * 8 * 16), 5 * 8, 32 * 8
    assert [found.about.parameters for found in models] == [7_836_416, of_layers + of_norms + of_vocabulary]
