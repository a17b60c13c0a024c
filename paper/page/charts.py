"""Charts as plotly.js takes them: plain dictionaries. Every point says in words on hover what it is and its interval.

Lines are told apart by color, marker and dash, so that a page in grey can be read. Each panel is a chart of its own,
which the page sets side by side where there is room.
"""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

import seaborn as sns
from matplotlib.colors import to_hex

from bench.common.stats import Estimate
from paper.figures.style import COLORS, MARGIN

PALETTE = [to_hex(color) for color in sns.color_palette("colorblind")]
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star", "hexagon", "pentagon")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
PATTERNS = ("", ".", "x", "+", "-", "|")  # of bars; "/" is kept for what was extrapolated
EXTRAPOLATED_PATTERN = "/"
GREY = "#6b6b6b"
INK = "#1b1b1b"
# What plotly calls the markers and the line styles of the paper's figures, which are matplotlib's.
SYMBOL_OF = {
    "o": "circle", "s": "square", "D": "diamond", "d": "diamond-tall", "^": "triangle-up", "v": "triangle-down",
    "<": "triangle-left", ">": "triangle-right", "P": "cross", "X": "x", "*": "star", "p": "pentagon", "H": "hexagon2",
    "h": "hexagon",
}  # fmt: skip
DASH_OF = {"-": "solid", "--": "dash", "-.": "dashdot", ":": "dot"}
OPEN = "-open"  # behind a symbol: only its outline is drawn
HOVER_LETTERS = 56  # of a line on hover
TICKS = ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7), (1, 1.2, 1.5, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8), (1,))  # of a decade
FEWEST_TICKS, MOST_TICKS = 4, 10  # of a logarithmic axis
Value = Estimate | None


@dataclass(frozen=True)
class Look:
    """How a line is drawn."""

    color: str
    symbol: str = "circle"
    dash: str = "solid"
    pattern: str = ""


@dataclass(frozen=True)
class Panel:
    """A chart: its title (empty: that of the figure is enough), plotly's traces, and plotly's axes."""

    title: str
    traces: list[dict]
    x: dict
    y: dict
    shapes: list[dict] = field(default_factory=list)
    notes: list[dict] = field(default_factory=list)  # plotly's annotations
    height: int = 380  # pixels, without the legend
    is_stacked: bool = False  # whether bars at a place stand on each other


@dataclass(frozen=True)
class Figure:
    """Panels under one title. caption: what they show, of which runs."""

    name: str
    title: str
    caption: str
    panels: list[Panel]


def look(number: int) -> Look:
    """How the line of a number is drawn among others."""
    return Look(
        PALETTE[number % len(PALETTE)],
        SYMBOLS[number % len(SYMBOLS)],
        DASHES[number % len(DASHES)],
        PATTERNS[number % len(PATTERNS)],
    )


def look_of_model(model: str, number: int = 0) -> Look:
    """How a model is drawn, in the color that it has in every figure. number: of its lines, where it has several."""
    place = list(COLORS).index(model)
    symbols = SYMBOLS[place::2] if number else (("star", "square")[place % 2],)  # as in the paper
    return Look(to_hex(COLORS[model]), symbols[number % len(symbols)], DASHES[(number + 1 - place) % len(DASHES)])


def bounds(values: Sequence[Value]) -> dict:
    """Plotly's error bars: none where there is no interval or where it has no end."""
    if all(value is None or value.low is None for value in values):
        return {"visible": False}
    above, below = [], []
    for value in values:
        has_interval = value is not None and value.low is not None and math.isfinite(value.high)
        above.append(value.high - value.value if has_interval else None)
        below.append(value.value - value.low if has_interval else None)
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 1, "width": 3}


def numbers(values: Sequence[Value]) -> list[float | None]:
    """The values alone; None where there is none."""
    return [None if value is None or math.isnan(value.value) else float(value.value) for value in values]


def line(
    name: str, x: Sequence, y: Sequence[Value], style: Look, hover: Sequence[str], labels: Sequence[str] = (), **changes
) -> dict:
    """A trace of points joined by a line, with intervals. labels: beside the points, where they are wanted."""
    return {
        "type": "scatter", "name": name, "x": list(x), "y": numbers(y), "error_y": bounds(y),
        "mode": "lines+markers+text" if labels else "lines+markers", "text": list(labels),
        "textposition": "bottom right", "hovertext": list(hover), "hoverinfo": "text",
        "line": {"color": style.color, "dash": style.dash, "width": 2},
        "marker": {"color": style.color, "symbol": style.symbol, "size": 8}, **changes,
    }  # fmt: skip


def key(name: str, style: Look, group: str = "", mode: str = "lines+markers") -> dict:
    """An entry of a legend that stands for several traces: those of a group, which it switches on and off together."""
    return line(name, [None], [None], style, [""], mode=mode, **({"legendgroup": group} if group else {}))


def across(name: str, ends: Sequence[float], value: Value, style: Look, hover: str) -> dict:
    """A value that does not depend on x, as a line across."""
    trace = line(name, ends, [value] * len(ends), style, [hover] * len(ends), mode="lines")
    return trace | {"error_y": {"visible": False}}


def across_bars(
    name: str,
    labels: Sequence[str],
    x: Sequence[Value],
    style: Look,
    hover: Sequence[str],
    patterns: Sequence[str] = (),
) -> dict:
    """Horizontal bars with intervals, the first one on top."""
    return {
        "type": "bar", "orientation": "h", "name": name, "y": list(labels), "x": numbers(x), "error_x": bounds(x),
        "hovertext": list(hover), "hoverinfo": "text", "textposition": "none",
        "marker": {"color": style.color, "pattern": {"shape": list(patterns) or style.pattern}},
    }  # fmt: skip


def bars(
    name: str, x: Sequence[str], y: Sequence[Value], style: Look, hover: Sequence[str], patterns: Sequence[str]
) -> dict:
    """Upright bars with intervals, beside those of other traces."""
    return {
        "type": "bar", "name": name, "x": list(x), "y": numbers(y), "error_y": bounds(y), "hovertext": list(hover),
        "hoverinfo": "text", "textposition": "none",
        "marker": {"color": style.color, "pattern": {"shape": list(patterns)}},
    }  # fmt: skip


def heatmap(
    columns: Sequence[str], rows: Sequence[str], values: Sequence[Sequence], texts: Sequence[Sequence[str]],
    hover: Sequence[Sequence[str]], title: str, **changes
) -> dict:  # fmt: skip
    """A map of numbers with a text in each place. values: None where there is no number."""
    return {
        "type": "heatmap", "x": list(columns), "y": list(rows), "z": values, "text": texts, "texttemplate": "%{text}",
        "hovertext": hover, "hoverinfo": "text", "colorscale": "Viridis", "xgap": 2, "ygap": 2, "hoverongaps": True,
        "colorbar": {"title": {"text": title, "side": "right"}, "thickness": 12}, **changes,
    }  # fmt: skip


def note(x: float | str, y: float | str, text: str, **changes) -> dict:
    """A text at a place of a chart, without an arrow; on an axis of names a place is the number of the name."""
    return {"x": x, "y": y, "text": text, "showarrow": False, "font": {"size": 11}, **changes}


def level(y: float, text: str, color: str = GREY, dash: str = "dash") -> tuple[dict, dict]:
    """(a line across, what it is)."""
    shape = {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": y,
        "y1": y,
        "line": {"color": color, "dash": dash},
    }
    return shape, note(1, y, text, xref="paper", xanchor="right", yanchor="bottom")


def upright(x: float) -> dict:
    """A dotted line from bottom to top, to compare with."""
    line = {"color": GREY, "dash": "dot"}
    return {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": x, "x1": x, "line": line}


def band(low: float, high: float, color: str = GREY, opacity: float = 0.15) -> dict:
    """A shaded range of y behind everything."""
    shape = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": low, "y1": high, "layer": "below"}
    return shape | {"fillcolor": color, "opacity": opacity, "line": {"width": 0}}


def points_in_rows(
    name: str, names: Sequence[str], x: Sequence[Value], style: Look, hover: Sequence[str], **changes
) -> dict:
    """Values with intervals along x, each in the row of a name."""
    trace = line(name, numbers(x), [Estimate(0.0)] * len(names), style, hover, mode="markers")
    return trace | {"y": list(names), "error_x": bounds(x), "error_y": {"visible": False}} | changes


def wrapped(text: str) -> str:
    """A long text on hover, in several lines."""
    return "<br>".join(textwrap.wrap(text, HOVER_LETTERS))


def axis(title: str, **changes) -> dict:
    """A linear axis."""
    return {"title": {"text": title}, "automargin": True, **changes}


def log_axis(title: str, values: Sequence[float | None] = ()) -> dict:
    """A logarithmic axis with plain numbers. values: to which it is limited, since an interval from few rounds can be
    endless."""
    known = [float(value) for value in values if value is not None and value > 0]
    if not known:
        return axis(title, type="log")
    low, high = min(known) / MARGIN, max(known) * MARGIN
    marks = log_ticks(low, high)
    ends = [math.log10(low), math.log10(high)]
    return axis(title, type="log", range=ends, tickvals=marks, ticktext=[f"{mark:,.10g}" for mark in marks])


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two ends, as dense as it takes to have a few and no more."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    choices = [[round(number * 10.0**decade, 10) for decade in decades for number in within] for within in TICKS]
    inside = [[mark for mark in marks if low <= mark <= high] for marks in choices]
    fitting = [marks for marks in inside if FEWEST_TICKS <= len(marks) <= MOST_TICKS]
    return fitting[0] if fitting else min(inside, key=lambda marks: abs(len(marks) - MOST_TICKS))


def doubling_axis(title: str, places: Sequence[float]) -> dict:
    """A logarithmic axis with a tick at each measured place."""
    marks = sorted(set(places))
    return axis(title, type="log", tickvals=marks, ticktext=[f"{mark:g}" for mark in marks])


def words(estimate: Value, unit: str = "") -> str:
    """ "1,006 [842, 1,203] ms": a number on hover, with three digits or all before the point."""
    if estimate is None:
        return "not measured"
    digits = 0 if abs(estimate.value) >= 100 else 3 if abs(estimate.value) < 1 else 2
    return estimate.text(digits, f" {unit}" if unit else "")


def plot(panel: Panel) -> dict:
    """What the page gives to plotly.js."""
    layout = {"xaxis": panel.x, "yaxis": panel.y, "height": panel.height}
    layout |= {"shapes": panel.shapes, "annotations": panel.notes}
    layout |= {"barmode": "stack" if panel.is_stacked else "group"}
    if panel.title:
        layout["title"] = {"text": panel.title}
    return {"data": panel.traces, "layout": layout}
