"""What a model directory holds, read without torch, so that bad input is refused before anything loads.

A directory has a config.json, safetensors (one file, or shards with an index) and a tokenizer. Which configurations are
computed is checked in `configuration.py`, and the headers of the weights in `tensor_files.py`; what a kind of model
asks of its directory is stated in its own file (`llama.py`, `llada.py`).
"""

from dataclasses import dataclass
from pathlib import Path

from bench.common.errors import BadInput
from bench.models import configuration, tensor_files
from bench.models import revision as revisions
from bench.models.json_file import read_json
from bench.models.kind import Kind
from bench.models.kinds import KINDS, OTHER_KINDS
from bench.models.shape import Shape
from bench.models.tensor_files import Stored

END_OF_TURN = "<|eot_id|>"
OTHER_WEIGHTS = ("*.bin", "*.gguf", "*.pth", "*.pt", "*.ckpt")  # formats that are not read


@dataclass(frozen=True)
class Checkpoint:
    """A model directory: where it is, of which kind, its shape and special tokens."""

    path: Path
    kind: str  # a key of bench/models/kinds.py
    config: dict
    random_seed: int | None = None  # not None: no weights there, they are made from this seed

    @property
    def about_kind(self) -> Kind:
        """What this kind of model states about itself."""
        return KINDS[self.kind]

    @property
    def causal(self) -> bool:
        """Whether a position sees only itself and what stands before it."""
        return self.about_kind.causal

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """The tokens that end an answer."""
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

    def with_tokenizer(
        self, directory: str | Path, fold_ids_below: int | None = None, shift_ids_by: int | None = None
    ) -> str:
        """The revision of weights and tokenizer together."""
        return revisions.with_tokenizer(self.revision, directory, fold_ids_below, shift_ids_by=shift_ids_by)

    def former_revision(
        self, directory: str | Path, fold_ids_below: int | None = None, shift_ids_by: int | None = None
    ) -> str:
        """What earlier code called the weights and the tokenizer together (bench/models/revision.py)."""
        model = revisions.of_model(self.path, self.weight_files, self.random_seed, former=True)
        return revisions.with_tokenizer(model, directory, fold_ids_below, former=True, shift_ids_by=shift_ids_by)

    @property
    def mask_id(self) -> int:
        """LLaDA's mask token."""
        return self.config["mask_token_id"]

    @property
    def max_positions(self) -> int:
        """The longest sequence, prompt and answer, that the model was made for."""
        return self.config[self.about_kind.configuration.keys.positions]

    @property
    def shape(self) -> Shape:
        """The model's dimensions, under one set of names for all kinds."""
        config, keys = self.config, self.about_kind.configuration.keys
        heads, width = config[keys.heads], config[keys.width]
        return Shape(
            layers=config[keys.layers],
            width=width,
            heads=heads,
            kv_heads=config.get(keys.kv_heads) or heads,
            head_width=configuration.head_width(config, self.about_kind),
            feed_forward=config[keys.feed_forward],
            vocabulary=config.get(keys.padded_vocabulary or "") or config[keys.vocabulary],
            tied=config.get(keys.tied, keys.tied_unless_stated),
            attention_bias=bool(config.get("attention_bias")),
            feed_forward_bias=bool(config.get("mlp_bias")),
        )

    @property
    def parameters(self) -> int:
        """Number of parameters, from the configuration. A tied head is counted once."""
        return self.shape.parameters

    @property
    def full_precision_rope(self) -> bool:
        """Whether rotations are computed in float32 whatever the dtype, which is the default of official LLaDA."""
        return self.about_kind.rotates_in_float32 and bool(self.config.get("rope_full_precision", True))

    def check_engine(self, engine: str) -> None:
        """Raise BadInput where this kind of model has no such engine, and, naming the key, where the engine does not
        compute what config.json describes."""
        if engine not in self.about_kind.engines:
            has = ", ".join(self.about_kind.engines)
            raise BadInput(f"{self.path}: {self.about_kind.label} has no engine {engine} (it has: {has})")
        if engine == "captured":
            configuration.check_captured(self.path / "config.json", self.config, self.about_kind)

    def is_computed_by(self, engine: str) -> bool:
        """Whether an engine computes what config.json describes."""
        try:
            self.check_engine(engine)
        except BadInput:
            return False
        return True

    def tensors(self) -> dict[str, Stored]:
        """Where each parameter lies, by its name in transformers' `LlamaForCausalLM`. Raises BadInput, naming what is
        wrong with the files."""
        return tensor_files.find(weight_files(self.path), self.about_kind, self.shape)


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
    check_is_whole_model(path)
    config = read_json(file)
    name = config.get("model_type")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        runs = " and ".join(map(repr, KINDS))
        reason = f"; {OTHER_KINDS[name]}" if isinstance(name, str) and name in OTHER_KINDS else ""
        raise BadInput(f"{file}: model_type is {name!r}; this benchmark runs {runs}{reason}")
    generation = path / "generation_config.json"
    defaults = read_json(generation) if generation.is_file() else {}
    configuration.check_decoding(generation, defaults, kind)
    ends = defaults.get("eos_token_id")  # Instruct models name their end-of-turn token only there
    if ends is not None:
        config["eos_token_id"] = ends
    configuration.check(file, config, kind, generation if ends is not None else file)
    described = Checkpoint(path, name, config, random_seed)
    if random_seed is None:
        described.tensors()  # refuses files that do not hold them
    return described


def check_is_whole_model(path: Path) -> None:
    """Raise BadInput for a directory that is no model, or only what is added to another one."""
    if (path / "adapter_config.json").is_file():
        raise BadInput(
            f"{path}: holds an adapter such as LoRA's (adapter_config.json), not a whole model; merge it into its base"
            " model (merge_and_unload in peft) and give the directory of the result"
        )
    if not (path / "config.json").is_file():
        raise BadInput(f"{path}: no model there (config.json is missing); give the directory of a checkpoint")


def weight_files(path: Path) -> list[Path]:
    """The safetensors files of a directory: the one file, else the shards of its index. Raises BadInput if any is
    missing."""
    whole, index = path / "model.safetensors", path / "model.safetensors.index.json"
    if whole.is_file():  # before the index, as in transformers
        return [whole]
    if index.is_file():
        return [path / name for name in tensor_files.check_index(index)]
    parts = sorted(file.name for file in path.glob("*.safetensors"))
    if parts:
        raise BadInput(f"{whole}: weights are missing; {parts[0]} is there, but no {index.name} that lists it")
    others = sorted(file.name for pattern in OTHER_WEIGHTS for file in path.glob(pattern))
    there = f"; {others[0]} is there: convert it, for example with transformers' save_pretrained" if others else ""
    raise BadInput(f"{whole}: weights are missing; only safetensors are read{there}")
