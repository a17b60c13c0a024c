"""Colors, axes and error bars that all figures share."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.analysis.runs import estimate_of
from bench.common import stats
from bench.models.kinds import KINDS

TITLE_LETTERS = 14  # of a title, an inch
COLORS = dict(zip(KINDS, sns.color_palette("colorblind"), strict=False))  # of the models, the same in every figure
LINE_STYLES = ("-", "--", "-.", ":")  # of the same model in several precisions or on several engines
DOTS_PER_INCH = 150
MARGIN = 1.6  # factor that a logarithmic axis goes beyond its values


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
    """Logarithmic axis with plain numbers at 1, 2 and 5 of each decade."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_locator(NullLocator())


def fit_to_values(axes: Axes, values: list[float]) -> None:
    """Limit a logarithmic y axis to the values: an interval from few rounds can be endless, and is cut."""
    numbers = [value for value in values if value == value]
    if numbers:
        axes.set_ylim(min(numbers) / MARGIN, max(numbers) * MARGIN)


def save(figure: plt.Figure, folder: Path, name: str) -> None:
    """Write a figure as PDF, without the time of its making, and as PNG; then let go of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("pdf", "png"):
        metadata = {} if suffix == "png" else {"CreationDate": None}
        figure.savefig(folder / f"{name}.{suffix}", dpi=DOTS_PER_INCH, metadata=metadata)
    plt.close(figure)
