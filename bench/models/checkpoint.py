"""What a model directory holds, read without torch, so that bad input is refused before anything loads.

There are two formats: Hugging Face LLaMA (`model_type: llama`) and official LLaDA (`model_type: llada`), which has
other keys and other parameter names. Both describe the same block; only the causal mask differs. A LLaDA whose
configuration asks for more than that block (biases, QK-norm, ALiBi, experts) is refused with the name of the key.
"""

from dataclasses import dataclass
from pathlib import Path

from bench.common.errors import BadInput
from bench.common.read import json_object as read_json
from bench.models import revision as revisions
from bench.models.kinds import KINDS
from bench.models.shape import Shape

END_OF_TURN = "<|eot_id|>"
LLADA_NEEDS = (  # keys that an official LLaDA configuration must have
    "d_model", "n_layers", "n_heads", "mlp_hidden_size", "vocab_size", "max_sequence_length", "rms_norm_eps",
    "rope_theta",
)  # fmt: skip
LLADA_ALLOWS = {  # key: the values that our block covers; an absent key stands for the first of them
    "block_type": ("llama",),
    "activation_type": ("silu",),
    "layer_norm_type": ("rms",),
    "rope": (True,),
    "layer_norm_with_affine": (True,),
    "include_bias": (False,),
    "include_qkv_bias": (False, None),
    "bias_for_layer_norm": (False, None),
    "attention_layer_norm": (False,),
    "alibi": (False,),
    "input_emb_norm": (False,),
    "scale_logits": (False,),
    "multi_query_attention": (None, False),
    "n_experts": (None,),
    "num_experts": (None,),
}


@dataclass(frozen=True)
class Format:
    """The keys under which config.json of a kind of model states its dimensions."""

    layers: str
    width: str
    heads: str
    kv_heads: str  # absent: as many as heads
    feed_forward: str
    positions: str
    tied: str  # whether embedding and head are one matrix
    tied_unless_stated: bool
    vocabulary: str
    padded_vocabulary: str | None  # rows of the embedding, where a configuration states more of them than tokens


FORMATS = {  # by kind of model, which is `model_type` in config.json
    "llama": Format(
        layers="num_hidden_layers",
        width="hidden_size",
        heads="num_attention_heads",
        kv_heads="num_key_value_heads",
        feed_forward="intermediate_size",
        positions="max_position_embeddings",
        tied="tie_word_embeddings",
        tied_unless_stated=False,
        vocabulary="vocab_size",
        padded_vocabulary=None,
    ),
    "llada": Format(
        layers="n_layers",
        width="d_model",
        heads="n_heads",
        kv_heads="n_kv_heads",
        feed_forward="mlp_hidden_size",
        positions="max_sequence_length",
        tied="weight_tying",
        tied_unless_stated=True,
        vocabulary="vocab_size",
        padded_vocabulary="embedding_size",
    ),
}


@dataclass(frozen=True)
class Checkpoint:
    """A model directory: where it is, of which kind, its shape and special tokens."""

    path: Path
    kind: str  # a key of FORMATS and of bench/models/kinds.py
    config: dict
    random_seed: int | None = None  # not None: no weights there, they are made from this seed

    @property
    def causal(self) -> bool:
        """Whether a position sees only itself and what stands before it."""
        return KINDS[self.kind].causal

    @property
    def eos_ids(self) -> tuple[int, ...]:
        eos = self.config.get("eos_token_id")
        return tuple(eos) if isinstance(eos, list) else (eos,)

    @property
    def weight_files(self) -> list[Path]:
        """The files of the weights; none where they are made from a seed."""
        return [] if self.random_seed is not None else weight_files(self.path)

    @property
    def revision(self) -> str:
        """Twelve hex digits that name configuration and weights. All of the weights may have to be read for it."""
        return revisions.of_model(self.path, self.weight_files, self.random_seed)

    def with_tokenizer(self, directory: str | Path, fold_ids_below: int | None = None) -> str:
        """The revision of weights and tokenizer together."""
        return revisions.with_tokenizer(self.revision, directory, fold_ids_below)

    def former_revision(self, directory: str | Path, fold_ids_below: int | None = None) -> str:
        """What earlier code called the weights and the tokenizer together (bench/models/revision.py)."""
        model = revisions.of_model(self.path, self.weight_files, self.random_seed, former=True)
        return revisions.with_tokenizer(model, directory, fold_ids_below, former=True)

    @property
    def mask_id(self) -> int:
        """LLaDA's mask token."""
        return self.config["mask_token_id"]

    @property
    def max_positions(self) -> int:
        """The longest sequence, prompt and answer, that the model was made for."""
        return self.config[FORMATS[self.kind].positions]

    @property
    def shape(self) -> Shape:
        """The model's dimensions, under one set of names for all formats."""
        config, keys = self.config, FORMATS[self.kind]
        heads, width = config[keys.heads], config[keys.width]
        return Shape(
            layers=config[keys.layers],
            width=width,
            heads=heads,
            kv_heads=config.get(keys.kv_heads) or heads,
            head_width=config.get("head_dim") or width // heads,
            feed_forward=config[keys.feed_forward],
            vocabulary=config.get(keys.padded_vocabulary) or config[keys.vocabulary],
            tied=config.get(keys.tied, keys.tied_unless_stated),
        )

    @property
    def parameters(self) -> int:
        """Number of parameters, from the configuration. A tied head is counted once."""
        return self.shape.parameters

    @property
    def full_precision_rope(self) -> bool:
        """Whether rotations are computed in float32 whatever the dtype, which is the default of official LLaDA."""
        return KINDS[self.kind].rotates_in_float32 and bool(self.config.get("rope_full_precision", True))


def token_id(tokenizer: str | Path, text: str) -> int | None:
    """The id of a special token in a directory's tokenizer.json, None if it has no such token."""
    file = Path(tokenizer) / "tokenizer.json"
    added = read_json(file).get("added_tokens", []) if file.is_file() else []
    return next((token["id"] for token in added if token["content"] == text), None)


def read(path: str | Path, random_seed: int | None = None) -> Checkpoint:
    """Describe the model directory at `path`. Raises BadInput if this benchmark cannot run what is there.

    random_seed: read the configuration alone; the weights will be made from this seed on the device.
    """
    path = Path(path)
    file = path / "config.json"
    if not file.is_file():
        raise BadInput(f"{path}: no model there (config.json is missing); give the directory of a checkpoint")
    config = read_json(file)
    kind = config.get("model_type")
    if kind not in FORMATS:
        runs = " and ".join(map(repr, FORMATS))
        raise BadInput(f"{file}: model_type is {kind!r}; this benchmark runs {runs}")
    if kind == "llada":
        check_llada(file, config)
    generation = path / "generation_config.json"
    if generation.is_file():  # Instruct models name their end-of-turn token only there
        eos = read_json(generation).get("eos_token_id")
        config["eos_token_id"] = config.get("eos_token_id") if eos is None else eos
    if config.get("eos_token_id") is None:
        raise BadInput(f"{file}: eos_token_id is missing; it says where an answer ends")
    if random_seed is None:
        weight_files(path)  # refuses a directory that lacks some
    return Checkpoint(path, kind, config, random_seed)


def check_llada(file: Path, config: dict) -> None:
    """Raise BadInput, naming the key, for a LLaDA whose configuration asks for more than our block."""
    for key in LLADA_NEEDS:
        if config.get(key) is None:
            raise BadInput(f"{file}: {key} is missing; an official LLaDA configuration has it")
    for key, values in LLADA_ALLOWS.items():
        if key in config and config[key] not in values:
            raise BadInput(f"{file}: {key} is {config[key]!r}, which this architecture does not cover")
    if not isinstance(config.get("mask_token_id"), int):
        raise BadInput(f"{file}: mask_token_id is missing; a LLaDA checkpoint names its mask token there")


def weight_files(path: Path) -> list[Path]:
    """The safetensors shards of a directory, as its index lists them. Raises BadInput if any is missing."""
    index = path / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.is_file():
        places = read_json(index).get("weight_map")
        if not isinstance(places, dict) or not places:
            raise BadInput(f"{index}: weight_map is missing; it says which shard holds which tensor")
        names = sorted(set(places.values()))
    for name in names:
        if not (path / name).is_file():
            raise BadInput(f"{path / name}: weights are missing; only safetensors are read")
    return [path / name for name in names]
