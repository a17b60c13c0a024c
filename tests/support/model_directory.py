"""Model directories of a few kilobytes, written without torch: a configuration, and safetensors full of one byte."""

import json
import math
from pathlib import Path

from bench.models import tensor_files
from bench.models.checkpoint import Checkpoint
from bench.models.kinds import KINDS

LLAMA = {
    "model_type": "llama", "eos_token_id": 1, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 16, "vocab_size": 32, "max_position_embeddings": 64,
}  # fmt: skip
LLADA = {
    "model_type": "llada", "eos_token_id": 1, "mask_token_id": 2, "d_model": 8, "n_layers": 2, "n_heads": 2,
    "mlp_hidden_size": 16, "vocab_size": 32, "max_sequence_length": 64, "rms_norm_eps": 1e-5, "rope_theta": 1e4,
    "block_type": "llama", "activation_type": "silu", "layer_norm_type": "rms", "rope": True,
}  # fmt: skip
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I32": 4, "I8": 1, "F8_E4M3": 1}  # bytes of an element


def write_config(folder: Path, config: dict) -> Path:
    """A directory with config.json alone."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def write_tensors(file: Path, shapes: dict[str, tuple[int, ...]], dtype: str = "BF16", byte: int = 0) -> None:
    """A safetensors file of tensors of these shapes, each byte of them the same."""
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + SIZES[dtype] * math.prod(shape)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes([byte]) * end)


def tensors_of(config: dict) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor that a directory of this configuration must hold, by its name in the file."""
    kind = KINDS[config["model_type"]]
    shape = Checkpoint(Path(), kind.name, config).shape
    return {kind.parameter_name(name): size for name, size in tensor_files.parameters(shape)}


def write(folder: Path, config: dict, dtype: str = "BF16", byte: int = 0) -> Path:
    """A whole model directory: configuration and one file of weights."""
    write_config(folder, config)
    write_tensors(folder / "model.safetensors", tensors_of(config), dtype, byte)
    return folder


def write_shards(folder: Path, config: dict, shards: int = 2) -> dict[str, str]:
    """The same with shards and their index, which is also returned: the shard of each tensor."""
    write_config(folder, config)
    tensors = tensors_of(config)
    places = {name: f"part-{i % shards}.safetensors" for i, name in enumerate(tensors)}
    for file in set(places.values()):
        write_tensors(folder / file, {name: tensors[name] for name in tensors if places[name] == file})
    write_index(folder, places)
    return places


def write_index(folder: Path, places: dict) -> None:
    """The index of shards."""
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
