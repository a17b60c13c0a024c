"""Where time would break even if both models ran equally near to what they must cost.

A measured break-even belongs to the programs that were measured: one that runs LLaDA nearer to its floor than LLaMA
favours LLaDA. At equal distance from both floors, however large, the distances cancel, and the ratio of the floors is
left (bench/cost/floors.py). The truth about the two models lies between the two numbers: a band.
"""

from dataclasses import dataclass

import pandas as pd

from bench.analysis.comparison import LATENCY, Comparison
from bench.analysis.scaling import Scaling, reference_of
from bench.common import stats

FLOOR = "predicted/latency_ms"


@dataclass(frozen=True)
class Parity:
    """A break-even at equal distance from both floors.

    steps: that break-even. band: the least and the most of it, the measured one and that one's interval. distances:
    measured latency over the floor, of the autoregressive and of the diffusion model (of its most steps).
    """

    steps: float
    band: tuple[float, float]
    distances: tuple[float, float]


def of_runs(autoregressive: pd.DataFrame, diffusion: pd.DataFrame, measured: stats.Estimate) -> Parity | None:
    """The parity of one run of the autoregressive model and runs of the diffusion model, whose break-even was measured;
    None where the cost model says nothing of one (no ceilings)."""
    rows = pd.concat([diffusion, autoregressive])
    if FLOOR not in rows or rows[FLOOR].isna().any() or autoregressive.empty:
        return None
    reference = autoregressive.iloc[0]
    most = diffusion.loc[diffusion["steps"].idxmax()]
    if len(diffusion) > 1:
        steps = stats.break_even_steps(diffusion["steps"].tolist(), diffusion[FLOOR].tolist(), reference[FLOOR])
    else:
        steps = float(reference[FLOOR] / (most[FLOOR] / most["steps"]))
    ends = [end for end in (measured.low, measured.value, measured.high, steps) if end is not None]
    distances = tuple(float(run[LATENCY] / run[FLOOR]) for run in (reference, most))
    return Parity(steps, (min(ends), max(ends)), distances)


def of_comparison(comparison: Comparison) -> Parity | None:
    """The parity of a comparison; None without a break-even or without floors."""
    measured = comparison.break_even_steps
    return measured and of_runs(comparison.autoregressive, comparison.diffusion, measured)


def of_scaling(scaling: Scaling) -> list[tuple[pd.Series, Parity]]:
    """(run, parity) of each place of a group where time was seen to break even and floors are known."""
    result = []
    for run, measured in scaling.break_evens:
        if parity := of_runs(
            reference_of(scaling, run), scaling.rows[scaling.rows["run_id"] == run["run_id"]], measured
        ):
            result.append((run, parity))
    return result
