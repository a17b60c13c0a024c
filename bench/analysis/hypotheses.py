"""What was predicted of the 8B study before it ran, and what became of it: confirmed, refuted or not measured.

paper/hypotheses.yaml states each hypothesis with numbers of the cost model (bench/cost/predictions.py) and a tolerance;
a test recomputes them. A claim is met where the measured value lies within the claim's factor of its own.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from bench.analysis.runs import with_steps, without_steps
from bench.analysis.scaling import DEFAULTS, LATENCY, Scaling
from bench.common.units import GIB
from bench.common.yaml_file import Strict, read_yaml
from bench.cost.floors import Ceilings
from bench.cost.predictions import Models, Place
from bench.models import kinds
from bench.spec import grid
from bench.spec.pair import Model, Whole, read_pair

FILE = Path("paper/hypotheses.yaml")
TIMED = ("batch", "length", "prompt", "engines")  # kinds of cells that tell times
PROBED = ("frontier", "memory")  # kinds of cells that tell what fits into memory


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


class Hypothesis(Strict):
    """A statement, in which `{0:.1f}` stands for the value of its first claim, and the engine that it is about."""

    statement: str
    engine: Literal["eager", "captured"]
    claims: Annotated[list[Claim], Field(min_length=1)]

    @property
    def text(self) -> str:
        """The statement with its claims' values."""
        return " ".join(self.statement.split()).format(*[claim.value for claim in self.claims])


class HypothesesFile(Strict):
    """paper/hypotheses.yaml: the pair and the card that it is about, and the ceilings that the numbers come from."""

    pair: str
    card: str  # part of the device's name
    flops_per_s: float = Field(gt=0)
    bytes_per_s: float = Field(gt=0)
    memory_gib: float = Field(gt=0)
    prompt_tokens: Whole
    hypotheses: dict[str, Hypothesis]

    @property
    def ceilings(self) -> Ceilings:
        """The ceilings as the cost model takes them."""
        return Ceilings(self.flops_per_s, self.bytes_per_s)


def read(file: Path = FILE) -> HypothesesFile:
    """The hypotheses of a file. Raises BadInput naming file, key and rule."""
    return read_yaml(file, HypothesesFile, "list of hypotheses", file.parent)


def predicted(claim: Claim, engine: str, about: HypothesesFile, models: Models) -> float:
    """A claim's number by the cost model."""
    place = Place(claim.batch, claim.gen_length, about.prompt_tokens, claim.head, engine)
    if claim.quantity == "largest_batch":
        return models.largest_batch(claim.model, place, about.memory_gib * GIB)
    if claim.quantity == "break_even_steps":
        return models.break_even_steps(place, about.ceilings)
    if claim.quantity == "turning_batch":
        return models.turning_batch(place, about.ceilings, claim.tokens_per_step)
    ratio = models.latency_ratio(place, about.ceilings, claim.tokens_per_step)
    return 1 / ratio if claim.quantity == "throughput_ratio" else ratio


def break_even(runs: pd.DataFrame, batch: float, gen_length: int, head: str) -> float | None:
    """Steps at which both models take equally long at a place, from the run of most steps; None where one of the
    models was not measured there."""
    here = runs[(runs["batch_size"] == batch) & (runs["gen_length"] == gen_length)]
    autoregressive = without_steps(here)
    diffusion = with_steps(here)
    diffusion = diffusion[head_of(diffusion) == head]
    if autoregressive.empty or diffusion.empty:
        return None
    most = diffusion.loc[diffusion["steps"].idxmax()]
    return float(autoregressive[LATENCY].median() / (most[LATENCY] / most["steps"]))


def head_of(runs: pd.DataFrame) -> pd.Series:
    """The rung of the head of each run."""
    return runs["head"].fillna(DEFAULTS["head"])


def turning_batch(runs: pd.DataFrame, claim: Claim) -> float | None:
    """The batch at which time breaks even at a number of steps, on the line between measured batches in logarithms;
    infinite where the diffusion model stays ahead, the smallest batch where it never was."""
    evens = {b: break_even(runs, b, claim.gen_length, claim.head) for b in sorted(runs["batch_size"].unique())}
    measured_evens = {batch: steps for batch, steps in evens.items() if steps is not None}
    if len(measured_evens) < 2:
        return None
    log_batches = np.log(list(measured_evens))
    log_leads = np.log([steps * claim.tokens_per_step / claim.gen_length for steps in measured_evens.values()])
    if log_leads[0] <= 0:
        return float(min(measured_evens))
    behind = np.flatnonzero(log_leads <= 0)
    if not len(behind):
        return float("inf")
    i = behind[0]
    return float(np.exp(np.interp(0, [log_leads[i], log_leads[i - 1]], [log_batches[i], log_batches[i - 1]])))


def largest_batch(groups: list[Scaling], claim: Claim, engine: str) -> float | None:
    """The largest batch that was seen to fit on an engine, once the search has come to its end."""
    for group in groups:
        probes = pd.concat([group.rows, group.left_out])
        probes = probes[(probes["model"] == claim.model) & (probes["engine"] == engine)]
        for edge in group.edges:
            of_line = probes[probes["line"] == edge.line]
            if of_line.empty or edge.gen_length != claim.gen_length or not edge.is_found:
                continue
            if not kinds.has_steps(claim.model) or head_of(of_line).iloc[0] == claim.head:
                return float(edge.fits or 0)
    return None


def groups_of(scalings: list[Scaling], about: HypothesesFile) -> list[Scaling]:
    """Of a study's scaling groups those in the pair's own precision, without a stated limit of memory."""
    dtype = read_pair(about.pair).dtype
    return [
        group for group in scalings
        if group.every["limit_gib"].isna().all() and (group.every["dtype"] == dtype).all()
    ]  # fmt: skip


def measured(claim: Claim, engine: str, about: HypothesesFile, groups: list[Scaling]) -> float | None:
    """A claim's number in a study's runs on the card; None where it was not measured."""
    if claim.quantity == "largest_batch":
        probed = [group for group in groups if group.kind in PROBED]
        on_card = [group for group in probed if about.card in str(group.every["device"].iloc[0])]
        return largest_batch(on_card, claim, engine)
    timed = [group.rows for group in groups if group.kind in TIMED]
    runs = pd.concat(timed) if timed else pd.DataFrame()
    if runs.empty:
        return None
    same = (runs["engine"] == engine) & runs["device"].str.contains(about.card, regex=False)
    same &= (pd.to_numeric(runs["prompt_tokens"]) == about.prompt_tokens) & runs["attention"].isna()
    runs = runs[same]
    if claim.quantity == "turning_batch":
        return turning_batch(runs, claim)
    steps = break_even(runs, claim.batch, claim.gen_length, claim.head)
    if steps is None or claim.quantity == "break_even_steps":
        return steps
    latency_ratio = claim.gen_length / claim.tokens_per_step / steps
    return 1 / latency_ratio if claim.quantity == "throughput_ratio" else latency_ratio


@dataclass(frozen=True)
class Result:
    """A claim beside what was measured (None: nothing was)."""

    claim: Claim
    measured: float | None

    @property
    def is_met(self) -> bool | None:
        """Whether the measured value lies within the claim's factor of the predicted one; None if it is missing."""
        if self.measured is None:
            return None
        return self.claim.value / self.claim.factor <= self.measured <= self.claim.value * self.claim.factor


@dataclass(frozen=True)
class Score:
    """A hypothesis with its claims' results. One claim that fails refutes it; all must be met to confirm it."""

    name: str
    text: str
    results: list[Result]

    @property
    def verdict(self) -> str:
        """`confirmed`, `refuted` or `not measured`."""
        met = [result.is_met for result in self.results]
        if False in met:
            return "refuted"
        return "confirmed" if all(met) else "not measured"


def scores(pair: str, scalings: list[Scaling], about: HypothesesFile) -> list[Score]:
    """Every hypothesis as a study of a pair has it; none where the hypotheses are about another pair."""
    if pair != about.pair:
        return []
    groups = groups_of(scalings, about)
    return [score_of(name, hypothesis, about, groups) for name, hypothesis in about.hypotheses.items()]


def score_of(name: str, hypothesis: Hypothesis, about: HypothesesFile, groups: list[Scaling]) -> Score:
    """A hypothesis with what was measured of each of its claims."""
    values = [measured(claim, hypothesis.engine, about, groups) for claim in hypothesis.claims]
    results = [Result(claim, value) for claim, value in zip(hypothesis.claims, values, strict=True)]
    return Score(name, hypothesis.text, results)
