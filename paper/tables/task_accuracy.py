"""Accuracy in tasks of lm-evaluation-harness in the report: a section of its own, with a table a task, and numbers."""

import re
from pathlib import Path

import pandas as pd

from bench.analysis.task_accuracy import Contest, Point, Side, TaskAccuracy
from bench.common import stats
from bench.common.stats import Estimate
from bench.render import task_accuracy as render
from paper.results import NO_UNIT, entry
from paper.tables.latex import cell_text, escape, latex

SECTION = (
    "\\section{Accuracy in tasks of lm-evaluation-harness}\\label{sec:task_accuracy}\n"
    "Questions, worked examples, filters and scores are the harness's own; each model is asked under its authors'"
    " settings, which a recipe states. Differences are paired by question: of each question the score of LLaDA less"
    " that of LLaMA, with a bootstrap over questions to which one disagreement of each kind is added. LLaDA counts as"
    " within the margin only where the data show it (one-sided, 95\\,\\%). The fewest steps are found from the most"
    " downwards, for as long as each count is shown to be within it, so that none is chosen by luck. Over templates:"
    " the mean of each question over the prompt templates, since rankings can flip with the template.\n\n"
)
FIGURE = (
    "\\IfFileExists{figures/task_accuracy.pdf}{\\begin{figure}[htbp]\\centering"
    "\\includegraphics[width=\\linewidth]{figures/task_accuracy.pdf}\\caption{Accuracy against seconds of a question:"
    " up and to the left is better. Labels are denoising steps; the level line with its band is the"
    " autoregressive model, the star its own seconds, and the dotted line its accuracy less the margin. Small"
    " markers are single templates, where there are several, each model in its own color.}"
    "\\label{fig:task_accuracy}\\end{figure}}{}\n"
)
CAPTION = (
    "Accuracy, its difference from the autoregressive model's (paired by question), tokens up to the end, seconds of a"
    " question and their ratio."
)


def first_of_each(found: list[TaskAccuracy]) -> list[TaskAccuracy]:
    """Of each task the first setting that has a contest: a report shows one."""
    first: dict[str, TaskAccuracy] = {}
    for each in found:
        if each.main is not None:
            first.setdefault(each.task, each)
    return list(first.values())


def write(found: list[TaskAccuracy], folder: Path) -> None:
    """Write the section accuracy.tex to `folder`; nothing where no accuracy of both models was measured."""
    chosen = first_of_each(found)
    if chosen:
        words = "\\par\n".join(escape(text) for each in chosen for text in render.sentences(each))
        on_times = escape(render.ON_TIMES)
        tables = [latex(f"task_accuracy_{each.task}", caption(each), table(each)) for each in chosen]
        parts = [SECTION, f"\\noindent {words}\\par\n{on_times}\n", FIGURE, *tables]
        (folder / "accuracy.tex").write_text("".join(parts), encoding="utf-8")


def caption(found: TaskAccuracy) -> str:
    """What the table shows, and how it was asked."""
    return f"{CAPTION} {escape(render.title(found, is_primary=False))}."


def table(found: TaskAccuracy) -> pd.DataFrame:
    """A line for each side of each template, and of their mean."""
    rows, index = [], []
    for contest in found.all_contests:
        reference = contest.autoregressive
        sides = [(reference, contest.accuracy_of(reference), contest.mean_seconds(reference), None)]
        sides += [(point.side, point.accuracy, point.seconds, point) for point in contest.points]
        for side, accuracy, seconds, point in sides:
            index.append(escape(render.name_of(side)))
            rows.append(row(contest, side, accuracy, seconds, point))
    return pd.DataFrame(rows, index=index)


def row(contest: Contest, side: Side, accuracy: Estimate, seconds: Estimate | None, point: Point | None) -> dict:
    """A line of the table."""
    cells = {
        "template": escape(contest.templates[0] if len(contest.templates) == 1 else f"all {len(contest.templates)}"),
        "accuracy": cell_text(accuracy, render.DIGITS),
        "difference": cell_text(point and point.difference, render.DIGITS),
    }
    if contest.margin is not None:
        says = {None: "--", True: "yes", False: "not shown"}
        cells[f"within {contest.margin:g}"] = says[point and point.is_within]
    tokens = None if side.tokens is None else Estimate(side.tokens.value)
    times = {"tokens": cell_text(tokens, 1), "s/question": cell_text(seconds, seconds and render.digits_of(seconds))}
    return cells | times | {"ratio": cell_text(point and point.time_ratio, 2)}


def numbers(found: list[TaskAccuracy]) -> dict[str, dict]:
    """`TASK.TEMPLATE.MODEL.DECODER.NAME` (TEMPLATE `over` is the mean over several), and of what the verdict is about
    `TASK.cross_over_steps`, `.admissible_steps` (the fewest shown to be within the margin), `.time_ratio` there,
    `.items`."""
    result = {}
    for each in first_of_each(found):
        for contest in each.all_contests:
            template = contest.templates[0] if len(contest.templates) == 1 else "over"
            result |= contest_numbers(f"{each.task}.{slug(template)}", contest)
        main, runs = each.main, each.main.run_ids
        result[f"{each.task}.items"] = entry(Estimate(len(main.items)), NO_UNIT, runs)
        if main.cheapest is None:
            continue
        steps = stats.Estimate(main.crossing.steps, main.crossing.low, main.crossing.high)
        result[f"{each.task}.cross_over_steps"] = entry(steps, "steps", runs)
        result[f"{each.task}.admissible_steps"] = entry(Estimate(main.cheapest.side.steps), "steps", runs)
        if main.cheapest.time_ratio is not None:
            result[f"{each.task}.time_ratio"] = entry(main.cheapest.time_ratio, NO_UNIT, runs)
    return result


def contest_numbers(prefix: str, contest: Contest) -> dict[str, dict]:
    """Accuracies, seconds and tokens of both models, differences and ratios."""
    reference = contest.autoregressive
    result = side_numbers(prefix, reference, contest.accuracy_of(reference), contest.mean_seconds(reference))
    for point in contest.points:
        name = f"{prefix}.{name_of(point.side)}"
        result |= side_numbers(prefix, point.side, point.accuracy, point.seconds)
        runs = [*point.side.run_ids, *reference.run_ids]
        result[f"{name}.accuracy_difference"] = entry(point.difference, NO_UNIT, runs)
        if point.time_ratio is not None:
            result[f"{name}.time_ratio"] = entry(point.time_ratio, NO_UNIT, runs)
    return result


def side_numbers(prefix: str, side: Side, accuracy: Estimate, seconds: Estimate | None) -> dict[str, dict]:
    """What is measured of a side alone."""
    runs = list(side.run_ids)
    result = {f"{prefix}.{name_of(side)}.accuracy": entry(accuracy, NO_UNIT, runs)}
    for name, value, unit in (("seconds_an_item", seconds, "s"), ("mean_length", side.tokens, "tokens")):
        if value is not None:
            result[f"{prefix}.{name_of(side)}.{name}"] = entry(value, unit, runs)
    return result


def name_of(side: Side) -> str:
    """ "llama", "llada.64", "llada.threshold-0.9-dual-cache-block"."""
    decoder = str(side.steps) if side.steps is not None else slug(side.name)
    return f"{side.run['model']}.{decoder}" if decoder else side.run["model"]


def slug(text: str) -> str:
    """A text as part of a number's name."""
    return re.sub(r"[^\w.]+", "-", text, flags=re.ASCII).strip("-")
