"""Roofline, and the surface of steps at which time breaks even."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm

from bench.analysis.noise import EAGER
from bench.analysis.surface import HEAD, Surface, ceilings_of
from bench.models import kinds
from bench.render.wording import engine_and_head
from paper.figures.style import (
    COLORS,
    COLUMN,
    MARKERS,
    SMALL,
    handles_of_axes,
    legend_below,
    plain_log,
    set_title,
)

GIGA = 1e9
TERA = 1e12
FRAME = {"fill": False, "edgecolor": "black", "linewidth": 1.6}  # around what was measured
DIGITS = ".3g"


def surface(about: Surface, pair: str = "", beside: str = "") -> plt.Figure:
    """A heatmap of break-even steps: where the study measured a place its own number in a frame, as in the tables, with
    the prediction in brackets below; elsewhere the prediction alone. The color is that of the first number.

    pair: the models whose shapes these are. beside: what else the study measured of its break-even, elsewhere.
    """
    shown = with_measured(about)
    size = (max(COLUMN, 1.0 + 0.47 * len(shown.columns)), 1.3 + 0.31 * len(shown))
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    sns.heatmap(
        shown, annot=surface_notes(about), fmt="", cmap="viridis", norm=LogNorm(), ax=axes,
        annot_kws={"fontsize": SMALL, "linespacing": 1.0}, cbar_kws={"label": "steps at which time breaks even"},
        linewidths=0.5,
    )  # fmt: skip
    for batch, length in about.measured:
        corner = list(shown.columns).index(length) + 0.04, list(shown.index).index(batch) + 0.05
        axes.add_patch(plt.Rectangle(corner, 0.92, 0.9, **FRAME))
    color_axis = axes.collections[0].colorbar.ax.yaxis
    plain_log(color_axis)
    axes.set_xlabel("length of the answer (tokens)")
    axes.set_ylabel("batch (prompts)")
    axes.tick_params(axis="y", rotation=0)
    words = "; ".join(filter(None, [surface_title(about, pair), beside]))
    set_title(figure, words)
    return figure


def surface_title(about: Surface, pair: str) -> str:
    """Whose break-even this is: the models, the device, how it is run, and what was predicted and what measured."""
    whose = f"{pair} on {about.basis.device}" if pair else about.basis.device
    compared = f"prompts of {about.basis.prompt_tokens}, {engine_and_head(about.basis.engine, [HEAD])}"
    told = "framed: measured (prediction in brackets); " if about.measured else "nothing here was measured; "
    return f"{whose}, {compared}; {told}{'others ' if about.measured else ''}{about.basis.words}"


def with_measured(about: Surface) -> pd.DataFrame:
    """The surface with the measured steps in place of the predicted ones."""
    steps = about.steps.copy()
    for (batch, length), measured in about.measured.items():
        steps.loc[batch, length] = measured
    return steps


def surface_notes(about: Surface) -> np.ndarray:
    """What stands in each place of the heatmap."""
    return np.array(
        [
            [place_text(steps, about.measured.get((batch, length))) for length, steps in row.items()]
            for batch, row in about.steps.iterrows()
        ]
    )


def place_text(predicted: float, measured: float | None) -> str:
    """The measured steps with the predicted ones below, or these alone."""
    return f"{predicted:{DIGITS}}" if measured is None else f"{measured:{DIGITS}}\n({predicted:{DIGITS}})"


def roofline(rows: pd.DataFrame) -> plt.Figure | None:
    """Arithmetic done a second against arithmetic a byte, under the ceilings of the device; a marker a run, by model
    and engine.

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
    figure, axes = plt.subplots(figsize=(COLUMN, 2.8), layout="constrained")
    top = ceilings.flops_per_s / GIGA
    lowest = low * ceilings.bytes_per_s / GIGA
    axes.plot([low, ridge, high], [lowest, top, top], color="black")
    words = {"textcoords": "offset points", "fontsize": SMALL}
    middle = (low * ridge) ** 0.5, (lowest * top) ** 0.5
    axes.annotate(f"{ceilings.bytes_per_s / GIGA:,.4g} GB/s", middle, xytext=(-3, 3), ha="right", **words)
    axes.annotate(f"{ceilings.flops_per_s / TERA:,.3g} TFLOP/s", (high, top), xytext=(0, 3), ha="right", **words)
    for (model, engine), group in runs.groupby(["model", "engine"]):
        is_open = engine == EAGER and runs["engine"].nunique() > 1
        axes.scatter(
            intensity[group.index], gflops_per_s[group.index], marker=MARKERS[model], s=13, edgecolors=COLORS[model],
            facecolors="none" if is_open else COLORS[model], linewidths=0.8, zorder=3,
            label=f"{kinds.label_of(model)}, {engine}",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(min(gflops_per_s.min(), lowest) / 2, top * 3)
    axes.set_xlabel("arithmetic a byte moved (FLOP/B, cost model)")
    axes.set_ylabel("arithmetic reached (GFLOP/s)")
    legend_below(figure, handles_of_axes(axes), columns=2)
    return figure
