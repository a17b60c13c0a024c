"""YAML grids and pairs into validated cells, before any model loads: what the files may say, and who reads them.

A grid spans the product of its lists (bench/span.py, by the rules of bench/rules.py). Overrides (from the command
line) replace a grid's values. A rule that is broken is one line naming file, key and rule; nothing is ever changed
silently.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from bench import checkpoint, hub, prompts
from bench.cell import Cell, Prompt
from bench.errors import BadInput
from bench.schema import Strict, read_yaml, validate
from bench.span import by_prompts, cells_of, in_order, prompts_for, whole_cells

PAIRS = Path("configs/pairs")
GRIDS = Path("configs/grids")

Whole = Annotated[int, Field(ge=1, strict=True)]
Axis = Whole | Annotated[list[Whole], Field(min_length=1)]
Model = Literal["llama", "llada"]
Metric = Literal["accuracy", "bertscore_f1"]
Head = Literal["official", "official-old", "lean"]
Attention = Literal["sdpa", "math"]
Engine = Literal["eager", "captured"]
Fill = Literal["own", "heavy-tailed", "zero"]
Float = Literal["float32", "bfloat16", "float16"]
Dtype = Literal[Float, "int8"]
Place = Literal["batch_size", "gen_length", "prompt_tokens", "engine"]


class ModelFile(Strict):
    """Where a model of a pair lies."""

    weights: str  # directory with config.json and safetensors, or a name on the hub
    tokenizer: str | None = None  # directory, or package:NAME; default: that of the weights
    random_seed: int | None = None  # weights made from this seed; `weights` holds a configuration alone
    fold_ids_below: Whole | None = None  # prompt ids modulo this: another model's tokenizer

    @property
    def tokenizer_directory(self) -> str:
        return prompts.tokenizer_directory(self.tokenizer or self.weights)

    def encode(self, text: str) -> list[int]:
        """Token ids of a user's message."""
        ids = prompts.encode(self.tokenizer_directory, text)
        return ids if self.fold_ids_below is None else [i % self.fold_ids_below for i in ids]

    def filled(self, fill: str) -> "ModelFile":
        """The same shapes with matrices of other values, which are made from a seed."""
        return self if fill == "own" else self.model_copy(update={"random_seed": self.random_seed or 0})

    def describe(self) -> checkpoint.Checkpoint:
        return checkpoint.read(self.weights, self.random_seed)


class PromptFile(Strict):
    """Which prompts a pair is asked."""

    source: str = "sharegpt"
    max_prompt_tokens: Whole | None = None
    min_reference_chars: int = 0


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
        both = ((self.primary_metric, self.margin), (self.secondary_metric, self.secondary_margin))
        return {metric: margin for metric, margin in both if metric}

    @model_validator(mode="after")
    def metrics_apply(self) -> "PairFile":
        made_up = self.llama.random_seed is not None or self.llada.random_seed is not None
        if self.metrics and (made_up or self.stop == "length"):
            raise ValueError("primary_metric does not apply: random weights, or answers of forced length")
        return self


class GridFile(Strict):
    """configs/grids/NAME.yaml: what to span. Lists are axes."""

    kind: str
    source: Literal["pair", "tasks"] = "pair"  # of the prompts: the pair's own, or generated tasks
    model: Model | Annotated[list[Model], Field(min_length=1)]
    gen_length: Axis = 128
    block_length: Axis = 32
    steps: Axis = 128
    tokens_per_step: Axis | None = None  # in place of steps: they grow with the length
    batch_size: Axis = 1
    prompts: Whole = 32
    calls: Whole | None = None  # scaling: of a cell, all of them in each round; in place of prompts
    prompt_tokens: Axis | None = None  # scaling: real prompts joined and cut to exactly as many (bench/prompts.py)
    repeat_prompts: Whole = 4  # prompts that later rounds time again
    stop: Literal["eos", "length"] | None = None  # default: the pair's
    temperature: float = Field(default=0.0, ge=0, le=10)
    remasking: Literal["low_confidence", "random"] = "low_confidence"
    cfg_scale: float = Field(default=0.0, ge=0, le=100)
    logits_eos_inf: bool = False
    confidence_eos_eot: Literal["off", "official", "intent"] = "off"
    engine: Engine | Annotated[list[Engine], Field(min_length=1)] = "eager"  # bench/engines.py
    head: Head | Annotated[list[Head], Field(min_length=1)] = "official"  # LLaDA's: bench/diffusion/samplers.py
    seed: int = Field(default=0, ge=0, lt=1 << 31)
    time_limit_s: float = Field(default=3600.0, gt=0, le=30 * 86400)  # of one cell in one round
    sentinel: bool = True  # whether each round begins and ends with the sentinel (bench/sentinel.py)
    steps_timed: Annotated[int, Field(ge=2, strict=True)] | None = None  # scaling: run LLaDA's first steps alone
    tokens_timed: Annotated[int, Field(ge=4, strict=True)] | None = None  # and LLaMA's first and last tokens
    peaks_only: bool = False  # memory is asked, not time
    dtype: Dtype | Annotated[list[Dtype], Field(min_length=1)] | None = None  # default: the pair's; int8: weights alone
    attention: Attention | Annotated[list[Attention], Field(min_length=1)] = "sdpa"
    fill: Fill | Annotated[list[Fill], Field(min_length=1)] = "own"  # of matrices: other values than the model's own
    limit_gib: float | None = Field(default=None, gt=0)  # memory that a cell may have; default: what the device has
    whole: bool = True  # where cells run a part, one cell of each model that runs all its forwards as well
    first: dict[Place, list[int | str]] = Field(default={})  # cells with these values come before the others of a round
    pairs: dict[str, dict[str, Any]] = Field(default={})  # values that hold for a pair in place of those above

    @model_validator(mode="after")
    def scaling_is_not_scored(self) -> "GridFile":
        for name in ("prompt_tokens", "calls", "steps_timed", "tokens_timed"):
            if getattr(self, name) is not None and (self.stop != "length" or self.source == "tasks"):
                raise ValueError(f"{name}: such cells are timed, not scored; it needs stop: length")
        if self.fill != "own" and self.stop != "length":
            raise ValueError("fill: weights of other values are timed, not scored; it needs stop: length")
        return self

    @model_validator(mode="after")
    def pairs_have_known_keys(self) -> "GridFile":
        for pair, values in self.pairs.items():
            if unknown := sorted(set(values) - set(type(self).model_fields)):
                raise ValueError(f"pairs.{pair}: {unknown[0]} is no key of a grid")
        return self


def read_pair(name: str) -> PairFile:
    """The pair NAME of configs/pairs, or the pair in a YAML file given by its path."""
    file = Path(name) if name.endswith(".yaml") else PAIRS / f"{name}.yaml"
    pair = read_yaml(file, PairFile, "pair", PAIRS)
    if pair.name != file.stem:
        raise BadInput(f"{file}: name: is {pair.name!r}, but must be that of the file, {file.stem!r}")
    return pair


def read_grid(name: str, overrides: dict, pair: str | None = None) -> GridFile:
    """A grid by path or name, with the pair's values and then the overrides put in place of its own."""
    file = Path(name) if name.endswith(".yaml") else GRIDS / f"{name}.yaml"
    grid = read_yaml(file, GridFile, "grid", GRIDS)
    return validate(grid.model_dump() | grid.pairs.get(pair, {}) | overrides, GridFile, file)


def whole_numbers(text: str, key: str) -> list[int]:
    """ "16 64 256" as a list. Raises BadInput for anything else."""
    words = text.replace(",", " ").split()
    if not words or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise BadInput(f'{key}="{text}": expected whole numbers above 0, such as {key}="16 64 256"')
    return sorted({int(word) for word in words})


def place_model(pair: PairFile, model: str | None) -> PairFile:
    """The pair with a directory of the user's in place of its model of the same kind."""
    if not model:
        return pair
    kind = checkpoint.read(model).kind
    return pair.model_copy(update={kind: ModelFile(weights=model)})


def fetch(pair: PairFile) -> PairFile:
    """The pair with hub names replaced by local directories. Raises BadInput for a model of the wrong kind."""
    for kind in ("llama", "llada"):
        files: ModelFile = getattr(pair, kind)
        pair = pair.model_copy(update={kind: files.model_copy(update={"weights": hub.locate(files.weights)})})
        found = getattr(pair, kind).describe().kind
        if found != kind:
            raise BadInput(f"{files.weights}: holds a {found} model where pair {pair.name} wants a {kind}")
    return pair


def resolve(
    grids: list[GridFile], where: list[str], pair: PairFile, device: str, prompts_file: str | None
) -> tuple[list[Cell], dict[str, tuple[Prompt, ...]]]:
    """All cells of some grids on one pair, and the prompt sets that they run on by hash. Raises BadInput.

    where: the grids' names for messages. Cells with fewer prompts run on the first of the longest set.
    """
    pair = fetch(pair)
    longest = prompts_for([part for grid in grids for part in by_prompts(grid)], pair, prompts_file)
    cells: dict[str, Cell] = {}
    sets: dict[str, tuple[Prompt, ...]] = {}
    for grid, name in zip(grids, where, strict=True):
        found = []
        for part in by_prompts(grid):
            chosen = longest[part.source, part.prompt_tokens][: part.prompts]
            prompt_hash = prompts.keep(chosen, with_ids=part.prompt_tokens is not None)
            sets[prompt_hash] = chosen
            found += cells_of(part, pair, device, chosen, prompt_hash, name)
        for cell in in_order(grid, [*(whole_cells(found) if grid.whole else ()), *found]):
            cells.setdefault(cell.cell_id, cell)
    return list(cells.values()), sets
