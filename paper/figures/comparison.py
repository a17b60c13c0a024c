"""Figures of a comparison: the autoregressive model is a point or a line, the diffusion model a curve over steps."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from bench.analysis.comparison import Comparison
from bench.models import kinds
from bench.render import wording
from bench.render.comparison import labels
from paper.figures.labels import label_points
from paper.figures.style import (
    COLORS,
    COLUMN,
    ERROR_BARS,
    LINE_STYLES,
    MARKERS,
    PAGE,
    bars,
    doubling_axis,
    estimates,
    fit_to_values,
    handles_of_axes,
    legend_below,
    plain_log,
)

LATENCY = "latency/latency_ms"
STEP = "latency/step_ms"
BERTSCORE = "quality/bertscore_f1"
ACCURACY = "quality/accuracy"
ACCURACIES = {  # metric: the kind of task
    "quality/accuracy_one_answer": "one right answer",
    "quality/accuracy_many_answers": "many right answers",
}
PANELS = {  # metric: (axis label, logarithmic?)
    BERTSCORE: ("BERTScore F1", False),
    "quality/judge_perplexity": ("judge perplexity", True),
    "quality/entropy": ("token entropy (nats)", False),
    "quality/repetition": ("repetition (4-grams)", False),
    "quality/distinct_2": ("distinct-2", False),
}
LATENCY_LABEL = "latency of one answer (ms)"
STAR = {"marker": "*", "markersize": 9, "markeredgecolor": "black", "markeredgewidth": 0.5}
FILLS = (None, "white")  # of the markers of a further engine or precision


def has(comparison: Comparison, *metrics: str) -> bool:
    """Whether both models have all the metrics."""
    sides = (comparison.autoregressive, comparison.diffusion)
    return all(not runs.empty and metric in runs and runs[metric].notna().any() for runs in sides for metric in metrics)


def color_of(runs: pd.DataFrame) -> tuple:
    """The color of the model of some runs."""
    return COLORS[runs["model"].iloc[0]]


def reference_line(axes: Axes, runs: pd.DataFrame, metric: str, label: str, style: str = "--") -> None:
    """The autoregressive model's value as a line across, its interval as a band."""
    [estimate] = estimates(runs, metric)
    axes.axhline(estimate.value, color=color_of(runs), linestyle=style, label=label)
    if estimate.low is not None and estimate.low > 0:  # of two rounds that differ it can be endless: the table has it
        axes.axhspan(estimate.low, estimate.high, color=color_of(runs), alpha=0.15, linewidth=0)


def points(axes: Axes, runs: pd.DataFrame, metric: str, **style) -> None:
    """A model's runs, quality against latency, with the intervals of quality and latency."""
    if runs.empty:
        return
    x = estimates(runs, LATENCY)
    y = estimates(runs, metric)
    axes.errorbar(
        [e.value for e in x], [e.value for e in y], xerr=bars(x), yerr=bars(y), color=color_of(runs),
        **ERROR_BARS, **style,
    )  # fmt: skip


def curve(axes: Axes, runs: pd.DataFrame, metric: str, label: str, style: str = "-") -> None:
    """The diffusion model's metric over its steps."""
    values = estimates(runs, metric)
    axes.errorbar(
        runs["steps"].tolist(), [e.value for e in values], yerr=bars(values), color=color_of(runs),
        marker=MARKERS[runs["model"].iloc[0]], markerfacecolor=FILLS[LINE_STYLES.index(style) % 2], linestyle=style,
        label=label, **ERROR_BARS,
    )  # fmt: skip


def quality_against_latency(axes: Axes, comparison: Comparison, metric: str, axis_label: str) -> None:
    """Quality against latency: up and to the left is better. Other precisions are further points of the autoregressive
    model's line, and further curves of the diffusion model."""
    parts = [part for part in (comparison, *comparison.others) if metric in part.rows and LATENCY in part.rows]
    autoregressive, diffusion = labels(comparison)
    several = len(parts) > 1
    for part, style in zip(parts, LINE_STYLES, strict=False):
        label = f"{diffusion}, by steps{f', {part.dtype}' if several else ''}"
        fill = FILLS[LINE_STYLES.index(style) % 2]
        marker = MARKERS[part.diffusion["model"].iloc[0]] if not part.diffusion.empty else "o"
        points(axes, part.diffusion, metric, linestyle=style, marker=marker, markerfacecolor=fill, label=label)
    references = pd.concat([part.autoregressive for part in parts]).sort_values(LATENCY)
    points(axes, references, metric, linestyle="-", label=autoregressive, **STAR)
    axes.set_xscale("log")
    plain_log(axes.xaxis)
    axes.set_xlabel(LATENCY_LABEL)
    axes.set_ylabel(axis_label)


def name_points(axes: Axes, comparison: Comparison, metric: str) -> None:
    """Write the steps beside the diffusion model's points and, where there are several precisions, these beside the
    autoregressive model's. To be called last: labels lie where they cover nothing that is drawn."""
    parts = [part for part in (comparison, *comparison.others) if metric in part.rows and LATENCY in part.rows]
    references = pd.concat([part.autoregressive for part in parts]) if len(parts) > 1 else pd.DataFrame()
    runs = [*(run for _, run in references.iterrows()), *(run for _, run in comparison.diffusion.iterrows())]
    words = [*references.get("dtype", []), *(f"{steps:.0f}" for steps in comparison.diffusion["steps"])]
    places = [(run[LATENCY], run[metric], text) for run, text in zip(runs, words, strict=True)]
    label_points(axes, [place for place in places if pd.notna(place[0]) and pd.notna(place[1])])


def pareto(comparison: Comparison) -> plt.Figure | None:
    """BERTScore against latency."""
    if not has(comparison, LATENCY, BERTSCORE):
        return None
    figure, axes = plt.subplots(figsize=(COLUMN, 2.7), layout="constrained")
    quality_against_latency(axes, comparison, BERTSCORE, "BERTScore F1 against the reference")
    legend_below(figure, handles_of_axes(axes))
    name_points(axes, comparison, BERTSCORE)
    return figure


def accuracy(comparison: Comparison) -> plt.Figure | None:
    """Valid answers to tasks: against latency, and against steps with the two kinds apart."""
    if not has(comparison, LATENCY, ACCURACY, *ACCURACIES):
        return None
    autoregressive, diffusion = labels(comparison)
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.7), layout="constrained", sharey=True)
    quality_against_latency(left, comparison, ACCURACY, "valid answers, all tasks")
    for (metric, label), style in zip(ACCURACIES.items(), ("-", ":"), strict=True):
        curve(right, comparison.diffusion, metric, f"{diffusion}, {label}", style)
        reference = estimates(comparison.autoregressive, metric)[0].value
        color = color_of(comparison.autoregressive)
        right.axhline(reference, color=color, linestyle=style, label=f"{autoregressive}, {label}")
    doubling_axis(right, comparison.diffusion["steps"].tolist())
    left.set_ylim(-0.03, 1.05)
    right.set_ylabel("valid answers, each kind")
    legend_below(figure, handles_of_axes(left, right))
    name_points(left, comparison, ACCURACY)
    return figure


def quality(comparison: Comparison) -> plt.Figure | None:
    """Each quality metric against the steps."""
    metrics = [metric for metric in PANELS if has(comparison, metric)]
    if not metrics:
        return None
    columns = min(3, len(metrics))
    rows = -(-len(metrics) // columns)
    size = (max(COLUMN, PAGE * columns / 3), 1.75 * rows + 0.3)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for spare in grid.flat[len(metrics) :]:
        spare.set_axis_off()
    for axes, metric in zip(grid.flat, metrics, strict=False):
        quality_panel(axes, comparison, metric)
    legend_below(figure, handles_of_axes(grid.flat[len(metrics) - 1]))
    return figure


def quality_panel(axes: Axes, comparison: Comparison, metric: str) -> None:
    """One quality metric against the steps, beside the autoregressive model and the human references."""
    axis_label, is_logarithmic = PANELS[metric]
    autoregressive, diffusion = labels(comparison)
    curve(axes, comparison.diffusion, metric, diffusion)
    reference_line(axes, comparison.autoregressive, metric, autoregressive)
    if metric in comparison.human and comparison.human[metric].notna().any():
        human = comparison.human.iloc[0]
        axes.axhline(human[metric], color="gray", linestyle=":", label=kinds.label_of(human["model"]))
    if is_logarithmic:
        axes.set_yscale("log")
        plain_log(axes.yaxis)
    doubling_axis(axes, comparison.diffusion["steps"].tolist())
    axes.set_ylabel(axis_label)


def step_time(comparison: Comparison, on_engines: Sequence[Comparison] = ()) -> plt.Figure | None:
    """Latency against steps, and the time of one forward, which should not depend on them. on_engines: the same
    comparison on other engines."""
    parts = [part for part in (comparison, *on_engines) if has(part, LATENCY, STEP)]
    if not parts:
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.6), layout="constrained")
    latencies = step_time_panel(left, parts, LATENCY)
    left.set_ylabel(LATENCY_LABEL)
    left.set_yscale("log")
    fit_to_values(left, latencies)
    plain_log(left.yaxis)
    steps = step_time_panel(right, parts, STEP)
    right.set_ylabel("time of one forward (ms)")
    right.set_ylim(0, max(steps) * 1.4)
    legend_below(figure, handles_of_axes(left, right))
    return figure


def step_time_panel(axes: Axes, parts: list[Comparison], metric: str) -> list[float]:
    """A metric against the steps, by engine, the autoregressive model across; returns the values that are drawn."""
    values = []
    for part, style in zip(parts, LINE_STYLES, strict=False):
        autoregressive, diffusion = labels(part)
        several = len(parts) > 1
        of_diffusion, of_reference = (
            f", {wording.own_engine_and_head(runs.iloc[0], is_short=True)}" if several else ""
            for runs in (part.diffusion, part.autoregressive)
        )
        curve(axes, part.diffusion, metric, f"{diffusion}{of_diffusion}", style)
        reference_style = style if several else "--"
        reference_line(axes, part.autoregressive, metric, f"{autoregressive}{of_reference}", reference_style)
        values += [estimate.value for estimate in estimates(part.rows, metric)]
    doubling_axis(axes, sorted({steps for part in parts for steps in part.diffusion["steps"]}))
    return values


FIGURES = {"pareto": pareto, "quality": quality, "step_time": step_time}
TASK_FIGURES = {"accuracy": accuracy}
