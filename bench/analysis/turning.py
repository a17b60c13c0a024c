"""The batch from which on LLaDA is the slower one, from the steps at which time breaks even at several batches."""

from dataclasses import dataclass, replace

import numpy as np

from bench.analysis import bias
from bench.analysis.bias import Bias
from bench.analysis.hypotheses_file import Claim
from bench.common import stats
from bench.common.stats import Estimate


@dataclass(frozen=True)
class BreakEven:
    """The steps at which both models take equally long at one place."""

    steps: Estimate  # as in the tables: its interval is widened where times were extrapolated
    by_round: dict[int, float]
    off: Bias = bias.NONE  # how far the steps of each round may be off
    is_extrapolated: bool = False


def turning_batch(evens: dict[int, BreakEven], claim: Claim) -> Estimate | None:
    """The turning batch with an interval that holds what extrapolating may be off; None from fewer than two batches.

    evens: by batch. The turning batch grows with every break-even, so all of them at their least and at their most give
    its ends.
    """
    measured, least, most = (
        turning_over_rounds({batch: scaled(even.by_round, factor(even)) for batch, even in evens.items()}, claim)
        for factor in (lambda even: 1.0, lambda even: even.off.least, lambda even: even.off.most)
    )
    if measured is None or None in (measured.low, least.low, most.high):
        return measured
    return replace(measured, low=min(measured.low, least.low), high=max(measured.high, most.high))


def scaled(by_round: dict[int, float], factor: float) -> dict[int, float]:
    """A number of each round, times a factor."""
    return {number: value * factor for number, value in by_round.items()}


def turning_over_rounds(evens: dict[int, dict[int, float]], claim: Claim) -> Estimate | None:
    """The batch at which time breaks even at the claim's tokens a step; None from fewer than two batches.

    evens: break-even steps by batch and round. One turning batch a round, of those that all batches have.
    """
    if len(evens) < 2:
        return None
    rounds = sorted(set.intersection(*map(set, evens.values())))
    turning = [turning_of({batch: evens[batch][number] for batch in sorted(evens)}, claim) for number in rounds]
    if turning and all(map(np.isfinite, turning)):
        return stats.typical_over_rounds(turning)
    typical = {batch: stats.typical_over_rounds(list(evens[batch].values())).value for batch in sorted(evens)}
    return Estimate(turning_of(typical, claim))


def turning_of(evens: dict[int, float], claim: Claim) -> float:
    """The turning batch of one round, on the line between measured batches in logarithms; infinite where the diffusion
    model stays ahead, the smallest batch where it never was. evens: break-even steps by batch, rising."""
    log_batches = np.log(list(evens))
    log_leads = np.log([steps * claim.tokens_per_step / claim.gen_length for steps in evens.values()])
    if log_leads[0] <= 0:
        return float(min(evens))
    behind = np.flatnonzero(log_leads <= 0)
    if not len(behind):
        return float("inf")
    i = behind[0]
    return float(np.exp(np.interp(0, [log_leads[i], log_leads[i - 1]], [log_batches[i], log_batches[i - 1]])))
