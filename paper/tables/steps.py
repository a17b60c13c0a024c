"""The tables of the body about one answer: both models over the steps, and how each grows along an axis."""

from pathlib import Path

import pandas as pd

from bench.analysis import parity
from bench.analysis.comparison import ENERGY, LATENCY, RATE, TEXT_RATE, Comparison
from bench.analysis.noise import floor_of
from bench.analysis.runs import estimate_of
from bench.analysis.scaling import Scaling, reference_of
from bench.common.stats import Estimate
from bench.render import wording
from bench.render.comparison import METRIC_NAMES
from paper.tables.comparison import model_name
from paper.tables.latex import cell_text, escape, latex
from paper.values import stands_out

STEPS = (
    "Both models over the denoising steps. First: milliseconds until the first output position is final (left out where"
    " the weights are random, since which step commits it is then an accident). Over LLaMA: LLaDA's latency over"
    " LLaMA's, paired by round; bold where the interval excludes 1 and the ratio lies outside that of the same cell to"
    " itself."
)
GROWTH = (
    "How both models grow. Rate: LLaDA's tokens a second over LLaMA's at the steps that are named, paired by round;"
    " bold as in the tables above. Break-even: denoising steps at which both take equally long; beside it the same if"
    " both ran at an equal distance from their floors. A star marks what rests on extrapolated times."
)
AXES = ("batch", "length", "prompt")  # kinds of scaling groups that stand in the table
STAR = "*"


def write(answers: Comparison, about_tasks: Comparison, scalings: dict[str, Scaling], folder: Path) -> None:
    """Write the tables to `folder`; the file of one without data is empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, comparison in (("steps", answers), ("steps_tasks", about_tasks)):
        text = latex(name, steps_caption(comparison), steps_table(comparison)) if not comparison.rows.empty else ""
        (folder / f"{name}.tex").write_text(text, encoding="utf-8")
    (folder / "growth.tex").write_text(latex("growth", growth_caption(scalings), growth_table(scalings)))


def steps_caption(comparison: Comparison) -> str:
    """What the table shows, and what its runs have in common."""
    title = wording.capitalised(escape(wording.comparison_title(comparison)))
    return " ".join(filter(None, [STEPS, f"{title}.", wording.left_out_sentence(comparison)]))


def steps_table(comparison: Comparison) -> pd.DataFrame:
    """A line a run that counts: latency, first position, tokens and text a second, joules, quality, ratio."""
    rows = comparison.rows
    floor = floor_of(comparison.noise)
    columns = {"latency ms": [cell_text(estimate_of(run, LATENCY), 0) for _, run in rows.iterrows()]}
    for metric, heading, digits in (
        ("latency/ttft_ms", "first", 0), (RATE, "tokens/s", 0), (TEXT_RATE, "bytes/s", 0), (ENERGY, "J", 0),
    ):  # fmt: skip
        columns[heading] = [plain(run, metric, digits) for _, run in rows.iterrows()]
    for metric in comparison.declared:
        columns[METRIC_NAMES[metric]] = [
            cell_text(estimate_of(run, f"quality/{metric}"), 3) for _, run in rows.iterrows()
        ]
    ratios = [comparison.latency_ratios.get(run.get("steps")) for _, run in rows.iterrows()]
    columns["over LLaMA"] = [cell_text(r, 2, r is not None and stands_out(r, floor)) for r in ratios]
    shown = pd.DataFrame(columns, index=[escape(model_name(run)) for _, run in rows.iterrows()])
    return shown.loc[:, (shown != "--").any()]


def plain(run: pd.Series, metric: str, digits: int) -> str:
    """A metric without its interval, which stands in the appendix."""
    estimate = estimate_of(run, metric)
    return cell_text(estimate and Estimate(estimate.value), digits)


def growth_caption(scalings: dict[str, Scaling]) -> str:
    """What the table shows, and what the runs of each axis have in common."""
    titles = [wording.scaling_title(scalings[kind]) for kind in AXES if kind in scalings]
    labels = [wording.weights_label(scalings[kind].every) for kind in AXES if kind in scalings]
    parts = [GROWTH, *(f"{wording.capitalised(escape(title))}." for title in titles)]
    label = next(filter(None, labels), "")
    return " ".join([*parts, f"({label.capitalize()}.)"] if label else parts)


def growth_table(scalings: dict[str, Scaling]) -> pd.DataFrame:
    """A line for each place of each axis at which time was seen to break even."""
    lines, names = [], []
    for kind in AXES:
        scaling = scalings.get(kind)
        for run, steps in scaling.break_evens if scaling else ():
            place = f"{kind}: {wording.place_words(scaling, run)}"
            several = len({str(other["line"]) for other, _ in scaling.break_evens}) > 1
            names.append(escape(f"{place}, {wording.line_name(run['line'])}" if several else place))
            lines.append(growth_line(scaling, run, steps))
    return pd.DataFrame(lines, index=names)


def growth_line(scaling: Scaling, run: pd.Series, steps: Estimate) -> dict[str, str]:
    """A line of the table of growth."""
    reference = reference_of(scaling, run)
    ratio = scaling.ratios.get(run["run_id"])
    at_parity = {other["run_id"]: found for other, found in parity.of_scaling(scaling)}.get(run["run_id"])
    star = STAR if scaling.is_extrapolated(run) else ""
    floor = floor_of(scaling.noise)
    return {
        "LLaMA tok/s": plain(reference.iloc[0], RATE, 0),
        "LLaDA tok/s": f"{plain(run, RATE, 0)} ({float(run['steps']):.0f} steps)",
        "rate": cell_text(ratio, 2, ratio is not None and stands_out(ratio, floor)) + star,
        "break-even": f"{cell_text(steps, 1 if steps.value < 10 else 0)}{star}",
        "equal distance": "--" if at_parity is None else f"{at_parity.steps:.{1 if at_parity.steps < 10 else 0}f}",
    }
