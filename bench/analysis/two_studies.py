"""Two studies side by side: two cards, or two commits. What became faster or slower, by more than the noise of both?

Rounds of two studies are not paired, so a ratio is that of their typical values with an interval of two independent
samples (`stats.ratio_of_rounds`). Scores are paired by prompt where both studies answered the same prompts. Of the
frontier the edges are compared, not the tries (`two_frontiers`).
"""

from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from bench.analysis import matching, two_frontiers
from bench.analysis.cost import PREDICTED
from bench.analysis.doubt import may_be_equal
from bench.analysis.matching import Match
from bench.analysis.noise import EAGER, JudgedStudy, Noise, judge, noise_under
from bench.analysis.runs import estimate_of
from bench.analysis.study import METRICS_BY_PROMPT, Study
from bench.analysis.two_frontiers import TwoEdges
from bench.common import stats
from bench.common.errors import BadInput
from bench.common.stats import Estimate
from bench.spec.cell import FRONTIER

LEAST = 0.01  # by which a ratio must differ from 1, to be called a change
# What is compared by rounds: whether less of it is better, and whether the sentinel's noise is its noise as well.
BY_ROUND = {
    "latency/latency_ms": (True, True),
    "throughput/tokens_per_s": (False, True),
    "memory/allocated_gib": (True, False),
    "memory/resident_gib": (True, False),
    "energy/j": (True, True),
}


class Verdict(StrEnum):
    """What became of a quantity from the first study to the second."""

    BETTER = "better"
    WORSE = "worse"
    NOISE = "within noise"  # or by less than LEAST
    UNSURE = "one round"  # there is no interval


@dataclass(frozen=True)
class Change:
    """A quantity in both studies. ratio: the second over the first, of scores the second less the first.

    is_checked: whether a sentinel of its model and engine says in both studies how noisy it was, or none is needed.
    """

    metric: str
    before: Estimate
    after: Estimate
    ratio: Estimate
    verdict: Verdict
    is_checked: bool = True


@dataclass(frozen=True)
class Pair:
    """A cell that both studies measured, with what changed in it."""

    match: Match
    changes: tuple[Change, ...]

    def change(self, metric: str) -> Change | None:
        """What became of one quantity; None where it is not measured in both."""
        return next((change for change in self.changes if change.metric == metric), None)

    @property
    def predicted_ratio(self) -> float | None:
        """The ratio of latencies by the cost model: of the floors at each device's own ceilings. None on devices of one
        name, and where a study has no ceilings."""
        before, after = self.match.before, self.match.after
        floors_ms = [pd.to_numeric(run.get(PREDICTED["latency"])) for run in (before, after)]
        if before["device"] == after["device"] or any(pd.isna(floor) for floor in floors_ms):
            return None
        return floors_ms[1] / floors_ms[0]


@dataclass(frozen=True)
class TwoStudies:
    """What two studies say together.

    pairs: cells that ended well in both. failed: matches of which a side is left out. noises: of each study, for the
    models and engines of the pairs. edges: the largest batches that fit, wherever either study searched; the tries of
    these searches are in none of the others.
    """

    names: tuple[str, str]
    runs: tuple[pd.DataFrame, pd.DataFrame]
    pairs: list[Pair]
    failed: list[Match]
    only_before: pd.DataFrame
    only_after: pd.DataFrame
    noises: tuple[tuple[Noise, ...], tuple[Noise, ...]]
    edges: list[TwoEdges]


def compare(before: Study, after: Study) -> TwoStudies:
    """Compare two studies, the second with the first. Raises BadInput where no setting of a cell is in both, and no
    search of the frontier either."""
    judged = (judge(before), judge(after))
    found = matching.match(*(study.runs[study.runs["kind"] != FRONTIER] for study in judged))
    edges = two_frontiers.compare(*judged)
    if not found.matches and not any(each.is_in_both for each in edges):
        grids = [grids_of(study) for study in judged]
        raise BadInput(
            f"studies {before.name} and {after.name} have no cell in common: {before.name} has grids {grids[0]},"
            f" {after.name} has {grids[1]}"
        )
    good = [match for match in found.matches if not (match.before["reason"] or match.after["reason"])]
    sides = ([match.before for match in good], [match.after for match in good])
    noises = tuple(
        noise_under(pd.DataFrame(runs), study.sentinels) if runs else ()
        for runs, study in zip(sides, judged, strict=True)
    )
    return TwoStudies(
        (before.name, after.name),
        (judged[0].runs, judged[1].runs),
        [Pair(match, changes_of(match, judged, noises)) for match in good],
        [match for match in found.matches if match.before["reason"] or match.after["reason"]],
        found.only_before,
        found.only_after,
        noises,
        edges,
    )


def grids_of(study: JudgedStudy) -> str:
    """ "frontier within 24 GiB, sweep of pair pocket": the grids of a study and its pairs of models, in words."""
    runs = study.runs[~study.runs["kind"].isin(matching.NO_CELLS)]
    limits_gib = runs.get("limit_gib", pd.Series(index=runs.index, dtype=object))
    grids = {
        kind if pd.isna(limit_gib) else f"{kind} within {float(limit_gib):g} GiB"
        for kind, limit_gib in zip(runs["kind"], limits_gib, strict=True)
    }
    return f"{', '.join(sorted(grids)) or 'none'} of pair {' and '.join(sorted(set(study.runs['pair'])))}"


def changes_of(match: Match, judged: tuple[JudgedStudy, JudgedStudy], noises: tuple) -> tuple[Change, ...]:
    """What changed in a cell."""
    by_round = [
        change_by_round(match, judged, metric, floors_of(match, noises) if has_noise else None)
        for metric, (_, has_noise) in BY_ROUND.items()
    ]
    by_prompt = [change_by_prompt(match, judged, metric) for metric in METRICS_BY_PROMPT]
    return tuple(change for change in (*by_round, *by_prompt) if change is not None)


def floors_of(match: Match, noises: tuple[tuple[Noise, ...], tuple[Noise, ...]]) -> list[Estimate | None]:
    """The A/A of a cell's model and engine in each study; None where it is not known."""
    floors = []
    for run, of_study in zip((match.before, match.after), noises, strict=True):
        kind = (run["model"], run.get("engine_used", EAGER))
        ratios = [noise.ratio for noise in of_study if (noise.model, noise.engine) == kind]
        floors.append(ratios[0] if ratios else None)
    return floors


def change_by_round(
    match: Match, judged: tuple[JudgedStudy, JudgedStudy], metric: str, floors: list[Estimate | None] | None
) -> Change | None:
    """What became of a quantity that every round has; None where it is not measured in both.

    floors: the A/A of each study, None of a quantity that has no such noise.
    """
    values = [
        [of_round[0] for of_round in study.histories.rounds([run["run_id"]], metric).values()]
        for study, run in zip(judged, (match.before, match.after), strict=True)
    ]
    if not all(values) or min(map(min, values)) <= 0:
        return None
    before, after = (stats.typical_over_rounds(of_study) for of_study in values)
    ratio = stats.ratio_of_rounds(values[1], values[0])
    is_checked = floors is None or all(floor is not None and floor.low is not None for floor in floors)
    verdict = verdict_of(ratio, BY_ROUND[metric][0], floors or [])
    return Change(metric, before, after, ratio, verdict, is_checked)


def verdict_of(ratio: Estimate, less_is_better: bool, floors: list[Estimate | None]) -> Verdict:
    """Whether a ratio is more than noise: its interval lies on one side of 1, and its value outside the A/A of both."""
    if abs(ratio.value - 1) < LEAST:
        return Verdict.NOISE
    if ratio.low is None:
        return Verdict.UNSURE
    if may_be_equal(ratio, None) or any(may_be_equal(ratio, floor) for floor in floors):
        return Verdict.NOISE
    return Verdict.BETTER if (ratio.value < 1) == less_is_better else Verdict.WORSE


def change_by_prompt(match: Match, judged: tuple[JudgedStudy, JudgedStudy], name: str) -> Change | None:
    """What became of a score: the mean of its differences over the prompts, which must be the same in both studies."""
    metric = f"quality/{name}"
    before, after = (estimate_of(run, metric) for run in (match.before, match.after))
    if before is None or after is None or matching.DIFFERENCES["prompt_hash"] in match.differences:
        return None
    scores = [
        study.histories.scores(run["run_id"], name)
        for study, run in zip(judged, (match.before, match.after), strict=True)
    ]
    shared = sorted(set(scores[0]) & set(scores[1]))
    if not shared:
        return None
    differences = [scores[1][prompt] - scores[0][prompt] for prompt in shared]
    mean = stats.mean_over_prompts(differences)
    if mean.low is None:  # the same in every prompt, or one prompt
        verdict = Verdict.NOISE if mean.value == 0 else Verdict.UNSURE
    elif mean.low <= 0 <= mean.high:
        verdict = Verdict.NOISE
    else:
        verdict = Verdict.BETTER if mean.value > 0 else Verdict.WORSE
    return Change(metric, before, after, mean, verdict)
