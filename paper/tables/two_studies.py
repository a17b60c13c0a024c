"""Two studies side by side as LaTeX tables: one a grid, a row a cell; of the frontier a row an edge."""

import pandas as pd

from bench.analysis.two_studies import BY_ROUND, Change, TwoStudies, Verdict
from bench.render import two_frontiers
from bench.render import two_studies as render
from bench.render import two_studies_predicted as predicted
from bench.render.wording import MISSING
from paper.tables.latex import cell_text, escape, latex


def latex_tables(two: TwoStudies) -> str:
    """A table for each grid, since one of all cells would not fit on a page."""
    tables = [latex(f"two_studies_{group.kind}", caption(two, group), table(group)) for group in
              render.by_kind(two.pairs)]  # fmt: skip
    return "\n".join([*tables, *([edge_table(two)] if two.edges else [])])


def edge_table(two: TwoStudies) -> str:
    """The largest batches that fit, in both studies."""
    edges = two_frontiers.table(two.edges)
    cells = edges.drop(columns="line").map(lambda text: cell_text(None, 0) if text == MISSING else escape(text))
    return latex("two_studies_frontier", edge_caption(two), cells.set_axis([escape(name) for name in edges["line"]]))


def table(group: render.Named) -> pd.DataFrame:
    """The ratios of a grid's cells, with intervals; bold where the change is more than noise."""
    columns: dict[str, list[str]] = {}
    for metric in render.metrics_of(group.pairs):
        columns[escape(render.heading(metric))] = [number(pair.change(metric)) for pair in group.pairs]
        columns |= predicted.column_behind(metric, group.pairs, cell_text(None, 0))
    return pd.DataFrame(columns, index=[escape(name) for name in group.names])


def caption(two: TwoStudies, group: render.Named) -> str:
    """What the table shows, and what bold means."""
    before, after = map(escape, two.names)
    machines = escape("; ".join(render.study_lines(two)))
    return (
        f"Study {after} (b) over study {before} (a), grid {escape(group.kind)}: {escape(group.common)}. Ratios with"
        " 95\\,\\% intervals (Welch, log scale); scores are b less a, paired by prompt. Bold: more than the noise of"
        f" both studies. Predicted: the ratio of the floors at each device's ceilings. {machines}."
    )


def edge_caption(two: TwoStudies) -> str:
    """What the table of the largest batches shows."""
    before, after = map(escape, two.names)
    sentences = [
        f"{two_frontiers.TITLE}, study {after} (b) and study {before} (a), with its peak and the smallest batch that"
        " fails.",
        two_frontiers.precision(two.edges),
        f"{escape('; '.join(render.study_lines(two)))}.",
    ]
    return " ".join(filter(None, sentences))


def number(change: Change | None) -> str:
    """A ratio with its interval."""
    if change is None:
        return cell_text(None, 0)
    text = cell_text(change.ratio, 2 if change.metric in BY_ROUND else 3)
    value, _, interval = text.partition(" ")
    is_bold = change.verdict in (Verdict.BETTER, Verdict.WORSE) and change.is_checked
    return f"\\textbf{{{value}}} {interval}".strip() if is_bold else text
