"""Energy of an answer and of a second, by the steps: where both models need as much, and what power they draw."""

from collections.abc import Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd

from bench.analysis.comparison import ENERGY, Comparison
from paper.figures.comparison import has, step_time_panel
from paper.figures.labels import label_points
from paper.figures.style import PAGE, fit_to_values, handles_of_axes, legend_below, plain_log

POWER = "energy/power_w"
AT_BREAK_EVEN = {"marker": "X", "color": "black", "linestyle": "", "markersize": 6, "label": "energy breaks even"}


def energy(comparison: Comparison, on_engines: Sequence[Comparison] = ()) -> plt.Figure | None:
    """Joules of an answer and watts against the steps; None where no card told its energy.

    on_engines: the same comparison on other engines.
    """
    parts = [part for part in (comparison, *on_engines) if has(part, ENERGY)]
    if not parts:
        return None
    metrics = {ENERGY: "energy of one answer (J)", POWER: "power drawn (W)"}
    shown = {metric: label for metric, label in metrics.items() if any(has(part, metric) for part in parts)}
    figure, grid = plt.subplots(1, len(shown), figsize=(PAGE * len(shown) / 2, 2.6), squeeze=False,
                                layout="constrained")  # fmt: skip
    for axes, (metric, label) in zip(grid[0], shown.items(), strict=True):
        values = step_time_panel(axes, [measured(part, metric) for part in parts if has(part, metric)], metric)
        axes.set_ylabel(label)
        if metric == ENERGY:
            axes.set_yscale("log")
            fit_to_values(axes, values)
            plain_log(axes.yaxis)
        else:
            axes.set_ylim(0, 1.2 * max(values))
    crossings = crossings_of(parts)
    if crossings:
        grid[0][0].plot([x for x, _, _ in crossings], [y for _, y, _ in crossings], zorder=5, **AT_BREAK_EVEN)
    legend_below(figure, handles_of_axes(*grid[0]))
    label_points(grid[0][0], crossings)
    return figure


def measured(comparison: Comparison, metric: str) -> Comparison:
    """A comparison with those of its runs alone that have a metric."""
    autoregressive, diffusion = (
        runs[pd.notna(runs[metric])] for runs in (comparison.autoregressive, comparison.diffusion)
    )
    return replace(comparison, autoregressive=autoregressive, diffusion=diffusion)


def crossings_of(parts: Sequence[Comparison]) -> list[tuple[float, float, str]]:
    """(steps, joules, the steps as text) where both models need as much energy, of each engine."""
    return [
        (steps.value, float(part.autoregressive[ENERGY].iloc[0]), f"{steps.value:.0f} steps")
        for part in parts
        if (steps := part.energy_break_even_steps) is not None
    ]
