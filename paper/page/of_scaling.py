"""The page's figures of the grids along an axis: batch, length, prompt, attention, engines, memory."""

from collections.abc import Callable, Sequence

import pandas as pd

from bench.analysis.edges import Edge
from bench.analysis.runs import estimate_of
from bench.analysis.scaling import LATENCY, RATE, Line, Scaling, lines_of
from bench.common.stats import Estimate
from bench.render import wording
from bench.render.scaling import lines_in_order, map_table
from paper.figures.memory import parts_of_peak
from paper.figures.scaling import LABELS, LATENCY_LABEL, is_part, peak_words
from paper.figures.write import scaling_title
from paper.page import charts
from paper.page.charts import EXTRAPOLATED_PATTERN, OPEN, Figure, Panel, axis, doubling_axis, log_axis, look, words
from paper.page.of_engines import engines

RATE_LABEL = "tokens/s, summed over the batch"
EXTRAPOLATED = "Open markers and hatched bars: extrapolated from a part of the call. "
TIMED = ("batch", "length", "prompt", "attention")  # kinds of grid whose figures show times of whole answers
ROW_PX = 34  # of a bar


def figures(scalings: dict[str, Scaling]) -> list[Figure]:
    """Every figure for which there is data."""
    drawn = []
    for kind, scaling in scalings.items():
        for name, title, draw in DRAWINGS.get(kind, ()):
            panels = [panel for panel in draw(scaling) if panel.traces]
            if panels:
                extrapolated = EXTRAPOLATED if kind in TIMED and is_part(scaling.rows).any() else ""
                caption = f"{extrapolated}{wording.capitalised(scaling_title(scaling))}."
                drawn.append(Figure(name, title, caption, panels))
    return drawn


def hover(scaling: Scaling, line: Line, run: pd.Series, metric: str, unit: str) -> str:
    """A run with its place and a number."""
    place = wording.place_words(scaling, run)
    ratio = scaling.ratios.get(run["run_id"]) if metric == RATE else None
    parts = [f"<b>{wording.line_name(line)}</b>, {place}", words(estimate_of(run, metric), unit)]
    parts += [f"{words(ratio)} times the other model's"] if ratio else []
    return "<br>".join([*parts, *filter(None, [wording.note(run)])])


def growth(scaling: Scaling, metric: str | None, label: str, unit: str) -> Panel:
    """A metric of each line along the axis, both logarithmic."""
    traces = []
    for number, (line, runs) in enumerate(lines_of(scaling)):
        runs = runs[runs[metric].notna()] if metric in runs else runs.head(0)
        if runs.empty:
            continue
        style, places = look(number), runs[scaling.axis].tolist()
        values = [estimate_of(run, metric) for _, run in runs.iterrows()]
        hovers = [hover(scaling, line, run, metric, unit) for _, run in runs.iterrows()]
        trace = charts.line(wording.line_name(line), places, values, style, hovers)
        is_open = is_part(runs) & (metric == LATENCY)
        trace["marker"]["symbol"] = [f"{style.symbol}{OPEN if part else ''}" for part in is_open]
        traces.append(trace)
    shown = [value for trace in traces for value in trace["y"]]
    places = [place for trace in traces for place in trace["x"]]
    return Panel(
        wording.capitalised(label), traces, doubling_axis(LABELS[scaling.axis], places), log_axis(label, shown)
    )


def rates(scaling: Scaling) -> Panel:
    """Tokens a second by batch, lines side by side, on an axis that begins at 0: a bar's length is its number."""
    traces = []
    for number, (line, runs) in enumerate(lines_of(scaling)):
        runs = runs[runs[RATE].notna()] if RATE in runs else runs.head(0)
        if runs.empty:
            continue
        hovers = [hover(scaling, line, run, RATE, "tokens/s") for _, run in runs.iterrows()]
        own = look(number).pattern
        patterns = [EXTRAPOLATED_PATTERN if part else own for part in is_part(runs)]
        places = [f"{place:.0f}" for place in runs[scaling.axis]]
        values = [estimate_of(run, RATE) for _, run in runs.iterrows()]
        traces.append(charts.bars(wording.line_name(line), places, values, look(number), hovers, patterns))
    order = [f"{place:.0f}" for place in sorted(scaling.rows[scaling.axis].unique())] if traces else []
    x = axis(LABELS[scaling.axis], type="category", categoryorder="array", categoryarray=order)
    return Panel("Throughput", traces, x, axis(RATE_LABEL, rangemode="tozero"))


def break_even(scaling: Scaling) -> Panel:
    """The steps at which both models take equally long, a line for each setting."""
    by_setting: dict[str, list] = {}
    for run, steps in scaling.break_evens:
        setting = f"{wording.own_engine_and_head(run, is_short=True)}{attention_words(run)}"
        by_setting.setdefault(setting, []).append((run, steps))
    traces = []
    for number, (setting, pairs) in enumerate(by_setting.items()):
        places, values = [run[scaling.axis] for run, _ in pairs], [steps for _, steps in pairs]
        hovers = [
            f"<b>{setting}</b>, {wording.place_words(scaling, run)}<br>{words(steps, 'steps')}" for run, steps in pairs
        ]
        traces.append(charts.line(setting, places, values, look(number), hovers))
    shown = [value for trace in traces for value in trace["y"]]
    places = [place for trace in traces for place in trace["x"]]
    x = doubling_axis(LABELS[scaling.axis], places)
    return Panel("Steps at which both take equally long", traces, x, log_axis("denoising steps", shown))


def attention_words(run: pd.Series) -> str:
    return "" if pd.isna(run["attention"]) else f", {run['attention']} attention"


def along(scaling: Scaling) -> list[Panel]:
    """Latency along the axis and where time breaks even."""
    return [growth(scaling, LATENCY, LATENCY_LABEL, "ms"), break_even(scaling)]


def over_batch(scaling: Scaling) -> list[Panel]:
    """Throughput over the batch and where time breaks even."""
    return [rates(scaling), break_even(scaling)]


def attention(scaling: Scaling) -> list[Panel]:
    """Peak memory and latency over the length, by attention."""
    if scaling.peak is None:
        return []
    peak = growth(scaling, scaling.peak, f"{peak_words(scaling)} (GiB)", "GiB")
    return [peak, growth(scaling, LATENCY, LATENCY_LABEL, "ms")]


def memory_map(scaling: Scaling) -> list[Panel]:
    """Peak memory over batch and length, a panel a line; a failed cell says why."""
    if scaling.peak is None:
        return []
    most = float(scaling.rows[scaling.peak].max())
    maps = {line: map_table(scaling, line) for line in lines_in_order(scaling)}
    largest_first = sorted(maps.values(), key=lambda part: -part.size)  # whose places come in order
    batches = list(dict.fromkeys(label for part in largest_first for label in part.index))
    lengths = list(dict.fromkeys(label for part in largest_first for label in part.columns))
    return [
        memory_panel(line, texts.reindex(index=batches, columns=lengths, fill_value=wording.MISSING), most)
        for line, texts in maps.items()
    ]


def memory_panel(line: Line, texts: pd.DataFrame, most_gib: float) -> Panel:
    """One line's map. texts: GiB, or the outcome where a cell failed."""
    values = texts.apply(pd.to_numeric, errors="coerce").astype(object)
    values = values.where(values.notna(), None)
    shown = texts.replace(wording.MISSING, "not<br>measured")
    hover = [
        [f"{batch}, {length}<br>{texts.loc[batch, length]}{unit(texts.loc[batch, length])}" for length in texts.columns]
        for batch in texts.index
    ]
    trace = charts.heatmap(
        [column.removesuffix(" tokens") for column in texts.columns], list(texts.index), values.to_numpy().tolist(),
        shown.to_numpy().tolist(), hover, "GiB", zmin=0, zmax=most_gib,
    )  # fmt: skip
    reasons = [
        charts.note(column, row, text)
        for row, cells in enumerate(shown.to_numpy().tolist())
        for column, text in enumerate(cells)
        if values.iloc[row, column] is None
    ]
    x, y = axis("tokens of the answer", type="category"), axis("", type="category")
    return Panel(wording.line_name(line), [trace], x, y, notes=reasons, height=140 + 44 * len(texts))


def unit(text: str) -> str:
    """The unit behind a number; nothing behind what stands in its place."""
    return " GiB" if text.replace(".", "").isdecimal() else ""


def memory_split(scaling: Scaling) -> list[Panel]:
    """What the peak is made of at the largest batch."""
    if scaling.peak is None:
        return []
    runs = scaling.rows[scaling.rows["batch_size"] == scaling.rows["batch_size"].max()]
    places = {line: place for place, line in enumerate(lines_in_order(scaling))}
    runs = runs.assign(place=[places[line] for line in runs["line"]]).sort_values(["place", "gen_length"])
    names = [f"{wording.line_name(run['line'])}, {run['gen_length']:.0f} tokens" for _, run in runs.iterrows()]
    traces = []
    for number, (part, values) in enumerate(parts_of_peak(scaling, runs).items()):
        gib = pd.to_numeric(values).fillna(0.0).tolist()
        texts = [f"<b>{name}</b><br>{part}: {value:.2f} GiB" for name, value in zip(names, gib, strict=True)]
        trace = charts.across_bars(part, names, [Estimate(value) for value in gib], look(number), texts)
        traces.append(trace)
    title = f"{peak_words(scaling)} at batch {runs['batch_size'].iloc[0]:.0f} (GiB)"
    y = axis("", autorange="reversed")
    x, height = axis(title, rangemode="tozero"), 140 + ROW_PX * len(names)
    return [Panel("", traces, x, y, height=height, is_stacked=True)]


def frontier(scaling: Scaling) -> list[Panel]:
    """The largest batch that fits, by length."""
    by_line: dict[Line, list] = {}
    for edge in scaling.edges:
        if edge.fits:
            by_line.setdefault(edge.line, []).append(edge)
    traces = []
    for number, (line, edges) in enumerate(by_line.items()):
        name = wording.line_name(line)
        hovers = [f"<b>{name}</b>, {edge.gen_length} tokens<br>{batch_words(edge)}" for edge in edges]
        lengths, fits = [edge.gen_length for edge in edges], [Estimate(edge.fits) for edge in edges]
        traces.append(charts.line(name, lengths, fits, look(number), hovers))
    shown = [value for trace in traces for value in trace["y"]]
    lengths = [length for trace in traces for length in trace["x"]]
    x = doubling_axis(LABELS["gen_length"], lengths)
    return [Panel("", traces, x, log_axis("largest batch that fits", shown))]


def batch_words(edge: Edge) -> str:
    """ "batch 96 fits, 97 does not"."""
    fails = f", {edge.fails} does not" if edge.fails else "; nothing larger was tried"
    return f"batch {edge.fits} fits{fails}"


Drawing = tuple[str, str, Callable[[Scaling], Sequence[Panel]]]  # name, title, how it is drawn
DRAWINGS: dict[str, tuple[Drawing, ...]] = {  # by kind of grid
    "batch": (("batch", "Over the batch", over_batch),),
    "length": (("length", "Over the length of the answer", along),),
    "prompt": (("prompt", "Over the length of the prompt", along),),
    "attention": (("attention", "Fused attention and plain products", attention),),
    "engines": (("engines", "One forward on each engine and head", engines),),
    "memory": (
        ("memory_map", "Peak memory over batch and length", memory_map),
        ("memory_split", "What the peak is made of", memory_split),
    ),
    "frontier": (("frontier", "The largest batch that fits", frontier),),
}
