"""Figures of decoders with quality: over latency, lost against speed won, and over tokens a forward.

A sampler has a color and a marker, a cache a line and the filling of the marker, so that both can be told in grey.
Legends stand below the axes, where they cover nothing.
"""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.analysis.aup import PERCENT, TPF, areas_of
from bench.analysis.comparison import LATENCY
from bench.analysis.decoder_gains import Curve, curves_of
from bench.analysis.decoder_places import Decoders, Line
from bench.analysis.decoders import family_of, sampler_of, settings_of
from bench.analysis.runs import estimate_of
from bench.common.stats import Estimate
from bench.diffusion.choices import CACHES, SAMPLERS
from bench.models import kinds
from bench.render.comparison import METRIC_NAMES
from paper.decoder_selection import main_places
from paper.figures.style import COLORS, bars, plain_log

LATENCY_LABEL = "latency of one answer (ms)"
PALETTE = sns.color_palette("colorblind")
SAMPLER_COLORS = dict(zip(SAMPLERS, ["black", PALETTE[2], PALETTE[3], PALETTE[4], PALETTE[7], PALETTE[9]], strict=True))
SAMPLER_MARKERS = dict(zip(SAMPLERS, "osD^vP", strict=True))
CACHE_STYLES = dict(zip(CACHES, ("-", "--", ":", "-.", (0, (1, 3))), strict=True))
CACHE_FILLS = dict(zip(CACHES, ("full", "none", "left", "top", "right"), strict=True))
PARTS = {"all": "all tasks", "one_answer": "one right answer", "many_answers": "many right answers"}
BAR_STYLE = {"capsize": 2, "elinewidth": 0.8}
PANEL = (3.4, 2.9)  # inches
LEGEND_INCHES = 0.9
REFERENCE = {"color": "gray", "linewidth": 0.9, "linestyle": "--"}


def panels(count: int, rows: int = 1) -> tuple[plt.Figure, list[Axes]]:
    """A figure of panels side by side, with room for a legend below."""
    columns = -(-count // rows)
    size = (max(PANEL[0] * columns, 4.6), PANEL[1] * rows + LEGEND_INCHES)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    return figure, list(grid.flat)


def doublings(axes: Axes) -> None:
    """A logarithmic x axis with a plain number at each doubling."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(LogLocator(base=2))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def style_of(line: Line) -> dict:
    """How a decoder is drawn."""
    sampler, cache = sampler_of(line.run), str(settings_of(line.run).get("cache") or "none")
    return {
        "color": SAMPLER_COLORS[sampler], "marker": SAMPLER_MARKERS[sampler], "linestyle": CACHE_STYLES[cache],
        "fillstyle": CACHE_FILLS[cache], "markerfacecoloralt": "white", "markersize": 5.5, "linewidth": 1.2,
    }  # fmt: skip


def handles_of(lines: Sequence[Line]) -> list[Line2D]:
    """What a legend says of some decoders: a sampler each, then a cache each."""
    samplers = [name for name in SAMPLERS if any(sampler_of(line.run) == name for line in lines)]
    caches = [name for name in CACHES if any((settings_of(line.run).get("cache") or "none") == name for line in lines)]
    handles = [
        Line2D([], [], color=SAMPLER_COLORS[name], marker=SAMPLER_MARKERS[name], linestyle="", markersize=5.5,
               label="fixed schedule" if name == "fixed" else name) for name in samplers
    ]  # fmt: skip
    return handles + [
        Line2D([], [], color="dimgray", marker="o", linestyle=CACHE_STYLES[name], fillstyle=CACHE_FILLS[name],
               markerfacecoloralt="white", markersize=5.5, label="no cache" if name == "none" else f"{name} cache")
        for name in caches
    ]  # fmt: skip


def legend(figure: plt.Figure, handles: Sequence[Line2D]) -> None:
    """A legend below all axes."""
    columns = min(len(handles), max(3, int(figure.get_figwidth() / 1.35)))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=7.5, frameon=False,
                  handlelength=2.6, columnspacing=1.2)  # fmt: skip


def draw_curve(
    axes: Axes, curve: Curve, x: Callable[[Line], Estimate | None], y: Callable[[Line], Estimate | None]
) -> None:
    """The decoders of a curve that have both values, with their intervals, joined by a line in the order of x."""
    points = [(x(line), y(line), line) for line in curve.lines]
    points = [(across, up, line) for across, up, line in points if across is not None and up is not None]
    if not points:
        return
    points.sort(key=lambda point: point[0].value)
    across, up, lines = zip(*points, strict=True)
    axes.errorbar(
        [e.value for e in across], [e.value for e in up], xerr=bars(list(across)), yerr=bars(list(up)),
        **style_of(lines[0]), **BAR_STYLE,
    )  # fmt: skip


def latency_of(line: Line) -> Estimate | None:
    """A latency without its interval: of few rounds that is wider than the axis, and the table has it."""
    estimate = estimate_of(line.run, LATENCY)
    return estimate and Estimate(estimate.value)


def quality_of(part: str = "all") -> Callable[[Line], Estimate | None]:
    """line -> its mean quality on a part of the prompts."""
    return lambda line: Estimate(line.qualities[part].value) if part in line.qualities else None


def difference_of(part: str) -> Callable[[Line], Estimate | None]:
    """line -> how much better it is than vanilla on a part of the prompts."""
    return lambda line: line.qualities[part].difference if part in line.qualities else None


def pareto(decoders: Decoders) -> plt.Figure | None:
    """Quality over latency: a curve is a sampler over its settings under one cache, vanilla's steps the baseline."""
    places = main_places(decoders)
    if not places:
        return None
    figure, all_axes = panels(len(places))
    handles = handles_of([line for place in places for line in place.lines])
    for axes, place in zip(all_axes, places, strict=True):
        for curve in curves_of(place, family_of):
            draw_curve(axes, curve, latency_of, quality_of())
        if place.autoregressive:
            star = draw_autoregressive(axes, place.autoregressive)
        axes.set_xscale("log")
        plain_log(axes.xaxis)
        axes.set_xlabel(LATENCY_LABEL)
        axes.set_ylabel(METRIC_NAMES[place.metric])
    if any(place.autoregressive for place in places):
        handles.append(star)
    legend(figure, handles)
    return figure


def draw_autoregressive(axes: Axes, line: Line) -> Line2D:
    """The autoregressive model as a star; what the legend says of it."""
    label = kinds.label_of(line.run["model"])
    style = {"color": COLORS[line.run["model"]], "marker": "*", "markersize": 11, "linestyle": ""}
    if (quality := quality_of()(line)) is not None and (latency := latency_of(line)) is not None:
        axes.plot([latency.value], [quality.value], markeredgecolor="black", markeredgewidth=0.5, **style)
    return Line2D([], [], label=label, markeredgecolor="black", markeredgewidth=0.5, **style)


def lost(decoders: Decoders) -> plt.Figure | None:
    """Quality lost against speed won, with the margin; tasks of the two kinds apart."""
    shown = [
        (place, part)
        for place in main_places(decoders)
        for part in place.parts
        if place.metric != "accuracy" or part != "all"
    ]
    if not shown:
        return None
    figure, all_axes = panels(len(shown))
    for axes, (place, part) in zip(all_axes, shown, strict=True):
        axes.axhspan(-place.margin, place.margin, color="gray", alpha=0.12, linewidth=0)
        axes.axhline(-place.margin, **REFERENCE)
        axes.axhline(0, color="gray", linewidth=0.6)
        for curve in curves_of(place, family_of):
            draw_curve(axes, curve, speedup_of, difference_of(part))
        doublings(axes)
        axes.set_xlabel("times vanilla's speed")
        axes.set_ylabel(f"{METRIC_NAMES[place.metric]} less vanilla's")
        if place.metric == "accuracy":
            axes.set_title(PARTS[part], fontsize=9)
    margin = Line2D([], [], label="declared margin", **REFERENCE)
    legend(figure, [*handles_of([line for place, _ in shown for line in place.lines]), margin])
    return figure


def speedup_of(line: Line) -> Estimate | None:
    """A speedup without its interval, as `latency_of`."""
    return line.speedup and Estimate(line.speedup.value)


def parallelism(decoders: Decoders) -> plt.Figure | None:
    """Accuracy in percent over tokens a forward, the curves of which AUP is the area; tasks of the two kinds apart."""
    places = [place for place in main_places(decoders) if areas_of(place)]
    if not places:
        return None
    [place] = places
    parts = [part for part in place.parts if part != "all"]
    figure, all_axes = panels(len(parts))
    for axes, part in zip(all_axes, parts, strict=True):
        for curve in curves_of(place, family_of):
            draw_curve(axes, curve, tpf_of, percent_of(part))
        axes.axhline(PERCENT * place.vanilla.qualities[part].value, **REFERENCE)
        doublings(axes)
        axes.set_xlabel("tokens a forward (TPF)")
        axes.set_ylabel("accuracy (%)")
        axes.set_ylim(0, 1.05 * PERCENT)
        axes.set_title(PARTS[part], fontsize=9)
    reference = Line2D([], [], label="vanilla, a step a token ($y_{max}$)", **REFERENCE)
    legend(figure, [*handles_of(place.lines), reference])
    return figure


def tpf_of(line: Line) -> Estimate | None:
    """Tokens a forward."""
    return estimate_of(line.run, TPF)


def percent_of(part: str) -> Callable[[Line], Estimate | None]:
    """line -> its accuracy in percent on a part of the tasks."""
    return lambda line: Estimate(PERCENT * line.qualities[part].value) if part in line.qualities else None


FIGURES = {"decoders_pareto": pareto, "decoders_lost": lost, "decoders_parallelism": parallelism}
