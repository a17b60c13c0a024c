"""What the file of hypotheses on decoders says: paper/hypotheses-decoders.yaml."""

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bench.common.yaml_file import Strict
from bench.cost.decoder_predictions import Decoder
from bench.cost.floors import Ceilings
from bench.spec.pair import Whole

Quantity = Literal["throughput_ratio", "speedup", "step_ratio", "parity_tokens_per_step", "accuracy_difference"]


class Setting(Strict):
    """A decoder; `tokens_per_step` has no meaning where a claim is about all of them."""

    cache: Literal["none", "prefix", "dual", "delayed", "interval"] = "none"
    refresh: str | int | None = None
    tokens_per_step: Whole = 1

    @property
    def decoder(self) -> Decoder:
        """The decoder as the cost model takes it."""
        return Decoder(self.cache, self.refresh, self.tokens_per_step)


class DecoderClaim(Strict):
    """One number of a hypothesis, and where a measurement of it must lie.

    value, factor: of a number that the cost model gives: at most so many times larger or smaller. Without them the
    claim is a direction: the number lies above `above`.
    """

    quantity: Quantity
    decoder: Setting
    over: Setting | None = None  # of speedup and accuracy_difference: what it is compared with
    batch: Whole | None = None
    prompt_tokens: Whole | None = None
    reference: Literal["floor", "published"] = "floor"  # of parity: the time of the autoregressive model
    value: float | None = Field(default=None, gt=0)
    factor: float | None = Field(default=None, gt=1)
    above: float | None = None

    @model_validator(mode="after")
    def is_whole(self) -> "DecoderClaim":
        """Refuse a claim that says too little to be tested."""
        if (self.value is None) != (self.factor is None) or (self.value is None) == (self.above is None):
            raise ValueError("a claim has `value` and `factor`, or `above`")
        if (self.quantity in ("speedup", "accuracy_difference")) != (self.over is not None):
            raise ValueError("`over` belongs to speedup and accuracy_difference, which need it")
        if self.is_of_time == (self.batch is None or self.prompt_tokens is None):
            raise ValueError("a claim about time needs `batch` and `prompt_tokens`")
        return self

    @property
    def is_of_time(self) -> bool:
        """Whether it is about time, and not about quality."""
        return self.quantity != "accuracy_difference"

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which numbers a measurement must lie."""
        if self.value is None:
            return self.above, math.inf
        return self.value / self.factor, self.value * self.factor

    @property
    def number(self) -> tuple:
        """The number that it is about; claims that predict one number differently share it."""
        return self.quantity, self.decoder.decoder, self.over and self.over.decoder, self.batch, self.prompt_tokens


class DecoderHypothesis(Strict):
    """A statement, in which `{0:.1f}` stands for the value of its first claim, and the pair that it is about."""

    pair: str
    statement: str
    claims: Annotated[list[DecoderClaim], Field(min_length=1)]

    @property
    def text(self) -> str:
        """The statement with its claims' values."""
        return " ".join(self.statement.split()).format(*[claim.value for claim in self.claims])


class Published(Strict):
    """What the published study of vanilla decoding reached: from its ceilings and LLaMA's rate the second prediction of
    a parity follows."""

    study: str
    number: str  # of its results: LLaMA's tokens a second
    tokens_per_s: float = Field(gt=0)
    flops_per_s: float = Field(gt=0)
    bytes_per_s: float = Field(gt=0)

    @property
    def ceilings(self) -> Ceilings:
        """The ceilings as the cost model takes them."""
        return Ceilings(self.flops_per_s, self.bytes_per_s)


class DecoderFile(Strict):
    """paper/hypotheses-decoders.yaml: where its numbers come from, and what had been timed before."""

    card: str  # part of the device's name
    flops_per_s: float = Field(gt=0)
    bytes_per_s: float = Field(gt=0)
    dtype: str
    gen_length: Whole
    block_length: Whole
    published: Published
    timed_before: str  # what was known when the claims were written
    hypotheses: dict[str, DecoderHypothesis]

    @property
    def ceilings(self) -> Ceilings:
        """The ceilings as the cost model takes them."""
        return Ceilings(self.flops_per_s, self.bytes_per_s)
