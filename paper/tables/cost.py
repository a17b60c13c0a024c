"""The cost model in the report: predicted beside measured, cards, hypotheses."""

from collections import Counter
from pathlib import Path

import pandas as pd

from bench.analysis.findings import Findings
from bench.analysis.hypotheses import Result, Score, measured_ones
from bench.cost import predictions
from bench.cost.cards import devices
from bench.cost.predictions import Models
from bench.records.catalogue import paper_columns_with_units
from bench.render.hypotheses import claim_text
from bench.render.wording import part_words
from bench.spec.pair import PairFile, read_pair
from paper.tables.latex import cell_text, escape, latex, long_table
from paper.tables.row_names import names_of, said_once

SHAPES = "8b-shapes"  # the pair whose shapes the table of cards is of, where the study's own has trained weights
TIMES = {  # metric: (heading, digits)
    **paper_columns_with_units(("latency/latency_ms", "predicted/latency_ms")),
    "latency_ratio": ("ratio", 2),
    **paper_columns_with_units(("latency/step_ms", "predicted/step_ms")),
    "step_ratio": ("ratio", 2),
    **paper_columns_with_units(("compute/mfu", "compute/mbu")),
}
PEAKS = {
    **paper_columns_with_units(("memory/allocated_gib", "predicted/allocated_gib")),
    "memory_ratio": ("ratio", 3),
}
LONGEST_TOPIC = 20  # letters
MET = {"not measured": "--", "met": "yes", "not met": "no", "undecided": "undecided"}  # what became of a claim
COST = (
    "The cost model's time beside what was measured. Predicted: each forward takes as long as its arithmetic or its"
    " bytes at this device's measured ceilings, whichever is longer, and what a host adds to a forward of a model too"
    " thin to compute; ratio: measured over predicted. MFU, MBU: FLOPs and bytes of the model a second, over"
    " the ceilings. Latencies of rows that say so are extrapolated; the tables of scaling say how far that was off."
)
COST_MEMORY = "The cost model's peak memory, in closed form, beside the peak of torch's allocator."
CARDS = (
    "Predicted from published peaks, nothing measured: the 8B shapes in bfloat16, prompts of 128 tokens, captured"
    " engine, lean head. Largest batches: what the closed form fits into the card's memory."
)
HYPOTHESES = (
    "Hypotheses stated from the cost model before the 8B study ran (\\texttt{paper/hypotheses.yaml}); a claim is met if"
    " the measurement, with all of its interval, lies within its factor of the prediction, and undecided if the"
    " interval reaches across; one that is not met refutes its hypothesis. Log error: the natural logarithm of measured"
    " over predicted. A claim about a number that one above it speaks of names that one, and counts once."
    " Extrapolated: from times of a part of each call; the tables of scaling say how large a part, and how far that was"
    " off."
)

SCOREBOARD = (
    "Hypotheses of which this study measured at least one claim, and what became of them. A claim is as predicted if"
    " the measurement, with all of its interval, lies within the tolerance that was stated with it. One claim that is"
    " not as predicted refutes its hypothesis; all must be as predicted to confirm it."
)
DECODER_HYPOTHESES = (
    "Hypotheses on samplers and caches, stated from the cost model before a study of them ran on a card"
    " (\\texttt{paper/hypotheses-decoders.yaml}); otherwise as above."
)


def digits(value: float) -> str:
    """Three digits, or all of a large number."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def compared_runs(rows: pd.DataFrame, columns: dict[str, tuple[str, int]]) -> pd.DataFrame:
    """The runs of which something was measured and predicted."""
    ratio = next(metric for metric in columns if metric.endswith("_ratio"))
    return rows[rows[ratio].notna()] if not rows.empty else rows


def beside_model(rows: pd.DataFrame, columns: dict[str, tuple[str, int]]) -> pd.DataFrame:
    """A line a run that was measured and predicted: what it is, where it stands (batch, prompt, output tokens), the
    numbers. Where the same was run in part and whole, only the whole run stands here."""
    compared = compared_runs(rows, columns)
    if compared.empty:
        return pd.DataFrame()
    compared = compared.assign(name=names_of(compared))
    lines = compared["name"] + compared.apply(where, axis=1)
    is_part = compared.reindex(columns=["steps_timed", "tokens_timed"]).notna().any(axis=1)
    whole_first = compared.assign(part=is_part, line=lines).sort_values("part", kind="stable").drop_duplicates("line")
    compared = compared[compared.index.isin(whole_first.index)]
    cells = [
        [escape(where(run)), *(number(run[metric], places) for metric, (_, places) in columns.items())]
        for _, run in compared.iterrows()
    ]
    headings = ["batch, prompt, tokens", *(heading for heading, _ in columns.values())]
    parts = [part_words(run) if "latency_ratio" in columns else "" for _, run in compared.iterrows()]
    names = [", ".join(filter(None, both)) for both in zip(compared["name"], parts, strict=True)]
    return pd.DataFrame(cells, columns=headings, index=[escape(name) for name in names])


def where(run: pd.Series) -> str:
    """ "1, 128, 512": batch, prompt tokens, output tokens."""
    places = (run["batch_size"], run["prompt_tokens"], run["gen_length"])
    return ", ".join("-" if pd.isna(place) else f"{float(place):,.0f}" for place in places)


def number(value: float, places: int) -> str:
    """A number with so many decimal places, a dash where it is missing."""
    return "--" if pd.isna(value) else f"{float(value):,.{places}f}"


def hypotheses_table(scores: list[Score]) -> pd.DataFrame:
    """A line a claim: predicted, tolerance, measured, what became of it."""
    lines = [claim_line(result) for score in scores for result in score.results]
    return pd.DataFrame(lines, index=[score.name for score in scores for _ in score.results])


def claim_line(result: Result) -> dict[str, str]:
    """A line of the table of hypotheses."""
    return {
        "claim": escape(claim_text(result.claim, result.engine)),
        **predicted_and_within(result),
        "measured": measured_text(result),
        "log error": cell_text(result.log_error, 2),
        "met": MET[result.state],
        "same as": result.same_as or "--",
    }


def predicted_and_within(result: Result) -> dict[str, str]:
    """A claim's number and its tolerance, or the direction that it claims."""
    claim = result.claim
    if claim.value is None:
        return {"predicted": f"above {claim.bounds[0]:g}", "within": "--"}
    return {"predicted": digits(claim.value), "within": f"$\\times {claim.factor:g}$"}


def measured_text(result: Result) -> str:
    """What was measured of a claim, and that it rests on extrapolated times."""
    if result.measured is None:
        return "--"
    return digits(result.measured.value) + (" (extrapolated)" if result.is_extrapolated else "")


def cards_table(pair: PairFile) -> pd.DataFrame:
    """What the cost model says of the published cards, a line a card and place."""
    has_random_weights = pair.has_random_weights
    shapes = pair if has_random_weights else read_pair(SHAPES)
    cards = predictions.table(Models.of(shapes), devices(), predictions.PROMPT_TOKENS)
    return cards.set_index("card").rename_axis(None).map(digits)


def topic(score: Score) -> str:
    """ "Batch": the first words of a hypothesis, which say what it is about."""
    first = score.text.split(".")[0]
    return first if len(first) <= LONGEST_TOPIC else ""


def scoreboard(scores: list[Score]) -> pd.DataFrame:
    """A line a hypothesis: its verdict, and what became of its claims."""
    names = {"met": "as predicted", "not met": "not as predicted"}
    lines = []
    for score in scores:
        states = Counter(result.state for result in score.results)
        counts = {
            names.get(state, state): str(states[state]) for state in ("met", "not met", "undecided", "not measured")
        }
        lines.append({"claims": str(len(score.results)), **counts, "hypothesis": score.verdict})
    return pd.DataFrame(lines, index=[f"{score.name}: {escape(topic(score))}" for score in scores])


def write(findings: Findings, folder: Path) -> None:
    """Write the tables of the cost model to `folder`; the file of one without data is empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, caption, columns in (("cost", COST, TIMES), ("cost_memory", COST_MEMORY, PEAKS)):
        once = said_once(compared_runs(findings.costs, columns))
        write_long(folder, name, caption + once, beside_model(findings.costs, columns))
    write_long(folder, "predictions", f"{CARDS} {escape(findings.tested.text)}", cards_table(findings.pair))
    about = escape(" ".join(findings.tolerances.split()))
    scores, decoder_scores = measured_ones(findings.scores), measured_ones(findings.decoder_scores)
    write_long(folder, "hypotheses", f"{HYPOTHESES} {about}", hypotheses_table(scores))
    before = escape(" ".join(findings.timed_before.split()))
    write_long(folder, "hypotheses_decoders", f"{DECODER_HYPOTHESES} {before}", hypotheses_table(decoder_scores))
    board = latex("scoreboard", SCOREBOARD, scoreboard([*scores, *decoder_scores]))
    (folder / "scoreboard.tex").write_text(board, encoding="utf-8")


def write_long(folder: Path, name: str, caption: str, table: pd.DataFrame) -> None:
    """Write a table that may be longer than a page."""
    (folder / f"{name}.tex").write_text(long_table(name, caption, table), encoding="utf-8")
