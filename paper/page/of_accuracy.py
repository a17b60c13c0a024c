"""The page's figures and tables of right answers: in tasks of lm-evaluation-harness, and to word problems."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.colors import to_hex

from bench.analysis.comparison import LATENCY, Comparison
from bench.analysis.runs import estimate_of
from bench.analysis.task_accuracy import Contest, Point, Side, TaskAccuracy
from bench.data.problems import DEPTHS
from bench.models import kinds
from bench.render import task_accuracy as render
from bench.render import wording
from bench.render.comparison import labels as labels_of_models
from bench.render.wording import MISSING
from paper.figures.comparison import ACCURACY, has
from paper.figures.problems import BY_DEPTH, block_label
from paper.figures.style import COLORS, LINE_STYLES, MARKERS
from paper.figures.task_accuracy import CURVE_MARKER, OTHER_MARKERS, TEMPLATE_MARKERS, has_times
from paper.page import charts
from paper.page.charts import (
    DASH_OF,
    OPEN,
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
    words,
)
from paper.page.of_comparisons import caption, hover_of, hovers, values
from paper.page.tables import IN_BRACKETS, Table, meanings, with_intervals
from paper.selection import Selection
from paper.tables.comparison import model_name
from paper.tables.task_accuracy import first_of_each

SHARES = {"range": [-0.03, 1.05]}  # of an axis of right answers
SMALL_PX = 6  # a marker of a single template
TASK_CAPTION = (
    "Up and to the left is better; numbers beside points are denoising steps. The star is the autoregressive model; its"
    " accuracy goes across with its interval, and dotted the same less the margin. Small markers are single templates."
)
PROBLEMS = "Right answers over the steps, and at the most steps over the number of lines that the working has"


def figures(selection: Selection) -> list[Figure]:
    """Every figure for which there is data."""
    return [*task_figure(selection.findings.task_accuracies), *problems_figure(selection.blocks)]


def tables(selection: Selection) -> list[Table]:
    """Every table for which there is data."""
    return [*task_tables(selection.findings.task_accuracies), *problems_table(selection.blocks)]


def task_figure(found: Sequence[TaskAccuracy]) -> list[Figure]:
    """Accuracy over seconds of a question, a panel a task of which both models have these."""
    shown = [each for each in first_of_each(list(found)) if has_times(each.main)]
    if not shown:
        return []
    titles = f"Asked: {'; '.join(render.title(each, is_primary=False) for each in shown)}"
    panels = [task_panel(each) for each in shown]
    return [Figure("task_accuracy", "Accuracy against seconds of a question", f"{TASK_CAPTION} {titles}.", panels)]


def task_panel(found: TaskAccuracy) -> Panel:
    """The autoregressive model as a level with its band, the diffusion model's decoders as points."""
    contest = found.main
    reference, (_, diffusion) = contest.autoregressive, render.labels(contest)
    color = color_of(reference)
    accuracy = contest.accuracy_of(reference)
    traces = [side_trace(contest, [reference], render.name_of(reference), Look(color, SYMBOL_OF["*"]))]
    look = Look(color_of(contest.sides[0]), SYMBOL_OF[CURVE_MARKER])
    curve = [point.side for point in contest.curve]
    if curve:
        steps = [str(side.steps) for side in curve]
        traces.append(side_trace(contest, curve, f"{diffusion}, by steps", look, steps))
    others = [point.side for point in contest.points if point.side.steps is None]
    for side, marker in zip(others, OTHER_MARKERS * len(others), strict=False):
        other = Look(look.color, SYMBOL_OF[marker])
        traces.append(side_trace(contest, [side], side.name or diffusion, other))
    for number, single in enumerate(found.contests if found.over else ()):
        traces += template_traces(single, SYMBOL_OF[TEMPLATE_MARKERS[number % len(TEMPLATE_MARKERS)]])
    shapes, notes = levels(contest, color)
    if accuracy.low is not None:
        shapes.append(charts.band(accuracy.low, accuracy.high, color))
    x = log_axis("time of a question (s)", [value for trace in traces for value in trace["x"]])
    title = f"{found.task}, {render.templates_words(contest)}"
    return Panel(title, traces, x, axis("accuracy"), shapes=shapes, notes=notes, height=420)


def color_of(side: Side) -> str:
    """The color of a side's model, as in the paper's figures."""
    return to_hex(COLORS[side.run["model"]])


def side_trace(contest: Contest, sides: Sequence[Side], name: str, look: Look, steps: Sequence[str] = ()) -> dict:
    """Some sides of a contest: accuracy over seconds, with both intervals. steps: beside the points of a curve."""
    seconds = [contest.mean_seconds(side) for side in sides]
    accuracies = [contest.accuracy_of(side) for side in sides]
    texts = [task_hover(contest, side) for side in sides]
    more = {"error_x": bounds(seconds)} | ({} if steps else {"mode": "markers"})
    return line(name, charts.numbers(seconds), accuracies, look, texts, steps, **more)


def template_traces(contest: Contest, symbol: str) -> list[dict]:
    """One template of several: both models with the same small marker; intervals are in the table."""
    if not has_times(contest):
        return []
    name = f"template {contest.templates[0]}"
    traces = []
    for number, sides in enumerate(([contest.autoregressive], [point.side for point in contest.curve])):
        if sides:
            trace = side_trace(contest, sides, name, Look(color_of(sides[0]), symbol, "dot"))
            small = {"color": color_of(sides[0]), "symbol": symbol, "size": SMALL_PX}
            hidden = {"visible": False}
            trace |= {"mode": "lines+markers", "legendgroup": name, "showlegend": number == 0}
            traces.append(trace | {"marker": small, "error_x": hidden, "error_y": hidden, "opacity": 0.7})
    return traces


def levels(contest: Contest, color: str) -> tuple[list[dict], list[dict]]:
    """(lines across, what they are): the autoregressive model's accuracy, and the same less the margin."""
    accuracy = contest.accuracy_of(contest.autoregressive).value
    lines = [charts.level(accuracy, kinds.label_of(contest.autoregressive.run["model"]), color)]
    if contest.margin:
        text = f"less the margin of {contest.margin:g}"
        lines.append(charts.level(accuracy - contest.margin, text, dash="dot"))
    return [shape for shape, _ in lines], [note for _, note in lines]


def task_hover(contest: Contest, side: Side) -> str:
    """A side with its numbers; of the diffusion model against the autoregressive one's."""
    seconds = contest.mean_seconds(side)
    parts = [
        f"<b>{render.name_of(side)}</b>, {render.templates_words(contest)}",
        f"accuracy: {wording.interval(contest.accuracy_of(side), render.DIGITS)}",
        f"seconds of a question: {words(seconds)}",
    ]
    point = next((point for point in contest.points if point.side is side), None)
    return "<br>".join(parts + (against(contest, point) if point else []))


def against(contest: Contest, point: Point) -> list[str]:
    """A decoder's accuracy and seconds against the autoregressive model's."""
    autoregressive, _ = render.labels(contest)
    within = {
        None: "",
        True: f" (shown to be within {contest.margin})",
        False: f" (not shown to be within {contest.margin})",
    }
    return [
        f"less {autoregressive}'s: {wording.interval(point.difference, render.DIGITS)}{within[point.is_within]}",
        f"seconds over {autoregressive}'s: {render.ratio_words(point)}",
    ]


def task_tables(found: Sequence[TaskAccuracy]) -> list[Table]:
    """A table for each task and setting: a line a side of each template, and of their mean."""
    result = []
    for each in found:
        if each.main is not None:
            parts = [templated(contest) for contest in each.all_contests]
            frame = pd.concat(parts, ignore_index=True).fillna(MISSING)
            about = f"Accuracy in {render.title(each, is_primary=False)}. {IN_BRACKETS} {render.ON_TIMES}"
            result.append(Table("task_accuracy", f"Accuracy in {each.task}", about, frame))
    return result


def templated(contest: Contest) -> pd.DataFrame:
    """A contest's table as in the terminal, with its template in front."""
    several = len(contest.templates) > 1
    frame = render.table(contest)
    frame.insert(0, "template", f"all {len(contest.templates)}" if several else contest.templates[0])
    return frame


def problems_figure(blocks: Sequence[Comparison]) -> list[Figure]:
    """Right answers to word problems over the steps and over depth, a line a block length."""
    parts = [comparison for comparison in blocks if has(comparison, ACCURACY)]
    if not parts:
        return []
    texts = " ".join(caption(part) for part in parts)
    panels = [panel for panel in (over_steps(parts), over_depth(parts)) if panel.traces]
    return [Figure("problems", "Word problems, by block length and depth", f"{PROBLEMS}. {texts}", panels)]


def look_of(runs: pd.DataFrame, number: int) -> Look:
    """How a model's line is drawn, of LLaDA by the number of its block length."""
    model = runs["model"].iloc[0]
    symbol = f"{SYMBOL_OF[MARKERS[model]]}{OPEN if number % 2 and kinds.has_steps(model) else ''}"
    return Look(to_hex(COLORS[model]), symbol, DASH_OF[LINE_STYLES[number % len(LINE_STYLES)]])


def over_steps(parts: Sequence[Comparison]) -> Panel:
    """Right answers over the steps, LLaMA's across."""
    traces = []
    for number, part in enumerate(parts):
        runs, name = part.diffusion, block_label(part)
        texts = hovers(name, runs, (ACCURACY, LATENCY))
        trace = line(name, runs["steps"].tolist(), values(runs, ACCURACY), look_of(runs, number), texts)
        traces.append(trace)
    steps = [count for trace in traces for count in trace["x"]]
    run = parts[0].autoregressive.iloc[0]
    name, _ = labels_of_models(parts[0])
    look = Look(to_hex(COLORS[run["model"]]), dash="dot")
    text = hover_of(name, run, (ACCURACY, LATENCY))
    traces.append(across(name, [min(steps), max(steps)], estimate_of(run, ACCURACY), look, text))
    return Panel("Over the steps", traces, doubling_axis("denoising steps", steps), axis("right answers", **SHARES))


def over_depth(parts: Sequence[Comparison]) -> Panel:
    """Right answers by depth of each block length at its most steps, and of LLaMA."""
    sides = [(block_label(part), part.diffusion.tail(1), number) for number, part in enumerate(parts)]
    reference = parts[0].autoregressive
    sides.append((labels_of_models(parts[0])[0], reference, LINE_STYLES.index(":")))
    traces = []
    for name, runs, number in sides:
        run = runs.iloc[0]
        known = [(depth, estimate_of(run, metric)) for depth, metric in zip(DEPTHS, BY_DEPTH, strict=True)]
        known = [(depth, estimate) for depth, estimate in known if estimate is not None]
        if known:
            steps = f", {run['steps']:.0f} steps" if kinds.has_steps(run["model"]) else ""
            texts = [
                f"<b>{name}{steps}</b><br>{depth} lines: {words(share)} of its answers right" for depth, share in known
            ]
            shares = [share for _, share in known]
            traces.append(line(name, [depth for depth, _ in known], shares, look_of(runs, number), texts))
    x = axis("lines of working", tickvals=list(DEPTHS))
    return Panel("Over depth, at the most steps", traces, x, axis("right answers", **SHARES))


def problems_table(blocks: Sequence[Comparison]) -> list[Table]:
    """A line a run: accuracy in all and by depth, beside latency. blocks: by LLaDA's block length."""
    if not blocks or ACCURACY not in blocks[0].rows:
        return []
    parts = [part for comparison in blocks for part in (comparison.diffusion, comparison.left_out)]
    rows = pd.concat([blocks[0].autoregressive, *parts]).drop_duplicates("run_id")
    frame = pd.DataFrame(
        {
            "model": [model_name(run) for _, run in rows.iterrows()],
            "block": [wording.format_value(block, 0) for block in pd.to_numeric(rows["block_length"])],
        }
    )
    metrics = [ACCURACY, LATENCY, *BY_DEPTH]
    frame = wording.with_notes(with_intervals(frame, rows, metrics), rows)
    about = " ".join([*map(caption, blocks), IN_BRACKETS])
    return [Table("problems", "Word problems by block length and depth", about, frame, meanings(metrics))]
