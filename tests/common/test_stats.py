"""Every printed formula against a value worked by hand."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.common import cross_over, stats


def test_mean_over_rounds_by_hand():
    # mean 12, sd 2, n 3: half width t(.975, 2) x 2 / sqrt(3) = 4.302653 x 1.154701
    estimate = stats.mean_over_rounds([10, 12, 14])
    assert estimate.value == 12
    assert estimate.high - estimate.value == pytest.approx(4.302653 * 1.154701, rel=1e-5)
    assert estimate.value - estimate.low == pytest.approx(estimate.high - estimate.value)


def test_one_round_gives_no_interval():
    assert stats.mean_over_rounds([3.5]) == stats.Estimate(3.5)


def test_ratio_is_paired_by_round_on_the_log_scale():
    # log ratios ln 2 and ln 8: mean ln 4; sd = ln 4 / sqrt 2, half width 12.706205 x ln 4 / 2
    estimate = stats.ratio_over_rounds([2, 16], [1, 2])
    assert estimate.value == pytest.approx(4)
    assert math.log(estimate.high / estimate.value) == pytest.approx(12.706205 * math.log(4) / 2, rel=1e-5)


def test_a_median_ratio_by_hand():
    # of six coins none falls heads with probability 1/64, one at most with 7/64: the interval is least to most
    estimate = stats.median_ratio([2, 4, 6, 8, 10, 12], [2, 2, 2, 2, 2, 2])
    assert estimate == stats.Estimate(3.5, 1, 6)
    # of nine: none 1/512, one at most 10/512, under 2.5 %; two at most 46/512: the second from either end
    assert stats.median_ratio([90, 1, 2, 3, 4, 5, 6, 7, 8], [1] * 9) == stats.Estimate(5, 2, 8)
    assert stats.median_ratio([1, 2, 3, 4, 5], [1] * 5) == stats.Estimate(3)
    assert stats.median_ratio([1, 2, 3], [1] * 3).text(1) == "2.0"
    assert stats.Estimate(1, 0.5, 2).text(2, " %") == "1.00 [0.50, 2.00] %"


def test_drift_is_the_most_over_the_least():
    assert stats.drift([100, 103, 98]) == pytest.approx(103 / 98 - 1)
    assert stats.drift([5.0, 5.0]) == 0


def test_a_ratio_of_equals_by_hand():
    # log ratios ln 1.1 and -ln 1.1: mean 0, sd ln 1.1 x sqrt 2, half width 12.706205 x ln 1.1
    estimate = stats.ratio_over_rounds([110, 100], [100, 110])
    assert estimate.value == pytest.approx(1)
    assert math.log(estimate.high) == pytest.approx(12.706205 * math.log(1.1), rel=1e-5)
    assert stats.ratio_over_rounds([110], [100]) == stats.Estimate(pytest.approx(1.1))


def test_two_clusters_are_two_modes():
    # means 10.05 and 12.05, sum of squares 4 x 0.05^2, pooled sd sqrt(0.01 / 2): D = 2 / 0.0707 = 28
    assert stats.has_two_modes([10, 10.1, 12, 12.1])
    # the same clusters 0.3 apart: D = 4.2, and 0.4 apart, D = 5.7, yet less than 5 %
    assert not stats.has_two_modes([10, 10.1, 10.3, 10.4])
    assert not stats.has_two_modes([10, 10.1, 10.4, 10.5])
    assert not stats.has_two_modes([10, 12, 12.1])  # one value is no cluster
    assert not stats.has_two_modes([10, *[12 + 0.01 * i for i in range(40)]])


@pytest.mark.parametrize("count", [5, 8, 32])
def test_one_cluster_is_rarely_taken_for_two(count):
    random = np.random.default_rng(0)
    flagged = {sd: np.mean([stats.has_two_modes(1 + random.normal(0, sd, count)) for _ in range(400)])
               for sd in (0.01, 0.05, 0.15)}  # fmt: skip
    assert flagged[0.01] == 0
    assert max(flagged.values()) <= 0.16
    modes = [1 + 0.2 * (random.random(count) < 0.4) + random.normal(0, 0.01, count) for _ in range(400)]
    assert np.mean([stats.has_two_modes(values) for values in modes]) > (0.5 if count == 5 else 0.85)


def test_mean_over_prompts_is_the_percentile_bootstrap():
    values = np.random.default_rng(1).normal(0.4, 0.1, 64)
    estimate = stats.mean_over_prompts(values)
    half = scipy_stats.norm.ppf(0.975) * values.std() / 8
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.high - estimate.low == pytest.approx(2 * half, rel=0.15)
    assert stats.mean_over_prompts([0.5, 0.5, 0.5]) == stats.Estimate(0.5)


def test_paired_ratio_is_the_median_over_the_same_calls():
    # 5 % slower on three calls; a fourth was interrupted and does not count
    assert stats.paired_ratio([105, 210, 42, 900], [100, 200, 40, 300]) == pytest.approx(1.05)


def test_break_even_is_where_the_line_meets_the_target():
    assert stats.break_even_steps([4, 8, 16], [50, 90, 170], 130) == pytest.approx(12)


def test_a_share_keeps_its_interval_at_the_ends():
    # Wilson by hand: n = 10, all right: low = 1 / (1 + z^2 / 10)
    estimate = stats.proportion(10, 10)
    assert estimate.value == estimate.high == 1.0
    assert estimate.low == pytest.approx(1 / (1 + 1.959964**2 / 10), rel=1e-5)


def test_bits_per_byte_is_totals_over_totals():
    estimate = stats.bits_per_byte([np.log(2) * 30, np.log(2) * 10], [20, 20])
    assert estimate.value == pytest.approx(1.0)
    assert estimate.low == pytest.approx(0.5)
    assert estimate.high == pytest.approx(1.5)
    assert stats.bits_per_byte([np.log(2)], [2]) == stats.Estimate(0.5)


def test_the_monotone_fit_is_scipys():
    from scipy.optimize import isotonic_regression

    values = np.random.default_rng(4).normal(size=(40, 6))
    for mine, row in zip(cross_over.monotone_fit(values), values, strict=True):
        assert mine == pytest.approx(isotonic_regression(row).x)


def test_a_curve_reaches_on_the_line_over_log_steps():
    curves = np.array([[0.2, 0.4, 0.6], [0.2, 0.4, 0.6], [0.2, 0.4, 0.6], [0.5, 0.5, 0.6]])
    meets = cross_over.first_reach(curves, np.array([0.5, 0.7, 0.1, 0.5]), [4, 8, 16])
    assert meets.tolist() == [pytest.approx(2**3.5), np.inf, 4.0, 4.0]
    assert cross_over.first_reach(np.array([[0.5]]), np.array([0.4]), [8]).tolist() == [8.0]


def test_next_admissible_steps_share_evenly_among_blocks():
    assert [cross_over.next_admissible(s, 4) for s in (4.0, 4.1, 27.3, 28.0000000001)] == [4, 8, 28, 28]
    assert cross_over.next_admissible(27.3, 1) == 28


def test_a_time_between_measured_steps_is_on_the_line():
    assert stats.at_steps([4, 8, 16], [50, 90, 170], 12) == 130


STEPS = [4, 8, 16, 32, 64, 128]
RISING = [0.20, 0.25, 0.33, 0.44, 0.50, 0.54]  # meets 0.46 - 0.02 at exactly 32 steps


def simulate(random, truth: list[float], reference: float, prompts: int, binary: bool):
    """(reference [prompts], scores [steps, prompts]) of one study; what a prompt is like is shared by all runs."""
    if binary:
        shared, own = random.random(prompts), random.random((len(truth) + 1, prompts))
        draws = np.where(random.random(own.shape) < 0.5, shared, own)
        right = (draws < np.array([reference, *truth])[:, None]).astype(float)
        return right[0], right[1:]
    shared = random.normal(0, 0.1, prompts)
    noise = random.normal(0, 0.08, (len(truth) + 1, prompts))
    values = np.array([reference, *truth])[:, None] + shared + noise
    return values[0], values[1:]


def rates(truth, reference, margin, prompts, binary, studies, seed=5):
    """(share of studies whose interval covers the true steps, share that say `reached`)."""
    random = np.random.default_rng(seed)
    true = cross_over.first_reach(np.array([truth]), np.array([reference - margin]), STEPS)[0]
    covered = reached = 0
    for _ in range(studies):
        crossing = cross_over.cross_over(*simulate(random, truth, reference, prompts, binary), STEPS, margin)
        covered += crossing.low <= true <= crossing.high
        reached += crossing.reached
    return covered / studies, reached / studies


COVERED = [
    (RISING, 0.46, 0.02, False),
    (RISING, 0.49, 0.02, False),
    ([0.4, 0.45, 0.5, 0.6, 0.8, 0.95], 0.75, 0.05, True),
]
SHORT = [  # just short of the target of 0.44 or 0.85 at the most steps
    ([0.20, 0.25, 0.33, 0.40, 0.43, 0.438], 0.46, 0.02, False),
    ([0.438] * 6, 0.46, 0.02, False),
    ([0.3, 0.4, 0.5, 0.848, 0.848, 0.848], 0.9, 0.05, True),
    ([0.3, 0.4, 0.5, 0.7, 0.8, 0.918], 0.97, 0.05, True),
]


def test_cross_over_on_a_few_simulated_studies(monkeypatch):
    monkeypatch.setattr(stats, "REPLICATES", 500)
    covered, reached = rates(*COVERED[0][:3], 64, False, studies=150)
    assert 0.89 <= covered <= 0.99
    assert reached > 0.98
    assert rates(*SHORT[1][:3], 64, False, studies=150)[1] <= 0.09


@pytest.mark.slow
@pytest.mark.parametrize("prompts", [32, 128])
def test_the_interval_covers_and_a_model_that_is_short_seldom_reaches(prompts, monkeypatch, capsys):
    monkeypatch.setattr(stats, "REPLICATES", 1000)
    for truth, reference, margin, binary in COVERED:
        covered, _ = rates(truth, reference, margin, prompts, binary, studies=1000)
        with capsys.disabled():
            print(f"\n{prompts} prompts, {'binary' if binary else 'normal'} scores: covered {covered:.3f}", end="")
        assert 0.93 <= covered <= 0.97
    for truth, reference, margin, binary in SHORT:
        _, reached = rates(truth, reference, margin, prompts, binary, studies=2000)
        with capsys.disabled():
            print(f"\n{prompts} prompts, short by .002: reached {reached:.3f}", end="")
        assert reached <= 0.06  # 5 %, and two standard errors of 2,000 studies


def test_what_never_reaches_has_no_steps():
    random = np.random.default_rng(6)
    crossing = cross_over.cross_over(*simulate(random, [0.1] * 6, 0.9, 32, True), STEPS, 0.05)
    assert (crossing.reached, crossing.p_reached, crossing.steps, crossing.high) == (False, 0.0, np.inf, np.inf)


def test_a_few_prompts_without_a_disagreement_prove_nothing():
    right = np.ones(20)
    crossing = cross_over.cross_over(right, [right] * 6, STEPS, 0.05)
    assert not crossing.reached
    assert cross_over.cross_over(np.ones(400), [np.ones(400)] * 6, STEPS, 0.05).reached


def test_a_whole_time_from_a_part():
    assert stats.time_of_a_part([[1.0, 2.0, 9.0], [4.0]]) == 3.0
    assert stats.extrapolated(100.0, [[1.0, 2.0, 9.0], [4.0]], 10) == 130.0


def test_steps_that_take_as_long_as_a_target():
    assert stats.steps_in_time(16, [32.0], [8.0]) == stats.Estimate(4.0)
    steps = stats.steps_in_time(16, [32.0, 8.0], [8.0, 8.0])
    assert steps.value == pytest.approx(8.0)  # the geometric mean of 4 and 16
    assert steps.low < 4
    assert steps.high > 16


def test_a_typical_value_by_hand():
    # ln 2 and ln 8: mean ln 4, half width 12.706205 x ln 2
    found = stats.typical_over_rounds([2.0, 8.0])
    assert found.value == pytest.approx(4)
    assert math.log(found.high / 4) == pytest.approx(12.706205 * math.log(2), rel=1e-5)
    assert found.low == pytest.approx(16 / found.high)
    assert stats.typical_over_rounds([3.0]) == stats.Estimate(3.0)


def test_a_break_even_has_one_estimate_a_round():
    # lines of 10 ms a step behind 10 ms: 110 ms is 10 steps, 410 ms is 40; geometric mean 20
    found = stats.break_even_over_rounds([4, 8], [[50, 90], [50, 90]], [110, 410])
    assert found.value == pytest.approx(20)
    assert math.log(found.high / 20) == pytest.approx(12.706205 * math.log(2), rel=1e-5)
    assert stats.break_even_over_rounds([4, 8], [[50, 90]], [110]) == stats.Estimate(pytest.approx(10))


@pytest.mark.parametrize(
    ("rounds", "targets"),
    [
        ([[50, 90], [90, 50]], [110, 110]),  # more steps take less time in a round
        ([[50, 90], [50, 90]], [110, 5]),  # in a round the target is less than no step takes
    ],
)
def test_rounds_that_contradict_each_other_bound_nothing(rounds, targets):
    found = stats.break_even_over_rounds([4, 8], rounds, targets)
    assert (found.low, found.high) == (0, math.inf)
    assert found.text(0).endswith(" [0, unbounded]")


def test_a_target_below_one_step_in_every_round_has_no_interval():
    found = stats.break_even_over_rounds([4, 8], [[50, 90], [50, 90]], [5, 15])
    assert found == stats.Estimate(pytest.approx(0.0))


def crossing_of(replicates: list[float], steps: float) -> cross_over.CrossOver:
    return cross_over.CrossOver(1.0, True, steps, min(replicates), max(replicates), np.array(replicates), 0.025)


def test_the_price_of_a_certain_cross_over_has_the_interval_of_the_rounds():
    found = cross_over.price_at(
        crossing_of([8.0] * 2000, 8.0), 1, lambda steps: [0.5 * steps / 8, 2.0 * steps / 8], np.inf
    )
    whole = stats.typical_over_rounds([0.5, 2.0])
    assert found.value == pytest.approx(1)
    assert found.low == pytest.approx(whole.low, rel=0.1)
    assert found.high == pytest.approx(whole.high, rel=0.1)


def test_the_price_of_a_doubtful_cross_over_has_its_doubt_too():
    replicates = [*np.linspace(8, 32, 2000)]
    certain = lambda steps: [steps / 16, steps / 16, steps / 16]  # noqa: E731 (every round agrees)
    found = cross_over.price_at(crossing_of(replicates, 16.0), 1, certain, np.inf)
    assert (found.low, found.high) == (pytest.approx(9 / 16), pytest.approx(2))  # 2.5 % of 8 to 32 is 8.6: 9 steps
    noisy = lambda steps: [steps / 16 * factor for factor in (0.9, 1.0, 1.1)]  # noqa: E731
    wider = cross_over.price_at(crossing_of(replicates, 16.0), 1, noisy, np.inf)
    assert wider.low < found.low
    assert wider.high > found.high


@pytest.mark.parametrize(("beyond", "bounds"), [(np.inf, (1, np.inf)), (0.0, (0, 1))])
def test_replicates_that_never_reach_have_no_bounded_price(beyond, bounds):
    replicates = [16.0] * 1900 + [np.inf] * 100
    found = cross_over.price_at(crossing_of(replicates, 16.0), 4, lambda steps: [1.0, 1.0], beyond)
    assert (found.low, found.high) == bounds
    one_round = cross_over.price_at(crossing_of(replicates, 16.0), 4, lambda steps: [1.5], beyond)
    assert one_round == stats.Estimate(1.5)


def test_few_prompts_do_not_blow_up_the_price_of_a_certain_cross_over():
    """The tails of two prompts are all replicates; those of two rounds are Student's, whatever the prompts."""
    certain = cross_over.CrossOver(1.0, True, 8.0, 8.0, 8.0, np.full(2000, 8.0), 1e-70)
    found = cross_over.price_at(certain, 1, lambda steps: [0.9, 1.1], np.inf)
    whole = stats.typical_over_rounds([0.9, 1.1])
    assert (found.low, found.high) == (pytest.approx(whole.low, rel=0.1), pytest.approx(whole.high, rel=0.1))


def test_a_bound_beyond_all_measure_is_printed_as_none():
    assert stats.Estimate(0.39, 0.0, 4e123).text(2) == "0.39 [0.00, unbounded]"
    assert stats.Estimate(5e6, 4e6, 6e6).text(0) == "5000000 [4000000, 6000000]"


def test_a_difference_of_shares_is_as_wide_as_both_together():
    """56 of 70 less 48 of 80: .2 [.0524, .3339] (Newcombe 1998, table II, method 10)."""
    found = stats.difference(stats.proportion(56, 70), stats.proportion(48, 80))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert stats.difference(stats.Estimate(0.5), stats.proportion(1, 4)) == stats.Estimate(0.25)


def test_right_and_wrong_are_a_share_and_other_scores_a_mean():
    assert stats.share_or_mean([1.0, 0.0, 1.0, 1.0]) == stats.proportion(3, 4)
    assert stats.share_or_mean([1.0, 0.5, 0.0]) == stats.mean_over_prompts([1.0, 0.5, 0.0])


def test_a_ratio_of_sums_is_paired_by_item():
    times = np.random.default_rng(0).lognormal(0, 1, 50)
    same = stats.ratio_of_sums(2 * times, times)
    assert (same.value, same.low, same.high) == pytest.approx((2, 2, 2))  # whichever items are drawn
    other = stats.ratio_of_sums(2 * times, times[::-1])
    assert other.value == pytest.approx(2)
    assert other.low < 1.6 < 2.4 < other.high
    assert stats.ratio_of_sums([3.0], [2.0]) == stats.Estimate(1.5)
    assert stats.ratio_of_sums([3.0], [2.0], unit=3.0).value == pytest.approx(0.5)
