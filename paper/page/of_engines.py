"""The page's figure of engines: a forward on every engine and rung, and where time breaks even on each."""

import pandas as pd

from bench.analysis import parity
from bench.analysis.parity import Parity
from bench.analysis.runs import estimate_of
from bench.analysis.scaling import STEP, Scaling
from bench.common.stats import Estimate
from bench.models import kinds
from bench.render import wording
from bench.render.parity import number as steps_text
from paper.page import charts
from paper.page.charts import GREY, INK, SYMBOL_OF, Look, Panel, axis, log_axis, points_in_rows, words

FORWARDS = {"token": "one token (ms)", "step": "one denoising step (ms)"}  # by what a model's adapter marks
ROW_PX = 34  # of a bar


def engines(scaling: Scaling) -> list[Panel]:
    """A forward on every engine and rung, a panel a model, the slowest on top."""
    if STEP not in scaling.rows or scaling.rows.empty:
        return []
    panels = []
    for model in sorted(scaling.rows["model"].unique(), key=kinds.has_steps):
        runs = scaling.rows[(scaling.rows["model"] == model) & scaling.rows[STEP].notna()].sort_values(STEP)
        names = [row_name(scaling, run) for _, run in runs.iterrows()]
        times = [estimate_of(run, STEP) for _, run in runs.iterrows()]
        style = charts.look_of_model(model)
        texts = [f"<b>{name}</b><br>{words(time, 'ms')}" for name, time in zip(names, times, strict=True)]
        trace = charts.across_bars(kinds.label_of(model), names, times, style, texts)
        title = FORWARDS[kinds.KINDS[model].mark]
        height = 120 + ROW_PX * len(names)
        panels.append(Panel(kinds.label_of(model), [trace], axis(title, rangemode="tozero"), axis(""), height=height))
    return [*panels, *break_even_panel(scaling)]


def break_even_panel(scaling: Scaling) -> list[Panel]:
    """The steps at which time breaks even on each engine, measured and if both programs were equally near to their
    floors, with the band between; none where it was measured on no engine."""
    if not scaling.break_evens:
        return []
    rows = {row_name(scaling, run): (run["run_id"], steps) for run, steps in scaling.break_evens}
    by_run = {run["run_id"]: found for run, found in parity.of_scaling(scaling)}
    near = {name: by_run[run_id] for name, (run_id, _) in rows.items() if run_id in by_run}
    measured = [steps for _, steps in rows.values()]
    hovers = [f"<b>{name}</b><br>measured: {words(steps, 'steps')}" for name, (_, steps) in rows.items()]
    traces = [points_in_rows("time breaks even, measured", list(rows), measured, Look(INK), hovers)]
    if near:
        traces.append(equal_trace(near))
    ends = [end for found in near.values() for end in found.band]
    diffusion, reference = (
        wording.label_of_models(scaling.rows.head(0), with_steps=with_steps) for with_steps in (True, False)
    )
    x = log_axis(f"{diffusion}'s steps at {reference}'s latency", [*(steps.value for steps in measured), *ends])
    y = axis("engine", type="category", categoryorder="array", categoryarray=list(rows)[::-1])
    bands = [band_shape(name, found) for name, found in near.items()]
    height = 150 + ROW_PX * len(rows)
    return [Panel("Steps at which time breaks even", traces, x, y, shapes=bands, height=height)]


def equal_trace(near: dict[str, Parity]) -> dict:
    """Where time would break even at equal distance from both floors."""
    hovers = [
        f"<b>{name}</b><br>if equally near to their floors: {steps_text(found.steps)} steps"
        f"<br>band: {steps_text(found.band[0])} to {steps_text(found.band[1])}"
        for name, found in near.items()
    ]
    steps = [Estimate(found.steps) for found in near.values()]
    look = Look(GREY, f"{SYMBOL_OF['D']}{charts.OPEN}")
    return points_in_rows("if equally near to their floors", list(near), steps, look, hovers)


def band_shape(name: str, found: Parity) -> dict:
    """The band of parity in the row of a name."""
    low, high = found.band
    line = {"color": "#d5d5d5", "width": 9}
    return {"type": "line", "x0": low, "x1": high, "y0": name, "y1": name, "layer": "below", "line": line}


def row_name(scaling: Scaling, run: pd.Series) -> str:
    """ "captured, lean head, batch 1": a line's name without the model's, which stands above, and the batch where it
    varies."""
    line = run["line"]
    name = wording.line_name(line).removeprefix(f"{kinds.label_of(line.model)}, ")
    return f"{name}, batch {run['batch_size']:.0f}" if scaling.rows["batch_size"].nunique() > 1 else name
