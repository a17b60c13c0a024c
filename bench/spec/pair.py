"""What the file of a pair may say: the two models under comparison, their prompts, and how quality is judged."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bench.common.errors import BadInput
from bench.common.yaml_file import Strict, read_yaml
from bench.data import tokenizers
from bench.models import checkpoint, hub
from bench.models.kinds import KINDS

PAIRS = Path("configs/pairs")  # where pairs are stated, a YAML file each

Whole = Annotated[int, Field(ge=1, strict=True)]  # a whole number above 0
Model = Literal["llama", "llada"]
Metric = Literal["accuracy", "bertscore_f1"]
Float = Literal["float32", "bfloat16", "float16"]


class ModelFile(Strict):
    """Where a model of a pair lies and how prompts become its token ids."""

    weights: str  # directory with config.json and safetensors, or a name on the hub
    tokenizer: str | None = None  # directory, or package:NAME; default: that of the weights
    random_seed: int | None = None  # weights made from this seed; `weights` holds a configuration alone
    fold_ids_below: Whole | None = None  # prompt ids modulo this: another model's tokenizer

    @property
    def tokenizer_directory(self) -> str:
        """The directory that holds tokenizer.json. Raises BadInput for a package that is not installed."""
        return tokenizers.tokenizer_directory(self.tokenizer or self.weights)

    def encode(self, text: str) -> list[int]:
        """Token ids of a user's message."""
        ids = tokenizers.encode(self.tokenizer_directory, text)
        return ids if self.fold_ids_below is None else [i % self.fold_ids_below for i in ids]

    def filled(self, fill: str) -> "ModelFile":
        """The same shapes with matrices of other values, which are made from a seed."""
        return self if fill == "own" else self.model_copy(update={"random_seed": self.random_seed or 0})

    def describe(self) -> checkpoint.Checkpoint:
        """What the weights' directory holds: kind, shape, special tokens, revision. Loads no weights."""
        return checkpoint.read(self.weights, self.random_seed)


class PromptFile(Strict):
    """Which prompts the models of a pair are asked."""

    source: str = "sharegpt"  # or the path of a JSON-lines file
    max_prompt_tokens: Whole | None = None  # longer prompts are left out
    min_reference_chars: int = 0  # prompts with a shorter reference are left out


class PairFile(Strict):
    """configs/pairs/NAME.yaml: the two models under comparison and how quality is judged."""

    name: str
    llama: ModelFile
    llada: ModelFile
    dtype: Float
    prompts: PromptFile
    stop: Literal["eos", "length"] = "eos"  # length: every answer has full length, end tokens ignored
    primary_metric: Metric | None = None  # of the cross-over; none: nothing is scored. accuracy needs the tasks
    margin: float = Field(default=0.0, ge=0)  # LLaDA matches where it is at most this much worse
    secondary_metric: Metric | None = None
    secondary_margin: float = Field(default=0.0, ge=0)
    encoder: Literal["minilm", "mpnet"] = "minilm"  # of BERTScore
    judge: str = "smollm2"  # a directory of a causal model instead, or none

    @property
    def metrics(self) -> dict[str, float]:
        """The margin of each declared metric, the primary one first."""
        declared = ((self.primary_metric, self.margin), (self.secondary_metric, self.secondary_margin))
        return {metric: margin for metric, margin in declared if metric}

    @model_validator(mode="after")
    def metrics_apply(self) -> "PairFile":
        """Refuse a metric of quality for texts that are noise, or that were not free to end."""
        made_up = self.llama.random_seed is not None or self.llada.random_seed is not None
        if self.metrics and (made_up or self.stop == "length"):
            raise ValueError("primary_metric does not apply: random weights, or answers of forced length")
        return self


def file_of(name: str) -> Path:
    """Where the pair NAME is stated: in configs/pairs, or in the YAML file that NAME is the path of."""
    return Path(name) if name.endswith(".yaml") else PAIRS / f"{name}.yaml"


def read_pair(name: str) -> PairFile:
    """The pair NAME of configs/pairs, or the pair in a YAML file given by its path."""
    file = file_of(name)
    pair = read_yaml(file, PairFile, "pair", PAIRS)
    if pair.name != file.stem:
        raise BadInput(f"{file}: name: is {pair.name!r}, but must be that of the file, {file.stem!r}")
    return pair


def place_model(pair: PairFile, model: str | None) -> PairFile:
    """The pair with a directory of the user's in place of its model of the same kind."""
    if not model:
        return pair
    kind = checkpoint.read(model).kind
    return pair.model_copy(update={kind: ModelFile(weights=model)})


def fetch(pair: PairFile) -> PairFile:
    """The pair with hub names replaced by local directories. Raises BadInput for a model of the wrong kind."""
    for kind in KINDS:
        files: ModelFile = getattr(pair, kind)
        pair = pair.model_copy(update={kind: files.model_copy(update={"weights": hub.locate(files.weights)})})
        actual = getattr(pair, kind).describe().kind
        if actual != kind:
            raise BadInput(f"{files.weights}: holds a {actual} model where pair {pair.name} wants a {kind}")
    return pair
