"""What the file of published numbers says: paper/published.yaml.

Every value is of its source, in its source's setting; what a source does not say reads "not stated".
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bench.common import stats
from bench.common.yaml_file import Strict, read_yaml
from bench.spec.pair import Model, Whole

FILE = Path("paper/published.yaml")
Unstated = Literal["not stated"]
Text = Annotated[str, Field(min_length=1)]
Engine = Literal["eager", "captured"]


class Source(Strict):
    """Who published something, and where it stands."""

    name: Text
    at: Annotated[str, Field(pattern=r"^(arXiv:\d{4}\.\d{5}|https://\S+)$")]


class Task(Strict):
    """A task and how many items its score is a mean of. recipe: its name in configs/recipes, where there is one."""

    label: Text
    items: Whole
    source: Text  # of the number of items
    recipe: str | None = None


class Accuracy(Strict):
    """A published share of right answers with its setting."""

    task: Text
    source: Text
    model: Text  # as the source names it
    kind: Model  # whose time stands beside it
    percent: float = Field(ge=0, le=100)
    shots: Annotated[int, Field(ge=0)] | Unstated  # worked examples before each question
    harness: Text
    precision: Text
    gen_length: Whole | Unstated  # of the canvas, in tokens
    block_length: Whole | Unstated | None = None
    forwards: Whole | None = None  # of an answer, or
    tokens_per_forward: float | None = Field(default=None, ge=1)  # of the canvas
    decoder: Text | None = None
    cache: Literal["none", "keys and values", "not stated"] | None = None
    distilled: bool = False  # whether other weights were trained for the decoder

    @model_validator(mode="after")
    def steps_belong_to_a_canvas(self) -> "Accuracy":
        """Refuse steps of a model that has none, and steps that are not said or said twice."""
        stated = (self.forwards, self.tokens_per_forward)
        if self.kind == "llama":
            if any(value is not None for value in (*stated, self.decoder, self.cache, self.block_length)):
                raise ValueError("of a llama without steps, block, decoder and cache are left out")
            return self
        if stated.count(None) != 1:
            raise ValueError("give either forwards (of an answer) or tokens_per_forward")
        if self.gen_length == "not stated" or None in (self.decoder, self.cache, self.block_length):
            raise ValueError("a llada needs gen_length in tokens, block_length, decoder and cache")
        return self

    @property
    def steps(self) -> float:
        """Forwards of an answer that fills the canvas."""
        return float(self.forwards or self.gen_length / self.tokens_per_forward)

    def share(self, items: int) -> stats.Estimate:
        """The accuracy with Wilson's interval. The published percentage is rounded to a count of right answers."""
        return stats.proportion(round(self.percent / 100 * items), items)


class Ours(Strict):
    """Which number of a study stands beside a claim.

    number: of results.json, over: another one that it is divided by, times: a change of unit. steps_for_value: at most
    how many steps give the claimed ratio of throughputs. rate, ratio: LLaDA's tokens a second at the claim's forwards,
    and its throughput over LLaMA's; these are of answers of gen_length tokens at batch 1 on an engine.
    """

    label: Text
    quantity: Literal["number", "steps_for_value", "rate", "ratio"]
    number: str | None = None
    over: str | None = None
    times: float = Field(default=1.0, gt=0)
    engine: Engine | None = None
    gen_length: Whole | None = None
    tokens_per_forward: float = Field(default=1.0, ge=1)
    differs: Text | None = None  # what is not as in the claim's setting
    is_contrast: bool = False  # whether it is not what the claim is about, but stands beside it

    @model_validator(mode="after")
    def says_what_it_takes(self) -> "Ours":
        """Refuse a number without a name, and a quantity of no place."""
        if (self.quantity == "number") != (self.number is not None):
            raise ValueError("number: the name in results.json belongs to quantity: number, which needs it")
        if self.quantity != "number" and None in (self.engine, self.gen_length):
            raise ValueError(f"{self.quantity} needs engine and gen_length")
        return self


class Cause(Strict):
    """What likely makes our number lie above theirs, or below."""

    above: Text
    below: Text


class Elsewhere(Strict):
    """What was measured here outside a study, and the page that has it."""

    text: Text
    page: Text


class Claim(Strict):
    """A published number, by its own rule of counting and by ours. `{value:g}` in statement stands for the value."""

    source: Text
    statement: Text
    value: float | None = Field(default=None, gt=0)  # None of a claim without a number
    unit: Text
    setting: Text
    card: Text
    counted: Text  # the source's rule
    restated: Text  # ours
    ours: tuple[Ours, ...] = ()
    cause: Cause | None = None
    elsewhere: Elsewhere | None = None

    @property
    def text(self) -> str:
        """The statement with its value."""
        return self.statement if self.value is None else self.statement.format(value=self.value)


class Published(Strict):
    """paper/published.yaml. pairs: whose times may stand beside it. margin_of: the pair whose declared margin of
    accuracy decides what is as good."""

    pairs: Annotated[list[str], Field(min_length=1)]
    margin_of: Text
    sources: dict[str, Source]
    tasks: dict[str, Task]
    accuracies: dict[str, Accuracy]
    claims: dict[str, Claim]

    @model_validator(mode="after")
    def names_are_known(self) -> "Published":
        """Refuse a source or task that the file does not state."""
        for group in (self.tasks, self.accuracies, self.claims):
            for name, value in group.items():
                if value.source not in self.sources:
                    raise ValueError(f"{name}: source {value.source} is not among sources: {', '.join(self.sources)}")
        for name, accuracy in self.accuracies.items():
            if accuracy.task not in self.tasks:
                raise ValueError(f"{name}: task {accuracy.task} is not among tasks: {', '.join(self.tasks)}")
        return self


@cache
def read(file: Path = FILE) -> Published:
    """The published numbers of a file, read and checked once. Raises BadInput naming file, key and rule."""
    return read_yaml(file, Published, "list of published numbers", file.parent)
