"""The cost model in the report: predicted beside measured, cards, hypotheses."""

from pathlib import Path

import pandas as pd

from bench.analysis import cost, hypotheses
from bench.analysis.comparison import text_of
from bench.cost import predictions
from bench.cost.cards import devices
from bench.cost.predictions import Models
from bench.spec.pair import PairFile, read_pair
from paper.figures.style import NAMES
from paper.tables.latex import escape, latex

PAGE = 45  # rows of a table that fit on a page


def digits(value: float) -> str:
    """Three digits, or all of a large number."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


TIMES = {  # metric: (heading, digits)
    "latency/latency_ms": ("latency ms", 1),
    "predicted/latency_ms": ("predicted", 1),
    "latency_ratio": ("ratio", 2),
    "latency/step_ms": ("step ms", 2),
    "predicted/step_ms": ("predicted", 2),
    "step_ratio": ("ratio", 2),
    "compute/mfu": ("MFU", 3),
    "compute/mbu": ("MBU", 3),
}
PEAKS = {
    "memory/allocated_gib": ("allocated GiB", 2),
    "predicted/allocated_gib": ("predicted", 2),
    "memory_ratio": ("ratio", 3),
}


def beside_model(rows: pd.DataFrame, columns: dict[str, tuple[str, int]]) -> pd.DataFrame:
    """A line a run that was measured and predicted: what it is, where it stands (batch, prompt, output tokens), the
    numbers. Where the same was run in part and whole, the whole run stands for both."""
    ratio = next(metric for metric in columns if metric.endswith("_ratio"))
    known = rows[rows[ratio].notna()] if not rows.empty else rows
    if known.empty:
        return pd.DataFrame()
    names = known.apply(what, axis=1) + known.apply(where, axis=1)
    known = known.assign(part=known.reindex(columns=["steps_timed", "tokens_timed"]).notna().any(axis=1), line=names)
    whole_first = known.sort_values("part", kind="stable").drop_duplicates("line")
    known = known[known.index.isin(whole_first.index)]
    lines = [[escape(where(run)), *(number(run[metric], digits) for metric, (_, digits) in columns.items())]
             for _, run in known.iterrows()]  # fmt: skip
    headings = ["batch, prompt, tokens", *(heading for heading, _ in columns.values())]
    return pd.DataFrame(lines, columns=headings, index=[escape(what(run)) for _, run in known.iterrows()])


def what(run: pd.Series) -> str:
    """ "length: LLaDA 32, lean, captured": kind, model and steps, and the settings that are not the default."""
    steps = f" {float(run['steps']):.0f}" if pd.notna(run["steps"]) else ""
    settings = [text_of(run.get(name), "") for name in ("head", "engine", "attention", "fill")]
    return ", ".join(filter(None, [f"{run['kind']}: {NAMES[run['model']]}{steps}", *settings]))


def where(run: pd.Series) -> str:
    """ "1, 128, 512": batch, prompt tokens, output tokens."""
    places = (run["batch_size"], run["prompt_tokens"], run["gen_length"])
    return ", ".join("-" if pd.isna(place) else f"{float(place):,.0f}" for place in places)


def number(value: float, places: int) -> str:
    return "--" if pd.isna(value) else f"{float(value):,.{places}f}"


def hypotheses_table(found: list[hypotheses.Score]) -> pd.DataFrame:
    """A line a claim: predicted, tolerance, measured, what became of it, and of its hypothesis."""
    lines = [
        {
            "claim": escape(part.claim.text),
            "predicted": digits(part.claim.value),
            "within": f"$\\times {part.claim.factor:g}$",
            "measured": "--" if part.measured is None else digits(part.measured),
            "met": {None: "--", True: "yes", False: "no"}[part.is_met],
            "hypothesis": score.verdict,
        }
        for score in found
        for part in score.results
    ]
    names = [score.name for score in found for _ in score.results]
    return pd.DataFrame(lines, index=names)


def write(frame: pd.DataFrame, pair: PairFile, folder: Path) -> None:
    """Write the tables of the cost model to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = cost.rows(frame)
    times, peaks = (beside_model(rows, columns) for columns in (TIMES, PEAKS))
    shapes = pair if pair.llada.random_seed is not None else read_pair("8b-shapes")
    cards = predictions.table(Models.of(shapes), devices(), predictions.PROMPT_TOKENS)
    cards = cards.set_index("card").rename_axis(None).map(digits)
    for name, caption, table in (
        ("cost", COST, times),
        ("cost_memory", COST_MEMORY, peaks),
        ("predictions", CARDS, cards),
        ("hypotheses", HYPOTHESES, hypotheses_table(hypotheses.scores(frame, hypotheses.read()))),
    ):
        parts = [table.iloc[start : start + PAGE] for start in range(0, len(table), PAGE)] or [table]
        texts = [latex(f"{name}{i or ''}", caption if not i else "Continued.", part) for i, part in enumerate(parts)]
        (folder / f"{name}.tex").write_text("\n".join(texts))


COST = (
    "The cost model's time beside what was measured. Predicted: each forward takes as long as its arithmetic or its"
    " bytes at this device's measured ceilings, whichever is longer, and what a host adds to a forward of a model too"
    " thin to compute; ratio: measured over predicted. MFU, MBU: FLOPs and bytes of the model a second, over"
    " the ceilings."
)
COST_MEMORY = "The cost model's peak memory, in closed form, beside the peak of torch's allocator."
CARDS = (
    "Predicted from published peaks, nothing measured: the 8B shapes in bfloat16, prompts of 128 tokens, lean head,"
    " captured engine. Largest batches: what the closed form fits into the card's memory."
)
HYPOTHESES = (
    "Hypotheses stated from the cost model before the 8B study ran (\\texttt{paper/hypotheses.yaml}); a claim is met if"
    " the measurement lies within its factor of the prediction; one that is not refutes its hypothesis."
)
