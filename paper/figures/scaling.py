"""Figures along batch, length and prompt. What was extrapolated from a part of a call is open: white bar or marker."""

from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench.analysis import parity
from bench.analysis.scaling import LATENCY, PARTS, RATE, Line, Scaling, lines_of
from bench.render.scaling import lines_in_order
from bench.render.wording import label_of_models, line_name
from paper.figures.labels import label_points
from paper.figures.style import (
    EQUAL,
    ERROR_BARS,
    PAGE,
    PALETTE,
    SMALL,
    bars,
    doubling_axis,
    estimates,
    fit_to_values,
    handles_of_axes,
    legend_below,
    plain_log,
)

LABELS = {
    "batch_size": "batch (prompts)",
    "gen_length": "length of the answer (tokens)",
    "prompt_tokens": "length of the prompt (tokens)",
}
EXTRAPOLATED = "open: extrapolated from a part of the call"
LATENCY_LABEL = "latency of one answer (ms)"
LINE_MARKERS = "osD^vP*X"
LINE_HATCHES = ("", "////", "....", "xxxx", "----", "++++")
PANELS = (PAGE, 2.8)  # inches of two panels with their legend
ABOVE_LINES = 5  # where matplotlib draws what must not be hidden by lines and their markers
ROOM = 1.22  # of the highest bar, for the number on it
PARITY = "if both ran equally near to their floors"


def styles_of(scaling: Scaling) -> dict[Line, dict]:
    """Color, marker and line style of each line. The model without steps is first; attention is told by the style."""
    bare = {line: replace(line, attention=None) for line in lines_in_order(scaling)}
    numbers = {base: number for number, base in enumerate(dict.fromkeys(bare.values()))}
    return {
        line: {
            "color": PALETTE[numbers[base] % len(PALETTE)],
            "marker": LINE_MARKERS[numbers[base] % len(LINE_MARKERS)],
            "linestyle": "--" if line.attention == "math" else "-",
        }
        for line, base in bare.items()
    }


def is_part(runs: pd.DataFrame) -> pd.Series:
    """Of which runs only a part of their calls was run."""
    return runs[PARTS].notna().any(axis=1)


def peak_words(scaling: Scaling) -> str:
    """ "peak allocated" or "peak resident": which peak of memory this machine has."""
    return "peak resident" if "resident" in scaling.peak else "peak allocated"


def rate_bars(axes: Axes, scaling: Scaling) -> list[Patch]:
    """Tokens a second by batch, lines side by side, from zero, with the number on each bar; what the legend says."""
    lines = lines_of(scaling)
    places = sorted(scaling.rows[scaling.axis].unique())
    styles = styles_of(scaling)
    width = 0.84 / len(lines)
    handles = []
    highest = 0.0
    for number, (line, runs) in enumerate(lines):
        rates = estimates(runs, RATE)
        look = {"edgecolor": styles[line]["color"], "hatch": LINE_HATCHES[number % len(LINE_HATCHES)]}
        at = [places.index(place) + width * (number - (len(lines) - 1) / 2) for place in runs[scaling.axis]]
        for x, rate, part in zip(at, rates, is_part(runs), strict=True):
            end = rate_bar(axes, x, width, (rate, bool(part)), look)
            highest = max(highest, end)
        handles.append(Patch(**look | filling(look, False), label=line_name(line)))
    axes.set_xticks(range(len(places)), [f"{place:.0f}" for place in places])
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, ROOM * highest)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel(LABELS[scaling.axis])
    axes.set_ylabel("tokens/s, summed over the batch")
    if is_part(scaling.rows).any():
        handles.append(Patch(facecolor="white", edgecolor="0.35", label=EXTRAPOLATED))
    return handles


def filling(look: dict, is_open: bool) -> dict:
    """The face of a bar: white where it is extrapolated; a hatch is drawn in white on a color."""
    if is_open:
        return {"facecolor": "white"}
    return {"facecolor": look["edgecolor"], "edgecolor": "white" if look["hatch"] else look["edgecolor"]}


def rate_bar(axes: Axes, x: float, width: float, rate_and_part: tuple, look: dict) -> float:
    """One bar with its interval and its number; where these end. rate_and_part: the rate, and whether it is
    extrapolated."""
    rate, part = rate_and_part
    axes.bar(x, rate.value, 0.94 * width, **look | filling(look, part))
    axes.errorbar(x, rate.value, yerr=bars([rate]), fmt="none", ecolor="black", **ERROR_BARS)
    end = rate.value if rate.high is None else min(rate.high, 2 * rate.value)  # an endless interval is cut
    axes.annotate(f"{rate.value:,.3g}" if rate.value < 100 else f"{rate.value:,.0f}", (x, end), xytext=(0, 3),
                  textcoords="offset points", ha="center", va="bottom", rotation=90, fontsize=SMALL)  # fmt: skip
    return end


def growth(axes: Axes, scaling: Scaling, metric: str, label: str) -> list[Line2D]:
    """A metric of each line along the axis, latency logarithmic and memory from zero; what the legend says."""
    is_any_open = False
    for line, style in styles_of(scaling).items():
        runs = dict(lines_of(scaling)).get(line, scaling.rows.head(0))
        runs = runs[runs[metric].notna()] if metric in runs else runs.head(0)
        values = estimates(runs, metric)
        axes.errorbar(
            runs[scaling.axis].tolist(), [e.value for e in values], yerr=bars(values), label=line_name(line),
            **style, **ERROR_BARS,
        )  # fmt: skip
        if metric == LATENCY and is_part(runs).any():
            is_any_open = True
            parts = runs[is_part(runs)]
            open_marker = style | {"linestyle": "", "markerfacecolor": "white", "zorder": ABOVE_LINES}
            axes.plot(parts[scaling.axis].tolist(), parts[metric].tolist(), **open_marker)
    doubling_axis(axes, sorted(scaling.rows[scaling.axis].unique()), LABELS[scaling.axis])
    axes.set_ylabel(label)
    if metric == LATENCY:
        axes.set_yscale("log")
        fit_to_values(axes, scaling.rows[metric].tolist())
        plain_log(axes.yaxis)
    else:
        axes.set_ylim(0, 1.1 * scaling.rows[metric].max())
    handles = handles_of_axes(axes)
    return handles + ([open_handle()] if is_any_open else [])


def open_handle() -> Line2D:
    """What an open marker means."""
    return Line2D([], [], marker="o", linestyle="", color="0.35", markerfacecolor="white", label=EXTRAPOLATED)


def break_even_panel(axes: Axes, scaling: Scaling) -> list[Line2D]:
    """The steps at which both models take equally long, along the axis, and where they would if both programs ran
    equally near to what they must cost; what the legend says."""
    runs = [run for run, _ in scaling.break_evens]
    steps = [estimate for _, estimate in scaling.break_evens]
    places = [run[scaling.axis] for run in runs]
    axes.errorbar(places, [e.value for e in steps], yerr=bars(steps), fmt="o-", color="black", label="time breaks even",
                  **ERROR_BARS)  # fmt: skip
    open_places = [(run[scaling.axis], e.value) for run, e in scaling.break_evens if scaling.is_extrapolated(run)]
    if open_places:
        style = {"color": "black", "markerfacecolor": "white", "zorder": ABOVE_LINES}
        axes.plot(*zip(*open_places, strict=True), "o", **style)
    equal = sorted((run[scaling.axis], found.steps) for run, found in parity.of_scaling(scaling))
    if equal:
        axes.plot(*zip(*equal, strict=True), color="0.5", linestyle="--", marker="x", label=PARITY)
    if scaling.axis == "gen_length":
        axes.plot(places, places, label="one step a token", **EQUAL)
    else:
        axes.axhline(runs[0]["gen_length"], label="one step a token", **EQUAL)
    doubling_axis(axes, sorted(set(places)), LABELS[scaling.axis])
    axes.set_yscale("log")
    diffusion = label_of_models(scaling.rows.head(0), with_steps=True)
    reference = label_of_models(scaling.rows.head(0), with_steps=False)
    axes.set_ylabel(f"{diffusion}'s steps at {reference}'s latency")
    fit_to_values(axes, [e.value for e in steps] + [run["gen_length"] for run in runs] + [value for _, value in equal])
    plain_log(axes.yaxis)
    label_points(axes, [(x, e.value, f"{e.value:.3g}") for x, e in zip(places, steps, strict=True)])
    return handles_of_axes(axes) + ([open_handle()] if open_places else [])


def along_axis(scaling: Scaling) -> plt.Figure | None:
    """Throughput bars (batch) or latency lines (length, prompt), and where time breaks even."""
    if RATE not in scaling.rows or scaling.rows.empty:
        return None
    columns = 2 if scaling.break_evens else 1
    size = (PAGE if columns == 2 else PAGE * 0.6, PANELS[1])
    figure, grid = plt.subplots(1, columns, figsize=size, squeeze=False, layout="constrained")
    if scaling.kind == "batch":
        handles = rate_bars(grid[0][0], scaling)
    else:
        handles = growth(grid[0][0], scaling, LATENCY, LATENCY_LABEL)
    if scaling.break_evens:
        handles += break_even_panel(grid[0][1], scaling)
    legend_below(figure, handles)
    return figure


def attention(scaling: Scaling) -> plt.Figure | None:
    """Peak memory and latency over the length, by attention."""
    if scaling.peak is None:
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=PANELS, layout="constrained")
    handles = growth(left, scaling, scaling.peak, f"{peak_words(scaling)} (GiB)")
    handles += growth(right, scaling, LATENCY, LATENCY_LABEL)
    legend_below(figure, handles)
    return figure


FIGURES = {  # name: (kind, how it is drawn)
    "batch": ("batch", along_axis),
    "length": ("length", along_axis),
    "prompt": ("prompt", along_axis),
    "attention": ("attention", attention),
}
