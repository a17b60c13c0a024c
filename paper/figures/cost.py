"""Roofline, and the surface of steps at which time breaks even."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.analysis.surface import HEAD, Surface, ceilings_of
from bench.models import kinds
from bench.render.wording import engine_and_head
from paper.figures.style import COLORS

MARKERS = "osD^vP*X<>"  # of the kinds of cells
GIGA = 1e9
TERA = 1e12


def surface(about: Surface) -> plt.Figure:
    """A heatmap of break-even steps; where the study measured a place, its own number stands below in brackets."""
    steps = about.steps
    figure, axes = plt.subplots(figsize=(1.6 + 0.85 * len(steps.columns), 1.2 + 0.5 * len(steps)))
    sns.heatmap(
        steps, annot=surface_notes(about), fmt="", cmap="viridis", norm=LogNorm(), ax=axes, annot_kws={"fontsize": 8},
        cbar_kws={"label": "steps at which time breaks even"}, linewidths=0.5,
    )  # fmt: skip
    for batch, length in about.measured:
        corner = list(steps.columns).index(length) + 0.04, list(steps.index).index(batch) + 0.06
        axes.add_patch(plt.Rectangle(corner, 0.92, 0.88, fill=False, edgecolor="crimson", linewidth=1.8))
    color_axis = axes.collections[0].colorbar.ax.yaxis
    color_axis.set_minor_locator(NullLocator())
    color_axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    color_axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("output tokens")
    axes.set_ylabel("batch")
    axes.tick_params(axis="y", rotation=0)
    frames = "; framed: [measured]" if about.measured else ""
    compared = engine_and_head(about.engine, [HEAD])
    axes.set_title(f"{about.words}, prompts of {about.prompt_tokens},\n{compared}{frames}", fontsize=9)
    return figure


def surface_notes(about: Surface) -> np.ndarray:
    """What stands in each place of the heatmap."""
    return np.array(
        [
            [place_text(steps, about.measured.get((batch, length))) for length, steps in row.items()]
            for batch, row in about.steps.iterrows()
        ]
    )


def place_text(predicted: float, measured: float | None) -> str:
    """The steps by the cost model, and below them those that were measured."""
    return f"{predicted:.3g}" + ("" if measured is None else f"\n[{measured:.3g}]")


def roofline(rows: pd.DataFrame) -> plt.Figure | None:
    """Arithmetic done a second against arithmetic a byte, under the ceilings of the device; a marker a run.

    Samuel Williams, Andrew Waterman, David Patterson: "Roofline: an insightful visual performance model for multicore
    architectures", 2009. rows: of the cost model's table (bench/analysis/cost.py).
    """
    with_host = ceilings_of(rows)
    if with_host is None or rows["compute/mfu"].isna().all():
        return None
    ceilings, _ = with_host
    runs = rows[rows["compute/mfu"].notna()]
    intensity = runs["compute/gflop"] / runs["compute/gbyte"]
    gflops_per_s = runs["compute/mfu"] * runs["ceiling.flops_per_s"].astype(float) / GIGA
    ridge = ceilings.flops_per_s / ceilings.bytes_per_s  # FLOPs a byte from which on arithmetic is the limit
    low, high = min(intensity.min(), ridge) / 2, max(intensity.max(), ridge) * 2
    figure, axes = plt.subplots(figsize=(6.4, 4))
    top = ceilings.flops_per_s / GIGA
    lowest = low * ceilings.bytes_per_s / GIGA
    axes.plot([low, ridge, high], [lowest, top, top], color="black", linewidth=1.2)
    words = {"textcoords": "offset points", "fontsize": 8}
    axes.annotate(f"{ceilings.bytes_per_s / GIGA:,.4g} GB/s", (low, lowest), xytext=(14, 2), **words)
    axes.annotate(f"{ceilings.flops_per_s / TERA:,.3g} TFLOP/s", (ridge, top), xytext=(6, 5), **words)
    markers = dict(zip(sorted(runs["kind"].unique()), itertools.cycle(MARKERS), strict=False))
    for (kind, model), group in runs.groupby(["kind", "model"]):
        axes.scatter(
            intensity[group.index], gflops_per_s[group.index], color=COLORS[model], marker=markers[kind], s=34,
            alpha=0.8, edgecolors="white", linewidths=0.5, label=f"{kinds.label_of(model)}, {kind}", zorder=3,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(min(gflops_per_s.min(), lowest) / 2, top * 2)
    axes.set_xlabel("FLOP a byte (cost model)")
    axes.set_ylabel("GFLOP/s reached")
    axes.legend(fontsize=7, loc="lower right", ncols=2)
    return figure
