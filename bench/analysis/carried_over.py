"""Claims on decoders carried over to another card: the cost model's numbers at the ceilings that were measured on the
study's own card, beside what was measured there.

paper/hypotheses-decoders.yaml states its numbers for one card, and only a study on that card scores them. On another
card the same claims, computed anew, show how far the cost model's ratios hold. They are no predictions made beforehand.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bench.analysis import decoder_hypotheses
from bench.analysis.decoder_claims import DecoderFile, DecoderHypothesis
from bench.analysis.decoders import KIND
from bench.analysis.hypotheses import Result, Score, independent, measured_ones
from bench.analysis.noise import JudgedStudy
from bench.analysis.runs import with_columns
from bench.cost.one_forward import Ceilings
from bench.cost.predictions import Models
from bench.spec.pair import PairFile

SPEEDS = ("ceiling.flops_per_s", "ceiling.bytes_per_s")  # of a run: what its card was measured to reach


@dataclass(frozen=True)
class CarriedOver:
    """The hypotheses of which a claim was measured, with these claims alone, and the numbers of the study's card.

    card: its name. stated_for: part of the name of the card that the claims and their tolerances were stated for. A
    number of tokens a step at which LLaMA's speed is reached is infinite where it is not, up to a block at once.
    """

    card: str
    stated_for: str
    scores: list[Score]

    @property
    def results(self) -> list[Result]:
        """The claims, of those about one number the first."""
        return independent(self.scores)

    @property
    def ratios(self) -> list[float]:
        """Measured over the cost model's number, of each claim for which both are finite."""
        pairs = [(result.measured.value, result.claim.value) for result in self.results]
        return [measured / value for measured, value in pairs if math.isfinite(measured) and math.isfinite(value)]


def carried_over(pair: PairFile, study: JudgedStudy, about: DecoderFile) -> CarriedOver | None:
    """The claims about time of a pair at the ceilings of a study's card.

    Those that rest on a published study are left out. None where the pair has no such claims, on the card that they
    were stated for, on several kinds of card, and where no ceilings or no such runs are.
    """
    hypotheses = {name: of_time(each) for name, each in about.hypotheses.items() if each.pair == pair.name}
    hypotheses = {name: each for name, each in hypotheses.items() if each.claims}
    here = card_of(study, about) if hypotheses and not pair.has_server else None
    if here is None:
        return None
    card, ceilings = here
    speeds = {"flops_per_s": ceilings.flops_per_s, "bytes_per_s": ceilings.bytes_per_s}
    own = about.model_copy(update={"card": card, **speeds})
    models = Models.of(pair)
    anew = {name: at_own_ceilings(each, own, models) for name, each in hypotheses.items()}
    scores = [
        replace(score, results=[result for result in score.results if result.measured is not None])
        for score in measured_ones(
            decoder_hypotheses.scores(pair.name, study, own.model_copy(update={"hypotheses": anew}))
        )
    ]
    return CarriedOver(card, about.card, scores) if scores else None


def of_time(hypothesis: DecoderHypothesis) -> DecoderHypothesis:
    """A hypothesis with those of its claims alone that the cost model gives a number for."""
    claims = [
        claim for claim in hypothesis.claims
        if claim.is_of_time and claim.value is not None and claim.reference == "floor"
    ]  # fmt: skip
    return hypothesis.model_copy(update={"statement": "", "claims": claims})


def card_of(study: JudgedStudy, about: DecoderFile) -> tuple[str, Ceilings] | None:
    """Name and ceilings of the only kind of card on which a study ran decoders, if that is not the file's. Of several
    ceilings that were measured the median."""
    runs = with_columns(study.runs, ["kind", "reason", "dtype", "device", *SPEEDS])
    runs = runs[(runs["kind"] == KIND) & (runs["reason"] == "") & (runs["dtype"] == about.dtype)]
    names = set(runs["device"].dropna().map(str))
    speeds = [pd.to_numeric(runs[name]).dropna().unique() for name in SPEEDS]
    if len(names) != 1 or not all(map(len, speeds)) or any(about.card in name for name in names):
        return None
    return names.pop(), Ceilings(*(float(np.median(values)) for values in speeds))


def at_own_ceilings(hypothesis: DecoderHypothesis, own: DecoderFile, models: Models) -> DecoderHypothesis:
    """A hypothesis with the numbers of its claims computed anew."""
    values = [decoder_hypotheses.predicted(claim, own, models) for claim in hypothesis.claims]
    claims = [claim.model_copy(update={"value": value}) for claim, value in zip(hypothesis.claims, values, strict=True)]
    return hypothesis.model_copy(update={"claims": claims})
