"""Two studies side by side as a LaTeX table: a row a cell, grid by grid."""

import pandas as pd

from bench.analysis.two_studies import BY_ROUND, Change, TwoStudies, Verdict
from bench.render import two_studies as render
from paper.tables.latex import cell_text, escape, latex


def latex_table(two: TwoStudies) -> str:
    """The ratios of all cells in both studies, with intervals; bold where the change is more than noise."""
    metrics = render.metrics_of(two.pairs)
    rows, names = [], []
    for group in render.by_kind(two.pairs):
        names += [escape(f"{group.kind}, {name}") for name in group.names]
        rows += [[number(pair.change(metric)) for metric in metrics] for pair in group.pairs]
    table = pd.DataFrame(rows, columns=[escape(render.heading(metric)) for metric in metrics], index=names)
    return latex("two_studies", caption(two), table)


def caption(two: TwoStudies) -> str:
    """What the table shows, and what bold means."""
    before, after = map(escape, two.names)
    machines = escape("; ".join(render.study_lines(two)))
    return (
        f"Study {after} (b) over study {before} (a), ratios with 95\\,\\% intervals (Welch, log scale); scores are b"
        f" less a, paired by prompt. Bold: more than the noise of both studies. {machines}."
    )


def number(change: Change | None) -> str:
    """A ratio with its interval."""
    if change is None:
        return cell_text(None, 0)
    text = cell_text(change.ratio, 2 if change.metric in BY_ROUND else 3)
    value, _, interval = text.partition(" ")
    is_bold = change.verdict in (Verdict.BETTER, Verdict.WORSE) and change.is_checked
    return f"\\textbf{{{value}}} {interval}".strip() if is_bold else text
