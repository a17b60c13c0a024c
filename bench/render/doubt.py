"""What is said where the noise is larger than the effect: that it is too noisy to say, and what to do."""

import math

from bench.analysis.doubt import MOST_ROUNDS, WIDEST, is_too_wide, may_be_equal, rounds_for
from bench.common.stats import Estimate

SMALL = 0.05  # an interval around 1 that reaches no further is no noise but an answer: there is hardly a difference
NO_INTERVAL = "fewer than two common rounds: no interval"
QUIET = "measure on a machine that does nothing else"


def no_interval_words(estimate: Estimate) -> str:
    """What stands behind a number without an interval, from which no direction can be told."""
    return f" ({NO_INTERVAL})" if estimate.low is None else ""


def steps_interval(steps: Estimate) -> str:
    """ "26 [18, 37] steps", of few steps with a digit more, since they are no whole number."""
    return steps.text(1 if steps.value < 10 else 0, " steps")


def break_even_words(steps: Estimate, phrase: str, rounds: int, floor: Estimate | None = None) -> str:
    """At how many steps something breaks even, or that it is too noisy to say, with what to do.

    phrase: "LLaDA takes as long". rounds: behind the estimate. floor: the sentinel's A/A, None where it is not known.
    """
    doubted = [estimate for estimate in (steps, floor) if is_too_wide(estimate)]
    if not doubted:
        no_interval = no_interval_words(steps) if steps.value >= 1 else ""
        return f"{phrase} at {steps_interval(steps)}{no_interval}"
    spread = "" if is_too_wide(steps) else f"; the same cell twice differs by a factor of {floor.text(2)}"
    numbers = [rounds_for(estimate, rounds, WIDEST) for estimate in doubted]
    return f"too noisy to say at how many steps {phrase}: {steps_interval(steps)}{spread}. {what_to_do(numbers)}"


def what_to_do(numbers: list[int | None]) -> str:
    """The advice behind "too noisy to say". numbers: rounds that would settle each estimate, None where none would."""
    if not numbers or None in numbers:
        return f"What to do: {QUIET}; here {MOST_ROUNDS} rounds would not settle it"
    return f"What to do: {QUIET}, or give ROUNDS={max(numbers)}"


def equal_words(ratio: Estimate, rounds: int, floor: Estimate | None, which: str) -> str:
    """What stands behind a ratio of two models that may be noise alone; empty where it is more.

    which: "which of the two is faster".
    """
    if not may_be_equal(ratio, floor):
        return ""
    if ratio.low is not None and max(ratio.high, 1 / ratio.low) <= 1 + SMALL:
        return f" (they differ by {max(ratio.high, 1 / ratio.low) - 1:.1%} at most)"
    number = rounds_for(ratio, rounds, math.exp(abs(math.log(ratio.value))))
    if number is None:
        advice = f"{QUIET}; here {MOST_ROUNDS} rounds would not show so small a difference"
    elif number <= rounds:
        advice = f"{QUIET}: the same cell twice differs as much"
    else:
        advice = f"{QUIET}, or give ROUNDS={number}"
    return f" (too noisy to say {which}: {advice})"
