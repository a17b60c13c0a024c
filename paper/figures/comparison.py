"""Figures of a comparison, each as PDF and PNG. LLaMA is a point or a line, LLaDA a curve over its steps."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from bench.analysis.comparison import Comparison
from bench.common import stats
from paper.figures.style import COLORS, LINE_STYLES, bars, doubling_axis, estimates, plain_log

PANELS = {  # metric: (axis label, logarithmic?)
    "quality/bertscore_f1": ("BERTScore F1", False),
    "quality/judge_perplexity": ("judge perplexity", True),
    "quality/entropy": ("token entropy (nats)", False),
    "quality/repetition": ("repetition (4-grams)", False),
    "quality/distinct_2": ("distinct-2", False),
}


def has(found: Comparison, *metrics: str) -> bool:
    """Whether both models have all the metrics."""
    sides = (found.llama, found.llada)
    return all(not side.empty and metric in side and side[metric].notna().any() for side in sides for metric in metrics)


def line_for_llama(axes: Axes, estimate: stats.Estimate, label: str = "LLaMA", style: str = "--") -> None:
    axes.axhline(estimate.value, color=COLORS["llama"], linestyle=style, label=label)
    if estimate.low is not None and estimate.low > 0:  # of two rounds that differ it can be endless: the table has it
        axes.axhspan(estimate.low, estimate.high, color=COLORS["llama"], alpha=0.15, linewidth=0)


def points(axes: Axes, rows: pd.DataFrame, metric: str, model: str, **style) -> None:
    """A model's runs, quality against latency, with intervals of both."""
    x, y = estimates(rows, "latency/latency_ms"), estimates(rows, metric)
    axes.errorbar(
        [e.value for e in x], [e.value for e in y], xerr=bars(x), yerr=bars(y), color=COLORS[model], capsize=2,
        linewidth=1.5, elinewidth=0.8, **style,
    )  # fmt: skip


def quality_against_latency(axes: Axes, found: Comparison, metric: str, label: str) -> None:
    """Quality against latency: up and to the left is better. Other precisions are further points of LLaMA's line, and
    further curves of LLaDA's."""
    with_both = [part for part in (found, *found.others) if metric in part.rows and "latency/latency_ms" in part.rows]
    several = len(with_both) > 1
    for part, style in zip(with_both, LINE_STYLES, strict=False):
        named = f"LLaDA, by steps{f', {part.dtype}' if several else ''}"
        points(axes, part.llada, metric, "llada", linestyle=style, marker="o", markersize=5, label=named)
    llama = pd.concat([part.llama for part in with_both]).sort_values("latency/latency_ms")
    points(axes, llama, metric, "llama", linestyle="-", marker="*", markersize=13, label="LLaMA")
    for _, row in llama.iterrows() if several else ():
        axes.annotate(
            row["dtype"],
            (row["latency/latency_ms"], row[metric]),
            xytext=(7, 5),
            textcoords="offset points",
            fontsize=8,
        )
    for _, row in found.llada.iterrows():
        axes.annotate(
            f"{row['steps']:.0f}", (row["latency/latency_ms"], row[metric]), xytext=(6, -11),
            textcoords="offset points", fontsize=8,
        )  # fmt: skip
    axes.set_xscale("log")
    plain_log(axes.xaxis)
    axes.set_xlabel("latency of one answer (ms)")
    axes.set_ylabel(label)
    axes.legend(loc="best")


def pareto(found: Comparison) -> plt.Figure | None:
    if not has(found, "latency/latency_ms", "quality/bertscore_f1"):
        return None
    figure, axes = plt.subplots(figsize=(6, 4))
    quality_against_latency(axes, found, "quality/bertscore_f1", "BERTScore F1 against the reference")
    return figure


def accuracy(found: Comparison) -> plt.Figure | None:
    """Valid answers to tasks: against latency, and against steps with the two kinds apart."""
    kinds = {"quality/accuracy_one_answer": "one right answer", "quality/accuracy_many_answers": "many right answers"}
    if not has(found, "latency/latency_ms", "quality/accuracy", *kinds):
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
    quality_against_latency(left, found, "quality/accuracy", "valid answers, all tasks")
    steps = found.llada["steps"].tolist()
    for (metric, label), style in zip(kinds.items(), ("-", ":"), strict=True):
        mine = estimates(found.llada, metric)
        right.errorbar(steps, [e.value for e in mine], yerr=bars(mine), color=COLORS["llada"], marker="o", capsize=2,
                       elinewidth=0.8, linestyle=style, label=f"LLaDA, {label}")  # fmt: skip
        theirs = estimates(found.llama, metric)[0].value
        right.axhline(theirs, color=COLORS["llama"], linestyle=style, label=f"LLaMA, {label}")
    doubling_axis(right, steps)
    right.set_ylabel("valid answers")
    right.legend(loc="best", fontsize=8)
    for axes in (left, right):
        axes.set_ylim(-0.03, 1.05)
    return figure


def quality(found: Comparison) -> plt.Figure | None:
    """Each quality metric against the steps."""
    shown = [metric for metric in PANELS if has(found, metric)]
    if not shown:
        return None
    columns = min(3, len(shown))
    figure, grid = plt.subplots(-(-len(shown) // columns), columns, figsize=(3.2 * columns, 5.6), squeeze=False)
    for spare in grid.flat[len(shown) :]:
        spare.set_axis_off()
    steps = found.llada["steps"].tolist()
    for axes, metric in zip(grid.flat, shown, strict=False):
        label, logarithmic = PANELS[metric]
        mine = estimates(found.llada, metric)
        axes.errorbar(steps, [e.value for e in mine], yerr=bars(mine), color=COLORS["llada"], marker="o", capsize=2,
                      elinewidth=0.8, label="LLaDA")  # fmt: skip
        line_for_llama(axes, estimates(found.llama, metric)[0])
        if metric in found.human and found.human[metric].notna().any():
            axes.axhline(found.human[metric].iloc[0], color="gray", linestyle=":", label="human")
        if logarithmic:
            axes.set_yscale("log")
            plain_log(axes.yaxis)
        doubling_axis(axes, steps)
        axes.set_ylabel(label)
    grid.flat[len(shown) - 1].legend(loc="best")
    return figure


def step_time(found: Comparison, beside: Sequence[Comparison] = ()) -> plt.Figure | None:
    """Latency against steps, and the time of one forward, which should not depend on them. beside: on other engines."""
    parts = [part for part in (found, *beside) if has(part, "latency/latency_ms", "latency/step_ms")]
    if not parts:
        return None
    figure, panels = plt.subplots(1, 2, figsize=(8, 3.2))
    for axes, metric, label, llama in zip(
        panels, ("latency/latency_ms", "latency/step_ms"),
        ("latency of one answer (ms)", "time of one forward (ms)"), ("LLaMA", "LLaMA, one token"), strict=True,
    ):  # fmt: skip
        shown, steps = [], sorted({steps for part in parts for steps in part.llada["steps"]})
        for part, style in zip(parts, LINE_STYLES, strict=False):
            engine = f", {part.llada['engine'].iloc[0]}" if len(parts) > 1 else ""
            mine, theirs = estimates(part.llada, metric), estimates(part.llama, metric)[0]
            axes.errorbar(part.llada["steps"].tolist(), [e.value for e in mine], yerr=bars(mine), color=COLORS["llada"],
                          marker="o", capsize=2, elinewidth=0.8, linestyle=style, label=f"LLaDA{engine}")  # fmt: skip
            line_for_llama(axes, theirs, f"{llama}{engine}", style if len(parts) > 1 else "--")
            shown += [theirs.value, *(e.value for e in mine)]
        doubling_axis(axes, steps)
        axes.set_ylabel(label)
        axes.legend(loc="best", fontsize=8)
        if metric == "latency/latency_ms":
            axes.set_yscale("log")
            axes.set_ylim(min(shown) / 1.6, max(shown) * 1.6)  # of few rounds' endless intervals only the beginning
            plain_log(axes.yaxis)
        else:
            axes.set_ylim(0, max(shown) * 1.4)
    return figure


FIGURES = {"pareto": pareto, "quality": quality, "step_time": step_time}
TASK_FIGURES = {"accuracy": accuracy}
