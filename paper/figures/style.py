"""The one style of all figures: sizes, letters, colors, axes, error bars, legends, files.

A figure is as wide as a column or a page of print, so that its letters have their size where it is not scaled. What a
color says, a marker, a line style or a hatch says too, so that a figure can be read in grey. What was extrapolated is
open: a white marker, a white bar.
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.analysis.runs import estimate_of
from bench.common import stats
from bench.models.kinds import KINDS

COLUMN = 3.35  # inches, 8.5 cm: a column of print
PAGE = 6.4  # inches: the text of a page with one column
SMALL = 6.5  # points of the smallest letters: numbers beside marks and in heatmaps
LETTERS = 7.0  # points of ticks and legends
LABELS = 7.5  # points of what stands at an axis
TITLE_LETTERS = 18  # of a title, an inch
LINE_INCHES = 0.13  # of a title, its height
PALETTE = sns.color_palette("colorblind")
COLORS = dict(zip(KINDS, PALETTE, strict=False))  # of the models, the same in every figure
MARKERS = dict(zip(KINDS, "osD^v", strict=False))
HATCHES = dict(zip(KINDS, ("", "////", "....", "xxxx", "----"), strict=False))  # of the models' bars
LINE_STYLES = ("-", "--", "-.", ":")  # of the same model in several precisions or on several engines
DOTS_PER_INCH = 200
SHORT = 6  # last over first of a logarithmic axis that needs more numbers
MARGIN = 1.6  # factor that a logarithmic axis goes beyond its values
THEME = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: a figure is the same on every machine
    "font.size": LETTERS,
    "axes.labelsize": LABELS,
    "axes.titlesize": LABELS,
    "figure.titlesize": LETTERS,
    "xtick.labelsize": LETTERS,
    "ytick.labelsize": LETTERS,
    "legend.fontsize": LETTERS,
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.5,
    "patch.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,  # outlines with their characters: text can be copied and searched
    "svg.fonttype": "none",
}
ERROR_BARS = {"capsize": 1.8, "elinewidth": 0.7}
EQUAL = {"color": "0.35", "linestyle": ":", "linewidth": 1.0}  # a line to compare with


def apply_theme() -> None:
    """Make the style that of every figure drawn from now on."""
    sns.set_theme(style="whitegrid", context="paper", palette="colorblind", rc=THEME)


def estimates(rows: pd.DataFrame, metric: str) -> list[stats.Estimate]:
    """A metric of each run; NaN where it was not measured."""
    values = [estimate_of(run, metric) for _, run in rows.iterrows()]
    return [value if value is not None else stats.Estimate(float("nan")) for value in values]


def bars(values: list[stats.Estimate]) -> list[list[float]]:
    """Error bars [below, above]; zero where there is no interval."""
    below = [e.value - e.low if e.low is not None else 0.0 for e in values]
    above = [e.high - e.value if e.high is not None else 0.0 for e in values]
    return [below, above]


def doubling_axis(axes: Axes, places: list[float], label: str = "denoising steps") -> None:
    """A logarithmic x axis with a tick at each measured place."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(places, [f"{place:.0f}" for place in places])
    axes.minorticks_off()
    axes.set_xlabel(label)


def plain_log(axis: Axis) -> None:
    """Logarithmic axis with plain numbers at 1, 2 and 5 of each decade; on one of less than a decade at more."""
    low, high = axis.get_view_interval()
    is_short = low > 0 and high / low < SHORT
    axis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7) if is_short else (1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_locator(NullLocator())


def fit_to_values(axes: Axes, values: list[float]) -> None:
    """Limit a logarithmic y axis to the values: an interval from few rounds can be endless, and is cut."""
    numbers = [value for value in values if value == value]
    if numbers:
        axes.set_ylim(min(numbers) / MARGIN, max(numbers) * MARGIN)


def legend_below(figure: plt.Figure, handles: Sequence[Artist], columns: int | None = None) -> None:
    """A legend below all axes, where it covers no data; handles of one label stand there once."""
    by_label = {handle.get_label(): handle for handle in handles}
    if not by_label:
        return
    letters = max(len(label) for label in by_label) + 6  # and the handle
    fitting = max(1, int(TITLE_LETTERS * figure.get_figwidth() / letters))
    figure.legend(
        handles=list(by_label.values()), loc="outside lower center", ncols=min(len(by_label), columns or fitting),
        frameon=False, handlelength=2.4, columnspacing=1.2, handletextpad=0.5,
    )  # fmt: skip


def set_title(figure: plt.Figure, title: str) -> None:
    """Write a title over a figure, which grows by its lines: the axes keep their size."""
    lines = textwrap.wrap(title, int(TITLE_LETTERS * figure.get_figwidth()))
    figure.set_figheight(figure.get_figheight() + LINE_INCHES * len(lines))
    figure.suptitle("\n".join(lines))


def handles_of_axes(*all_axes: Axes) -> list[Artist]:
    """What was drawn with a label."""
    return [handle for axes in all_axes for handle in axes.get_legend_handles_labels()[0]]


def save(figure: plt.Figure, folder: Path, name: str) -> None:
    """Write a figure as PDF, without the time of its making, and as PNG; then let go of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("pdf", "png"):
        metadata = {} if suffix == "png" else {"CreationDate": None}
        figure.savefig(folder / f"{name}.{suffix}", dpi=DOTS_PER_INCH, metadata=metadata)
    plt.close(figure)
