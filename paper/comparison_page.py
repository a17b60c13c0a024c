"""Two studies side by side as a page of one file: no network, tables that sort, each ratio drawn with its interval."""

import html
import math

from bench.analysis.two_studies import BY_ROUND, Change, TwoStudies, Verdict
from bench.records import catalogue
from bench.render import two_frontiers, wording
from bench.render import two_studies as render
from bench.render import two_studies_predicted as predicted

WIDEST = 4.0  # a ratio at the end of a drawing; one beyond it is drawn there
WIDTH, HEIGHT = 80, 14  # of a drawing, in pixels
CLASSES = {Verdict.BETTER: "better", Verdict.WORSE: "worse", Verdict.NOISE: "noise", Verdict.UNSURE: "unsure"}
GUIDE = (
    "Blue is better, brown is worse, by more than the noise of both studies; grey is within noise, or of one round."
    f" Drawings reach from 1/{WIDEST:g} to {WIDEST:g}, on a log axis, with a line at 1. What was measured stands in"
    f" tooltips. A heading sorts its table. {render.LEGEND}."
)
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: .5rem 0 2rem; } pre { white-space: pre-wrap; font: inherit; }
th, td { padding: .2rem .5rem; text-align: left; border-bottom: 1px solid #ddd; white-space: nowrap; }
th { cursor: pointer; border-bottom: 2px solid #222; } td.better { color: #00589b; font-weight: 600; }
td.worse { color: #a63d00; font-weight: 600; } td.noise, td.unsure { color: #666; } svg { vertical-align: middle; }
"""
SCRIPT = """
for (const head of document.querySelectorAll("th")) head.onclick = () => {
  const body = head.closest("table").tBodies[0], place = head.cellIndex;
  const key = row => row.cells[place].dataset.value ?? row.cells[place].textContent;
  const order = head.dataset.order = head.dataset.order === "1" ? "-1" : "1";
  const less = (a, b) => a === "" ? 1 : b === "" ? -1 : isNaN(a - b) ? a.localeCompare(b) * order : (a - b) * order;
  [...body.rows].sort((a, b) => less(key(a), key(b))).forEach(row => body.append(row));
};
"""


def page(two: TwoStudies) -> str:
    """The whole page."""
    title = html.escape(f"{two.names[1]} over {two.names[0]}")
    only = render.only_lines(two)
    parts = [
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>{title}</title><style>{STYLE}</style></head>",
        f"<body><h1>{title}</h1>",
        f"<pre>{html.escape(chr(10).join(render.lines(two)).replace(render.MORE, 'in the tables below'))}</pre>",
        *([f"<h2>{two_frontiers.TITLE}</h2>", edge_table(two)] if two.edges else []),
        "<h2>Every cell in both studies</h2>",
        f"<p>{html.escape(GUIDE)}</p>" if two.pairs else "<p>None.</p>",
        *(table(group) for group in render.by_kind(two.pairs)),
        "<h2>Only in one study</h2>",
        f"<details><summary>{len(only)} cells</summary><pre>{html.escape(chr(10).join(only))}</pre></details>"
        if only
        else "<p>Nothing.</p>",
        f"<script>{SCRIPT}</script></body></html>",
    ]
    return "\n".join(parts) + "\n"


def table(group: render.Named) -> str:
    """The cells of a grid, a row each."""
    columns = {"cell": [f"<td>{html.escape(name)}</td>" for name in group.names]}
    for metric in render.metrics_of(group.pairs):
        columns[render.heading(metric)] = [cell(pair.change(metric)) for pair in group.pairs]
        for heading, texts in predicted.column_behind(metric, group.pairs).items():
            columns[heading] = [f"<td>{text}</td>" for text in texts]
    columns["note"] = [f"<td>{html.escape(note)}</td>" for note in render.notes_of(group)]
    return f"<h3>{html.escape(f'{group.kind}: {group.common}')}</h3>{table_of(columns)}"


def edge_table(two: TwoStudies) -> str:
    """The largest batches that fit, a row for each line and length."""
    edges = two_frontiers.table(two.edges)
    return table_of({heading: [edge_cell(text) for text in edges[heading]] for heading in edges})


def edge_cell(text: str) -> str:
    """A cell of that table; a missing one is sorted behind the others."""
    return "<td data-value=''>-</td>" if text == wording.MISSING else f"<td>{html.escape(text)}</td>"


def table_of(columns: dict[str, list[str]]) -> str:
    """A table that sorts, of its cells by heading."""
    heads = "".join(f"<th>{html.escape(heading)}</th>" for heading in columns)
    rows = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*columns.values(), strict=True))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def cell(change: Change | None) -> str:
    """A ratio with its drawing; what was measured in a tooltip."""
    if change is None:
        return "<td data-value=''>-</td>"
    metric = catalogue.of(change.metric)
    measured = [estimate.text(metric.digits) for estimate in (change.before, change.after)]
    tip = html.escape(f"a {measured[0]}, b {measured[1]} {metric.unit}; {change.verdict}", quote=True)
    drawing = svg(change) if change.metric in BY_ROUND else ""
    text = html.escape(render.ratio_text(change))
    attributes = f"class='{CLASSES[change.verdict]}' data-value='{change.ratio.value:.6g}' title='{tip}'"
    return f"<td {attributes}>{drawing} {text}</td>"


def place_of(ratio: float) -> float:
    """Where a ratio stands in a drawing, in pixels from the left."""
    share = math.log(min(max(ratio, 1 / WIDEST), WIDEST)) / math.log(WIDEST)
    return round(WIDTH / 2 * (1 + share), 1)


def svg(change: Change) -> str:
    """A ratio as a dot, its interval as a line, on a log axis with a line at 1."""
    middle = HEIGHT / 2
    ratio = change.ratio
    line = ""
    if ratio.low is not None:
        ends = (place_of(ratio.low), place_of(ratio.high))
        line = f"<line x1='{ends[0]}' x2='{ends[1]}' y1='{middle}' y2='{middle}' stroke='currentColor'/>"
    one = f"<line x1='{WIDTH / 2}' x2='{WIDTH / 2}' y1='0' y2='{HEIGHT}' stroke='#bbb'/>"
    dot = f"<circle cx='{place_of(ratio.value)}' cy='{middle}' r='3' fill='currentColor'/>"
    return f"<svg width='{WIDTH}' height='{HEIGHT}'>{one}{line}{dot}</svg>"
