"""All that is found in a study: made once by a door, then shown in a terminal and in the paper."""

from dataclasses import dataclass, field, replace

import pandas as pd

from bench.analysis import consistency, cost, decoder_hypotheses, endpoints, hundred_steps, hypotheses, surface
from bench.analysis.borrowed import Borrowed, borrowed_of
from bench.analysis.carried_over import CarriedOver, carried_over
from bench.analysis.comparison import Comparison, comparisons
from bench.analysis.consistency import Fall
from bench.analysis.decoder_places import Decoders, decoders_of
from bench.analysis.endpoints import Outcome
from bench.analysis.ends import Ends, ends_of
from bench.analysis.hundred_steps import Latency
from bench.analysis.hypotheses import Score
from bench.analysis.hypotheses_file import Tested
from bench.analysis.likelihood import Likelihood, likelihoods
from bench.analysis.noise import Sentinels, judge
from bench.analysis.scaling import Scaling, scalings
from bench.analysis.study import Study
from bench.analysis.surface import Surface
from bench.analysis.task_accuracy import TaskAccuracy
from bench.analysis.task_runs import task_accuracies
from bench.spec import study_file
from bench.spec.pair import PairFile, read_pair
from bench.spec.study_file import StudyFile


@dataclass(frozen=True)
class Findings:
    """What a study says, as numbers.

    costs: the cost model beside what was measured, a row a run (bench/analysis/cost.py). on_cpu: whether a run of the
    study was on a CPU. tolerances: when those of the hypotheses were chosen. decoder_scores, timed_before: the
    hypotheses on decoders, and what had been timed when these were written. carried_over: their claims about time at
    the ceilings of the study's card, where they are of another one. tested: the cost model's error in this
    study, or in the one that tested it. hundred_steps: LLaDA's latency at 100 steps over LLaMA's, at each place. ends:
    what changes where answers end otherwise. decoders: the runs with other decoders than the authors', which stand in
    no comparison. borrowed: accuracies that others have published, beside the study's times; None where there is
    nothing to set beside them.
    declared, endpoints: what the study's file declared to be primary (None: there is no file), and what became of it.
    falls: peaks of memory that fall where the work grows, which cannot be. task_accuracies: of tasks of
    lm-evaluation-harness, paired by question. runs: every run of the study but those, judged. sentinels: the noise of
    the machine, round by round.
    """

    study: str
    pair: PairFile
    comparisons: list[Comparison]
    scalings: list[Scaling]
    scores: list[Score]
    tolerances: str
    decoder_scores: list[Score]
    timed_before: str
    carried_over: CarriedOver | None
    tested: Tested
    likelihoods: list[Likelihood]
    costs: pd.DataFrame
    on_cpu: bool
    hundred_steps: list[Latency]
    declared: StudyFile | None
    endpoints: list[Outcome]
    falls: list[Fall]
    ends: Ends
    decoders: Decoders
    task_accuracies: list[TaskAccuracy]
    borrowed: Borrowed | None = None
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    sentinels: Sentinels = field(default_factory=Sentinels)

    def surface(self) -> Surface | None:
        """Where time breaks even, over batch and output length; None where a model's shape is not known."""
        if self.pair.has_server:
            return None
        return surface.surface_of(self.costs, self.scalings, self.pair, self.on_cpu, hypotheses.read())


def findings_of(study: Study) -> Findings:
    """Everything in a study. Raises BadInput where the file of its pair cannot be read."""
    pair = read_pair(pd.concat([study.runs, study.accuracies])["pair"].iloc[0])
    falls = consistency.falls(study.runs)
    study = replace(study, runs=consistency.with_flags(study.runs, falls))
    judged = judge(study)
    groups = scalings(judged)
    about, about_decoders = hypotheses.read(), decoder_hypotheses.read()
    scores = hypotheses.scores(pair.name, groups, about)
    decoder_scores = decoder_hypotheses.scores(pair.name, judged, about_decoders)
    declared = study_file.read(study.name)
    compared = comparisons(judged, pair.metrics)
    return Findings(
        study=study.name,
        pair=pair,
        comparisons=compared,
        scalings=groups,
        scores=scores,
        tolerances=about.tolerances,
        decoder_scores=decoder_scores,
        timed_before=decoder_hypotheses.known_before(decoder_scores, about_decoders),
        carried_over=carried_over(pair, judged, about_decoders),
        tested=hypotheses.tested_in(study.name, scores) or about.tested,
        likelihoods=likelihoods(study.runs),
        costs=cost.rows(study.runs),
        on_cpu="platform" in study.runs and bool((study.runs["platform"] == "cpu").any()),
        hundred_steps=hundred_steps.latencies(compared, groups),
        declared=declared,
        endpoints=endpoints.outcomes(declared, compared, groups, study.runs) if declared else [],
        falls=falls,
        ends=ends_of(judged),
        decoders=decoders_of(judged, pair.metrics),
        task_accuracies=task_accuracies(study, pair),
        borrowed=borrowed_of(pair, study.accuracies, compared, groups),
        runs=judged.runs,
        sentinels=judged.sentinels,
    )
