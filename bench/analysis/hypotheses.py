"""What was predicted of the 8B study before it ran, and what became of it.

paper/hypotheses.yaml states each hypothesis with numbers of the cost model (bench/cost/predictions.py) and a tolerance;
a test recomputes them. A claim is met where the measured value, with all of its interval, lies within the claim's
factor of its own. Claims that are functions of one measured number count once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from bench.analysis.decoder_claims import DecoderClaim
from bench.analysis.hypotheses_file import Claim, HypothesesFile, Hypothesis, Tested
from bench.analysis.lines import DEFAULTS
from bench.analysis.runs import setting_of
from bench.analysis.scaling import Scaling
from bench.analysis.turning import BreakEven, turning_batch
from bench.common import stats
from bench.common.stats import Estimate
from bench.common.units import GIB
from bench.common.yaml_file import read_yaml
from bench.cost.predictions import Models, Place
from bench.models import kinds
from bench.spec.pair import read_pair

FILE = Path("paper/hypotheses.yaml")
TIMED = ("batch", "length", "prompt", "engines", "corners")  # kinds of cells that tell times
PROBED = ("frontier", "memory")  # kinds of cells that tell what fits into memory
State = Literal["met", "not met", "undecided", "not measured"]  # of a claim


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


def is_same_place(run: pd.Series, claim: Claim, engine: str, about: HypothesesFile) -> bool:
    """Whether a run with steps is one that a claim about an engine speaks of, at any batch."""
    return (
        run["gen_length"] == claim.gen_length
        and setting_of(run, "head", DEFAULTS["head"]) == claim.head
        and run["engine"] == engine
        and about.card in str(run["device"])
        and pd.to_numeric(run["prompt_tokens"]) == about.prompt_tokens
        and pd.isna(run["attention"])
    )


def break_evens(claim: Claim, engine: str, about: HypothesesFile, groups: list[Scaling]) -> dict[int, BreakEven]:
    """By batch: where time breaks even at the claim's length. Of several grids that measured a place, the first in the
    order of `TIMED` counts, as in the tables."""
    evens: dict[int, BreakEven] = {}
    for group in sorted((group for group in groups if group.kind in TIMED), key=lambda group: TIMED.index(group.kind)):
        for (run, steps), (_, by_round) in zip(group.break_evens, group.break_evens_by_round, strict=True):
            if is_same_place(run, claim, engine, about):
                even = BreakEven(steps, by_round, group.bias_beside(run["run_id"]), group.is_extrapolated(run))
                evens.setdefault(int(run["batch_size"]), even)
    return evens


def largest_batch(groups: list[Scaling], claim: Claim, engine: str) -> float | None:
    """The largest batch that was seen to fit on an engine, once the search has come to its end."""
    for group in groups:
        probes = pd.concat([group.rows, group.left_out])
        probes = probes[(probes["model"] == claim.model) & (probes["engine"] == engine)]
        for edge in group.edges:
            of_line = probes[probes["line"] == edge.line]
            if of_line.empty or edge.gen_length != claim.gen_length or not edge.is_found:
                continue
            head = setting_of(of_line.iloc[0], "head", DEFAULTS["head"])
            if not kinds.has_steps(claim.model) or head == claim.head:
                return float(edge.fits or 0)
    return None


def groups_of(scalings: list[Scaling], about: HypothesesFile) -> list[Scaling]:
    """Of a study's scaling groups those in the pair's own precision, without a stated limit of memory."""
    dtype = read_pair(about.pair).dtype
    return [
        group for group in scalings
        if group.every["limit_gib"].isna().all() and (group.every["dtype"] == dtype).all()
    ]  # fmt: skip


def measured(claim: Claim, engine: str, about: HypothesesFile, groups: list[Scaling]) -> Estimate | None:
    """A claim's number in a study's runs on the card, with its interval over rounds; None where it was not measured.

    What fits into memory does not vary from round to round and has no interval.
    """
    if claim.quantity == "largest_batch":
        probed = [group for group in groups if group.kind in PROBED]
        on_card = [group for group in probed if about.card in str(group.every["device"].iloc[0])]
        largest = largest_batch(on_card, claim, engine)
        return None if largest is None else Estimate(largest)
    evens = break_evens(claim, engine, about, groups)
    if claim.quantity == "turning_batch":
        return turning_batch(evens, claim)
    if claim.batch not in evens:
        return None
    steps = evens[claim.batch].steps
    if claim.quantity == "break_even_steps":
        return steps
    ends = (steps.value, steps.low, steps.high)
    rate = Estimate(*(None if end is None else end * claim.tokens_per_step / claim.gen_length for end in ends))
    return rate if claim.quantity == "throughput_ratio" else stats.inverse(rate)


def rests_on_extrapolated(claim: Claim, engine: str, about: HypothesesFile, groups: list[Scaling]) -> bool:
    """Whether what was measured of a claim rests on extrapolated times; peaks of memory never do."""
    if claim.quantity == "largest_batch":
        return False
    evens = break_evens(claim, engine, about, groups)
    batches = evens if claim.quantity == "turning_batch" else {claim.batch} & set(evens)
    return any(evens[batch].is_extrapolated for batch in batches)


@dataclass(frozen=True)
class Result:
    """A claim beside what was measured (None: nothing was)."""

    claim: Claim | DecoderClaim  # of which kind all of a hypothesis are
    measured: Estimate | None
    engine: str = ""
    same_as: str = ""  # the hypothesis that has a claim about the same number before this one
    is_extrapolated: bool = False  # whether it rests on times that were extrapolated

    @property
    def number(self) -> tuple:
        """The measured number that the claim is a function of: a ratio of times at some tokens a step is a function of
        the steps at which time breaks even."""
        claim = self.claim
        if isinstance(claim, DecoderClaim):
            return claim.number
        if claim.quantity == "largest_batch":
            head = claim.head if kinds.has_steps(claim.model) else ""
            return (claim.quantity, claim.model, head, claim.gen_length, self.engine)
        if claim.quantity == "turning_batch":
            return (claim.quantity, claim.gen_length, claim.head, claim.tokens_per_step, self.engine)
        return ("break_even_steps", claim.batch, claim.gen_length, claim.head, self.engine)

    @property
    def log_error(self) -> Estimate | None:
        """The natural logarithm of measured over predicted, with its interval; None where it has none."""
        if self.measured is None or self.measured.value <= 0 or self.claim.value is None:
            return None
        ends = (self.measured.value, self.measured.low, self.measured.high)
        return Estimate(*(None if end is None else float(np.log(end / self.claim.value)) for end in ends))

    @property
    def state(self) -> State:
        """Whether the measured value, with all of its interval, lies where the claim says; `undecided` where the
        interval reaches across."""
        if self.measured is None:
            return "not measured"
        least, most = self.claim.bounds
        value = self.measured
        low, high = (value.value, value.value) if value.low is None else (value.low, value.high)
        if least <= low and high <= most:
            return "met"
        return "not met" if high < least or low > most else "undecided"


@dataclass(frozen=True)
class Score:
    """A hypothesis with its claims' results. One claim that fails refutes it; all must be met to confirm it."""

    name: str
    text: str
    results: list[Result]

    @property
    def verdict(self) -> str:
        """`confirmed`, `refuted`, `undecided` or `not measured`."""
        states = [result.state for result in self.results]
        if "not met" in states:
            return "refuted"
        if all(state == "met" for state in states):
            return "confirmed"
        return "not measured" if "not measured" in states else "undecided"


def scores(pair: str, scalings: list[Scaling], about: HypothesesFile) -> list[Score]:
    """Every hypothesis as a study of a pair has it; none where the hypotheses are about another pair."""
    if pair != about.pair:
        return []
    groups = groups_of(scalings, about)
    first: dict[tuple, str] = {}  # by number: the hypothesis that speaks of it first
    return [score_of(name, hypothesis, about, groups, first) for name, hypothesis in about.hypotheses.items()]


def score_of(
    name: str, hypothesis: Hypothesis, about: HypothesesFile, groups: list[Scaling], first: dict[tuple, str]
) -> Score:
    """A hypothesis with what was measured of each of its claims. first: numbers that claims before it spoke of, by the
    name of their hypothesis; those of this one are added."""
    results = []
    for claim in hypothesis.claims:
        result = Result(claim, measured(claim, hypothesis.engine, about, groups), hypothesis.engine)
        is_extrapolated = rests_on_extrapolated(claim, hypothesis.engine, about, groups)
        results.append(replace(result, same_as=first.get(result.number, ""), is_extrapolated=is_extrapolated))
        first.setdefault(result.number, name)
    return Score(name, hypothesis.text, results)


def measured_ones(scores: Sequence[Score]) -> list[Score]:
    """The hypotheses of which a study measured a claim."""
    return [score for score in scores if any(result.measured is not None for result in score.results)]


def independent(scores: list[Score]) -> list[Result]:
    """The results of all claims, of those about one number the first."""
    return [result for score in scores for result in score.results if not result.same_as]


def tested_break_evens(scores: list[Score]) -> list[Result]:
    """The results about the steps at which time breaks even, one of each place that was measured."""
    results = independent(scores)
    return [result for result in results if result.number[0] == "break_even_steps" and result.log_error is not None]


def break_even_error(result: Result) -> float:
    """Measured over predicted steps at which time breaks even, of a result about these."""
    sign = -1 if result.claim.quantity == "latency_ratio" else 1  # which falls as these steps grow
    return float(np.exp(sign * result.log_error.value))


def tested_in(study: str, scores: list[Score]) -> Tested | None:
    """The cost model's error in a study; None where it tested no break-even."""
    results = tested_break_evens(scores)
    if not results:
        return None
    errors = [break_even_error(result) for result in results]
    return Tested(
        study=study,
        places=len(errors),
        least=min(errors),
        median=float(np.median(errors)),
        most=max(errors),
        extrapolated=sum(result.is_extrapolated for result in results),
    )
