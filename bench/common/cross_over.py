"""Where a rising quality meets a target: monotone fit, bootstrap over prompts, and what is censored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.common.stats import LEVEL, REPLICATES, Estimate, typical_over_rounds

ROUNDING = 1e-12  # two sums of the same scores in another order differ by less


def monotone_fit(values: np.ndarray) -> np.ndarray:
    """Isotonic least-squares fit along the last axis, equal weights. Shape kept.

    The max-min formula (Robertson, Wright and Dykstra, "Order Restricted Statistical Inference", 1988, section
    1.4), since it fits all bootstrap replicates at once.
    """
    count = values.shape[-1]
    sums = np.concatenate([np.zeros_like(values[..., :1]), values.cumsum(-1)], axis=-1)
    fitted = np.empty_like(values)
    for i in range(count):
        smallest = [
            np.min([(sums[..., k + 1] - sums[..., j]) / (k + 1 - j) for k in range(i, count)], axis=0)
            for j in range(i + 1)
        ]
        fitted[..., i] = np.max(smallest, axis=0)
    return fitted


def first_reach(curves: np.ndarray, targets: np.ndarray, steps: Sequence[int]) -> np.ndarray:
    """Steps [replicates] at which monotone curves [replicates, steps] reach targets [replicates]; inf if never.

    Straight lines over log steps between the measured ones; the fewest measured where the first reaches already.
    """
    log_steps = np.log2(np.asarray(steps, dtype=float))
    reached = curves >= targets[:, None] - ROUNDING
    first = reached.argmax(1)
    after = np.minimum(np.clip(first, 1, None), len(steps) - 1)
    rows = np.arange(len(curves))
    low, high = curves[rows, after - 1], curves[rows, after]
    share = np.clip((targets - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    meets = np.exp2(log_steps[after - 1] + share * (log_steps[after] - log_steps[after - 1]))
    meets = np.where(first == 0, float(steps[0]), meets)
    return np.where(reached.any(1), meets, np.inf)


@dataclass(frozen=True)
class CrossOver:
    """Where a rising quality meets a target. `steps` and the bounds are inf where the steps did not suffice."""

    p_reached: float  # share of bootstrap replicates that reach at the most steps
    reached: bool  # whether that share is enough to say so at 95 %, one-sided
    steps: float  # of the fit to the data
    low: float
    high: float
    # Steps of each bootstrap replicate, inf where it never reaches; the share cut off at either end for an interval.
    replicates: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    tail: float = (1 - LEVEL) / 2


def cross_over(
    reference: Sequence[float], scores: Sequence[Sequence[float]], steps: Sequence[int], margin: float
) -> CrossOver:
    """Steps at which quality comes within `margin` of the reference's, from scores of the same prompts.

    reference [prompts], two or more; scores [step counts, prompts], step counts rising.
    A monotone fit over log steps; bootstrap over prompts, models and steps paired; percentiles widened for few
    prompts (the expanded percentile interval: Hesterberg, arXiv 1411.5279, section 4.4). A replicate whose most
    steps fall short is censored. `reached` looks at the most steps alone: quality rises with the steps, so if any
    count reaches, that one does, and the best of several counts would be a maximum over noise.
    """
    reference, scores = np.asarray(reference, dtype=float), np.asarray(scores, dtype=float)
    count = len(reference)
    chosen = np.random.default_rng(0).integers(0, count, (REPLICATES, count))

    def reach(rows: np.ndarray) -> np.ndarray:
        targets, means = reference[rows].mean(1) - margin, scores[:, rows].mean(2).T
        meets = first_reach(monotone_fit(means), targets, steps)
        return np.where(means[:, -1] >= targets - ROUNDING, meets, np.inf)

    tail = widened((1 - LEVEL) / 2, count)
    replicates = reach(chosen)
    low, high = np.quantile(replicates, [tail, 1 - tail], method="inverted_cdf")
    value = reach(np.arange(count)[None])[0]
    differences = scores[-1] - reference
    return CrossOver(
        share_not_inferior(differences, margin), is_not_inferior(differences, margin), float(value), float(low),
        float(high), replicates, tail,
    )  # fmt: skip


def widened(tail: float, count: int) -> float:
    """The share of replicates to cut off at an end, so that the interval from `count` prompts is not too narrow."""
    from scipy import stats as scipy_stats

    return float(scipy_stats.norm.cdf(np.sqrt(count / (count - 1)) * scipy_stats.t.ppf(tail, count - 1)))


def mean_differences(differences: np.ndarray, is_binary: bool | None = None) -> np.ndarray:
    """Means [replicates] of paired differences [prompts], drawn anew.

    is_binary: whether answers are right or wrong; None: as the differences look. There one disagreement of each kind is
    added to what is drawn from (Bonett and Price, "Adjusted Wald Confidence Interval for a Difference of Binomial
    Proportions Based on Paired Data", 2012): of a few prompts none may disagree by chance, and the bootstrap would then
    know no doubt.
    """
    count = len(differences)
    if np.isin(differences, (-1.0, 0.0, 1.0)).all() if is_binary is None else is_binary:
        differences = np.append(differences, (-1.0, 1.0))
    chosen = np.random.default_rng(1).integers(0, len(differences), (REPLICATES, count))
    return differences[chosen].mean(1)


def share_not_inferior(differences: np.ndarray, margin: float, is_binary: bool | None = None) -> float:
    """Share of bootstrap replicates in which the mean of paired differences [prompts] is at least -margin."""
    return float((mean_differences(differences, is_binary) >= -margin - ROUNDING).mean())


def is_not_inferior(differences: np.ndarray, margin: float, is_binary: bool | None = None) -> bool:
    """Whether the data show, at 95 % and one-sided, that the mean of paired differences [prompts] is at least -margin.
    Two prompts at least."""
    return share_not_inferior(differences, margin, is_binary) >= 1 - widened(1 - LEVEL, len(differences))


def difference_over_prompts(differences: np.ndarray, is_binary: bool | None = None) -> Estimate:
    """Mean of paired differences [prompts] with its interval over prompts, from the replicates by which
    `is_not_inferior` decides; no interval from one prompt."""
    value = float(differences.mean())
    if len(differences) < 2:
        return Estimate(value)
    tail = widened((1 - LEVEL) / 2, len(differences))
    low, high = np.quantile(mean_differences(differences, is_binary), [tail, 1 - tail], method="inverted_cdf")
    return Estimate(value, min(float(low), value), max(float(high), value))


def next_admissible(steps: float, blocks: int) -> int:
    """The fewest whole steps from `steps` on that every block can have its share of."""
    return int(np.ceil(np.round(steps / blocks, 9))) * blocks


def price_at(
    crossing: CrossOver, blocks: int, ratios_at: Callable[[float], Sequence[float]], beyond: float
) -> Estimate:
    """A ratio of two models at the cross-over, with the doubt of both: where it lies (prompts), and what the steps
    there take (rounds).

    blocks: of an answer; each has its share of the steps. ratios_at: the ratio of each round at some steps. beyond:
    the ratio of a replicate that never reaches, which bounds nothing (infinite for a time, 0 for a rate).

    Each bootstrap replicate of the cross-over is given the mean log ratio at its own steps, plus Student's t times the
    standard error there. Where all replicates agree on the steps that is the t interval over rounds. The interval also
    holds that of the cross-over alone, whose tails are widened for few prompts. No interval from one round.
    """
    from scipy import stats as scipy_stats

    value = typical_over_rounds(ratios_at(next_admissible(crossing.steps, blocks))).value
    replicates = crossing.replicates
    reaching = np.isfinite(replicates)
    counts, which = np.unique([next_admissible(steps, blocks) for steps in replicates[reaching]], return_inverse=True)
    logs = np.log([ratios_at(float(steps)) for steps in counts])  # [step counts, rounds]
    rounds = logs.shape[1]
    if rounds < 2:
        return Estimate(value)
    errors = logs.std(1, ddof=1) / np.sqrt(rounds)
    shares = (np.random.default_rng(2).permutation(len(which)) + 0.5) / len(which)  # even, so that tails have no luck
    draws = scipy_stats.t.ppf(shares, rounds - 1)
    means = logs.mean(1)[which]
    ends = []
    for noise, tail in ((draws * errors[which], (1 - LEVEL) / 2), (0.0, crossing.tail)):
        ratios = np.full(len(replicates), beyond)
        with np.errstate(over="ignore"):
            ratios[reaching] = np.exp(means + noise)
        ends += np.quantile(ratios, [tail, 1 - tail], method="inverted_cdf").tolist()
    return Estimate(value, min(ends), max(ends))
