"""Published accuracy against the latency that was measured here: a panel a task."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.analysis.borrowed import Borrowed, Point, TaskQuality
from bench.analysis.time_at import scaled
from bench.common import stats
from paper.figures.style import COLORS, ERROR_BARS, PAGE, SMALL, bars, legend_below, plain_log

PER_ROW = 4  # panels side by side
MARKERS = {"whole forwards": "o", "cache": "s", "distilled": "^"}
NAMES = {"whole forwards": "LLaDA, whole forwards", "cache": "LLaDA with a cache", "distilled": "distilled for it"}
OPEN = "open: time interpolated or extrapolated"


def borrowed_quality(borrowed: Borrowed | None) -> plt.Figure | None:
    """Accuracy over latency, LLaMA's latency being 1; None where there is nothing to draw."""
    if borrowed is None:
        return None
    tasks = [task for task in borrowed.tasks if any(point.timed for point in task.points)]
    columns = min(PER_ROW, len(tasks))
    rows = -(-len(tasks) // columns)
    size = (PAGE * max(0.6, columns / PER_ROW), 2.1 * rows + 0.4)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for spare in grid.flat[len(tasks) :]:
        figure.delaxes(spare)
    for axes, task in zip(grid.flat, tasks, strict=False):
        panel(axes, task)
    for axes in grid[:, 0]:
        axes.set_ylabel("accuracy, published (%)")
    legend_below(figure, handles(tasks))
    return figure


def panel(axes: Axes, task: TaskQuality) -> None:
    """A task's points, and what is not worse than LLaMA by more than the margin."""
    for point in task.points:
        if point.timed:
            draw(axes, point)
    if task.reference is not None:
        reference = scaled(task.reference.accuracy, 100)
        axes.axhspan(reference.value - 100 * task.margin, 100, color="0.9", zorder=0)
        style = {"color": COLORS[task.reference.kind], "marker": "D", **ERROR_BARS}
        axes.errorbar([1], [reference.value], yerr=bars_of(reference), linestyle="none", zorder=4, **style)
    ends = [
        end for point in [*task.points, task.reference] if point for end in (point.accuracy.low, point.accuracy.high)
    ]
    axes.set_ylim(100 * min(ends) - 2, 100 * max(ends) + 2)
    axes.set_xscale("log")
    plain_log(axes.xaxis)
    axes.tick_params(axis="x", labelsize=SMALL)
    axes.set_xlabel("latency over LLaMA's")
    axes.set_title(f"{task.label} ({task.items:,} items)")


def draw(axes: Axes, point: Point) -> None:
    """A point with both intervals, open where its time was not measured."""
    color, accuracy, ratio = COLORS[point.kind], scaled(point.accuracy, 100), point.timed.ratio
    face = color if point.timed.how == "measured" else "white"
    style = {"color": color, "markerfacecolor": face, **ERROR_BARS}
    intervals = {"yerr": bars_of(accuracy), "xerr": bars_of(ratio)}
    place = [ratio.value], [accuracy.value]
    axes.errorbar(*place, **intervals, marker=MARKERS[point.way], linestyle="none", zorder=3, **style)


def bars_of(estimate: stats.Estimate) -> list[list[float]]:
    """Error bars of one estimate."""
    return bars([estimate])


def handles(tasks: list[TaskQuality]) -> list[Line2D]:
    """What the legend says: LLaMA, and the ways to decode that are drawn."""
    points = [point for task in tasks for point in task.points if point.timed]
    result = [
        Line2D([], [], color=COLORS[kind], marker="D", linestyle="none", label="LLaMA")
        for kind in dict.fromkeys(task.reference.kind for task in tasks if task.reference)
    ]
    for way, marker in MARKERS.items():
        of_way = [point for point in points if point.way == way]
        if of_way:
            color = COLORS[of_way[0].kind]
            result.append(Line2D([], [], color=color, marker=marker, linestyle="none", label=NAMES[way]))
    if any(point.timed.how != "measured" for point in points):
        result.append(Line2D([], [], color="0.35", marker="o", markerfacecolor="white", linestyle="none", label=OPEN))
    return result
