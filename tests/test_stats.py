"""Every printed formula against a value worked by hand."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench import stats


def test_mean_over_rounds_by_hand():
    # mean 12, sd 2, n 3: half width t(.975, 2) x 2 / sqrt(3) = 4.302653 x 1.154701
    found = stats.mean_over_rounds([10, 12, 14])
    assert found.value == 12
    assert found.high - found.value == pytest.approx(4.302653 * 1.154701, rel=1e-5)
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_one_round_gives_no_interval():
    assert stats.mean_over_rounds([3.5]) == stats.Estimate(3.5)


def test_ratio_is_paired_by_round_on_the_log_scale():
    # log ratios ln 2 and ln 8: mean ln 4; sd = ln 4 / sqrt 2, half width 12.706205 x ln 4 / 2
    found = stats.ratio_over_rounds([2, 16], [1, 2])
    assert found.value == pytest.approx(4)
    assert math.log(found.high / found.value) == pytest.approx(12.706205 * math.log(4) / 2, rel=1e-5)


def test_rounds_interval_covers_its_truth_at_its_level():
    random = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        found = stats.mean_over_rounds(10 + random.normal(0, 0.1, 5))
        hits += found.low <= 10 <= found.high
    assert 0.93 <= hits / 2000 <= 0.97


def test_mean_over_prompts_is_the_percentile_bootstrap():
    values = np.random.default_rng(1).normal(0.4, 0.1, 64)
    found = stats.mean_over_prompts(values)
    half = scipy_stats.norm.ppf(0.975) * values.std() / 8
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * half, rel=0.15)
    assert stats.mean_over_prompts([0.5, 0.5, 0.5]) == stats.Estimate(0.5)


def test_paired_ratio_is_the_median_over_the_same_calls():
    # 5 % slower on three calls; a fourth was interrupted and does not count
    assert stats.paired_ratio([105, 210, 42, 900], [100, 200, 40, 300]) == pytest.approx(1.05)


def test_break_even_is_where_the_line_meets_the_target():
    assert stats.break_even_steps([4, 8, 16], [50, 90, 170], 130) == pytest.approx(12)


def test_paired_lower_bound_is_below_the_mean_and_falls_with_comparisons():
    random = np.random.default_rng(2)
    reference = random.normal(0.4, 0.1, 32)
    values = reference + random.normal(0.05, 0.05, 32)
    one, six = (stats.paired_difference_low(values, reference, n) for n in (1, 6))
    assert six < one < (values - reference).mean()
    assert one == pytest.approx((values - reference).mean() - 1.645 * (values - reference).std() / 32**0.5, abs=0.004)


def test_a_model_truly_short_of_the_margin_seldom_passes():
    random = np.random.default_rng(3)
    passed = 0
    for _ in range(300):
        reference = random.normal(0.4, 0.1, 32)
        candidates = [reference - 0.02 + random.normal(0, 0.08, 32) for _ in range(6)]  # exactly at the margin
        passed += any(stats.paired_difference_low(c, reference, 6) >= -0.02 for c in candidates)
    assert passed / 300 <= 0.11  # 5 % by design; percentile bootstraps of 32 prompts run a little over
