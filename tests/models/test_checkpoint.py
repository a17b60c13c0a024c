"""Model directories: what is refused and how, what is read, when the revision changes."""

import json
from pathlib import Path

import pytest

from bench.common.errors import BadInput
from bench.models import checkpoint

LLAMA = {"model_type": "llama", "eos_token_id": 1}
LLADA = {
    "model_type": "llada", "eos_token_id": 1, "mask_token_id": 2, "d_model": 8, "n_layers": 1, "n_heads": 2,
    "mlp_hidden_size": 16, "vocab_size": 32, "max_sequence_length": 64, "rms_norm_eps": 1e-5, "rope_theta": 1e4,
}  # fmt: skip


def model_dir(folder: Path, config: dict | list | str, **weights: bytes) -> Path:
    """A directory with config.json and the weights given by name, one file unless told otherwise."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    for name, content in (weights or {"model": b"weights"}).items():
        (folder / f"{name}.safetensors").write_bytes(content)
    return folder


def index(folder: Path, *names: str) -> Path:
    content = {"weight_map": {f"layer.{i}": f"{name}.safetensors" for i, name in enumerate(names)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))
    return folder


def refusal(folder: Path) -> str:
    """The message of the BadInput that reading a directory raises: one line."""
    with pytest.raises(BadInput) as caught:
        checkpoint.read(folder)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_directory_without_config_is_no_model(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert refusal(tmp_path).startswith(f"{tmp_path}: no model there (config.json is missing)")
    assert refusal(tmp_path / "gone").startswith(f"{tmp_path / 'gone'}: no model there")


@pytest.mark.parametrize("text", ["", "{", "{'model_type': 'llama'}"])
def test_config_that_is_no_json_is_refused(tmp_path, text):
    assert refusal(model_dir(tmp_path, text)).startswith(f"{tmp_path / 'config.json'}: not valid JSON")


@pytest.mark.parametrize("text", ["[]", '"llama"', "5", "null"])
def test_config_that_is_no_object_is_refused(tmp_path, text):
    assert refusal(model_dir(tmp_path, text)).startswith(f"{tmp_path / 'config.json'}: ")


@pytest.mark.parametrize("kind", ["bert", "LLaMA", "", None, 5])
def test_unknown_model_type_is_named(tmp_path, kind):
    text = refusal(model_dir(tmp_path, LLAMA | {"model_type": kind}))
    assert text.startswith(f"{tmp_path / 'config.json'}: model_type is {kind!r}")


def test_missing_model_type_is_refused(tmp_path):
    assert "model_type is None" in refusal(model_dir(tmp_path, {"eos_token_id": 1}))


@pytest.mark.parametrize("mask", [{}, {"mask_token_id": None}, {"mask_token_id": "<mask>"}])
def test_llada_needs_its_mask_id(tmp_path, mask):
    config = {key: value for key, value in LLADA.items() if key != "mask_token_id"} | mask
    assert refusal(model_dir(tmp_path, config)).startswith(f"{tmp_path / 'config.json'}: mask_token_id is missing")


@pytest.mark.parametrize("key", sorted(LLADA.keys() - {"model_type", "eos_token_id", "mask_token_id"}))
def test_llada_needs_its_shape(tmp_path, key):
    text = refusal(model_dir(tmp_path, {k: v for k, v in LLADA.items() if k != key}))
    assert text.startswith(f"{tmp_path / 'config.json'}: {key} is missing")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("block_type", "sequential"),
        ("activation_type", "swiglu"),
        ("layer_norm_type", "default"),
        ("rope", False),
        ("include_bias", True),
        ("include_qkv_bias", True),
        ("attention_layer_norm", True),
        ("alibi", True),
        ("scale_logits", True),
        ("multi_query_attention", True),
        ("n_experts", 8),
    ],
)
def test_llada_beyond_the_plain_block_is_refused(tmp_path, key, value):
    text = refusal(model_dir(tmp_path, LLADA | {key: value}))
    assert text.startswith(f"{tmp_path / 'config.json'}: {key} is {value!r}")


@pytest.mark.parametrize("config", [LLAMA, LLADA])
def test_missing_eos_id_is_refused(tmp_path, config):
    for eos in ({}, {"eos_token_id": None}):
        rest = {key: value for key, value in config.items() if key != "eos_token_id"}
        assert refusal(model_dir(tmp_path, rest | eos)).startswith(
            f"{tmp_path / 'config.json'}: eos_token_id is missing"
        )


def test_missing_weights_are_named(tmp_path):
    text = refusal(model_dir(tmp_path, LLAMA, pytorch_model=b"weights"))
    assert text.startswith(f"{tmp_path / 'model.safetensors'}: weights are missing")


def test_missing_shard_of_an_index_is_named(tmp_path):
    folder = index(model_dir(tmp_path, LLAMA, one=b"1", three=b"3", model=b"whole"), "one", "two", "three", "one")
    assert refusal(folder).startswith(f"{tmp_path / 'two.safetensors'}: weights are missing")


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"weight_map": []}'])
def test_broken_index_is_refused(tmp_path, text):
    folder = model_dir(tmp_path, LLAMA)
    (folder / "model.safetensors.index.json").write_text(text)
    assert str(folder / "model.safetensors.index.json") in refusal(folder)


def test_llama_is_read(tmp_path):
    described = checkpoint.read(model_dir(tmp_path, LLAMA | {"eos_token_id": [1, 7]}))
    assert (described.path, described.kind, described.causal, described.eos_ids) == (tmp_path, "llama", True, (1, 7))
    assert described == checkpoint.read(str(tmp_path))


def test_llada_is_read(tmp_path):
    described = checkpoint.read(model_dir(tmp_path, LLADA | {"eos_token_id": 0, "mask_token_id": 0}))
    assert (described.kind, described.causal, described.eos_ids, described.mask_id) == ("llada", False, (0,), 0)


@pytest.mark.parametrize("eos", [5, [5, 6], 0])
def test_generation_config_says_where_answers_end(tmp_path, eos):
    folder = model_dir(tmp_path, LLAMA)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": eos}))
    assert checkpoint.read(folder).config["eos_token_id"] == eos
    (folder / "generation_config.json").write_text("{}")
    assert checkpoint.read(folder).eos_ids == (1,)


def test_revision_changes_with_generation_config(tmp_path):
    folder = model_dir(tmp_path, LLAMA)
    revisions = {checkpoint.read(folder).revision}
    for eos in (5, 6):
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": eos}))
        revisions.add(checkpoint.read(folder).revision)
    assert len(revisions) == 3


def test_random_weights_need_no_files_and_their_seed_is_in_the_revision(tmp_path):
    folder = model_dir(tmp_path, LLADA, other=b"not read")
    seeded = [checkpoint.read(folder, random_seed=seed) for seed in (0, 1)]
    assert [described.random_seed for described in seeded] == [0, 1]
    assert seeded[0].revision != seeded[1].revision
    (folder / "model.safetensors").write_bytes(b"weights")
    assert checkpoint.read(folder).revision not in {described.revision for described in seeded}


def test_revision_is_of_content_not_of_place(tmp_path):
    first, second = (checkpoint.read(model_dir(tmp_path / name, LLAMA)) for name in ("one", "two"))
    assert first.revision == second.revision
    assert len(first.revision) == 12
    assert int(first.revision, 16) >= 0


def test_revision_changes_with_weights(tmp_path):
    revisions = {
        checkpoint.read(model_dir(tmp_path, LLAMA, model=w)).revision for w in (b"weights", b"weightz", b"weight")
    }
    assert len(revisions) == 3


def test_revision_changes_with_any_shard(tmp_path):
    folder = index(tmp_path, "one", "two")
    shards = [(b"1", b"2"), (b"x", b"2"), (b"1", b"x"), (b"2", b"1")]
    assert len({checkpoint.read(model_dir(folder, LLAMA, one=a, two=b)).revision for a, b in shards}) == 4


def test_revision_changes_with_config(tmp_path):
    configs = LLAMA, LLAMA | {"rope_theta": 500000.0}, LLAMA | {"eos_token_id": 2}
    assert len({checkpoint.read(model_dir(tmp_path, config)).revision for config in configs}) == 3


def test_revision_changes_with_tokenizer(tmp_path):
    described = checkpoint.read(model_dir(tmp_path, LLAMA))
    revisions = [described.with_tokenizer(tmp_path)]
    for name in ("tokenizer.json", "tokenizer_config.json"):
        for content in ("{}", '{"a": 1}'):
            (tmp_path / name).write_text(content)
            revisions.append(described.with_tokenizer(tmp_path))
    assert len(set(revisions)) == 5
    assert described.with_tokenizer(str(tmp_path)) == revisions[-1]
    other = checkpoint.read(model_dir(tmp_path, LLAMA, model=b"other"))
    assert other.with_tokenizer(tmp_path) != revisions[-1]
