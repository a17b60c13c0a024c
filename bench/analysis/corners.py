"""Both models over batch and length together: LLaDA's latency over LLaMA's at each place of the grid `corners`."""

from dataclasses import dataclass

import pandas as pd

from bench.analysis.runs import part_of
from bench.analysis.scaling import Scaling, reference_of
from bench.common import stats

KIND = "corners"  # of the cells


@dataclass(frozen=True)
class Corner:
    """One place at which both models were timed.

    run: LLaDA's, with the fewest steps. ratio: its latency over LLaMA's. break_even: the steps at which both take as
    long. Both intervals hold what extrapolating may be off. parts: of LLaMA's and of LLaDA's calls how much was run,
    such as "32 of 128 tokens"; empty where all.
    """

    run: pd.Series
    ratio: stats.Estimate
    break_even: stats.Estimate
    parts: tuple[str, str]


def corners_of(scaling: Scaling) -> list[Corner]:
    """The places of a group, by batch and length."""
    result = []
    for run, steps in scaling.break_evens:
        per_step = stats.inverse(steps)
        ends = (per_step.value, per_step.low, per_step.high)
        ratio = stats.Estimate(*(None if end is None else run["steps"] * end for end in ends))
        parts = (part_of(reference_of(scaling, run).iloc[0]), part_of(run))
        result.append(Corner(run, ratio, steps, parts))
    return sorted(result, key=lambda corner: (corner.run["batch_size"], corner.run["gen_length"]))
