"""Every engine: models that ran on one engine at one batch stand side by side, and where time breaks even beside them.

A break-even belongs to the programs that were measured. Its band reaches from the measured interval to where time would
break even if both programs ran equally near to what they must cost (bench/analysis/parity.py).
"""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from bench.analysis import parity
from bench.analysis.lines import DEFAULTS
from bench.analysis.parity import Parity
from bench.analysis.runs import estimate_of, setting_of
from bench.analysis.scaling import STEP, Scaling
from bench.common.stats import Estimate
from bench.models import kinds
from bench.render.wording import engine_of, label_of_models
from paper.figures.style import COLORS, COLUMN, ERROR_BARS, HATCHES, PAGE, SMALL, bars, legend_below, plain_log

ROW_INCHES = 0.145
FORWARDS = {"token": "one token", "step": "one denoising step"}  # by what a model's adapter marks
HEADER_GAP = 0.25  # rows between groups
WIDEST_INTERVAL = 1.5  # times the largest value: where the frame cuts an interval from few rounds
WIDEST_BAND = 3  # times the largest value, or a third of the smallest: the same on the logarithmic axis
ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # a label on the line of an interval that is cut
BAND = {"color": "0.8", "linewidth": 6, "solid_capstyle": "butt", "zorder": 1}


@dataclass(frozen=True, eq=False)  # a run is a Series, which cannot be compared
class Row:
    """A bar: its place from the top, its name, its run (None: the heading of a group), and where time breaks even."""

    place: float
    name: str
    run: pd.Series | None = None
    steps: Estimate | None = None
    parity: Parity | None = None


def engines(scaling: Scaling) -> plt.Figure | None:
    """A forward on every engine and rung, in groups of one engine and batch, and the break-even of each."""
    if STEP not in scaling.rows or scaling.rows[STEP].isna().all():
        return None
    rows = rows_of(scaling)
    columns = 2 if scaling.break_evens else 1
    size = (PAGE if columns == 2 else COLUMN, ROW_INCHES * rows[-1].place + 1.1)
    figure, grid = plt.subplots(1, columns, figsize=size, sharey=True, squeeze=False, layout="constrained",
                                width_ratios=(3, 2)[:columns])  # fmt: skip
    handles = time_panel(grid[0][0], rows)
    if scaling.break_evens:
        handles += break_even_panel(grid[0][1], rows, scaling)
    legend_below(figure, handles)
    return figure


def rows_of(scaling: Scaling) -> list[Row]:
    """The rows from top to bottom: for each batch and engine a heading, the model without steps, then the others."""
    runs = scaling.rows[scaling.rows[STEP].notna()]
    engine_names = runs.apply(engine_of, axis=1)
    steps = {run["run_id"]: estimate for run, estimate in scaling.break_evens}
    parities = {run["run_id"]: found for run, found in parity.of_scaling(scaling)}
    rows: list[Row] = []
    place = 0.0
    for (batch, engine), group in runs.groupby([runs["batch_size"], engine_names]):
        rows.append(Row(place, f"{engine}, batch {batch:.0f}"))
        in_order = sorted(
            (run for _, run in group.iterrows()), key=lambda run: (kinds.has_steps(run["model"]), name_of(run))
        )
        for number, run in enumerate(in_order, 1):
            found = steps.get(run["run_id"]), parities.get(run["run_id"])
            rows.append(Row(place + number, name_of(run), run, *found))
        place += len(in_order) + 1 + HEADER_GAP
    return rows


def name_of(run: pd.Series) -> str:
    """ "LLaDA, lean head": a bar within its engine's group."""
    head = f", {setting_of(run, 'head', DEFAULTS['head'])} head" if kinds.has_steps(run["model"]) else ""
    return kinds.label_of(run["model"]) + head


def time_panel(axes: Axes, rows: list[Row]) -> list[Artist]:
    """The time of a forward, a bar a run, from zero; what the legend says."""
    shown = {row: estimate_of(row.run, STEP) for row in with_runs(rows)}
    longest = WIDEST_INTERVAL * max(time.value for time in shown.values())
    ends = [time.value if time.high is None else min(time.high, longest) for time in shown.values()]
    for (row, time), end in zip(shown.items(), ends, strict=True):
        model = row.run["model"]
        axes.barh(row.place, time.value, 0.86, color=COLORS[model], hatch=HATCHES[model], edgecolor="white")
        axes.errorbar(time.value, row.place, xerr=bars([time]), fmt="none", ecolor="black", **ERROR_BARS)
        axes.annotate(f"{time.value:.3g}", (end, row.place), xytext=(3, 0), textcoords="offset points", va="center",
                      fontsize=SMALL, bbox=ON_WHITE)  # fmt: skip
    axes.set_xlim(0, 1.12 * max(ends))
    axes.set_xlabel("time of one forward (ms)")
    axes.set_yticks([row.place for row in rows], [row.name for row in rows])
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row.run is None else "normal")
    axes.set_ylim(rows[-1].place + 0.7, -0.7)
    axes.grid(visible=False, axis="y")
    models = dict.fromkeys(row.run["model"] for row in shown)
    return [
        Patch(facecolor=COLORS[model], hatch=HATCHES[model], edgecolor="white",
              label=f"{kinds.label_of(model)}, {FORWARDS[kinds.KINDS[model].mark]}")
        for model in models
    ]  # fmt: skip


def with_runs(rows: list[Row]) -> list[Row]:
    """The rows with a run."""
    return [row for row in rows if row.run is not None]


def break_even_panel(axes: Axes, rows: list[Row], scaling: Scaling) -> list[Artist]:
    """The steps at which time breaks even beside each run with steps, with the band of parity; what the legend says."""
    measured = [row for row in with_runs(rows) if row.steps]
    handles = []
    for row in measured:
        if row.parity:
            [band] = axes.plot(row.parity.band, [row.place, row.place], label="band of parity", **BAND)
            [equal] = axes.plot([row.parity.steps], [row.place], "D", color="0.35", markerfacecolor="white",
                                markersize=3.5, label="if equally near to their floors")  # fmt: skip
            handles += [band, equal]
    handles.append(
        axes.errorbar([row.steps.value for row in measured], [row.place for row in measured],
                      xerr=bars([row.steps for row in measured]), fmt="o", color="black", markersize=3.5,
                      label="time breaks even, measured", **ERROR_BARS)
    )  # fmt: skip
    values = [row.steps.value for row in measured]
    bounds = [
        bound for row in measured for bound in (row.steps.low, row.steps.high, *(row.parity.band if row.parity else ()))
    ]
    ends = [bound for bound in bounds if bound is not None] + values
    axes.set_xscale("log")
    axes.set_xlim(max(min(ends) / 1.3, min(values) / WIDEST_BAND), min(max(ends) * 1.3, max(values) * WIDEST_BAND))
    plain_log(axes.xaxis)
    diffusion, reference = (
        label_of_models(scaling.rows.head(0), with_steps=with_steps) for with_steps in (True, False)
    )
    axes.set_xlabel(f"{diffusion}'s steps at {reference}'s latency")
    axes.grid(visible=False, axis="y")
    axes.tick_params(labelleft=False)
    return handles


FIGURES = {"engines": ("engines", engines)}  # name: (kind, how it is drawn)
