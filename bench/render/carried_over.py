"""Claims on decoders at the ceilings of another card than that they were stated for, in sentences."""

import math
from collections.abc import Sequence

import numpy as np

from bench.analysis.carried_over import CarriedOver
from bench.analysis.decoder_hypotheses import ENGINE, HEAD
from bench.analysis.hypotheses import Result
from bench.common.stats import Estimate
from bench.render.hypotheses import decoder_claim_text, short
from bench.render.wording import engine_and_head

BEYOND = "more than a block"  # tokens a step
STATES = {"met": "within it", "not met": "OUTSIDE it", "undecided": "UNDECIDED: the interval reaches across it"}


def lines(carried: CarriedOver | None) -> list[str]:
    """How many claims hold on the study's card, and a line a claim; [] where nothing was carried over."""
    if carried is None:
        return []
    return [sentence(carried), *(line(score.name, result) for score in carried.scores for result in score.results)]


def sentence(carried: CarriedOver) -> str:
    """How many numbers lie within the tolerance, and how far the cost model was off."""
    results = carried.results
    met = sum(result.state == "met" for result in results)
    return (
        f"Claims on decoders that were stated for an {carried.stated_for}, computed anew at the ceilings measured here"
        f" ({carried.card}), so that they are no predictions made beforehand: of {len(results)} numbers (measured:"
        f" {engine_and_head(ENGINE, [HEAD])}) {met} lie within the tolerance that was stated"
        f"{ratios_words(carried.ratios)}."
    )


def ratios_words(ratios: Sequence[float]) -> str:
    """How far the cost model was off; empty where no number is finite."""
    if not ratios:
        return ""
    ends = f"{min(ratios):.2f} to {max(ratios):.2f}"
    return f"; measured over the cost model's: median {np.median(ratios):.2f} ({ends})"


def line(name: str, result: Result) -> str:
    """A claim beside what was measured."""
    claim = result.claim
    modelled = f"{number(Estimate(claim.value))} by the cost model (tolerance x{claim.factor:g})"
    part = ", extrapolated" if result.is_extrapolated else ""
    measured = f"measured {number(result.measured)}{part}: {STATES[result.state]}"
    return f"   {name}, {decoder_claim_text(claim)}: {modelled}, {measured}"


def number(estimate: Estimate) -> str:
    """A number of a claim with its interval; an infinite one in words."""
    return short(estimate) if math.isfinite(estimate.value) else BEYOND
