"""Figures of decoders with quality: over latency, lost against speed won, and over tokens a forward.

A sampler has a color and a marker, a cache a line and the filling of the marker, so that both can be told in grey.
Legends stand below the axes, where they cover nothing.
"""

import math
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.analysis.aup import PERCENT, TPF, areas_of
from bench.analysis.comparison import LATENCY
from bench.analysis.decoder_gains import Curve, curves_of, front_of
from bench.analysis.decoder_places import Decoders, Line, Place
from bench.analysis.decoders import family_of, sampler_of, settings_of
from bench.analysis.runs import estimate_of
from bench.diffusion.choices import CACHES, SAMPLERS
from bench.models import kinds
from bench.render.comparison import METRIC_NAMES
from paper.decoder_selection import main_places
from paper.figures.style import COLORS, ERROR_BARS, LETTERS, PAGE, PALETTE, bars, plain_log

Value = Callable[[Line], float]  # of a decoder; NaN where it was not measured
LATENCY_LABEL = "latency of one answer (ms)"
SAMPLER_COLORS = dict(zip(SAMPLERS, ["black", PALETTE[2], PALETTE[3], PALETTE[4], PALETTE[7], PALETTE[9]], strict=True))
SAMPLER_MARKERS = dict(zip(SAMPLERS, "osD^vP", strict=True))
CACHE_STYLES = dict(zip(CACHES, ("-", "--", ":", "-.", (0, (1, 3))), strict=True))
CACHE_FILLS = dict(zip(CACHES, ("full", "full", "left", "top", "right"), strict=True))
MARKER = 4.5  # points
OPEN = "prefix"  # the cache whose markers are white within
PARTS = {"all": "open-ended answers", "one_answer": "one right answer", "many_answers": "many right answers"}
PANEL = (3.4, 2.9)  # inches
LEGEND_INCHES = 0.9
NARROWEST = 4.6  # inches of a figure, for its legend
FRONT = {"color": "gray", "alpha": 0.3, "linewidth": 6, "solid_capstyle": "round", "zorder": 1}
FRONT_HANDLE = Line2D([], [], label="beaten by none", **FRONT)
REFERENCE = {"color": "gray", "linewidth": 0.9, "linestyle": "--"}


def panels(count: int, rows: int = 1) -> tuple[plt.Figure, list[Axes]]:
    """A figure of panels side by side, with room for a legend below."""
    columns = -(-count // rows)
    width = min(max(PANEL[0] * columns, NARROWEST), PAGE)
    height = PANEL[1] * min(1, 1.15 * width / columns / PANEL[0]) * rows + LEGEND_INCHES
    figure, grid = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained")
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
        "color": SAMPLER_COLORS[sampler], "marker": SAMPLER_MARKERS[sampler], **cache_style(cache), "linewidth": 1.2
    }  # fmt: skip


def cache_style(cache: str) -> dict:
    """The line of a cache and the filling of its markers."""
    open_or_not = {"markerfacecolor": "white"} if cache == OPEN else {"fillstyle": CACHE_FILLS[cache]}
    return {"linestyle": CACHE_STYLES[cache], "markerfacecoloralt": "white", "markersize": MARKER} | open_or_not


def handles_of(lines: Sequence[Line]) -> list[Line2D]:
    """What a legend says of some decoders: a sampler each, then a cache each."""
    samplers = [name for name in SAMPLERS if any(sampler_of(line.run) == name for line in lines)]
    caches = [name for name in CACHES if any((settings_of(line.run).get("cache") or "none") == name for line in lines)]
    handles = [
        Line2D([], [], color=SAMPLER_COLORS[name], marker=SAMPLER_MARKERS[name], linestyle="", markersize=MARKER,
               label="fixed schedule" if name == "fixed" else name) for name in samplers
    ]  # fmt: skip
    return handles + [
        Line2D([], [], color="dimgray", marker="o", label="no cache" if name == "none" else f"{name} cache",
               **cache_style(name))
        for name in caches
    ]  # fmt: skip


def legend(figure: plt.Figure, handles: Sequence[Line2D]) -> None:
    """A legend below all axes."""
    columns = min(len(handles), max(3, int(figure.get_figwidth() / 1.35)))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=LETTERS, frameon=False,
                  handlelength=2.6, columnspacing=1.2)  # fmt: skip


def draw_curve(axes: Axes, curve: Curve, x: Value, y: Value) -> None:
    """The decoders of a curve that have both values, joined by a line in the order of x."""
    points = sorted((x(line), y(line)) for line in curve.lines)
    points = [point for point in points if not math.isnan(sum(point))]
    if points:
        axes.plot(*zip(*points, strict=True), **style_of(curve.lines[0]))


def draw_place(axes: Axes, place: Place, x: Value, y: Value, less_is_better: bool = False) -> list[Line]:
    """Every curve of a place over a broad line that joins those decoders which no other beats in both; these."""
    sign = -1 if less_is_better else 1
    front = front_of(place.lines, lambda line: sign * x(line), y)
    axes.plot([x(line) for line in front], [y(line) for line in front], **FRONT)
    for curve in curves_of(place, family_of):
        draw_curve(axes, curve, x, y)
    return front


def latency_of(line: Line) -> float:
    return value_of(line, LATENCY)


def tpf_of(line: Line) -> float:
    return value_of(line, TPF)


def value_of(line: Line, metric: str) -> float:
    """A metric without its interval: of few rounds that is wider than the axis, and the table has it. NaN where it was
    not measured."""
    estimate = estimate_of(line.run, metric)
    return math.nan if estimate is None else estimate.value


def speedup_of(line: Line) -> float:
    return math.nan if line.speedup is None else line.speedup.value


def quality_of(part: str, factor: float = 1.0) -> Value:
    """line -> its mean quality on a part of the prompts, times a factor."""
    return lambda line: factor * line.qualities[part].value if part in line.qualities else math.nan


def difference_of(part: str) -> Value:
    """line -> how much better it is than vanilla on a part of the prompts."""
    return lambda line: line.qualities[part].difference.value if part in line.qualities else math.nan


def pareto(decoders: Decoders) -> plt.Figure | None:
    """Quality over latency: a curve is a sampler over its settings under one cache, vanilla's steps the baseline."""
    places = main_places(decoders)
    if not places:
        return None
    figure, all_axes = panels(len(places))
    handles = [*handles_of([line for place in places for line in place.lines]), FRONT_HANDLE]
    for axes, place in zip(all_axes, places, strict=True):
        draw_place(axes, place, latency_of, quality_of("all"), less_is_better=True)
        if place.autoregressive:
            axes.plot([latency_of(place.autoregressive)], [quality_of("all")(place.autoregressive)], **star(place))
        axes.set_xscale("log")
        plain_log(axes.xaxis)
        axes.set_xlabel(LATENCY_LABEL)
        axes.set_ylabel(METRIC_NAMES[place.metric])
    references = [place for place in places if place.autoregressive]
    legend(figure, [*handles, *(Line2D([], [], **star(place)) for place in references[:1])])
    return figure


def star(place: Place) -> dict:
    """How the autoregressive model of a place is drawn, and what the legend says of it."""
    model = place.autoregressive.run["model"]
    return {"color": COLORS[model], "marker": "*", "markersize": 9, "linestyle": "", "markeredgecolor": "black",
            "markeredgewidth": 0.5, "label": kinds.label_of(model)}  # fmt: skip


def lost(decoders: Decoders) -> plt.Figure | None:
    """Quality lost against speed won, with the margin; tasks of the two kinds apart. Intervals stand at the decoders
    that no other beats in both: those of all would hide each other."""
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
        front = draw_place(axes, place, speedup_of, difference_of(part))
        intervals = [line.qualities[part].difference for line in front]
        axes.errorbar(
            [speedup_of(line) for line in front], [e.value for e in intervals], yerr=bars(intervals), fmt="none",
            ecolor="black", **ERROR_BARS,
        )  # fmt: skip
        doublings(axes)
        axes.set_xlabel("speed over vanilla's (times)")
        axes.set_ylabel(f"{METRIC_NAMES[place.metric]} less vanilla's")
        axes.set_title(PARTS[part])
    margin = Line2D([], [], label="declared margin", **REFERENCE)
    legend(figure, [*handles_of([line for place, _ in shown for line in place.lines]), FRONT_HANDLE, margin])
    return figure


def parallelism(decoders: Decoders) -> plt.Figure | None:
    """Accuracy in percent over tokens a forward, the curves of which AUP is the area; tasks of the two kinds apart."""
    places = [place for place in main_places(decoders) if areas_of(place)]
    if not places:
        return None
    [place] = places
    parts = [part for part in place.parts if part != "all"]
    figure, all_axes = panels(len(parts))
    for axes, part in zip(all_axes, parts, strict=True):
        draw_place(axes, place, tpf_of, quality_of(part, PERCENT))
        axes.axhline(PERCENT * place.vanilla.qualities[part].value, **REFERENCE)
        doublings(axes)
        axes.set_xlabel("tokens a forward (TPF)")
        axes.set_ylabel("accuracy (%)")
        axes.set_ylim(0, 1.05 * PERCENT)
        axes.set_title(PARTS[part])
    reference = Line2D([], [], label="vanilla, a step a token ($y_{max}$)", **REFERENCE)
    legend(figure, [*handles_of(place.lines), FRONT_HANDLE, reference])
    return figure


FIGURES = {"decoders_pareto": pareto, "decoders_lost": lost, "decoders_parallelism": parallelism}
