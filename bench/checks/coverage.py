"""Do 95 % intervals hold the true value in 95 % of simulated studies?

A simulated study has known noise, so its true value is known as well. The studies have five rounds, as a careful
measurement has, and their noise lies between rounds (processes), as it does on real machines.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.checks.finding import Finding
from bench.common import stats

LEAST_COVERAGE = 0.93  # share of intervals that hold the truth, at least, where the noise is Gaussian
MOST_COVERAGE = 0.97  # and at most: wider intervals than needed hide differences
STUDIES = 2000  # simulated studies for each kind of noise
ROUNDS = 5  # of each study
CALLS_A_ROUND = 16  # timed calls in one round, whose median is the round's value
DRAWS_OF_TRUTH = 200_000  # values of a process whose geometric mean is taken for the truth
PROCESS_SD = 0.01  # standard deviation between processes, as a share of the true value
CALL_SD = 0.005  # standard deviation between the calls of one process

NOISES: dict[str, Callable[[np.random.Generator, tuple], np.ndarray]] = {
    "gaussian": lambda random, shape: random.normal(0, PROCESS_SD, shape),
    "two modes": lambda random, shape: 0.1 * (random.random(shape) < 0.3) + random.normal(0, PROCESS_SD, shape),
    "heavy tail": lambda random, shape: PROCESS_SD * random.standard_t(2, shape),
}


def coverage(noise: str) -> tuple[float, float]:
    """(share of 95 % intervals that hold the truth, share of studies flagged for two modes) under a noise of NOISES.

    A round's value is the median of its calls; calls add Gaussian noise to what their process has. All noise multiplies
    a time of 1, so that none is negative, and the truth is the geometric mean over processes.
    """
    random = np.random.default_rng(0)
    truth = np.exp(NOISES[noise](random, (DRAWS_OF_TRUTH,)).mean())
    hits = 0
    flagged = 0
    for _ in range(STUDIES):
        process = NOISES[noise](random, (ROUNDS, 1))
        calls = np.exp(process + random.normal(0, CALL_SD, (ROUNDS, CALLS_A_ROUND)))
        rounds = np.median(calls, axis=1)
        typical = stats.typical_over_rounds(rounds.tolist())
        hits += typical.low <= truth <= typical.high
        flagged += stats.has_two_modes(rounds)
    return hits / STUDIES, flagged / STUDIES


def check() -> Finding:
    """The coverage under every noise; the target is that under Gaussian noise."""
    results = {noise: coverage(noise) for noise in NOISES}
    words = ", ".join(f"{noise} {hits:.1%} (flagged {flagged:.0%})" for noise, (hits, flagged) in results.items())
    met = LEAST_COVERAGE <= results["gaussian"][0] <= MOST_COVERAGE
    return Finding("coverage", f"of 95 % intervals: {words}", "93-97 % gaussian", met)
