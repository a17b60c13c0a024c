"""Borrowed quality in the report: a section of its own, its tables, and its numbers."""

from collections.abc import Sequence
from pathlib import Path

from bench.analysis.borrowed import Borrowed, Point, TaskQuality
from bench.analysis.time_at import scaled
from bench.common import stats
from bench.render import borrowed as render
from paper.results import NO_UNIT, entry
from paper.tables.latex import END, cell_text, escape, ragged

SECTION = "Quality at 8B, borrowed"
SHORT = (
    "Where LLaDA is as good as LLaMA for the least time, by whole forwards, with a cache (c), and with weights that"
    " were distilled for it (d). All accuracies, and how to read the columns: Table \\ref{tab:borrowed_all}."
)
LONG = (
    "Every published accuracy (\\%, with Wilson's interval by the number of items), its difference to LLaMA's highest"
    " in points (Newcombe's interval; bold: shown to lie above minus the margin), and the latency over LLaMA's of as"
    " many forwards over as many tokens in this study, if it was measured (i: interpolated, e: extrapolated); of"
    " decoders with a cache (c) or with weights distilled for them (d) that of as many whole forwards. Tokens: of the"
    " canvas and of a block. Dashes: not stated, or no steps."
)
WAYS = {"whole forwards": "", "cache": " (c)", "distilled": " (d)"}
MARKS = {"measured": "", "interpolated": " i", "extrapolated": " e"}
COLUMNS = r"p{0.19\linewidth}p{0.135\linewidth}rrrrrr"
HEADINGS = ("model, decoder", "source", "shots", "tokens", "forwards", "accuracy", "difference", "over LLaMA")
FIGURE = (
    "\\IfFileExists{figures/borrowed.pdf}{\\begin{figure}[htbp]\\centering\n"
    "\\includegraphics[width=\\linewidth]{figures/borrowed.pdf}\n"
    "\\caption{Accuracy as published against latency over LLaMA's as measured here, by task. Shaded: not worse than"
    " LLaMA by more than the margin. Filled markers: the time was measured; open ones: it was interpolated or"
    " extrapolated.}\\label{fig:borrowed}\\end{figure}}{}\n"
)


def write(borrowed: Borrowed | None, folder: Path) -> None:
    """Write the section and its appendix to the report's folder; neither where there is nothing to show."""
    if borrowed is None:
        return
    sides, *rest = map(escape, render.about(borrowed))
    section = (
        f"\\section{{{SECTION}}}\\label{{sec:borrowed}}\n{escape(render.verdict(borrowed))} {sides} See"
        " Table~\\ref{tab:borrowed}, Figure~\\ref{fig:borrowed} and Appendix~\\ref{sec:borrowed_full}."
    )
    short = table("borrowed", SHORT, "htbp", [(task, best_of(task)) for task in borrowed.tasks if task.reference])
    (folder / "borrowed.tex").write_text(f"{section}\n\n{FIGURE}{short}", encoding="utf-8")
    every = [(task, [*filter(None, [task.reference]), *task.points]) for task in borrowed.tasks]
    paragraphs = "\n\n".join([*map(escape, map(render.task_sentence, borrowed.tasks)), *rest])
    full = f"\\section{{{SECTION}, in full}}\\label{{sec:borrowed_full}}\n{paragraphs}\n\n"
    (folder / "borrowed_appendix.tex").write_text(full + table("borrowed_all", LONG, "p", every), encoding="utf-8")


def best_of(task: TaskQuality) -> list[Point]:
    """LLaMA's accuracy, and the cheapest of LLaDA's in each way."""
    return [point for point in (task.reference, *map(task.cheapest, WAYS)) if point]


def table(name: str, caption: str, place: str, tasks: Sequence[tuple[TaskQuality, Sequence[Point]]]) -> str:
    """Some points of some tasks, under a line for each task."""
    rows = [" & ".join(HEADINGS) + END, r"\midrule"]
    for task, points in tasks:
        rows.append(f"\\multicolumn{{{len(HEADINGS)}}}{{l}}{{\\textbf{{{task.label}}} ({task.items:,} items)}}{END}")
        rows += [" & ".join(cells_of(task, point)) + END for point in points]
    body = "\n".join(rows)
    return (
        f"\\begin{{table}}[{place}]\\centering\\footnotesize\\caption{{{caption}}}\\label{{tab:{name}}}\n"
        f"\\setlength{{\\tabcolsep}}{{3pt}}\\begin{{tabular}}{{{COLUMNS}}}\n\\toprule\n{body}\n\\bottomrule\n"
        "\\end{tabular}\n\\end{table}\n"
    )


def cells_of(task: TaskQuality, point: Point) -> list[str]:
    """A point's cells, in the order of the headings."""
    names = [point.model, render.decoder_of(point)]
    shots = str(point.setting.shots).replace("not stated", "--") if point.setting else "--"
    tokens = "--" if point.gen_length is None else f"{point.gen_length}, {point.block_length or '--'}"
    forwards = "--" if point.forwards is None else render.count(point.forwards)
    difference = cell_text(in_points(point.difference), 1)
    return [
        ragged(", ".join(filter(None, names)) + WAYS[point.way]),
        ragged(point.source),
        shots,
        tokens,
        forwards,
        cell_text(scaled(point.accuracy, 100), 1),
        f"\\textbf{{{difference}}}" if task.is_shown(point) else difference,
        cell_text(point.timed.ratio, 2) + MARKS[point.timed.how] if point.timed else "--",
    ]


def in_points(difference: stats.Estimate | None) -> stats.Estimate | None:
    """A difference of two shares in points of a hundred."""
    return None if difference is None else scaled(difference, 100)


def numbers(borrowed: Borrowed | None) -> dict[str, dict]:
    """`borrowed.KEY.accuracy`, `.difference`, `.is_shown` (1 or 0), `.forwards`, `.latency_ms`, `.latency_ratio`; the
    margin. Accuracies that others have published have no runs behind them."""
    if borrowed is None:
        return {}
    result = {"borrowed.margin": entry(stats.Estimate(borrowed.margin), NO_UNIT, [])}
    for task in borrowed.tasks:
        for point in filter(None, [task.reference, *task.points]):
            own = list(point.runs)
            values = {"accuracy": (point.accuracy, NO_UNIT, own)}
            if point.difference is not None:
                shown = stats.Estimate(float(task.is_shown(point)))
                values |= {"difference": (point.difference, NO_UNIT, own), "is_shown": (shown, NO_UNIT, own)}
            if point.forwards is not None:
                values["forwards"] = (stats.Estimate(point.forwards), NO_UNIT, own)
            if point.timed is not None:
                runs = [*own, *point.timed.runs]
                values["latency_ms"] = (point.timed.latency_ms, "ms", runs)
                values["latency_ratio"] = (point.timed.ratio, NO_UNIT, runs)
            result |= {f"borrowed.{point.key}.{name}": entry(*value) for name, value in values.items()}
    return result
