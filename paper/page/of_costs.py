"""The page's figures of the cost model: the roofline, and the surface of steps at which time breaks even."""

import math

import pandas as pd

from bench.analysis.findings import Findings
from bench.analysis.surface import HEAD, Surface, ceilings_of
from bench.models import kinds
from bench.render import wording
from bench.render.cost import sentences
from paper.figures.cost import GIGA, TERA, place_text, with_measured
from paper.page import charts
from paper.page.charts import SYMBOLS, Figure, Panel, axis, log_axis
from paper.tables.cost import where
from paper.tables.row_names import names_of, said_once


def figures(findings: Findings) -> list[Figure]:
    """Every figure for which there is data."""
    label = f" ({wording.RANDOM_WEIGHTS}.)" if findings.pair.has_random_weights else ""
    about = findings.surface()
    return [*([surface(about, label)] if about else []), *roofline(findings.costs, label)]


def surface(about: Surface, label: str) -> Figure:
    """Break-even steps by the cost model; where the study measured a place, its own number stands first, as in the
    paper, with the prediction in brackets below."""
    steps = about.steps.iloc[::-1]  # plotly draws the first row at the bottom
    shown = with_measured(about).iloc[::-1]
    columns, rows = [str(length) for length in steps.columns], [str(batch) for batch in steps.index]
    texts, hover = [], []
    for batch, row in steps.iterrows():
        measured = [about.measured.get((batch, length)) for length in steps.columns]
        pairs = list(zip(steps.columns, row, measured, strict=True))
        texts.append([place_text(value, own).replace("\n", "<br>") for _, value, own in pairs])
        hover.append([hover_of(batch, length, value, own) for length, value, own in pairs])
    trace = charts.heatmap(columns, rows, shown.map(math.log10).to_numpy().tolist(), texts, hover, "")
    trace |= {"showscale": False}
    panel = Panel(
        "", [trace], axis("output tokens", type="category"), axis("batch", type="category"), height=120 + 46 * len(rows)
    )
    brackets = " Two numbers: measured, and in brackets predicted." if about.measured else ""
    compared = wording.engine_and_head(about.basis.engine, [HEAD])
    caption = (
        f"Below these steps LLaDA is faster, above them LLaMA: on {about.basis.device}, {about.basis.words}, "
        f"prompts of {about.basis.prompt_tokens}, {compared}.{brackets}{label}"
    )
    return Figure("surface", "Steps at which time breaks even", caption, [panel])


def hover_of(batch: int, length: int, predicted: float, measured: float | None) -> str:
    """A place of the surface in words."""
    own = "" if measured is None else f"<br>measured: {measured:.3g} steps"
    return f"<b>batch {batch}, {length} tokens</b><br>predicted: {predicted:.3g} steps{own}"


def roofline(rows: pd.DataFrame, label: str) -> list[Figure]:
    """Arithmetic done a second against arithmetic a byte, under the ceilings of the device. rows: of the cost model's
    table. (Samuel Williams, Andrew Waterman, David Patterson: "Roofline", 2009.)"""
    with_host = ceilings_of(rows)
    if with_host is None or rows["compute/mfu"].isna().all():
        return []
    ceilings, _ = with_host
    runs = rows[rows["compute/mfu"].notna()]
    intensity = pd.to_numeric(runs["compute/gflop"] / runs["compute/gbyte"])
    gflops_per_s = pd.to_numeric(runs["compute/mfu"] * runs["ceiling.flops_per_s"].astype(float) / GIGA)
    ridge = ceilings.flops_per_s / ceilings.bytes_per_s  # FLOPs a byte from which on arithmetic is the limit
    ends = [min(intensity.min(), ridge) / 2, ridge, max(intensity.max(), ridge) * 2]
    top = ceilings.flops_per_s / GIGA
    roof = [ends[0] * ceilings.bytes_per_s / GIGA, top, top]
    limit = f"{ceilings.bytes_per_s / GIGA:,.4g} GB/s, then {ceilings.flops_per_s / TERA:,.3g} TFLOP/s"
    traces = [
        {"type": "scatter", "mode": "lines", "name": f"ceilings: {limit}", "x": ends, "y": roof, "hoverinfo": "name",
         "line": {"color": "black", "width": 1.5}}
    ]  # fmt: skip
    names = pd.Series(names_of(runs), runs.index, dtype=object)
    for (model, engine), group in runs.groupby(["model", "engine"]):
        traces.append(
            markers(model, engine, names[group.index], group, intensity[group.index], gflops_per_s[group.index])
        )
    x = log_axis("FLOP a byte (cost model)", [*intensity, ends[0], ends[2]])
    panel = Panel("", traces, x, log_axis("GFLOP/s reached", [*gflops_per_s, *roof]))
    caption = f"Every run under what this device can do at most. {' '.join(sentences(rows))}{said_once(runs)}{label}"
    return [Figure("roofline", "Roofline", caption, [panel])]


def markers(model: str, engine: str, names: pd.Series, runs: pd.DataFrame, x: pd.Series, y: pd.Series) -> dict:
    """The runs of a model on an engine, each named on hover. names: of the runs."""
    hover = [
        f"<b>{names[number]}</b><br>batch, prompt, tokens: {where(run)}<br>{y[number]:,.0f} GFLOP/s at"
        f" {x[number]:.3g} FLOP a byte"
        for number, run in runs.iterrows()
    ]
    style = charts.look_of_model(model)
    place = 2 * list(kinds.KINDS).index(model) + (engine != "captured")
    marker = {"color": style.color, "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 8, "opacity": 0.8}
    return {
        "type": "scatter", "mode": "markers", "name": f"{kinds.label_of(model)}, {engine}", "x": x.tolist(),
        "y": y.tolist(), "hovertext": hover, "hoverinfo": "text", "marker": marker,
    }  # fmt: skip
