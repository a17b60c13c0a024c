"""What was predicted of the 8B study before it ran, and what became of it: confirmed, refuted or not measured.

paper/hypotheses.yaml states each hypothesis with numbers of the cost model (bench/predictions.py) and a tolerance; a
test recomputes them. A claim is met where the measured value lies within its factor of the predicted one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from bench.analysis import scaling
from bench.analysis.scaling import LATENCY
from bench.common.yaml_file import Strict, read_yaml
from bench.cost.floors import Ceilings
from bench.cost.predictions import Models, Place
from bench.spec import grid
from bench.spec.pair import Model, Whole, read_pair

FILE = Path("paper/hypotheses.yaml")
GIB = 1 << 30
TIMED = ("batch", "length", "prompt", "engines")
PROBED = ("frontier", "memory")
WORDS = {
    "throughput_ratio": "LLaDA's tokens/s over LLaMA's",
    "latency_ratio": "LLaDA's latency over LLaMA's",
    "turning_batch": "batch from which on LLaDA is slower",
    "largest_batch": "largest batch that fits",
    "break_even_steps": "steps at which time breaks even",
}


class Claim(Strict):
    """One number of a hypothesis, and by which factor a measurement may differ from it."""

    quantity: Literal["throughput_ratio", "latency_ratio", "turning_batch", "largest_batch", "break_even_steps"]
    gen_length: Whole
    batch: Whole = 1
    tokens_per_step: float | None = Field(default=None, gt=0)
    model: Model = "llada"  # of largest_batch
    head: grid.Head = "lean"
    value: float = Field(gt=0)
    factor: float = Field(gt=1)

    @property
    def text(self) -> str:
        """ "LLaDA's tokens/s over LLaMA's, 128 tokens, batch 1, 4 tokens a step": what the value is of."""
        parts = [WORDS[self.quantity], f"{self.gen_length:,} tokens"]
        if self.quantity == "largest_batch":
            parts.insert(0, "LLaMA" if self.model == "llama" else f"LLaDA {self.head}")
        elif self.quantity != "turning_batch":
            parts.append(f"batch {self.batch}")
        if each := self.tokens_per_step:
            parts.append(f"{each:g} token{'' if each == 1 else 's'} a step")
        return ", ".join(parts)


class Hypothesis(Strict):
    """A statement; `{0:.1f}` in it stands for the value of its first claim."""

    statement: str
    engine: Literal["eager", "captured"]
    claims: Annotated[list[Claim], Field(min_length=1)]

    @property
    def text(self) -> str:
        return " ".join(self.statement.split()).format(*[claim.value for claim in self.claims])


class HypothesesFile(Strict):
    """paper/hypotheses.yaml: about which pair and card, and the ceilings that the numbers come from."""

    pair: str
    card: str  # part of the device's name
    flops_per_s: float = Field(gt=0)
    bytes_per_s: float = Field(gt=0)
    memory_gib: float = Field(gt=0)
    prompt_tokens: Whole
    hypotheses: dict[str, Hypothesis]

    @property
    def ceilings(self) -> Ceilings:
        return Ceilings(self.flops_per_s, self.bytes_per_s)


def read(file: Path = FILE) -> HypothesesFile:
    """Raises BadInput naming file, key and rule."""
    return read_yaml(file, HypothesesFile, "list of hypotheses", file.parent)


def predicted(claim: Claim, engine: str, about: HypothesesFile, models: Models) -> float:
    """A claim's number, by the cost model."""
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
    """Steps at which LLaDA takes as long as LLaMA at a place, from its run of most steps."""
    here = runs[(runs["batch_size"] == batch) & (runs["gen_length"] == gen_length)]
    llama, llada = here[here["model"] == "llama"], here[(here["model"] == "llada") & (head_of(here) == head)]
    if llama.empty or llada.empty:
        return None
    most = llada.loc[llada["steps"].idxmax()]
    return float(llama[LATENCY].median() / (most[LATENCY] / most["steps"]))


def head_of(runs: pd.DataFrame) -> pd.Series:
    return runs["head"].fillna("official")


def turning_batch(runs: pd.DataFrame, claim: Claim) -> float | None:
    """The batch at which time breaks even at a number of steps, on the line between measured batches in logarithms;
    infinite where LLaDA stays ahead, the smallest batch where it never was."""
    evens = {b: break_even(runs, b, claim.gen_length, claim.head) for b in sorted(runs["batch_size"].unique())}
    known = {batch: steps for batch, steps in evens.items() if steps is not None}
    if len(known) < 2:
        return None
    batches = np.log(list(known))
    ahead = np.log([steps * claim.tokens_per_step / claim.gen_length for steps in known.values()])
    if ahead[0] <= 0:
        return float(min(known))
    below = np.flatnonzero(ahead <= 0)
    if not len(below):
        return float("inf")
    i = below[0]
    return float(np.exp(np.interp(0, [ahead[i], ahead[i - 1]], [batches[i], batches[i - 1]])))


def largest_batch(found: list[scaling.Scaling], claim: Claim, fitting: pd.Series) -> float | None:
    """The largest batch that was seen to fit, once the search has come to its end."""
    for group in found:
        rows = pd.concat([group.rows, group.left_out])
        names = rows.loc[(rows["model"] == claim.model) & fitting.reindex(rows.index), "name"]
        for edge in scaling.edges(group):
            head = rows.loc[rows["name"] == edge.name].pipe(head_of).iloc[0]
            right = claim.model == "llama" or head == claim.head
            if edge.name in set(names) and right and edge.gen_length == claim.gen_length and edge.is_found:
                return float(edge.fits or 0)
    return None


def groups_of(frame: pd.DataFrame, about: HypothesesFile) -> list[scaling.Scaling]:
    """A study's scaling groups in the pair's own precision, without a stated limit of memory."""
    dtype = read_pair(about.pair).dtype
    groups = [group for group in scaling.scalings(frame) if group.every["limit_gib"].isna().all()]
    return [group for group in groups if (group.every["dtype"] == dtype).all()]


def measured(claim: Claim, engine: str, about: HypothesesFile, groups: list[scaling.Scaling]) -> float | None:
    """A claim's number in a study's runs on the card; None where it was not measured."""
    if claim.quantity == "largest_batch":
        probes = [
            group for group in groups if group.kind in PROBED and about.card in str(group.every["device"].iloc[0])
        ]
        every = pd.concat([group.every for group in probes]) if probes else pd.DataFrame()
        return largest_batch(probes, claim, every["engine"] == engine) if probes else None
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
    ratio = claim.gen_length / claim.tokens_per_step / steps
    return 1 / ratio if claim.quantity == "throughput_ratio" else ratio


@dataclass(frozen=True)
class Result:
    """A claim beside what was measured (None: nothing was)."""

    claim: Claim
    measured: float | None

    @property
    def is_met(self) -> bool | None:
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
        met = [result.is_met for result in self.results]
        return "refuted" if False in met else "confirmed" if all(met) else "not measured"


def scores(frame: pd.DataFrame, about: HypothesesFile) -> list[Score]:
    """Every hypothesis as a study has it; none where the study is of another pair."""
    if frame["pair"].iloc[0] != about.pair:
        return []
    groups = groups_of(frame, about)
    return [
        Score(name, hypothesis.text, [
            Result(claim, measured(claim, hypothesis.engine, about, groups)) for claim in hypothesis.claims
        ])
        for name, hypothesis in about.hypotheses.items()
    ]  # fmt: skip
