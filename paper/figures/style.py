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

from bench.analysis.comparison import estimate_of
from bench.common import stats

NAMES = {"llama": "LLaMA", "llada": "LLaDA"}

TITLE_LETTERS = 14  # an inch
COLORS = dict(zip(("llama", "llada"), sns.color_palette("colorblind", 2), strict=True))
LINE_STYLES = ("-", "--", "-.", ":")  # of LLaDA in several precisions


def estimates(rows: pd.DataFrame, metric: str) -> list[stats.Estimate]:
    found = [estimate_of(row, metric) for _, row in rows.iterrows()]
    return [estimate if estimate is not None else stats.Estimate(float("nan")) for estimate in found]


def bars(found: list[stats.Estimate]) -> list[list[float]]:
    """Error bars [below, above]; zero where there is no interval."""
    below = [e.value - e.low if e.low is not None else 0.0 for e in found]
    above = [e.high - e.value if e.high is not None else 0.0 for e in found]
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


def save(figure: plt.Figure, folder: Path, name: str) -> None:
    """Write a figure as PDF, without the time of its making, and as PNG; then let go of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("pdf", "png"):
        metadata = {} if suffix == "png" else {"CreationDate": None}
        figure.savefig(folder / f"{name}.{suffix}", dpi=150, metadata=metadata)
    plt.close(figure)
