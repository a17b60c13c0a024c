"""Accuracy in tasks of lm-evaluation-harness against seconds of a question, a panel a task."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from bench.analysis.task_accuracy import Contest, Point, TaskAccuracy
from bench.common.stats import Estimate
from bench.models import kinds
from bench.render.task_accuracy import labels, templates_words
from paper.figures.labels import label_points
from paper.figures.style import COLORS, ERROR_BARS, LETTERS, PAGE, bars, plain_log
from paper.tables.task_accuracy import first_of_each

MOST_PANELS = 6
PANEL = (PAGE / 2, 2.9)  # inches
CURVE_MARKER = "s"  # of the authors' decoder over its steps
OTHER_MARKERS = "^vPX<>"  # of decoders that are not the authors'
TEMPLATE_MARKERS = "oDpHd"  # of single templates, where there are several


def accuracy(found: Sequence[TaskAccuracy]) -> plt.Figure | None:
    """The first tasks that have seconds of both models; None where none has."""
    shown = [each for each in first_of_each(list(found)) if has_times(each.main)][:MOST_PANELS]
    if not shown:
        return None
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    size = (PANEL[0] * columns, PANEL[1] * rows)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for spare in grid.flat[len(shown) :]:
        spare.set_axis_off()
    for axes, each in zip(grid.flat, shown, strict=False):
        panel(axes, each)
    return figure


def has_times(contest: Contest) -> bool:
    """Whether there are seconds of both models."""
    sides = (contest.autoregressive, *contest.sides)
    return all(contest.mean_seconds(side) is not None for side in sides)


def panel(axes: Axes, found: TaskAccuracy) -> None:
    """One task: the autoregressive model as a line with its band, the diffusion model's decoders as points."""
    contest = found.main
    for number, single in enumerate(found.contests if found.over else ()):
        template_lines(axes, single, TEMPLATE_MARKERS[number % len(TEMPLATE_MARKERS)])
    reference_line(axes, contest)
    _, diffusion = labels(contest)
    draw(axes, contest.curve, f"{diffusion}, by steps", marker=CURVE_MARKER, linestyle="-")
    others = [point for point in contest.points if point.side.steps is None]
    for point, marker in zip(others, OTHER_MARKERS * len(others), strict=False):
        draw(axes, [point], point.side.name or diffusion, marker=marker, linestyle="")
    axes.set_xscale("log")
    axes.margins(x=0.1)  # room for the label of the most steps
    plain_log(axes.xaxis)
    axes.set_xlabel("time of a question (s)")
    axes.set_ylabel("accuracy")
    axes.set_title(f"{found.task}, {templates_words(contest)}")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=LETTERS, frameon=False)
    label_points(axes, [(point.seconds.value, point.accuracy.value, str(point.side.steps)) for point in contest.curve])


def reference_line(axes: Axes, contest: Contest) -> None:
    """The autoregressive model: its accuracy across, a star at its own seconds, and the margin below."""
    side = contest.autoregressive
    color = COLORS[side.run["model"]]
    estimate, seconds = contest.accuracy_of(side), contest.mean_seconds(side)
    axes.axhline(estimate.value, color=color, linestyle="--", linewidth=1)
    if estimate.low is not None:
        axes.axhspan(estimate.low, estimate.high, color=color, alpha=0.15, linewidth=0)
    label = kinds.label_of(side.run["model"])
    axes.plot([seconds.value], [estimate.value], marker="*", markersize=9, color=color, linestyle="", label=label)
    if contest.margin:
        least = estimate.value - contest.margin
        axes.axhline(least, color="gray", linestyle=":", linewidth=1, label=f"less the margin of {contest.margin:g}")


def draw(axes: Axes, points: Sequence[Point], label: str, marker: str, linestyle: str) -> None:
    """Decoders with the intervals of accuracy and seconds."""
    if not points:
        return
    x: list[Estimate] = [point.seconds for point in points]
    y = [point.accuracy for point in points]
    axes.errorbar(
        [e.value for e in x], [e.value for e in y], xerr=bars(x), yerr=bars(y), marker=marker, linestyle=linestyle,
        color=COLORS[points[0].side.run["model"]], label=label, **ERROR_BARS,
    )  # fmt: skip


def template_lines(axes: Axes, contest: Contest, marker: str) -> None:
    """One template of several: both models under the same small marker, without intervals, which the table has."""
    if not has_times(contest):
        return
    sides = [contest.autoregressive]
    curve = [point.side for point in contest.curve]
    for number, group in enumerate(filter(None, (sides, curve))):
        x = [contest.mean_seconds(side).value for side in group]
        y = [contest.accuracy_of(side).value for side in group]
        label = f"template {contest.templates[0]}" if not number else None
        color = COLORS[group[0].run["model"]]
        axes.plot(x, y, color=color, marker=marker, markersize=4, linewidth=0.8, linestyle=":", alpha=0.8, label=label)


FIGURES = {"task_accuracy": accuracy}
