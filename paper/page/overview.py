"""The page's short tables, as the paper's body has them: over the steps, how both models grow, what was predicted."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from bench.analysis import parity
from bench.analysis.comparison import ENERGY, LATENCY, RATE, TEXT_RATE, Comparison
from bench.analysis.decoder_cost import Beside, beside_of, summary_of
from bench.analysis.decoder_places import Decoders
from bench.analysis.findings import Findings
from bench.analysis.hypotheses import measured_ones
from bench.analysis.noise import floor_of
from bench.analysis.runs import estimate_of
from bench.analysis.scaling import Scaling, reference_of
from bench.common.stats import Estimate
from bench.render import decoders as render_decoders
from bench.render import wording
from bench.render.parity import number as steps_text
from bench.render.wording import MISSING
from paper.page.of_comparisons import caption
from paper.page.tables import IN_BRACKETS, Table, meanings, with_intervals
from paper.selection import Selection
from paper.tables import cost as cost_tables
from paper.tables import decoders as decoder_tables
from paper.tables.comparison import model_name
from paper.tables.row_names import precision_sentence
from paper.tables.steps import AXES
from paper.values import stands_out

OVER_STEPS = (LATENCY, "latency/ttft_ms", RATE, TEXT_RATE, ENERGY)
NOT_NOISE = "Exceeds noise: the interval of the ratio excludes 1, and the same cell twice is known to differ by less."
GROWTH = (
    "Ratio of rates: LLaDA's tokens a second over LLaMA's at the steps that are named. Break-even: denoising steps at"
    " which both take equally long; at equal distance: if both ran equally near to their floors."
)


def tables(selection: Selection) -> list[Table]:
    """Every table for which there is data."""
    findings = selection.findings
    parts = [
        *steps_table("steps", "Both models over the steps", selection.answers),
        *steps_table("steps_tasks", "Both models over the steps, in tasks", selection.tasks),
        *growth_table(selection.scalings),
        *scoreboard(findings),
    ]
    return [table for table in parts if not table.frame.empty]


def steps_table(name: str, title: str, comparison: Comparison) -> list[Table]:
    """A line a run that counts, with LLaDA's latency over LLaMA's, paired by round."""
    rows = comparison.rows
    if not comparison.has_both:
        return []
    metrics = [*(f"quality/{metric}" for metric in comparison.declared), *OVER_STEPS]
    frame = pd.DataFrame({"model": [model_name(run) for _, run in rows.iterrows()]})
    ratios = [comparison.latency_ratios.get(run.get("steps")) for _, run in rows.iterrows()]
    frame["latency over LLaMA's"] = [ratio_text(ratio) for ratio in ratios]
    frame["exceeds noise"] = [noise_text(ratio, floor_of(comparison.noise)) for ratio in ratios]
    frame = with_intervals(frame, rows, metrics)
    words = f"{caption(comparison)} {IN_BRACKETS} {NOT_NOISE}"
    return [Table(name, title, words, frame, meanings(metrics))]


def ratio_text(ratio: Estimate | None) -> str:
    return MISSING if ratio is None else wording.interval(ratio, 2)


def noise_text(ratio: Estimate | None, floor: Estimate | None) -> str:
    """Whether a ratio of the two models is more than noise is known to make."""
    if ratio is None:
        return MISSING
    return "yes" if stands_out(ratio, floor) else "not shown"


def growth_table(scalings: Mapping[str, Scaling]) -> list[Table]:
    """A line for each place of each axis at which time was seen to break even."""
    there = [scalings[kind] for kind in AXES if kind in scalings]
    rows = [growth_row(scaling, run, steps) for scaling in there for run, steps in scaling.break_evens]
    titles = [f"{wording.capitalised(wording.scaling_title(scaling))}." for scaling in there]
    words = " ".join([GROWTH, IN_BRACKETS, NOT_NOISE, *titles])
    return [Table("growth", "How both models grow", words, pd.DataFrame(rows))]


def growth_row(scaling: Scaling, run: pd.Series, steps: Estimate) -> dict[str, str]:
    """A place with both rates, their ratio, and where time breaks even."""
    ratio = scaling.ratios.get(run["run_id"])
    near = {other["run_id"]: found for other, found in parity.of_scaling(scaling)}.get(run["run_id"])
    return {
        "axis": scaling.kind,
        "place": wording.place_words(scaling, run),
        "line": wording.line_name(run["line"]),
        "break-even, steps": wording.interval(steps, 1 if steps.value < 10 else 0),
        "at equal distance": MISSING if near is None else steps_text(near.steps),
        "ratio of rates": ratio_text(ratio),
        "at steps": wording.format_value(float(run["steps"]), 0),
        "exceeds noise": noise_text(ratio, floor_of(scaling.noise)),
        "LLaMA, tokens/s": rate_text(reference_of(scaling, run).iloc[0]),
        "LLaDA, tokens/s": rate_text(run),
        "extrapolated": "yes" if scaling.is_extrapolated(run) else "",
    }


def rate_text(run: pd.Series) -> str:
    """Tokens a second of a run, without the interval, which is in the table of its grid."""
    rate = estimate_of(run, RATE)
    return MISSING if rate is None else f"{rate.value:,.0f}"


def scoreboard(findings: Findings) -> list[Table]:
    """A line a hypothesis, and what the cost model says of published cards."""
    scores = measured_ones([*findings.scores, *findings.decoder_scores])
    board = cost_tables.scoreboard(scores).reset_index(drop=True)
    if not board.empty:
        board = board.rename(columns={"hypothesis": "outcome"})
        board.insert(0, "hypothesis", [score.name for score in scores])
        board.insert(1, "about", [cost_tables.topic(score) for score in scores])
    cards = cost_tables.cards_table(findings.pair).reset_index(names="card")
    about = f"{cost_tables.CARDS} {findings.tested.text}"
    return [
        Table("scoreboard", "What became of the hypotheses", cost_tables.SCOREBOARD, board),
        Table("cards", "What published cards should do", about, cards),
    ]


def decoders_beside_model(decoders: Decoders) -> list[Table]:
    """What follows from decoders' settings beside what was counted, and the cost model's time beside the measured."""
    rows = beside_of(decoders.places)
    summary = summary_of(rows)
    planned, timed = [row for row in rows if row.is_planned], [row for row in rows if row.counted_ms is not None]
    precision = [precision_sentence(decoder_tables.precisions_of(shown)) for shown in (planned, timed)]
    counts = f"{decoder_tables.COUNTS} {render_decoders.counts_words(summary)}{precision[0]}"
    times = f"{decoder_tables.COST} {render_decoders.time_words(summary)}{precision[1]}"
    both = [
        Table("decoders_counts", "Forwards of decoders", counts, lines_of(planned, decoder_tables.counts_line)),
        Table(
            "decoders_cost", "Time of decoders beside the cost model", times, lines_of(timed, decoder_tables.cost_line)
        ),
    ]
    return [table for table in both if not table.frame.empty]


def lines_of(rows: Sequence[Beside], columns_of: Callable[[Beside], dict[str, str]]) -> pd.DataFrame:
    """A line a run: its decoder, where it was measured, and what is said of it."""
    lines = [
        {"decoder": name} | decoder_tables.place_of_row(row) | columns_of(row)
        for name, row in zip(decoder_tables.names_of(rows), rows, strict=True)
    ]
    return pd.DataFrame(lines).replace("--", MISSING)
