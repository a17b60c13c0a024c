"""What the file of a pair may say: the two models under comparison, their prompts, and how quality is judged."""

import difflib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from bench.common.errors import BadInput
from bench.common.yaml_file import Strict, read_yaml
from bench.data import served, tokenizers
from bench.models import checkpoint, hub, kinds
from bench.models.server import Said
from bench.spec import recipes
from bench.spec.server_file import ServerFile, with_address

PAIRS = Path("configs/pairs")  # where pairs are stated, a YAML file each

Whole = Annotated[int, Field(ge=1, strict=True)]  # a whole number above 0
Metric = Literal["accuracy", "bertscore_f1"]  # of the texts of a study: right answers to generated tasks, BERTScore
METRICS = get_args(Metric)
Float = Literal["float32", "bfloat16", "float16"]


def kind_of_model(name: str) -> str:
    """The name, if it is that of a kind of model. Raises ValueError."""
    if name not in kinds.KINDS:
        raise ValueError(f"Input should be {' or '.join(map(repr, kinds.KINDS))}")
    return name


def kind_or_role(name: str) -> str:
    """The name, if it is that of a kind of model or of a role in a pair. Raises ValueError."""
    return name if name in (kinds.AUTOREGRESSIVE, kinds.DIFFUSION) else kind_of_model(name)


Model = Annotated[str, AfterValidator(kind_of_model)]
ModelOfPair = Annotated[str, AfterValidator(kind_or_role)]


class ModelFile(Strict):
    """Where a model of a pair lies and how prompts become its token ids."""

    weights: str  # directory with config.json and safetensors, or a name on the hub; of a server its address
    tokenizer: str | None = None  # directory, or package:NAME; default: that of the weights
    random_seed: int | None = None  # weights made from this seed; `weights` holds a configuration alone
    fold_ids_below: Whole | None = None  # prompt ids modulo this: another model's tokenizer
    shift_ids_by: Whole | None = None  # then this is added: clear of special tokens with low ids
    server: ServerFile | None = None  # in place of weights: a model behind an address

    @model_validator(mode="before")
    @classmethod
    def a_server_stands_for_weights(cls, data: Any) -> Any:
        """Let a server's address stand alone, and refuse what it cannot have."""
        return with_address(data) if isinstance(data, dict) and data.get("server") is not None else data

    @property
    def tokenizer_directory(self) -> str:
        """The directory that holds tokenizer.json. Raises BadInput for a package that is not installed."""
        return tokenizers.tokenizer_directory(self.tokenizer or self.weights)

    def encode(self, text: str) -> list[int]:
        """Token ids of a user's message."""
        ids = tokenizers.encode(self.tokenizer_directory, text)
        if self.fold_ids_below:
            ids = [i % self.fold_ids_below for i in ids]
        return [i + self.shift_ids_by for i in ids] if self.shift_ids_by else ids

    def answer_tokens(self, text: str) -> int:
        """Tokens of a text that the model would answer, at least one."""
        return max(1, tokenizers.count(self.tokenizer_directory, text))

    def filled(self, fill: str) -> "ModelFile":
        """The same shapes with matrices of other values, which are made from a seed."""
        return self if fill == "own" else self.model_copy(update={"random_seed": self.random_seed or 0})

    def describe(self) -> checkpoint.Checkpoint:
        """What the weights' directory holds: kind, shape, special tokens, revision. Loads no weights.

        Raises BadInput for a server, which shows nothing of the kind.
        """
        if self.server:
            raise BadInput(
                f"{self.weights}: a server does not show the weights that this needs; give a model's `weights:`"
            )
        return checkpoint.read(self.weights, self.random_seed)

    def look(self) -> Said:
        """What the server says of itself. Raises BadInput where it is not there, or has another model."""
        return served.look(self.server.asked, self.tokenizer_directory)

    def revision(self) -> str:
        """Twelve hex digits that name the weights, or the server, and how prompts become ids."""
        if self.server:
            return served.revision(self.look(), self.tokenizer_directory)
        ids = self.fold_ids_below, self.shift_ids_by
        return self.describe().with_tokenizer(self.tokenizer_directory, *ids)

    def former_revision(self) -> str:
        """What earlier code called them (bench/models/revision.py)."""
        if self.server:
            return self.revision()
        ids = self.fold_ids_below, self.shift_ids_by
        return self.describe().former_revision(self.tokenizer_directory, *ids)


class PromptFile(Strict):
    """Which prompts the models of a pair are asked."""

    source: str = "sharegpt"  # or the path of a JSON-lines file
    max_prompt_tokens: Whole | None = None  # longer prompts are left out
    min_reference_chars: int = 0  # prompts with a shorter reference are left out


class PairFile(Strict):
    """configs/pairs/NAME.yaml: the two models under comparison and how quality is judged.

    Each model stands under the name of its kind (bench/models/kinds.py), such as `llama:` and `llada:`.
    """

    model_config = ConfigDict(extra="allow")
    further: ClassVar[type[Strict]] = ModelFile
    __pydantic_extra__: dict[str, ModelFile]

    name: str
    dtype: Float
    prompts: PromptFile
    stop: Literal["eos", "length"] = "eos"  # length: every answer has full length, end tokens ignored
    # Of the cross-over: of METRICS, of which accuracy needs the tasks, or a recipe's name, such as gsm8k: accuracy in
    # that task of lm-evaluation-harness. None: nothing is scored.
    primary_metric: str | None = None
    margin: float = Field(default=0.0, ge=0, lt=1)  # LLaDA matches where it is at most this much worse
    secondary_metric: str | None = None
    secondary_margin: float = Field(default=0.0, ge=0, lt=1)
    task_path: Path | None = None  # a folder of tasks in lm-eval's format, where a metric is one of these
    encoder: Literal["minilm", "mpnet"] = "minilm"  # of BERTScore
    judge: str = "smollm2"  # a directory of a causal model instead, or none

    @property
    def models(self) -> dict[str, ModelFile]:
        """The two models by their kinds, in the order of the table of kinds."""
        return {kind: self.__pydantic_extra__[kind] for kind in kinds.KINDS if kind in self.__pydantic_extra__}

    def kind_of(self, name: str) -> str:
        """The kind of the model that a grid calls by its kind or by its role in the pair."""
        return next((kind for kind in self.models if kinds.role_of(kind) == name), name)

    @property
    def has_random_weights(self) -> bool:
        """Whether a model's weights are made from a seed, so that its texts are noise."""
        return any(files.random_seed is not None for files in self.models.values())

    @property
    def has_server(self) -> bool:
        """Whether a model is behind an address, so that nobody knows its shape or what a forward of it costs."""
        return any(files.server for files in self.models.values())

    @property
    def metrics(self) -> dict[str, float]:
        """The margin of each declared metric, the primary one first."""
        declared = ((self.primary_metric, self.margin), (self.secondary_metric, self.secondary_margin))
        return {metric: margin for metric, margin in declared if metric}

    @property
    def primary_task(self) -> str | None:
        """The task of lm-evaluation-harness in which accuracy is the primary metric; None where that is another."""
        return None if self.primary_metric in METRICS else self.primary_metric

    def accuracy_margin(self, task: str) -> float | None:
        """How much less LLaDA's accuracy may be in a task of lm-evaluation-harness. The margin of the task where it is
        declared, else of another accuracy, which has the same unit; None where only other metrics are declared."""
        accuracies = [margin for metric, margin in self.metrics.items() if metric != "bertscore_f1"]
        return self.metrics.get(task, accuracies[0] if accuracies else None)

    @model_validator(mode="before")
    @classmethod
    def other_keys_are_kinds_of_models(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Refuse a misspelt key, since every key that is no field of a pair must name a kind of model."""
        for key in data:
            if key not in cls.model_fields and key not in kinds.KINDS:
                raise ValueError(f"{key}: no such key; known keys: {', '.join([*kinds.KINDS, *cls.model_fields])}")
        return data

    @model_validator(mode="after")
    def has_a_model_of_each_role(self) -> "PairFile":
        """Refuse anything but one model that writes token by token and one that denoises in steps."""
        if sorted(map(kinds.role_of, self.models)) != [kinds.AUTOREGRESSIVE, kinds.DIFFUSION]:
            choices = " and ".join(
                f"one {role} model ({' or '.join(kind for kind in kinds.KINDS if kinds.role_of(kind) == role)})"
                for role in (kinds.AUTOREGRESSIVE, kinds.DIFFUSION)
            )
            raise ValueError(f"a pair has {choices}; models in this file: {', '.join(self.models) or 'none'}")
        return self

    @model_validator(mode="after")
    def tasks_have_recipes(self) -> "PairFile":
        """Refuse a metric that is neither one of texts nor a task with a recipe."""
        places = recipes.folders(self.task_path)
        if self.task_path is not None and not places[0].is_dir():
            raise ValueError(f"task_path: there is no folder {places[0]}, which has the recipes of its tasks")
        known = recipes.names(places)
        for key, metric in (("primary_metric", self.primary_metric), ("secondary_metric", self.secondary_metric)):
            if metric is not None and metric not in (*METRICS, *known):
                near = difflib.get_close_matches(metric, (*METRICS, *known), 1, 0.6)
                raise ValueError(
                    f"{key}: {metric!r} is neither {' nor '.join(METRICS)} nor a task with a recipe"
                    f"{f'; did you mean {near[0]}?' if near else ''} (recipes: {', '.join(known) or 'none'})"
                )
        if self.primary_metric is not None and self.primary_metric == self.secondary_metric:
            raise ValueError(f"secondary_metric: is {self.secondary_metric!r}, as primary_metric is; leave it out")
        return self

    @model_validator(mode="after")
    def metrics_apply(self) -> "PairFile":
        """Refuse a metric of quality for texts that are noise, or that were not free to end."""
        if self.metrics and (self.has_random_weights or self.stop == "length"):
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
    """The pair with hub names replaced by local directories. Raises BadInput for a model of the wrong kind, and for a
    server that is not there or has another model."""
    for kind, files in pair.models.items():
        if files.server:
            files.look()
            continue
        located = files.model_copy(update={"weights": hub.locate(files.weights)})
        pair = pair.model_copy(update={kind: located})
        actual = located.describe().kind
        if actual != kind:
            raise BadInput(f"{files.weights}: holds a {actual} model where pair {pair.name} wants a {kind}")
    return pair
