"""Headers of weights files: what is missing, cut, quantised or named otherwise is refused before anything loads."""

import json
import random
import re

import pytest
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from bench.common.errors import BadInput
from bench.models import checkpoint, tensor_files, weights
from tests.support import model_directory
from tests.support.model_directory import LLADA, LLAMA, tensors_of, write, write_index, write_shards, write_tensors

CONFIGS = {"llama": LLAMA, "llada": LLADA | {"weight_tying": False}}
each_kind = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def refusal(folder) -> str:
    """The one line that refuses a directory."""
    with pytest.raises(BadInput) as caught:
        checkpoint.read(folder)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def rewritten(folder, config, change) -> str:
    """The refusal of a directory whose tensors were changed: `change` gets their shapes by name."""
    write(folder, config)
    tensors = tensors_of(config)
    change(tensors)
    write_tensors(folder / "model.safetensors", tensors)
    return refusal(folder)


@pytest.mark.parametrize("changes", [
    {}, {"tie_word_embeddings": True}, {"attention_bias": True}, {"mlp_bias": True}, {"head_dim": 8},
    {"num_key_value_heads": 1, "attention_bias": True, "mlp_bias": True},
], ids=str)  # fmt: skip
def test_the_parameters_of_a_shape_are_those_of_transformers(changes, tmp_path):
    described = checkpoint.read(write(tmp_path, LLAMA | changes))
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**{k: v for k, v in described.config.items() if k != "model_type"}))
    of_model = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    assert dict(tensor_files.parameters(described.shape)) == of_model
    assert described.parameters == sum(parameter.numel() for parameter in model.parameters())


@each_kind
def test_a_missing_tensor_is_named(config, tmp_path):
    for name in tensors_of(config):
        text = rewritten(tmp_path, config, lambda tensors, name=name: tensors.pop(name))
        assert text == f"{tmp_path}: tensor {name} is missing from the weights"


@each_kind
def test_a_tensor_of_another_shape_is_named(config, tmp_path):
    for name, shape in tensors_of(config).items():
        text = rewritten(tmp_path, config, lambda tensors, name=name: tensors.update({name: (3, 3)}))
        assert f"tensor {name} has shape [3, 3], not {list(shape)} as config.json says" in text


@pytest.mark.parametrize("name", ["model.layers.0.self_attn.q_norm.weight", "model.layers.0.self_attn.q_proj.bias",
                                  "model.layers.2.mlp.up_proj.weight", "value_head.weight"])  # fmt: skip
def test_a_tensor_of_another_architecture_is_named(name, tmp_path):
    text = rewritten(tmp_path, LLAMA, lambda tensors: tensors.update({name: (8,)}))
    assert f"tensor {name} is not part of this architecture" in text


@pytest.mark.parametrize("config", [LLAMA, LLADA], ids=["llama", "llada"])
def test_rotary_frequencies_of_old_files_are_passed_over(config, tmp_path):
    write(tmp_path, config)
    buffers = {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": (2,) for i in range(2)}
    write_tensors(tmp_path / "model.safetensors", tensors_of(config) | buffers)
    assert len(checkpoint.read(tmp_path).tensors()) == len(tensors_of(config))


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16"])
def test_float_weights_are_taken(dtype, tmp_path):
    assert checkpoint.read(write(tmp_path, LLAMA, dtype)).tensors()["lm_head.weight"].dtype == dtype


@pytest.mark.parametrize("dtype", ["I32", "I8", "F8_E4M3"])
@each_kind
def test_quantised_weights_are_refused(config, dtype, tmp_path):
    assert f"has dtype {dtype}, so the weights are quantised" in refusal(write(tmp_path, config, dtype))


def test_quantised_tensors_beside_float_ones_are_refused_as_such(tmp_path):
    write(tmp_path, LLAMA)
    tensors = {name.replace("down_proj.w", "down_proj.qw"): shape for name, shape in tensors_of(LLAMA).items()}
    header = {name: {"dtype": "F16", "shape": list(shape), "data_offsets": [0, 0]} for name, shape in tensors.items()}
    end = 0
    for name, entry in header.items():
        entry["dtype"] = "I32" if name.endswith("qweight") else "F16"
        size = model_directory.SIZES[entry["dtype"]] * torch.Size(entry["shape"]).numel()
        entry["data_offsets"], end = [end, end + size], end + size
    text = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(end))
    assert "down_proj.qweight has dtype I32, so the weights are quantised" in refusal(tmp_path)


def without_beginning(config, beginning):
    return {name.removeprefix(beginning): shape for name, shape in tensors_of(config).items()}


@pytest.mark.parametrize(("config", "beginning"), [
    (LLAMA, "model."), (LLADA, "model."), (LLADA, "model.transformer."), (CONFIGS["llada"], "model."),
])  # fmt: skip
def test_names_without_their_beginning_are_those_of_a_model_without_its_head(config, beginning, tmp_path):
    write(tmp_path, config)
    write_tensors(tmp_path / "model.safetensors", without_beginning(config, beginning))
    described = checkpoint.read(tmp_path)
    assert set(described.tensors()) == {name for name, _ in tensor_files.parameters(described.shape)}


@pytest.mark.parametrize("beginning", ["module.", "_orig_mod.", "base_model.model."])
@each_kind
def test_names_with_a_beginning_too_many_are_shown(config, beginning, tmp_path):
    write(tmp_path, config)
    write_tensors(tmp_path / "model.safetensors", {beginning + n: shape for n, shape in tensors_of(config).items()})
    name = next(iter(tensors_of(config)))
    told = f"tensor {name} is missing from the weights; there is {beginning}{name} in its place"
    assert refusal(tmp_path).endswith(told)


def test_a_tensor_that_is_there_twice_is_named(tmp_path):
    text = rewritten(tmp_path, LLAMA, lambda tensors: tensors.update({"norm.weight": (8,)}))
    assert "tensor norm.weight is also in" in text


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 4976698672\n"
HEADER_LENGTH = (64).to_bytes(8, "little")


@pytest.mark.parametrize(("content", "message"), [
    (POINTER, "is a git-lfs pointer"),
    (b"", "is no safetensors file"),
    (b"1234567", "is no safetensors file"),
    (b"<!DOCTYPE html><html>Access denied</html>", "is no safetensors file"),
    (b"PK\x03\x04 a pickle of torch", "is no safetensors file"),
    (HEADER_LENGTH + b"{}", "was cut short"),
    (HEADER_LENGTH + b"{" * 64, "its header is no safetensors header"),
    (HEADER_LENGTH + b"[1]".ljust(64), "its header is no safetensors header"),
    (HEADER_LENGTH + b'{"a": 5}'.ljust(64), "its header is no safetensors header"),
    (HEADER_LENGTH + b'{"a": {"dtype": "F32", "shape": [1]}}'.ljust(64), "its header is no safetensors header"),
    (HEADER_LENGTH + b'{"a":{"dtype":"F16","shape":[1],"data_offsets":[2,4]}}'.ljust(64) + bytes(4), "tensor a does"),
])  # fmt: skip
def test_a_file_that_holds_no_weights_is_named(content, message, tmp_path):
    write(tmp_path, LLAMA)
    (tmp_path / "model.safetensors").write_bytes(content)
    assert refusal(tmp_path).startswith(f"{tmp_path / 'model.safetensors'}: {message}")


def test_a_cut_download_is_named_wherever_it_was_cut(tmp_path):
    whole = (write(tmp_path, LLAMA) / "model.safetensors").read_bytes()
    for size in [len(whole) - 1, len(whole) // 2, *random.Random(0).sample(range(8, len(whole)), 20)]:
        (tmp_path / "model.safetensors").write_bytes(whole[:size])
        assert f"was cut short, {size:,} bytes" in refusal(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(whole + b"more")
    assert "holds 4 bytes behind its last tensor" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "model.safetensors.index.json"])
def test_a_pointer_in_place_of_any_file_is_named(name, tmp_path):
    write_shards(tmp_path, LLAMA)
    (tmp_path / name).write_bytes(POINTER)
    assert refusal(tmp_path).startswith(f"{tmp_path / name}: is a git-lfs pointer, not the file itself; run")


def test_a_missing_shard_is_named(tmp_path):
    write_shards(tmp_path, LLAMA)
    (tmp_path / "part-1.safetensors").unlink()
    assert refusal(tmp_path).startswith(f"{tmp_path / 'part-1.safetensors'}: weights are missing, though")


def test_a_pointer_in_place_of_one_shard_is_named(tmp_path):
    write_shards(tmp_path, LLAMA, shards=3)
    (tmp_path / "part-2.safetensors").write_bytes(POINTER)
    assert refusal(tmp_path).startswith(f"{tmp_path / 'part-2.safetensors'}: is a git-lfs pointer")


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"weight_map": []}', '{"weight_map": {"a": 5}}'])
def test_a_broken_index_is_refused(text, tmp_path):
    write_shards(tmp_path, LLAMA)
    (tmp_path / "model.safetensors.index.json").write_text(text)
    assert refusal(tmp_path).startswith(f"{tmp_path / 'model.safetensors.index.json'}: ")


def test_an_index_that_a_shard_contradicts_is_refused(tmp_path):
    places = write_shards(tmp_path, LLAMA)
    write_index(tmp_path, places | {"model.extra.weight": "part-0.safetensors"})
    text = refusal(tmp_path)
    assert text.startswith(f"{tmp_path / 'part-0.safetensors'}: has no tensor model.extra.weight, though model.safe")


def test_an_index_without_a_tensor_still_finds_it_in_a_shard(tmp_path):
    places = write_shards(tmp_path, LLAMA)
    places.pop("model.norm.weight")
    write_index(tmp_path, places)
    assert "model.norm.weight" in checkpoint.read(tmp_path).tensors()


def test_one_whole_file_counts_before_an_index_as_in_transformers(tmp_path):
    write_shards(tmp_path, LLAMA)
    (tmp_path / "part-0.safetensors").unlink()
    write(tmp_path, LLAMA)
    assert {stored.file.name for stored in checkpoint.read(tmp_path).tensors().values()} == {"model.safetensors"}


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model-q4.gguf", "consolidated.00.pth"])
def test_weights_of_another_format_are_named(name, tmp_path):
    (model_directory.write_config(tmp_path, LLAMA) / name).write_bytes(b"weights")
    text = refusal(tmp_path)
    assert text.startswith(f"{tmp_path / 'model.safetensors'}: weights are missing; only safetensors are read; {name}")


HEADS = {"llama": "lm_head.weight", "llada": "model.transformer.ff_out.weight"}


@pytest.mark.parametrize(("kind", "key"), [("llama", "tie_word_embeddings"), ("llada", "weight_tying")])
def test_a_tied_head_is_the_embedding_or_refused(kind, key, tmp_path):
    config = CONFIGS[kind] | {key: True}
    tensors = {name: torch.ones(shape) for name, shape in tensors_of(config).items()}
    head = torch.ones(32, 8)
    for equal in (True, False):
        folder = model_directory.write_config(tmp_path / str(equal), config)
        head[31, 7] = 1.0 if equal else 2.0
        save_file(tensors | {HEADS[kind]: head.clone()}, folder / "model.safetensors")
        if equal:
            assert "lm_head.weight" not in checkpoint.read(folder).tensors()
        else:
            assert f"tensor {HEADS[kind]} is not the embedding, but {key} is true" in refusal(folder)


def test_a_head_that_is_not_tied_must_be_there(tmp_path):
    write(tmp_path, LLAMA | {"tie_word_embeddings": True})
    model_directory.write_config(tmp_path, LLAMA)
    assert refusal(tmp_path) == f"{tmp_path}: tensor lm_head.weight is missing from the weights"


def test_a_configuration_of_more_layers_than_the_files_hold_is_refused_at_once(tmp_path):
    write(tmp_path, LLAMA)
    model_directory.write_config(tmp_path, LLAMA | {"num_hidden_layers": 10**9})
    assert re.search(r"tensor model\.layers\.2\..* is missing", refusal(tmp_path))


def test_names_without_their_beginning_load_the_same_numbers(tmp_path):
    torch.manual_seed(0)
    for kind, config, beginning in (("llama", LLAMA, "model."), ("llada", LLADA, "model.transformer.")):
        tensors = {name: torch.randn(shape) for name, shape in tensors_of(config).items()}
        loaded = []
        for part in ("whole", "headless"):
            folder = model_directory.write_config(tmp_path / kind / part, config)
            cut = beginning if part == "headless" else ""
            save_file({name.removeprefix(cut): t for name, t in tensors.items()}, folder / "model.safetensors")
            loaded.append(weights.load(checkpoint.read(folder), "cpu", torch.float32))
        for whole, headless in zip(*(model.parameters() for model in loaded), strict=True):
            assert torch.equal(whole, headless)


def test_shards_without_their_index_are_named(tmp_path):
    write_shards(tmp_path, LLAMA)
    (tmp_path / "model.safetensors.index.json").unlink()
    assert refusal(tmp_path).endswith("part-0.safetensors is there, but no model.safetensors.index.json that lists it")
