"""Borrowed quality in the report: a section of its own, its tables, and its numbers."""

from pathlib import Path

import pandas as pd

from bench.analysis.borrowed import Borrowed, Point, TaskQuality
from bench.analysis.time_at import scaled
from bench.common import stats
from bench.render import borrowed as render
from paper.results import NO_UNIT, entry
from paper.tables.latex import cell_text, escape, latex

SECTION = "Quality at 8B, borrowed"
SHORT = (
    "Where LLaDA is as good as LLaMA for the least time: accuracies as published (\\%, with Wilson's interval), latency"
    " over LLaMA's as measured here. Cache, distilled: decoders whose forwards are not all whole, or whose weights were"
    " trained for them; their time is that of as many whole forwards."
)
LONG = (
    "Every published accuracy (\\%, with Wilson's interval by the number of items), its difference to LLaMA's highest"
    " in points (Newcombe's interval), and the time of as many forwards over a canvas of as many tokens in this study,"
    " if the canvas was measured. Canvas: tokens, and those of a block. Within: whether the difference is shown to lie"
    " above minus the margin, or its value alone does. Precision is not stated by any source."
)
WAYS = {"whole forwards": "", "cache": "cache", "distilled": "distilled"}
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
    paragraphs = [render.verdict(borrowed), *map(render.task_sentence, borrowed.tasks), *render.about(borrowed)]
    text = "\n\n".join(map(escape, paragraphs))
    first, rest = text.split("\n\n", 1)
    section = f"\\section{{{SECTION}}}\\label{{sec:borrowed}}\n\\textbf{{{first}}}\n\n{rest}\n\n{FIGURE}"
    (folder / "borrowed.tex").write_text(section + latex("borrowed", SHORT, short_table(borrowed)), encoding="utf-8")
    appendix = latex("borrowed_all", LONG, long_table(borrowed))
    (folder / "borrowed_appendix.tex").write_text(appendix, encoding="utf-8")


def short_table(borrowed: Borrowed) -> pd.DataFrame:
    """LLaMA's accuracy and the cheapest of LLaDA's in each way, of every task that has a reference."""
    lines = []
    for task in borrowed.tasks:
        if task.reference is None:
            continue
        lines.append({"task": task.label} | line_of(task, task.reference))
        points = [task.cheapest(way) for way in WAYS]
        lines += [{"task": ""} | line_of(task, point) for point in points if point]
    columns = ["task", "model", "source", "canvas", "forwards", "accuracy", "difference", "over LLaMA", "time"]
    return pd.DataFrame(lines, columns=columns).set_index("task").rename_axis(None)


def long_table(borrowed: Borrowed) -> pd.DataFrame:
    """Everything: LLaMA's accuracies and all of LLaDA's, by task."""
    lines = []
    for task in borrowed.tasks:
        for point in filter(None, [task.reference, *task.points]):
            setting = point.setting
            more = (
                {"shots": str(setting.shots).replace("not stated", "--"), "harness": setting.harness} if setting else {}
            )
            lines.append({"task": task.label} | line_of(task, point) | {key: escape(v) for key, v in more.items()})
    columns = ["task", "model", "source", "shots", "harness", "canvas", "forwards", "accuracy", "difference", "within",
               "latency ms", "over LLaMA", "time"]  # fmt: skip
    return pd.DataFrame(lines, columns=columns).fillna("--").set_index("task").rename_axis(None)


def line_of(task: TaskQuality, point: Point) -> dict[str, str]:
    """A point's cells, by heading."""
    names = [point.model, render.decoder_of(point), WAYS[point.way]]
    line = {
        "model": escape(", ".join(filter(None, names))),
        "source": escape(point.source),
        "canvas": "--" if point.gen_length is None else f"{point.gen_length}, {point.block_length or '--'}",
        "forwards": "--" if point.forwards is None else render.count(point.forwards),
        "accuracy": cell_text(scaled(point.accuracy, 100), 1),
        "difference": cell_text(in_points(point.difference), 1),
        "within": "--",
        "latency ms": "--", "over LLaMA": "--", "time": "--",
    }  # fmt: skip
    if point.difference is not None:
        line["within"] = "shown" if task.is_shown(point) else "value" if task.is_within(point) else "no"
    if point.timed is not None:
        line |= {
            "latency ms": cell_text(stats.Estimate(point.timed.latency_ms.value), 0),
            "over LLaMA": cell_text(point.timed.ratio, 2),
            "time": point.timed.how,
        }
    return line


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
