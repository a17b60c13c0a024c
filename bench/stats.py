"""Every formula that a table prints. Pure functions on numbers.

scipy is imported where it is used: a bare GPU machine runs cells without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
REPLICATES = 2000


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; the interval is None where one value cannot give one."""

    value: float
    low: float | None = None
    high: float | None = None


def mean_over_rounds(values: Sequence[float]) -> Estimate:
    """Mean of the rounds' values with Student's t interval; no interval from one round.

    The spread lives between processes, so rounds are the sample, not calls (README, "Measuring").
    """
    from scipy import stats as scipy_stats

    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean)
    half = float(scipy_stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * scipy_stats.sem(values))
    return Estimate(mean, mean - half, mean + half)


def ratio_over_rounds(numerator: Sequence[float], denominator: Sequence[float]) -> Estimate:
    """Ratio of two models' values, paired by round: exp of the mean log ratio, t interval on the log scale."""
    log = mean_over_rounds(np.log(np.asarray(numerator) / np.asarray(denominator)).tolist())
    exp = [None if x is None else float(np.exp(x)) for x in (log.value, log.low, log.high)]
    return Estimate(*exp)


def mean_over_prompts(values: Sequence[float]) -> Estimate:
    """Mean over prompts with a percentile bootstrap interval (2,000 replicates, fixed seed)."""
    from scipy import stats as scipy_stats

    values = np.asarray(values, dtype=float)
    if len(values) < 2 or np.ptp(values) == 0:
        return Estimate(float(values.mean()))
    found = scipy_stats.bootstrap(
        (values,), np.mean, confidence_level=LEVEL, n_resamples=REPLICATES, method="percentile", rng=0
    )
    return Estimate(float(values.mean()), *map(float, found.confidence_interval))


def paired_ratio(now: Sequence[float], before: Sequence[float]) -> float:
    """Median over the same calls of now / before: how much slower a later process ran.

    Later rounds time only some of the prompts again. Round 1's value on all prompts times this ratio is what
    they would have read on all (a ratio estimator: Cochran, "Sampling Techniques", 1977, section 6); without it
    the difference between prompts would pass for noise between processes. A median, since one call that the
    machine interrupted must not scale everything.
    """
    return float(np.median(np.asarray(now) / np.asarray(before)))


def break_even_steps(steps: Sequence[int], latencies_ms: Sequence[float], target_ms: float) -> float:
    """Steps at which a straight line through (steps, latency) meets `target_ms`.

    Latency of plain denoising is a fixed cost plus steps times one forward; least squares, at least two points.
    """
    slope, intercept = np.polyfit(steps, latencies_ms, 1)
    return float((target_ms - intercept) / slope)


def paired_difference_low(values: Sequence[float], reference: Sequence[float], comparisons: int) -> float:
    """One-sided lower bound of mean(values - reference) over the same prompts, by bootstrap over prompts.

    The level is 95 % for all `comparisons` together (Bonferroni): the best of several step counts is a
    maximum over noise, and must not pass for a match.
    """
    from scipy import stats as scipy_stats

    differences = np.asarray(values, dtype=float) - np.asarray(reference, dtype=float)
    if np.ptp(differences) == 0:
        return float(differences.mean())
    level = 1 - (1 - LEVEL) / comparisons
    found = scipy_stats.bootstrap(
        (differences,), np.mean, confidence_level=level, n_resamples=REPLICATES, method="percentile",
        alternative="greater", rng=0,
    )  # fmt: skip
    return float(found.confidence_interval.low)
