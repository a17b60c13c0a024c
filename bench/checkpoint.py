"""What a model directory holds, read without torch, so that bad input is refused before anything loads.

Two formats: Hugging Face LLaMA (`model_type: llama`) and official LLaDA (`model_type: llada`, its own
parameter names). Both describe the same block; only the causal mask differs.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BadInput

HASH_ALL_BELOW_BYTES = 64 << 20  # larger weights are identified by header and size, not by every byte


@dataclass(frozen=True)
class Checkpoint:
    """A model directory: where it is, which of the two formats, its shape and special tokens."""

    path: Path
    kind: str  # llama | llada
    config: dict
    revision: str  # short hash of configuration and weights

    @property
    def causal(self) -> bool:
        return self.kind == "llama"

    @property
    def eos_ids(self) -> tuple[int, ...]:
        eos = self.config.get("eos_token_id")
        return tuple(eos) if isinstance(eos, list) else (eos,)

    def with_tokenizer(self, directory: str | Path) -> str:
        """The revision of weights and tokenizer together."""
        digest = hashlib.sha256(self.revision.encode())
        for name in ("tokenizer.json", "tokenizer_config.json"):
            file = Path(directory) / name
            digest.update(file.read_bytes() if file.is_file() else b"")
        return digest.hexdigest()[:12]

    @property
    def mask_id(self) -> int:
        return self.config["mask_token_id"]


def read(path: str | Path) -> Checkpoint:
    """Describe the model directory at `path`. Raises BadInput if it is no checkpoint that we can run."""
    path = Path(path)
    file = path / "config.json"
    if not file.is_file():
        raise BadInput(f"{path}: no model there (config.json is missing); give the directory of a checkpoint")
    try:
        config = json.loads(file.read_text())
    except json.JSONDecodeError as error:
        raise BadInput(f"{file}: not valid JSON ({error})") from error
    kind = config.get("model_type")
    if kind not in ("llama", "llada"):
        raise BadInput(f"{file}: model_type is {kind!r}; this benchmark runs 'llama' and 'llada'")
    if kind == "llada" and not isinstance(config.get("mask_token_id"), int):
        raise BadInput(f"{file}: mask_token_id is missing; a LLaDA checkpoint names its mask token there")
    if config.get("eos_token_id") is None:
        raise BadInput(f"{file}: eos_token_id is missing; it says where an answer ends")
    return Checkpoint(path, kind, config, revision(path, weight_files(path)))


def weight_files(path: Path) -> list[Path]:
    """The safetensors shards of a directory, as its index lists them. Raises BadInput if any is missing."""
    index = path / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    else:
        names = ["model.safetensors"]
    for name in names:
        if not (path / name).is_file():
            raise BadInput(f"{path / name}: weights are missing; only safetensors are read")
    return [path / name for name in names]


def revision(path: Path, files: list[Path]) -> str:
    """Twelve hex digits that change when configuration or weights change."""
    digest = hashlib.sha256((path / "config.json").read_bytes())
    for file in files:
        size = file.stat().st_size
        with open(file, "rb") as stream:
            digest.update(str(size).encode())
            digest.update(stream.read() if size < HASH_ALL_BELOW_BYTES else stream.read(1 << 20))
    return digest.hexdigest()[:12]
