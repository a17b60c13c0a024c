"""Figures of a comparison, each as PDF and PNG. LLaMA is a point or a line, LLaDA a curve over its steps."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench import report, stats

COLORS = dict(zip(("llama", "llada"), sns.color_palette("colorblind", 2), strict=True))
PANELS = {  # metric: (axis label, logarithmic?)
    "quality/bertscore_f1": ("BERTScore F1", False),
    "quality/judge_perplexity": ("judge perplexity", True),
    "quality/repetition": ("repetition (4-grams)", False),
    "quality/distinct_2": ("distinct-2", False),
}


def estimates(rows: pd.DataFrame, metric: str) -> list[stats.Estimate]:
    found = [report.estimate_of(row, metric) for _, row in rows.iterrows()]
    return [estimate if estimate is not None else stats.Estimate(float("nan")) for estimate in found]


def bars(found: list[stats.Estimate]) -> list[list[float]]:
    """Error bars [below, above]; zero where there is no interval."""
    below = [e.value - e.low if e.low is not None else 0.0 for e in found]
    above = [e.high - e.value if e.high is not None else 0.0 for e in found]
    return [below, above]


def has(found: report.Comparison, *metrics: str) -> bool:
    """Whether both models have all the metrics."""
    sides = (found.llama, found.llada)
    return all(not side.empty and metric in side and side[metric].notna().any() for side in sides for metric in metrics)


def steps_axis(axes: Axes, steps: list[float]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(steps, [f"{s:.0f}" for s in steps])
    axes.minorticks_off()
    axes.set_xlabel("denoising steps")


def plain_log(axis: Axis) -> None:
    """Logarithmic axis with plain numbers at 1, 2 and 5 of each decade."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def line_for_llama(axes: Axes, estimate: stats.Estimate, label: str = "LLaMA") -> None:
    axes.axhline(estimate.value, color=COLORS["llama"], linestyle="--", label=label)
    if estimate.low is not None:
        axes.axhspan(estimate.low, estimate.high, color=COLORS["llama"], alpha=0.15, linewidth=0)


def pareto(found: report.Comparison) -> plt.Figure | None:
    """Quality against latency: up and to the left is better."""
    if not has(found, "latency/latency_ms", "quality/bertscore_f1"):
        return None
    figure, axes = plt.subplots(figsize=(6, 4))
    for name, rows in (("llada", found.llada), ("llama", found.llama)):
        x, y = estimates(rows, "latency/latency_ms"), estimates(rows, "quality/bertscore_f1")
        axes.errorbar(
            [e.value for e in x], [e.value for e in y], xerr=bars(x), yerr=bars(y), color=COLORS[name], capsize=2,
            marker="o" if name == "llada" else "*", markersize=5 if name == "llada" else 13, linewidth=1.5,
            elinewidth=0.8, label="LLaDA, by steps" if name == "llada" else "LLaMA",
        )  # fmt: skip
    for _, row in found.llada.iterrows():
        axes.annotate(
            f"{row['steps']:.0f}", (row["latency/latency_ms"], row["quality/bertscore_f1"]), xytext=(6, -11),
            textcoords="offset points", fontsize=8,
        )  # fmt: skip
    axes.set_xscale("log")
    plain_log(axes.xaxis)
    axes.set_xlabel("latency of one answer (ms)")
    axes.set_ylabel("BERTScore F1 against the reference")
    axes.legend(loc="best")
    return figure


def quality(found: report.Comparison) -> plt.Figure | None:
    """Each quality metric against the steps."""
    shown = [metric for metric in PANELS if has(found, metric)]
    if not shown:
        return None
    figure, grid = plt.subplots(1, len(shown), figsize=(3.2 * len(shown), 3), squeeze=False)
    steps = found.llada["steps"].tolist()
    for axes, metric in zip(grid[0], shown, strict=True):
        label, logarithmic = PANELS[metric]
        mine = estimates(found.llada, metric)
        axes.errorbar(steps, [e.value for e in mine], yerr=bars(mine), color=COLORS["llada"], marker="o", capsize=2,
                      elinewidth=0.8, label="LLaDA")  # fmt: skip
        line_for_llama(axes, estimates(found.llama, metric)[0])
        if logarithmic:
            axes.set_yscale("log")
            plain_log(axes.yaxis)
        steps_axis(axes, steps)
        axes.set_ylabel(label)
    grid[0][0].legend(loc="best")
    return figure


def step_time(found: report.Comparison) -> plt.Figure | None:
    """Latency against steps, and the time of one forward, which should not depend on them."""
    if not has(found, "latency/latency_ms", "latency/step_ms"):
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
    steps = found.llada["steps"].tolist()
    for axes, metric, label, llama in (
        (left, "latency/latency_ms", "latency of one answer (ms)", "LLaMA"),
        (right, "latency/step_ms", "time of one forward (ms)", "LLaMA, one token"),
    ):
        mine = estimates(found.llada, metric)
        axes.errorbar(steps, [e.value for e in mine], yerr=bars(mine), color=COLORS["llada"], marker="o", capsize=2,
                      elinewidth=0.8, label="LLaDA")  # fmt: skip
        line_for_llama(axes, estimates(found.llama, metric)[0], llama)
        steps_axis(axes, steps)
        axes.set_ylabel(label)
        axes.legend(loc="best")
    left.set_yscale("log")
    plain_log(left.yaxis)
    right.set_ylim(bottom=0)
    return figure


FIGURES = {"pareto": pareto, "quality": quality, "step_time": step_time}


def write(found: report.Comparison, folder: Path) -> list[str]:
    """Draw what the comparison has data for; returns the names of the figures written."""
    sns.set_theme(style="whitegrid", context="paper")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in FIGURES.items():
        figure = draw(found)
        if figure is None:
            continue
        if found.label:
            figure.suptitle(found.label, fontsize=9)
        figure.tight_layout()
        for suffix in ("pdf", "png"):
            figure.savefig(
                folder / f"{name}.{suffix}", dpi=150, metadata={} if suffix == "png" else {"CreationDate": None}
            )
        plt.close(figure)
        written.append(name)
    return written
