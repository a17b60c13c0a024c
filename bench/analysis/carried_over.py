"""Claims on decoders carried over to another card: the cost model's numbers at the ceilings that were measured on the
study's own card, beside what was measured there.

paper/hypotheses-decoders.yaml states its numbers for one card, and only a study on that card scores them. On another
card the same claims, computed anew, show how far the cost model's ratios hold. They are no predictions made beforehand.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from bench.analysis import decoder_hypotheses
from bench.analysis.decoder_claims import DecoderFile, DecoderHypothesis
from bench.analysis.decoders import KIND
from bench.analysis.hypotheses import Result, Score, independent, measured_ones
from bench.analysis.noise import JudgedStudy
from bench.analysis.runs import with_columns
from bench.analysis.surface import ceilings_of
from bench.cost.one_forward import Ceilings
from bench.cost.predictions import Models
from bench.spec.pair import PairFile


@dataclass(frozen=True)
class CarriedOver:
    """The hypotheses of which a claim was measured, with these claims alone, and the numbers of the study's card.

    card: its name. stated_for: part of the name of the card that the claims and their tolerances were stated for.
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
        """Measured over the cost model's number, of each claim."""
        return [float(np.exp(result.log_error.value)) for result in self.results]


def carried_over(pair: PairFile, study: JudgedStudy, about: DecoderFile) -> CarriedOver | None:
    """The claims about time of a pair at the ceilings of a study's card.

    None on the card that they were stated for, on several kinds of card, and where no ceilings or no such runs are.
    """
    here = card_of(study, about)
    if here is None or pair.has_server:
        return None
    card, ceilings = here
    speeds = {"flops_per_s": ceilings.flops_per_s, "bytes_per_s": ceilings.bytes_per_s}
    own = about.model_copy(update={"card": card, **speeds})
    models = Models.of(pair)
    hypotheses = {
        name: at_own_ceilings(hypothesis, own, models)
        for name, hypothesis in about.hypotheses.items()
        if hypothesis.pair == pair.name
    }
    own = own.model_copy(update={"hypotheses": {name: each for name, each in hypotheses.items() if each.claims}})
    scores = [
        replace(score, results=[result for result in score.results if result.measured is not None])
        for score in measured_ones(decoder_hypotheses.scores(pair.name, study, own))
    ]
    return CarriedOver(card, about.card, scores) if scores else None


def card_of(study: JudgedStudy, about: DecoderFile) -> tuple[str, Ceilings] | None:
    """Name and ceilings of the only kind of card on which a study ran decoders, if that is not the file's."""
    runs = with_columns(study.runs, ["kind", "reason", "dtype", "device"])
    runs = runs[(runs["kind"] == KIND) & (runs["reason"] == "") & (runs["dtype"] == about.dtype)]
    names = set(map(str, runs["device"]))
    found = ceilings_of(runs)
    if len(names) != 1 or found is None or any(about.card in name for name in names):
        return None
    return names.pop(), found[0]


def at_own_ceilings(hypothesis: DecoderHypothesis, own: DecoderFile, models: Models) -> DecoderHypothesis:
    """A hypothesis with its claims about time computed anew, but for those that rest on a published study."""
    claims = []
    for claim in hypothesis.claims:
        if claim.is_of_time and claim.reference == "floor":
            value = decoder_hypotheses.predicted(claim, own, models)
            claims += [claim.model_copy(update={"value": value})] if math.isfinite(value) else []
    return hypothesis.model_copy(update={"statement": "", "claims": claims})
