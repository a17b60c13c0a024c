"""When an estimate is too noisy to say, and how many rounds would change that."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.analysis import doubt
from bench.common import stats
from bench.common.stats import Estimate


@pytest.mark.parametrize(
    ("estimate", "wide"),
    [
        (Estimate(26, 18, 37), False),
        (Estimate(59, 8, 430), True),
        (Estimate(26, 12, 30), True),
        (Estimate(26, 20, 53), True),
        (Estimate(26), False),
        (None, False),
        (Estimate(0.0, 0.0, float("inf")), True),
        (Estimate(0.91, 0.38, 2.18), True),
    ],
)
def test_an_interval_may_reach_to_twice_and_half_its_value(estimate, wide):
    assert doubt.is_too_wide(estimate) == wide


@pytest.mark.parametrize(
    ("ratio", "floor", "equal"),
    [
        (Estimate(0.89, 0.64, 1.24), None, True),
        (Estimate(0.89, 0.85, 0.93), None, False),
        (Estimate(0.89, 0.85, 0.93), Estimate(1.05, 0.88, 1.26), True),  # the same cell twice differs as much
        (Estimate(0.80, 0.75, 0.85), Estimate(1.05, 0.88, 1.26), False),
        (Estimate(0.89), Estimate(1.05), False),  # one round: nothing is known of the noise
    ],
)
def test_a_ratio_within_the_noise_may_be_noise(ratio, floor, equal):
    assert doubt.may_be_equal(ratio, floor) == equal


def test_the_rounds_that_are_advised_would_do():
    """Rounds with the spread of those that were measured have an interval of that factor, and one fewer has not."""
    spread = [0.7, 1.0, 1.0 / 0.7]
    found = doubt.rounds_for(stats.typical_over_rounds(spread), 3, 1.5)

    def half_width(rounds: int) -> float:

        return float(np.exp(scipy_stats.t.ppf(0.975, rounds - 1) * np.std(np.log(spread), ddof=1) / rounds**0.5))

    assert half_width(found) <= 1.5 < half_width(found - 1)
    assert doubt.rounds_for(stats.typical_over_rounds(spread), 3, 1.001) is None
    assert doubt.rounds_for(Estimate(1.0), 1, 2.0) is None
    assert doubt.rounds_for(Estimate(1.0, 0.0, float("inf")), 3, 2.0) is None
