"""Do 95 % intervals hold the truth in 95 % of simulated studies?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.common import stats

COVERAGE_TARGET = (0.93, 0.97)
STUDIES, ROUNDS, CALLS_A_ROUND = 2000, 5, 16  # of the simulation
PROCESS_SD, CALL_SD = 0.01, 0.005


NOISES: dict[str, Callable[[np.random.Generator, tuple], np.ndarray]] = {
    "gaussian": lambda random, shape: random.normal(0, PROCESS_SD, shape),
    "two modes": lambda random, shape: 0.1 * (random.random(shape) < 0.3) + random.normal(0, PROCESS_SD, shape),
    "heavy tail": lambda random, shape: PROCESS_SD * random.standard_t(2, shape),
}


def coverage(noise: str) -> tuple[float, float]:
    """(share of 95 % intervals that hold the truth, share of studies flagged) in simulated studies of five rounds.

    A round's value is the median of its calls; calls add Gaussian noise to what their process has.
    """
    random, hits, flagged = np.random.default_rng(0), 0, 0
    truth = 1 + NOISES[noise](random, (200_000,)).mean()
    for _ in range(STUDIES):
        process = 1 + NOISES[noise](random, (ROUNDS, 1))
        rounds = np.median(process + random.normal(0, CALL_SD, (ROUNDS, CALLS_A_ROUND)), axis=1)
        found = stats.mean_over_rounds(rounds.tolist())
        hits += found.low <= truth <= found.high
        flagged += stats.has_two_modes(rounds)
    return hits / STUDIES, flagged / STUDIES
