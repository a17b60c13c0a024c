"""What the file of a grid may say.

A grid spans cells: the product of its lists (bench/spec/expand.py), by rules that concern several values together
(bench/spec/rules.py). Overrides from the command line replace a grid's values. A broken rule is one line that names
file, key and rule; nothing is ever changed silently.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from bench.common.errors import BadInput
from bench.common.read import bounded
from bench.common.yaml_file import Strict, read_yaml, validate
from bench.models.engines import ENGINES, EngineName
from bench.spec.axis import as_list
from bench.spec.pair import Float, ModelOfPair, Whole

GRIDS = Path("configs/grids")  # where grids are stated, a YAML file each
MOST_DIGITS = 18  # of a number on the command line
Axis = Whole | Annotated[list[Whole], Field(min_length=1)]  # a value, or several to span
Names = str | Annotated[list[str], Field(min_length=1)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Numbers = Number | Annotated[list[Number], Field(min_length=1)] | None
Refresh = Annotated[int, Field(strict=True)] | str  # of a cache: a number of steps, or a word
Head = Literal["official", "official-old", "lean"]
Attention = Literal["sdpa", "math"]
Fill = Literal["own", "heavy-tailed", "zero"]
Dtype = Literal[Float, "int8", "float8"]
Place = Literal["batch_size", "gen_length", "prompt_tokens", "engine"]
Stop = Literal["eos", "length", "references"]
FORCED = {"length"}
NOT_SCORED = {"length", "references"}  # answers that were not free to end, so that their text has no quality


class GridFile(Strict):
    """configs/grids/NAME.yaml: what to span. Lists are axes."""

    kind: str
    source: Literal["pair", "tasks", "problems"] = "pair"  # of the prompts: the pair's own, or generated
    model: ModelOfPair | Annotated[list[ModelOfPair], Field(min_length=1)]  # a kind, or a role in the pair
    gen_length: Axis = 128
    block_length: Axis = 32
    steps: Axis | None = None  # default: 128; where a sampler does not know its steps, the most: one a token
    tokens_per_step: Axis | None = None  # in place of steps: they grow with the length; of sampler imposed its own
    batch_size: Axis = 1
    prompts: Whole = 32
    calls: Whole | None = None  # scaling: of a cell, all of them in each round; in place of prompts
    prompt_tokens: Axis | None = None  # scaling: real prompts joined and cut to exactly as many (bench/data/prompts.py)
    repeat_prompts: Whole = 4  # prompts that later rounds time again
    stop: Stop | Annotated[list[Stop], Field(min_length=1)] | None = None  # how answers end; default: the pair's
    temperature: float = Field(default=0.0, ge=0, le=10)
    sampler: Names = "fixed"  # which masked positions a step of LLaDA's commits: bench/diffusion/choices.py
    cache: Names = "none"  # which keys and values a step of LLaDA's may reuse: bench/diffusion/choices.py
    threshold: Numbers = None  # from here on what belongs to some samplers or caches; ranges and defaults stand there
    factor: Numbers = None
    gamma: Numbers = None
    kl_threshold: Numbers = None
    refresh: Refresh | Annotated[list[Refresh], Field(min_length=1)] | None = None
    prompt_every: Axis | None = None
    response_every: Axis | None = None
    ratio: Numbers = None
    early_stop: bool = False  # whether LLaDA ends when everything up to an end token is committed
    remasking: Literal["low_confidence", "random"] = "low_confidence"
    cfg_scale: float = Field(default=0.0, ge=0, le=100)
    logits_eos_inf: bool = False
    confidence_eos_eot: Literal["off", "official", "intent"] = "off"
    engine: EngineName | Annotated[list[EngineName], Field(min_length=1)] = "eager"  # bench/models/engines.py
    head: Head | Annotated[list[Head], Field(min_length=1)] = "official"  # LLaDA's: bench/diffusion/head.py
    seed: int = Field(default=0, ge=0, lt=1 << 31)
    time_limit_s: float = Field(default=3600.0, gt=0, le=30 * 86400)  # of one cell in one round
    sentinel: bool = True  # whether each round begins and ends with the sentinel (bench/spec/sentinel.py)
    steps_timed: Annotated[int, Field(ge=2, strict=True)] | None = None  # scaling: run LLaDA's first steps alone
    tokens_timed: Annotated[int, Field(ge=4, strict=True)] | None = None  # and LLaMA's first and last tokens
    peaks_only: bool = False  # memory is asked, not time
    calls_only: bool = False  # of a GPU neither energy nor kernels are measured beside the calls, which takes seconds
    dtype: Dtype | Annotated[list[Dtype], Field(min_length=1)] | None = None  # default: the pair's
    attention: Attention | Annotated[list[Attention], Field(min_length=1)] = "sdpa"
    fill: Fill | Annotated[list[Fill], Field(min_length=1)] = "own"  # of matrices: other values than the model's own
    limit_gib: float | None = Field(default=None, gt=0)  # memory that a cell may have; default: what the device has
    # Where cells run a part of their calls: which run all their forwards as well (bench/spec/whole.py).
    whole: bool | Literal["ends"] = True
    first: dict[Place, list[int | str]] = Field(default={})  # cells with these values come before the others of a round
    also: list[dict[str, Any]] = Field(default=[])  # further products (products.py): values in place of those above
    pairs: dict[str, dict[str, Any]] = Field(default={})  # values that hold for a pair in place of those above

    @model_validator(mode="after")
    def scaling_is_not_scored(self) -> "GridFile":
        """Refuse settings under which text has no quality where answers are free to end, since they would be scored."""
        stops = self.stops
        for name in ("prompt_tokens", "calls"):
            if getattr(self, name) is not None and (stops - NOT_SCORED or self.is_generated):
                raise ValueError(f"{name}: such cells are timed, not scored; it needs stop: length, or references")
        for name in ("steps_timed", "tokens_timed"):
            if getattr(self, name) is not None and (stops - FORCED or self.is_generated):
                raise ValueError(f"{name}: such cells are timed, not scored; it needs stop: length")
        if self.whole == "ends" and self.peaks_only:
            raise ValueError("whole: ends checks times, and peaks_only asks for none; it is true or false there")
        if self.fill != "own" and stops - FORCED:
            raise ValueError("fill: weights of other values are timed, not scored; it needs stop: length")
        return self

    @property
    def is_generated(self) -> bool:
        """Whether its prompts are generated, and their answers checked by rule."""
        return self.source != "pair"

    @property
    def stops(self) -> set[str | None]:
        """How its answers end; None stands for the pair's way."""
        return set(as_list(self.stop))

    @property
    def needs_references(self) -> bool:
        """Whether some of its answers are as long as their prompts' references."""
        return "references" in self.stops

    @model_validator(mode="after")
    def parts_are_run_by_our_loops(self) -> "GridFile":
        """Refuse parts of calls, and stated lengths, on an engine whose calls are transformers' own: it cannot leave
        tokens out, nor end a row where it is told to."""
        whole = [engine for engine in as_list(self.engine) if not ENGINES[engine].runs_parts]
        if self.tokens_timed is not None and whole:
            raise ValueError(f"tokens_timed: engine {whole[0]} makes every token of a call; leave one of them out")
        if self.needs_references and whole:
            raise ValueError(f"stop: engine {whole[0]} does not end answers by references; leave one of them out")
        return self

    @model_validator(mode="after")
    def pairs_have_known_keys(self) -> "GridFile":
        """Refuse a misspelt key in the values of a pair, or one that a product cannot have of its own."""
        for pair, values in self.pairs.items():
            if unknown := sorted(set(values) - set(type(self).model_fields)):
                raise ValueError(f"pairs.{pair}: {unknown[0]} is no key of a grid")
        for number, values in enumerate(self.also, 1):
            if unknown := sorted(set(values) - (set(type(self).model_fields) - {"kind", "also", "pairs"})):
                raise ValueError(f"also: {unknown[0]} is no key of a further product (number {number})")
        return self


def read_grid(name: str, overrides: dict, pair: str | None = None) -> GridFile:
    """A grid by path or name, with the pair's values and then the overrides put in place of its own."""
    file = Path(name) if name.endswith(".yaml") else GRIDS / f"{name}.yaml"
    grid = read_yaml(file, GridFile, "grid", GRIDS)
    return validate(grid.model_dump() | grid.pairs.get(pair, {}) | overrides, GridFile, file)


def whole_numbers(text: str, key: str) -> list[int]:
    """The numbers of a text such as "16 64 256", sorted and distinct. key: its name on the command line.

    Raises BadInput for anything but whole numbers above 0.
    """
    words = text.replace(",", " ").split()
    if not words or not all(word.isdecimal() and len(word) <= MOST_DIGITS and int(word) > 0 for word in words):
        raise BadInput(f'{key}="{bounded(text)}": expected whole numbers above 0, such as {key}="16 64 256"')
    return sorted({int(word) for word in words})
