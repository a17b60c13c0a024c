"""What the file of hypotheses says: paper/hypotheses.yaml."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bench.common.yaml_file import Strict
from bench.cost.floors import Ceilings
from bench.spec import grid
from bench.spec.pair import Model, Whole


class Claim(Strict):
    """One number of a hypothesis, and by which factor a measurement may differ from it."""

    quantity: Literal["throughput_ratio", "latency_ratio", "turning_batch", "largest_batch", "break_even_steps"]
    gen_length: Whole
    batch: Whole = 1
    tokens_per_step: float | None = Field(default=None, gt=0)
    model: Model | None = None  # of largest_batch
    head: grid.Head = "lean"
    value: float = Field(gt=0)
    factor: float = Field(gt=1)

    @model_validator(mode="after")
    def largest_batch_has_a_model(self) -> "Claim":
        """Refuse a largest batch of nobody's."""
        if self.quantity == "largest_batch" and self.model is None:
            raise ValueError("largest_batch needs the kind of model that it is about, such as model: llada")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which numbers a measurement must lie."""
        return self.value / self.factor, self.value * self.factor


class Hypothesis(Strict):
    """A statement, in which `{0:.1f}` stands for the value of its first claim, and the engine that it is about."""

    statement: str
    engine: Literal["eager", "captured"]
    claims: Annotated[list[Claim], Field(min_length=1)]

    @property
    def text(self) -> str:
        """The statement with its claims' values."""
        return " ".join(self.statement.split()).format(*[claim.value for claim in self.claims])


class Tested(Strict):
    """How far the cost model was off where its break-evens were tested: measured over predicted steps."""

    study: str
    places: Whole
    least: float = Field(gt=0)
    median: float = Field(gt=0)
    most: float = Field(gt=0)
    extrapolated: int = Field(default=0, ge=0)  # of the places: those whose times were extrapolated

    @property
    def text(self) -> str:
        """The error in a sentence."""
        extrapolated = f", {self.extrapolated} of them extrapolated" if self.extrapolated else ""
        return (
            f"Where such break-evens were tested ({self.study}, {self.places} places{extrapolated}), the measured"
            f" steps were {self.median:.2f} times the predicted ones ({self.least:.2f} to {self.most:.2f}): others may"
            " be as far off."
        )


class HypothesesFile(Strict):
    """paper/hypotheses.yaml: the pair and the card that it is about, and the ceilings that the numbers come from."""

    pair: str
    card: str  # part of the device's name
    flops_per_s: float = Field(gt=0)
    bytes_per_s: float = Field(gt=0)
    memory_gib: float = Field(gt=0)
    prompt_tokens: Whole
    tolerances: str  # when, and from what, the factors were chosen
    tested: Tested
    hypotheses: dict[str, Hypothesis]

    @property
    def ceilings(self) -> Ceilings:
        """The ceilings as the cost model takes them."""
        return Ceilings(self.flops_per_s, self.bytes_per_s)
