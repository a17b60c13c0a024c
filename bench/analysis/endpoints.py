"""The primary endpoints of a study: what it was declared to be about, adjusted for being several.

bench/spec/study_file.py has what a file may declare. A round is a value of its card: rounds on several cards are as
many clusters, over whose means the t test goes.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pandas as pd

from bench.analysis.by_card import by_cluster
from bench.analysis.comparison import Comparison
from bench.analysis.hundred_steps import line_of
from bench.analysis.lines import DEFAULTS
from bench.analysis.runs import machines_of, setting_of
from bench.analysis.scaling import Scaling
from bench.common import stats
from bench.common.stats import LEVEL, REPLICATES, Estimate
from bench.spec.study_file import Endpoint, StudyFile


@dataclass(frozen=True)
class Outcome:
    """What became of an endpoint.

    measured: None where it was not. p, adjusted: two-sided, alone and by Holm's rule over the endpoints that were
    measured as declared. missing: what was not run as declared; empty where all was. cards, rounds: that it rests on.
    """

    name: str
    endpoint: Endpoint
    measured: Estimate | None = None
    p: float | None = None
    adjusted: float | None = None
    cards: int = 0
    rounds: int = 0
    is_extrapolated: bool = False
    missing: str = ""

    @property
    def undecided(self) -> str:
        """Why it is not decided; empty where it is."""
        return self.missing or ("one value has no spread" if self.adjusted is None else "")

    @property
    def is_shown(self) -> bool:
        """Whether the quantity was shown to be other than the stated value: by p, and by an interval that holds what
        extrapolating may be off."""
        if self.undecided or self.adjusted > 1 - LEVEL:
            return False
        low, high = self.measured.low, self.measured.high
        return low is None or not low <= self.endpoint.against <= high


@dataclass(frozen=True)
class Values:
    """An endpoint's quantity by round, on which machine each round ran, and what its interval is widened by."""

    by_round: dict[int, float]
    machines: dict[int, str]
    widen: float = 1.0  # the factor that extrapolating may be off to either side
    is_extrapolated: bool = False


def outcomes(
    declared: StudyFile, comparisons: list[Comparison], scalings: list[Scaling], runs: pd.DataFrame
) -> list[Outcome]:
    """What became of each endpoint, in the file's order. runs: the study's, with the moment at which each began."""
    late = declared_late(declared, runs)
    results = []
    for name, endpoint in declared.endpoints.items():
        result = outcome(name, endpoint, declared, comparisons, scalings)
        results.append(replace(result, missing=late or result.missing))
    decided = [number for number, result in enumerate(results) if not result.missing and result.p is not None]
    for number, adjusted in zip(decided, stats.holm([results[i].p for i in decided]), strict=True):
        results[number] = replace(results[number], adjusted=adjusted)
    return results


def declared_late(declared: StudyFile, runs: pd.DataFrame) -> str:
    """That runs began before the endpoints were declared; empty where none did."""
    if "started_ms" not in runs or runs["started_ms"].isna().all():
        return "it is not known when the first run began"
    first = datetime.fromtimestamp(float(runs["started_ms"].min()) / 1e3, UTC)
    moment = declared.declared.replace(tzinfo=declared.declared.tzinfo or UTC)
    return f"declared after the first run began ({first:%Y-%m-%d %H:%M} UTC)" if moment > first else ""


def outcome(
    name: str, endpoint: Endpoint, declared: StudyFile, comparisons: list[Comparison], scalings: list[Scaling]
) -> Outcome:
    """An endpoint with what was measured of it, before it is adjusted."""
    if endpoint.quantity == "quality":
        return quality_outcome(name, endpoint, comparisons)
    values = values_of(endpoint, comparisons, scalings)
    if values is None:
        return Outcome(name, endpoint, missing="not measured")
    clusters = by_cluster(values.by_round, values.machines)
    measured, p = stats.over_clusters(list(clusters.values()), endpoint.against)
    if measured.low is not None:
        measured = replace(measured, low=measured.low / values.widen, high=measured.high * values.widen)
    rounds, cards = len(values.by_round), len(clusters)
    missing = f"{rounds} of {declared.rounds} rounds" if rounds < declared.rounds else ""
    missing = missing or (f"{cards} of {declared.cards} cards" if cards < declared.cards else "")
    return Outcome(name, endpoint, measured, p, None, cards, rounds, values.is_extrapolated, missing)


def quality_outcome(name: str, endpoint: Endpoint, comparisons: list[Comparison]) -> Outcome:
    """Whether quality at the most steps is within the margin: p is the share of bootstrap replicates that are not, 1 in
    2,000 at least, since there are so many."""
    for comparison in comparisons:
        match = comparison.matches.get(endpoint.metric) if comparison.has_both else None
        if match is not None and is_place(comparison.diffusion.iloc[0], endpoint):
            p = max(1 - match.cross_over.p_reached, 1 / REPLICATES)
            return Outcome(name, endpoint, Estimate(match.cross_over.p_reached), p)
    return Outcome(name, endpoint, missing="not measured")


def values_of(endpoint: Endpoint, comparisons: list[Comparison], scalings: list[Scaling]) -> Values | None:
    """A quantity of time by round: from the line of a sweep where there is one, else from a run of a scaling grid."""
    for comparison in comparisons:
        measured = line_of(comparison)
        if measured and is_place(comparison.diffusion.iloc[0], endpoint):
            values = measured.break_evens
            if endpoint.steps is not None:
                values = measured.ratios_on_the_line(endpoint.steps)
            if measured.rounds and min(values) > 0:
                return Values(
                    dict(zip(measured.rounds, values, strict=True)), machines_of(comparison.diffusion.iloc[0])
                )
    for group in scalings:
        for run, evens in group.break_evens_by_round:
            if is_place(run, endpoint) and pd.isna(run["attention"]):
                by_round = {n: even if endpoint.steps is None else endpoint.steps / even for n, even in evens.items()}
                off = group.bias_beside(run["run_id"])
                return Values(by_round, machines_of(run), max(off.most, 1 / off.least), group.is_extrapolated(run))
    return None


def is_place(run: pd.Series, endpoint: Endpoint) -> bool:
    """Whether a run with steps stands where an endpoint asks."""
    prompt_tokens = pd.to_numeric(run.get("prompt_tokens"))
    return (
        run["batch_size"] == endpoint.batch
        and run["gen_length"] == endpoint.gen_length
        and (endpoint.prompt_tokens is None or prompt_tokens == endpoint.prompt_tokens)
        and setting_of(run, "engine", "eager") == endpoint.engine
        and setting_of(run, "head", DEFAULTS["head"]) == endpoint.head
    )
