"""All that is found in a study: made once by a door, then shown in a terminal and in the paper."""

from dataclasses import dataclass

import pandas as pd

from bench.analysis import cost, hypotheses, surface
from bench.analysis.comparison import Comparison, comparisons
from bench.analysis.hypotheses import Score
from bench.analysis.likelihood import Likelihood, likelihoods
from bench.analysis.noise import judge
from bench.analysis.scaling import Scaling, scalings
from bench.analysis.study import Study
from bench.analysis.surface import Surface
from bench.spec.pair import PairFile, read_pair


@dataclass(frozen=True)
class Findings:
    """What a study says, as numbers.

    costs: the cost model beside what was measured, a row a run (bench/analysis/cost.py). on_cpu: whether a run of the
    study was on a CPU.
    """

    study: str
    pair: PairFile
    comparisons: list[Comparison]
    scalings: list[Scaling]
    scores: list[Score]
    likelihoods: list[Likelihood]
    costs: pd.DataFrame
    on_cpu: bool

    def surface(self) -> Surface:
        """Where time breaks even, over batch and output length."""
        return surface.surface_of(self.costs, self.scalings, self.pair, self.on_cpu)


def findings_of(study: Study) -> Findings:
    """Everything in a study. Raises BadInput where the file of its pair cannot be read."""
    pair = read_pair(study.runs["pair"].iloc[0])
    judged = judge(study)
    groups = scalings(judged)
    return Findings(
        study=study.name,
        pair=pair,
        comparisons=comparisons(judged, pair.metrics),
        scalings=groups,
        scores=hypotheses.scores(pair.name, groups, hypotheses.read()),
        likelihoods=likelihoods(study.runs),
        costs=cost.rows(study.runs),
        on_cpu="platform" in study.runs and bool((study.runs["platform"] == "cpu").any()),
    )
