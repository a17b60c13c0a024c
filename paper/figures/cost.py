"""Roofline and break-even surface."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.analysis import cost, hypotheses, scaling
from bench.cost import predictions
from bench.cost.cards import PUBLISHED, devices
from bench.cost.floors import Ceilings
from bench.cost.predictions import Models
from bench.spec.pair import PairFile
from paper.figures import style
from paper.figures.style import COLORS, NAMES

BATCHES = [1, 2, 4, 8, 16, 32]
LENGTHS = [128, 256, 512, 1024, 2048]
MARKERS = "osD^vP*X<>"


@dataclass(frozen=True)
class Surface:
    """Break-even steps over batch (rows, largest first) and length (columns), and the places that were measured."""

    steps: pd.DataFrame
    measured: dict[tuple[int, int], float]
    prompt_tokens: int
    words: str  # whose ceilings


def ceilings_of(rows: pd.DataFrame) -> tuple[Ceilings, dict[str, float]] | None:
    """The ceilings that a study's runs were tracked with, and the host's seconds by model; None without ceilings."""
    if "ceiling.flops_per_s" not in rows or rows["ceiling.flops_per_s"].isna().all():
        return None
    known = rows[rows["ceiling.flops_per_s"].notna()]
    first = known.iloc[0]
    host = {model: float(runs["ceiling.host_s"].iloc[0]) for model, runs in known.groupby("model")}
    found = Ceilings(float(first["ceiling.flops_per_s"]), float(first["ceiling.bytes_per_s"]))
    return found, host


def surface_of(frame: pd.DataFrame, pair: PairFile) -> Surface:
    """The pair's surface at the study's own ceilings, else at the published ones of an H100."""
    rows = cost.rows(frame)
    groups = [group for group in scaling.scalings(frame) if group.kind in hypotheses.TIMED]
    groups = [group for group in groups if (group.every["dtype"] == pair.dtype).all()]
    timed = pd.concat([group.rows for group in groups]) if groups else pd.DataFrame()
    prompt, engine, measured = predictions.PROMPT_TOKENS, "captured", {}
    if not timed.empty:
        batch_grid = next((g.rows for g in groups if g.kind == "batch" and not g.rows.empty), timed)
        prompt, engine = int(pd.to_numeric(batch_grid["prompt_tokens"]).iloc[0]), batch_grid["engine"].iloc[-1]
        here = timed[(pd.to_numeric(timed["prompt_tokens"]) == prompt) & (timed["engine"] == engine)]
        here = here[here["attention"].isna()]
        for batch, length in sorted(set(zip(here["batch_size"], here["gen_length"], strict=True))):
            steps = hypotheses.break_even(here, batch, length, "lean")
            if steps is not None:
                measured[int(batch), int(length)] = steps
    found = ceilings_of(rows[rows["engine"] == engine]) if not rows.empty else None
    ceilings, host = found or (devices()["H100"].ceilings, {})
    words = "this device's ceilings" if found else f"H100, {PUBLISHED}"
    on_cpu = not frame.empty and (frame.get("platform") == "cpu").any()
    models = Models.of(pair, "cpu" if on_cpu and found else "cuda", host)
    batches, lengths = (
        sorted({*known, *(place[i] for place in measured)}) for i, known in ((0, BATCHES), (1, LENGTHS))
    )
    return Surface(models.surface(ceilings, batches, lengths, prompt), measured, prompt, words)


def surface(found: Surface) -> plt.Figure:
    """A heatmap of break-even steps; where the study measured a place, its own number stands below in brackets."""
    steps = found.steps
    notes = [
        [
            f"{value:.3g}" + (f"\n[{found.measured[b, n]:.3g}]" if (b, n) in found.measured else "")
            for n, value in zip(steps.columns, row, strict=True)
        ]
        for b, row in zip(steps.index, steps.to_numpy(), strict=True)
    ]
    figure, axes = plt.subplots(figsize=(1.6 + 0.85 * len(steps.columns), 1.2 + 0.5 * len(steps)))
    sns.heatmap(
        steps, annot=np.array(notes), fmt="", cmap="viridis", norm=LogNorm(), ax=axes, annot_kws={"fontsize": 8},
        cbar_kws={"label": "steps at which time breaks even"}, linewidths=0.5,
    )  # fmt: skip
    for batch, length in found.measured:
        corner = list(steps.columns).index(length) + 0.04, list(steps.index).index(batch) + 0.06
        axes.add_patch(plt.Rectangle(corner, 0.92, 0.88, fill=False, edgecolor="crimson", linewidth=1.8))
    bar = axes.collections[0].colorbar.ax.yaxis
    bar.set_minor_locator(NullLocator())
    bar.set_major_locator(LogLocator(subs=(1, 2, 5)))
    bar.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("output tokens")
    axes.set_ylabel("batch")
    axes.tick_params(axis="y", rotation=0)
    title = f"at {found.words}" if "published" not in found.words else found.words
    framed = "; framed: [measured]" if found.measured else ""
    axes.set_title(f"{title}, prompts of {found.prompt_tokens}{framed}", fontsize=9)
    return figure


def roofline(rows: pd.DataFrame) -> plt.Figure | None:
    """Arithmetic done a second against arithmetic a byte, under the ceilings of the device; a marker a run."""
    found = ceilings_of(rows) if not rows.empty else None
    if found is None or rows["compute/mfu"].isna().all():
        return None
    top, slope = found[0].flops_per_s, found[0].bytes_per_s
    known = rows[rows["compute/mfu"].notna()]
    intensity = known["compute/gflop"] / known["compute/gbyte"]
    reached = known["compute/mfu"] * known["ceiling.flops_per_s"].astype(float) / 1e9
    figure, axes = plt.subplots(figsize=(6.4, 4))
    low, high = min(intensity.min(), top / slope) / 2, max(intensity.max(), top / slope) * 2
    axes.plot([low, top / slope, high], [low * slope / 1e9, top / 1e9, top / 1e9], color="black", linewidth=1.2)
    words = {"textcoords": "offset points", "fontsize": 8}
    axes.annotate(f"{slope / 1e9:,.4g} GB/s", (low, low * slope / 1e9), xytext=(14, 2), **words)
    axes.annotate(f"{top / 1e12:,.3g} TFLOP/s", (top / slope, top / 1e9), xytext=(6, 5), **words)
    kinds = dict(zip(sorted(known["kind"].unique()), itertools.cycle(MARKERS), strict=False))
    for (kind, model), runs in known.groupby(["kind", "model"]):
        axes.scatter(
            intensity[runs.index], reached[runs.index], color=COLORS[model], marker=kinds[kind], s=34,
            alpha=0.8, edgecolors="white", linewidths=0.5, label=f"{NAMES[model]}, {kind}", zorder=3,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(min(reached.min(), low * slope / 1e9) / 2, top / 1e9 * 2)
    axes.set_xlabel("FLOP a byte (cost model)")
    axes.set_ylabel("GFLOP/s reached")
    axes.legend(fontsize=7, loc="lower right", ncols=2)
    return figure


def write(frame: pd.DataFrame, pair: PairFile, folder: Path) -> None:
    """Draw the roofline, where there are ceilings, and the surface of break-even steps, to `folder`."""
    label = "random weights, real shapes" if pair.llada.random_seed is not None else ""
    sns.set_theme(style="whitegrid", context="paper")
    for name, figure in (("roofline", roofline(cost.rows(frame))), ("surface", surface(surface_of(frame, pair)))):
        if figure is None:
            continue
        if label:
            figure.suptitle(label, fontsize=9)
        figure.tight_layout()
        style.save(figure, folder, name)
