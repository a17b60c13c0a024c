"""Whether an estimate says anything: when noise is larger than the effect, and how many rounds would change that."""

import math

from bench.common.stats import LEVEL, Estimate

# Steps are swept in doublings. An interval that reaches further than one to either side cannot tell a swept count from
# its neighbours.
WIDEST = 2.0
MOST_ROUNDS = 30  # more are not worth while: then it is the machine that must become quieter


def is_too_wide(estimate: Estimate | None) -> bool:
    """Whether an interval reaches further than `WIDEST` times its value to a side. Without an interval nothing is."""
    if estimate is None or estimate.low is None:
        return False
    return estimate.low * WIDEST < estimate.value or estimate.high > estimate.value * WIDEST


def may_be_equal(ratio: Estimate, floor: Estimate | None) -> bool:
    """Whether a ratio of two models may be noise alone: its interval holds 1, or it lies in that of one cell to itself
    (floor: the sentinel's A/A, None where it is not known)."""
    if ratio.low is not None and ratio.low <= 1 <= ratio.high:
        return True
    return floor is not None and floor.low is not None and floor.low <= ratio.value <= floor.high


def is_untold(ratio: Estimate) -> bool:
    """Whether nothing is known of the noise of a ratio: it has no interval. It is of one round, or of two runs that
    share no round on one card; then the noise of a cell to itself on either card says nothing of what cards differ by.
    """
    return ratio.low is None


def cannot_be_told(ratio: Estimate, floor: Estimate | None) -> bool:
    """Whether it stays open which of two models takes more: a ratio may be noise alone, or its noise is not known."""
    return may_be_equal(ratio, floor) or is_untold(ratio)


def rounds_for(estimate: Estimate, rounds: int, factor: float) -> int | None:
    """How many rounds would narrow an interval to a factor on either side, if the machine stays as it is.

    estimate: from so many rounds, two at least, with the t interval on the log scale. None where even `MOST_ROUNDS`
    would not do, or nothing is known of the spread.
    """
    from scipy import stats as scipy_stats

    if rounds < 2 or estimate.low is None or estimate.low <= 0 or not math.isfinite(estimate.high) or factor <= 1:
        return None

    def t(count: int) -> float:
        return float(scipy_stats.t.ppf((1 + LEVEL) / 2, count - 1))

    deviation = math.log(estimate.high / estimate.low) / 2 * math.sqrt(rounds) / t(rounds)
    enough = (
        count for count in range(2, MOST_ROUNDS + 1) if t(count) * deviation / math.sqrt(count) <= math.log(factor)
    )
    return next(enough, None)
