"""What two models took in each round, and the ratios and break-evens that follow: one estimate a round, then their
spread.

A run of the autoregressive model and runs of the diffusion model at several step counts, which differ in nothing else.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.analysis.study import Histories
from bench.common import stats


@dataclass(frozen=True)
class Amounts:
    """Times (or rates, or energies) of both models by round."""

    steps: list[int]  # of the diffusion model's runs, rising
    diffusion: list[list[float]]  # [rounds][step counts]
    autoregressive: list[float]  # [rounds]
    is_rate: bool = False
    rounds: tuple[int, ...] = ()  # their numbers; none where runs share no round

    def ratios_at(self, steps: float) -> list[float]:
        """In each round, the diffusion model's amount at some steps over the autoregressive model's.

        Between measured step counts time is read off the line that joins them; a rate as time a token.
        """
        ratios = []
        for row, reference in zip(self.diffusion, self.autoregressive, strict=True):
            amounts = [1 / value for value in row] if self.is_rate else row
            amount = stats.at_steps(self.steps, amounts, steps)
            ratios.append((1 / amount if self.is_rate else amount) / reference)
        return ratios

    def ratios_on_the_line(self, steps: float) -> list[float]:
        """In each round, the same from the straight line through all step counts, which reaches beyond them."""
        return [
            float(np.polyval(line, steps)) / reference
            for line, reference in zip(self.lines, self.autoregressive, strict=True)
        ]

    @property
    def lines(self) -> list[np.ndarray]:
        """In each round, (slope, offset) of the straight line through all step counts."""
        return [np.polyfit(self.steps, row, 1) for row in self.diffusion]

    @property
    def falls(self) -> bool:
        """Whether in some round the line through all step counts falls: noise, and nothing is read off such a line."""
        return any(slope <= 0 for slope, _ in self.lines)

    @property
    def break_evens(self) -> list[float]:
        """In each round, the steps at which both models take as much. Needs two step counts."""
        rows = zip(self.diffusion, self.autoregressive, strict=True)
        return [stats.break_even_steps(self.steps, row, reference) for row, reference in rows]

    @property
    def break_even_steps(self) -> stats.Estimate:
        """The steps at which both models take as much. Needs two step counts."""
        return stats.break_even_over_rounds(self.steps, self.diffusion, self.autoregressive)


def amounts(histories: Histories, autoregressive: pd.DataFrame, diffusion: pd.DataFrame, metric: str) -> Amounts | None:
    """A metric of both models by round; None where a run was not measured. Runs that share no round are one round of
    their typical values.

    autoregressive: one run. diffusion: runs in the order of their steps.
    """
    if autoregressive.empty or diffusion.empty:
        return None
    rows = pd.concat([diffusion, autoregressive])
    by_number = histories.rounds(rows["run_id"], metric)
    rounds = list(by_number.values())
    if not rounds:
        if metric not in rows or rows[metric].isna().any():
            return None
        rounds = [rows[metric].tolist()]
    return Amounts(
        diffusion["steps"].tolist(),
        [row[:-1] for row in rounds],
        [row[-1] for row in rounds],
        metric.startswith("throughput/"),
        tuple(by_number),
    )
