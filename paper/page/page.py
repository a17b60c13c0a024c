"""Writes report.html: verdicts, explorer, figures, tables and failed cells in one file that asks no server.

The file holds plotly.js whole (4.8 MB: the Python package has no smaller bundle), and forbids itself every request by
its content security policy.
"""

import json
import math
import time
from pathlib import Path

import jinja2

from paper.page import (
    explorer,
    metric_card,
    of_accuracy,
    of_comparisons,
    of_costs,
    of_decoders,
    of_published,
    of_scaling,
    of_trust,
    overview,
    predicted,
    tables,
    verdict,
)
from paper.page.charts import Figure, plot
from paper.page.tables import Table
from paper.selection import Selection

ASSETS = Path(__file__).parent / "assets"
NAME = "report.html"
LONG = 12  # rows from which on a table is folded away until somebody opens it


def write(selection: Selection, folder: Path) -> Path:
    """Write the page of a study into a folder; where it lies."""
    from plotly.offline import get_plotlyjs

    file = folder / NAME
    parts = {
        "plotly": get_plotlyjs(),
        "style": (ASSETS / "report.css").read_text(encoding="utf-8"),
        "script": (ASSETS / "report.js").read_text(encoding="utf-8"),
    }
    file.write_text(markup(contents(selection), parts), encoding="utf-8", errors="replace")
    return file


def contents(selection: Selection) -> dict:
    """Everything that the page shows, by name in its template."""
    findings = selection.findings
    entries = explorer.measured(findings)
    figures = figures_of(selection)
    surface = findings.surface()
    basis = surface.basis if surface else None
    failed = tables.failed_cells(findings.runs)
    runs = findings.runs
    return {
        "study": findings.study,
        "pair": findings.pair.name,
        "device": "; ".join(sorted({str(device) for device in runs["device"].dropna()})) if "device" in runs else "",
        "date": time.strftime("%Y-%m-%d"),
        "paragraphs": verdict.paragraphs(selection),
        "figures": figures,
        "tables": [*tables_of(selection), tables.every_cell(runs)],
        "card": metric_card.items(),
        "failed": failed,
        "long": LONG,
        "data": {
            "labels": predicted.labels(findings.pair),
            "measured": explorer.as_json(entries),
            "predicted": predicted.as_json(findings, basis, entries),
            "plots": [plot(panel) for figure in figures for panel in figure.panels],
        },
    }


def figures_of(selection: Selection) -> list[Figure]:
    """Every figure for which there is data."""
    findings = selection.findings
    return [
        *of_comparisons.figures(selection),
        *of_accuracy.figures(selection),
        *of_scaling.figures(selection.scalings),
        *of_decoders.figures(findings.decoders),
        *of_costs.figures(findings),
        *of_published.figures(selection),
        *of_trust.figures(findings),
    ]


def tables_of(selection: Selection) -> list[Table]:
    """Every table for which there is data, the short ones first."""
    return [
        *overview.tables(selection),
        *of_accuracy.tables(selection),
        *of_published.tables(selection),
        *tables.tables(selection),
        *overview.decoders_beside_model(selection.findings.decoders),
    ]


def markup(shown: dict, parts: dict[str, str]) -> str:
    """The page. shown: of `contents`. parts: plotly.js, style and script, which stand in the page as they are."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    data = json.dumps(without_endless(shown["data"]), allow_nan=False, separators=(",", ":"), default=float)
    safe = data.replace("<", "\\u003c")  # nothing in it can end the script that holds it
    return environment.get_template("report.html").render(shown | parts | {"json": safe})


def without_endless(value: object) -> object:
    """The same without infinite numbers and NaN, which JSON does not have: None in their place."""
    if isinstance(value, dict):
        return {name: without_endless(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_endless(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
