"""The figure of word problems: accuracy over LLaDA's steps and over the depth of a problem, by block length."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from bench.analysis.comparison import Comparison
from bench.data.problems import DEPTHS
from bench.render.comparison import labels
from paper.figures.comparison import ACCURACY, color_of, curve, has, reference_line
from paper.figures.style import (
    ERROR_BARS,
    LINE_STYLES,
    MARKERS,
    PAGE,
    bars,
    doubling_axis,
    estimates,
    handles_of_axes,
    legend_below,
)

BY_DEPTH = [f"quality/accuracy_depth_{depth}" for depth in DEPTHS]


def problems(by_block: Sequence[Comparison]) -> plt.Figure | None:
    """Right answers to word problems. by_block: comparisons that differ in LLaDA's block length alone."""
    parts = [comparison for comparison in by_block if has(comparison, ACCURACY)]
    if not parts:
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.7), layout="constrained", sharey=True)
    autoregressive, _ = labels(parts[0])
    for part, style in zip(parts, LINE_STYLES, strict=False):
        curve(left, part.diffusion, ACCURACY, block_label(part), style)
        over_depth(right, part, style)
    reference_line(left, parts[0].autoregressive, ACCURACY, autoregressive, ":")
    doubling_axis(left, sorted({steps for part in parts for steps in part.diffusion["steps"]}))
    left.set_ylabel("right answers")
    left.set_ylim(-0.03, 1.05)
    right.set_xlabel("lines of working")
    right.set_xticks(DEPTHS)
    legend_below(figure, handles_of_axes(left))
    return figure


def over_depth(axes: Axes, part: Comparison, style: str) -> None:
    """Accuracy by depth of the run with the most steps, and of the autoregressive model."""
    for runs, of_side in ((part.diffusion.tail(1), style), (part.autoregressive, ":")):
        values = [estimates(runs, metric)[0] for metric in BY_DEPTH if metric in runs]
        axes.errorbar(
            DEPTHS[: len(values)], [value.value for value in values], yerr=bars(values), color=color_of(runs),
            linestyle=of_side, marker=MARKERS[runs["model"].iloc[0]], **ERROR_BARS,
        )  # fmt: skip


def block_label(part: Comparison) -> str:
    """ "LLaDA, blocks of 8"."""
    return f"{labels(part)[1]}, blocks of {part.diffusion.iloc[0]['block_length']:.0f}"
