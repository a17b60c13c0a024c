"""Every formula that a table prints, as pure functions on numbers.

scipy is imported where it is used, since a bare GPU machine runs cells without it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95  # of every interval
REPLICATES = 2000  # of every bootstrap
UNBOUNDED = 1e6  # times a value: an upper bound beyond it bounds nothing, and is printed as that


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; the interval is None where one value cannot give one."""

    value: float
    low: float | None = None
    high: float | None = None

    def text(self, digits: int, unit: str = "") -> str:
        """ "0.41 [0.38, 0.44]": the value with its interval, if it has one."""
        words = f"{self.value:.{digits}f}"
        if self.low is not None:
            is_bounded = math.isfinite(self.high) and self.high <= UNBOUNDED * max(1.0, abs(self.value))
            high = f"{self.high:.{digits}f}" if is_bounded else "unbounded"
            words += f" [{self.low:.{digits}f}, {high}]"
        return words + unit


def mean_over_rounds(values: Sequence[float]) -> Estimate:
    """Mean of the rounds' values with Student's t interval; no interval from one round.

    The spread lives between processes, so rounds are the sample, not calls (bench/measure/README.md).
    """
    from scipy import stats as scipy_stats

    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean)
    half = float(scipy_stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * scipy_stats.sem(values))
    return Estimate(mean, mean - half, mean + half)


def typical_over_rounds(values: Sequence[float]) -> Estimate:
    """Geometric mean of the rounds' values, all above 0, with Student's t interval on the log scale.

    Of times and rates, which are never negative: a plain t interval over a few rounds that differ reaches below 0, and
    the mean of times is not the inverse of the mean of rates. No interval from one round.
    """
    if len(values) < 2:
        return Estimate(float(values[0]))
    log = mean_over_rounds(np.log(values).tolist())
    with np.errstate(over="ignore"):  # of two rounds that differ widely the interval has no end
        return Estimate(*(float(np.exp(x)) for x in (log.value, log.low, log.high)))


def over_clusters(clusters: Sequence[Sequence[float]], null: float) -> tuple[Estimate, float | None]:
    """(geometric mean with its interval, two-sided p of a t test that it is `null`) of values above 0 in clusters.

    Rounds of one card are alike in what they share, so that several cards are as many values: the mean of each. Rounds
    of a single card are values of their own. The interval and p are None where there is one value.
    """
    from scipy import stats as scipy_stats

    values = [typical_over_rounds(cluster).value for cluster in clusters] if len(clusters) > 1 else list(clusters[0])
    if len(values) < 2:
        return typical_over_rounds(values), None
    logs = np.log(values) - np.log(null)
    if np.ptp(logs) == 0:
        return typical_over_rounds(values), float(logs[0] == 0)
    return typical_over_rounds(values), float(scipy_stats.ttest_1samp(logs, 0.0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values adjusted for being several, in their order (Holm, Scandinavian Journal of Statistics 6, 1979): the
    smallest times their number, the next times one fewer, never less than the one before."""
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for place, number in enumerate(sorted(range(len(p_values)), key=lambda number: p_values[number])):
        least = max(least, min(1.0, p_values[number] * (len(p_values) - place)))
        adjusted[number] = least
    return adjusted


def ratio_over_rounds(numerator: Sequence[float], denominator: Sequence[float]) -> Estimate:
    """Ratio of two models' values, paired by round: exp of the mean log ratio, t interval on the log scale."""
    return typical_over_rounds((np.asarray(numerator) / np.asarray(denominator)).tolist())


def ratio_of_rounds(numerator: Sequence[float], denominator: Sequence[float]) -> Estimate:
    """Ratio of the geometric means of two sets of values above 0 that are not paired, such as rounds of two studies,
    with Welch's t interval on the log scale (Biometrika 34, 1947). No interval where either has one value."""
    from scipy import stats as scipy_stats

    logs = [np.log(values) for values in (numerator, denominator)]
    log = float(logs[0].mean() - logs[1].mean())
    if min(map(len, logs)) < 2:
        return Estimate(math.exp(log))
    errors = [float(values.var(ddof=1)) / len(values) for values in logs]  # squared, of each mean
    half = 0.0  # where neither moves at all, as peaks of memory do not
    if any(errors):
        freedom = sum(errors) ** 2 / sum(
            error**2 / (len(values) - 1) for error, values in zip(errors, logs, strict=True)
        )
        half = float(scipy_stats.t.ppf((1 + LEVEL) / 2, freedom)) * math.sqrt(sum(errors))
    with np.errstate(over="ignore"):
        return Estimate(*(float(np.exp(x)) for x in (log, log - half, log + half)))


def difference(one: Estimate, other: Estimate) -> Estimate:
    """One share less another, with the interval of two independent ones from both of theirs (Newcombe, Statistics in
    Medicine 17, 1998, method 10); none where either has none."""
    value = one.value - other.value
    if one.low is None or other.low is None:
        return Estimate(value)
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, value - below, value + above)


def inverse(estimate: Estimate) -> Estimate:
    """One over a value above 0, with the interval turned round."""
    low, high = (None if end is None else 1 / end for end in (estimate.high, estimate.low))
    return Estimate(1 / estimate.value, low, high)


def median_ratio(numerator: Sequence[float], denominator: Sequence[float]) -> Estimate:
    """Median of paired ratios inside one process, which a slow spell of the machine does not move.

    The interval lies between two of the ordered ratios, whatever their distribution: the k-th from either end, where
    k is the largest for which fewer than k of n fair coins fall heads with probability (1 - LEVEL) / 2 at most. Fewer
    than six pairs give none.
    """
    ratios = np.sort(np.asarray(numerator) / np.asarray(denominator))
    count = len(ratios)
    below = 0  # k - 1: how many ratios lie below the interval
    outside = 0.5**count  # probability of at most `below` heads
    while outside <= (1 - LEVEL) / 2:
        below += 1
        outside += math.comb(count, below) * 0.5**count
    value = float(np.median(ratios))
    return Estimate(value, float(ratios[below - 1]), float(ratios[-below])) if below else Estimate(value)


def drift(values: Sequence[float]) -> float:
    """How far a steady quantity moved between rounds: most / least - 1."""
    return float(max(values) / min(values) - 1)


def drift_of_twins(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Drift of the sentinel's rounds, each the geometric mean of its two runs; None from one round."""
    return drift([(before * after) ** 0.5 for before, after in pairs]) if len(pairs) > 1 else None


def has_two_modes(values: Sequence[float]) -> bool:
    """Whether values fall into two clusters: then few rounds say little, and a t interval promises too much.

    The best split into two groups of at least two (and a tenth) of the values; flagged where their means differ by
    5 % or more, and by five times the pooled standard deviation inside the groups. That is Ashman's D (Astronomical
    Journal 108, 1994), for which 2 separates and the best split of Gaussian noise has about 2.7.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    count, least = len(ordered), max(2, -(-len(ordered) // 10))
    splits = [(ordered[:i], ordered[i:]) for i in range(least, count - least + 1)]
    if not splits:
        return False
    low, high = min(splits, key=lambda parts: sum(((part - part.mean()) ** 2).sum() for part in parts))
    inside = np.sqrt(sum(((part - part.mean()) ** 2).sum() for part in (low, high)) / max(1, count - 2))
    gap = high.mean() - low.mean()
    return bool(gap > 0.05 * np.median(ordered) and gap > 5 * inside)


def mean_over_prompts(values: Sequence[float]) -> Estimate:
    """Mean over prompts with a percentile bootstrap interval (2,000 replicates, fixed seed)."""
    from scipy import stats as scipy_stats

    values = np.asarray(values, dtype=float)
    if len(values) < 2 or np.ptp(values) == 0:
        return Estimate(float(values.mean()))
    resampled = scipy_stats.bootstrap(
        (values,), np.mean, confidence_level=LEVEL, n_resamples=REPLICATES, method="percentile", rng=0
    )
    return Estimate(float(values.mean()), *map(float, resampled.confidence_interval))


def paired_ratio(now: Sequence[float], before: Sequence[float]) -> float:
    """Median over the same calls of now / before: how much slower a later process ran.

    Later rounds time only some of the prompts again. Round 1's value on all prompts times this ratio is what
    they would have read on all (a ratio estimator: Cochran, "Sampling Techniques", 1977, section 6); without it
    the difference between prompts would pass for noise between processes. A median, since one call that the
    machine interrupted must not scale everything.
    """
    return float(np.median(np.asarray(now) / np.asarray(before)))


def time_of_a_part(stretches: Sequence[Sequence[float]]) -> float:
    """Time of a typical forward from the gaps between some of them: the mean over stretches of their medians.

    LLaDA's steps all cost the same: one stretch. LLaMA's grow by the same amount with each token in its cache, so the
    mean of the first tokens and the last is the mean of all (the trapezoid rule).
    """
    return float(np.mean([np.median(stretch) for stretch in stretches]))


def extrapolated(timed_ms: float, stretches: Sequence[Sequence[float]], missing: int) -> float:
    """Time of a whole call from one that left out `missing` forwards: what was timed and a typical forward for each.

    A median, since one gap that the machine interrupted must not be multiplied.
    """
    return timed_ms + missing * time_of_a_part(stretches)


def break_even_steps(steps: Sequence[int], latencies_ms: Sequence[float], target_ms: float) -> float:
    """Steps at which a straight line through (steps, latency) meets `target_ms`.

    Latency of plain denoising is a fixed cost plus steps times one forward; least squares, at least two points.
    """
    slope, intercept = np.polyfit(steps, latencies_ms, 1)
    return float((target_ms - intercept) / slope)


def break_even_over_rounds(
    steps: Sequence[int], amounts: Sequence[Sequence[float]], targets: Sequence[float]
) -> Estimate:
    """Steps at which a line through (steps, amount) meets the target, from one line a round.

    amounts [rounds, step counts] and targets [rounds] are times, or energies. The geometric mean over rounds, with its
    interval. Below one step in every round it is their mean, without an interval. Where rounds contradict each other
    (in one of them more steps take no longer, or the target lies below what no step at all takes), nothing bounds it: 0
    to infinity.
    """
    lines = [np.polyfit(steps, row, 1) for row in amounts]
    by_round = [float((target - line[1]) / line[0]) for line, target in zip(lines, targets, strict=True)]
    rising = all(line[0] > 0 for line in lines)
    if rising and min(by_round) > 0:
        return typical_over_rounds(by_round)
    if rising and max(by_round) < 1:
        return Estimate(float(np.mean(by_round)))
    value = break_even_steps(steps, np.mean(amounts, axis=0).tolist(), float(np.mean(targets)))
    return Estimate(max(0.0, value), 0.0, math.inf)


def steps_in_time(steps: int, latencies_ms: Sequence[float], targets_ms: Sequence[float]) -> Estimate:
    """Steps that take as long as the target, from rounds of a run of some steps: plain denoising has no prefill, so
    its time is in proportion to the steps. Paired by round."""
    ratio = ratio_over_rounds(targets_ms, latencies_ms)
    return Estimate(*(None if x is None else steps * x for x in (ratio.value, ratio.low, ratio.high)))


def proportion(successes: int, trials: int) -> Estimate:
    """A share with Wilson's score interval (JASA 22, 1927), which keeps its width at 0 and 1."""
    from scipy import stats as scipy_stats

    interval = scipy_stats.binomtest(successes, trials).proportion_ci(LEVEL, method="wilson")
    return Estimate(successes / trials, float(interval.low), float(interval.high))


def share_or_mean(values: Sequence[float]) -> Estimate:
    """Of items that are right (1) or wrong (0) the share with Wilson's interval; of other scores the mean with its
    bootstrap interval."""
    if set(values) <= {0.0, 1.0}:
        return proportion(round(sum(values)), len(values))
    return mean_over_prompts(values)


def ratio_of_sums(numerators: Sequence[float], denominators: Sequence[float], unit: float = 1.0) -> Estimate:
    """Sum over sum of two amounts of the same items, divided by `unit`, with a bootstrap interval over the items, the
    two paired; no interval from one item."""
    above, below = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    value = float(above.sum() / unit / below.sum())
    if len(above) < 2:
        return Estimate(value)
    chosen = np.random.default_rng(0).integers(0, len(above), (REPLICATES, len(above)))
    replicates = above[chosen].sum(1) / unit / below[chosen].sum(1)
    return Estimate(value, *map(float, np.quantile(replicates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])))


def bits_per_byte(nats: Sequence[float], sizes_bytes: Sequence[int]) -> Estimate:
    """Total nats / ln 2 / total bytes over texts, with a bootstrap interval over the texts."""
    return ratio_of_sums(nats, sizes_bytes, float(np.log(2)))


def bits_per_byte_error(standard_errors: Sequence[float], sizes_bytes: Sequence[int]) -> float:
    """Monte-Carlo error of bits per byte from the independent standard errors (nats) of its texts."""
    return float(np.sqrt(np.square(standard_errors).sum()) / np.log(2) / np.sum(sizes_bytes))


def at_steps(steps: Sequence[int], values: Sequence[float], wanted: float) -> float:
    """A quantity that grows linearly with the steps (time), read between its measured neighbours."""
    return float(np.interp(wanted, steps, values))
