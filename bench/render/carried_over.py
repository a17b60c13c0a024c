"""Claims on decoders at the ceilings of another card than that they were stated for, in sentences."""

import numpy as np

from bench.analysis.carried_over import CarriedOver
from bench.analysis.hypotheses import Result
from bench.render.hypotheses import claim_text, short

STATES = {"met": "within it", "not met": "OUTSIDE it", "undecided": "UNDECIDED: the interval reaches across it"}


def lines(carried: CarriedOver | None) -> list[str]:
    """How many claims hold on the study's card, and a line a claim; [] where nothing was carried over."""
    if carried is None:
        return []
    return [sentence(carried), *(line(score.name, result) for score in carried.scores for result in score.results)]


def sentence(carried: CarriedOver) -> str:
    """How many numbers lie within the tolerance, and how far the cost model was off."""
    results, ratios = carried.results, carried.ratios
    met = sum(result.state == "met" for result in results)
    return (
        f"Claims on decoders that were stated for an {carried.stated_for}, computed anew at this card's measured"
        f" ceilings ({carried.card}), so that they are no predictions made beforehand: {met} of {len(results)} measured"
        f" numbers lie within the tolerance that was stated; measured over the cost model's: median"
        f" {np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})."
    )


def line(name: str, result: Result) -> str:
    """A claim beside what was measured."""
    claim = result.claim
    about = claim_text(claim, result.engine)
    part = ", extrapolated" if result.is_extrapolated else ""
    return (
        f"   {name}, {about}: {claim.value:.3g} by the cost model (tolerance x{claim.factor:g}), measured"
        f" {short(result.measured)}{part}: {STATES[result.state]}"
    )
