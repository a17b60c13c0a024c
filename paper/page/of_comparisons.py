"""The page's figures of a comparison: quality against latency, and what depends on the steps."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from bench.analysis.comparison import ENERGY, LATENCY, Comparison
from bench.analysis.runs import estimate_of
from bench.common.stats import Estimate
from bench.models import kinds
from bench.records.catalogue import of
from bench.render import wording
from bench.render.comparison import labels
from paper.figures.comparison import ACCURACIES, ACCURACY, BERTSCORE, LATENCY_LABEL, PANELS, STEP, has
from paper.figures.energy import AT_BREAK_EVEN, POWER, crossings_of
from paper.page.charts import (
    GREY,
    INK,
    SYMBOL_OF,
    Figure,
    Look,
    Panel,
    across,
    axis,
    bounds,
    doubling_axis,
    line,
    log_axis,
    look_of_model,
    words,
)
from paper.selection import Selection


def figures(selection: Selection) -> list[Figure]:
    """Every figure for which there is data."""
    answers, tasks = selection.answers, selection.tasks
    on_engines = [part for part in (answers, *selection.on_engines) if not part.every.empty]
    drawn = [
        pareto("pareto", "Quality against latency", answers, BERTSCORE, "BERTScore F1 against the reference"),
        pareto("accuracy", "Valid answers to tasks against latency", tasks, ACCURACY, "valid answers, all tasks"),
        parts_of_accuracy(tasks),
        quality(answers),
        over_steps("step_time", "Time over steps", on_engines, {LATENCY: LATENCY_LABEL, STEP: "one forward (ms)"}),
        energy(on_engines),
    ]
    return [figure for figure in drawn if figure is not None]


def engine_words(part: Comparison) -> tuple[str, str]:
    """ ", captured, lean head" for LLaDA and ", captured" for LLaMA: what stands behind their names."""
    texts = [wording.own_engine_and_head(runs.iloc[0], is_short=True) for runs in (part.diffusion, part.autoregressive)]
    return f", {texts[0]}", f", {texts[1]}"


def caption(comparison: Comparison) -> str:
    """What the runs have in common, where they ran, and what must be said of their weights."""
    place = f"{wording.comparison_title(comparison)}, on {wording.machine_of(comparison.every)}"
    label = wording.weights_label(comparison.every)
    return f"{wording.capitalised(place)}{f'; {label}' if label else ''}."


def hover_of(name: str, run: pd.Series, metrics: Sequence[str]) -> str:
    """A run and its numbers, a line each."""
    steps = f", {run['steps']:.0f} steps" if kinds.has_steps(run["model"]) else ""
    values = [f"{of(metric).heading}: {words(estimate_of(run, metric))}" for metric in metrics]
    notes = [note] if (note := wording.note(run)) else []
    return "<br>".join([f"<b>{name}{steps}</b>", *values, *notes])


def values(runs: pd.DataFrame, metric: str) -> list:
    """A metric of each run."""
    return [estimate_of(run, metric) for _, run in runs.iterrows()]


def hovers(name: str, runs: pd.DataFrame, metrics: Sequence[str]) -> list[str]:
    """What each run says on hover."""
    return [hover_of(name, run, metrics) for _, run in runs.iterrows()]


def pareto(name: str, title: str, comparison: Comparison, metric: str, y_title: str) -> Figure | None:
    """Quality against latency, in every precision in which it was measured."""
    if not has(comparison, LATENCY, metric):
        return None
    parts = [part for part in (comparison, *comparison.others) if metric in part.rows and LATENCY in part.rows]
    traces = []
    for number, part in enumerate(parts):
        precision = f", {part.dtype}" if len(parts) > 1 else ""
        for runs, label in zip((part.diffusion, part.autoregressive), reversed(labels(part)), strict=True):
            if runs.empty:
                continue
            steps = [f"{run['steps']:.0f}" if kinds.has_steps(run["model"]) else "" for _, run in runs.iterrows()]
            x = values(runs, LATENCY)
            trace = line(
                label + precision, [e.value for e in x], values(runs, metric),
                look_of_model(runs["model"].iloc[0], number), hovers(label + precision, runs, (LATENCY, metric)), steps,
            )  # fmt: skip
            traces.append(trace | {"error_x": bounds(x)})
    times = [value for trace in traces for value in trace["x"]]
    panel = Panel("", traces, log_axis(LATENCY_LABEL, times), axis(y_title))
    upwards = "Up and to the left is better; numbers beside points are denoising steps. "
    return Figure(name, title, upwards + caption(comparison), [panel])


def steps_panel(title: str, y: dict, traces: list[dict], steps: Sequence[float]) -> Panel:
    """A panel over the denoising steps."""
    return Panel(title, traces, doubling_axis("denoising steps", steps), y)


def both(part: Comparison, metric: str, suffixes: tuple[str, str] = ("", ""), number: int = 0) -> list[dict]:
    """LLaDA's curve over its steps and LLaMA's value across. suffixes: behind the names of LLaDA and LLaMA."""
    autoregressive, diffusion = labels(part)
    steps = part.diffusion["steps"].tolist()
    curve_name, name = diffusion + suffixes[0], autoregressive + suffixes[1]
    style = look_of_model(part.diffusion["model"].iloc[0], number)
    hover = hovers(curve_name, part.diffusion, (metric,))
    curve = line(curve_name, steps, values(part.diffusion, metric), style, hover)
    run = part.autoregressive.iloc[0]
    style = look_of_model(run["model"], number)
    style = Look(style.color, style.symbol, "dash" if number == 0 else "dot")
    reference = across(name, [min(steps), max(steps)], estimate_of(run, metric), style, hover_of(name, run, (metric,)))
    return [curve, reference]


def quality(comparison: Comparison) -> Figure | None:
    """Each quality metric over the steps, beside LLaMA and the human references."""
    panels = []
    for metric, (label, is_logarithmic) in PANELS.items():
        if not has(comparison, metric):
            continue
        traces = both(comparison, metric)
        steps = comparison.diffusion["steps"].tolist()
        if metric in comparison.human and comparison.human[metric].notna().any():
            human = comparison.human.iloc[0]
            hover = hover_of("human", human, (metric,))
            ends = [min(steps), max(steps)]
            traces.append(across("human", ends, estimate_of(human, metric), Look(GREY, dash="dot"), hover))
        shown = [value for trace in traces for value in trace["y"]]
        y = log_axis(label, shown) if is_logarithmic else axis(label)
        panels.append(steps_panel(wording.capitalised(label), y, traces, steps))
    return Figure("quality", "Quality over steps", caption(comparison), panels) if panels else None


def parts_of_accuracy(comparison: Comparison) -> Figure | None:
    """Valid answers to tasks with one right answer and with many, over the steps."""
    if not has(comparison, *ACCURACIES):
        return None
    traces = [
        trace
        for number, (metric, label) in enumerate(ACCURACIES.items())
        for trace in both(comparison, metric, (f", {label}",) * 2, number)
    ]
    panel = steps_panel("", axis("valid answers", range=[-0.03, 1.05]), traces, comparison.diffusion["steps"].tolist())
    title = "Valid answers over steps, by kind of task"
    return Figure("accuracy_over_steps", title, caption(comparison), [panel])


def over_steps(name: str, title: str, parts: Sequence[Comparison], metrics: dict[str, str]) -> Figure | None:
    """Metrics over the steps, a panel each. parts: the same comparison on every engine on which it was measured."""
    panels = []
    for metric, label in metrics.items():
        there = [part for part in parts if has(part, metric)]
        traces = [
            trace
            for number, part in enumerate(there)
            for trace in both(part, metric, engine_words(part) if len(there) > 1 else ("", ""), number)
        ]
        if traces:
            steps = [steps for part in there for steps in part.diffusion["steps"]]
            shown = [value for trace in traces for value in trace["y"]]
            panels.append(steps_panel(wording.capitalised(label), log_axis(label, shown), traces, steps))
    return Figure(name, title, caption(parts[0]), panels) if panels else None


def energy(parts: Sequence[Comparison]) -> Figure | None:
    """Joules of an answer, with the steps at which both models need as many, and the power that is drawn."""
    there = [part for part in parts if has(part, ENERGY)]
    labels_of = {ENERGY: "energy of one answer (J)", POWER: "power drawn (W)"}
    figure = over_steps("energy", "Energy over steps", there, labels_of) if there else None
    if figure is None:
        return None
    if crossings := crossings_of(there):
        hovers = [f"<b>energy breaks even</b><br>at {text}, {joules:,.0f} J" for _, joules, text in crossings]
        steps, joules = [steps for steps, _, _ in crossings], [Estimate(joules) for _, joules, _ in crossings]
        mark = Look(INK, SYMBOL_OF[AT_BREAK_EVEN["marker"]])
        figure.panels[0].traces.append(line("energy breaks even", steps, joules, mark, hovers, mode="markers"))
    of_power = [replace(panel, y=axis(labels_of[POWER], rangemode="tozero")) for panel in figure.panels[1:]]
    return replace(figure, panels=[figure.panels[0], *of_power])
